"""From a prompt to an orbit clip: text, noise, flow, decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from .caption import expand
from .clip import Clip
from .condition import Condition, orbit_condition, orbit_rows
from .config import GenerateConfig
from .data import Orbit, decode_depth, encode_depth
from .dit import OrbitDiT
from .flow import integrate
from .formats import Format
from .grammar import CATEGORIES, Attributes
from .rays import intrinsics, orbit_radius
from .text import TextEncoder, load_text_encoder
from .vae import SPACE, TIME, VideoAutoencoder, encode_picture
from .weights import fingerprint, load_model, model_path, trained_for
from .words import plural

MOST_CANDIDATES = 64
MOST_REFINEMENTS = 16
LOWEST, HIGHEST = -10, 50  # elevation of training clips, as data.sample_orbit draws it


@dataclass(frozen=True)
class Guide:
    """Classifier-free guidance (Ho and Salimans, arXiv:2207.12598) within an interval of times (arXiv:2404.07724)."""

    scale: float
    start: float
    end: float
    rescale: float = 0.0
    """How far the guided data's contrast is taken back to the unguided's (arXiv:2305.08891, Sec. 3.4)."""

    @staticmethod
    def of(config: GenerateConfig) -> Guide:
        """Return what the settings of a clip say."""
        return Guide(config.guidance, config.guidance_from, config.guidance_to, config.guidance_rescale)

    def is_on(self, t: float) -> bool:
        return self.scale != 1 and self.start <= t <= self.end

    def velocity(self, z: Tensor, t: float, v: Tensor, v_null: Tensor) -> Tensor:
        """Combine the velocities [b,t,c,h,w] with and without the text."""
        guided = v_null + self.scale * (v - v_null)
        if self.rescale == 0 or t == 0:
            return guided
        data = z - t * guided
        ratio = (z - t * v).std(dim=(1, 2, 3, 4), keepdim=True) / data.std(dim=(1, 2, 3, 4), keepdim=True)
        return (z - data * (1 - self.rescale + self.rescale * ratio)) / t


def generate(
    prompt: str,
    config: GenerateConfig,
    *,
    seed: int = 0,
    picture: Float[Tensor, "4 h w"] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Clip:
    """Generate the orbit clip of a prompt. The same seed gives the same clip on one machine.

    `picture` is what the first frame shows: colour on white and alpha in [0,1], of the clip's size.

    Raises ValueError where the prompt names nothing or the settings are none that the model can make, and
    FileNotFoundError where there is no such model.
    """
    check(config)
    caption = expand(prompt).text
    decoded = _sampled(caption, config, seed, None, progress, picture)
    return to_clip(decoded, orbit_of(config), config.fps, prompt, caption, seed)


def regenerate(
    clip: Clip,
    frames: Sequence[int],
    config: GenerateConfig,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Clip:
    """Make some frames of a clip anew while the others are held, so that they fit in with those.

    The clip must come from `generate` with the same config. A latent covers two frames, which are made anew together;
    all others come back as they were. Latents that are held follow the straight path from noise to themselves, which
    the flow's integration takes exactly. Another seed gives other frames. Raises ValueError for frames that are not
    there or none that are left to hold on to.
    """
    check(config)
    num = len(clip.frames)
    if not all(0 <= frame < num for frame in frames):
        raise ValueError(f"A clip of {num} frames has no frame {next(f for f in frames if not 0 <= f < num)}.")
    is_new = torch.zeros(num // TIME, dtype=torch.bool)
    is_new[[frame // TIME for frame in frames]] = True
    if bool(is_new.all()):
        raise ValueError("All frames are to be made anew; generate the clip with another seed.")
    decoded = _sampled(clip.caption, config, seed, (clip, ~is_new), progress)
    made = to_clip(decoded, orbit_of(config), config.fps, clip.prompt, clip.caption, clip.seed)
    chosen = is_new.repeat_interleave(TIME)
    (alpha, depth), (new_alpha, new_depth) = _maps(clip), _maps(made)
    return replace(
        made,
        frames=torch.where(chosen[:, None, None, None], made.frames, clip.frames),
        alpha=torch.where(chosen[:, None, None], new_alpha, alpha),
        depth=torch.where(chosen[:, None, None], new_depth, depth),
    )


def redraw(
    clip: Clip,
    config: GenerateConfig,
    *,
    strength: float,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Clip:
    """Draw a clip again: its latents are noised up to the time `strength` and sampled from there under its caption.

    What is coarser than the noise stays (Meng et al., "SDEdit", arXiv:2108.01073), so the model mends a rendering's
    blur and stray splats and leaves the thing. The clip must have the cameras, alpha and depth that the config asks
    for. Raises ValueError for a strength outside (0, 1).
    """
    check(config)
    if not 0 < strength < 1:
        raise ValueError(f"The strength of a redrawing lies between 0 and 1, not at {strength}.")
    decoded = _sampled(clip.caption, config, seed, None, progress, begun=(clip, strength))
    return to_clip(decoded, orbit_of(config), config.fps, clip.prompt, clip.caption, clip.seed)


def _sampled(
    caption: str,
    config: GenerateConfig,
    seed: int,
    held: tuple[Clip, Bool[Tensor, " t"]] | None,
    progress: Callable[[int, int], None] | None,
    picture: Float[Tensor, "4 h w"] | None = None,
    begun: tuple[Clip, float] | None = None,
) -> Float[Tensor, "f 5 h w"]:
    """Load the model, sample latents and decode them.

    `held` is a clip and which of its latents stay; `begun` a clip and the time up to which it is noised.
    """
    vae, dit = load_networks(config.model)
    orbit = orbit_of(config)
    shape = (config.num_frames // TIME, dit.config.latent_channels, config.height // SPACE, config.width // SPACE)
    noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
    size = (config.num_frames, config.height, config.width)
    condition = make_condition([caption], config.negative_prompt, orbit, size, dit.config.patch, load_text_encoder())
    with torch.inference_mode():
        if picture is not None:
            condition = _with_picture(condition, vae, dit, picture, shape)
        stays = None if held is None else (vae.encode(from_clip(held[0], orbit)[None], orbit.is_closed), held[1])
        start = 1.0
        if begun is not None:
            start = begun[1]
            noise = start * noise + (1 - start) * vae.encode(from_clip(begun[0], orbit)[None], orbit.is_closed)
        z = sample_latents(dit, noise, condition, Guide.of(config), config.steps, config.shift, progress, stays, start)
        return vae.decode(z, orbit.is_closed).clamp(0, 1)[0]


def _with_picture(
    condition: Condition, vae: VideoAutoencoder, dit: OrbitDiT, picture: Float[Tensor, "4 h w"], shape: tuple[int, ...]
) -> Condition:
    """Give the first latent frame as reference. Raises ValueError for a model that takes none."""
    if not dit.config.has_reference:
        raise ValueError("This model takes no picture to begin with; use orbit-s, or leave the image out.")
    reference, given = torch.zeros(1, *shape), torch.zeros(1, shape[0], dtype=torch.bool)
    reference[:, 0], given[:, 0] = encode_picture(vae, picture[None]), True
    return replace(condition, reference=reference, given=given)


def orbit_of(config: GenerateConfig) -> Orbit:
    """Return the cameras that the settings command."""
    return Orbit(config.elevation_deg, config.fov_deg, config.start_deg, config.span_deg)


def make_condition(
    captions: list[str], negative: str, orbit: Orbit, size: tuple[int, int, int], patch: int, encoder: TextEncoder
) -> Condition:
    """Say what clips should show, and from where; `size` is frames, height, width. On the encoder's device."""
    text, mask = encoder([*captions, negative])
    rays, angles = orbit_condition(orbit_rows([orbit], text.device), *size, patch)
    return Condition(text[:-1], mask[:-1], text[-1:], mask[-1:], rays, angles)


def check(config: GenerateConfig) -> None:
    """Raise ValueError where the settings name a clip that the model cannot make."""
    if config.num_frames < 2 or config.num_frames % TIME:
        even = max(config.num_frames + config.num_frames % TIME, 2)
        raise ValueError(f"An orbit has an even number of frames, not {config.num_frames}: try {even}.")
    unit = 2 * SPACE
    if config.height % unit or config.width % unit or min(config.height, config.width) < unit:
        height, width = (max(round(side / unit), 1) * unit for side in (config.height, config.width))
        raise ValueError(
            f"Height and width must be multiples of {unit}, not {config.height} and {config.width}: "
            f"try {height} and {width}."
        )
    if config.steps < 1:
        raise ValueError(f"The sampler needs at least one step, not {config.steps}: try 24.")
    if not config.shift > 0:
        raise ValueError(f"The shift of the sampler's times must be above 0, not {config.shift}: 1 shifts nothing.")
    if config.fps < 1:
        raise ValueError(f"A clip has at least one frame a second, not {config.fps}: try 8.")
    if not 1 <= config.candidates <= MOST_CANDIDATES:
        raise ValueError(f"Candidates are 1 to {MOST_CANDIDATES} clips, not {config.candidates}.")
    if config.mends < 0:
        raise ValueError(f"Frames are mended 0 times or more, not {config.mends}.")
    if not 0 <= config.refine <= MOST_REFINEMENTS:
        raise ValueError(f"A clip is refined 0 to {MOST_REFINEMENTS} times, not {config.refine}.")
    if not 0 < config.refine_strength < 1:
        raise ValueError(f"The strength of refining lies between 0 and 1, not at {config.refine_strength}: try 0.2.")
    if not 10 <= config.fov_deg <= 90:
        raise ValueError(f"The field of view must lie between 10 and 90 degrees, not at {config.fov_deg}.")
    if not abs(config.elevation_deg) <= 80:
        raise ValueError(f"The elevation must lie between -80 and 80 degrees, not at {config.elevation_deg}.")
    if not abs(config.start_deg) <= 360:
        raise ValueError(f"The start must lie between -360 and 360 degrees, not at {config.start_deg}.")
    if not 10 <= config.span_deg <= 360:
        raise ValueError(f"The orbit's span must lie between 10 and 360 degrees, not at {config.span_deg}.")
    model_path(config.model)


def unlearnt(config: GenerateConfig, attributes: Attributes | None = None) -> list[str]:
    """Return a sentence for each thing and each setting of a clip that lies far from what the model has learnt."""
    learnt, notes = trained_for(model_path(config.model)), []
    formats = [Format.read(text) for text in learnt.get("formats", [])]
    num_frames = learnt.get("num_frames")
    if num_frames:
        formats.append(Format(num_frames, learnt["size"], learnt["size"]))
    sizes = sorted({(form.width, form.height) for form in formats})
    if sizes and (config.width, config.height) not in sizes:
        known = " and ".join(f"{width} x {height}" for width, height in sizes)
        asked = f"{config.width} x {config.height}"
        notes.append(f"The model has learnt clips of {known} pixels; those of {asked} may come out badly.")
    if num_frames and not min(form.num_frames for form in formats) <= config.num_frames <= 2 * num_frames:
        notes.append(f"The model has learnt clips of {num_frames} frames; {config.num_frames} may come out badly.")
    if not LOWEST <= config.elevation_deg <= HIGHEST:
        notes.append(
            f"The model has learnt cameras from {LOWEST} to {HIGHEST} degrees of elevation; from "
            f"{config.elevation_deg:g} the subject may come out badly."
        )
    asked = [attributes.category, attributes.other_category] if attributes else []
    new = list(CATEGORIES)[learnt.get("categories", len(CATEGORIES)) :]
    for category in (name for name in asked if name in new):
        notes.append(f"The model has hardly seen any {plural(category)} yet: the result may vary.")
    if config.span_deg < 360:
        notes.append(f"The orbit covers {config.span_deg:g} of 360 degrees: no frame shows the other sides.")
    return notes


def load_networks(model: str) -> tuple[VideoAutoencoder, OrbitDiT]:
    """Return the two networks of an embedded model or a file; kept, so that a second call costs nothing."""
    path = model_path(model)
    return _load(path, fingerprint(path))[:2]


@lru_cache(maxsize=2)
def _load(path: Path, _fingerprint: tuple[int, ...]) -> tuple[VideoAutoencoder, OrbitDiT, dict[str, Any]]:
    return load_model(path)


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
) -> Float[Tensor, "b t c h w"]:
    """Integrate the flow from noise to latents; while guidance is on, both captions go through in one batch.

    `held` gives latents and which of them are to come out as they are; `start` is the time at which `noise` stands.
    """
    b, c = len(noise), condition
    text = torch.cat([c.text, c.null_text.expand(b, -1, -1)])
    mask = torch.cat([c.text_mask, c.null_mask.expand(b, -1)])
    rays, angles = (_twice(x.expand(b, *x.shape[1:])) for x in (c.rays, c.angles))
    reference = None if c.reference is None else _twice(c.reference)
    given = None if c.given is None else _twice(c.given)

    def velocity(z: Tensor, t: float) -> Tensor:
        times = torch.full((2 * b,), t, device=z.device)
        if not guide.is_on(t):
            return dit(z, times[:b], c.text, c.text_mask, c.rays, c.angles, c.reference, c.given)
        v, v_null = dit(_twice(z), times, text, mask, rays, angles, reference, given).chunk(2)
        return guide.velocity(z, t, v, v_null)

    if held is None:
        return integrate(velocity, noise, steps, shift=shift, start=start, progress=progress)
    straight, stays = noise - held[0], held[1][:, None, None, None]
    return integrate(
        lambda z, t: torch.where(stays, straight, velocity(z, t)), noise, steps, shift=shift, progress=progress
    )


def _twice(x: Tensor) -> Tensor:
    return torch.cat([x, x])


def to_clip(decoded: Float[Tensor, "f 5 h w"], orbit: Orbit, fps: int, prompt: str, caption: str, seed: int) -> Clip:
    """Turn decoded channels in [0,1] into a clip: colour on white, soft alpha without haze, depth as z."""
    f, _, height, width = decoded.shape
    alpha = clean_alpha(decoded[:, 3])
    covered = alpha > 0
    depth = torch.from_numpy(decode_depth(decoded[:, 4].numpy(), orbit_radius(orbit.fov_deg))).float()
    frames = rearrange(decoded[:, :3], "f c h w -> f h w c")
    frames = torch.where(covered[..., None], frames, torch.ones(()))
    K = torch.from_numpy(intrinsics(orbit.fov_deg, height, width)).float()
    return Clip(
        frames=(frames * 255).round().to(torch.uint8),
        alpha=alpha,
        depth=depth * covered,
        K=K.expand(f, 3, 3).contiguous(),
        c2w=torch.from_numpy(orbit.c2w(f).astype(np.float32)),
        fps=fps,
        prompt=prompt,
        caption=caption,
        seed=seed,
    )


def from_clip(clip: Clip, orbit: Orbit) -> Float[Tensor, "f 5 h w"]:
    """Undo `to_clip`, but for the haze: the channels that the autoencoder codes."""
    alpha, depth = _maps(clip)
    encoded = encode_depth(depth.numpy(), (depth > 0).numpy(), orbit_radius(orbit.fov_deg))
    colors = rearrange(clip.frames.float() / 255, "f h w c -> f c h w")
    return torch.cat([colors, alpha[:, None], torch.from_numpy(encoded).float()[:, None]], dim=1)


def _maps(clip: Clip) -> tuple[Tensor, Tensor]:
    """Return alpha and depth [f,h,w], which clips of the embedded model have."""
    assert clip.alpha is not None
    assert clip.depth is not None
    return clip.alpha, clip.depth


def clean_alpha(alpha: Tensor) -> Tensor:
    """Stretch coverage so that the decoder's haze (below 0.1) is nothing and almost solid (above 0.9) is solid."""
    return ((alpha - 0.1) / 0.8).clamp(0, 1)
