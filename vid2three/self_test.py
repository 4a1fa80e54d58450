"""Whether it works here, in ten seconds: two rasterisers against each other, and a prompt all the way to files."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

AGREEMENT_DB = 60.0  # two backends that draw the same picture agree far better than this
PROMPT = "a red mug"
LEAST_DB = 12.0  # of a short fit to a hasty clip, which reaches 20; nonsense stays below 8


def rasterisers() -> tuple[bool, str]:
    """Draw a few splats with the fast rasteriser and with the slow one; say whether they agree, and how it went."""
    from recon.camera import Cameras
    from recon.metrics import psnr
    from recon.render import render
    from recon.splats import from_points

    start = time.perf_counter()
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(200, 3, generator=generator), dim=1)
    splats = from_points(points, torch.rand(200, 3, generator=generator), opacity=0.8)
    w2c = torch.eye(4)
    w2c[2, 3] = 4.0
    cameras = Cameras(torch.tensor([[[60.0, 0, 24], [0, 60, 20], [0, 0, 1]]]), w2c[None], 40, 48)
    fast, slow = (render(splats, cameras, backend=backend).rgb for backend in ("cpu", "reference"))
    agreement, seconds = psnr(fast, slow), time.perf_counter() - start
    said = f"200 splats, {seconds:.1f} s with compilation, fast and slow rasteriser agree to {agreement:.0f} dB"
    return agreement >= AGREEMENT_DB, said


def walk() -> tuple[bool, str]:
    """Make a hasty clip of a prompt, fit a few splats, write and read them; say whether they show the clip."""
    from generator.config import GenerateConfig
    from generator.sample import generate
    from recon.config import FitConfig
    from recon.fit import fit
    from recon.metrics import psnr
    from recon.render import render
    from recon.views import composited
    from vid2three.formats.ply import load_splats, save_splats
    from vid2three.stages import clip_views

    start = time.perf_counter()
    views = clip_views(generate(PROMPT, GenerateConfig(steps=2, num_frames=8)))
    made = fit(views, FitConfig(num_splats=300, iterations=60, sh_degree=0))
    with tempfile.TemporaryDirectory(prefix="vid2three-") as folder:
        save_splats(Path(folder) / "splats.ply", made)
        found = load_splats(Path(folder) / "splats.ply")
    white = torch.ones(3)
    reached = psnr(render(found, views.cameras, background=white).rgb, composited(views, white))
    seconds = time.perf_counter() - start
    said = f"“{PROMPT}” to {len(views)} frames, {len(found)} splats and a file in {seconds:.1f} s, {reached:.0f} dB"
    return reached >= LEAST_DB, said
