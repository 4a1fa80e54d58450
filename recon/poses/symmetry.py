"""From how many sides a subject looks the same.

A table looks the same from four sides, a vase from all: then frames may stand a quarter turn, or any turn, away from
where they are thought without a trace in any picture.

Shapes: F frames of h x w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

ORDERS = (2, 3, 4, 6)
FULL = 300.0  # degrees that the cameras must cover for the question to have an answer
FEWEST = 12  # frames
BLANK = 0.02  # largest median difference of two frames, of full scale, below which all of them look the same


@dataclass(frozen=True)
class Symmetry:
    """The turn after which frames are most alike."""

    num_sides: int
    """Turns of 360 degrees by this many leave the picture; 0 where any turn does."""
    likeness: float
    """1 where frames that far apart do not differ, 0 where they differ as much as any."""


def symmetry(
    rgba: Float[np.ndarray, "f h w 4"], azimuth_deg: Float[np.ndarray, " f"], span_deg: float
) -> Symmetry | None:
    """Compare all pairs of premultiplied frames by how far apart they were taken; None for less than a turn.

    Small pictures do: 32 pixels tell. Noise in all frames makes them less alike.
    """
    if span_deg < FULL or len(rgba) < FEWEST:
        return None
    flat = rgba.reshape(len(rgba), -1)
    weight = np.maximum(rgba[:, None, ..., 3], rgba[None, :, ..., 3]).sum(axis=(2, 3))
    off = np.abs(flat[:, None] - flat[None]).sum(axis=2) / (4 * np.maximum(weight, 1e-6))  # F F
    apart = np.abs((azimuth_deg[:, None] - azimuth_deg[None] + 180) % 360 - 180)
    step = span_deg / len(rgba)
    near = np.median(off[(apart > 0.5 * step) & (apart < 1.5 * step)])
    lags = [np.median(off[np.abs(apart - lag) <= 0.75 * step]) for lag in np.arange(2 * step, 180.0 + 0.5 * step, step)]
    most = max(lags)
    if most < BLANK:
        return Symmetry(0, float(1 - most / BLANK))
    best = Symmetry(1, 0.0)
    for order in ORDERS:
        if 360 / order < 2 * step:
            continue
        beside = np.median(off[np.abs(apart - 360 / order) <= 0.75 * step])
        likeness = float(np.clip((most - beside) / max(most - near, 1e-6), 0, 1))
        if likeness >= best.likeness:
            best = Symmetry(order, likeness)
    return best
