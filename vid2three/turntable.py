"""Cameras for looking at a result: around the subject, or to and fro where pictures were taken from one side only."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import Cameras, invert_rigid
from recon.hull import look_at_point
from recon.splats import Splats

FOV_DEG = 40.0
MARGIN = 1.08  # of the distance at which the subject's sphere just fits
HIGHEST = math.radians(35)  # elevation of a turntable, above or below


def turntable(cameras: Cameras, splats: Splats, num_frames: int, size: int, has_alphas: bool) -> Cameras:
    """Make square cameras that circle the subject as `cameras` did: their up, their mean elevation, their first side.

    Splats fitted without alphas show a whole scene: then the cameras sway within the angles that were seen.
    """
    centre, radius = bounding_sphere(splats) if has_alphas else _scene(cameras)
    up = up_direction(cameras)
    front, azimuth, elevation = _angles(cameras, centre, up)
    height = float(elevation.mean().clamp(-HIGHEST, HIGHEST))
    turn = 2 * math.pi * torch.arange(num_frames) / num_frames
    if has_alphas:
        distance = MARGIN * radius / math.sin(math.radians(FOV_DEG) / 2)
        return _orbit(centre, up, front, turn, height, distance, size, 0.5 / math.tan(math.radians(FOV_DEG) / 2))
    low, high = azimuth.quantile(0.15), azimuth.quantile(0.85)
    sway = (low + high) / 2 + (high - low) / 2 * turn.sin()
    focal = float(cameras.K[:, 0, 0].median()) / max(cameras.height, cameras.width)
    return _orbit(centre, up, front, sway, height, radius, size, focal)


def four_sides(cameras: Cameras, splats: Splats, size: int) -> Cameras:
    """Make four square cameras around the subject, from the side of the first camera on, as the turntable stands."""
    return turntable(cameras, splats, 4, size, has_alphas=True)


def bounding_sphere(splats: Splats) -> tuple[Float[Tensor, " 3"], float]:
    """Return centre and radius of a sphere about all but the outermost 1 % of the solid splats."""
    means = splats.means[splats.opacities > 0.2]
    means = means if len(means) >= 4 else splats.means
    low, high = means.quantile(0.01, dim=0), means.quantile(0.99, dim=0)
    centre = (low + high) / 2
    return centre, 1.02 * float((means - centre).norm(dim=1).quantile(0.99))


def up_direction(cameras: Cameras) -> Float[Tensor, " 3"]:
    """Return the unit vector that is up: z where the cameras stand by it, else what they agree on.

    Cameras that are rolled every way agree on nothing; then up is the axis of the ring they stand on, its sign towards
    the nearest axis of the world.
    """
    c2w = cameras.c2w
    up = -c2w[:, :3, 1].mean(dim=0)
    if float(up.norm()) < 0.3:
        offsets = cameras.centers - cameras.centers.mean(dim=0)
        up = torch.linalg.svd(offsets).Vh[2] if len(cameras) >= 3 else up.new_tensor([0.0, 0.0, 1.0])
        up = up * up[up.abs().argmax()].sign()
    up = up / up.norm()
    z = up.new_tensor([0.0, 0.0, 1.0])
    return z if float(up @ z) > math.cos(math.radians(45)) else up


def _scene(cameras: Cameras) -> tuple[Tensor, float]:
    """Return the point that the cameras look at and how far off the farther ones of them stand."""
    centre = torch.from_numpy(look_at_point(cameras)).to(cameras.w2c)
    return centre, float((cameras.centers - centre).norm(dim=1).quantile(0.6))


def _angles(cameras: Cameras, centre: Tensor, up: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the level direction to the first camera [3], and azimuth and elevation of each [N], from the centre."""
    outward = cameras.centers - centre
    outward = outward / outward.norm(dim=1, keepdim=True)
    elevation = torch.asin((outward @ up).clamp(-1, 1))
    level = outward - (outward @ up)[:, None] * up
    front = level[0] / level[0].norm().clamp(min=1e-6)
    side = torch.linalg.cross(up, front)
    return front, torch.atan2(level @ side, level @ front), elevation


def _orbit(
    centre: Tensor,
    up: Tensor,
    front: Tensor,
    azimuth: Tensor,
    elevation: float,
    distance: float,
    size: int,
    focal: float,
) -> Cameras:
    """Make cameras at azimuths [N] that look at the centre; the focal length is in sides of the picture."""
    side = torch.linalg.cross(up, front)
    level = azimuth.cos()[:, None] * front + azimuth.sin()[:, None] * side
    outward = math.cos(elevation) * level + math.sin(elevation) * up  # N 3
    right = torch.linalg.cross(up.expand_as(level), level)
    down = torch.linalg.cross(-outward, right)
    c2w = torch.eye(4).repeat(len(azimuth), 1, 1)
    c2w[:, :3, :3] = torch.stack([right, down, -outward], dim=-1)
    c2w[:, :3, 3] = centre + distance * outward
    K = torch.tensor([[size * focal, 0, size / 2], [0, size * focal, size / 2], [0, 0, 1]])
    return Cameras(K.repeat(len(azimuth), 1, 1), invert_rigid(c2w), size, size)
