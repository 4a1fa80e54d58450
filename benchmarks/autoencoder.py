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
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from generator.condition import orbit_cameras, orbit_rows
from generator.corpus import Corpus
from generator.data import Orbit, Subject, decode_depth, draw_scene, make_clip, sample_orbit
from generator.grammar import sample_attributes
from generator.rays import orbit_radius
from generator.train_vae import to_model, vae_scores
from generator.weights import load_model, model_path

NUM_FRAMES, SIZE = 24, 128
COLOR_OFF, DEPTH_OFF = 0.1, 0.05


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
            rows.append(vae_scores(vae, x) | {"true_warp": warped(x[0], orbit), "warp": warped(y[0], orbit)})
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


def warped(channels: Float[Tensor, "f 5 h w"], orbit: Orbit) -> float:
    """Return the share of a clip's warp-consistent pixels, from each frame to the next."""
    num, _, height, width = channels.shape
    c2w, K, _ = orbit_cameras(orbit_rows([orbit]), num, height, width)
    c2w, K = c2w[0].float(), K[0].float()
    depth = torch.from_numpy(decode_depth(channels[:, 4].numpy(), orbit_radius(orbit.fov_deg))).float()
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    rays = torch.stack([u, v, torch.ones_like(u)]).flatten(1)  # 3 n
    rays = torch.linalg.solve(K, rays)
    found = asked = 0
    for i in range(num):
        j = (i + 1) % num
        covered = channels[i, 3].flatten() > 0.5
        points = c2w[i, :3, :3] @ (rays[:, covered] * depth[i].flatten()[covered]) + c2w[i, :3, 3:]
        local = c2w[j, :3, :3].T @ (points - c2w[j, :3, 3:])
        place = K @ (local / local[2])
        grid = torch.stack([2 * place[0] / width - 1, 2 * place[1] / height - 1], dim=1)[None, None]
        beside = torch.cat([channels[j, :4], depth[j][None]])[None]
        seen = F.grid_sample(beside, grid, align_corners=False)[0, :, 0]  # 5 n
        own = channels[i, :3].flatten(1)[:, covered]
        is_same = (seen[:3] - own).abs().mean(0) < COLOR_OFF
        is_same &= (seen[4] - local[2]).abs() < DEPTH_OFF
        found += int((is_same & (seen[3] > 0.5)).sum())
        asked += int(covered.sum())
    return found / max(asked, 1)


def strip(channels: Float[Tensor, "f 5 h w"]) -> Float[Tensor, "h wide 3"]:
    """Return four frames of a clip side by side, and the depths of two."""
    chosen = channels[:: len(channels) // 4]
    pictures = [*chosen[:, :3], *chosen[:2, 4:].expand(-1, 3, -1, -1)]
    return torch.cat([picture.permute(1, 2, 0) for picture in pictures], dim=1)


if __name__ == "__main__":
    main()
