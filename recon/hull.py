"""Visual hull: the largest solid whose silhouettes fit inside the masks of all views.

Grids are indexed x, y, z in the world's frame; voxel (i, j, k) has its centre at origin + (i + 0.5, j + 0.5, k + 0.5)
voxels. A voxel misses a view where its centre falls on the view's background; outside the image it casts no vote.
The idea is Laurentini's, "The Visual Hull Concept for Silhouette-Based Image Understanding", PAMI 1994.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.camera import Cameras, project
from recon.views import Views

from . import numba_threads

numba_threads.start()

MIN_VOTES = 0.5  # a voxel that fewer of the views see is left out
TOO_FAR = 3.0  # voxels by which a depth map must lie behind a voxel to say that nothing is there,
FEWEST_SAYING = 3  # and how many maps must say so
SEARCH_RESOLUTION = 48  # of the passes that find the bounds


class NoSolidError(ValueError):
    """The masks share no solid."""

    def __init__(self):
        super().__init__("The masks share no solid: check that the cameras belong to these images.")


@dataclass(frozen=True, eq=False)
class Hull:
    """A solid on a cubic grid in the world's frame."""

    occupancy: Bool[Tensor, "r r r"]
    """True inside, indexed x, y, z."""
    origin: Float[Tensor, " 3"]
    """The grid's lower corner."""
    voxel: float
    """Edge of a voxel in world units."""
    misses: int = 0
    """Views that a voxel inside may miss: 0 where the masks agree."""


def carve(
    views: Views, resolution: int = 96, bounds: tuple[Tensor, Tensor] | None = None, min_share: float = 0.9
) -> Hull:
    """Carve the visual hull from the views' alphas, cut at 0.5.

    `bounds` (lower and upper corner, [3] each) are found from the cameras and the masks when not given. Every mask is
    believed as long as the hull then still explains the masks; where it does not, the fewest misses a voxel that mend
    it are allowed, up to a share 1 - `min_share` of the views. So the hull of clean masks is exact, and a bad mask or
    two do not cut the subject. Raises ValueError where the views have no alphas, NoSolidError
    where their masks share no solid.
    """
    if views.alphas is None:
        raise ValueError("A visual hull needs masks, and these views have none. Give RGBA images.")
    alphas = views.alphas.detach().numpy().astype(np.float32)
    matrices = projection_matrices(views.cameras)
    max_misses = int((1.0 - min_share) * len(alphas) + 1e-6)
    if bounds is None:
        origin, size = _find_bounds(alphas, matrices, views.cameras, max_misses)
    else:
        low, high = (corner.numpy().astype(np.float64) for corner in bounds)
        size = float((high - low).max())
        origin = 0.5 * (low + high) - 0.5 * size
    voxel = size / resolution
    misses = count_misses(alphas, matrices, origin, voxel, resolution, max_misses)
    allowed = _fewest_misses(misses, alphas, matrices, origin, voxel, max_misses)
    occupancy = misses <= allowed
    if not occupancy.any():
        raise NoSolidError
    return Hull(torch.from_numpy(occupancy), torch.from_numpy(origin.astype(np.float32)), voxel, allowed)


def hollowed(hull: Hull, views: Views) -> Hull:
    """Take from a hull what at least FEWEST_SAYING depth maps look through: hollows that no outline shows.

    Pixels without a depth (0) say nothing. As it came where that would leave nothing.
    """
    if views.depths is None:
        return hull
    height, width = views.cameras.height, views.cameras.width
    inside = hull.occupancy.nonzero()  # [P,3]
    uv, z = project(hull.origin + hull.voxel * (inside + 0.5), views.cameras)  # [N,P,2], [N,P]
    saying = torch.zeros(len(inside), dtype=torch.int16)
    for depth, at, far in zip(views.depths, uv, z):
        column, row = at.nan_to_num(-1).clamp(-1, max(height, width)).floor().long().unbind(-1)
        seen = (far > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        there = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
        saying += seen & (there > 0) & (far < there - TOO_FAR * hull.voxel)
    occupancy = hull.occupancy.clone()
    occupancy[tuple(inside.T)] = saying < FEWEST_SAYING
    return replace(hull, occupancy=occupancy) if occupancy.any() else hull


def bounds(views: Views) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the lower and upper corner [3] of the hull, a voxel of 1/64 wider, and the misses a voxel may have."""
    found = carve(views, 64)
    inside = np.argwhere(found.occupancy.numpy())
    origin = found.origin.numpy().astype(np.float64)
    low, high = origin + found.voxel * (inside.min(axis=0) - 1), origin + found.voxel * (inside.max(axis=0) + 2)
    return low, high, found.misses


def surface_points(hull: Hull, num: int, generator: torch.Generator) -> Float[Tensor, "num 3"]:
    """Draw `num` points [num,3], evenly spread over the hull's surface.

    Open voxel faces are drawn in equal steps of area along a Morton curve, then moved at most half a voxel onto the
    smoothed surface, which takes the stairs away.
    """
    occupancy = np.pad(hull.occupancy.numpy(), 2).astype(np.float32)
    smooth = _blur(occupancy)
    gradient = np.stack(list(np.gradient(smooth)), axis=-1)
    cells, sides = _open_faces(occupancy)
    slope = gradient[tuple(cells.T)]
    outward = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    # A staircase of voxel faces is |n|_1 times as large as the plane it stands for.
    area = np.cumsum(1.0 / np.maximum(np.abs(outward).sum(axis=1), 1.0))
    steps = (np.arange(num) + torch.rand(num, generator=generator).numpy()) / num
    chosen = np.minimum(np.searchsorted(area, steps * area[-1]), len(area) - 1)
    spread = torch.rand(num, 3, generator=generator).numpy() - 0.5
    across = np.where(sides[chosen] == 0, spread, 0.5 * sides[chosen])
    points = cells[chosen] + across
    value, slope = _sample(smooth, points), np.stack([_sample(gradient[..., a], points) for a in range(3)], axis=1)
    steepness = np.maximum((slope**2).sum(axis=1, keepdims=True), 1e-4)
    move = (0.5 - value)[:, None] * slope / steepness
    move *= np.minimum(1.0, 0.5 / np.maximum(np.linalg.norm(move, axis=1, keepdims=True), 1e-6))
    world = hull.origin.numpy() + hull.voxel * (points + move - 2 + 0.5)
    return torch.from_numpy(world.astype(np.float32))


def projection_matrices(cameras: Cameras) -> np.ndarray:
    """Return K [R|t] of every camera, float32 [N,3,4]: takes a world point to (u z, v z, z) in pixels."""
    return (cameras.K @ cameras.w2c[:, :3]).detach().numpy().astype(np.float32)


def look_at_point(cameras: Cameras) -> np.ndarray:
    """Return the point [3] nearest to all optical axes in the least-squares sense.

    A weak pull towards the cameras' middle ground keeps it finite where the axes are parallel.
    """
    c2w = cameras.c2w.double().numpy()
    centers, forward = c2w[:, :3, 3], c2w[:, :3, 2]
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]
    spread = np.linalg.norm(centers - centers.mean(axis=0), axis=1).mean()
    middle = (centers + spread * forward).mean(axis=0)
    pull = 1e-4 * len(centers)
    return np.linalg.solve(
        across.sum(axis=0) + pull * np.eye(3), np.einsum("nij,nj->i", across, centers) + pull * middle
    )


def _find_bounds(
    alphas: np.ndarray, matrices: np.ndarray, cameras: Cameras, max_misses: int
) -> tuple[np.ndarray, float]:
    """Return lower corner [3] and edge of a cube around the subject with a margin, in a few coarse passes."""
    center = look_at_point(cameras)
    c2w = cameras.c2w.double().numpy()
    distance = np.linalg.norm(c2w[:, :3, 3] - center, axis=1)
    focal = cameras.K[:, 0, 0].numpy()
    size = float(2.0 * np.median(distance * max(cameras.width, cameras.height) / (2.0 * focal)))
    origin = center - 0.5 * size
    tables = _summed_areas(alphas)
    for _ in range(6):
        voxel = size / SEARCH_RESOLUTION
        misses = _count_misses_anywhere(tables, matrices, origin, voxel, SEARCH_RESOLUTION, max_misses)
        inside = np.argwhere(misses <= max_misses)
        if len(inside) == 0:
            raise NoSolidError
        low, high = inside.min(axis=0), inside.max(axis=0) + 1
        touches = low.min() == 0 or high.max() == SEARCH_RESOLUTION
        new_size = float((high - low).max() + 2) * voxel  # a margin of one coarse voxel on each side
        if touches and new_size < 1.6 * size:
            new_size = 1.5 * size
        settled = 0.85 * size < new_size <= size
        origin = origin + voxel * 0.5 * (low + high) - 0.5 * new_size
        size = new_size
        if settled:
            break
    return origin, size


def _fewest_misses(
    misses: np.ndarray, alphas: np.ndarray, matrices: np.ndarray, origin: np.ndarray, voxel: float, max_misses: int
) -> int:
    """Return how many views may miss a voxel: the smallest number for which the hull explains the masks."""
    least = _least_misses(misses, alphas, matrices, origin, voxel, max_misses)
    seen = (alphas > 0.5).sum(axis=(1, 2)) + 1e-6
    unexplained = [float(np.mean((least > m).sum(axis=(1, 2)) / seen)) for m in range(max_misses + 1)]
    return next(m for m in range(max_misses + 1) if unexplained[m] <= unexplained[max_misses] + 0.005)


@numba.njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def pixel_of(m, x, y, z):
    """Return where a projection matrix m [3,4] puts a world point: its pixel u, v, and its depth, first of all."""
    depth = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    u = (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) / depth
    v = (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) / depth
    return depth, u, v


@numba.njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _least_misses(misses, alphas, matrices, origin, voxel, max_misses):
    """Return for each mask pixel the fewest misses of any voxel before it, 255 for none; 0 on the background."""
    num_views, height, width = alphas.shape
    least = np.where(alphas > 0.5, np.uint8(255), np.uint8(0))
    size = misses.shape[0]
    for i in range(size):
        for j in range(size):
            for k in range(size):
                count = misses[i, j, k]
                if count > max_misses:
                    continue
                x = origin[0] + voxel * (i + 0.5)
                y = origin[1] + voxel * (j + 0.5)
                z = origin[2] + voxel * (k + 0.5)
                for n in range(num_views):
                    m = matrices[n]
                    depth, u, v = pixel_of(m, x, y, z)
                    if depth <= 0.0:
                        continue
                    # Half the widest footprint a voxel of this edge can have: its diagonal.
                    reach = 0.87 * voxel * np.sqrt(m[0, 0] ** 2 + m[0, 1] ** 2 + m[0, 2] ** 2) / depth
                    for row in range(max(int(v - reach), 0), min(int(v + reach) + 1, height)):
                        for column in range(max(int(u - reach), 0), min(int(u + reach) + 1, width)):
                            least[n, row, column] = min(least[n, row, column], count)
    return least


@numba.njit(fastmath=True, nogil=True, error_model="numpy", parallel=True, cache=True)
def count_misses(alphas, matrices, origin, voxel, resolution, max_misses):
    """Count for every voxel the views that see background at its centre, uint8 [R,R,R].

    Counting stops above `max_misses`, and a voxel that too few of the views see counts 255.
    """
    num_views, height, width = alphas.shape
    misses = np.empty((resolution, resolution, resolution), np.uint8)
    for i in numba.prange(resolution):
        x = np.float32(origin[0] + voxel * (i + 0.5))
        for j in range(resolution):
            y = np.float32(origin[1] + voxel * (j + 0.5))
            for k in range(resolution):
                z = np.float32(origin[2] + voxel * (k + 0.5))
                missed = 0
                votes = 0
                for n in range(num_views):
                    depth, u, v = pixel_of(matrices[n], x, y, z)
                    if depth > 0.0 and u >= 0.0 and v >= 0.0 and u < width and v < height:
                        votes += 1
                        if bilinear(alphas[n], u, v) < 0.5:
                            missed += 1
                            if missed > max_misses:
                                break
                enough = missed > max_misses or votes >= MIN_VOTES * num_views
                misses[i, j, k] = missed if enough else 255
    return misses


@numba.njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def bilinear(image, u, v):
    """Read an image [H,W] at pixel coordinates (u, v) inside it; pixel centres lie at +0.5."""
    height, width = image.shape
    fu = min(max(u - np.float32(0.5), np.float32(0.0)), np.float32(width - 1))
    fv = min(max(v - np.float32(0.5), np.float32(0.0)), np.float32(height - 1))
    column, row = min(int(fu), width - 2), min(int(fv), height - 2)
    a, b = fu - column, fv - row
    top = image[row, column] * (1 - a) + image[row, column + 1] * a
    bottom = image[row + 1, column] * (1 - a) + image[row + 1, column + 1] * a
    return top * (1 - b) + bottom * b


def _summed_areas(alphas: np.ndarray) -> np.ndarray:
    """Return summed-area tables [N,H+1,W+1] of the masks: a window's mask pixels from four reads."""
    table = np.cumsum(np.cumsum(alphas > 0.5, axis=1, dtype=np.int32), axis=2, dtype=np.int32)
    return np.pad(table, ((0, 0), (1, 0), (1, 0)))


@numba.njit(fastmath=True, nogil=True, error_model="numpy", parallel=True, cache=True)
def _count_misses_anywhere(tables, matrices, origin, voxel, resolution, max_misses):
    """Count misses as `count_misses` does, but a voxel hits a view where any part of it may: nothing thin is lost."""
    num_views, height, width = tables.shape[0], tables.shape[1] - 1, tables.shape[2] - 1
    misses = np.empty((resolution, resolution, resolution), np.uint8)
    for i in numba.prange(resolution):
        x = np.float32(origin[0] + voxel * (i + 0.5))
        for j in range(resolution):
            y = np.float32(origin[1] + voxel * (j + 0.5))
            for k in range(resolution):
                z = np.float32(origin[2] + voxel * (k + 0.5))
                missed = 0
                votes = 0
                for n in range(num_views):
                    m = matrices[n]
                    depth, u, v = pixel_of(m, x, y, z)
                    if depth > 0.0 and u >= 0.0 and v >= 0.0 and u < width and v < height:
                        votes += 1
                        reach = 0.87 * voxel * np.sqrt(m[0, 0] ** 2 + m[0, 1] ** 2 + m[0, 2] ** 2) / depth
                        left, right = max(int(u - reach), 0), min(int(u + reach) + 1, width)
                        top, bottom = max(int(v - reach), 0), min(int(v + reach) + 1, height)
                        t = tables[n]
                        if t[bottom, right] - t[top, right] - t[bottom, left] + t[top, left] == 0:
                            missed += 1
                            if missed > max_misses:
                                break
                enough = missed > max_misses or votes >= MIN_VOTES * num_views
                misses[i, j, k] = missed if enough else 255
    return misses


def _blur(volume: np.ndarray) -> np.ndarray:
    """Blur a volume with the weights 1 2 1 along each axis."""
    for axis in range(3):
        padded = np.pad(volume, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        parts = [np.take(padded, range(s, s + volume.shape[axis]), axis=axis) for s in range(3)]
        volume = 0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2]
    return volume


def _open_faces(occupancy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return voxel index and outward axis, int [M,3] each, of every face to the outside, along a Morton curve."""
    cells, sides = [], []
    for axis in range(3):
        for sign in (-1, 1):
            found = np.argwhere((occupancy > 0) & (np.roll(occupancy, -sign, axis=axis) == 0))
            side = np.zeros_like(found)
            side[:, axis] = sign
            cells.append(found)
            sides.append(side)
    cell, side = np.concatenate(cells), np.concatenate(sides)
    order = np.argsort(_morton(cell), kind="stable")
    return cell[order], side[order]


def _morton(cells: np.ndarray) -> np.ndarray:
    """Interleave the bits of three indices below 2^16: neighbours on the curve are neighbours in space."""
    code = np.zeros(len(cells), np.int64)
    for bit in range(16):
        for axis in range(3):
            code |= ((cells[:, axis].astype(np.int64) >> bit) & 1) << (3 * bit + axis)
    return code


def _sample(volume: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Read a volume at index coordinates [M,3], trilinear."""
    base = np.floor(points).astype(np.int64)
    part = points - base
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1.0 - part), axis=1)
        total += weight * volume[tuple((base + corner).T)]
    return total
