"""Whether the masks belong to one solid: each must lie within the hull that all others leave.

What lies outside of it is unexplained: some other frame shows background there. The frames that take it away are held
responsible, in equal shares for the voxel on that line of sight which the fewest frames take away; so one frame that
lacks a part is found although every other frame is the one that is unexplained.

Shapes: F frames of h x w pixels, R voxels a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from recon import hull
from recon.poses.blob import half_width
from recon.views import Views

RESOLUTION = 80  # 64 lose parts as thin as a cape
EXTENT = 1.1  # half the cube that is looked at, by half of what a picture shows
TOLERANCE = 0.75  # pixels at 96 by which an outline may be off before it counts
THIN = 3  # pixels: parts that are thinner in a mask prove nothing, for a voxel's centre may miss them
FAINT = 0.06  # alpha up to which nothing is seen
MOST = 64  # frames: bits of a word


@dataclass(frozen=True, eq=False)
class Outlines:
    """What of each frame's mask the others deny, and what it denies the others."""

    unexplained: np.ndarray
    """float64 [F], share of the mask outside the hull of the others."""
    denied: np.ndarray
    """float64 [F], the area that it takes from the other frames' masks, by a mask's area, summed over those frames."""


def outlines(views: Views) -> Outlines:
    """Hold every mask against the others; views need alphas and at most 64 frames. Costs 0.4 s for 32 frames of 96 px.

    Raises ValueError for more frames.
    """
    num = len(views)
    alphas, best = _least_missing(views)
    masks = alphas > 0.5
    area = np.maximum(masks.sum(axis=(1, 2)), 1)
    masks = np.stack([ndimage.binary_opening(mask, np.ones((THIN, THIN))) for mask in masks])
    bits = (best[..., None] >> np.arange(num, dtype=np.uint64)) & np.uint64(1)  # F h w F
    bits = bits * masks[..., None]
    count = bits.sum(axis=-1)
    shares = bits / np.maximum(count, 1)[..., None]
    shares = shares.sum(axis=(1, 2)) / area[:, None]  # F F: from whom, by whom
    return Outlines((count > 0).sum(axis=(1, 2)) / area, shares.sum(axis=0) - np.diagonal(shares))


def covered_by_others(views: Views) -> Bool[np.ndarray, "f h w"]:
    """Return what of each frame lies before the hull that all other frames leave; views as for `outlines`.

    Raises ValueError for more than 64 frames.
    """
    return _least_missing(views)[1] == 0


def _least_missing(views: Views) -> tuple[np.ndarray, np.ndarray]:
    """Return the alphas [F,h,w], and for every pixel the frames that deny it, one bit each: uint64 [F,h,w]."""
    num = len(views)
    if views.alphas is None or num > MOST:
        raise ValueError(f"Silhouettes are compared for at most {MOST} frames with alphas; there are {num} frames.")
    alphas = views.alphas.numpy().astype(np.float32)
    matrices = hull.projection_matrices(views.cameras)
    center, half = half_width(views.cameras)
    origin, voxel = center - EXTENT * half, 2 * EXTENT * half / RESOLUTION
    missed_by = _missed_by(alphas, matrices, origin, voxel, RESOLUTION)
    tolerance = TOLERANCE * max(alphas.shape[1:]) / 96.0
    return alphas, _least_missed(missed_by, alphas, matrices, origin, voxel, tolerance)


def haze(alphas: Float[Tensor, "f h w"]) -> np.ndarray:
    """Return how much of each frame is neither there nor not, float64 [F] by its mask's area: ghosts of other frames.

    Soft outlines up to two pixels wide are none.
    """
    found = []
    for alpha in alphas.numpy():
        partial = ndimage.binary_opening((alpha > FAINT) & (alpha < 1 - FAINT), np.ones((THIN, THIN)))
        found.append(partial.sum() / max((alpha > 0.5).sum(), 1))
    return np.array(found, float)


@numba.njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _missed_by(alphas, matrices, origin, voxel, resolution):
    """Return for every voxel the frames that show background at its centre, one bit each: uint64 [R,R,R].

    A frame that ends before it says nothing, but where so few see it that they prove nothing all of them miss it.
    """
    num, height, width = alphas.shape
    full = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - num)
    missed_by = np.zeros((resolution, resolution, resolution), np.uint64)
    for i in range(resolution):
        x = origin[0] + voxel * (i + 0.5)
        for j in range(resolution):
            y = origin[1] + voxel * (j + 0.5)
            for k in range(resolution):
                z = origin[2] + voxel * (k + 0.5)
                bits, votes = np.uint64(0), 0
                for f in range(num):
                    depth, u, v = hull.pixel_of(matrices[f], x, y, z)
                    if depth > 0.0 and u >= 0.0 and v >= 0.0 and u < width and v < height:
                        votes += 1
                        if hull.bilinear(alphas[f], u, v) < 0.5:
                            bits |= np.uint64(1) << np.uint64(f)
                missed_by[i, j, k] = bits if votes >= hull.MIN_VOTES * num else full
    return missed_by


@numba.njit(nogil=True, cache=True)
def _count(bits):
    count = 0
    while bits != np.uint64(0):
        bits &= bits - np.uint64(1)
        count += 1
    return count


@numba.njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _least_missed(missed_by, alphas, matrices, origin, voxel, tolerance):
    """Return for every pixel the frames that miss the voxel before it which the fewest miss: uint64 [F,h,w].

    A frame's own miss does not count: its pixels at the outline belong to voxels that it misses by a hair.
    """
    num, height, width = alphas.shape
    size = missed_by.shape[0]
    full = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - num)
    best = np.full((num, height, width), full, np.uint64)
    least = np.full((num, height, width), num, np.uint8)
    for i in range(size):
        x = origin[0] + voxel * (i + 0.5)
        for j in range(size):
            y = origin[1] + voxel * (j + 0.5)
            for k in range(size):
                z = origin[2] + voxel * (k + 0.5)
                bits = missed_by[i, j, k]
                count = _count(bits)
                if count > num // 2:
                    continue
                for f in range(num):
                    own = np.uint64(1) << np.uint64(f)
                    others = bits & ~own
                    missed = count - (1 if bits & own else 0)
                    m = matrices[f]
                    depth, u, v = hull.pixel_of(m, x, y, z)
                    if depth <= 0.0:
                        continue
                    reach = tolerance + 0.5 * voxel * np.sqrt(m[0, 0] ** 2 + m[0, 1] ** 2 + m[0, 2] ** 2) / depth
                    for row in range(max(int(v - reach), 0), min(int(v + reach) + 1, height)):
                        for column in range(max(int(u - reach), 0), min(int(u + reach) + 1, width)):
                            if missed < least[f, row, column]:
                                least[f, row, column] = missed
                                best[f, row, column] = others
    return best
