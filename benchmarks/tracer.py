"""Time to trace a training clip: 16 frames of 64x64 pixels, one thread, over all categories and styles.

python benchmarks/tracer.py
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from generator.data import Orbit, Sample, make_clip
from generator.grammar import CATEGORIES, sample_attributes

REPEATS = 3


def main() -> None:
    rng = np.random.default_rng(0)
    samples = [
        Sample(replace(sample_attributes(rng, None), category=name, style=style), Orbit(15.0, 40.0))
        for name, category in CATEGORIES.items()
        for style in category.styles
    ]
    make_clip(samples[0], rng, 2, 64, 64)  # compiles
    seconds = []
    for sample in samples:
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            make_clip(sample, np.random.default_rng(0), 16, 64, 64)
            times.append(time.perf_counter() - start)
        seconds.append(statistics.median(times))
    print(f"{len(samples)} styles: median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s a clip")


if __name__ == "__main__":
    main()
