"""Measure a run against the truth: pictures held out of the fit, and the true mesh where there is one.

The truth is a folder as the sets of NeRF and its followers lay it out: transforms_test.json and transforms_train.json
with their pictures, and perhaps mesh.ply, all in the world of the run's cameras.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from torch import Tensor

from recon.camera import Cameras
from recon.hull import look_at_point
from recon.lpips import Lpips, load_lpips
from recon.mesh_quality import quality
from recon.mesh_render import render_mesh
from recon.metrics import align_sim3, chamfer, f_score, psnr, silhouette_iou, ssim, surface_samples, transformed
from recon.render import render
from recon.sdf_field import SdfField, draw
from recon.splats import Splats
from recon.views import Views, composited
from vid2three.capture import load_views
from vid2three.formats.field import load_field
from vid2three.formats.glb import load_mesh
from vid2three.formats.ply import load_splats
from vid2three.place import Y_UP_FROM_Z_UP, moved
from vid2three.run import Run, load_run

THRESHOLDS = (0.01, 0.02, 0.05)  # of F-scores, in radii of the truth's bounding sphere
NUM_SAMPLES = 100_000  # points on each surface
SAME_ELEVATION_DEG = 1.0
BATCH = 8  # cameras rendered at once: bounds the memory
TITLES = {
    "num_views": "views",
    "psnr": "PSNR",
    "psnr_masked": "PSNR masked",
    "ssim": "SSIM",
    "ssim_masked": "SSIM masked",
    "lpips": "LPIPS",
    "iou": "silhouette IoU",
    "mesh_psnr_masked": "mesh PSNR masked",
    "mesh_ssim_masked": "mesh SSIM masked",
    "mesh_lpips": "mesh LPIPS",
    "mesh_iou": "mesh silhouette IoU",
    "field_psnr_masked": "field PSNR masked",
    "field_ssim_masked": "field SSIM masked",
    "field_lpips": "field LPIPS",
    "field_iou": "field silhouette IoU",
}


def evaluate(run_dir: Path | str, truth_dir: Path | str, lpips: Path | str | None = None) -> dict[str, Any]:
    """Return the figures of a run (JSON-able): `views`, `mesh`, `cost` and, where the truth has a mesh.ply, `surface`.

    `views` has the groups `all`, `training_elevation` (test cameras within 1 degree of a training camera's elevation)
    and `other_elevations`, each with PSNR in dB and SSIM of the splats on white and over the truth's mask, and IoU of
    silhouettes; the same of the mesh, and of the signed distance field of a run that has one. `surface` has the chamfer
    distance (mean of the two mean distances) and F-scores, in radii of the true mesh's bounding sphere about the middle
    of its box, as the meshes lie and after a similarity (ICP) laid them together. `cost` is what the run took: seconds
    of each stage, and the most memory in MiB. Figures that need masks
    are left out where the pictures have none. Raises FileNotFoundError or ValueError with the cure. Costs about half a
    minute. `lpips` is a file or folder of LPIPS's weights (recon.lpips); with it whole pictures on white are compared
    that way too, and `lpips_net` says by which network.
    """
    perceptual = None if lpips is None else load_lpips(Path(lpips))
    run, truth = load_run(run_dir), Path(truth_dir)
    for name in ("splats.ply", "mesh.glb"):
        if not run.path(name).is_file():
            raise FileNotFoundError(f"{run.folder} holds no {name}; finish the run with `vid2three reconstruct`.")
    test, train = _truth_views(truth, "test"), _truth_views(truth, "train")
    splats, mesh = load_splats(run.path("splats.ply")), _mesh_in_world(run)
    fitted = run.manifest["config"]["fit"]
    drawn_as = {"antialiased": fitted["antialiased"], "primitive": fitted.get("primitive", "3dgs")}
    result: dict[str, Any] = {
        "views": _view_figures(test, train, splats, drawn_as, mesh, _field(run), perceptual),
        "mesh": _mesh_figures(mesh),
        "cost": _cost(run),
    }
    if perceptual is not None:
        result["lpips_net"] = perceptual.net
    if (truth / "mesh.ply").is_file():
        result["surface"] = surface_figures(mesh, true_mesh(truth / "mesh.ply"))
    return result


def table(figures: dict[str, Any]) -> str:
    """Lay the figures of `evaluate` out for a terminal."""
    groups = {name.replace("_", " "): group for name, group in figures["views"].items() if group["num_views"]}
    keys = [key for key in TITLES if any(key in group for group in groups.values())]
    rows = [[TITLES[key], *(_text(group.get(key)) for group in groups.values())] for key in keys]
    text = _aligned([["Held-out views", *groups], *rows])
    if "surface" in figures:
        surface = figures["surface"]
        columns = [surface["unaligned"], surface["aligned"]]
        rows = [["Surface, in true radii", "as it lies", "aligned"]]
        rows += [
            [name.replace("_", " "), *(_text(column[name]) for column in columns)] for name in surface["unaligned"]
        ]
        text += "\n\n" + _aligned(rows)
    mesh = figures["mesh"]
    closed = "watertight" if mesh["is_watertight"] else "not watertight"
    parts = "1 part" if mesh["num_components"] == 1 else f"{mesh['num_components']} parts"
    cost = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in figures["cost"]["seconds"].items())
    peak = figures["cost"]["peak_memory_mb"]
    return (
        f"{text}\n\nMesh: {mesh['num_faces']:,} triangles, {parts}, {closed}"
        f"\nCost: {cost}{f', peak memory {peak} MiB' if peak else ''}"
    )


def _truth_views(truth: Path, split: str) -> Views:
    path = truth / f"transforms_{split}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{truth} holds no {path.name}; the truth is a folder with transforms_train.json, transforms_test.json and "
            "their pictures."
        )
    return load_views(path)


def _mesh_in_world(run: Run) -> trimesh.Trimesh:
    """Read a run's mesh.glb and take it back to the world of its cameras."""
    facts = run.manifest["files"].get("mesh.glb", {})
    if "world_from_file" not in facts:
        raise ValueError(f"{run.folder} does not say where its mesh.glb lies; run `vid2three reconstruct` again.")
    return moved(load_mesh(run.path("mesh.glb")), np.array(facts["world_from_file"]) @ Y_UP_FROM_Z_UP)


def _field(run: Run) -> SdfField | None:
    return load_field(run.path("surface.npz")) if "surface.npz" in run.manifest["files"] else None


def true_mesh(path: Path) -> trimesh.Trimesh:
    """Read a true surface. Raises ValueError where it has no triangles."""
    loaded = trimesh.load(path, force="mesh")
    if not isinstance(loaded, trimesh.Trimesh) or len(loaded.faces) == 0:
        raise ValueError(f"{path} holds no triangles; give the true surface as a mesh, or take the file away.")
    return loaded


def _view_figures(
    test: Views,
    train: Views,
    splats: Splats,
    drawn_as: dict[str, Any],
    mesh: trimesh.Trimesh,
    field: SdfField | None,
    perceptual: Lpips | None,
) -> dict[str, Any]:
    """Return the figures of each group of test views."""
    center = look_at_point(train.cameras)
    apart = np.abs(_elevations_deg(test.cameras, center)[:, None] - _elevations_deg(train.cameras, center)).min(axis=1)
    groups = {
        "all": np.arange(len(test)),
        "training_elevation": np.flatnonzero(apart <= SAME_ELEVATION_DEG),
        "other_elevations": np.flatnonzero(apart > SAME_ELEVATION_DEG),
    }
    rgb, alpha = drawn_on_white(splats, test.cameras, drawn_as)
    drawn = render_mesh(mesh, test.cameras, background=torch.ones(3))
    others = {"mesh": (drawn.rgb, drawn.alpha)}
    if field is not None:
        over_black, covered, _ = draw(field, test.cameras)
        others["field"] = (over_black + 1 - covered[..., None]).clamp(0, 1), covered
    figures = {name: _group_figures(test, rgb, alpha, others, index.tolist()) for name, index in groups.items()}
    if perceptual is not None:
        pictures = {"lpips": rgb, **{f"{name}_lpips": colors for name, (colors, _) in others.items()}}
        seen = {name: perceptual(colors.clamp(0, 1), composited(test)) for name, colors in pictures.items()}
        for group, index in groups.items():
            if len(index):
                figures[group] |= {name: float(distances[index].mean()) for name, distances in seen.items()}
    return figures


def _group_figures(
    test: Views, rgb: Tensor, alpha: Tensor, others: dict[str, tuple[Tensor, Tensor]], index: list[int]
) -> dict[str, Any]:
    if not index:
        return {"num_views": 0}
    truth, ours = composited(test)[index], rgb[index]
    figures: dict[str, Any] = {"num_views": len(index), "psnr": psnr(ours, truth), "ssim": ssim(ours, truth)}
    if test.alphas is not None:
        mask = test.alphas[index]
        figures["psnr_masked"] = psnr(ours, truth, mask)
        figures["ssim_masked"] = ssim(ours, truth, mask)
        figures["iou"] = silhouette_iou(alpha[index], mask)
        for name, (colors, covered) in others.items():
            figures[f"{name}_psnr_masked"] = psnr(colors[index], truth, mask)
            figures[f"{name}_ssim_masked"] = ssim(colors[index], truth, mask)
            figures[f"{name}_iou"] = silhouette_iou(covered[index], mask)
    return figures


def surface_figures(mesh: trimesh.Trimesh, truth: trimesh.Trimesh) -> dict[str, Any]:
    """Return chamfer distance and F-scores, as the meshes lie and laid together; the unit is the truth's radius."""
    middle = truth.bounds.mean(axis=0)
    radius = float(np.linalg.norm(truth.vertices - middle, axis=1).max())
    ours = (surface_samples(mesh, NUM_SAMPLES) - torch.from_numpy(middle)) / radius
    true = (surface_samples(truth, NUM_SAMPLES, seed=1) - torch.from_numpy(middle)) / radius
    matrix = align_sim3(ours, true)
    return {
        "unit": radius,
        "unaligned": _distances(ours, true),
        "aligned": _distances(transformed(ours, matrix), true),
        "aligned_from_file": matrix.tolist(),
    }


def _distances(ours: Tensor, true: Tensor) -> dict[str, float]:
    scores = {f"f_score_{threshold:g}": f_score(ours, true, threshold) for threshold in THRESHOLDS}
    return {"chamfer": chamfer(ours, true), **scores}


def _mesh_figures(mesh: trimesh.Trimesh) -> dict[str, Any]:
    return {"num_faces": len(mesh.faces), **quality(mesh)}


def _elevations_deg(cameras: Cameras, center: np.ndarray) -> np.ndarray:
    """Return how high the cameras stand over a point, in degrees; the world's z is up."""
    toward = cameras.centers.numpy() - center
    return np.degrees(np.arctan2(toward[:, 2], np.linalg.norm(toward[:, :2], axis=1)))


def _cost(run: Run) -> dict[str, Any]:
    timings = dict(run.manifest["timings"])
    return {"peak_memory_mb": timings.pop("peak_memory_mb", None), "seconds": timings}


def drawn_on_white(splats: Splats, cameras: Cameras, drawn_as: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Return the splats on white [N,H,W,3], clamped, and their alpha [N,H,W]; drawn as they were fitted."""
    white = torch.ones(3)
    with torch.no_grad():
        parts = [
            render(splats, cameras[start : start + BATCH], background=white, **drawn_as)
            for start in range(0, len(cameras), BATCH)
        ]
    return torch.cat([part.rgb for part in parts]).clamp(0, 1), torch.cat([part.alpha for part in parts])


def _text(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value}" if isinstance(value, int) else f"{value:.2f}" if value >= 2 else f"{value:.4f}"


def _aligned(rows: list[list[str]]) -> str:
    """Return rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
        for row in rows
    ]
    return "\n".join(lines)
