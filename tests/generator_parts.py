"""What several tests of the generator are made from: one solid as a scene, and models of a few thousand weights."""

import numpy as np
import torch
from torch import nn

from generator import sdf
from generator.config import DitConfig, VaeConfig
from generator.dit import OrbitDiT
from generator.vae import VideoAutoencoder

VAE = VaeConfig(widths=(8, 8, 16), latent_channels=4)
DIT = DitConfig(latent_channels=4, width=64, depth=2, heads=2, mlp_hidden=48)


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


def tiny_dit(seed: int = 0) -> OrbitDiT:
    torch.manual_seed(seed)
    return awake(OrbitDiT(DIT)).eval()


def awake(model: nn.Module) -> nn.Module:
    """Fill the weights that start at zero, so that every path through the network is heard."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.2)
    return model
