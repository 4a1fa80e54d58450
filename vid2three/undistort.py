"""Take a lens's distortion out of pictures: OpenCV's model, radial k1, k2, k3 and tangential p1, p2.

A pixel of the straight picture looks along (x, y, 1); the model says where the lens put it, (x', y'), and the picture
is read there, bilinear. The other direction, from lens to straight, is `undistorted_points`, by fixed-point iteration.
Pixel centres lie at + 0.5.
"""

from __future__ import annotations

import numpy as np


def distort(points: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Take straight normalised points [...,2] to where the lens puts them; `distortion` is k1, k2, p1, p2, k3."""
    k1, k2, p1, p2, k3 = distortion
    x, y = points[..., 0], points[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    v = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.stack([u, v], axis=-1)


def undistorted_points(points: np.ndarray, distortion: np.ndarray, iterations: int = 20) -> np.ndarray:
    """Undo `distort` by fixed-point iteration; converges for the lenses of photographs."""
    straight = points
    for _ in range(iterations):
        straight = straight + (points - distort(straight, distortion))
    return straight


def undistorted(image: np.ndarray, K: np.ndarray, distortion: np.ndarray, straight_K: np.ndarray) -> np.ndarray:
    """Return the picture [H,W,C] that a lens without distortion and with `straight_K` would have taken."""
    height, width = image.shape[:2]
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    straight = _normalized(np.stack([u, v], axis=-1), straight_K)  # H W 2
    bent = distort(straight, distortion)
    x = np.clip(K[0, 0] * bent[..., 0] + K[0, 2] - 0.5, 0, width - 1)
    y = np.clip(K[1, 1] * bent[..., 1] + K[1, 2] - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    a, b = (x - left)[..., None], (y - top)[..., None]
    pixels = image.astype(np.float64)
    upper = (1 - a) * pixels[top, left] + a * pixels[top, left + 1]
    lower = (1 - a) * pixels[top + 1, left] + a * pixels[top + 1, left + 1]
    mixed = (1 - b) * upper + b * lower
    return np.round(mixed).astype(image.dtype) if image.dtype == np.uint8 else mixed.astype(image.dtype)


def straight_intrinsics(K: np.ndarray, distortion: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return K with the focal length raised just so far that every straight pixel was seen by the lens."""
    u, v = np.arange(width + 1.0), np.arange(height + 1.0)
    level = [np.stack([u, np.full_like(u, y)], axis=1) for y in (0, height)]
    upright = [np.stack([np.full_like(v, x), v], axis=1) for x in (0, width)]
    edges = _normalized(np.concatenate(level + upright), K)
    seen = undistorted_points(edges, distortion)
    across = np.repeat([1, 0], [2 * len(u), 2 * len(v)])[:, None]  # the axis that leads out of the picture there
    ratios = np.take_along_axis(edges, across, 1) / np.take_along_axis(seen, across, 1)
    zoom = max(1.0, float(ratios.max()))
    straight = K.copy()
    straight[[0, 1], [0, 1]] *= zoom
    return straight


def _normalized(pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    return np.stack([(pixels[..., 0] - K[0, 2]) / K[0, 0], (pixels[..., 1] - K[1, 2]) / K[1, 1]], axis=-1)
