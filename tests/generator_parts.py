"""What several tests of the generator are made from: one solid as a scene, and models of a few thousand weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from generator import sdf
from generator.config import DitConfig, PhaseConfig, TrainConfig, VaeConfig
from generator.data import SHARD_SIZE, Recipe, write_shard
from generator.dit import OrbitDiT
from generator.vae import VideoAutoencoder

VAE = VaeConfig(widths=(8, 8, 16), latent_channels=4)
DIT = DitConfig(latent_channels=4, width=64, depth=2, heads=2, mlp_hidden=48)
FRAMES, SIZE = 4, 16  # of clips to train on
RECIPE = Recipe(edit_pairs_share=0.5)
REFERRING = replace(DIT, has_reference=True)


def training_shard(folder: Path) -> Path:
    """Write a shard of clips into a new folder and return its file."""
    folder.mkdir()
    write_shard(folder, 0, RECIPE, FRAMES, SIZE)
    return folder / "0000.npy"


def tiny(folder: Path, **changes) -> TrainConfig:
    """A training of seconds."""
    phase = PhaseConfig(minutes=0.04, batch=4, warmup=5)
    config = TrainConfig(
        name="tiny",
        folder=str(folder),
        num_frames=FRAMES,
        size=SIZE,
        num_clips=SHARD_SIZE,
        workers=1,
        edit_pairs_share=0.5,
        vae=VAE,
        dit=DIT,
        vae_phase=phase,
        dit_phase=phase,
        judge_clips=8,
        judge_epochs=1,
        judged_clips=2,
        device="cpu",
        bf16=False,
        checkpoint_minutes=0.01,
    )
    return replace(config, **changes)


def solid(kind: int, size, center=(0.0, 0.0, 0.0), color=(0.5, 0.5, 0.5), bound: float = 2.0, **columns) -> np.ndarray:
    """A row of the tracer's scene: one plain matte solid in the world's axes; `columns` by their names in sdf.py."""
    row = np.zeros(sdf.NUM_COLUMNS)
    row[sdf.KIND], row[sdf.BOUND] = kind, bound
    row[sdf.CENTER : sdf.CENTER + 3] = center
    row[sdf.ROTATION : sdf.ROTATION + 9] = np.eye(3).ravel()
    row[sdf.SIZE : sdf.SIZE + len(size)] = size
    row[sdf.COLOR : sdf.COLOR + 3] = color
    row[sdf.PERIOD] = row[sdf.AROUND] = 1
    for name, value in columns.items():
        row[getattr(sdf, name.upper())] = value
    return row


def tiny_vae(seed: int = 0) -> VideoAutoencoder:
    torch.manual_seed(seed)
    return awake(VideoAutoencoder(VAE)).eval()


def tiny_dit(seed: int = 0, config: DitConfig = DIT) -> OrbitDiT:
    torch.manual_seed(seed)
    return awake(OrbitDiT(config)).eval()


def awake(model: nn.Module) -> nn.Module:
    """Fill the weights that start at zero, so that every path through the network is heard."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.2)
    return model
