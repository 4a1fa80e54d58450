"""The soft edge of a mask at full size, after the picture, in a band along the outline.

A pixel's colour lies between the subject's and the background's beside it; how far along is its alpha. Where the two
colours are alike that says little, and the guided filter takes over, for which alpha is a linear function of colour
within a small window (Levin, Lischinski, Weiss 2008; He, Sun, Tang 2013).

Shapes: H x W pixels of the picture, h x w of the mask.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BAND = 2.0  # pixels of the mask to each side of its outline that are looked at again
DEEP = 3.0  # pixels of the mask from the outline where a pixel surely is of one side
REACH = 2.5  # standard deviation, in pixels of the mask, of the window in which a side has one colour
RADIUS = 2.0  # of the filter's window, in pixels of the mask
EPSILON = 1e-4  # variance of colour that does not count as an edge
CLEAR = 0.1  # distance of the sides' colours at which mixing and filter count the same


def refined(mask: np.ndarray, image: np.ndarray, background: np.ndarray | None = None) -> np.ndarray:
    """Return alpha [H,W], soft where the picture [H,W,3] is, for a mask [h,w] bool of the same view.

    `background` [h,w,3] is what is behind the subject, where it is known.
    """
    height, width = image.shape[:2]
    scale = max(height, width) / max(mask.shape)
    inside = enlarged(mask.astype(np.float32), height, width)
    solid = inside > 0.5
    if not solid.any() or solid.all():
        return solid.astype(np.float32)
    depth = np.asarray(ndimage.distance_transform_edt(solid)) - ndimage.distance_transform_edt(~solid)
    band = np.abs(depth) <= BAND * scale + 0.5
    part = _around(band, round((4 * REACH + DEEP) * scale) + 1)
    image, inside, depth, band = image[part], inside[part], depth[part] / scale, band[part]
    subject = _side(image, np.clip(depth, 0, DEEP) ** 2, REACH * scale)
    behind = _side(image, np.clip(-depth, 0, DEEP) ** 2, REACH * scale)
    if background is not None:
        behind = np.stack([enlarged(background[..., c], height, width)[part] for c in range(3)], -1)
    apart = subject - behind
    distance = (apart**2).sum(-1)
    mixed = np.clip(((image - behind) * apart).sum(-1) / np.maximum(distance, 1e-6), 0, 1)
    smooth = np.clip(guided(image, inside, max(1, round(RADIUS * scale))), 0, 1)
    trust = distance / (distance + CLEAR**2)
    alpha = solid.astype(np.float32)
    alpha[part] = np.where(band, trust * mixed + (1 - trust) * smooth, alpha[part])
    return alpha


def _side(image: np.ndarray, weights: np.ndarray, reach: float) -> np.ndarray:
    """Return the colour [H,W,3] of one side near each pixel, the mean; pixels farther inside count more."""
    weights = weights.astype(np.float32)
    total = ndimage.gaussian_filter(weights, reach)
    colors = ndimage.gaussian_filter(image * weights[..., None], (reach, reach, 0))
    return colors / np.maximum(total, 1e-6)[..., None]


def guided(image: np.ndarray, values: np.ndarray, radius: int) -> np.ndarray:
    """Return values [H,W] smoothed along the edges of a picture [H,W,3], in windows of 2 radius + 1 pixels."""
    size = 2 * radius + 1

    def mean(x: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(x, size, mode="nearest", axes=(0, 1))

    center, middle = mean(image), mean(values)
    products = image[..., :, None] * image[..., None, :]
    covariance = mean(products) - center[..., :, None] * center[..., None, :] + EPSILON * np.eye(3, dtype=np.float32)
    along = mean(image * values[..., None]) - center * middle[..., None]
    slope = np.linalg.solve(covariance, along[..., None])[..., 0]
    offset = middle - (slope * center).sum(-1)
    return (mean(slope) * image).sum(-1) + mean(offset)


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return values [h,w] as [H,W], linear between pixel centres."""
    if values.shape == (height, width):
        return values
    rows = (np.arange(height) + 0.5) * values.shape[0] / height - 0.5
    columns = (np.arange(width) + 0.5) * values.shape[1] / width - 0.5
    return ndimage.map_coordinates(values, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest")


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Return the box about a mask with a margin."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + margin + 1),
        slice(max(0, columns[0] - margin), columns[-1] + margin + 1),
    )
