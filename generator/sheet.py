"""Contact sheets of a model in training: fixed prompts, fixed noise, so that sheets can be laid side by side."""

from __future__ import annotations

from pathlib import Path

import torch
from einops import rearrange
from PIL import Image

from .config import GenerateConfig
from .data import Orbit
from .dit import OrbitDiT
from .latents import sample_clips
from .text import TextEncoder
from .vae import VideoAutoencoder

CAPTIONS = [
    "A 3D model of a round mug, matte. The body is plain red. The handle is blue.",
    "A 3D model of a wooden dining chair, matte. The seat is plain green. The legs are black.",
    "A 3D model of a sports car, glossy. The body is plain yellow. The cabin is black.",
    "A 3D model of a pine tree, matte. The leaves are plain green. The trunk is brown.",
    "A 3D model of a round vase, glossy. The body is blue with white polka dots. The rim is orange.",
    "A 3D model of a boxy robot, metallic. The body is plain grey. The limbs are red.",
    "A 3D model of a sitting cat, matte. The fur is plain orange. The paws are white.",
    "A 3D model of an armoured person, matte. The clothes are plain grey. The hat is blue.",
    "a treasure chest",
]
SHOWN_FRAMES = 8


@torch.no_grad()
def write_sheet(
    path: Path,
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    num_frames: int,
    size: int,
    coarsest: int,
) -> None:
    """Write a PNG with one caption a row and frames of its orbit side by side, colour on white."""
    config = GenerateConfig(num_frames=num_frames, height=size, width=size, drafts=1)
    generator = torch.Generator().manual_seed(0)
    z = sample_clips(vae, dit, encoder, CAPTIONS, Orbit(15.0, 40.0), config, generator, coarsest=coarsest)
    frames = vae.decode(z)[:, :: max(num_frames // SHOWN_FRAMES, 1), :3].clamp(0, 1).cpu()
    sheet = rearrange(frames, "b f c h w -> (b h) (f w) c")
    Image.fromarray((sheet * 255).round().to(torch.uint8).numpy()).save(path)
