"""A capture with its background: every eighth view held out, splats fitted to the others with and without matching.

    python benchmarks/scene.py CAPTURE [--size 270x480] [--splats 10000] [--steps 1000] [--threads 2]

CAPTURE is a folder with a transforms.json. Pictures are reduced to at most WIDTH x HEIGHT. Prints the PSNR over the
held-out pictures and the seconds of matching and fit.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from recon.config import FitConfig
from recon.fit import fit
from recon.metrics import psnr
from recon.render import render
from recon.stereo import with_depths
from recon.views import resized
from vid2three.capture import load_views


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--size", default="270x480")
    parser.add_argument("--splats", type=int, default=FitConfig().num_splats)
    parser.add_argument("--steps", type=int, default=FitConfig().iterations)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    width, height = (int(side) for side in args.size.split("x"))
    views = load_views(args.capture)
    shrink = min(1.0, width / views.cameras.width, height / views.cameras.height)
    views = resized(views, round(shrink * views.cameras.height), round(shrink * views.cameras.width))
    views = replace(views, alphas=None, depths=None, points=None)
    held_out = torch.arange(len(views)) % 8 == 4
    train, test = views[~held_out], views[held_out]
    print(f"{len(train)} views of {views.cameras.width} x {views.cameras.height}, {len(test)} held out")
    with_depths(train[:3])  # compiles
    start = time.perf_counter()
    matched = with_depths(train)
    seconds = time.perf_counter() - start
    assert matched.depths is not None  # for the type checker
    print(f"matching {seconds:.1f} s, {float((matched.depths > 0).float().mean()):.0%} of the pixels have a depth")
    config = FitConfig(num_splats=args.splats, iterations=args.steps)
    for name, part in (("scattered start", train), ("matched start", matched)):
        start = time.perf_counter()
        splats = fit(part, config)
        seconds = time.perf_counter() - start
        drawn = torch.cat([render(splats, test.cameras[n]).rgb.cpu() for n in range(len(test))])
        print(f"{name}: {psnr(drawn.clamp(0, 1), test.images):.2f} dB, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
