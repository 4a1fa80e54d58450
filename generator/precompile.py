"""The transformer's training step, compiled ahead: in a process of its own, while the autoencoder trains.

What it leaves in the compiler's cache makes the trainer's own compilation a matter of seconds (H200: 52 s for the half
size and 28 s for the full one become 4 s and 2 s).
"""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.process import BaseProcess

import torch

from . import layers
from .config import TrainConfig
from .dit import RAY_CHANNELS, OrbitDiT
from .formats import Format, batch_of, formats_of
from .stepper import autocast
from .text import MAX_TOKENS
from .train_dit import Batch, dit_loss
from .vae import SPACE, TIME


def start(config: TrainConfig) -> BaseProcess:
    """Start the process (a daemon: it ends with the caller)."""
    process = get_context("spawn").Process(target=run, args=(config,), daemon=True)
    process.start()
    return process


def compile_blocks(dit: OrbitDiT) -> None:
    """Have the blocks compiled when they are first called; each kind of block and shape once."""
    torch._dynamo.config.recompile_limit = 64
    # torch 2.13 compiles its backward pass on a CPU into NaN. No decorator there: it would import the compiler
    layers.attend_by_products = torch.compiler.disable(layers.attend_by_products)
    for block in dit.blocks:
        block.compile(dynamic=False)


def run(config: TrainConfig) -> None:
    """Take one step of each shape on noise."""
    c, device = config, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    dit, generator = OrbitDiT(c.dit).to(device), torch.Generator().manual_seed(0)
    compile_blocks(dit)
    for form in formats_of(c):
        with autocast(device, c.bf16):
            loss = dit_loss(dit, noise_batch(c, form, batch_of(c, form), device), generator, c.time_shift)
        loss.backward()


def noise_batch(config: TrainConfig, form: Format, batch: int, device: torch.device) -> Batch:
    """Return a batch of the shapes and kinds that the trainer's have."""
    c, t, h, w = config, form.num_frames // TIME, form.height // SPACE, form.width // SPACE
    z = torch.randn(batch, t, c.dit.latent_channels, h, w, device=device)
    has_reference = c.picture_share > 0 or c.edit_share > 0
    return Batch(
        z=z,
        text=torch.randn(batch, MAX_TOKENS, c.dit.text_width, device=device),
        text_mask=torch.ones(batch, MAX_TOKENS, dtype=torch.bool, device=device),
        rays=torch.randn(batch, t, h // c.dit.patch, w // c.dit.patch, RAY_CHANNELS, device=device),
        angles=torch.rand(batch, t, device=device),
        reference=torch.randn_like(z) if has_reference else None,
        given=torch.zeros(batch, t, dtype=torch.bool, device=device) if has_reference else None,
    )
