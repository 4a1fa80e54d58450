"""Time the sampler, and hold it against the bare matrix products that it cannot do without.

    python benchmarks/sampler.py [--model orbit-s] [--frames 24] [--size 128] [--threads 2] [--repeats 3]

Every linear layer and every attention of one sampling is counted by its shape; then the same products are timed alone,
in the same process and numbers. What is above 1 is norms, gates, rotations and the rest of the text encoder. Where the
processor has units for bf16, which `dtype: auto` takes there, float32 is timed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import nn

from generator import dit, layers
from generator.config import GenerateConfig
from generator.formats import least_side
from generator.latents import sizes_of
from generator.match import NUM_VIEWS
from generator.sample import generate, numbers
from generator.stepper import cpu_multiplies_bf16
from generator.vae import SPACE, TIME, VideoAutoencoder
from generator.weights import load_model, model_path
from vid2three.config import MakeConfig, load_config

PROMPT = "a glossy red mug with a blue handle"
DTYPES = ("float32", "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="orbit-s")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = {"num_frames": options.frames, "height": options.size, "width": options.size}
    print(f"{options.model}, {options.frames} x {options.size} x {options.size}, {options.threads} threads, medians")
    vae, _, settings = load_model(model_path(options.model))
    has_units = cpu_multiplies_bf16()
    rows = [(name, dtype) for name in ("standard", "draft") for dtype in DTYPES[: 2 if has_units else 1]]
    for name, dtype in rows:
        config = replace(load_config(MakeConfig(), name).generate, model=options.model, dtype=dtype, **shape)
        counted = products(config)
        whole = timed(lambda config=config: generate(PROMPT, config), options.repeats)
        bare = timed(lambda counted=counted, dtype=dtype: multiply(counted, getattr(torch, dtype)), options.repeats)
        coded = timed(lambda config=config: code(vae, config, least_side(settings)), options.repeats)
        print(
            f"{name:9s} {dtype:8s} {config.steps:3d} steps, {config.drafts} drafts: {whole:6.2f} s, of it autoencoder "
            f"{coded:5.2f} s; matrix products alone {bare:5.2f} s; sampler without autoencoder / products "
            f"{(whole - coded) / bare:.2f}"
        )


def timed(work: Callable[[], object], repeats: int) -> float:
    """Return the median of wall seconds, after one run that is not counted."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def products(config: GenerateConfig) -> Counter:
    """Return how often each product is taken in one sampling: (batch, rows, inner, columns)."""
    counted: Counter = Counter()

    def linear(module: nn.Module, args: tuple[torch.Tensor, ...], _: object) -> None:
        if isinstance(module, nn.Linear):
            counted[1, args[0].numel() // args[0].shape[-1], module.in_features, module.out_features] += 1

    own = layers.attend

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        batch = q.shape[0] * q.shape[1]
        counted[batch, q.shape[2], q.shape[3], k.shape[2]] += 1
        counted[batch, q.shape[2], k.shape[2], q.shape[3]] += 1
        return own(q, k, v, mask)

    handle = nn.modules.module.register_module_forward_hook(linear)
    fits, layers.attend, dit.fits = dit.fits, attend, lambda _: False  # the plain blocks, whose layers can be heard
    try:
        generate(PROMPT, config)
    finally:
        layers.attend, dit.fits = own, fits
        handle.remove()
    return counted


def multiply(counted: Counter, dtype: torch.dtype) -> None:
    """Take every product as often as it was counted."""
    with torch.inference_mode():
        for (batch, rows, inner, columns), times in counted.items():
            a, b = torch.ones(batch, rows, inner, dtype=dtype), torch.ones(batch, inner, columns, dtype=dtype)
            if batch == 1:
                a, b = a[0], b[0]
            for _ in range(times):
                a @ b


def code(vae: VideoAutoencoder, config: GenerateConfig, coarsest: int) -> None:
    """Do what the autoencoder does in one sampling: glance at all drafts, decode at each size those that are finished,
    and encode what was enlarged."""
    frames, sizes = config.num_frames, sizes_of(config.height, config.width, coarsest)
    drafts = min(config.finished, config.drafts)
    with torch.inference_mode(), numbers(config):
        for level, (height, width) in enumerate(sizes):
            is_draft = level == 0 < len(sizes) - 1
            clips = drafts if is_draft else 1
            cells = vae.config.latent_channels, height // SPACE, width // SPACE
            if is_draft and drafts < config.drafts:
                vae.decode(torch.zeros(NUM_VIEWS * config.drafts, 1, *cells))
            if level > 0:
                vae.encode(torch.zeros(1, frames, vae.config.channels, height, width))
            vae.decode(torch.zeros(clips, frames // TIME, *cells))


if __name__ == "__main__":
    main()
