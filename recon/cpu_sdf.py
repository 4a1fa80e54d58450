"""CPU kernels of a signed distance field: draw rays, compare them, and take the loss back to the tables, in one go.

The slow twins are sdf_field.draw_rays, losses.photometric and nerf.shape_terms. With f the distance at a sample, s the
sharpness and p = sigmoid(s f), two neighbouring samples on a ray stop the share (NeuS, arXiv:2106.10689, Eq. 13)

    alpha = (p_i - p_j) / p_i,   weight = alpha T,   T the light left before them.

A loss whose slope by the weight is d falls back on alpha as  T d - (sum of later weights times theirs) / (1 - alpha).

Work is cut into CHUNKS, each with a table of gradients of its own, which are added up in order: bytes do not depend on
the number of threads. Kernels take `first` and `step` and work on chunks first, first + step, ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import int32
from scipy import ndimage

from recon.cpu_project import f32, kernel
from recon.cpu_raster import run
from recon.losses import EPSILON, QUADRATIC
from recon.tsdf import Grid

CHUNKS = 4
T, X, Y, Z, PASSED, RED, GREEN, BLUE = range(8)  # of a sample: place on the ray and in its cell, sigmoid, colour
MOST_ALPHA = 0.9999
SEEN = 1e-6  # of a ray's light; where less is stopped, the mean distance says nothing


@dataclass(frozen=True, eq=False)
class Places:
    """Where the tables' nodes lie, as the kernels read it."""

    index: np.ndarray
    """int32 [X,Y,Z], row of each node, -1 beyond the band."""
    away: np.ndarray
    """uint8 [X,Y,Z], 0 for cells that can be seen; else the cells to the nearest of those, along the furthest axis."""
    low: np.ndarray
    """int32 [3], the first cell that can be seen each way."""
    high: np.ndarray
    """int32 [3], the one after the last."""
    origin: np.ndarray
    """float32 [3], world place of node (0, 0, 0)."""
    voxel: np.float32
    most: int
    """Samples on the longest way through the cells, two a voxel."""

    @staticmethod
    def of(index: np.ndarray, cells: np.ndarray, grid: Grid) -> Places:
        """Pack the index [X,Y,Z] of a field and which of its cells can be seen."""
        away = np.asarray(ndimage.distance_transform_cdt(~cells, "chessboard"))
        occupied = [np.flatnonzero(cells.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        low, high = (np.array([rows[end] for rows in occupied], np.int32) for end in (0, -1))
        return Places(
            index=index.astype(np.int32),
            away=np.minimum(away, 255).astype(np.uint8),
            low=low,
            high=high + np.int32(1),
            origin=(grid.origin + 0.5 * grid.voxel).astype(np.float32),
            voxel=f32(grid.voxel),
            most=2 * math.ceil(float(np.linalg.norm(high + 1 - low))) + 2,
        )

    def arguments(self) -> tuple[object, ...]:
        """Return what the kernels take, in their order."""
        return self.index, self.away, self.low, self.high, self.origin, self.voxel, self.most


@dataclass(frozen=True, eq=False)
class Rays:
    """What a step looks at: float32, all of one length."""

    origins: np.ndarray
    directions: np.ndarray
    jitter: np.ndarray
    rgba: np.ndarray
    """Premultiplied."""
    distances: np.ndarray
    """To the surface, 0 where it is not known."""


def draw(
    places: Places, table: np.ndarray, sharpness: float, origins: np.ndarray, directions: np.ndarray, jitter: np.ndarray
) -> np.ndarray:
    """Return colour over black, the light left and the sum of weights times distance of rays, float32 [R,5].

    `table` has a row for each node of the band: distance and colour, float32 [A,4].
    """
    drawn = np.empty((len(origins), 5), np.float32)
    run(_draw, drawn, table, f32(sharpness), *places.arguments(), origins, directions, jitter)
    return drawn


class Optimizer:
    """The table of one band (distance and colour of each node, float32 [A,4]), and Adam (arXiv:1412.6980) on it."""

    def __init__(self, places: Places, table: np.ndarray, neighbors: np.ndarray):
        """`neighbors` [N,7]: rows of nodes that have all six neighbours, and theirs: itself, -x, +x, -y ... +z."""
        self.places, self.table, self.neighbors = places, table, neighbors.astype(np.int32)
        self.chunks = np.empty((CHUNKS, *table.shape), np.float32)
        self.squares = np.empty(CHUNKS)
        self.moments = np.zeros((2, *table.shape), np.float32)
        self.steps = 0

    def slopes(
        self,
        sharpness: float,
        rays: Rays,
        background: np.ndarray,
        weights: tuple[float, float],
        chosen: np.ndarray,
        shape_weights: tuple[float, float, float],
    ) -> float:
        """Find the loss's slopes, whose sum over `chunks` is the gradient; return the colours' mean squared error.

        `weights` are of coverage and of depth; `shape_weights` of the eikonal, the Laplacian and the bleeding of
        colours, at the `chosen` rows of the neighbours.
        """
        rates = (f32(weight / len(chosen)) for weight in shape_weights)
        seen = (rays.origins, rays.directions, rays.jitter, rays.rgba, rays.distances, background)
        told = (*self.places.arguments(), *seen, f32(weights[0]), f32(weights[1]), self.neighbors, np.sort(chosen))
        run(_step, self.chunks, self.squares, self.table, f32(sharpness), *told, *rates)
        return float(self.squares.sum()) / (3 * len(rays.origins))

    def move(self, rates: tuple[float, float], betas: tuple[float, float], epsilon: float) -> None:
        """Take a step of Adam along the slopes, at rates for distances and for colours."""
        self.steps += 1
        first, second = (1 - beta**self.steps for beta in betas)
        strides = (f32(rate / first) for rate in rates)
        decays = (f32(betas[0]), f32(betas[1]), f32(1 / second), f32(epsilon))
        run(_move, self.chunks, self.table, self.moments, *strides, *decays)


@kernel
def _step(
    first,
    step,
    gradients,
    squares,
    table,
    sharpness,
    index,
    away,
    low,
    high,
    origin,
    voxel,
    most,
    origins,
    directions,
    jitter,
    rgba,
    known,
    background,
    alpha_weight,
    depth_weight,
    neighbors,
    chosen,
    eikonal_weight,
    smooth_weight,
    bleed_weight,
):
    """Write each chunk's gradients of the table [CHUNKS,A,4] and sum of squared colour errors [CHUNKS]."""
    num_chunks, num_rays, num_nodes = len(squares), len(origins), len(chosen)
    samples, places = np.empty((most, 8), np.float32), np.empty((most, 9), np.int32)
    light, slopes = np.empty((most, 2), np.float32), np.empty((most, 4), np.float32)
    drawn = np.empty(5, np.float32)
    share = f32(1) / f32(num_rays)
    for chunk in range(first, num_chunks, step):
        into = gradients[chunk]
        into[:] = f32(0)
        total = 0.0
        for ray in range(chunk * num_rays // num_chunks, (chunk + 1) * num_rays // num_chunks):
            num = _march(
                origins[ray], directions[ray], jitter[ray], index, away, low, high, origin, voxel,
                table, sharpness, samples, places,
            )  # fmt: skip
            _blend(num, samples, places, light, drawn)
            left = drawn[3]
            miss = left - f32(1) + rgba[ray, 3]
            slope_left = f32(0)
            for c in range(3):
                d = drawn[c] + miss * background[c] - rgba[ray, c]
                slope = (d / math.sqrt(d * d + f32(EPSILON * EPSILON)) + f32(QUADRATIC) * d) * share / f32(3)
                drawn[c] = slope
                slope_left += slope * background[c]
                total += d * d
            slope_left += f32(2) * share * alpha_weight * miss
            slope_far = f32(0)
            if known[ray] > f32(0):
                stopped = max(f32(1) - left, f32(SEEN))
                off = drawn[4] / stopped - known[ray]
                slope = depth_weight * share * (f32(1) - left) * f32(np.sign(off))
                slope_far = slope / stopped
                if f32(1) - left > f32(SEEN):
                    slope_left += slope_far * drawn[4] / stopped
            drawn[3], drawn[4] = slope_left * left, slope_far
            _unblend(num, samples, places, light, drawn, sharpness, slopes)
            _scatter(num, samples, places, slopes, into)
        squares[chunk] = total
        for i in range(chunk * num_nodes // num_chunks, (chunk + 1) * num_nodes // num_chunks):
            _shape(neighbors[chosen[i]], table, voxel, eikonal_weight, smooth_weight, into)
            _bleed(neighbors[chosen[i]], table, bleed_weight, into)


@kernel
def _draw(
    first, step, out, table, sharpness, index, away, low, high, origin, voxel, most,
    origins, directions, jitter,
):  # fmt: skip
    """Write colour over black, the light left and the sum of weights times distance of each ray: float32 [R,5]."""
    samples, places = np.empty((most, 8), np.float32), np.empty((most, 9), np.int32)
    light = np.empty((most, 2), np.float32)
    for ray in range(first, len(origins), step):
        num = _march(
            origins[ray], directions[ray], jitter[ray], index, away, low, high, origin, voxel,
            table, sharpness, samples, places,
        )  # fmt: skip
        _blend(num, samples, places, light, out[ray])


@kernel
def _move(first, step, chunks, table, moments, distance_rate, color_rate, beta_1, beta_2, unbias, epsilon):
    """Add up the chunks' slopes and move the table by Adam, its moments [2,A,4] beside."""
    size = len(table)
    for i in range(first * size // step, (first + 1) * size // step):
        for c in range(4):
            slope = chunks[0, i, c]
            for chunk in range(1, len(chunks)):
                slope += chunks[chunk, i, c]
            mean = beta_1 * moments[0, i, c] + (f32(1) - beta_1) * slope
            square = beta_2 * moments[1, i, c] + (f32(1) - beta_2) * slope * slope
            moments[0, i, c], moments[1, i, c] = mean, square
            rate = distance_rate if c == 0 else color_rate
            table[i, c] -= rate * mean / (math.sqrt(square * unbias) + epsilon)


@kernel
def _march(origin_of, direction, jitter, index, away, low, high, origin, voxel, table, sharpness, samples, places):
    """Write what lies on a ray within drawable cells, two samples a voxel; return how many there are."""
    enter, leave = f32(0), f32(1e9)
    start = np.empty(3, np.float32)
    for a in range(3):
        start[a] = (origin_of[a] - origin[a]) / voxel
        safe = direction[a] if abs(direction[a]) >= f32(1e-9) else f32(1e-9)
        near, far = (f32(low[a]) - start[a]) / safe, (f32(high[a]) - start[a]) / safe
        enter = max(enter, min(near, far))
        leave = min(leave, max(near, far))
    num = 0
    k = -1
    while True:
        k += 1
        reached = enter + f32(0.5) * (f32(k) + jitter)
        if not reached < leave:
            break
        x, y, z = (
            start[0] + reached * direction[0],
            start[1] + reached * direction[1],
            start[2] + reached * direction[2],
        )
        i, j, m = int32(math.floor(x)), int32(math.floor(y)), int32(math.floor(z))
        if i < low[0] or j < low[1] or m < low[2] or i >= high[0] or j >= high[1] or m >= high[2]:
            continue
        empty = int32(away[i, j, m])
        if empty > 0:
            k += max(2 * empty - 3, 0)  # with the next step, one voxel less than they are wide
            continue
        x, y, z = x - f32(i), y - f32(j), z - f32(m)
        samples[num, T], samples[num, X], samples[num, Y], samples[num, Z] = reached * voxel, x, y, z
        places[num, 8] = k
        f, red, green, blue = f32(0), f32(0), f32(0), f32(0)
        for corner in range(8):
            p, q, s = corner >> 2, (corner >> 1) & 1, corner & 1
            row = index[i + p, j + q, m + s]
            weight = (x if p else f32(1) - x) * (y if q else f32(1) - y) * (z if s else f32(1) - z)
            places[num, corner] = row
            f += weight * table[row, 0]
            red += weight * table[row, 1]
            green += weight * table[row, 2]
            blue += weight * table[row, 3]
        samples[num, PASSED] = f32(1) / (f32(1) + math.exp(-sharpness * f))
        samples[num, RED], samples[num, GREEN], samples[num, BLUE] = red, green, blue
        num += 1
    return num


@kernel
def _blend(num, samples, places, light, drawn):
    """Sum up a ray: `drawn` is colour, the light left and the weighted distance; `light` is alpha and T by sample."""
    left = f32(1)
    red, green, blue, far = f32(0), f32(0), f32(0), f32(0)
    for i in range(num - 1):
        alpha = f32(0)
        if places[i + 1, 8] == places[i, 8] + 1:
            passed = max(samples[i, PASSED], f32(1e-6))
            alpha = min(max((samples[i, PASSED] - samples[i + 1, PASSED]) / passed, f32(0)), f32(MOST_ALPHA))
        light[i, 0], light[i, 1] = alpha, left
        weight = f32(0.5) * alpha * left
        red += weight * (samples[i, RED] + samples[i + 1, RED])
        green += weight * (samples[i, GREEN] + samples[i + 1, GREEN])
        blue += weight * (samples[i, BLUE] + samples[i + 1, BLUE])
        far += weight * (samples[i, T] + samples[i + 1, T])
        left *= f32(1) - alpha
    drawn[0], drawn[1], drawn[2], drawn[3], drawn[4] = red, green, blue, left, far


@kernel
def _unblend(num, samples, places, light, slope, sharpness, slopes):
    """Take the slopes of a ray (colour, the light left times its own, weighted distance) to its samples [num,4]."""
    for i in range(num):
        slopes[i, 0] = slopes[i, 1] = slopes[i, 2] = slopes[i, 3] = f32(0)
    behind = slope[3]
    for i in range(num - 2, -1, -1):
        alpha, before = light[i, 0], light[i, 1]
        if places[i + 1, 8] != places[i, 8] + 1:
            continue
        by_weight = f32(0)
        for c in range(3):
            by_weight += slope[c] * (samples[i, RED + c] + samples[i + 1, RED + c])
        by_weight = f32(0.5) * (by_weight + slope[4] * (samples[i, T] + samples[i + 1, T]))
        weight = alpha * before
        for c in range(3):
            half = f32(0.5) * weight * slope[c]
            slopes[i, 1 + c] += half
            slopes[i + 1, 1 + c] += half
        by_alpha = before * by_weight - behind / (f32(1) - alpha)
        behind += weight * by_weight
        p, q = samples[i, PASSED], samples[i + 1, PASSED]
        passed = max(p, f32(1e-6))
        if p >= q and (p - q) / passed <= f32(MOST_ALPHA):
            by_p = q / (passed * passed) if p >= f32(1e-6) else f32(1) / passed
            slopes[i, 0] += by_alpha * by_p
            slopes[i + 1, 0] -= by_alpha / passed
    for i in range(num):
        p = samples[i, PASSED]
        slopes[i, 0] *= sharpness * p * (f32(1) - p)


@kernel
def _scatter(num, samples, places, slopes, into):
    """Add the samples' slopes to the rows of their cells' corners."""
    for i in range(num):
        x, y, z = samples[i, X], samples[i, Y], samples[i, Z]
        for corner in range(8):
            p, q, s = corner >> 2, (corner >> 1) & 1, corner & 1
            weight = (x if p else f32(1) - x) * (y if q else f32(1) - y) * (z if s else f32(1) - z)
            row = places[i, corner]
            for c in range(4):
                into[row, c] += weight * slopes[i, c]


@kernel
def _shape(rows, table, voxel, eikonal_weight, smooth_weight, into):
    """Add a node's part of the eikonal term and of the squared Laplacian; weights come divided by the nodes."""
    bend, length = f32(-6) * table[rows[0], 0], f32(1e-12)
    for a in range(3):
        low, high = table[rows[1 + 2 * a], 0], table[rows[2 + 2 * a], 0]
        slope = (high - low) / (f32(2) * voxel)
        length += slope * slope
        bend += low + high
    length = math.sqrt(length)
    pull = f32(2) * eikonal_weight * (length - f32(1)) / length / (f32(2) * voxel)
    bent = f32(2) * smooth_weight * bend / (voxel * voxel)
    into[rows[0], 0] -= f32(6) * bent
    for a in range(3):
        low, high = rows[1 + 2 * a], rows[2 + 2 * a]
        turn = pull * (table[high, 0] - table[low, 0]) / (f32(2) * voxel)
        into[low, 0] += bent - turn
        into[high, 0] += bent + turn


@kernel
def _bleed(rows, table, weight, into):
    """Add a node's part of the mean squared difference from its six neighbours' colours."""
    share = f32(2) * weight / f32(18)
    for c in range(1, 4):
        own = table[rows[0], c]
        for n in range(1, 7):
            pull = share * (table[rows[n], c] - own)
            into[rows[n], c] += pull
            into[rows[0], c] -= pull
