"""What a person looks at first: preview.png (views, splats, mesh) and turntable.mp4, and the scores of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from torch import Tensor

from recon.camera import Cameras, resized
from recon.mesh_render import render_mesh
from recon.metrics import psnr, silhouette_iou
from recon.render import render
from recon.splats import Splats
from recon.views import Views, composited
from vid2three.formats.images import save_image
from vid2three.sheet import Row, contact_sheet, tile_size
from vid2three.turntable import four_sides, turntable
from vid2three.video import save_video

NUM_COLUMNS = 8
SIDES = ("front", "right", "back", "left")  # of Blender's views: right looks from +x
TURNTABLE_FPS = 24
BATCH = 8  # cameras rendered at once: bounds the memory


def scores(views: Views, splats: Splats, mesh: trimesh.Trimesh | None) -> dict[str, float]:
    """Measure splats and mesh (in the world) against the views they were fitted to.

    PSNR in dB on white; IoU of the silhouettes where the views have alphas. These are not held-out views.
    """
    rgb, alpha = _rendered(splats, views.cameras)
    result = {"psnr_db": psnr(rgb, composited(views))}
    if views.alphas is not None:
        result["silhouette_iou_splats"] = silhouette_iou(alpha, views.alphas)
        if mesh is not None:
            result["silhouette_iou_mesh"] = silhouette_iou(render_mesh(mesh, views.cameras).alpha, views.alphas)
    return {name: round(value, 4) for name, value in result.items()}


def save_preview(
    path: Path,
    manifest: dict[str, Any],
    views: Views,
    splats: Splats,
    mesh: trimesh.Trimesh | None,
    measured: dict[str, float],
) -> None:
    """Write the contact sheet: views above, the splats from the same cameras below, the mesh from four sides last."""
    row = _views_row(manifest, views)
    chosen = _evenly(len(views), NUM_COLUMNS)
    _, tile_width = tile_size(row.pictures, len(chosen))
    scale = max(1.0, tile_width / views.cameras.width)
    size = round(scale * views.cameras.height), round(scale * views.cameras.width)
    rendered, _ = _rendered(splats, resized(views.cameras[chosen], *size))
    note = f"{len(splats):,} of them, from the same cameras, {measured['psnr_db']:.1f} dB"
    rows = [row, Row("Splats", note, _pictures(rendered))]
    if mesh is not None:
        white = torch.ones(3)
        sides = four_sides(views.cameras, splats, tile_size([np.zeros((1, 1, 3))], 4)[1])
        drawn = render_mesh(mesh, sides, background=white, shaded=True).rgb
        captions = SIDES if "prompt" in manifest else tuple(f"{angle}°" for angle in (0, 90, 180, 270))
        closed = "closed, " if mesh.is_watertight else ""
        note = f"{len(mesh.faces):,} triangles, {closed}with vertex colours"
        rows.append(Row("Mesh", note, _pictures(drawn), captions))
    save_image(path, contact_sheet(_title(manifest), _subtitle(manifest), rows))


def save_clip_preview(path: Path, manifest: dict[str, Any], views: Views) -> None:
    """Write the contact sheet of a clip alone."""
    save_image(path, contact_sheet(_title(manifest), _subtitle(manifest), [_views_row(manifest, views)]))


def save_turntable(path: Path, views: Views, splats: Splats, num_frames: int, size: int) -> None:
    """Write the splats turning on white, once around, in `num_frames` frames of `size` x `size` pixels."""
    cameras = turntable(views.cameras, splats, num_frames, size, views.alphas is not None)
    rgb, _ = _rendered(splats, cameras)
    save_video(path, np.stack(_pictures(rgb)), TURNTABLE_FPS)


def _views_row(manifest: dict[str, Any], views: Views) -> Row:
    what = "Generated orbit" if "prompt" in manifest else "Pictures"
    size = f"{views.cameras.width} x {views.cameras.height}"
    chosen = _evenly(len(views), NUM_COLUMNS)
    return Row(what, f"{len(views)} frames of {size} pixels", _pictures(composited(views[chosen])))


def _title(manifest: dict[str, Any]) -> str:
    return f"“{manifest['prompt']}”" if "prompt" in manifest else manifest["input"]["name"]


def _subtitle(manifest: dict[str, Any]) -> str:
    if "prompt" not in manifest:
        return "reconstructed from pictures with known cameras"
    return f"{manifest['weights']['name']}, seed {manifest['seed']}, AI-generated"


def _rendered(splats: Splats, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Return rgb on white [N,H,W,3], clamped, and alpha [N,H,W], a few cameras at a time."""
    with torch.no_grad():
        batches = [
            render(splats, cameras[start : start + BATCH], background=torch.ones(3))
            for start in range(0, len(cameras), BATCH)
        ]
    return torch.cat([b.rgb for b in batches]).clamp(0, 1), torch.cat([b.alpha for b in batches])


def _pictures(rgb: Tensor) -> list[np.ndarray]:
    return list((rgb.clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def _evenly(total: int, most: int) -> list[int]:
    """Return up to `most` indices, evenly spread, the first one included."""
    return sorted({round(index * total / min(most, total)) for index in range(min(most, total))})
