"""A run's pictures and cameras as other programs read them: a model of COLMAP, or nerfstudio's transforms.json.

With them go the points that our own fit starts from, so that another trainer starts from the same. The world is that of
the run's splats: what comes back from a trainer that leaves the world alone lies where ours does.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh

from recon.sh import dc_to_rgb
from recon.start import start_splats
from recon.views import Views, composited
from vid2three.capture import load_views, picture_bytes
from vid2three.config import Background, Layout
from vid2three.disk import disk_errors
from vid2three.formats.colmap import save_colmap
from vid2three.formats.images import save_image
from vid2three.formats.transforms import save_transforms
from vid2three.run import PARTIAL, Progress, load_run, no_progress

NUM_POINTS = 20_000
LEVELS = {"white": 1.0, "black": 0.0}


def export_views(
    run_dir: Path | str,
    folder: Path | str,
    *,
    layout: Layout = "colmap",
    background: Background = "keep",
    progress: Progress = no_progress,
) -> Path:
    """Write a run's views into a new or empty folder, for another program to train on, and return the folder.

    `colmap` is images/*.png and sparse/0 with cameras, images and points3D as .bin, `colmap-text` the same as .txt;
    `nerfstudio` is images/*.png, transforms.json and points.ply. `background` lays transparent pictures on white or
    black, for trainers that know no alpha. Raises FileNotFoundError or ValueError with the cure.
    """
    run, folder = load_run(run_dir), Path(folder)
    if not run.path("transforms.json").is_file():
        raise FileNotFoundError(f"{run.folder} holds no views yet; run `vid2three {run.manifest['command']}` again.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is there already and not empty; pass a new folder.")
    if not folder.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {folder.parent}; make it first.")
    views = load_views(run.folder)
    points, colors = _points(views)
    if background != "keep":
        views = replace(views, images=composited(views, LEVELS[background]), alphas=None)
    place = folder.absolute().parent
    with disk_errors(place), tempfile.TemporaryDirectory(prefix=PARTIAL, dir=place) as beside:
        made = Path(beside) / folder.name
        (made / "images").mkdir(parents=True)
        names = [f"{index:03d}.png" for index in range(len(views))]
        for index, (name, pixels) in enumerate(zip(names, picture_bytes(views))):
            save_image(made / "images" / name, pixels)
            progress("export", index + 1, len(names), {})
        if layout == "nerfstudio":
            save_transforms(made / "transforms.json", views.cameras, [f"images/{name}" for name in names])
            _name_points(made / "transforms.json")
            trimesh.PointCloud(points, colors).export(made / "points.ply")
        else:
            (made / "sparse" / "0").mkdir(parents=True)
            save_colmap(made / "sparse" / "0", views.cameras, names, points, colors, binary=layout == "colmap")
        if folder.exists():
            folder.rmdir()
        os.replace(made, folder)
    note = f"{len(views)} pictures, {len(points)} points; the world of {run.folder.name}'s splats."
    progress("export", 1, 1, {"notes": [note]})
    return folder


def _points(views: Views) -> tuple[np.ndarray, np.ndarray]:
    """Return the points [P,3] that a fit of the views starts from, and their colours, uint8."""
    start = start_splats(views, NUM_POINTS, 0, torch.Generator().manual_seed(0))
    colors = (dc_to_rgb(start.sh[:, 0]).clamp(0, 1) * 255).round().to(torch.uint8)
    return start.means.double().numpy(), colors.numpy()


def _name_points(path: Path) -> None:
    """Say where the points are, as nerfstudio's splatfacto asks."""
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({"ply_file_path": "points.ply", **data}, indent=1) + "\n", encoding="utf-8")
