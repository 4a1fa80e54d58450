"""Throughput of `vid2three batch` a core: N assets by one process with one thread, against a pool of processes.

    python benchmarks/batch.py [--assets 6] [--workers 2] [--preset draft]

Each process makes one asset that is not counted first, so that libraries and models are loaded and kernels compiled.
Wall time is what counts on a quiet machine; processor's seconds an asset say the same on a busy one, but for waits.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

import vid2three
from vid2three.batches.pool import Pool

PROMPTS = ("a red mug", "a wooden chair", "a green teapot", "a blue car", "a stone tower", "a yellow duck")


def measure(tasks: list[dict], workers: int) -> tuple[float, float]:
    """Return the wall seconds and the processor's seconds that the tasks take on warm processes."""
    with tempfile.TemporaryDirectory() as folder, Pool(workers, threads=1) as pool:
        for number in range(workers):
            pool.submit(f"warm-{number}", tasks[0], Path(folder) / f"warm-{number}")
        drain(pool)
        before, start = spent(pool), time.perf_counter()
        for number, task in enumerate(tasks):
            pool.submit(str(number), task, Path(folder) / str(number))
        drain(pool)
        return time.perf_counter() - start, spent(pool) - before


def drain(pool: Pool) -> None:
    while not pool.is_idle:
        event = pool.next_event(1.0)
        if event is not None and event.kind == "end" and event.facts["state"] != "done":
            raise SystemExit(f"{event.job}: {event.facts}")


def spent(pool: Pool) -> float:
    """Return the processor's seconds of the pool's processes."""
    times = [psutil.Process(found.process.pid).cpu_times() for found in pool._processes if found is not None]
    return sum(each.user + each.system for each in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--config", type=Path)
    asked = parser.parse_args()
    config = asdict(vid2three.load_config(vid2three.MakeConfig(), asked.preset, asked.config))
    tasks = [
        {"command": "make", "what": PROMPTS[k % len(PROMPTS)], "seed": k, "config": config, "extra": {}}
        for k in range(asked.assets)
    ]
    print(f"{asked.assets} assets, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    found = {}
    for workers in (1, asked.workers):
        wall, cpu = measure(tasks, workers)
        found[workers] = wall * workers / asked.assets, cpu / asked.assets
        print(
            f"{workers} process(es): {wall:.1f} s, {asked.assets / wall * 3600:.0f} assets an hour, "
            f"{found[workers][1]:.1f} processor's seconds an asset, load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    one, many = found[1], found[asked.workers]
    print(f"throughput a core against one process: {one[0] / many[0]:.3f} by the clock, {one[1] / many[1]:.3f} by work")


if __name__ == "__main__":
    main()
