"""From nerfstudio's world back to ours.

nerfstudio turns, shifts and scales a dataset before it trains: x' = scale (R x + t). It keeps that in
dataparser_transforms.json.

Shapes: N splats, M depth maps of H x W pixels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import Cameras, opencv_to_opengl
from recon.reference import LOW_PASS
from recon.splats import Splats
from vid2three.place import moved_splats

GSPLAT_LOW_PASS = 0.3  # px^2 that splatfacto's pictures are widened by, as in 3DGS


@dataclass(frozen=True, eq=False)
class World:
    """How nerfstudio's world lies to ours: x' = scale (rotation x + shift)."""

    rotation: Float[Tensor, "3 3"]
    shift: Float[Tensor, " 3"]
    scale: float


def load_world(path: Path) -> World:
    """Read a dataparser_transforms.json. Raises ValueError where it holds no turn, shift and scale."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        matrix, scale = torch.tensor(data["transform"], dtype=torch.float64), float(data["scale"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not say how nerfstudio turned the world ({error}); train again.") from None
    rotation = matrix[:3, :3] if matrix.shape == (3, 4) else torch.zeros(3, 3, dtype=torch.float64)
    if not torch.allclose(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-4) or not scale > 0:
        raise ValueError(f"{path} holds no turn, shift and scale of the world; train again.")
    return World(rotation, matrix[:3, 3], scale)


def splats_from(splats: Splats, world: World) -> Splats:
    """Return splats of nerfstudio's world in ours: they look the same from the cameras' places there and here."""
    matrix = np.eye(4)
    matrix[:3, :3] = world.rotation.T.numpy() / world.scale
    matrix[:3, 3] = -(world.rotation.T @ world.shift).numpy()
    return moved_splats(splats, matrix)  # R^t (x' / s - t)


def widened(splats: Splats, cameras: Cameras) -> Splats:
    """Return splats that our renderer, which widens by LOW_PASS, draws as gsplat does, which widens by 0.3 px^2.

    The difference becomes a ball of its size in pixels at the splat's mean distance, added to each covariance.
    """
    focal = 0.5 * (cameras.K[:, 0, 0] + cameras.K[:, 1, 1])
    pixel = torch.zeros(len(splats))
    for center, f in zip(cameras.centers, focal, strict=True):
        pixel += (splats.means - center).norm(dim=1) / f / len(cameras)
    extra = (GSPLAT_LOW_PASS - LOW_PASS) * pixel**2  # N, world units squared
    return replace(splats, log_scales=0.5 * torch.log(splats.scales**2 + extra[:, None]))


def c2w_to(cameras: Cameras, world: World) -> Float[Tensor, "m 3 4"]:
    """Return our cameras as nerfstudio wants them: its world, its axes (y up, z backward)."""
    c2w = opencv_to_opengl(cameras.c2w).double()
    centers = world.scale * (c2w[:, :3, 3] @ world.rotation.T + world.shift)
    return torch.cat([world.rotation @ c2w[:, :3, :3], centers[..., None]], dim=2).float()


def depths_from(
    distances: Float[Tensor, "m h w"], accumulation: Float[Tensor, "m h w"], cameras: Cameras, world: World
) -> Float[Tensor, "m h w"]:
    """Return nerfacto's distances along its rays as z in our world; 0 where less than half of the light is stopped."""
    column = torch.arange(cameras.width) + 0.5
    row = torch.arange(cameras.height)[:, None] + 0.5
    fx, fy, cx, cy = (cameras.K[:, i, j, None, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    length = torch.sqrt(((column - cx) / fx) ** 2 + ((row - cy) / fy) ** 2 + 1.0)  # M H W: of a ray with z = 1
    return torch.where(accumulation >= 0.5, distances / world.scale / length, torch.zeros_like(distances))
