"""Splats to a closed, coloured triangle mesh.

Depth maps of the splats, seen from the views and from more sides, are fused into a signed distance grid. Masks carve
it; where nothing is seen, the inside of the visual hull (of a scene, what lies behind a surface) is solid, all else
free. So the surface is closed by construction. It is extracted and smoothed; `recon.finish` thins it out and paints it
from the views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import trimesh

from recon import hull, isosurface, tsdf
from recon.config import MeshConfig
from recon.denoise import denoise
from recon.finish import finished
from recon.mesh_depth import DepthMaps, bounds, depth_maps, joined, seen_span, up_direction
from recon.outline import outline_gap
from recon.render import Primitive
from recon.splats import Splats
from recon.tsdf import Grid
from recon.views import Views

SCENE_SHARE = 0.1  # of the volume: smaller loose parts of a scene are pieces of what stands around it


def extract(
    splats: Splats,
    views: Views,
    config: MeshConfig,
    *,
    primitive: Primitive = "3dgs",
    discs: Splats | None = None,
    progress: Callable[[int, int, dict], None] | None = None,
) -> trimesh.Trimesh:
    """Extract a closed mesh with a texture or vertex colours, in the views' world frame, as `finished` returns it.

    Views with alphas give a solid. Photos with a background give a relief: a block that is cut off behind what the
    views see, and around it. `primitive` says as what the splats were fitted. `discs` are flat splats of the same
    views: the surface is then the mean of both, for their errors differ. Deterministic. `progress(step, total, {})` is
    called after each of five steps. Raises a ValueError where there is nothing to extract.
    """
    report = progress or (lambda step, total, info: None)
    low, high, misses = bounds(splats, views)
    report(1, 5, {})
    center = 0.5 * (low + high)
    maps = depth_maps(splats, views, center, config.extra_views, primitive)
    if discs is not None:
        maps = joined(maps, depth_maps(discs, views, center, config.extra_views, "2dgs"))
    return _extracted(maps, views, config, (low, high, misses), report)


def extract_from_maps(
    maps: DepthMaps,
    views: Views,
    config: MeshConfig,
    *,
    progress: Callable[[int, int, dict], None] | None = None,
) -> trimesh.Trimesh:
    """Extract as `extract` does, from depth maps that something else drew; `extra_views` is not read."""
    return _extracted(maps, views, config, bounds(maps, views), progress or (lambda step, total, info: None))


def _extracted(
    maps: DepthMaps,
    views: Views,
    config: MeshConfig,
    extent: tuple[np.ndarray, np.ndarray, int],
    report: Callable[[int, int, dict], None],
) -> trimesh.Trimesh:
    low, high, misses = extent
    grid = tsdf.grid_around(low, high, config.resolution, int(np.ceil(config.truncation)) + 2)
    report(2, 5, {})
    field = fuse(maps, views, grid, config.truncation * grid.voxel, misses)
    report(3, 5, {})
    if views.alphas is None:
        config = replace(config, min_share=max(config.min_share, SCENE_SHARE))
    fine = surface(field, grid, config)
    report(4, 5, {})
    mesh = finished(fine, views, config, grid.voxel)
    report(5, 5, {})
    return mesh


def fuse(maps: DepthMaps, views: Views, grid: Grid, truncation: float, misses: int = 0) -> np.ndarray:
    """Fuse depth maps and the views' masks to a signed distance grid [X,Y,Z], positive outside, closed at its border.

    With masks, a voxel must lie in the visual hull (it may miss `misses` masks), and unseen voxels there are inside.
    Without, what lies behind a surface is inside and what no view looks at is free. Extra maps see what the pictures do
    not vouch for; where such a map looks through a gap at the back of a known surface, it is not believed.
    """
    masks = None if views.alphas is None else views.alphas.numpy()
    solid = np.full(grid.shape, -truncation, np.float32)
    if masks is not None:
        solid = tsdf.fuse_masks(masks, hull.projection_matrices(views.cameras), grid, truncation, misses)
    own, extra = slice(maps.num_own), slice(maps.num_own, None)
    trusted = maps.depths > 0
    near = solid < truncation
    field, weight = _fused(maps, own, trusted, grid, truncation, near)
    gap = 0.0
    if masks is not None:
        solid, gap = _fitted_to_outlines(solid, np.where(weight > 0, field, truncation), maps, views, grid, truncation)
    if len(maps.depths[extra]):
        K, c2w = maps.cameras.K.numpy(), maps.cameras.c2w.numpy()
        trusted[extra] &= ~tsdf.back_faces(maps.depths[extra], K[extra], c2w[extra], grid, np.maximum(field, solid))
        field, weight = tsdf.averaged(field, weight, *_fused(maps, extra, trusted, grid, truncation, near))
    inside = weight <= 0
    if masks is None:
        inside = tsdf.hidden(maps.depths, hull.projection_matrices(maps.cameras), grid, inside)
        solid = np.where(inside | (weight > 0), solid, np.float32(truncation))
    field = np.where(inside, np.float32(-truncation), field - np.float32(gap))
    return tsdf.closed(np.maximum(field, solid), truncation)


def _fused(
    maps: DepthMaps, part: slice, trusted: np.ndarray, grid: Grid, truncation: float, near: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return distance and weight [X,Y,Z] from some of the maps."""
    matrices = hull.projection_matrices(maps.cameras)[part]
    K = maps.cameras.K.numpy()[part]
    return tsdf.fuse_depths(maps.depths[part], maps.alphas[part], trusted[part], K, matrices, grid, truncation, near)


def _fitted_to_outlines(
    solid: np.ndarray, seen: np.ndarray, maps: DepthMaps, views: Views, grid: Grid, truncation: float
) -> tuple[np.ndarray, float]:
    """Return the hull without what lies above and below all that the views show, and how far to let the surface out.

    So what stands on flat ground gets a flat foot where the hull, which no view sees from below, goes on as a cone.
    `seen` is the views' own field, free where they see nothing.
    """
    assert views.alphas is not None  # for the type checker: the caller has masks
    K, c2w = views.cameras.K.numpy(), views.cameras.c2w.numpy()
    gap = outline_gap(seen, views.alphas.numpy(), K, c2w, grid.origin, grid.voxel)
    gap = float(np.clip(gap, 0.0, 0.5 * truncation))
    up = up_direction(views.cameras)
    low, high = seen_span(maps, up)
    return np.maximum(solid, tsdf.slab(grid, up, low - gap, high + gap, truncation)), gap


def surface(field: np.ndarray, grid: Grid, config: MeshConfig) -> trimesh.Trimesh:
    """Extract and smooth the zero surface of a field; closed, in world units, two triangles a voxel, no colours."""
    truncation = config.truncation * grid.voxel
    field = isosurface.largest_solids(field, truncation, config.min_share)
    if not (field < 0).any():
        raise ValueError("The depth maps enclose nothing. Fit more splats, or check the masks and the cameras.")
    isosurface.make_well_composed(field, truncation)
    field = isosurface.largest_solids(field, truncation, config.min_share)  # mending may have closed a bubble off
    vertices, faces = isosurface.surface_nets(field, truncation)
    vertices = denoise(isosurface.taubin(vertices, faces, config.smoothing), faces, config.denoise)
    return trimesh.Trimesh((vertices + 0.5) * grid.voxel + grid.origin, faces, process=False)
