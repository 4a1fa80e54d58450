"""The structural term of the loss and its gradient in Numba; losses.structural is its slow twin.

With window means m, variances v and the covariance c, a pixel's similarity is (Wang et al. 2004)

    S = A B / (C D),  A = 2 m_x m_y + c1,  B = 2 c + c2,  C = m_x^2 + m_y^2 + c1,  D = v_x + v_y + c2.

S depends on our picture x through three window means, of x, x^2 and x y; the way back is the window's sum once more.

Shapes: h x w pixels of the crop, maps for 3 channels one after the other.
"""

from __future__ import annotations

import numpy as np
from numba import uint64

from recon.cpu_project import f32, kernel

RADIUS = 3  # of the window, 7 x 7
C1, C2 = 1e-4, 9e-4


def structural_gradient(
    rgb: np.ndarray, left: np.ndarray, target: np.ndarray, background: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return `losses.structural` with its gradients [H,W,3] and [H,W], float32."""
    grad_rgb, grad_left = np.zeros_like(rgb), np.zeros_like(left)
    seen = target[..., 3] > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if len(rows) == 0:
        return 0.0, grad_rgb, grad_left
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    maps, sums = np.empty((15, height, width), np.float32), np.empty((15, height, width), np.float32)
    _products(rgb[part], left[part], target[part], background, maps)
    _window_sums(maps, sums)
    slopes, back, similar = np.empty((9, height, width), np.float32), maps[:9], np.empty((3, height))
    _slopes(sums, slopes, similar)
    x, y = maps[0::5].copy(), maps[1::5].copy()
    _window_sums(slopes, back)
    _combine(x, y, back, f32(-1 / (3 * left.size)), background, grad_rgb[part], grad_left[part])
    return float((height * width - similar.sum() / 3) / left.size), grad_rgb, grad_left


@kernel
def _products(rgb, left, target, background, maps):
    """Write x, y, x^2, y^2 and x y of every channel, both laid on the background."""
    height, width = left.shape
    for c in range(3):
        for row in range(height):
            for col in range(width):
                x = rgb[row, col, c] + left[row, col] * background[c]
                y = target[row, col, c] + (f32(1) - target[row, col, 3]) * background[c]
                k = 5 * c
                maps[k, row, col], maps[k + 1, row, col] = x, y
                maps[k + 2, row, col], maps[k + 3, row, col], maps[k + 4, row, col] = x * x, y * y, x * y


@kernel
def _window_sums(maps, out):
    """Sum each map over the window, cut at the border."""
    num, height, width = maps.shape
    line = np.zeros(width + 2 * RADIUS, np.float32)
    across = np.zeros((height + 2 * RADIUS, width), np.float32)
    for m in range(num):
        for row in range(height):
            line[RADIUS : RADIUS + width] = maps[m, row]
            to = across[row + RADIUS]
            for x in range(uint64(width)):
                left = line[x] + line[x + uint64(1)] + line[x + uint64(2)]
                right = line[x + uint64(4)] + line[x + uint64(5)] + line[x + uint64(6)]
                to[x] = left + line[x + uint64(3)] + right
        for row in range(height):
            for x in range(uint64(width)):
                above = across[row, x] + across[row + 1, x] + across[row + 2, x]
                below = across[row + 4, x] + across[row + 5, x] + across[row + 6, x]
                out[m, row, x] = above + across[row + 3, x] + below


@kernel
def _slopes(sums, slopes, similar):
    """Write d S / d mean(x), mean(x^2), mean(x y) over the window's count, and the rows' sums of S."""
    _, height, width = sums.shape
    for c in range(3):
        k = 5 * c
        for row in range(height):
            tall = min(row + RADIUS, height - 1) - max(row - RADIUS, 0) + 1
            total = f32(0)
            for col in range(width):
                wide = min(col + RADIUS, width - 1) - max(col - RADIUS, 0) + 1
                share = f32(1) / f32(tall * wide)
                mean_x, mean_y = sums[k, row, col] * share, sums[k + 1, row, col] * share
                var_x = sums[k + 2, row, col] * share - mean_x * mean_x
                var_y = sums[k + 3, row, col] * share - mean_y * mean_y
                covariance = sums[k + 4, row, col] * share - mean_x * mean_y
                a, b = f32(2) * mean_x * mean_y + f32(C1), f32(2) * covariance + f32(C2)
                inverse_c = f32(1) / (mean_x * mean_x + mean_y * mean_y + f32(C1))
                inverse_d = f32(1) / (var_x + var_y + f32(C2))
                both = inverse_c * inverse_d
                s = a * b * both
                total += s
                by_mean = mean_y * (b - a) * both + mean_x * s * (inverse_d - inverse_c)
                slopes[3 * c, row, col] = f32(2) * by_mean * share
                slopes[3 * c + 1, row, col] = -s * inverse_d * share
                slopes[3 * c + 2, row, col] = f32(2) * a * both * share
            similar[c, row] = total


@kernel
def _combine(x, y, back, scale, background, grad_rgb, grad_left):
    height, width = grad_left.shape
    for c in range(3):
        for row in range(height):
            for col in range(width):
                by_xx, by_xy = back[3 * c + 1, row, col], back[3 * c + 2, row, col]
                g = back[3 * c, row, col] + f32(2) * x[c, row, col] * by_xx + y[c, row, col] * by_xy
                grad_rgb[row, col, c] = scale * g
                grad_left[row, col] += scale * g * background[c]
