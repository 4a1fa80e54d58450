"""One iteration of a fit, by parts: 256 x 256 pixels, 10,000 splats, all of it from colours to Adam.

    python benchmarks/iteration.py [--threads 2] [--orbit ORBIT] [--steps 300]

A fit runs as it always does, and its parts are timed as it calls them; `rest` is what lies between. Medians over the
iterations. ORBIT is a folder with a transforms_train.json; without it the subject is a ball.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from raster import ball

from recon import cpu_raster, fit, losses
from recon.camera import Cameras
from recon.config import FitConfig
from recon.render import render
from recon.views import Views
from vid2three.capture import load_views

NUM_SPLATS, SIZE, NUM_VIEWS = 10_000, 256, 8


class Parts:
    """Seconds that each part took, an entry an iteration."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.now, self.all = clock, defaultdict(float), []

    def wrap(self, owner: Any, name: str, label: str | None = None) -> None:
        """Time a function where its module looks it up; without a label, its first argument names the part."""
        function = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = self.clock()
            result = function(*args, **kwargs)
            self.now[label or args[0].__name__] += self.clock() - start
            return result

        setattr(owner, name, timed)

    def next_iteration(self) -> None:
        self.all.append(dict(self.now, at=self.clock()))
        self.now.clear()


def ball_views() -> Views:
    """Return views of a ball that fills most of the picture, turned in steps about z."""
    angles = torch.arange(NUM_VIEWS) * (2 * torch.pi / NUM_VIEWS)
    c, s, zero, one = angles.cos(), angles.sin(), torch.zeros(NUM_VIEWS), torch.ones(NUM_VIEWS)
    w2c = torch.eye(4).repeat(NUM_VIEWS, 1, 1)
    w2c[:, 0, :3], w2c[:, 1, :3] = torch.stack([c, s, zero], 1), torch.stack([zero, zero, -one], 1)
    w2c[:, 2, :3], w2c[:, 2, 3] = torch.stack([-s, c, zero], 1), 3.2
    K = torch.tensor([[352.0, 0, SIZE / 2], [0, 352.0, SIZE / 2], [0, 0, 1]]).repeat(NUM_VIEWS, 1, 1)
    cameras = Cameras(K, w2c, SIZE, SIZE)
    drawn = render(ball(NUM_SPLATS), cameras)
    alphas = drawn.alpha.clamp(0, 1)
    return Views((drawn.rgb / alphas.clamp(min=1e-3)[..., None]).clamp(0, 1), alphas, None, cameras)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--orbit", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    views = load_views(options.orbit / "transforms_train.json") if options.orbit else ball_views()
    config = FitConfig(num_splats=NUM_SPLATS, start_share=1.0, iterations=options.steps)
    fit.fit(views, FitConfig(num_splats=NUM_SPLATS, iterations=2))  # compiles
    parts = Parts(time.thread_time if options.threads == 1 else time.perf_counter)
    parts.wrap(cpu_raster, "_run")
    parts.wrap(cpu_raster, "_sort_and_bin", "sort and bin")
    parts.wrap(losses, "photometric_gradient", "loss")
    for name, label in (("_colors", "colours"), ("_adam", "Adam"), ("_limit_shapes", "limits")):
        parts.wrap(fit, name, label)
    limit = fit._limit_shapes

    def limit_and_count(*args: Any, **options: Any) -> None:
        limit(*args, **options)
        parts.next_iteration()

    fit._limit_shapes = limit_and_count
    fit.fit(views, config)
    show(parts.all, options.threads)


def show(iterations: list[dict[str, float]], threads: int) -> None:
    whole = [after["at"] - before["at"] for before, after in itertools.pairwise(iterations)]
    total = 1e3 * statistics.median(whole)
    labels = [label for label in iterations[-1] if label != "at"]
    times = {label: 1e3 * statistics.median(one[label] for one in iterations[1:]) for label in labels}
    kind = "processor's milliseconds" if threads == 1 else "milliseconds"
    print(f"{SIZE} px, {NUM_SPLATS} splats, {threads} threads, {kind}")
    for label, value in [*times.items(), ("rest", total - sum(times.values())), ("iteration", total)]:
        print(f"{label:>18} {value:6.2f}")


if __name__ == "__main__":
    main()
