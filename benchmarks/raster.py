"""The CPU rasteriser beside its plain-torch reference and beside a C++ twin of its blending kernels.

    python benchmarks/raster.py [--threads 1] [--seconds 2]

Splats lie on a sphere as a fit leaves them. `forward` and `fwd+bwd` are whole passes: projection, sort, tiles, back.
The last columns are the kernels of cpu_blend.py alone on one thread, beside raster_twin.cpp, which is built here with
g++ -O3 -march=native; without a compiler they stay empty. Both take turns, and the least of many runs counts: noise of
other processes only ever adds. The reference is run once, where it takes less than a minute.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from recon import cpu_raster
from recon.camera import Cameras
from recon.cpu_blend import bin_pairs, blend_tiles, gather_pairs, unblend_tiles
from recon.cpu_project import NUM_PAIR, Z
from recon.render import render
from recon.splats import Splats, from_points, to_rows

SIZES, COUNTS = (128, 256, 512), (5_000, 10_000, 50_000)
LEAST_RUNS = 7
REFERENCE_UP_TO = 128 * 128 * 5_000  # pixels times splats; it has no tiles and takes a minute there already
# With partial redundancy elimination GCC 12 makes branches of the backward's choices, and does not vectorise it.
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fno-tree-pre", "-shared", "-fPIC")


def ball(num: int) -> Splats:
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(num, 3, generator=generator), dim=1)
    return from_points(points, torch.rand(num, 3, generator=generator), opacity=0.7, spacing=0.7)


def camera(size: int) -> Cameras:
    w2c = torch.eye(4)
    w2c[2, 3] = 3.2
    focal = 0.5 * size / math.tan(math.radians(20))
    K = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return Cameras(K[None], w2c[None], size, size)


def fastest_ms(seconds: float, *works: Callable[[], object]) -> list[float]:
    """Return the least time of each work; they take turns for so many seconds.

    One thread is timed by the processor's seconds, more by the clock on the wall.
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    best, end, runs = [math.inf] * len(works), time.perf_counter() + seconds, 0
    while runs < LEAST_RUNS or time.perf_counter() < end:
        for index, work in enumerate(works):
            start = clock()
            work()
            best[index] = min(best[index], 1e3 * (clock() - start))
        runs += 1
    return best


class Kernels:
    """The kernels of cpu_blend.py on one frame, in Numba and in C++, each with outputs of its own."""

    def __init__(self, frame: cpu_raster.Frame, grad_rgb: np.ndarray, grad_left: np.ndarray) -> None:
        self.frame, self.grads = frame, (grad_rgb, grad_left)
        lists, screen = frame.lists, frame.screen
        self.box = np.zeros((len(screen), 4), np.int32)
        cpu_raster.project(
            0, 1, frame.splats, np.zeros((len(screen), 3), np.float32), frame.camera, *frame.left.shape,
            np.float32(math.log(frame.min_alpha)), frame.antialiased, np.empty_like(screen), self.box,
        )  # fmt: skip
        seen = np.flatnonzero(self.box[:, 1] > self.box[:, 0])
        self.order = seen[np.argsort(screen[seen, Z], kind="stable")].astype(np.int32)
        most = lists.offsets[-1]
        self.lists = [np.empty(most, np.int32) for _ in range(3)]  # slots, splat_of, rows_of
        self.counts, self.tile_starts = np.zeros_like(lists.counts), np.empty_like(lists.tile_starts)
        self.picture = np.empty_like(frame.rgb), np.empty_like(frame.left), np.empty_like(frame.median)
        self.pairs = np.empty((len(lists.splat_of), NUM_PAIR), np.float32)
        self.sums = np.empty((len(screen), NUM_PAIR), np.float32)

    def numba_forward(self) -> None:
        frame, (slots, splat_of, rows_of) = self.frame, self.lists
        cut = (frame.min_alpha, frame.min_transmittance)
        bin_pairs(
            frame.screen, self.box, self.order, frame.lists.offsets, *frame.left.shape,
            self.counts, slots, splat_of, rows_of, self.tile_starts,
        )  # fmt: skip
        blend_tiles(0, 1, self.tile_starts, splat_of, rows_of, frame.screen, *cut, *self.picture)

    def numba_both(self) -> None:
        self.numba_forward()
        frame, (slots, splat_of, rows_of) = self.frame, self.lists
        cut = (frame.min_alpha, frame.min_transmittance)
        unblend_tiles(
            0, 1, self.tile_starts, splat_of, rows_of, frame.screen, *cut, *self.picture[:2], *self.grads, self.pairs
        )
        gather_pairs(0, 1, frame.lists.offsets, self.counts, slots, self.pairs, self.sums)

    def native_forward(self, library: ctypes.CDLL) -> None:
        frame, (slots, splat_of, rows_of) = self.frame, self.lists
        native(
            library.bin_pairs, frame.screen, self.box, self.order, len(self.order), frame.lists.offsets,
            len(frame.screen), *frame.left.shape, self.counts, slots, splat_of, rows_of, self.tile_starts,
        )  # fmt: skip
        native(library.blend_tiles, *self._tiles(), *self.picture)

    def native_both(self, library: ctypes.CDLL) -> None:
        self.native_forward(library)
        native(library.unblend_tiles, *self._tiles(), *self.picture[:2], *self.grads, self.pairs)
        slots = self.lists[0]
        native(
            library.gather_pairs, self.frame.lists.offsets, self.counts, slots, self.pairs, len(self.sums), self.sums
        )

    def _tiles(self) -> tuple:
        frame, (_, splat_of, rows_of) = self.frame, self.lists
        cut = (frame.min_alpha, frame.min_transmittance)
        return self.tile_starts, splat_of, rows_of, frame.screen, *cut, *frame.left.shape


def native(function: Callable[..., object], *arguments: np.ndarray | np.float32 | int) -> None:
    """Call a C function with arrays as pointers."""
    converted = [
        ctypes.c_void_p(value.ctypes.data)
        if isinstance(value, np.ndarray)
        else ctypes.c_float(value)
        if isinstance(value, np.floating)
        else ctypes.c_int(value)
        for value in arguments
    ]
    function(*converted)


def build_twin(folder: Path) -> ctypes.CDLL | None:
    """Compile raster_twin.cpp; None, having said so, where there is no compiler."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        print("No C++ compiler: the twin is left out.")
        return None
    library = folder / "raster_twin.so"
    source = Path(__file__).with_name("raster_twin.cpp")
    subprocess.run([compiler, *FLAGS, "-o", str(library), str(source)], check=True)
    return ctypes.CDLL(str(library))


def check_twin(kernels: Kernels, library: ctypes.CDLL) -> None:
    """Raise where Numba and C++ do not agree: then their times say nothing."""
    results = []
    for work in (kernels.numba_both, lambda: kernels.native_both(library)):
        work()
        results.append([kernels.picture[0].copy(), kernels.sums.copy()])
    for ours, theirs in zip(*results, strict=True):
        if not np.abs(ours - theirs).max() <= 1e-3 * np.abs(ours).max():
            raise RuntimeError("raster_twin.cpp does not give what cpu_blend.py gives; bring the two together.")


def passes(splats: Splats, view: Cameras) -> tuple[Callable[[], cpu_raster.Frame], Callable[[], object]]:
    """Return the forward pass, and forward with backward, as the fit calls them."""
    rows, colors = to_rows(splats).numpy(), (0.5 + 0.28 * splats.sh[:, 0]).contiguous().numpy()
    row, size = cpu_raster.camera_row(view.K[0], view.w2c[0]), (view.height, view.width)

    def forward() -> cpu_raster.Frame:
        return cpu_raster.forward(rows, colors, row, *size)

    def both() -> object:
        frame = forward()
        return cpu_raster.backward(frame, frame.rgb, frame.left)

    return forward, both


def reference_ms(splats: Splats, view: Cameras) -> float:
    fields = (splats.means, splats.log_scales, splats.quats, splats.opacity_logits, splats.sh)
    leaves = [field.detach().requires_grad_() for field in fields]
    start = time.perf_counter()
    render(Splats(*leaves), view, backend="reference").rgb.square().mean().backward()
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-reference", action="store_true", help="leave the slow twin out")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        compare(build_twin(Path(folder)), options.seconds, 0 if options.no_reference else REFERENCE_UP_TO)


def compare(library: ctypes.CDLL | None, seconds: float, reference_up_to: int) -> None:
    print(f"{torch.get_num_threads()} threads, milliseconds; kernels on one thread: Numba / C++ = ratio")
    widths = {"pixels": 6, "splats": 7, "forward": 8, "fwd+bwd": 8, "reference": 14, "forward ": 24, "fwd+bwd ": 22}
    print(" ".join(f"{title:>{width}}" for title, width in widths.items()))
    times = {}
    for size in SIZES:
        for num in COUNTS:
            splats, view = ball(num), camera(size)
            forward, both = passes(splats, view)
            both()  # compiles
            ahead, there_and_back = fastest_ms(seconds, forward, both)
            times[size, num] = there_and_back
            line = f"{size:6} {num:7} {ahead:8.2f} {there_and_back:8.2f}"
            if size * size * num <= reference_up_to:
                slow = reference_ms(splats, view)
                line += f"{slow:8.0f} ={slow / there_and_back:4.0f}x"
            else:
                line += f"{'-':>15}"
            print(line + (beside_twin(forward(), library, seconds) if library else ""), flush=True)
    for num in COUNTS:
        factor = (times[SIZES[-1], num] / times[SIZES[0], num]) / (SIZES[-1] / SIZES[0]) ** 2
        print(f"{num} splats: {SIZES[0]} to {SIZES[-1]} px costs {factor:.2f} of linear growth in pixels")
    for size in SIZES:
        factor = (times[size, COUNTS[-1]] / times[size, COUNTS[0]]) / (COUNTS[-1] / COUNTS[0])
        print(f"{size} px: {COUNTS[0]} to {COUNTS[-1]} splats costs {factor:.2f} of linear growth in splats")


def beside_twin(frame: cpu_raster.Frame, library: ctypes.CDLL, seconds: float) -> str:
    kernels = Kernels(frame, frame.rgb, frame.left)
    check_twin(kernels, library)
    pairs = [
        (kernels.numba_forward, lambda: kernels.native_forward(library)),
        (kernels.numba_both, lambda: kernels.native_both(library)),
    ]
    found = [fastest_ms(seconds, *pair) for pair in pairs]
    return "".join(f" {ours:7.2f} /{theirs:6.2f} ={ours / theirs:5.2f}" for ours, theirs in found)


if __name__ == "__main__":
    main()
