"""The CPU rasteriser against its plain-torch reference: forward, and forward with backward.

    python benchmarks/raster.py [--threads 1]

Splats lie on a sphere as a fit leaves them. Medians of several runs; the reference is run once where it is slow.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from recon.camera import Cameras
from recon.render import render
from recon.splats import Splats, from_points

SIZES, COUNTS = (128, 256, 512), (5_000, 10_000, 50_000)
REPEATS = 9
REFERENCE_UP_TO = 128 * 128 * 5_000  # pixels times splats; it has no tiles and takes a minute beyond


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


def median_ms(repeats: int, work: Callable[..., object], *args: object) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work(*args)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def forward_only(splats: Splats, view: Cameras, backend: str) -> None:
    render(splats, view, backend=backend)  # type: ignore[arg-type]


def forward_backward(splats: Splats, view: Cameras, backend: str) -> None:
    leaves = [
        field.detach().requires_grad_()
        for field in (splats.means, splats.log_scales, splats.quats, splats.opacity_logits, splats.sh)
    ]
    render(Splats(*leaves), view, backend=backend).rgb.square().mean().backward()  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    torch.set_num_threads(parser.parse_args().threads)
    print(f"{torch.get_num_threads()} threads, milliseconds")
    print(f"{'pixels':>7} {'splats':>7} {'forward':>9} {'fwd+bwd':>9} {'reference':>10} {'ratio':>7}")
    for size in SIZES:
        for num in COUNTS:
            splats, view = ball(num), camera(size)
            forward_backward(splats, view, "cpu")  # compiles
            forward = median_ms(REPEATS, forward_only, splats, view, "cpu")
            both = median_ms(REPEATS, forward_backward, splats, view, "cpu")
            if size * size * num <= REFERENCE_UP_TO:
                slow = median_ms(1, forward_backward, splats, view, "reference")
                print(f"{size:7} {num:7} {forward:9.1f} {both:9.1f} {slow:10.0f} {slow / both:6.0f}x")
            else:
                print(f"{size:7} {num:7} {forward:9.1f} {both:9.1f} {'-':>10} {'-':>7}")


if __name__ == "__main__":
    main()
