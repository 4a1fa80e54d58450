"""What a mesh is fused from: where the subject lies, and depth maps of its splats from all around.

Shapes: N depth maps of H x W pixels, the views' own first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from recon import hull, stereo
from recon.camera import Cameras, invert_rigid, rays, resized
from recon.render import Primitive, render
from recon.splats import Splats
from recon.views import Views, depth_points

MIN_RENDER, MAX_RENDER = 192, 512  # pixels: of the depth maps' longer side, whatever the views' size
MAX_VIEWS = 64  # of the views' own cameras that depth maps are rendered from, evenly chosen
LOWEST_DEG, HIGHEST_DEG = -30.0, 75.0  # elevations of the extra views
HARDENING = 3
FRINGE = 0.002  # share of a map's surface, the lowest, that says nothing about where the subject stands
AGREE = 0.01  # of the depth, that the splats' depths of a scene may differ between views
GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


@dataclass(frozen=True, eq=False)
class DepthMaps:
    """Depth maps of a subject from known cameras."""

    depths: np.ndarray
    """z of the surface, float32 [N,H,W], 0 where there is none."""
    alphas: np.ndarray
    """Coverage, float32 [N,H,W]."""
    cameras: Cameras
    """N cameras."""
    num_own: int
    """How many of them, the first ones, are the views' own: what those see the pictures vouch for."""


def bounds(surface: Splats | DepthMaps, views: Views) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the lower and upper corner [3] of the subject, and how many views a voxel of its hull may miss.

    Without alphas it is where most points lie around the spot that the cameras look at: the views' own, else those of
    their depths, else of the splats or the depth maps that the mesh will be taken from.
    """
    if views.alphas is not None:
        return hull.bounds(views)
    points = views.points
    if points is None and views.depths is not None:
        points = depth_points(views)
    if points is None or len(points) == 0:
        points = surface_points(surface)
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


def surface_points(surface: Splats | DepthMaps) -> Float[Tensor, "p 3"]:
    """Return points of a surface: the centres of opaque splats, or the points of depth maps."""
    if isinstance(surface, Splats):
        return surface.means[surface.opacities > 0.5]
    depths = torch.from_numpy(surface.depths)
    return depth_points(Views(torch.zeros(*depths.shape, 3), None, depths, surface.cameras))


def depth_cameras(cameras: Cameras, center: np.ndarray, num_extra: int) -> tuple[Cameras, int]:
    """Return cameras for the depth maps, the views' own first, and how many of them are the views' own.

    The others look at `center` from the views' median distance, along a golden spiral over the band of elevations.
    """
    longest = max(cameras.height, cameras.width)
    scale = np.ceil(MIN_RENDER / longest) if longest < MIN_RENDER else min(1.0, MAX_RENDER / longest)
    own = resized(cameras[chosen_views(len(cameras))], round(scale * cameras.height), round(scale * cameras.width))
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


def depth_maps(
    splats: Splats, views: Views, center: np.ndarray, num_extra: int, primitive: Primitive = "3dgs"
) -> DepthMaps:
    """Render the splats' median depth from the views' cameras and from `num_extra` more around a point [3].

    The splats are drawn as if each stood there HARDENING times: the light then stops at the first layer of those that a
    fit leaves half transparent, and not somewhere among those behind.

    Of a scene, views without alphas, there are no more: from other sides one sees what the pictures say nothing about.
    Its depths count where neighbouring views agree, and where the views bring depths, these stand instead.
    """
    cameras, num_own = depth_cameras(views.cameras, center, 0 if views.alphas is None else num_extra)
    opacities = 1.0 - (1.0 - splats.opacities) ** HARDENING
    solid = replace(splats, opacity_logits=torch.logit(opacities, eps=1e-6))
    with torch.no_grad():
        drawn = [render(solid, cameras[n], primitive=primitive) for n in range(len(cameras))]
    depths, alphas = torch.cat([picture.depth for picture in drawn]), torch.cat([picture.alpha for picture in drawn])
    if views.alphas is None and len(views) >= stereo.MIN_VIEWS:
        depths = torch.from_numpy(stereo.agreed(depths.cpu().numpy(), cameras, AGREE))
    if views.alphas is None and views.depths is not None:
        own = views.depths[chosen_views(len(views))][:, None]
        known = interpolate(own, size=depths.shape[1:], mode="nearest-exact")[:, 0]
        depths = torch.where(known > 0, known, depths.cpu())
        alphas = torch.where(known > 0, torch.ones_like(known), alphas.cpu())
    return DepthMaps(depths.cpu().numpy(), alphas.cpu().numpy(), cameras, num_own)


def joined(first: DepthMaps, second: DepthMaps) -> DepthMaps:
    """Return the maps of two fits of one subject, all of one size, as one set: fused, they are averaged."""
    own, num, other_own = first.num_own, len(first.depths), second.num_own
    order = np.r_[:own, num : num + other_own, own:num, num + other_own : num + len(second.depths)]
    a, b = first.cameras, second.cameras
    cameras = Cameras(torch.cat([a.K, b.K])[order], torch.cat([a.w2c, b.w2c])[order], a.height, a.width)
    depths, alphas = np.concatenate([first.depths, second.depths]), np.concatenate([first.alphas, second.alphas])
    return DepthMaps(depths[order], alphas[order], cameras, own + other_own)


def chosen_views(num: int) -> list[int]:
    """Return which of so many views depth maps are drawn from: MAX_VIEWS at most, evenly spread."""
    return np.unique(np.linspace(0, num - 1, min(num, MAX_VIEWS)).round().astype(int)).tolist()


def up_direction(cameras: Cameras) -> np.ndarray:
    """Return the unit direction [3] that is up in most pictures; the world's z where the cameras don't agree."""
    mean = -cameras.c2w[:, :3, 1].mean(dim=0).numpy().astype(np.float64)
    norm = np.linalg.norm(mean)
    return mean / norm if norm > 0.3 else np.array([0.0, 0.0, 1.0])


def seen_span(maps: DepthMaps, up: np.ndarray) -> tuple[float, float]:
    """Return how far down and up along a direction the surface in the views' own depth maps reaches.

    Each map has its lowest and highest point; a tenth of the maps may exaggerate. At the lower edge the outermost
    pixels are passed over: light that slips past the foot stops somewhere behind and below it.
    """
    depths, cameras = maps.depths[: maps.num_own], maps.cameras[: maps.num_own]
    origins, directions = rays(cameras)
    forward = cameras.c2w[:, None, None, :3, 2]
    distance = torch.from_numpy(depths) / (directions * forward).sum(dim=-1)
    heights = (origins + distance[..., None] * directions).numpy() @ up  # N H W
    surfaces = [part[seen] for part, seen in zip(heights, depths > 0, strict=True) if seen.any()]
    if not surfaces:
        raise ValueError("The splats are invisible from every view, so there is nothing to mesh.")
    low, high = [np.quantile(part, FRINGE) for part in surfaces], [part.max() for part in surfaces]
    return float(np.quantile(low, 0.1)), float(np.quantile(high, 0.9))
