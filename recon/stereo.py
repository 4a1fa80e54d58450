"""Depth of a scene from pictures with known cameras: plane sweep, semi-global matching, agreement of views.

For photos without masks, where no visual hull says where things are. Each picture is compared with its neighbours,
warped over planes at many depths (Collins, "A space-sweep approach to true multi-image matching", CVPR 1996); smooth
surfaces are favoured along eight directions (Hirschmueller, "Stereo processing by semiglobal matching", 2008); a depth
counts where neighbours' own depths meet it.

Shapes: N views, K neighbours, h x w pixels of the reduced pictures, D planes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numba
import numpy as np
import torch
from torch.nn.functional import interpolate

from recon import hull
from recon.camera import Cameras, invert_rigid, resized
from recon.views import Views

from . import numba_threads

numba_threads.start()

LONGEST = 192  # pixels of the reduced pictures' longer side
NUM_PLANES = 80  # evenly in 1 / z
NEAREST, FARTHEST = 0.3, 6.0  # by the distance to the point that all cameras look at
NUM_NEIGHBOURS = 4
BASELINE_DEG = 8.0  # the angle between two views that is best: less sees no depth, more sees other things
WINDOW = 5  # pixels
FLAT = 1e-4  # variance that every window has at least, so that flat parts match nothing
STEP, JUMP = 0.04, 0.4  # costs of a change of one plane and of more between neighbouring pixels; a match costs 0 to 1
AGREE = 0.03  # of the depth, that depths of two views may lie apart
MIN_AGREE = 2  # neighbours that must agree
MIN_VIEWS = 3


def with_depths(views: Views, progress: Callable[[int, int], None] = lambda step, total: None) -> Views:
    """Return the views with depths found by matching them with each other, 0 where that is not sure. Deterministic.

    `progress(view, num_views)` is called after each view; one costs about 0.2 s on one core. Raises ValueError below
    three views.
    """
    num = len(views)
    if num < MIN_VIEWS:
        raise ValueError(f"Depth by matching needs at least {MIN_VIEWS} views, not {num}.")
    shrink = min(1.0, LONGEST / max(views.cameras.height, views.cameras.width))
    height, width = (round(shrink * side) for side in (views.cameras.height, views.cameras.width))
    cameras = resized(views.cameras, height, width)
    greys = interpolate(views.images.mean(dim=-1)[:, None], size=(height, width), mode="area")[:, 0].numpy()
    center = hull.look_at_point(cameras)
    distance = float(np.median(np.linalg.norm(cameras.centers.numpy() - center, axis=1)))
    inverse = np.linspace(1 / (FARTHEST * distance), 1 / (NEAREST * distance), NUM_PLANES)
    neighbours = _neighbours(cameras, center)
    warps = np.stack([_warps(cameras, n, others) for n, others in enumerate(neighbours)])
    planes = np.empty((num, height, width), np.float32)
    for n, others in enumerate(neighbours):
        costs = _costs(greys[n], greys[others], warps[n], (1 / inverse).astype(np.float32))
        planes[n] = _best_planes(_smoothed(np.ascontiguousarray(costs.transpose(1, 2, 0)), STEP, JUMP))
        progress(n + 1, num)
    depths = (1 / (inverse[0] + (inverse[1] - inverse[0]) * planes)).astype(np.float32)
    sure = torch.from_numpy(agreed(depths, cameras, AGREE))
    full = interpolate(sure[:, None], size=(views.cameras.height, views.cameras.width), mode="nearest-exact")[:, 0]
    return replace(views, depths=full)


def agreed(depths: np.ndarray, cameras: Cameras, share: float) -> np.ndarray:
    """Return the depths [N,H,W] that two neighbouring views' own meet within a share of them, 0 for the others."""
    neighbours = _neighbours(cameras, hull.look_at_point(cameras))
    warps = np.stack([_warps(cameras, n, others) for n, others in enumerate(neighbours)])
    return _agreed(depths, neighbours, warps, share, min(MIN_AGREE, neighbours.shape[1]))


def _neighbours(cameras: Cameras, center: np.ndarray) -> np.ndarray:
    """Return for each view those that see the middle from about BASELINE_DEG beside it, int64 [N,K]."""
    towards = cameras.centers.numpy() - center
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    angles = np.degrees(np.arccos(np.clip(towards @ towards.T, -1, 1)))
    misfit = np.abs(np.log((angles + 0.5) / BASELINE_DEG))
    np.fill_diagonal(misfit, np.inf)
    return np.argsort(misfit, axis=1, kind="stable")[:, : min(NUM_NEIGHBOURS, len(misfit) - 1)]


def _warps(cameras: Cameras, n: int, others: np.ndarray) -> np.ndarray:
    """Return matrices [K,3,4] from a view's (column z, row z, z, 1) to the other views' (column z', row z', z')."""
    back = torch.eye(4)
    back[:3, :3] = torch.linalg.inv(cameras.K[n])
    into = cameras.K[others] @ (cameras.w2c[others] @ invert_rigid(cameras.w2c[n]) @ back)[:, :3]
    return into.numpy()


@numba.njit(nogil=True, error_model="numpy", fastmath=True, parallel=True, cache=True)
def _costs(own, others, warps, depths):
    """Return how badly pixels match at each depth, float32 [D,h,w], 0 to 1; the better half of the views counts."""
    height, width = own.shape
    num, count = len(depths), len(others)
    total = np.empty((num, height, width), np.float32)
    mean, spread = _box(own), _box(own * own)
    for d in numba.prange(num):
        scores = np.empty((count, height, width), np.float32)
        warped = np.empty((height, width), np.float32)
        for k in range(count):
            _warp(others[k], warps[k], depths[d], warped, scores[k])
            other_mean, other_spread, product = _box(warped), _box(warped * warped), _box(own * warped)
            for y in range(height):
                for x in range(width):
                    if scores[k, y, x] == 0:
                        a, b = mean[y, x], other_mean[y, x]
                        one = max(spread[y, x] - a * a, np.float32(0)) + np.float32(FLAT)
                        two = max(other_spread[y, x] - b * b, np.float32(0)) + np.float32(FLAT)
                        match = (product[y, x] - a * b) / np.sqrt(one * two)
                        scores[k, y, x] = min(
                            max(np.float32(0.5) - np.float32(0.5) * match, np.float32(0)), np.float32(1)
                        )
        used = max(count // 2, 1)
        for y in range(height):
            for x in range(width):
                for k in range(1, count):  # sorted: there are few
                    value, place = scores[k, y, x], k
                    while place > 0 and scores[place - 1, y, x] > value:
                        scores[place, y, x] = scores[place - 1, y, x]
                        place -= 1
                    scores[place, y, x] = value
                cost = np.float32(0)
                for k in range(used):
                    cost += scores[k, y, x]
                total[d, y, x] = cost / used
    return total


@numba.njit(nogil=True, error_model="numpy", fastmath=True, cache=True)
def _warp(other, m, z, warped, outside):
    """Read another view over the plane at depth z; outside [h,w] becomes 1 where it does not show the plane, else 0."""
    height, width = warped.shape
    for y in range(height):
        for x in range(width):
            px, py = (x + np.float32(0.5)) * z, (y + np.float32(0.5)) * z
            there = m[2, 0] * px + m[2, 1] * py + m[2, 2] * z + m[2, 3]
            u = (m[0, 0] * px + m[0, 1] * py + m[0, 2] * z + m[0, 3]) / there
            v = (m[1, 0] * px + m[1, 1] * py + m[1, 2] * z + m[1, 3]) / there
            if there > 0 and u >= 0 and v >= 0 and u < width and v < height:
                outside[y, x] = 0
                warped[y, x] = hull.bilinear(other, u, v)
            else:
                outside[y, x] = 1
                warped[y, x] = 0


@numba.njit(nogil=True, error_model="numpy", fastmath=True, cache=True)
def _box(values):
    """Return the mean in each pixel's window; the picture is smaller at its border."""
    height, width = values.shape
    half = WINDOW // 2
    rows = np.empty_like(values)
    for y in range(height):
        for x in range(width):
            left, right = max(x - half, 0), min(x + half + 1, width)
            total = np.float32(0)
            for i in range(left, right):
                total += values[y, i]
            rows[y, x] = total / (right - left)
    out = np.zeros_like(values)
    for y in range(height):
        top, bottom = max(y - half, 0), min(y + half + 1, height)
        for i in range(top, bottom):
            for x in range(width):
                out[y, x] += rows[i, x]
        for x in range(width):
            out[y, x] /= bottom - top
    return out


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _smoothed(costs, step, jump):
    """Return the costs [h,w,D] summed along eight paths to each pixel, each path paying for its changes of plane."""
    height, width, num = costs.shape
    total = np.zeros_like(costs)
    path = np.empty_like(costs)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
        for i in range(height):
            y = i if dy >= 0 else height - 1 - i
            for j in range(width):
                x = j if dx >= 0 else width - 1 - j
                py, px = y - dy, x - dx
                if py < 0 or px < 0 or py >= height or px >= width:
                    for d in range(num):
                        path[y, x, d] = costs[y, x, d]
                else:
                    least = path[py, px, 0]
                    for d in range(1, num):
                        least = min(least, path[py, px, d])
                    for d in range(num):
                        best = min(path[py, px, d], least + np.float32(jump))
                        if d > 0:
                            best = min(best, path[py, px, d - 1] + np.float32(step))
                        if d < num - 1:
                            best = min(best, path[py, px, d + 1] + np.float32(step))
                        path[y, x, d] = costs[y, x, d] + best - least
                for d in range(num):
                    total[y, x, d] += path[y, x, d]
    return total


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _best_planes(costs):
    """Return the plane of least cost [h,w], between planes by a parabola."""
    height, width, num = costs.shape
    best = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            d = np.argmin(costs[y, x])
            best[y, x] = d
            if 0 < d < num - 1:
                low, here, high = costs[y, x, d - 1], costs[y, x, d], costs[y, x, d + 1]
                bend = low - 2 * here + high
                if bend > 1e-9:
                    best[y, x] += np.float32(0.5) * (low - high) / bend
    return best


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _agreed(depths, neighbours, warps, share, least_agree):
    """Return the depths [N,h,w] that enough neighbours' own depths meet; 0 for the others."""
    num, height, width = depths.shape
    sure = np.zeros_like(depths)
    for n in range(num):
        for y in range(height):
            for x in range(width):
                z = depths[n, y, x]
                if z <= 0:
                    continue
                agree = 0
                for k in range(neighbours.shape[1]):
                    m = warps[n, k]
                    px, py, pz = (x + 0.5) * z, (y + 0.5) * z, z
                    there = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
                    if there <= 0:
                        continue
                    u = (m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]) / there
                    v = (m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]) / there
                    if u < 0 or v < 0 or u >= width or v >= height:
                        continue
                    if abs(there - depths[neighbours[n, k], int(v), int(u)]) < share * there:
                        agree += 1
                if agree >= least_agree:
                    sure[n, y, x] = z
    return sure
