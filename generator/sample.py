"""From a prompt to an orbit clip: text, noise, flow, decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
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
from .config import GenerateConfig
from .data import Orbit, decode_depth, encode_depth
from .dit import OrbitDiT
from .formats import learnt_formats, least_side
from .grammar import CATEGORIES, Attributes
from .latents import Guide, latent_shape, make_condition, sample_clips, sample_latents
from .rays import intrinsics, orbit_radius
from .stepper import autocast, cpu_multiplies_bf16
from .text import load_text_encoder
from .vae import TIME, UNIT, VideoAutoencoder
from .weights import fingerprint, load_model, model_path, trained_for
from .words import plural

MOST_CANDIDATES = 64
MOST_REFINEMENTS = 16
LOWEST, HIGHEST = -10, 50  # elevation of training clips, as data.sample_orbit draws it


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
    asked = expand(prompt)
    vae, dit, learnt = _networks_and_settings(config.model)
    orbit, generator = orbit_of(config), torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        with numbers(config):
            z = sample_clips(
                vae,
                dit,
                load_text_encoder(),
                [asked.text],
                orbit,
                config,
                generator,
                coarsest=least_side(learnt),
                wanted=[asked.attributes],
                scenes=[asked.scene],
                picture=picture,
                progress=progress,
            )
        decoded = vae.decode(z, orbit.is_closed).clamp(0, 1)[0]
    return to_clip(decoded, orbit, config.fps, prompt, asked.text, seed)


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
    decoded = _sampled_from(clip, config, seed, progress, stays=~is_new)
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
    decoded = _sampled_from(clip, config, seed, progress, start=strength)
    return to_clip(decoded, orbit_of(config), config.fps, clip.prompt, clip.caption, clip.seed)


def _sampled_from(
    clip: Clip,
    config: GenerateConfig,
    seed: int,
    progress: Callable[[int, int], None] | None,
    *,
    stays: Bool[Tensor, " t"] | None = None,
    start: float = 1.0,
) -> Float[Tensor, "f 5 h w"]:
    """Sample a clip that is there again, and decode it: from noise but for the latents that stay, or from the time
    `start` up to which it is noised."""
    vae, dit = load_networks(config.model)
    orbit, shape = orbit_of(config), (config.num_frames, config.height, config.width)
    noise = torch.randn(1, *latent_shape(shape, dit), generator=torch.Generator().manual_seed(seed))
    condition = make_condition(
        [clip.caption], config.negative_prompt, orbit, shape, dit.config.patch, load_text_encoder()
    )
    with torch.inference_mode():
        known = vae.encode(from_clip(clip, orbit)[None], orbit.is_closed)
        noisy = start * noise + (1 - start) * known
        held = None if stays is None else (known, stays)
        with numbers(config):
            z = sample_latents(
                dit, noisy, condition, Guide.of(config), config.steps, config.shift, progress, held, start
            )
        return vae.decode(z, orbit.is_closed).clamp(0, 1)[0]


def numbers(config: GenerateConfig) -> AbstractContextManager:
    """Return the context in which the transformer computes, in the numbers that the settings ask for."""
    is_short = cpu_multiplies_bf16() if config.dtype == "auto" else config.dtype == "bfloat16"
    return autocast(torch.device("cpu"), is_short)


def orbit_of(config: GenerateConfig) -> Orbit:
    """Return the cameras that the settings command."""
    return Orbit(config.elevation_deg, config.fov_deg, config.start_deg, config.span_deg)


def check(config: GenerateConfig) -> None:
    """Raise ValueError where the settings name a clip that the model cannot make."""
    if config.num_frames < 2 or config.num_frames % TIME:
        even = max(config.num_frames + config.num_frames % TIME, 2)
        raise ValueError(f"An orbit has an even number of frames, not {config.num_frames}: try {even}.")
    if config.height % UNIT or config.width % UNIT or min(config.height, config.width) < UNIT:
        height, width = (max(round(side / UNIT), 1) * UNIT for side in (config.height, config.width))
        raise ValueError(
            f"Height and width must be multiples of {UNIT}, not {config.height} and {config.width}: "
            f"try {height} and {width}."
        )
    if config.steps < 1:
        raise ValueError(f"The sampler needs at least one step, not {config.steps}: try 24.")
    if not config.emphasis >= 0:
        raise ValueError(f"The emphasis is 0 or more, not {config.emphasis}: 0 leaves all to the guidance.")
    if not config.shift > 0:
        raise ValueError(f"The shift of the sampler's times must be above 0, not {config.shift}: 1 shifts nothing.")
    if not 0 < config.fine_from <= 1:
        raise ValueError(f"fine_from is a time above 0 and up to 1, not {config.fine_from}: try 0.85.")
    if not 0 < config.laid_from <= 1:
        raise ValueError(f"laid_from is a time above 0 and up to 1, not {config.laid_from}: try 0.5.")
    if config.fps < 1:
        raise ValueError(f"A clip has at least one frame a second, not {config.fps}: try 8.")
    if not 1 <= config.candidates <= MOST_CANDIDATES:
        raise ValueError(f"Candidates are 1 to {MOST_CANDIDATES} clips, not {config.candidates}.")
    if not 1 <= config.drafts <= MOST_CANDIDATES:
        raise ValueError(f"Drafts are 1 to {MOST_CANDIDATES} small clips, not {config.drafts}: try 16.")
    if config.finished < 1:
        raise ValueError(f"At least one draft is finished, not {config.finished}: try 3.")
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
    formats, num_frames = learnt_formats(learnt), learnt.get("num_frames")
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
    return _networks_and_settings(model)[:2]


def _networks_and_settings(model: str) -> tuple[VideoAutoencoder, OrbitDiT, dict[str, Any]]:
    path = model_path(model)
    return _load(path, fingerprint(path))


@lru_cache(maxsize=2)
def _load(path: Path, _fingerprint: tuple[int, ...]) -> tuple[VideoAutoencoder, OrbitDiT, dict[str, Any]]:
    return load_model(path)


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
