"""The transformer's phase of training: latents and conditions of the clips, loss, moving average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .data import Orbit, Sample, read_samples
from .dit import OrbitDiT
from .flow import interpolate, sample_times
from .rays import frame_pairs, intrinsics, latent_angles, plucker_rays
from .text import TextEncoder
from .vae import SPACE, VideoAutoencoder
from .words import sample_caption


@dataclass(frozen=True)
class LatentClips:
    """All training clips as latents [N,T,C,h,w] in half precision, with what they show."""

    z: np.ndarray
    samples: list[Sample]
    num_frames: int
    size: int


@dataclass(frozen=True)
class Batch:
    """One step's worth of inputs of the transformer."""

    z: Tensor
    text: Tensor
    text_mask: Tensor
    rays: Tensor
    angles: Tensor


def orbit_condition(
    orbit: Orbit, num_frames: int, height: int, width: int, patch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rays [F/2, h, w, 12] of each token and the angle [F/2] of each latent frame."""
    c2w = orbit.c2w(num_frames)
    rays = plucker_rays(intrinsics(orbit.fov_deg, height, width), c2w, height, width, SPACE * patch)
    return frame_pairs(rays), latent_angles(c2w)


@torch.no_grad()
def encode_shard(vae: VideoAutoencoder, path: Path, to_path: Path, batch: int, device: torch.device) -> None:
    """Write the latents of one shard as float16, unless they are there."""
    from .train_vae import to_model

    if to_path.exists():
        return
    clips = np.load(path, mmap_mode="r")
    parts = [
        vae.encode(to_model(np.array(clips[i : i + batch]), device)).half().cpu().numpy()
        for i in range(0, len(clips), batch)
    ]
    partial = to_path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, np.concatenate(parts))
    partial.replace(to_path)


def load_latents(latents: list[Path], shards: list[Path], num_frames: int, size: int) -> LatentClips:
    z = np.concatenate([np.load(path) for path in latents])
    return LatentClips(z, [sample for path in shards for sample in read_samples(path)], num_frames, size)


def draw_batch(
    clips: LatentClips,
    encoder: TextEncoder,
    rng: np.random.Generator,
    size: int,
    caption_drop: float,
    patch: int,
    device: torch.device,
) -> Batch:
    """Draw clips at random, with new captions; some captions are empty, which teaches guidance its null."""
    index = rng.integers(len(clips.z), size=size)
    samples = [clips.samples[i] for i in index]
    captions = ["" if rng.random() < caption_drop else sample_caption(sample.attributes, rng) for sample in samples]
    text, text_mask = encoder(captions)
    conditions = [orbit_condition(sample.orbit, clips.num_frames, clips.size, clips.size, patch) for sample in samples]
    return Batch(
        z=torch.from_numpy(clips.z[index]).float().to(device),
        text=text.to(device),
        text_mask=text_mask.to(device),
        rays=torch.from_numpy(np.stack([rays for rays, _ in conditions])).float().to(device),
        angles=torch.from_numpy(conditions[0][1]).float().to(device),
    )


def dit_loss(dit: Callable[..., Tensor], batch: Batch, generator: torch.Generator, time_shift: float) -> Tensor:
    """Mean squared error of the velocity eps - z at random times (rectified flow)."""
    t = sample_times(len(batch.z), generator, time_shift).to(batch.z)
    eps = torch.randn(batch.z.shape, generator=generator).to(batch.z)
    v = dit(interpolate(batch.z, eps, t), t, batch.text, batch.text_mask, batch.rays, batch.angles)
    return (v.float() - (eps - batch.z)).square().mean()


@torch.no_grad()
def update_ema(ema: OrbitDiT, dit: OrbitDiT, step: int, decay: float) -> None:
    """Move the average towards the weights; early on the average is short, so that the start is forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(ema.parameters()), list(dit.parameters()), 1 - decay)
