"""What models are judged by: held-out scenes, renders of them, what a model makes of their captions, and its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from .condition import orbit_cameras, orbit_rows
from .config import GenerateConfig
from .data import Orbit, make_clip, sample_orbit
from .dit import OrbitDiT
from .grammar import Attributes, make_scene, sample_attributes
from .judge import NUM_VIEWS, SIZE, Judge, accuracy, judge_views, labels
from .latents import sample_clips
from .text import TextEncoder
from .vae import VideoAutoencoder
from .words import long_caption

JUDGED_SEED = 1001  # of the scenes that models are judged by


def draw_example(seed: int, i: int, held_out: bool | None) -> tuple[Attributes, Orbit, np.ndarray]:
    """Draw a random scene and a camera: what it shows, from where, and its solids."""
    rng = np.random.default_rng((seed, 77, i))
    attributes, orbit = sample_attributes(rng, held_out), sample_orbit(rng)
    return attributes, orbit, make_scene(attributes, rng)


def render_examples(
    num: int, seed: int, held_out: bool | None, device: torch.device | None = None, workers: int = 1
) -> tuple[UInt8[Tensor, "n 4 3 96 96"], list[Attributes]]:
    """Trace the judge's views of random scenes; returns them, on the device, and what they show.

    Scenes are drawn, and without a GPU traced, by `workers` processes.
    """
    if device is not None and device.type == "cuda":
        drawn = _in_processes(draw_example, [(seed, i, held_out) for i in range(num)], workers)
        views = torch.cat([_trace_on_device(drawn[i : i + 256], device) for i in range(0, num, 256)])
        shown = [attributes for attributes, _, _ in drawn]
    else:
        traced = _in_processes(_trace_example, [(seed, i, held_out) for i in range(num)], workers)
        views, shown = torch.stack([torch.from_numpy(frames) for _, frames in traced]), [each for each, _ in traced]
    return views, shown


def _in_processes(function: Callable, arguments: list[tuple], workers: int) -> list:
    if workers == 1:
        return [function(*each) for each in arguments]
    with get_context("spawn").Pool(workers) as pool:
        return pool.starmap(function, arguments, chunksize=64)


def _trace_example(seed: int, i: int, held_out: bool | None) -> tuple[Attributes, np.ndarray]:
    attributes, orbit, scene = draw_example(seed, i, held_out)
    clip, _ = make_clip(scene, orbit, NUM_VIEWS, SIZE, SIZE)
    return attributes, np.ascontiguousarray(clip[..., :3].transpose(0, 3, 1, 2))


def _trace_on_device(drawn: list[tuple[Attributes, Orbit, np.ndarray]], device: torch.device) -> Tensor:
    from .cuda_tracer import trace_clips

    c2w, K, _ = orbit_cameras(orbit_rows((orbit for _, orbit, _ in drawn), device), NUM_VIEWS, SIZE, SIZE)
    return trace_clips([scene for _, _, scene in drawn], c2w, K, SIZE, SIZE).rgb.movedim(-1, 2).contiguous()


@torch.no_grad()
def generate_views(
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    captions: list[str],
    num_frames: int,
    size: int,
    coarsest: int,
    seed: int,
    config: GenerateConfig | None = None,
    wanted: Sequence[Attributes | None] | None = None,
    batch: int = 16,
) -> UInt8[Tensor, "n 4 3 h w"]:
    """Generate a clip for each caption, by default as users get it; return views of them, a quarter of a turn apart.
    What a caption's attributes are is `wanted`."""
    config = replace(config or GenerateConfig(), num_frames=num_frames, height=size, width=size)
    generator = torch.Generator().manual_seed(seed)
    views = []
    orbit = sample_orbit(np.random.default_rng(seed))
    for rows in (slice(i, i + batch) for i in range(0, len(captions), batch)):
        asked = wanted and wanted[rows]
        z = sample_clips(vae, dit, encoder, captions[rows], orbit, config, generator, coarsest=coarsest, wanted=asked)
        quarters = torch.arange(NUM_VIEWS) * num_frames // NUM_VIEWS
        decoded = vae.decode(z)[:, quarters, :3].clamp(0, 1)
        views.append((decoded * 255).round().to(torch.uint8).cpu())
    return torch.cat(views)


def score(
    judge: Judge,
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    num: int,
    num_frames: int,
    size: int,
    coarsest: int,
    workers: int = 1,
) -> dict[str, dict[str, float]]:
    """Return accuracies by attribute: the model on seen and on held-out pairs, and the judge's ceiling on renders."""
    scores = {}
    for name, held_out in (("seen", False), ("held_out", True)):
        device = next(judge.parameters()).device
        real, attributes = render_examples(num, JUDGED_SEED, held_out, device, workers)
        wanted = {name: value.to(device) for name, value in labels(attributes).items()}
        captions = [long_caption(a) for a in attributes]
        views = generate_views(vae, dit, encoder, captions, num_frames, size, coarsest, seed=1, wanted=attributes)
        scores[name] = accuracy(judge_views(judge, views.to(device)), wanted)
        scores[f"{name}_ceiling"] = accuracy(judge_views(judge, real), wanted)
    return scores
