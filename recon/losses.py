"""What a fit minimises: the difference of colour on a random background, of coverage and, where asked, of structure.

    L = mean over pixels and channels of  rho(d),  rho(d) = sqrt(d^2 + e^2) - e + q d^2 / 2
      + alpha_weight * mean over pixels of (alpha - target alpha)^2

The first term of rho is Charbonnier's (a smooth L1, robust against frames that disagree), the second pulls on large
errors: q = 0 is the most robust. Colours come premultiplied, over black, with the transmittance `left`; both sides are
laid on one background. `photometric` is for autograd, `photometric_gradient` the same on NumPy arrays with its
gradient, without autograd.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from recon.cpu_project import f32, kernel

EPSILON = 0.01  # errors well below 2.5 8-bit steps count quadratically
QUADRATIC = 3.0
WINDOW = 7


def photometric(
    rgb: Float[Tensor, "h w 3"],
    left: Float[Tensor, "h w"],
    target: Float[Tensor, "h w 4"],
    background: Float[Tensor, " 3"],
    alpha_weight: float,
    quadratic: float = QUADRATIC,
) -> Float[Tensor, ""]:
    """Return the loss of a picture against a premultiplied RGBA target; differentiable."""
    d = rgb - target[..., :3] + (left - 1 + target[..., 3])[..., None] * background
    colour = (d * d + EPSILON**2).sqrt() - EPSILON + 0.5 * quadratic * d * d
    return colour.mean() + alpha_weight * (1 - left - target[..., 3]).square().mean()


def structural(
    rgb: Float[Tensor, "h w 3"],
    left: Float[Tensor, "h w"],
    target: Float[Tensor, "h w 4"],
    background: Float[Tensor, " 3"],
) -> Float[Tensor, ""]:
    """Return 1 - SSIM (Wang et al. 2004) where the target shows something, by its share of the picture; differentiable.

    A box of 7 x 7 stands in for the Gaussian window: a third of the time.
    """
    seen = target[..., 3] > 0
    rows, columns = seen.any(dim=1).nonzero()[:, 0], seen.any(dim=0).nonzero()[:, 0]
    if len(rows) == 0:
        return rgb.sum() * 0
    part = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    x = (rgb + left[..., None] * background)[part].movedim(-1, 0)
    y = (target[..., :3] + (1 - target[..., 3:]) * background)[part].movedim(-1, 0)
    with torch.no_grad():
        mean_y, yy = _box(torch.stack([y, y * y]))
    mean_x, xx, xy = _box(torch.stack([x, x * x, x * y]))
    luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
    structure = (2 * (xy - mean_x * mean_y) + 9e-4) / (xx - mean_x**2 + yy - mean_y**2 + 9e-4)
    return (1 - (luminance * structure).mean()) * (x[0].numel() / left.numel())


def _box(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Average over WINDOW x WINDOW pixels, fewer at the border; first down, then across."""
    for kernel_size in ((WINDOW, 1), (1, WINDOW)):
        padding = (kernel_size[0] // 2, kernel_size[1] // 2)
        maps = avg_pool2d(maps, kernel_size, 1, padding, count_include_pad=False)
    return maps


def photometric_gradient(
    rgb: np.ndarray,
    left: np.ndarray,
    target: np.ndarray,
    background: np.ndarray,
    alpha_weight: float,
    quadratic: float = QUADRATIC,
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Return the loss, the mean squared colour error, and the loss's gradients [H,W,3] and [H,W] (float32 arrays)."""
    grad_rgb, grad_left, rows = np.empty_like(rgb), np.empty_like(left), np.empty((len(left), 2))
    _photometric(rgb, left, target, background, f32(alpha_weight), f32(quadratic), grad_rgb, grad_left, rows)
    loss, squares = rows.sum(axis=0) / left.size
    return float(loss), float(squares), grad_rgb, grad_left


@kernel
def _photometric(rgb, left, target, background, alpha_weight, quadratic, grad_rgb, grad_left, rows):
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
                slope = (d / root + quadratic * d) * share
                grad_rgb[y, x, c] = slope
                through += slope * background[c]
                loss += root - f32(EPSILON) + f32(0.5) * quadratic * d * d
                squares += d * d
            grad_left[y, x] = through + f32(6) * share * alpha_weight * miss
            loss += f32(3) * alpha_weight * miss * miss
        rows[y, 0], rows[y, 1] = loss / f32(3), squares / f32(3)
