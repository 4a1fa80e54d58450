"""Signed distance grids from depth maps and from masks.

Distances are in world units, positive in free space and negative inside, cut at plus and minus the truncation. A view's
depth map speaks for the voxels before its surface and a little behind it; what lies deeper it can't see. Averaging the
views' distances is Curless and Levoy, "A Volumetric Method for Building Complex Models from Range Images", 1996.

Shapes: N views of H x W pixels, a grid of X x Y x Z voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from scipy.ndimage import distance_transform_edt

from recon.hull import bilinear

from . import numba_threads

numba_threads.start()

FAR = 1e9  # stands for infinity, which fast maths must not meet
MIN_COSINE = 0.05  # surfaces seen at a flatter angle say nothing
BACK_REACH = 2.0  # voxels before and behind a surface that tell which side of it is inside
BACKGROUND_WEIGHT = 0.5  # of a voxel before empty background, where a surface seen head-on weighs 1


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels lie: voxel (i, j, k) has its centre at origin + (i + 0.5, j + 0.5, k + 0.5) voxels."""

    origin: np.ndarray
    """Lower corner, float64 [3]."""
    voxel: float
    """Edge of a voxel in world units."""
    shape: tuple[int, int, int]
    """Voxels along x, y, z."""

    @property
    def centers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World coordinates of the voxels' centres along each axis, float32 [X], [Y], [Z]."""
        x, y, z = (self.origin[a] + self.voxel * (np.arange(self.shape[a]) + 0.5) for a in range(3))
        return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def grid_around(low: np.ndarray, high: np.ndarray, resolution: int, margin: int) -> Grid:
    """Make a grid over a box with `resolution` voxels along its longest side, and a margin of voxels on every side."""
    extent = np.maximum(np.asarray(high, np.float64) - low, 1e-12)
    voxel = float(extent.max() / resolution)
    counts = np.ceil(extent / voxel).astype(int) + 2 * margin
    origin = 0.5 * (np.asarray(high, np.float64) + low) - 0.5 * voxel * counts
    return Grid(origin, voxel, (int(counts[0]), int(counts[1]), int(counts[2])))


def fuse_masks(alphas: np.ndarray, matrices: np.ndarray, grid: Grid, truncation: float, misses: int = 0) -> np.ndarray:
    """Return the signed distance [X,Y,Z] to the visual hull of masks [N,H,W]; outside a picture it casts no vote.

    `matrices` are K [R|t], float32 [N,3,4]. The distance is the largest over the views of that to the mask's edge; with
    `misses`, the views that lie furthest outside are passed over, that many of them.
    """
    distances = np.stack([mask_distance(alpha) for alpha in alphas])
    return _fuse_masks(distances, matrices, *grid.centers, np.float32(truncation), misses)


def fuse_depths(
    depths: np.ndarray,
    alphas: np.ndarray,
    trusted: np.ndarray,
    K: np.ndarray,
    matrices: np.ndarray,
    grid: Grid,
    truncation: float,
    near_solid: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Average the views' distances: returns the distance [X,Y,Z] and its weight, 0 where no view sees the voxel.

    `depths` are z [N,H,W], 0 where empty; surfaces that are not `trusted`, bool [N,H,W], say nothing. `matrices` are
    K [R|t]. Work is done where `near_solid` [X,Y,Z] is true only; unseen voxels count as inside.
    """
    slants, weights = slants_and_weights(depths, K)
    weights *= trusted
    distances = np.stack([mask_distance(alpha) for alpha in alphas])
    return _fuse_depths(
        depths.astype(np.float32),
        slants,
        weights,
        distances,
        matrices,
        *grid.centers,
        np.float32(truncation),
        near_solid,
    )


def hidden(depths: np.ndarray, matrices: np.ndarray, grid: Grid, where: np.ndarray) -> np.ndarray:
    """Tell which of some voxels, bool [X,Y,Z], lie behind the surface of at least one depth map z [N,H,W]."""
    return _hidden(depths, matrices, *grid.centers, where)


def slab(grid: Grid, up: np.ndarray, low: float, high: float, truncation: float) -> np.ndarray:
    """Return the signed distance [X,Y,Z] to all that lies between two heights along a direction."""
    x, y, z = grid.centers
    heights = (up[0] * x)[:, None, None] + (up[1] * y)[:, None] + up[2] * z
    return np.clip(np.maximum(low - heights, heights - high), -truncation, truncation).astype(np.float32)


def closed(field: np.ndarray, truncation: float) -> np.ndarray:
    """Return the field with free space on the grid's border, so that its zero surface is closed."""
    return np.pad(field[1:-1, 1:-1, 1:-1], 1, constant_values=truncation)


def mask_distance(alpha: np.ndarray) -> np.ndarray:
    """Return the distance to a mask's edge in pixels, float32 [H,W], positive outside; soft edges place it finer."""
    inside = alpha > 0.5
    if not inside.any() or inside.all():
        return np.full(alpha.shape, -1e3 if inside.any() else 1e3, np.float32)
    coarse = np.where(inside, 0.5 - np.asarray(distance_transform_edt(inside)), 0.0)
    coarse += np.where(inside, 0.0, np.asarray(distance_transform_edt(~inside)) - 0.5)
    soft = (alpha > 0.02) & (alpha < 0.98)
    return np.where(soft & (np.abs(coarse) < 1.5), 0.5 - alpha, coarse).astype(np.float32)


def back_faces(depths: np.ndarray, K: np.ndarray, c2w: np.ndarray, grid: Grid, field: np.ndarray) -> np.ndarray:
    """Tell which pixels [N,H,W] look at a surface of a known field from its inside, through a gap somewhere else."""
    return _back_faces(depths, K, c2w, grid.origin, grid.voxel, field)


def averaged(
    field: np.ndarray, weight: np.ndarray, other: np.ndarray, other_weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join two results of `fuse_depths` on one grid."""
    total = weight + other_weight
    joined = (field * weight + other * other_weight) / np.maximum(total, 1e-12)
    return np.where(total > 0, joined, field), total


@numba.njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def slants_and_weights(depths, K):
    """Return for every pixel what turns a difference in z into one across the surface, and the pixel's weight.

    The surface through a pixel is a plane; its slope is the lesser of those to the two neighbours, so that an edge
    doesn't tilt it. The weight is the cosine between ray and normal, less beside a jump in depth; 0 where empty.
    """
    num, height, width = depths.shape
    slants = np.zeros((num, height, width), np.float32)
    weights = np.zeros((num, height, width), np.float32)
    for n in range(num):
        fx, fy, cx, cy = K[n, 0, 0], K[n, 1, 1], K[n, 0, 2], K[n, 1, 2]
        for row in range(height):
            for column in range(width):
                z = depths[n, row, column]
                if z <= 0.0:
                    continue
                before = depths[n, row, column - 1] if column > 0 else 0.0
                after = depths[n, row, column + 1] if column + 1 < width else 0.0
                above = depths[n, row - 1, column] if row > 0 else 0.0
                below = depths[n, row + 1, column] if row + 1 < height else 0.0
                du, gap_u = _slope(before, z, after)
                dv, gap_v = _slope(above, z, below)
                x, y = (column + 0.5 - cx) / fx, (row + 0.5 - cy) / fy
                # The plane's normal, from the cross product of its two tangents in camera space, times -1/z.
                nx, ny = du * fx, dv * fy
                nz = -(z + du * (column + 0.5 - cx) + dv * (row + 0.5 - cy))
                norm = np.sqrt(nx * nx + ny * ny + nz * nz)
                slant = -(nx * x + ny * y + nz) / norm
                cosine = slant / np.sqrt(x * x + y * y + 1.0)
                if cosine < MIN_COSINE:
                    continue
                # A jump is a step that a surface at 80 degrees would not make.
                jump = 6.0 * z / fx
                slants[n, row, column] = slant
                weights[n, row, column] = cosine * (0.1 if gap_u > jump or gap_v > jump else 1.0)
    return slants, weights


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _back_faces(depths, K, c2w, origin, voxel, field):
    num, height, width = depths.shape
    seen = np.zeros((num, height, width), np.bool_)
    for n in range(num):
        for row in range(height):
            for column in range(width):
                z = depths[n, row, column]
                if z <= 0.0:
                    continue
                x, y = (column + 0.5 - K[n, 0, 2]) / K[n, 0, 0], (row + 0.5 - K[n, 1, 2]) / K[n, 1, 1]
                step = BACK_REACH * voxel / np.sqrt(x * x + y * y + 1.0)
                before = _field_at(field, c2w[n], origin, voxel, x, y, z - step)
                behind = _field_at(field, c2w[n], origin, voxel, x, y, z + step)
                seen[n, row, column] = before < 0.0 and behind > 0.0
    return seen


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _field_at(field, c2w, origin, voxel, x, y, z):
    """Read a field at the point of depth z on the ray (x, y, 1) of a camera; outside the grid it is free."""
    index = np.empty(3, np.int64)
    for axis in range(3):
        place = c2w[axis, 0] * x * z + c2w[axis, 1] * y * z + c2w[axis, 2] * z + c2w[axis, 3]
        index[axis] = int(np.floor((place - origin[axis]) / voxel))
        if index[axis] < 0 or index[axis] >= field.shape[axis]:
            return np.float32(voxel)
    return field[index[0], index[1], index[2]]


@numba.njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _slope(before, here, after):
    """Return the lesser step in depth to two neighbours (0 = empty), signed along the axis, and the greater's size."""
    back = here - before if before > 0.0 else FAR
    forth = after - here if after > 0.0 else FAR
    gap = max(abs(back), abs(forth))
    if before <= 0.0 and after <= 0.0:
        return 0.0, gap
    return (back if abs(back) < abs(forth) else forth), gap


@numba.njit(fastmath=True, nogil=True, error_model="numpy", parallel=True, cache=True)
def _fuse_masks(distances, matrices, xs, ys, zs, truncation, misses):
    num, height, width = distances.shape
    field = np.empty((len(xs), len(ys), len(zs)), np.float32)
    for i in numba.prange(len(xs)):
        worst = np.empty(misses + 1, np.float32)  # the largest distances, the least of them first
        for j in range(len(ys)):
            for k in range(len(zs)):
                worst[:] = -truncation
                for n in range(num):
                    m = matrices[n]
                    depth = m[2, 0] * xs[i] + m[2, 1] * ys[j] + m[2, 2] * zs[k] + m[2, 3]
                    u = (m[0, 0] * xs[i] + m[0, 1] * ys[j] + m[0, 2] * zs[k] + m[0, 3]) / depth
                    v = (m[1, 0] * xs[i] + m[1, 1] * ys[j] + m[1, 2] * zs[k] + m[1, 3]) / depth
                    if depth <= 0.0 or u < 0.0 or v < 0.0 or u >= width or v >= height:
                        continue
                    focal = np.sqrt(m[0, 0] ** 2 + m[0, 1] ** 2 + m[0, 2] ** 2)
                    distance = min(bilinear(distances[n], u, v) * depth / focal, truncation)
                    if distance <= worst[0]:
                        continue
                    worst[0] = distance
                    for s in range(misses):
                        if worst[s] > worst[s + 1]:
                            worst[s], worst[s + 1] = worst[s + 1], worst[s]
                    if worst[0] >= truncation:
                        break
                field[i, j, k] = worst[0]
    return field


@numba.njit(fastmath=True, nogil=True, error_model="numpy", parallel=True, cache=True)
def _fuse_depths(depths, slants, weights, distances, matrices, xs, ys, zs, truncation, near_solid):
    num, height, width = depths.shape
    field = np.full((len(xs), len(ys), len(zs)), -truncation, np.float32)
    total = np.zeros((len(xs), len(ys), len(zs)), np.float32)
    for i in numba.prange(len(xs)):
        for j in range(len(ys)):
            for k in range(len(zs)):
                if not near_solid[i, j, k]:
                    continue
                sum_distance, sum_weight = np.float32(0.0), np.float32(0.0)
                for n in range(num):
                    m = matrices[n]
                    depth = m[2, 0] * xs[i] + m[2, 1] * ys[j] + m[2, 2] * zs[k] + m[2, 3]
                    u = (m[0, 0] * xs[i] + m[0, 1] * ys[j] + m[0, 2] * zs[k] + m[0, 3]) / depth
                    v = (m[1, 0] * xs[i] + m[1, 1] * ys[j] + m[1, 2] * zs[k] + m[1, 3]) / depth
                    if depth <= 0.0 or u < 0.0 or v < 0.0 or u >= width or v >= height:
                        continue
                    column, row = int(u), int(v)
                    if depths[n, row, column] <= 0.0:
                        focal = np.sqrt(m[0, 0] ** 2 + m[0, 1] ** 2 + m[0, 2] ** 2)
                        distance = bilinear(distances[n], u, v) * depth / focal
                        if distance > 0.0:
                            sum_distance += BACKGROUND_WEIGHT * min(distance, truncation)
                            sum_weight += BACKGROUND_WEIGHT
                        continue
                    weight = weights[n, row, column]
                    if weight <= 0.0:
                        continue
                    surface = _surface_depth(depths[n], u, v, truncation)
                    distance = (surface - depth) * slants[n, row, column]
                    if distance <= -truncation:
                        continue
                    if distance < 0.0:
                        weight *= 1.0 + distance / truncation
                    sum_distance += weight * min(distance, truncation)
                    sum_weight += weight
                if sum_weight > 0.0:
                    field[i, j, k] = sum_distance / sum_weight
                    total[i, j, k] = sum_weight
    return field, total


@numba.njit(fastmath=True, nogil=True, error_model="numpy", parallel=True, cache=True)
def _hidden(depths, matrices, xs, ys, zs, where):
    num, height, width = depths.shape
    behind = np.zeros(where.shape, np.bool_)
    for i in numba.prange(len(xs)):
        for j in range(len(ys)):
            for k in range(len(zs)):
                if not where[i, j, k]:
                    continue
                for n in range(num):
                    m = matrices[n]
                    depth = m[2, 0] * xs[i] + m[2, 1] * ys[j] + m[2, 2] * zs[k] + m[2, 3]
                    u = (m[0, 0] * xs[i] + m[0, 1] * ys[j] + m[0, 2] * zs[k] + m[0, 3]) / depth
                    v = (m[1, 0] * xs[i] + m[1, 1] * ys[j] + m[1, 2] * zs[k] + m[1, 3]) / depth
                    if depth <= 0.0 or u < 0.0 or v < 0.0 or u >= width or v >= height:
                        continue
                    if 0.0 < depths[n, int(v), int(u)] < depth:
                        behind[i, j, k] = True
                        break
    return behind


@numba.njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _surface_depth(depths, u, v, truncation):
    """Read a depth map between its pixels; the nearest pixel alone where its neighbours lie on another surface."""
    height, width = depths.shape
    nearest = depths[int(v), int(u)]
    fu, fv = min(max(u - 0.5, 0.0), width - 1.001), min(max(v - 0.5, 0.0), height - 1.001)
    column, row = int(fu), int(fv)
    a, b = fu - column, fv - row
    d00, d01 = depths[row, column], depths[row, column + 1]
    d10, d11 = depths[row + 1, column], depths[row + 1, column + 1]
    if min(d00, d01, d10, d11) < nearest - truncation or max(d00, d01, d10, d11) > nearest + truncation:
        return nearest
    return (d00 * (1 - a) + d01 * a) * (1 - b) + (d10 * (1 - a) + d11 * a) * b
