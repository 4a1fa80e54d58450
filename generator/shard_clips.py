"""Training clips in the shards of a folder: made in the background, by processes or by Ray's workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from .data import (
    SHARD_SIZE,
    Recipe,
    Sample,
    Subject,
    make_clip,
    make_shard,
    read_samples,
    save_shard,
    shard_path,
    shard_paths,
    start_rendering,
)
from .ranks import ALONE, Ranks
from .train_vae import to_model
from .workers import Workers


class ShardClips:
    """Clips that are kept. The first of several ranks has them made; all must see the folder."""

    keeps = True  # shards stay, so what is computed from them may stay too

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        num_shards: int,
        num_frames: int,
        size: int,
        workers: Workers,
        ranks: Ranks = ALONE,
    ):
        self.folder, self.recipe, self.num_shards = folder, recipe, num_shards
        self.num_frames, self.size, self.workers, self.ranks = num_frames, size, workers, ranks
        self.known: dict[Path, np.ndarray] = {}

    def start(self) -> None:
        """Start what is missing, and wait for the first shard."""
        self.renderers = []
        if self.ranks.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            if len(shard_paths(self.folder)) < self.num_shards:
                self.renderers = self._start_renderers()
            self._wait_until(lambda: bool(shard_paths(self.folder)))
        self.ranks.wait()
        if not shard_paths(self.folder):
            raise FileNotFoundError(
                f"Process {self.ranks.rank} sees no clips in {self.folder}: where clips are rendered without a GPU, "
                "the folder must lie on a disk that all machines share."
            )

    def _start_renderers(self) -> list:
        if self.workers.engine == "pool":
            how = (self.num_frames, self.size, self.workers.num)
            return start_rendering(self.folder, self.num_shards, self.recipe, *how)
        thread = Thread(target=self._collect, args=(self.workers.pool(),), daemon=True)
        thread.start()
        return [thread]

    def _collect(self, pool) -> None:
        """Save the missing shards as a pool makes them."""
        missing = [i for i in range(self.num_shards) if not shard_path(self.folder, i).exists()]
        make = partial(_numbered_shard, self.recipe.carried(), self.num_frames, self.size)
        for index, clips, samples in pool.imap_unordered(make, missing):
            save_shard(shard_path(self.folder, index), clips, samples)

    def _wait_until(self, is_there: Callable[[], bool]) -> None:
        while not is_there():
            is_over = self.ranks.is_first and not any(renderer.is_alive() for renderer in self.renderers)
            if is_over and not is_there():
                raise RuntimeError("The renderers ended before all clips were made; their error stands above.")
            time.sleep(1)

    def draw(self, num: int, generator: torch.Generator) -> Float[Tensor, "b f 5 h w"]:
        """Draw clips in [0,1] at random; shards that appear later are taken in."""
        for path in shard_paths(self.folder):
            if path not in self.known:
                self.known[path] = np.load(path, mmap_mode="r")
        shards = list(self.known.values())
        which = torch.randint(len(shards), (num,), generator=generator).tolist()
        clip = torch.randint(SHARD_SIZE, (num,), generator=generator).tolist()
        picked = np.stack([shards[i][j % len(shards[i])] for i, j in zip(which, clip)])
        return to_model(torch.from_numpy(picked), torch.device("cpu"))

    def shards(self) -> Iterator[tuple[str, Callable[[], Tensor], list[Sample]]]:
        """Yield name, clips uint8 [n,F,H,W,5] and what they show, of every shard of this rank's share, in order."""
        for index in self.ranks.share(range(self.num_shards)):
            path = shard_path(self.folder, index)
            self._wait_until(path.exists)
            yield path.stem, lambda path=path: torch.from_numpy(np.load(path)), read_samples(path)

    def render(self, drawn: list[tuple[Sample, Subject]]) -> UInt8[Tensor, "n f h w 5"]:
        """Render what was drawn elsewhere."""
        made = [make_clip(subject, sample.orbit, self.num_frames, self.size, self.size)[0] for sample, subject in drawn]
        return torch.from_numpy(np.stack(made))


def _numbered_shard(recipe: Recipe, num_frames: int, size: int, index: int) -> tuple[int, np.ndarray, list[Sample]]:
    return index, *make_shard(recipe, num_frames, size, index)
