"""Depth supervision: splats near the surface that a depth map shows are pulled onto it.

A splat is looked up where its centre falls in the picture. Before the depth there it hangs in free space, as those do
that start on the visual hull of a hollow; a little behind it belongs to that surface; farther behind it is hidden and
left alone, as is one so far before it that it more likely shows past a rim. It costs no second rendering.

Shapes: N splats, D columns, H x W pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from recon.splats import LOG_SCALE, OPACITY, QUAT

BEFORE, BEHIND = 0.15, 0.05  # how far from the map splats are pulled, by the subject's radius
KNEE = 0.0125  # distance up to which the pull grows


def pull(
    rows: Float[Tensor, "n d"],
    K: Float[Tensor, "3 3"],
    w2c: Float[Tensor, "4 4"],
    depth: Float[Tensor, "h w"],
    radius: float,
) -> Float[Tensor, "n 3"]:
    """Return the gradient, with respect to the means, of the mean over pixels of the splats' distance to the map.

    A splat counts by the pixels that it covers; its distance, along z and in radii, goes through a Huber loss.
    """
    K, w2c, depth = K.to(rows), w2c.to(rows), depth.to(rows)
    height, width = depth.shape
    means = rows[:, :LOG_SCALE]
    local = means @ w2c[:3, :3].T + w2c[:3, 3]
    z = local[:, 2].clamp(min=1e-6)
    column = (K[0, 0] * local[:, 0] / z + K[0, 2]).floor().long()
    row = (K[1, 1] * local[:, 1] / z + K[1, 2]).floor().long()
    inside = (local[:, 2] > 1e-6) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    there = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    apart = (z - there) / radius
    near = inside & (there > 0) & (apart > -BEFORE) & (apart < BEHIND)
    scales = rows[:, LOG_SCALE:QUAT]
    disc = (scales.sum(dim=1) - scales.amin(dim=1)).exp()
    pixels = 2 * torch.pi * disc * K[0, 0] * K[1, 1] / (z * z) * rows[:, OPACITY].sigmoid()
    slope = (apart / KNEE).clamp(-1, 1) * pixels / (height * width) / radius
    return torch.where(near, slope, torch.zeros_like(slope))[:, None] * w2c[2, :3]
