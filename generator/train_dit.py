"""The transformer's phase of training: latents and conditions of the clips, loss, moving average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .condition import orbit_condition, orbit_rows
from .data import NUM_CAPTIONS, Sample
from .dit import OrbitDiT
from .flow import interpolate, noise_like, sample_times
from .text import MAX_TOKENS, TextEncoder
from .vae import SPACE, TIME, VideoAutoencoder, encode_picture


@dataclass
class LatentClips:
    """Training clips as latents in half precision, and what they show, as numbers."""

    z: Float[Tensor, "n t c h w"]
    still: Float[Tensor, "n c h w"]
    """Of the first frame alone, its depth unknown: what a picture gives."""
    tokens: Int[Tensor, "n k l"]
    """Of the captions."""
    edit: Int[Tensor, "n l"]
    """Of the instruction that makes the clip from the one before it; zeros where it is no edit."""
    camera: Float[Tensor, "n 4"]
    """Elevation, field of view, start, span, in degrees."""
    known: Bool[Tensor, " n"]
    """Whether the teacher knows what they show; all false without one."""

    @cached_property
    def edits(self) -> Int[Tensor, " e"]:
        """The clips that are edits; on the CPU, where clips are drawn."""
        return self.edit.any(1).nonzero()[:, 0].cpu()

    @cached_property
    def by_teacher(self) -> tuple[Int[Tensor, " k"], Int[Tensor, " u"]]:
        """The clips that the teacher knows, and the others; on the CPU."""
        return self.known.nonzero()[:, 0].cpu(), (~self.known).nonzero()[:, 0].cpu()

    @staticmethod
    def concatenate(parts: list[LatentClips]) -> LatentClips:
        """Join shards."""
        return LatentClips(*(torch.cat(tensors) for tensors in zip(*(part.tensors().values() for part in parts))))

    def tensors(self) -> dict[str, Tensor]:
        """Return the fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Batch:
    """One step's worth of inputs of the transformer."""

    z: Tensor
    text: Tensor
    text_mask: Tensor
    rays: Tensor
    angles: Tensor
    reference: Tensor | None = None
    given: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Return what there is, by name."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True)
class Mixture:
    """How often what is said and given."""

    caption_drop: float = 0.1
    """Captions left empty."""
    picture_share: float = 0.0
    """Clips whose first frame is given."""
    edit_share: float = 0.0
    """Clips that are made from another."""
    teacher_share: float = 0.0
    """Clips of what the teacher knows."""


@torch.no_grad()
def encode_clips(
    vae: VideoAutoencoder, clips: Float[Tensor, "b f 5 h w"], is_closed: bool = True
) -> tuple[Float[Tensor, "b t c h8 w8"], Float[Tensor, "b c h8 w8"]]:
    """Return the latents of clips and of their first frames alone, in half precision."""
    return vae.encode(clips, is_closed).half(), encode_picture(vae, clips[:, 0, :4]).half()


def describe(
    samples: list[Sample], encoder: TextEncoder
) -> tuple[Int[Tensor, "n k l"], Int[Tensor, "n l"], Float[Tensor, "n 4"]]:
    """Return the tokens of captions and edits, and the cameras, of some samples."""
    captions = [caption for sample in samples for caption in sample.captions]
    tokens = encoder.tokenize(captions).to(torch.int16).view(len(samples), NUM_CAPTIONS, MAX_TOKENS)
    edit = torch.zeros(len(samples), MAX_TOKENS, dtype=torch.int16)
    edited = [i for i, sample in enumerate(samples) if sample.edit]
    if edited:
        edit[edited] = encoder.tokenize([samples[i].edit for i in edited]).to(torch.int16)
    return tokens, edit, orbit_rows(sample.orbit for sample in samples)


def draw_batches(
    clips: LatentClips,
    encoder: TextEncoder,
    num: int,
    size: int,
    mixture: Mixture,
    patch: int,
    device: torch.device,
    generator: torch.Generator,
) -> list[Batch]:
    """Draw the clips of `num` steps at random, with one of their captions, read all at once.

    Some captions are empty, which teaches guidance its null. The last share of each batch are edits: an instruction,
    and the clip that it is given for as reference. The first share, of a teacher, shows what that knows; the others
    then show what it does not.
    """
    store = clips.z.device
    edits = clips.edits if mixture.edit_share > 0 else clips.edits[:0]
    num_edits = round(size * mixture.edit_share) if len(edits) else 0
    is_edit = torch.arange(size) >= size - num_edits
    index = torch.randint(len(clips.z), (num, size), generator=generator)
    num_known = count_known(size, mixture.teacher_share)
    if num_known:
        for rows, among in zip((slice(num_known), slice(num_known, size)), clips.by_teacher):
            index[:, rows] = among[torch.randint(len(among), index[:, rows].shape, generator=generator)]
    if num_edits:
        index[:, is_edit] = edits[torch.randint(len(edits), (num, num_edits), generator=generator)]
    caption = torch.randint(NUM_CAPTIONS, (num, size), generator=generator)
    is_empty = torch.rand(num, size, generator=generator) < mixture.caption_drop
    with_picture = (torch.rand(num, size, generator=generator) < mixture.picture_share) & ~is_edit

    index, caption = index.to(store), caption.to(store)
    tokens = clips.tokens[index, caption]
    tokens = torch.where(is_edit.to(store)[:, None], clips.edit[index], tokens)
    null = encoder.tokenize([""])[0].to(store, tokens.dtype)
    tokens = torch.where(is_empty.to(store)[..., None], null, tokens)
    text, text_mask = encoder.encode(tokens.flatten(0, 1).to(device).long())
    text, text_mask = text.unflatten(0, (num, size)), text_mask.unflatten(0, (num, size))
    has_reference = mixture.picture_share > 0 or num_edits > 0
    batches = []
    for step in range(num):
        z = clips.z[index[step]].to(device).float()
        _, t, _, h, w = z.shape
        orbits = clips.camera[index[step]].to(device)
        rays, angles = orbit_condition(orbits, t * TIME, h * SPACE, w * SPACE, patch)
        reference = given = None
        if has_reference:
            reference = torch.zeros_like(z)
            reference[:, 0] = clips.still[index[step]].to(device).float()
            given = torch.zeros(size, t, dtype=torch.bool, device=device)
            given[:, 0] = with_picture[step].to(device)
            if num_edits:
                reference[-num_edits:] = clips.z[index[step, -num_edits:] - 1].to(device).float()
                given[-num_edits:] = True
        batches.append(Batch(z, text[step], text_mask[step], rays, angles, reference, given))
    return batches


@dataclass
class Feed:
    """Clips of one size, and the batches of them that are ready."""

    clips: LatentClips
    batch: int
    ready: list[Batch] = field(default_factory=list)

    def draw(self, read: Callable[[LatentClips, int], list[Batch]]) -> Batch:
        """Return the next batch; `read` makes more of them."""
        if not self.ready:
            self.ready += read(self.clips, self.batch)
        return self.ready.pop()


@dataclass
class Rota:
    """Which clips a step sees: of the full size, at half of it, or in the other formats one after the other."""

    full: Feed
    half: Feed | None = None
    half_share: float = 0.0
    others: list[Feed] = field(default_factory=list)
    other_share: float = 0.0

    def feed(self, step: int) -> Feed:
        """Return whose turn it is."""
        if self.others and _is_turn(step, self.other_share):
            return self.others[int(step * self.other_share) % len(self.others)]
        return self.half if self.half and _is_turn(step, self.half_share) else self.full


def _is_turn(step: int, share: float) -> bool:
    return (step * share) % 1 < share


def count_known(size: int, teacher_share: float) -> int:
    """Return how many of a batch's clips, the first ones, follow the teacher."""
    return round(size * teacher_share)


def dit_loss(
    dit: Callable[..., Tensor],
    batch: Batch,
    generator: torch.Generator,
    time_shift: float,
    teacher: Callable[..., Tensor] | None = None,
    num_known: int = 0,
    fine_share: float = 0.0,
    fine_until: float = 1.0,
) -> Tensor:
    """Mean squared error of the velocity eps - z at random times (rectified flow).

    The first `num_known` clips are held to the teacher's velocity: the mean of all that eps - z could be, as far as it
    knows, so with none of its noise. Of all a share is seen at times below `fine_until` alone.
    """
    one_each = batch.z[:, 0, 0, 0, 0]
    t = sample_times(noise_like(one_each, generator), time_shift)
    if fine_share > 0:
        drawn = torch.special.ndtr(noise_like(one_each, generator))
        t = torch.where(drawn < fine_share, fine_until * t, t)
    eps = noise_like(batch.z, generator)
    z_t = interpolate(batch.z, eps, t)
    inputs = (z_t, t, batch.text, batch.text_mask, batch.rays, batch.angles, batch.reference, batch.given)
    target = eps - batch.z
    if teacher is not None and num_known:
        with torch.no_grad():
            known = teacher(*(value if value is None else value[:num_known] for value in inputs))
        target = torch.cat([known.float(), target[num_known:]])
    return (dit(*inputs).float() - target).square().mean()


def ema_weight(step: int, decay: float) -> float:
    """Return how far the average goes towards the weights; early on it is short, so that the start is forgotten."""
    return 1 - min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_ema(ema: OrbitDiT, dit: OrbitDiT, weight: float | Tensor) -> None:
    """Move the average towards the weights; a tensor's weight may change between replays of a recorded step."""
    averages: list[Tensor] = list(ema.parameters())
    weights: list[Tensor] = list(dit.parameters())
    if not weights[0].is_cuda:
        torch._foreach_lerp_(averages, weights, float(weight))
        return
    change = torch._foreach_sub(weights, averages)
    torch._foreach_mul_(change, weight)
    torch._foreach_add_(averages, change)
