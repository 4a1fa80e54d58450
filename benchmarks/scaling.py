"""Loss and match against compute for three sizes of the transformer, and the picture of it.

    python benchmarks/scaling.py FOLDER [--corpus corpus.npz] [--budgets 6e13 2.4e14]

Each size is trained from nothing to each budget of floating-point operations, by the trainer's own loss, optimizers and
data, on clips of 24 x 64 x 64 that the shipped autoencoder encodes, so that all sizes see the same latents. FOLDER
keeps clips and results; called again, it goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from torch import Tensor

from generator.condition import orbit_condition, orbit_rows
from generator.config import DitConfig, PhaseConfig, TrainConfig
from generator.corpus import Corpus
from generator.data import Sample, draw_scene, make_clip, sample_orbit
from generator.dit import OrbitDiT
from generator.flow import interpolate
from generator.grammar import sample_attributes
from generator.judge import Sampler, generate_views
from generator.match import load_matcher, retrieval, text_features
from generator.optimizers import make_optimizers
from generator.precompile import compile_blocks
from generator.stepper import Stepper, autocast
from generator.text import TextEncoder, load_text_encoder
from generator.train import Trainer
from generator.train_dit import (
    Batch,
    LatentClips,
    Mixture,
    dit_loss,
    draw_batches,
    ema_weight,
    encode_clips,
    update_ema,
)
from generator.train_vae import to_model
from generator.vae import VideoAutoencoder
from generator.words import long_caption

SIZES = {  # width, blocks, heads, hidden, learning rate
    "2 M": (DitConfig(width=128, depth=6, heads=2, mlp_hidden=320, rope_height=16.0), 2e-3),
    "6 M": (DitConfig(width=224, depth=7, heads=4, mlp_hidden=512, rope_height=16.0), 1.5e-3),
    "18 M": (DitConfig(width=384, depth=9, heads=6, mlp_hidden=896, rope_height=16.0), 1e-3),
}
FRAMES, PIXELS, BATCH, SHIFT = 24, 64, 16, 2.0
TOKENS = FRAMES // 2 * (PIXELS // 16) ** 2
NUM_VAL, NUM_PROMPTS = 128, 120
TIMES = (0.15, 0.35, 0.55, 0.75, 0.9)  # of the held-out loss
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def flops(dit: OrbitDiT) -> float:
    """Return the operations of one training clip: 6 x parameters x tokens, and attention."""
    c = dit.config
    parameters = sum(p.numel() for p in dit.parameters())
    return 6 * parameters * TOKENS + 12 * TOKENS**2 * c.width * c.depth


def data(folder: Path, corpus: str, num_clips: int) -> tuple[VideoAutoencoder, LatentClips]:
    """Render and encode the training clips, or read those that are there."""
    nothing = PhaseConfig(minutes=0)
    config = TrainConfig(
        folder=str(folder),
        num_frames=FRAMES,
        size=PIXELS,
        num_clips=num_clips,
        workers=1,
        corpus=corpus,
        resume_from="orbit-s",
        vae=replace(TrainConfig().vae, widths=(64, 128, 192)),
        vae_phase=nothing,
        dit_phase=nothing,
    )
    trainer = Trainer(config, print)
    trainer.render()
    vae = trainer.train_vae()
    return vae, trainer.encode(vae)[0]


@torch.no_grad()
def held_out(vae: VideoAutoencoder, corpus: Corpus, encoder: TextEncoder) -> tuple[Tensor, dict[str, Tensor]]:
    """Return latents that no training clip shows, half scenes and half models of artists, and their conditions."""
    rng = np.random.default_rng(7)
    drawn = [
        draw_scene(sample_attributes(rng, held_out=True), sample_orbit(rng), rng, rng) for _ in range(NUM_VAL // 2)
    ]
    meshes = [corpus.draw(rng, held_out=True, num_captions=6) for _ in range(NUM_VAL // 2)]
    drawn += [(Sample(sample_orbit(rng), None, mesh.captions), mesh) for mesh in meshes]
    clips = [make_clip(subject, sample.orbit, FRAMES, PIXELS, PIXELS)[0] for sample, subject in drawn]
    z = torch.cat([encode_clips(vae, to_model(torch.from_numpy(clip)[None], DEVICE))[0].float() for clip in clips])
    text, mask = encoder([sample.captions[0] for sample, _ in drawn])
    rays, angles = orbit_condition(orbit_rows((sample.orbit for sample, _ in drawn), DEVICE), FRAMES, PIXELS, PIXELS, 2)
    return z, {"text": text, "text_mask": mask, "rays": rays, "angles": angles}


@torch.no_grad()
def held_out_loss(dit: OrbitDiT, z: Tensor, condition: dict[str, Tensor]) -> float:
    """Return the velocity's mean squared error at fixed times and noises."""
    eps, losses = torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(z), []
    for i in range(0, len(z), BATCH):
        part = slice(i, i + BATCH)
        given = {name: value[part] for name, value in condition.items()}
        for t in TIMES:
            times = torch.full((len(z[part]),), t, device=DEVICE)
            with autocast(DEVICE, True):
                v = dit(interpolate(z[part], eps[part], times), times, **given)
            losses.append(float((v.float() - (eps[part] - z[part])).square().mean()))
    return sum(losses) / len(losses)


@torch.no_grad()
def matched(vae: VideoAutoencoder, dit: OrbitDiT, encoder: TextEncoder, captions: list[str]) -> dict[str, float]:
    """Return how well the model's clips match held-out captions, and how often each finds its own among 30."""
    matcher = load_matcher()
    with autocast(DEVICE, True):
        views = generate_views(vae, dit, encoder, captions, FRAMES, PIXELS, 3, Sampler(steps=12, batch=30))
    seen, read = matcher.see(views.float() / 255), matcher.read(text_features(encoder, captions).float().cpu())
    return {"match": float((seen * read).sum(1).mean()), "retrieval": retrieval(seen, read)[0]}


def train(
    config: DitConfig, lr: float, budget: float, clips: LatentClips, encoder: TextEncoder
) -> tuple[OrbitDiT, dict]:
    """Train one size for a budget of operations: warm-up, stable, and a third of decay."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    dit, ema = OrbitDiT(config).to(DEVICE), OrbitDiT(config).to(DEVICE).eval().requires_grad_(False)
    ema.load_state_dict(dit.state_dict())
    compile_blocks(dit)
    steps = max(round(budget / (BATCH * flops(dit))), 1)
    weight = torch.zeros((), device=DEVICE)
    stepper = Stepper(
        lambda **tensors: dit_loss(dit, Batch(**tensors), generator, SHIFT),
        dit,
        make_optimizers(dit, PhaseConfig(lr=lr)),
        after_step=lambda: update_ema(ema, dit, weight),
    )
    began, mean = time.process_time(), 0.0
    for step in range(steps):
        rate = lr * min(1.0, (step + 1) / 100, 3 * (1 - step / steps))
        with torch.no_grad(), autocast(DEVICE, True):
            batch = draw_batches(clips, encoder, 1, BATCH, Mixture(), 2, DEVICE, generator)[0]
        weight.fill_(ema_weight(step, 0.998))
        value = float(stepper.step(batch.tensors(), rate, autocast(DEVICE, True)))
        mean += (value - mean) * max(0.01, 1 / (step + 1))
        if step % 100 == 0:
            print(
                f"  step {step} of {steps}, loss {mean:.3f}, {time.process_time() - began:.0f} s s",
                flush=True,
            )
    return ema, {"steps": steps, "clips": steps * BATCH, "train_loss": mean, "cpu_s": time.process_time() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", default="checkpoints/corpus.npz")
    parser.add_argument("--clips", type=int, default=9216)
    parser.add_argument("--budgets", type=float, nargs="+", default=[4e13, 1.2e14, 3.6e14])
    options = parser.parse_args()
    results = options.folder / "results.json"
    rows = json.loads(results.read_text()) if results.exists() else []
    missing = [
        (b, s) for b in options.budgets for s in SIZES if not any(r["budget"] == b and r["size"] == s for r in rows)
    ]
    if missing:
        vae, clips = data(options.folder, options.corpus, options.clips)
        encoder, corpus = load_text_encoder().to(DEVICE), Corpus.load(Path(options.corpus))
        z, condition = held_out(vae, corpus, encoder)
        rng = np.random.default_rng(5)
        captions = [long_caption(sample_attributes(rng, held_out=True)) for _ in range(NUM_PROMPTS // 2)]
        captions += [corpus.draw(rng, held_out=True).captions[0] for _ in range(NUM_PROMPTS // 2)]

        for budget, size in missing:
            print(f"{size}, {budget:.1e} operations", flush=True)
            config, lr = SIZES[size]
            dit, facts = train(config, lr, budget, clips, encoder)
            row = {"size": size, "budget": budget, "parameters": sum(p.numel() for p in dit.parameters()), **facts}
            row |= {"loss": held_out_loss(dit, z, condition), **matched(vae, dit, encoder, captions)}
            rows.append(row)
            results.write_text(json.dumps(rows, indent=1))
            print(json.dumps(row), flush=True)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
