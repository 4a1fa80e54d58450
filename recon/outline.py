"""How far a field's surface lies inside the outlines of the masks.

A ray through an outline touches the subject without entering it, so the least signed distance along it is 0. Splats
are drawn a little larger than they are, and a fit that matches the outlines therefore sets them a little inside: the
least distances along those rays then show by how much.
"""

from __future__ import annotations

import numba
import numpy as np

from . import numba_threads

numba_threads.start()

STEP = 0.5  # of a voxel, along a ray
QUANTILE = 0.75  # of the rays' least distances: the least of noisy values is too low, so more than half of them are


def outline_gap(
    field: np.ndarray, alphas: np.ndarray, K: np.ndarray, c2w: np.ndarray, origin: np.ndarray, voxel: float
) -> float:
    """Return how deep a signed distance field [X,Y,Z] lies inside the masks [N,H,W], one figure for all outlines.

    In world units, positive where the field's solid is too small; 0 where the masks have no outline in the pictures.
    """
    rays = _outline_rays(alphas)
    if len(rays) == 0:
        return 0.0
    least = _least_along(rays, field, K.astype(np.float64), c2w.astype(np.float64), origin, voxel)
    return float(np.quantile(least, QUANTILE))


def _outline_rays(alphas: np.ndarray) -> np.ndarray:
    """Return view, u and v, float64 [M,3], where alpha crosses a half between two pixels' centres."""
    found = []
    for axis in (1, 2):
        first = alphas[:, :-1] if axis == 1 else alphas[:, :, :-1]
        second = alphas[:, 1:] if axis == 1 else alphas[:, :, 1:]
        n, row, column = np.nonzero((first > 0.5) != (second > 0.5))
        part = (first[n, row, column] - 0.5) / (first[n, row, column] - second[n, row, column])
        u, v = column + 0.5 + (part if axis == 2 else 0.0), row + 0.5 + (part if axis == 1 else 0.0)
        found.append(np.stack([n, u, v], axis=1))
    return np.concatenate(found)


@numba.njit(nogil=True, error_model="numpy", parallel=True, cache=True)
def _least_along(rays, field, K, c2w, origin, voxel):
    """Return the least value of a field along each ray, and the largest of all where a ray misses the grid."""
    least = np.full(len(rays), field.max(), np.float32)
    for r in numba.prange(len(rays)):
        n = int(rays[r, 0])
        x, y = (rays[r, 1] - K[n, 0, 2]) / K[n, 0, 0], (rays[r, 2] - K[n, 1, 2]) / K[n, 1, 1]
        norm = np.sqrt(x * x + y * y + 1.0)
        enter, leave = 0.0, 1e9
        at, along = np.empty(3), np.empty(3)  # in voxels
        for axis in range(3):
            at[axis] = (c2w[n, axis, 3] - origin[axis]) / voxel
            along[axis] = (c2w[n, axis, 0] * x + c2w[n, axis, 1] * y + c2w[n, axis, 2]) / norm
            if along[axis] != 0.0:
                one, two = -at[axis] / along[axis], (field.shape[axis] - at[axis]) / along[axis]
                enter, leave = max(enter, min(one, two)), min(leave, max(one, two))
        distance = enter + STEP
        while distance < leave:
            value = _trilinear(
                field, at[0] + distance * along[0], at[1] + distance * along[1], at[2] + distance * along[2]
            )
            least[r] = min(least[r], value)
            distance += STEP
    return least


@numba.njit(nogil=True, error_model="numpy", inline="always")
def _trilinear(field, x, y, z):
    """Read a field at a place in voxels from the grid's corner; beyond the outermost centres, the nearest."""
    sx, sy, sz = field.shape
    fx, fy, fz = (
        min(max(x - 0.5, 0.0), sx - 1.001),
        min(max(y - 0.5, 0.0), sy - 1.001),
        min(max(z - 0.5, 0.0), sz - 1.001),
    )
    i, j, k = int(fx), int(fy), int(fz)
    a, b, c = fx - i, fy - j, fz - k
    near = (field[i, j, k] * (1 - b) + field[i, j + 1, k] * b) * (1 - c)
    near += (field[i, j, k + 1] * (1 - b) + field[i, j + 1, k + 1] * b) * c
    far = (field[i + 1, j, k] * (1 - b) + field[i + 1, j + 1, k] * b) * (1 - c)
    far += (field[i + 1, j, k + 1] * (1 - b) + field[i + 1, j + 1, k + 1] * b) * c
    return near * (1 - a) + far * a
