"""How near the mesh of a prompt comes to the thing: clips whose truth is known, and what `make` makes a mesh of.

    python benchmarks/clip_surface.py --num 10 --corpus CORPUS.npz
    python benchmarks/clip_surface.py --set resolution=64 iterations=400 smooth_weight=0.3 denoise=0

Scenes of the grammar, and artists' models where there is a corpus (python -m generator.corpus packs one), are rendered
from an orbit of 24 frames and go through the autoencoder once, so that they are as soft as generated ones. The textured
mesh is then held against renders of the scene from 0 and 40 degrees of elevation, where no frame was: PSNR over the
pixels of either, the outlines' IoU, the mean error of depth, and the mean angle between the depth maps' normals.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
import torch.nn.functional as F
import trimesh
from torch import Tensor

from generator.config import GenerateConfig
from generator.data import Orbit, Recipe, Subject, draw_shard, make_clip
from generator.sample import load_networks, to_clip
from recon import sdf_mesh
from recon.mesh_render import render_mesh
from recon.nerf import fit_sdf
from recon.views import Views
from vid2three.config import CLIP_MESH, CLIP_NERF
from vid2three.stages import clip_views

SEED = 4242
ELEVATIONS, TEST_FRAMES, TEST_SIZE = (0.0, 40.0), 8, 256
ROW = "{:44}" + 2 * " {:>8.2f} {:>8.4f} {:>8.4f} {:>8.1f}" + 2 * " {:>8.1f}"
EDGE, JUMP = 2, 0.12  # pixels of an outline, and steps of depth, about which normals are not compared


def subjects(num: int, corpus: str) -> list[tuple[str, Subject]]:
    """Draw scenes with a caption each, half of them artists' models where there is a corpus."""
    drawn = draw_shard(Recipe(SEED, corpus, 0.5), 3)
    scenes = [(sample.captions[0], subject) for sample, subject in drawn if sample.attributes is not None]
    models = [(sample.captions[0], subject) for sample, subject in drawn if sample.attributes is None]
    half = num // 2 if models else 0
    return scenes[: num - half] + models[:half]


def traced(subject: Subject, orbit: Orbit, num_frames: int, size: int, *, coded: bool) -> Views:
    """Render a subject; `coded` ones have been through the autoencoder."""
    channels, _ = make_clip(subject, orbit, num_frames, size, size)
    pictures = torch.from_numpy(channels).float().movedim(-1, 1) / 255
    if coded:
        vae, _ = load_networks("orbit-s")
        with torch.inference_mode():
            pictures = vae.decode(vae.encode(pictures[None]))[0].clamp(0, 1)
    return clip_views(to_clip(pictures.clone(), orbit, 8, "", "", 0))


def score(mesh: trimesh.Trimesh, views: Views) -> tuple[float, float, float, float]:
    """Return the PSNR over either's pixels on white, the outlines' IoU, the mean error of depth, and of normals in
    degrees."""
    assert views.alphas is not None
    assert views.depths is not None
    drawn, alphas = render_mesh(mesh, views.cameras), views.alphas
    ours = drawn.rgb + 1 - drawn.alpha[..., None]
    truth = views.images * alphas[..., None] + 1 - alphas[..., None]
    either, both = torch.maximum(drawn.alpha, alphas), torch.minimum(drawn.alpha, alphas)
    square = float((ours - truth).square()[either > 0.5].mean())
    off = float((drawn.depth - views.depths).abs()[both > 0.9].mean())
    (ours, known), (true, seen) = (
        normals(*each, views.cameras.K[0]) for each in ((drawn.depth, drawn.alpha), (views.depths, alphas))
    )
    cosine = (ours * true).sum(-1).clamp(-1, 1)[known & seen]
    return -10 * math.log10(square), float(both.sum() / either.sum()), off, float(cosine.acos().rad2deg().mean())


def normals(depths: Tensor, alphas: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Return the unit normals of depth maps [n,h,w] but for their borders, and where they say something."""
    _, height, width = depths.shape
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    points = torch.stack([(columns - K[0, 2]) / K[0, 0] * depths, (rows - K[1, 2]) / K[1, 1] * depths, depths], -1)
    across, down = points[:, 1:-1, 2:] - points[:, 1:-1, :-2], points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    solid = -F.max_pool2d(-(alphas > 0.99).float(), 2 * EDGE + 1, 1, EDGE) > 0.5
    step = F.max_pool2d(depths, 3, 1, 1) + F.max_pool2d(-depths, 3, 1, 1)
    return F.normalize(torch.linalg.cross(across, down), dim=-1), (solid & (step < JUMP))[:, 1:-1, 1:-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=10)
    parser.add_argument("--corpus", default="", help="packed models of artists, for half of the scenes")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the surface or the mesh, else as in make"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config, thinned, shown = CLIP_NERF, CLIP_MESH, GenerateConfig()
    for name, value in (word.split("=", 1) for word in options.set):
        if hasattr(config, name):
            config = replace(config, **{name: type(getattr(config, name))(value)})
        else:
            thinned = replace(thinned, **{name: type(getattr(thinned, name))(value)})
    print(config, thinned, sep="\n", flush=True)
    names = [f"{name} {elevation:.0f}" for elevation in ELEVATIONS for name in ("PSNR", "IoU", "depth", "normals")]
    print(f"{'scene':44} " + " ".join(f"{name:>8}" for name in [*names, "surface", "mesh"]), "(processor's seconds)")
    rows = []
    for caption, subject in subjects(options.num, options.corpus):
        orbit = Orbit(shown.elevation_deg, shown.fov_deg, shown.start_deg)
        views = traced(subject, orbit, shown.num_frames, shown.height, coded=True)
        others = [replace(orbit, elevation_deg=elevation, start_deg=7.0) for elevation in ELEVATIONS]
        tests = [traced(subject, other, TEST_FRAMES, TEST_SIZE, coded=False) for other in others]
        times = [time.process_time()]
        field = fit_sdf(views, config)
        times.append(time.process_time())
        mesh = sdf_mesh.extract(field, views, thinned)
        times.append(time.process_time())
        rows.append([*(value for test in tests for value in score(mesh, test)), *np.diff(times)])
        print(ROW.format(caption[:44], *rows[-1]), flush=True)
    print(ROW.format("mean", *np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
