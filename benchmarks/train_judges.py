"""Train the verifier that ships (generator/verify.py), or the judge of the models (judge.safetensors, beside this), on
fresh scenes of the grammar, rendered while it learns.

    python benchmarks/train_judges.py verifier FOLDER [--num 40960] [--minutes 90] [--out verifier.safetensors]
    python benchmarks/train_judges.py judge FOLDER --start benchmarks/judge.safetensors  # goes on from it

The verifier sees no held-out pair, and half as many scenes of several things, for these are drafted one by one. The
judge sees all pairs, and several things in half of its scenes, for these are what it knows least. The folder keeps the
renders, in shards that a second run reads again. The first shard is kept back; at the end it says how many of its
attributes are named right. Rendering takes 0.07 processor's seconds a scene.
"""

from __future__ import annotations

import argparse
import math
import os
import pickle
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from generator.data import make_clip, sample_orbit
from generator.grammar import Attributes, make_scene, sample_attributes
from generator.judge import (
    NUM_VIEWS,
    SIZE,
    VALUES,
    Judge,
    accuracy,
    augment,
    judge_views,
    labels,
    load_judge,
    resize_views,
    save_judge,
)
from generator.verify import FILE

SHARD, LEAST = 512, 8  # clips a shard, shards to begin with
BATCH, WARM = 64, 0.15
RATE, FURTHER = 3e-3, 1e-3  # learning rates from nothing and from weights
BENT = 1.5  # pixels of the judge's by which views are bent at most, RMS, as generated frames are
JUDGE = Path(__file__).with_name("judge.safetensors")


@dataclass(frozen=True)
class Recipe:
    """What one of the two learns from, and how."""

    held_out: bool | None  # pairs: of training (False) or all (None)
    kept: tuple[float, float]  # shares of the scenes of one thing and of several that are kept
    frames: int
    pixels: int
    width: int
    out: Path


RECIPES = {
    "verifier": Recipe(False, (1.0, 0.5), 8, 64, 48, FILE),
    "judge": Recipe(None, (0.35, 1.0), 4, SIZE, 64, JUDGE),
}


def render(folder: Path, recipe: Recipe, num_shards: int, seed: int) -> None:
    """Write the shards that the folder lacks."""
    os.nice(5)
    for shard in range(num_shards):
        names = folder / f"{shard:04d}.npy", folder / f"{shard:04d}.pkl"
        if names[1].exists():
            continue
        clips, shown, i = np.empty((SHARD, recipe.frames, 3, recipe.pixels, recipe.pixels), np.uint8), [], 0
        while len(shown) < SHARD:
            rng, i = np.random.default_rng((seed, shard, i)), i + 1
            attributes, orbit = sample_attributes(rng, recipe.held_out), sample_orbit(rng)
            if rng.random() > recipe.kept[attributes.count > 1 or attributes.relation != ""]:
                continue
            scene = make_scene(attributes, rng)
            channels, _ = make_clip(scene, orbit, recipe.frames, recipe.pixels, recipe.pixels)
            clips[len(shown)] = channels[..., :3].transpose(0, 3, 1, 2)
            shown.append(attributes)
        np.save(names[0], clips)
        names[1].write_bytes(pickle.dumps(shown))


class Scenes:
    """The shards of a folder, as many as there are by now; the first is kept back."""

    def __init__(self, folder: Path):
        self.folder, self.clips, self.wanted = folder, [], []

    def read(self) -> None:
        while (path := self.folder / f"{len(self.clips):04d}.pkl").exists():
            shown: list[Attributes] = pickle.loads(path.read_bytes())  # of our own making
            self.clips.append(torch.from_numpy(np.load(path.with_suffix(".npy"))))
            self.wanted.append(labels(shown))

    def draw(self, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Return views [b,4,3,96,96] in [0,1] of random scenes, and what they show."""
        shards = torch.randint(1, len(self.clips), (BATCH,), generator=generator).tolist()
        rows = torch.randint(SHARD, (BATCH,), generator=generator).tolist()
        apart = self.clips[0].shape[1] // NUM_VIEWS
        phases = torch.randint(apart, (BATCH,), generator=generator).tolist()
        drawn = list(zip(shards, rows, phases))
        views = torch.stack([self.clips[shard][row, phase::apart] for shard, row, phase in drawn])
        wanted = {name: torch.stack([self.wanted[s][name][r] for s, r, _ in drawn]) for name in VALUES}
        return resize_views(views.float() / 255), wanted


def bend(views: Tensor, generator: torch.Generator) -> Tensor:
    """Bend views [b,v,3,h,w], each by a smooth field of its own."""
    flat = views.flatten(0, 1)
    amount = BENT * 2 / SIZE * torch.rand(len(flat), 1, 1, 1, generator=generator)
    field = F.interpolate(torch.randn(len(flat), 2, 5, 5, generator=generator), size=(SIZE, SIZE), mode="bicubic")
    still = F.affine_grid(torch.eye(2, 3).expand(len(flat), 2, 3), list(flat.shape), align_corners=False)
    bent = F.grid_sample(flat, still + (amount * field).movedim(1, -1), padding_mode="border", align_corners=False)
    return bent.view_as(views)


def slope(share: float) -> float:
    """Return the part of the learning rate after a share of the time: up in a line, then down along half a cosine."""
    return share / WARM if share < WARM else (1 + math.cos(math.pi * (share - WARM) / (1 - WARM))) / 2


def train(network: Judge, scenes: Scenes, rate: float, minutes: float, seed: int, out: Path) -> None:
    """Fit a judge for so long; what there is lies in `out` every few minutes."""
    generator, network = torch.Generator().manual_seed(seed), network.train()
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.02)
    start, step, mean = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        optimizer.param_groups[0]["lr"] = rate * slope(share)
        views, wanted = scenes.draw(generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(augment(bend(views, generator), generator))
        loss = torch.stack([F.cross_entropy(logits[name].float(), wanted[name]) for name in VALUES]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step, mean = step + 1, 0.99 * mean + 0.01 * float(loss.detach())
        if step % 100 == 0:
            scenes.read()
            known = (len(scenes.clips) - 1) * SHARD
            print(f"step {step}, {60 * minutes * share:.0f} s, {known} scenes, loss {mean:.3f}", flush=True)
        if step % 500 == 0:
            save_judge(out, network.eval())
            network.train()
    save_judge(out, network.eval())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(RECIPES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--num", type=int, default=40960)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--seed", type=int, default=9090)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, help="where the weights go, to what ships unless given")
    options = parser.parse_args()
    recipe = RECIPES[options.what]
    options.folder.mkdir(parents=True, exist_ok=True)
    num_shards = math.ceil(options.num / SHARD)
    arguments = options.folder, recipe, num_shards, options.seed
    renderer = get_context("spawn").Process(target=render, args=arguments, daemon=True)
    renderer.start()
    scenes = Scenes(options.folder)
    while len(scenes.clips) < min(LEAST, num_shards):
        scenes.read()
        time.sleep(1)
    torch.manual_seed(options.seed)
    network = load_judge(options.start) if options.start else Judge(recipe.width)
    train(network, scenes, FURTHER if options.start else RATE, options.minutes, options.seed, options.out or recipe.out)
    held = scenes.clips[0][:, :: recipe.frames // NUM_VIEWS]
    print(accuracy(judge_views(network, held), scenes.wanted[0]))


if __name__ == "__main__":
    main()
