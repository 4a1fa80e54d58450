"""Train the verifier that ships (generator/verify.py) on fresh scenes of the grammar, rendered while it learns.

    python benchmarks/train_verifier.py FOLDER [--num 40960] [--minutes 90] [--out verifier.safetensors]

No held-out pair is among them, and half of the scenes of several things are left out, for these are drafted one by one.
The folder keeps the renders: eight frames of 64 px a scene, in shards that a second run reads again. The first shard is
kept back; at the end it says how many of its attributes are named right. Rendering takes 0.07 processor's seconds a
scene.
"""

from __future__ import annotations

import argparse
import math
import os
import pickle
import sys
import time
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
    resize_views,
    save_judge,
)
from generator.verify import FILE

SHARD, FRAMES, PIXELS, LEAST = 512, 8, 64, 8  # clips a shard, frames a clip, their size, shards to begin with
WIDTH, BATCH, RATE, WARM = 48, 64, 3e-3, 0.15
BENT = 1.5  # pixels of the judge's by which views are bent at most, RMS, as generated frames are


def render(folder: Path, num_shards: int, seed: int) -> None:
    """Write the shards that the folder lacks."""
    os.nice(5)
    for shard in range(num_shards):
        names = folder / f"{shard:04d}.npy", folder / f"{shard:04d}.pkl"
        if names[1].exists():
            continue
        clips, shown, i = np.empty((SHARD, FRAMES, 3, PIXELS, PIXELS), np.uint8), [], 0
        while len(shown) < SHARD:
            rng, i = np.random.default_rng((seed, shard, i)), i + 1
            attributes, orbit = sample_attributes(rng, False), sample_orbit(rng)
            if (attributes.count > 1 or attributes.relation) and rng.random() < 0.5:
                continue
            channels, _ = make_clip(make_scene(attributes, rng), orbit, FRAMES, PIXELS, PIXELS)
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
        phases = torch.randint(FRAMES // NUM_VIEWS, (BATCH,), generator=generator).tolist()
        drawn = list(zip(shards, rows, phases))
        views = torch.stack([self.clips[shard][row, phase :: FRAMES // NUM_VIEWS] for shard, row, phase in drawn])
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


def rate(share: float) -> float:
    """Return the learning rate after a share of the time: up in a line, then down along half a cosine."""
    return RATE * (share / WARM if share < WARM else (1 + math.cos(math.pi * (share - WARM) / (1 - WARM))) / 2)


def train(scenes: Scenes, minutes: float, seed: int, out: Path) -> Judge:
    """Fit a verifier for so long; what there is lies in `out` every few minutes."""
    torch.manual_seed(seed)
    generator, verifier = torch.Generator().manual_seed(seed), Judge(WIDTH)
    optimizer = torch.optim.AdamW(verifier.parameters(), RATE, weight_decay=0.02)
    start, step, mean = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        optimizer.param_groups[0]["lr"] = rate(share)
        views, wanted = scenes.draw(generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = verifier(augment(bend(views, generator), generator))
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
            save_judge(out, verifier.eval())
            verifier.train()
    save_judge(out, verifier.eval())
    return verifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--num", type=int, default=40960)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--seed", type=int, default=9090)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    arguments = options.folder, math.ceil(options.num / SHARD), options.seed
    renderer = get_context("spawn").Process(target=render, args=arguments, daemon=True)
    renderer.start()
    scenes = Scenes(options.folder)
    while len(scenes.clips) < min(LEAST, arguments[1]):
        scenes.read()
        time.sleep(1)
    verifier = train(scenes, options.minutes, options.seed, options.out)
    held = scenes.clips[0][:, :: FRAMES // NUM_VIEWS]
    print(accuracy(judge_views(verifier, held), scenes.wanted[0]))


if __name__ == "__main__":
    main()
