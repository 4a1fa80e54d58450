"""From captions and cameras to latents: guidance, the flow, and larger clips begun at a smaller size.

Shapes: b clips, n of them that go on, t latent frames, f frames, h w latent cells or pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, cycle

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .compose import lay_together
from .condition import Condition, orbit_condition, orbit_rows
from .config import GenerateConfig
from .data import Orbit
from .dit import OrbitDiT
from .flow import Sift, integrate, visited
from .grammar import Attributes
from .match import NUM_VIEWS
from .parts import Scene, scene_of
from .text import TextEncoder
from .vae import SPACE, TIME, UNIT, VideoAutoencoder, encode_picture
from .words import ALL, long_caption
from .worth import worth

INSISTED = ((frozenset(("pattern",)), 4 / 3), (frozenset(("color", "second", "material")), 1.0))
"""What captions are held against themselves without, in turn, and how strongly for an emphasis of 1."""

SIFTED_AT = 0.72  # time at which most drafts are given up; they show by then what they will be


@dataclass(frozen=True)
class Guide:
    """Classifier-free guidance (Ho and Salimans, arXiv:2207.12598) within an interval of times (arXiv:2404.07724).

    Where attributes are insisted on, the text is also held against itself without them, as in Liu et al.,
    arXiv:2206.01714: by turns with the text against none, so that a step costs no more. What a turn found leads on
    until the next of its kind.
    """

    scale: float
    start: float
    end: float
    rescale: float = 0.0
    """How far the guided data's contrast is taken back to the unguided's (arXiv:2305.08891, Sec. 3.4)."""
    emphasis: float = 0.0
    """How strongly attributes are insisted on, beside the scale."""

    @staticmethod
    def of(config: GenerateConfig) -> Guide:
        """Return what the settings of a clip say."""
        c = config
        return Guide(c.guidance, c.guidance_from, c.guidance_to, c.guidance_rescale, c.emphasis)

    def is_on(self, t: float) -> bool:
        return self.scale != 1 and self.start <= t <= self.end

    def lead(
        self, contrasts: dict[int, Float[Tensor, "b t c h w"]], turn: int, is_less: Bool[Tensor, " b"] | None
    ) -> Float[Tensor, "b t c h w"]:
        """Return what is added to clips' velocities, from what the text changes against that of each turn: 0 is the
        null text's, the others those of INSISTED. Where nothing is left out, each is the null text's."""
        plain = (self.scale - 1) * contrasts[turn]
        if is_less is None:
            return plain
        strengths = (self.scale - 1, *(self.emphasis * strength for _, strength in INSISTED))
        insisted = torch.stack([strengths[each] * found for each, found in contrasts.items()]).sum(0)
        return torch.where(is_less[:, None, None, None, None], insisted, plain)

    def velocity(self, z: Tensor, t: float, v: Tensor, v_null: Tensor) -> Tensor:
        """Combine the velocities [b,t,c,h,w] with and without the text."""
        return self.led(z, t, v, (self.scale - 1) * (v - v_null))

    def led(self, z: Tensor, t: float, v: Tensor, lead: Tensor) -> Tensor:
        """Add what leads to velocities [b,t,c,h,w]."""
        guided = v + lead
        if self.rescale == 0 or t == 0:
            return guided
        data = z - t * guided
        ratio = (z - t * v).std(dim=(1, 2, 3, 4), keepdim=True) / data.std(dim=(1, 2, 3, 4), keepdim=True)
        return (z - data * (1 - self.rescale + self.rescale * ratio)) / t


def sample_clips(
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    captions: list[str],
    orbit: Orbit,
    config: GenerateConfig,
    generator: torch.Generator,
    *,
    coarsest: int,
    wanted: Sequence[Attributes | None] | None = None,
    scenes: Sequence[Scene | None] | None = None,
    picture: Float[Tensor, "4 h w"] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "b t c h8 w8"]:
    """Sample the latents of clips of the size that the config names, from coarse to fine.

    What a thing is, is decided near noise, and a small clip is enough for that, as in Pyramid Flow (arXiv:2410.05954):
    it is sampled at the smallest size, enlarged, noised again up to `config.fine_from` and sampled from there at twice
    the size, as often as that fits. Of small clips `config.drafts` are begun for each caption, being cheap. The one
    goes on that the matcher finds nearest to it, that the verifier takes for the attributes that are `wanted`, and that
    is of one piece; all but the `config.finished` likeliest are given up on the way. Of a scene of several objects, one
    of `scenes` or what is `wanted`, each is drafted alone; laid together they go on from the time `config.laid_from`.
    No clip becomes smaller than `coarsest` pixels, the least that the model has learnt. `picture` is what the first
    frame shows. On the encoder's device.
    """
    c = config
    sizes = sizes_of(c.height, c.width, coarsest) if c.fine_from < 1 else [(c.height, c.width)]
    asked = list(wanted or [None] * len(captions))
    is_laid = c.laid_from < 1 and picture is None and len(sizes) > 1
    known = [scene if is_laid else None for scene in scenes or map(scene_of, asked)]
    begun = [(c.fine_from, [row for row, scene in enumerate(known) if scene is None])]
    begun += [(c.laid_from, [row for row, scene in enumerate(known) if scene is not None])]
    begun = [(start, rows) for start, rows in begun if rows]
    total = _count_steps(c, len(sizes), [start for start, _ in begun])
    sampler = _Sampler(vae, dit, encoder, orbit, c, generator, picture, progress, total)
    if len(sizes) == 1:
        return sampler.draw(captions, asked, sizes[0])
    drafts = _drafts(sampler, captions, asked, known, sizes[0])
    made: dict[int, Tensor] = {}
    for start, rows in begun:
        clips = torch.cat([_laid(drafts[row], known[row], orbit, sizes[1]) for row in rows])
        for size in sizes[1:]:
            drawn = sampler.draw([captions[row] for row in rows], [asked[row] for row in rows], size, start, clips)
            clips, start = drawn if size == sizes[-1] else sampler.decode(drawn), c.fine_from
        made.update(zip(rows, clips))
    return torch.stack([made[row] for row in range(len(captions))])


@dataclass
class _Sampler:
    """What stays while clips go from size to size, and how many steps have been taken."""

    vae: VideoAutoencoder
    dit: OrbitDiT
    encoder: TextEncoder
    orbit: Orbit
    config: GenerateConfig
    generator: torch.Generator
    picture: Float[Tensor, "4 h w"] | None
    progress: Callable[[int, int], None] | None
    total: int
    done: int = 0

    def draw(
        self,
        captions: list[str],
        wanted: list[Attributes | None],
        size: tuple[int, int],
        start: float = 1.0,
        smaller: Float[Tensor, "b f 5 _ _"] | None = None,
        sift: Sift | None = None,
    ) -> Float[Tensor, "b t c h8 w8"]:
        """Sample the latents of clips of a size: from noise, or from the time `start` up to which smaller ones are
        noised; all of them, or those that `sift` lets go on (see `integrate`)."""
        c, clip_shape = self.config, (self.config.num_frames, *size)
        patch, negative = self.dit.config.patch, self.config.negative_prompt
        condition = make_condition(captions, negative, self.orbit, clip_shape, patch, self.encoder)
        if c.emphasis > 0:
            condition = _with_contrasts(condition, wanted, negative, self.encoder)
        shape = (len(captions), *latent_shape(clip_shape, self.dit))
        if self.picture is not None:
            condition = _with_picture(condition, self.vae, self.dit, _resized(self.picture[None], size), shape)
        noisy = torch.randn(shape, generator=self.generator).to(condition.text.device)
        if smaller is not None:
            larger = _resized(smaller.flatten(0, 1), size).unflatten(0, smaller.shape[:2])
            noisy = start * noisy + (1 - start) * self.vae.encode(larger, self.orbit.is_closed)
        report = None if self.progress is None else _part_of(self.progress, self.done, self.total)
        z = sample_latents(self.dit, noisy, condition, Guide.of(c), c.steps, c.shift, report, start=start, sift=sift)
        self.done += _num_steps(c, start)
        return z

    def decode(self, z: Float[Tensor, "b t c h8 w8"]) -> Float[Tensor, "b f 5 h w"]:
        return self.vae.decode(z, self.orbit.is_closed).clamp(0, 1)

    def glance(self, z: Float[Tensor, "b t c h8 w8"]) -> Float[Tensor, "b 4 5 h w"]:
        """Decode four frames a quarter apart for a third of the time, without what their neighbours add to them."""
        frames = torch.arange(NUM_VIEWS) * TIME * z.shape[1] // NUM_VIEWS
        pairs = self.vae.decode(z[:, frames // TIME].flatten(0, 1)[:, None])  # each latent frame a clip of its own
        shown = pairs[torch.arange(len(pairs)), frames.repeat(len(z)) % TIME]
        return shown.unflatten(0, (len(z), NUM_VIEWS)).clamp(0, 1)


def _drafts(
    sampler: _Sampler,
    captions: list[str],
    asked: list[Attributes | None],
    scenes: list[Scene | None],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "n f 5 h w"], ...]:
    """Return for each caption the best of several small clips: one, or one of each part of a scene.

    What a clip is bound for shows early which ones are not worth finishing (as in arXiv:2410.20290).
    """
    objects = [
        [(part.caption, part.attributes) for part in scene.parts] if scene else [(caption, shown)]
        for caption, shown, scene in zip(captions, asked, scenes)
    ]
    texts, shown = zip(*chain.from_iterable(objects))
    num, finished = sampler.config.drafts, min(sampler.config.finished, sampler.config.drafts)
    told, meant = ([each for each in of_all for _ in range(num)] for of_all in (texts, shown))

    def best(clips: Float[Tensor, "n f 5 h w"], kept: int) -> Int[Tensor, " n"]:
        if len(clips) == kept * len(texts):
            return torch.arange(len(clips))
        found = worth(clips.unflatten(0, (len(texts), -1)), texts, shown, sampler.encoder)
        likeliest = found.argsort(dim=1, descending=True, stable=True)[:, :kept].sort().values
        rows = likeliest + found.shape[1] * torch.arange(len(texts))[:, None]
        return rows.flatten()

    sift = None if finished == num else (SIFTED_AT, lambda z: best(sampler.glance(z), finished))
    clips = sampler.decode(sampler.draw(told, meant, size, sift=sift))
    return clips[best(clips, 1)].split([len(of_scene) for of_scene in objects])


def sizes_of(height: int, width: int, coarsest: int) -> list[tuple[int, int]]:
    """Return the heights and widths that a clip goes through: halves, as long as these are whole tokens and no side is
    below `coarsest`; the smallest first."""
    sizes = [(height, width)]
    while min(sizes[0]) >= 2 * coarsest and all(side % (2 * UNIT) == 0 for side in sizes[0]):
        sizes.insert(0, (sizes[0][0] // 2, sizes[0][1] // 2))
    return sizes


def latent_shape(clip_shape: tuple[int, int, int], dit: OrbitDiT) -> tuple[int, int, int, int]:
    """Return t, c, h, w of the latents of a clip of frames, height, width."""
    f, height, width = clip_shape
    return f // TIME, dit.config.latent_channels, height // SPACE, width // SPACE


def _resized(pictures: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c h2 w2"]:
    if pictures.shape[-2:] == size:
        return pictures
    return F.interpolate(pictures.float(), size=size, mode="bicubic", antialias=True).clamp(0, 1)  # no bf16 there


def _laid(
    clips: Float[Tensor, "n f 5 h w"], scene: Scene | None, orbit: Orbit, size: tuple[int, int]
) -> Float[Tensor, "1 f 5 height width"]:
    """Return the clip of a scene from those of its parts; without a scene the clip is there."""
    if scene is None:
        return clips
    return lay_together(list(clips.float().cpu()), scene, orbit, size)[None].to(clips)


def _num_steps(c: GenerateConfig, start: float) -> int:
    return len(visited(c.steps, c.shift, start)) - 1


def _count_steps(c: GenerateConfig, num_sizes: int, starts: list[float]) -> int:
    """Return the steps of all the sampling that a batch takes; `starts` are those of the second size."""
    if num_sizes == 1:
        return _num_steps(c, 1.0)
    further = (num_sizes - 2) * _num_steps(c, c.fine_from)
    return _num_steps(c, 1.0) + sum(_num_steps(c, start) + further for start in starts)


def _part_of(progress: Callable[[int, int], None], before: int, total: int) -> Callable[[int, int], None]:
    return lambda step, _: progress(before + step, total)


def _with_picture(
    condition: Condition,
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    picture: Float[Tensor, "1 4 h w"],
    shape: tuple[int, ...],
) -> Condition:
    """Give the first latent frame as reference. Raises ValueError for a model that takes none."""
    if not dit.config.has_reference:
        raise ValueError("This model takes no picture to begin with; use orbit-s, or leave the image out.")
    device = condition.text.device
    reference, given = torch.zeros(shape, device=device), torch.zeros(shape[:2], dtype=torch.bool, device=device)
    reference[:, 0], given[:, 0] = encode_picture(vae, picture), True
    return replace(condition, reference=reference, given=given)


def make_condition(
    captions: list[str], negative: str, orbit: Orbit, size: tuple[int, int, int], patch: int, encoder: TextEncoder
) -> Condition:
    """Say what clips should show, and from where; `size` is frames, height, width. On the encoder's device."""
    text, mask = encoder([*captions, negative])
    rays, angles = orbit_condition(orbit_rows([orbit], text.device), *size, patch)
    return Condition(text[:-1], mask[:-1], text[-1:], mask[-1:], rays, angles)


def _with_contrasts(
    condition: Condition, wanted: list[Attributes | None], negative: str, encoder: TextEncoder
) -> Condition:
    """Give the captions of what is `wanted` without the attributes that are insisted on."""
    if not any(wanted):
        return condition
    texts = ([negative if a is None else long_caption(a, ALL - left_out) for a in wanted] for left_out, _ in INSISTED)
    is_less = torch.tensor([attributes is not None for attributes in wanted], device=condition.text.device)
    return replace(condition, contrasts=tuple(encoder(each) for each in texts), is_less=is_less)


def sample_latents(
    dit: OrbitDiT,
    noise: Float[Tensor, "b t c h w"],
    condition: Condition,
    guide: Guide,
    steps: int,
    shift: float,
    progress: Callable[[int, int], None] | None = None,
    held: tuple[Float[Tensor, "b t c h w"], Bool[Tensor, " t"]] | None = None,
    start: float = 1.0,
    sift: Sift | None = None,
) -> Float[Tensor, "n t c h w"]:
    """Integrate the flow from noise to latents.

    `held` gives latents and which of them are to come out as they are; `start` is the time at which `noise` stands.
    Where nothing is held, `sift` gives clips up on the way (see `integrate`).
    """
    velocity = _Velocity(dit, condition, guide)
    if held is None:
        if sift is not None:
            time, choose = sift
            sift = time, lambda data: velocity.keep(choose(data))
        return integrate(velocity, noise, steps, shift=shift, start=start, sift=sift, progress=progress)
    straight, stays = noise - held[0], held[1][:, None, None, None]
    return integrate(
        lambda z, t: torch.where(stays, straight, velocity(z, t)), noise, steps, shift=shift, progress=progress
    )


class _Velocity:
    """The model's velocity, led by the guide. While guidance is on, both captions go through in one batch: the one that
    is asked for and, by turns, none or one with something left out."""

    def __init__(self, dit: OrbitDiT, condition: Condition, guide: Guide):
        self.dit, self.condition, self.guide = dit, condition, guide
        self.turns = cycle(range(1 + len(condition.contrasts)))
        self.contrasts: dict[int, Tensor] = {}

    def __call__(self, z: Float[Tensor, "b t c h w"], t: float) -> Float[Tensor, "b t c h w"]:
        b, c = len(z), self.condition
        times = torch.full((2 * b,), t, device=z.device)
        if not self.guide.is_on(t):
            return self.dit(z, times[:b], c.text, c.text_mask, c.rays, c.angles, c.reference, c.given)
        turn = next(self.turns)
        null = c.null_text.expand(b, -1, -1), c.null_mask.expand(b, -1)
        less, less_mask = (null, *c.contrasts)[turn]
        text, mask = torch.cat([c.text, less]), torch.cat([c.text_mask, less_mask])
        rays, angles = (x if len(x) == 1 else _twice(x) for x in (c.rays, c.angles))
        reference, given = (None if x is None else _twice(x) for x in (c.reference, c.given))
        v, v_less = self.dit(_twice(z), times, text, mask, rays, angles, reference, given).chunk(2)
        self.contrasts[turn] = v - v_less
        return self.guide.led(z, t, v, self.guide.lead(self.contrasts, turn, c.is_less))

    def keep(self, rows: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
        """Go on with some of the clips."""
        self.condition = self.condition.of(rows)
        self.contrasts = {turn: found[rows] for turn, found in self.contrasts.items()}
        return rows


def _twice(x: Tensor) -> Tensor:
    return torch.cat([x, x])
