"""The CPU rasteriser: forward and analytic backward of one picture, on NumPy arrays. Its slow twin is reference.py.

Threads: as many as torch uses (`torch.set_num_threads`). Every tile and every splat is written by one thread in a
fixed order, so the bytes of pictures and gradients do not depend on their number (a camera's gradient does, in its last
bits).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recon.cpu_blend import bin_pairs, blend_tiles, gather_pairs, unblend_tiles
from recon.cpu_project import NUM_CAMERA, NUM_PAIR, NUM_SCREEN, TILE, Z, project, project_backward
from recon.splats import NUM_GEOMETRY

MIN_ALPHA = 1 / 255  # fainter contributions are dropped, as in 3DGS
MIN_TRANSMITTANCE = 1e-3  # what lies behind this is dropped: a quarter of an 8-bit step


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture, and what its backward pass reads."""

    rgb: np.ndarray
    """float32 [H,W,3], over black."""
    left: np.ndarray
    """float32 [H,W], transmittance: the share of the background that is seen."""
    median: np.ndarray
    """int32 [H,W], the splat at which the transmittance falls below a half; -1 where it does not."""
    splats: np.ndarray
    camera: np.ndarray
    screen: np.ndarray
    lists: Lists
    min_alpha: np.float32
    min_transmittance: np.float32
    antialiased: bool


@dataclass(frozen=True, eq=False)
class Lists:
    """Which splats cross which tiles: P pairs, sorted by tile and then by depth."""

    offsets: np.ndarray
    """int32 [N+1], where a splat's `slots` begin."""
    counts: np.ndarray
    """int32 [N], how many a splat has."""
    slots: np.ndarray
    """int32, the pairs of a splat."""
    splat_of: np.ndarray
    """int32, the splat of a pair."""
    rows_of: np.ndarray
    """int32, first row + 256 * end row of a pair in its tile."""
    tile_starts: np.ndarray
    """int32 [tiles+1], where a tile's pairs begin."""


def camera_row(K: Tensor, w2c: Tensor) -> np.ndarray:
    """Pack one camera, K [3,3] and w2c [4,4], as the kernels read it: fx, fy, cx, cy, R row by row, t."""
    row = torch.cat([K[[0, 1, 0, 1], [0, 1, 2, 2]], w2c[:3, :3].reshape(9), w2c[:3, 3]])
    return row.detach().to(torch.float32).numpy()


def forward(
    splats: np.ndarray,
    colors: np.ndarray,
    camera: np.ndarray,
    height: int,
    width: int,
    *,
    antialiased: bool = False,
    min_alpha: float = MIN_ALPHA,
    min_transmittance: float = MIN_TRANSMITTANCE,
) -> Frame:
    """Render splat rows [N,11+] (float32, see splats.py) with their colours [N,3] seen from here.

    A `min_alpha` of 1e-6 (the polynomial exp ends there) and a `min_transmittance` of 0 turn the two cut-offs off.
    """
    num = len(splats)
    low, thin = np.float32(min_alpha), np.float32(min_transmittance)
    screen, box = np.empty((num, NUM_SCREEN), np.float32), np.empty((num, 4), np.int32)
    run(project, splats, colors, camera, height, width, np.float32(math.log(low)), antialiased, screen, box)
    lists = _sort_and_bin(screen, box, height, width)
    rgb, left = np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32)
    median = np.empty((height, width), np.int32)
    run(blend_tiles, lists.tile_starts, lists.splat_of, lists.rows_of, screen, low, thin, rgb, left, median)
    return Frame(rgb, left, median, splats, camera, screen, lists, low, thin, antialiased)


def backward(
    frame: Frame,
    grad_rgb: np.ndarray,
    grad_left: np.ndarray,
    *,
    with_camera: bool = False,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take gradients of the picture, [H,W,3] and [H,W], back to the splats' rows, colours and the camera.

    Returns what was summed for each splat, [N, NUM_PAIR] (its first three columns are the colours' gradients), the
    geometry's gradients (into the first 11 columns of `out` where that is given, else [N,11]), and the camera's
    [NUM_CAMERA] in float64 (empty unless `with_camera`).
    """
    height, width = frame.left.shape
    lists, num = frame.lists, len(frame.splats)
    pairs = np.empty((len(lists.splat_of), NUM_PAIR), np.float32)
    picture = (frame.rgb, frame.left, grad_rgb, grad_left)
    cutoffs = (frame.min_alpha, frame.min_transmittance)
    run(unblend_tiles, lists.tile_starts, lists.splat_of, lists.rows_of, frame.screen, *cutoffs, *picture, pairs)
    sums = np.empty((num, NUM_PAIR), np.float32)
    grad = np.empty((num, NUM_GEOMETRY), np.float32) if out is None else out
    run(gather_pairs, lists.offsets, lists.counts, lists.slots, pairs, sums)
    grad_camera = np.zeros((torch.get_num_threads(), NUM_CAMERA if with_camera else 0))
    settings = (frame.camera, height, width, frame.antialiased, frame.screen)
    run(project_backward, frame.splats, *settings, sums, grad, grad_camera)
    return sums, grad, grad_camera.sum(axis=0)


def _sort_and_bin(
    screen: np.ndarray, box: np.ndarray, height: int, width: int, bin_kernel: Callable[..., None] = bin_pairs
) -> Lists:
    visible = np.flatnonzero(box[:, 1] > box[:, 0]).astype(np.uint64)
    # Positive floats sort as their bits do; the splat's number below them breaks ties the same way every time.
    keys = (screen[visible, Z].view(np.uint32).astype(np.uint64) << np.uint64(32)) | visible
    keys.sort()
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)
    offsets = np.zeros(len(box) + 1, np.int32)
    np.cumsum((box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2]), out=offsets[1:])
    counts, slots = np.zeros(len(box), np.int32), np.empty(offsets[-1], np.int32)
    splat_of, rows_of = np.empty_like(slots), np.empty_like(slots)
    tile_starts = np.empty(math.ceil(height / TILE) * math.ceil(width / TILE) + 1, np.int32)
    bin_kernel(screen, box, order, offsets, height, width, counts, slots, splat_of, rows_of, tile_starts)
    num_pairs = tile_starts[-1]
    return Lists(offsets, counts, slots, splat_of[:num_pairs], rows_of[:num_pairs], tile_starts)


def run(kernel: Callable[..., None], *args: object) -> None:
    """Call a kernel once on every thread with its share of the work."""
    threads = torch.get_num_threads()
    if threads == 1:
        kernel(0, 1, *args)
    else:
        list(_pool(threads).map(lambda first: kernel(first, threads, *args), range(threads)))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="raster")
