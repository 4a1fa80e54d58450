"""Rotary position embedding in three axes: orbit angle, row, column.

The time axis of an orbit is a circle, so its frequencies are whole numbers: a turn of 2 pi is the identity and the last
frame is a neighbour of the first. Rows and columns use the usual geometric frequencies (Su et al., arXiv:2104.09864).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def orbit_rope(
    angles: Float[Tensor, "b t"],
    rows: Float[Tensor, " h"],
    cols: Float[Tensor, " w"],
    head_dim: int,
    theta: float = 100.0,
) -> tuple[Float[Tensor, "b 1 n d"], Float[Tensor, "b 1 n d"]]:
    """Return cos and sin for t*h*w tokens, d = head_dim / 2: a quarter for the angle, the rest for rows and columns.

    `angles` in radians; `rows`, `cols` are token centres, 0 at the image's centre. The 1 stands for the heads.
    """
    half = head_dim // 2
    num_space = half * 3 // 8
    num_time = half - 2 * num_space
    harmonics = torch.arange(1, num_time + 1, dtype=torch.float32, device=angles.device)
    frequencies = theta ** (-torch.arange(num_space, dtype=torch.float32, device=angles.device) / num_space)
    shape = (*angles.shape, len(rows), len(cols))
    phase = torch.cat(
        [
            (angles.float()[..., None] * harmonics)[:, :, None, None].expand(*shape, -1),  # b t h w num_time
            (rows.float()[:, None] * frequencies)[:, None].expand(*shape, -1),  # b t h w num_space
            (cols.float()[:, None] * frequencies).expand(*shape, -1),
        ],
        dim=-1,
    ).flatten(1, 3)[:, None]
    return phase.cos(), phase.sin()


def apply_rope(x: Float[Tensor, "b heads n dim"], cos: Tensor, sin: Tensor) -> Float[Tensor, "b heads n dim"]:
    """Rotate the pairs (x[i], x[i + dim/2]) of queries or keys."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
