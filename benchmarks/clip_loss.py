"""How far models' velocities lie from those of clips that none has seen, at 64 px, where sampling begins.

    python benchmarks/clip_loss.py CLIPS orbit-s other.safetensors --categories 54

CLIPS is a folder for 512 fresh clips of the grammar, rendered the first time. All models see the same clips, captions,
times and noise, so small differences count: the last figure is that from the first model, with its standard error over
batches. Where models of one training are to be averaged (`python -m generator.average`), this finds the shares in
minutes; what a clip shows is judged by judged.py. --categories N holds the first N kinds apart from the others.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from generator.config import TrainConfig
from generator.grammar import CATEGORIES
from generator.stepper import autocast
from generator.text import load_text_encoder
from generator.train import Trainer
from generator.train_dit import LatentClips, Mixture, dit_loss, draw_batches
from generator.weights import load_model, model_path

SEED = 999  # of the clips; no plan under configs/ trains on it
SIZE, BATCH = 64, 16
TIME_SHIFT = 2.0  # at 64 px, as configs/train-s-cpu.yaml has it


def encode_fresh_clips(folder: Path, num: int, num_categories: int, model: str) -> dict[str, LatentClips]:
    """Return fresh clips as latents: of the first kinds of the grammar alone, and of the others."""
    vae = load_model(model_path(model))[0]
    config = TrainConfig(
        folder=str(folder), seed=SEED, num_frames=24, size=SIZE, num_clips=num, vae=vae.config, device="cpu"
    )
    trainer = Trainer(config, lambda line: None)
    trainer.render()
    clips = trainer.encode(vae)[0]
    late = set(list(CATEGORIES)[num_categories:])
    shown = [sample.attributes for _, _, samples in trainer.source.shards() for sample in samples]
    is_late = torch.tensor([bool({a.category, a.other_category} & late) for a in shown if a is not None])
    parts = {f"first {num_categories} kinds": ~is_late, "the others": is_late}
    return {
        name: LatentClips(*(value[rows] for value in clips.tensors().values()))
        for name, rows in parts.items()
        if rows.any()
    }


@torch.no_grad()
def losses(model: str, clips: LatentClips, num_batches: int) -> torch.Tensor:
    """Return the loss of each batch of clips."""
    dit, encoder, generator = load_model(model_path(model))[1], load_text_encoder(), torch.Generator().manual_seed(0)
    cpu, found = torch.device("cpu"), []
    with autocast(cpu, True):
        for _ in range(num_batches):
            (batch,) = draw_batches(clips, encoder, 1, BATCH, Mixture(0.0), dit.config.patch, cpu, generator)
            found.append(dit_loss(dit, batch, generator, TIME_SHIFT))
    return torch.stack(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="a folder for the clips")
    parser.add_argument("models", nargs="+", help="names or .safetensors files, all with one autoencoder")
    parser.add_argument("--num", type=int, default=512, help="clips")
    parser.add_argument("--batches", type=int, default=28, help=f"of {BATCH} clips, of each part")
    parser.add_argument("--categories", type=int, default=len(CATEGORIES), help="how many kinds to hold apart")
    options = parser.parse_args()
    parts = encode_fresh_clips(options.clips, options.num, options.categories, options.models[0])
    first: dict[str, torch.Tensor] = {}
    for model in options.models:
        for name, clips in parts.items():
            found = losses(model, clips, options.batches)
            apart = found - first.setdefault(name, found)
            error = float(apart.std()) / len(apart) ** 0.5
            print(f"{model}, {name}: {float(found.mean()):.4f}, {float(apart.mean()):+.4f} +- {error:.4f}", flush=True)


if __name__ == "__main__":
    main()
