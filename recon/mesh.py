"""Splats to a closed, coloured triangle mesh.

Depth maps of the splats, seen from the views and from more sides, are fused into a signed distance grid. Masks carve
it; where nothing is seen, the inside of the visual hull is solid and everything else free. So the surface is closed by
construction. It is extracted, smoothed, thinned out and painted from the views.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch
import trimesh

from recon import hull, isosurface, mesh_color, tsdf
from recon.camera import Cameras, invert_rigid, rays, resized
from recon.config import MeshConfig
from recon.decimate import decimate
from recon.render import render
from recon.splats import Splats
from recon.tsdf import Grid
from recon.views import Views

log = logging.getLogger(__name__)

SEARCH_RESOLUTION = 64  # of the hull that finds the subject's bounds
MIN_RENDER, MAX_RENDER = 192, 512  # pixels: of the depth maps' longer side, whatever the views' size
MAX_VIEWS = 64  # of the views' own cameras that depth maps are rendered from, evenly chosen
LOWEST_DEG, HIGHEST_DEG = -30.0, 75.0  # elevations of the extra views
GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


def extract(
    splats: Splats,
    views: Views,
    config: MeshConfig,
    *,
    progress: Callable[[int, int, dict], None] | None = None,
) -> trimesh.Trimesh:
    """Extract a closed mesh with vertex colours, in the views' world frame; `is_watertight` holds.

    Views with alphas give a solid. Photos with a background give a closed shell around what the depth maps show, thin
    where only one side is seen. Deterministic. `progress(step, total, {})` is called after each of five steps. Raises a
    ValueError where there is nothing to extract.
    """
    report = progress or (lambda step, total, info: None)
    low, high, misses = bounds(splats, views)
    margin = int(np.ceil(config.truncation)) + 2
    grid = tsdf.grid_around(low, high, config.resolution, margin)
    report(1, 5, {})
    cameras, num_own = depth_cameras(views.cameras, 0.5 * (low + high), config.extra_views)
    depths, alphas = depth_maps(splats, cameras)
    report(2, 5, {})
    field = fuse(depths, alphas, cameras, views, grid, config.truncation * grid.voxel, misses, num_own)
    report(3, 5, {})
    mesh = surface(field, grid, config)
    report(4, 5, {})
    painted = paint(mesh, views, 2.0 * grid.voxel)
    report(5, 5, {})
    return painted


def bounds(splats: Splats, views: Views) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the lower and upper corner [3] of the subject, and how many views a voxel of its hull may miss.

    Without alphas it is where most points (else splats) lie around the spot that the cameras look at.
    """
    if views.alphas is not None:
        found = hull.carve(views, SEARCH_RESOLUTION)
        inside = np.argwhere(found.occupancy.numpy())
        origin = found.origin.numpy().astype(np.float64)
        low, high = origin + found.voxel * (inside.min(axis=0) - 1), origin + found.voxel * (inside.max(axis=0) + 2)
        return low, high, found.misses
    points = views.points
    if points is None:
        points = splats.means[splats.opacities > 0.5]
    points = points.detach().numpy().astype(np.float64)
    center = hull.look_at_point(views.cameras)
    reach = 0.75 * np.median(np.linalg.norm(views.cameras.centers.numpy() - center, axis=1))
    near = points[np.linalg.norm(points - center, axis=1) < reach]
    if len(near) < 100:
        near = points
    if len(near) == 0:
        raise ValueError("There is no splat of opacity above 0.5 and no point, so there is nothing to mesh.")
    low, high = np.quantile(near, [0.02, 0.98], axis=0)
    return low - 0.05 * (high - low), high + 0.05 * (high - low), 0


def depth_cameras(cameras: Cameras, center: np.ndarray, num_extra: int) -> tuple[Cameras, int]:
    """Return cameras for the depth maps, the views' own first, and how many of them are the views' own.

    The others look at `center` from the views' median distance, along a golden spiral over the band of elevations.
    """
    longest = max(cameras.height, cameras.width)
    scale = np.ceil(MIN_RENDER / longest) if longest < MIN_RENDER else min(1.0, MAX_RENDER / longest)
    chosen = np.unique(np.linspace(0, len(cameras) - 1, min(len(cameras), MAX_VIEWS)).round().astype(int))
    own = resized(cameras[chosen.tolist()], round(scale * cameras.height), round(scale * cameras.width))
    up = up_direction(cameras)
    side = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    side /= np.linalg.norm(side)
    distance = np.median(np.linalg.norm(own.centers.numpy() - center, axis=1))
    steps = (np.arange(num_extra) + 0.5) / max(num_extra, 1)
    lowest, highest = np.sin(np.radians([LOWEST_DEG, HIGHEST_DEG]))
    heights = lowest + steps * (highest - lowest)
    turns = GOLDEN_ANGLE * np.arange(num_extra)
    across = np.cos(turns)[:, None] * side + np.sin(turns)[:, None] * np.cross(up, side)
    outward = heights[:, None] * up + np.sqrt(1.0 - heights**2)[:, None] * across
    c2w = np.tile(np.eye(4), (num_extra, 1, 1))
    c2w[:, :3, 0] = np.cross(up, outward) / np.sqrt(1.0 - heights**2)[:, None]
    c2w[:, :3, 1] = np.cross(-outward, c2w[:, :3, 0])
    c2w[:, :3, 2] = -outward
    c2w[:, :3, 3] = center + distance * outward
    K = own.K.median(dim=0).values
    K[0, 2], K[1, 2] = 0.5 * own.width, 0.5 * own.height
    w2c = invert_rigid(torch.from_numpy(c2w.astype(np.float32)))
    both = Cameras(torch.cat([own.K, K.expand(num_extra, 3, 3)]), torch.cat([own.w2c, w2c]), own.height, own.width)
    return both, len(own)


def up_direction(cameras: Cameras) -> np.ndarray:
    """Return the unit direction [3] that is up in most pictures; the world's z where the cameras don't agree."""
    mean = -cameras.c2w[:, :3, 1].mean(dim=0).numpy().astype(np.float64)
    norm = np.linalg.norm(mean)
    return mean / norm if norm > 0.3 else np.array([0.0, 0.0, 1.0])


def fuse(
    depths: np.ndarray,
    alphas: np.ndarray,
    cameras: Cameras,
    views: Views,
    grid: Grid,
    truncation: float,
    misses: int = 0,
    num_own: int | None = None,
) -> np.ndarray:
    """Fuse depth maps [N,H,W] (z, 0 where empty) and the views' masks to a signed distance grid, positive outside.

    The first `num_own` maps (all, unless said) are seen by the views themselves: above and below what those show of the
    subject, an unseen hull is not believed, so that what stands on flat ground gets a flat foot.
    """
    matrices = hull.projection_matrices(cameras)
    solid = None
    if views.alphas is not None:
        own = hull.projection_matrices(views.cameras)
        solid = tsdf.fuse_masks(views.alphas.numpy(), own, grid, truncation, misses)
        low, high = seen_span(depths[:num_own], cameras[:num_own], up_direction(cameras[:num_own]))
        solid = np.maximum(solid, tsdf.slab(grid, up_direction(cameras[:num_own]), low, high, truncation))
    near = np.ones(grid.shape, bool) if solid is None else solid < truncation
    field, weight = tsdf.fuse_depths(depths, alphas, cameras.K.numpy(), matrices, grid, truncation, near)
    if solid is None:
        field[weight == 0] = truncation
    else:
        field = np.maximum(field, solid)
    return tsdf.closed(field, truncation)


def seen_span(depths: np.ndarray, cameras: Cameras, up: np.ndarray) -> tuple[float, float]:
    """Return how far down and up along a direction the surface in the depth maps reaches.

    Each map has its lowest and highest point; a tenth of the maps may exaggerate.
    """
    origins, directions = rays(cameras)
    forward = cameras.c2w[:, None, None, :3, 2]
    distance = torch.from_numpy(depths) / (directions * forward).sum(dim=-1)
    heights = ((origins + distance[..., None] * directions).numpy() @ up)[depths > 0]  # map by map
    ends = np.cumsum((depths > 0).sum(axis=(1, 2)))
    starts = np.concatenate([[0], ends[:-1]])[np.diff(ends, prepend=0) > 0]
    if len(starts) == 0:
        raise ValueError("The splats are invisible from every view, so there is nothing to mesh.")
    low, high = np.minimum.reduceat(heights, starts), np.maximum.reduceat(heights, starts)
    return float(np.quantile(low, 0.1)), float(np.quantile(high, 0.9))


def surface(field: np.ndarray, grid: Grid, config: MeshConfig) -> trimesh.Trimesh:
    """Extract, smooth and thin out the zero surface of a field; closed, in world units, without colours."""
    truncation = config.truncation * grid.voxel
    field = isosurface.largest_solids(field, truncation, config.min_share)
    if not (field < 0).any():
        raise ValueError("The depth maps enclose nothing. Fit more splats, or check the masks and the cameras.")
    isosurface.make_well_composed(field, truncation)
    vertices, faces = isosurface.surface_nets(field, truncation)
    vertices = isosurface.taubin(vertices, faces, config.smoothing)
    vertices, faces = decimate(vertices, faces, config.num_faces)
    return trimesh.Trimesh((vertices + 0.5) * grid.voxel + grid.origin, faces, process=False)


def paint(mesh: trimesh.Trimesh, views: Views, tolerance: float) -> trimesh.Trimesh:
    """Return the mesh with vertex colours from the views."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    colors, seen = mesh_color.paint(vertices, faces, np.asarray(mesh.vertex_normals), views, tolerance)
    if seen < 0.5:
        log.warning("Only %.0f %% of the mesh is seen by a view; the rest took on its neighbours' colours.", 100 * seen)
    bytes_ = np.concatenate([np.round(255 * colors), np.full((len(colors), 1), 255)], axis=1).astype(np.uint8)
    return trimesh.Trimesh(vertices, faces, vertex_colors=bytes_, process=False)


def depth_maps(splats: Splats, cameras: Cameras) -> tuple[np.ndarray, np.ndarray]:
    """Render the splats' median depth and alpha, float32 [N,H,W] each, one camera at a time."""
    with torch.no_grad():
        drawn = [render(splats, cameras[n]) for n in range(len(cameras))]
    return (
        torch.cat([picture.depth for picture in drawn]).cpu().numpy(),
        torch.cat([picture.alpha for picture in drawn]).cpu().numpy(),
    )
