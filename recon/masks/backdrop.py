"""A backdrop of one smooth colour: fitted to what surely shows it, and told from the shadow that falls on it.

Shapes: H x W pixels.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BORDER = 0.04  # width of the border that is looked at, in longer sides
TOLERANCE = 0.06  # largest difference from the fit that still counts as backdrop
PLAIN_SHARE = 0.85  # of the border within the tolerance
NUM_ROUNDS = 4
DARKEST = 0.25  # of the backdrop's light is left in a shadow
TINT = 0.035  # most that a shadow may differ from the darkened backdrop
SLOPE = 0.025  # steepest a soft shadow gets, a pixel of 256


def fitted_backdrop(image: np.ndarray, where: np.ndarray, order: int = 2) -> tuple[np.ndarray, float]:
    """Fit a polynomial in u and v to part of a picture [H,W,3]; what does not agree is left out by and by.

    `where` [H,W] bool is that part. Returns the backdrop [H,W,3] everywhere, and the share of the part that agrees.
    """
    height, width = image.shape[:2]
    v, u = np.mgrid[:height, :width].astype(np.float32)
    v, u = 2 * v / height - 1, 2 * u / width - 1
    terms = np.stack([u**i * v**j for i in range(order + 1) for j in range(order + 1 - i)], -1)  # H W T
    basis, colors = terms[where], image[where]
    middle = np.median(colors, axis=0)
    used = np.abs(colors - middle).max(-1) < 0.25
    if used.sum() < 4 * basis.shape[1]:
        return np.broadcast_to(middle, image.shape), 0.0
    differences = np.zeros(len(colors))
    for _ in range(NUM_ROUNDS):
        factors = np.linalg.lstsq(basis[used], colors[used], rcond=None)[0]
        differences = np.abs(colors - basis @ factors).max(-1)
        used = differences < max(TOLERANCE, 2 * float(np.median(differences)))
    return np.clip(terms @ factors, 0, 1).astype(np.float32), float((differences < TOLERANCE).mean())


def border(height: int, width: int, share: float) -> np.ndarray:
    """Return which pixels [H,W] lie within a share of the longer side from the border."""
    thick = max(1, round(share * max(height, width)))
    ring = np.ones((height, width), bool)
    ring[thick : height - thick, thick : width - thick] = False
    return ring


def soft_shadow(
    image: np.ndarray, backdrop: np.ndarray, is_backdrop: np.ndarray, brightest: float = 1.05
) -> np.ndarray:
    """Return where [H,W] a picture shows the backdrop darkened, and its lower and one other side over no edge.

    The backdrop may be any picture [H,W,3] of the background; `is_backdrop` [H,W] is where it surely shows.
    `brightest` is more than 1 where the backdrop may hold a shadow that the picture lacks.
    A shadow keeps the backdrop's hue and fades softly; a subject of the same hue is behind edges on all sides.
    """
    light = (image * backdrop).sum(-1) / np.maximum((backdrop**2).sum(-1), 1e-4)
    tint = np.abs(image - light[..., None] * backdrop).max(-1)
    smooth = ndimage.gaussian_filter(np.minimum(light, 3), 1.0) * ndimage.gaussian_filter(backdrop.mean(-1), 4.0)
    down, across = np.gradient(smooth)
    steepness = np.hypot(down, across) * max(image.shape[:2]) / 256
    alike = (light > DARKEST) & (light < brightest) & (tint < TINT) & (steepness < SLOPE)
    free = ndimage.median_filter(alike | (is_backdrop & (steepness < SLOPE)), 3)
    along = np.logical_and.accumulate
    below, left = along(free[::-1], axis=0)[::-1], along(free, axis=1)
    right = along(free[:, ::-1], axis=1)[:, ::-1]
    return below & (left | right) & ~is_backdrop
