"""What the autoencoder keeps of clips that it has never seen.

    python benchmarks/autoencoder.py [WEIGHTS.safetensors] [--num 48] [--corpus CORPUS.npz] [--sheet SHEET.png]

Scenes of the grammar whose pairs are held out of training and, with --corpus, artists' models that are held out. PSNR
of colour over whole frames and over the subject, IoU of alpha, PSNR of depth. And warp-consistent pixels: the share of
the subject's pixels that, moved by their depth to the next camera, find their own colour there (0.1 a channel, on
average) and their own depth (0.05 of the scene), in the true clips and in those that came back; hidden ones fail in
both. SHEET shows four frames of six clips, true above and back below.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from generator.agreement import agreement
from generator.corpus import Corpus
from generator.data import Orbit, Subject, draw_scene, make_clip, sample_orbit
from generator.grammar import sample_attributes
from generator.train_vae import to_model, vae_scores
from generator.weights import load_model, model_path

NUM_FRAMES, SIZE = 24, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", default="orbit-s", help="a model's name or a .safetensors file")
    parser.add_argument("--num", type=int, default=48, help="clips of each kind")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    vae = load_model(model_path(options.weights))[0]
    kinds = {"grammar": scenes(options.num, options.seed)}
    if options.corpus:
        kinds["artists' models"] = models(Corpus.load(options.corpus), options.num, options.seed)
    for name, subjects in kinds.items():
        rows, pictures = [], []
        for subject, orbit in subjects:
            clip = torch.from_numpy(make_clip(subject, orbit, NUM_FRAMES, SIZE, SIZE)[0])[None]
            x = to_model(clip, torch.device("cpu"))
            with torch.no_grad():
                y = vae.decode(vae.encode(x)).clamp(0, 1)
            rows.append(
                vae_scores(vae, x) | {"true_warp": float(agreement(x, orbit)), "warp": float(agreement(y, orbit))}
            )
            pictures += [strip(x[0]), strip(y[0])] if len(pictures) < 12 else []
        print(f"{len(rows)} clips, {name}: {summary(rows)}", flush=True)
        if options.sheet:
            path = options.sheet.with_stem(f"{options.sheet.stem}-{name.split()[0]}")
            Image.fromarray((torch.cat(pictures).numpy() * 255).round().astype(np.uint8)).save(path)


def scenes(num: int, seed: int) -> list[tuple[Subject, Orbit]]:
    """Draw held-out scenes as the trainer does for its score."""
    rng = np.random.default_rng((seed, 2**32 - 1))
    drawn = [draw_scene(sample_attributes(rng, held_out=True), sample_orbit(rng), rng, rng) for _ in range(num)]
    return [(subject, sample.orbit) for sample, subject in drawn]


def models(corpus: Corpus, num: int, seed: int) -> list[tuple[Subject, Orbit]]:
    """Draw models of artists that no training clip shows."""
    rng = np.random.default_rng(seed)
    held_out = [index for index, model in enumerate(corpus.models) if model.held_out]
    chosen = rng.permutation(held_out)[:num].tolist()
    return [(corpus.subject(index, None, rng), sample_orbit(rng)) for index in chosen]


def summary(rows: list[dict[str, float]]) -> str:
    """Lay means out; PSNR is that of the mean squared error over all clips."""
    parts = []
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        if name.endswith("psnr"):
            parts.append(f"{name} {-10 * np.log10((10 ** (-values / 10)).mean()):.2f} (median {np.median(values):.2f})")
        else:
            parts.append(f"{name} {values.mean():.4f}")
    share = sum(row["warp"] for row in rows) / sum(row["true_warp"] for row in rows)
    return f"{', '.join(parts)}; warp-consistent pixels {100 * share:.1f} % of the truth's"


def strip(channels: Float[Tensor, "f 5 h w"]) -> Float[Tensor, "h wide 3"]:
    """Return four frames of a clip side by side, and the depths of two."""
    chosen = channels[:: len(channels) // 4]
    pictures = [*chosen[:, :3], *chosen[:2, 4:].expand(-1, 3, -1, -1)]
    return torch.cat([picture.permute(1, 2, 0) for picture in pictures], dim=1)


if __name__ == "__main__":
    main()
