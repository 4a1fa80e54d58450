"""Where a fit starts: flat splats on the visual hull, on known points or depths, or scattered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation
from torch import Tensor

from recon import hull
from recon.camera import project
from recon.splats import Splats, from_points
from recon.views import Views, depth_points

FLATNESS = 0.1  # thickness of a disc by its width
OPACITY = 0.5
SPACING = 0.7  # standard deviation by the distance to the neighbours
NEIGHBOURS = 12  # that make a normal
SCATTER = 1.5  # radius of a scattered start by half the width of the picture at the point looked at


def start_splats(views: Views, num: int, sh_degree: int, generator: torch.Generator) -> Splats:
    """Make at most `num` flat splats: on the hull where there are alphas, else on points or depths, else in a ball.

    Depths, where there are any, hollow the hull out: every one of them is believed.
    Flat from the start: round splats would have to retreat inside the silhouette to fit it, and the depth with them.
    """
    if views.alphas is not None:
        points = hull.surface_points(hull.hollowed(hull.carve(views), views), num, generator)
    elif views.points is not None:
        points = _drawn(views.points, num, generator)
    elif views.depths is not None and bool((views.depths > 0).any()):
        points = _drawn(depth_points(views), num, generator)
    else:
        points = _scattered(views, num, generator)
    splats = from_points(points, seen_colors(points, views), sh_degree=sh_degree, opacity=OPACITY, spacing=SPACING)
    log_scales = splats.log_scales.clone()
    log_scales[:, 2] += float(np.log(FLATNESS))
    return replace(splats, log_scales=log_scales, quats=disc_quats(points))


def seen_colors(points: Float[Tensor, "p 3"], views: Views) -> Float[Tensor, "p 3"]:
    """Average the colour that each point has in the views, without regard to what hides it; grey where none sees it."""
    height, width = views.cameras.height, views.cameras.width
    uv, z = project(points, views.cameras)  # [N,P,2], [N,P]
    total, weight = torch.zeros(len(points), 3), torch.zeros(len(points), 1)
    for n in range(len(views)):
        column, row = uv[n].nan_to_num(-1).clamp(-1, max(height, width)).floor().long().unbind(-1)
        inside = (z[n] > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        at = (row.clamp(0, height - 1), column.clamp(0, width - 1))
        share = inside.float() if views.alphas is None else inside * views.alphas[n][at]
        total += share[:, None] * views.images[n][at]
        weight += share[:, None]
    return torch.where(weight > 0, total / weight.clamp(min=1e-6), torch.full_like(total, 0.5))


def disc_quats(points: Float[Tensor, "p 3"]) -> Float[Tensor, "p 4"]:
    """Return rotations wxyz whose third axis is the normal of each point's neighbourhood."""
    positions = points.detach().double().numpy()
    _, near = KDTree(positions).query(positions, k=min(NEIGHBOURS, len(positions)))
    spread = positions[near] - positions[near].mean(axis=1, keepdims=True)  # [P,K,3]
    _, axes = np.linalg.eigh(np.einsum("pki,pkj->pij", spread, spread))  # ascending: the normal comes first
    axes = axes[:, :, ::-1].copy()
    axes[:, :, 0] *= np.linalg.det(axes)[:, None]
    quats = Rotation.from_matrix(axes).as_quat()[:, [3, 0, 1, 2]]
    return torch.from_numpy(quats.astype(np.float32))


def _drawn(points: Float[Tensor, "p 3"], num: int, generator: torch.Generator) -> Float[Tensor, "q 3"]:
    return points[torch.randperm(len(points), generator=generator)[:num]].float()


def _scattered(views: Views, num: int, generator: torch.Generator) -> Float[Tensor, "num 3"]:
    """Draw points in the ball that the cameras look at, more of them towards its middle."""
    cameras = views.cameras
    center = torch.from_numpy(hull.look_at_point(cameras)).float()
    distance = (cameras.centers - center).norm(dim=1)
    half = torch.maximum(cameras.width / cameras.K[:, 0, 0], cameras.height / cameras.K[:, 1, 1]) / 2
    radius = SCATTER * (distance * half).median()
    directions = torch.nn.functional.normalize(torch.randn(num, 3, generator=generator), dim=1)
    return center + radius * torch.rand(num, 1, generator=generator) * directions
