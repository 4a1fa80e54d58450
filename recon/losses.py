"""What a fit minimises: the difference of colour on a random background, and of coverage.

    L = mean over pixels and channels of  rho(d),  rho(d) = sqrt(d^2 + e^2) - e + q d^2 / 2
      + alpha_weight * mean over pixels of (alpha - target alpha)^2

The first term of rho is Charbonnier's (a smooth L1, robust against frames that disagree), the second pulls on large
errors. Colours come premultiplied, over black, with the transmittance `left`; both sides are laid on one background.
`photometric` is for autograd, `photometric_gradient` the same on NumPy arrays with its gradient, without autograd.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from torch import Tensor

from recon.cpu_project import f32, kernel

EPSILON = 0.01  # errors well below 2.5 8-bit steps count quadratically
QUADRATIC = 3.0


def photometric(
    rgb: Float[Tensor, "h w 3"],
    left: Float[Tensor, "h w"],
    target: Float[Tensor, "h w 4"],
    background: Float[Tensor, " 3"],
    alpha_weight: float,
) -> Float[Tensor, ""]:
    """Return the loss of a picture against a premultiplied RGBA target; differentiable."""
    d = rgb - target[..., :3] + (left - 1 + target[..., 3])[..., None] * background
    colour = (d * d + EPSILON**2).sqrt() - EPSILON + 0.5 * QUADRATIC * d * d
    return colour.mean() + alpha_weight * (1 - left - target[..., 3]).square().mean()


def photometric_gradient(
    rgb: np.ndarray, left: np.ndarray, target: np.ndarray, background: np.ndarray, alpha_weight: float
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Return the loss, the mean squared colour error, and the loss's gradients [H,W,3] and [H,W] (float32 arrays)."""
    grad_rgb, grad_left, rows = np.empty_like(rgb), np.empty_like(left), np.empty((len(left), 2))
    _photometric(rgb, left, target, background, f32(alpha_weight), grad_rgb, grad_left, rows)
    loss, squares = rows.sum(axis=0) / left.size
    return float(loss), float(squares), grad_rgb, grad_left


@kernel
def _photometric(rgb, left, target, background, alpha_weight, grad_rgb, grad_left, rows):
    height, width = left.shape
    share = f32(1 / 3) / f32(height * width)
    for y in range(height):
        loss, squares = f32(0), f32(0)
        for x in range(width):
            miss = left[y, x] - f32(1) + target[y, x, 3]  # also minus the error of alpha
            through = f32(0)
            for c in range(3):
                d = rgb[y, x, c] - target[y, x, c] + miss * background[c]
                root = math.sqrt(d * d + f32(EPSILON * EPSILON))
                slope = (d / root + f32(QUADRATIC) * d) * share
                grad_rgb[y, x, c] = slope
                through += slope * background[c]
                loss += root - f32(EPSILON) + f32(0.5 * QUADRATIC) * d * d
                squares += d * d
            grad_left[y, x] = through + f32(6) * share * alpha_weight * miss
            loss += f32(3) * alpha_weight * miss * miss
        rows[y, 0], rows[y, 1] = loss / f32(3), squares / f32(3)
