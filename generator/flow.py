"""Rectified flow: the straight path from data to noise, and the integration back.

Time t runs from 0 (data) to 1 (noise):  z_t = (1 - t) z + t eps,  v = dz_t/dt = eps - z.
Liu et al., "Flow Straight and Fast", arXiv:2209.03003; Esser et al., "Scaling Rectified Flow Transformers",
arXiv:2403.03206.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

Sift = tuple[float, Callable[[Tensor], Tensor]]
"""A time, and a function that is told there what data each row is bound for and returns the numbers of some rows."""


def sample_times(noise: Float[Tensor, " num"], shift: float = 1.0) -> Float[Tensor, " num"]:
    """Make normal noise training times of a logit-normal (arXiv:2403.03206, Eq. 19), moved towards noise by `shift`."""
    return shift_time(torch.sigmoid(noise), shift)


def shift_time(t: Tensor, shift: float) -> Tensor:
    """Move times towards noise (arXiv:2403.03206, Eq. 23): t -> s t / (1 + (s - 1) t); the ends stay fixed."""
    return shift * t / (1 + (shift - 1) * t)


def unshift_time(t: Tensor, shift: float) -> Tensor:
    """Undo `shift_time`."""
    return t / (shift - (shift - 1) * t)


def noise_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw normal noise: from the generator on a CPU, on the device itself elsewhere, where the way there is long."""
    if x.device.type == "cpu":
        return torch.randn(x.shape, generator=generator).to(x)
    return torch.randn_like(x)


def interpolate(z: Tensor, eps: Tensor, t: Float[Tensor, " b"]) -> Tensor:
    """Return z_t on the straight path; t is one time per item of the batch."""
    t = t.view(-1, *[1] * (z.ndim - 1))
    return (1 - t) * z + t * eps


def schedule(steps: int, shift: float) -> Float[Tensor, " {steps}+1"]:
    """Return the steps + 1 times from 1 (noise) to 0 (data) that the sampler visits."""
    return shift_time(torch.linspace(1, 0, steps + 1), shift)


def visited(steps: int, shift: float, start: float = 1.0) -> list[float]:
    """Return the times of `schedule` that lie below `start`, and that before them."""
    return [min(start, 1.0), *(t for t in schedule(steps, shift).tolist() if t < start)]


def integrate(
    velocity: Callable[[Tensor, float], Tensor],
    noise: Tensor,
    steps: int,
    *,
    shift: float = 1.0,
    start: float = 1.0,
    sift: Sift | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Follow the flow from noise (t = 1) to data (t = 0), or from `start` on, where `noise` is what stands there.

    Of the steps those are taken that lie below `start`. From the time of `sift` on only the rows that it chooses go on.

    Two-step Adams-Bashforth on the uneven time grid: second order at one evaluation a step; the first step is Euler.
    `velocity(z, t)` returns dz/dt at time t.
    """
    times = visited(steps, shift, start)
    z, previous, previous_step = noise, None, 0.0
    for i, (t, t_next) in enumerate(pairwise(times)):
        v = velocity(z, t)
        step = t_next - t
        if previous is None:
            z = z + step * v
        else:
            ratio = step / previous_step
            z = z + step * ((1 + ratio / 2) * v - (ratio / 2) * previous)
        if sift is not None and t_next <= sift[0] < t:
            rows = sift[1](z - t_next * v)
            z, v = z[rows], v[rows]
        previous, previous_step = v, step
        if progress is not None:
            progress(i + 1, len(times) - 1)
    return z
