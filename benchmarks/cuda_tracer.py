"""The CUDA tracer beside one core's Numba tracer, in clips of 24 frames of 128x128 a second, and how far they differ.

    python benchmarks/cuda_tracer.py [--clips 128] [--frames 24] [--size 128]

Scenes are drawn as training draws them, pairs of categories and styles in turn. The device's times are events around
whole calls, host work included, medians of several; the core's is one run over a few of the same clips.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from generator.cuda_tracer import encode_clips, trace_clips
from generator.grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS, Attributes, make_scene
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import trace_clip

FOV = 40.0
REPEATS = 7
CPU_CLIPS = 4


def draw(num_clips: int) -> list[np.ndarray]:
    """Return so many scenes over all categories, styles, patterns and materials."""
    rng, names, scenes = np.random.default_rng(0), list(CATEGORIES), []
    for i in range(num_clips):
        name = names[i % len(names)]
        color, second = rng.choice(list(COLORS), 2, replace=False)
        style, pattern, material = (str(rng.choice(list(s))) for s in (CATEGORIES[name].styles, PATTERNS, MATERIALS))
        scenes.append(make_scene(Attributes(name, style, str(color), str(second), pattern, material), rng))
    return scenes


def device_seconds(work: Callable[[], object]) -> float:
    """Return the median time of a call on the device, after two that compile and warm up."""
    times = []
    for _ in range(2 + REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=128)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("No CUDA device; for the Numba tracer see benchmarks/tracer.py.")
    num_clips, num_frames, size = options.clips, options.frames, options.size
    scenes, rng = draw(num_clips), np.random.default_rng(1)
    orbits = np.stack([orbit_c2w(num_frames, rng.uniform(5, 30), orbit_radius(FOV)) for _ in scenes])
    K = intrinsics(FOV, size, size)
    on_device = {"dtype": torch.float32, "device": "cuda"}
    cameras = torch.tensor(orbits, **on_device), torch.tensor(K, **on_device).expand(num_clips, 3, 3)
    radius = torch.full((num_clips,), orbit_radius(FOV), **on_device)

    trace = trace_clips(scenes, *cameras, size, size)
    tracing = device_seconds(lambda: trace_clips(scenes, *cameras, size, size))
    encoding = device_seconds(lambda: encode_clips(trace, radius))

    trace_clip(scenes[0], orbits[0, :1], K, 8, 8)  # compiles
    chosen = range(0, num_clips, -(-num_clips // CPU_CLIPS))
    start = time.perf_counter()
    slow = [trace_clip(scenes[i], orbits[i], K, size, size) for i in chosen]
    core = (time.perf_counter() - start) / len(slow)

    off = np.concatenate([np.abs(trace.rgb[i].cpu().numpy().astype(int) - s.rgb) for i, s in zip(chosen, slow)])
    alpha = np.mean([np.mean(trace.alpha[i].cpu().numpy() != s.alpha) for i, s in zip(chosen, slow)])
    solids = statistics.mean(len(scene) for scene in scenes)
    both = num_clips / (tracing + encoding)
    print(
        f"{torch.cuda.get_device_name()}: {num_clips} clips of {num_frames} x {size} x {size}, {solids:.0f} solids each"
    )
    print(f"traced {num_clips / tracing:.0f} clips/s, encoded {num_clips / encoding:.0f}, both {both:.0f}")
    print(f"one core traces {1 / core:.2f} clips/s; the device {core * num_clips / tracing:.0f} times as many")
    far = 100 * np.mean(off.max(-1) > 8)
    print(f"colours differ by {off.mean():.4f}/255, {far:.3f} % of pixels by over 8; alpha in {100 * alpha:.3f} %")


if __name__ == "__main__":
    main()
