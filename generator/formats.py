"""Other lengths, spans and aspects of training clips, cut from whole turns of full size.

A model that is to make clips of any shape must see some of each, as Sora's report says; rays and angles tell it which.
All are cut from what is rendered anyway: every second frame, a part of the turn, wider with white at the sides or
narrower, smaller. Shapes: b clips, f frames.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float
from torch import Tensor

from .config import TrainConfig
from .vae import SPACE, TIME, UNIT

WRITTEN = re.compile(r"(part )?(\d+)x(\d+)x(\d+)")


@dataclass(frozen=True)
class Format:
    """A shape of clips."""

    num_frames: int
    height: int
    width: int
    is_part: bool = False
    """Whether the frames follow each other in a whole turn of more frames, instead of being a whole turn themselves."""

    @staticmethod
    def read(text: str) -> Format:
        """Read what `str` writes. Raises ValueError for anything else."""
        found = WRITTEN.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no format: write FRAMESxHEIGHTxWIDTH, such as 12x64x96 or part 12x128x128.")
        return Format(*(int(number) for number in found.groups()[1:]), is_part=bool(found[1]))

    def __str__(self) -> str:
        return f"{'part ' if self.is_part else ''}{self.num_frames}x{self.height}x{self.width}"

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Latent frames, rows and columns of a clip."""
        return self.num_frames // TIME, self.height // SPACE, self.width // SPACE

    @property
    def num_cells(self) -> int:
        """Latent cells of a clip."""
        return math.prod(self.latent_shape)

    @property
    def fits_patches(self) -> bool:
        """Whether the transformer's tokens cover it."""
        return self.height % UNIT == 0 and self.width % UNIT == 0 and min(self.height, self.width) > 0

    def cut(
        self, clips: Float[Tensor, "b f 5 h w"], orbits: Float[Tensor, "b 4"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "b f2 5 h2 w2"], Float[Tensor, "b 4"]]:
        """Cut whole turns, and return them with their cameras (`condition.orbit_rows`).

        Where it begins is drawn for each pair of neighbours, of which the second may be an edit of the first.
        """
        b, f = clips.shape[:2]
        step = 1 if self.is_part else f // self.num_frames
        most = f if self.is_part else step
        first = torch.randint(most, (-(-b // 2),), generator=generator).repeat_interleave(2)[:b].to(clips.device)
        frames = (first[:, None] + step * torch.arange(self.num_frames, device=clips.device)) % f
        clips = clips[torch.arange(b, device=clips.device)[:, None], frames]
        orbits = orbits.clone()
        orbits[:, 2] = (orbits[:, 2] + first * 360 / f) % 360
        if self.is_part:
            orbits[:, 3] = (self.num_frames - 1) * 360 / f
        return self._framed(clips), orbits

    def _framed(self, clips: Tensor) -> Tensor:
        """Bring clips to the height, and the frame around them to the width; the middle stays in the middle."""
        side = clips.shape[-1]
        if side % self.height == 0:
            p = side // self.height
            clips = reduce(clips, "b f c (h p) (w q) -> b f c h w", "mean", p=p, q=p)
        else:
            size = (self.height, self.height)
            small = F.interpolate(clips.flatten(0, 1), size=size, mode="bilinear", antialias=True)
            clips = small.unflatten(0, clips.shape[:2])
        more = (self.width - self.height) // 2
        if more <= 0:
            return clips[..., -more : self.height + more]
        wide = F.pad(clips.flatten(0, 1), (more, more, 0, 0), mode="replicate").unflatten(0, clips.shape[:2])
        for beside in (wide[..., :more], wide[..., -more:]):
            beside[:, :, :3], beside[:, :, 3] = 1.0, 0.0  # nothing there; its depth is that of the edge
        return wide


def formats_of(config: TrainConfig) -> list[Format]:
    """Return the shapes of clips that a transformer is to see: half the size where it sees that, the full size, and
    the others. Raises ValueError for formats that cannot be cut from the full size."""
    whole = Format(config.num_frames, config.size, config.size)
    half = Format(config.num_frames, config.size // 2, config.size // 2)
    return [*([half] if config.sees_halves else []), whole, *read_formats(config.formats, whole)]


def batch_of(config: TrainConfig, form: Format) -> int:
    """Return how many clips of one of `formats_of` a step sees: of the others as many tokens as of the full size."""
    *sizes, whole = formats_of(replace(config, formats=()))
    if form in sizes:
        return config.half_phase.batch
    return max(config.dit_phase.batch * whole.num_cells // form.num_cells, 1)


def read_formats(texts: Iterable[str], whole: Format) -> list[Format]:
    """Read formats such as "12x64x96" and "part 12x128x128".

    Raises ValueError where one is written otherwise, or cannot be cut from whole turns of the format `whole`.
    """
    formats = []
    for text in texts:
        form = Format.read(text)
        if form.num_frames % TIME or form.num_frames < TIME or not form.fits_patches:
            raise ValueError(f"{text}: frames must be even, height and width multiples of {UNIT}.")
        if not form.is_part and whole.num_frames % form.num_frames:
            raise ValueError(f"{text}: a turn of {whole.num_frames} frames cannot be thinned to so many.")
        if form.is_part and form.num_frames >= whole.num_frames:
            raise ValueError(f"{text}: a part of a turn has fewer frames than the turn, which has {whole.num_frames}.")
        if form.height > whole.height:
            raise ValueError(f"{text}: clips are {whole.height} pixels high, and cannot be cut higher.")
        formats.append(form)
    return formats


def learnt_formats(settings: dict[str, Any]) -> list[Format]:
    """Return the shapes of clips that a model has learnt, by the header of its weights; its full size last."""
    formats = [Format.read(text) for text in settings.get("formats", [])]
    if settings.get("num_frames"):
        formats.append(Format(settings["num_frames"], settings["size"], settings["size"]))
    return formats


def least_side(settings: dict[str, Any]) -> int:
    """Return the smallest side of whole turns that a model has learnt, in pixels; large where nothing is known."""
    sides = [min(form.height, form.width) for form in learnt_formats(settings) if not form.is_part]
    return min(sides, default=sys.maxsize)
