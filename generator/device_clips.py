"""Training clips that are drawn by processes and rendered on a GPU when they are wanted: pixels are never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from .condition import orbit_cameras, orbit_distance, orbit_rows
from .cuda_mesh import trace_meshes
from .cuda_tracer import encode_clips, trace_clips
from .data import SHARD_SIZE, Recipe, Sample, Subject, draw_shard
from .ranks import Ranks
from .train_vae import to_model
from .workers import Workers

AT_HAND = 24  # rendered shards from which batches are drawn; 0.5 GB each at 24 frames of 128 px
DRAWS_A_SHARD = 40  # batches between two new shards
AT_ONCE = 64  # clips in one launch


class DeviceClips:
    """The same clips as `shard_clips.ShardClips` keeps in files, on a device; each of several ranks has a share."""

    keeps = False

    def __init__(
        self,
        recipe: Recipe,
        num_shards: int,
        num_frames: int,
        size: int,
        workers: Workers,
        ranks: Ranks,
    ):
        self.recipe, self.workers, self.device = recipe, workers, ranks.device
        self.own = ranks.share(range(num_shards))
        self.num_frames, self.size = num_frames, size
        self.drawn: list[list[tuple[Sample, Subject]]] = []
        self.rendered: list[Tensor] = []
        self.num_draws = 0

    def start(self) -> None:
        """Start the workers that draw, and render a first shard."""
        self.pool = self.workers.pool()
        recipe = self.recipe.carried() if self.workers.engine == "ray" else self.recipe
        self.coming = self.pool.imap(partial(draw_shard, recipe), self.own)
        self._render_next()

    def draw(self, num: int, generator: torch.Generator) -> Float[Tensor, "b f 5 h w"]:
        """Draw clips in [0,1] at random from the shards at hand, to which more come."""
        self.num_draws += 1
        if self.num_draws % DRAWS_A_SHARD == 0 and len(self.rendered) < min(AT_HAND, len(self.own)):
            self._render_next()
        which = torch.randint(len(self.rendered), (num,), generator=generator).tolist()
        clip = torch.randint(SHARD_SIZE, (num,), generator=generator).tolist()
        return to_model(torch.stack([self.rendered[i][j] for i, j in zip(which, clip)]), self.device)

    def shards(self) -> Iterator[tuple[str, Callable[[], Tensor], list[Sample]]]:
        """Yield name, clips uint8 [n,F,H,W,5] and what they show, of every shard of the share, in order."""
        for i, index in enumerate(self.own):
            drawn = self._drawn(i)
            clips = cache(partial(self._clips, i))
            yield f"{index:04d}", clips, [sample for sample, _ in drawn]
        self.pool.close()

    def _clips(self, i: int) -> Tensor:
        return self.rendered[i] if i < len(self.rendered) else self.render(self._drawn(i))

    def _drawn(self, i: int) -> list[tuple[Sample, Subject]]:
        while len(self.drawn) <= i:
            self.drawn.append(next(self.coming))
        return self.drawn[i]

    def _render_next(self) -> None:
        self.rendered.append(self.render(self._drawn(len(self.rendered))))

    def render(self, drawn: list[tuple[Sample, Subject]]) -> UInt8[Tensor, "n f h w 5"]:
        """Render what was drawn."""
        clips = torch.empty(len(drawn), self.num_frames, self.size, self.size, 5, dtype=torch.uint8, device=self.device)
        is_scene = [isinstance(subject, np.ndarray) for _, subject in drawn]
        for trace, wanted in ((trace_clips, True), (trace_meshes, False)):
            indices = [i for i, scene in enumerate(is_scene) if scene == wanted]
            for at in range(0, len(indices), AT_ONCE):
                part = indices[at : at + AT_ONCE]
                orbits = orbit_rows((drawn[i][0].orbit for i in part), self.device)
                c2w, K, _ = orbit_cameras(orbits, self.num_frames, self.size, self.size)
                traced = trace([drawn[i][1] for i in part], c2w, K, self.size, self.size)  # type: ignore[arg-type]
                clips[torch.tensor(part, device=self.device)] = encode_clips(traced, orbit_distance(orbits[:, 1]))
        return clips
