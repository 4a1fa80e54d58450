"""What a person looks at first: preview.png (views, splats, mesh) and turntable.mp4, and the scores of a fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from torch import Tensor

from recon.camera import Cameras, resized
from recon.masks import Masking
from recon.mesh_render import base_color, render_mesh
from recon.metrics import psnr, silhouette_iou
from recon.render import Primitive, render
from recon.splats import Splats
from recon.unwrap import welded
from recon.views import Views, composited
from vid2three.formats.images import save_image
from vid2three.sheet import Row, contact_sheet, tile_size
from vid2three.turntable import four_sides, turntable
from vid2three.video import save_video

NUM_COLUMNS = 8
SIDES = ("front", "right", "back", "left")  # of Blender's views: right looks from +x
TURNTABLE_FPS = 24
MASKED_OUT = (1.0, 0.2, 0.9)  # behind a subject that was cut out: no subject is of this colour
ERROR_GAIN = 10.0  # of the error maps
BATCH = 8  # cameras rendered at once: bounds the memory


@dataclass(frozen=True, eq=False)
class Result:
    """What a walk came to, all of it in the world of the cameras."""

    views: Views
    splats: Splats
    antialiased: bool
    """How the splats were fitted, and so how they must be drawn."""
    mesh: trimesh.Trimesh
    primitive: Primitive = "3dgs"
    """As what the splats were fitted."""


def scores(result: Result) -> dict[str, float]:
    """Measure splats and mesh against the views they were fitted to, which are not held out.

    PSNR in dB on white; IoU of the silhouettes where the views have alphas.
    """
    views = result.views
    rgb, alpha = _rendered(result, views.cameras)
    measured = {"psnr_db": psnr(rgb, composited(views))}
    if views.alphas is not None:
        measured["silhouette_iou_splats"] = silhouette_iou(alpha, views.alphas)
        measured["silhouette_iou_mesh"] = silhouette_iou(render_mesh(result.mesh, views.cameras).alpha, views.alphas)
    return {name: round(value, 4) for name, value in measured.items()}


def report_rows(manifest: dict[str, Any], result: Result, measured: dict[str, float]) -> list[Row]:
    """Return the pictures of report.html: views, splats from the same cameras, how they differ, the mesh."""
    chosen = _evenly(len(result.views), NUM_COLUMNS)
    shown = result.views[torch.tensor(chosen)]
    rgb, _ = _rendered(result, shown.cameras)
    off = (rgb - composited(shown)).abs().amax(dim=-1, keepdim=True)
    heat = 1 - (ERROR_GAIN * off).clamp(0, 1) * torch.tensor([0.15, 1.0, 1.0])  # white to red
    dropped = manifest.get("verdict", {}).get("dropped_frames", [])
    numbers = [f for f in range(len(result.views) + len(dropped)) if f not in dropped]  # as the verdict counts them
    frames = tuple(f"frame {numbers[index]}" for index in chosen)
    return [
        replace(_views_row(manifest, result.views), captions=frames),
        _splats_row(result, measured["psnr_db"]),
        Row("Error", "of the splats' colours; full red is a tenth of full scale or more", _pictures(heat)),
        _mesh_row(manifest, result),
    ]


def save_preview(path: Path, manifest: dict[str, Any], result: Result, measured: dict[str, float]) -> None:
    """Write the contact sheet: views above, the splats from the same cameras below, the mesh from four sides last."""
    rows = [_views_row(manifest, result.views), _splats_row(result, measured["psnr_db"]), _mesh_row(manifest, result)]
    save_image(path, contact_sheet(title(manifest), subtitle(manifest), rows))


def save_clip_preview(path: Path, manifest: dict[str, Any], views: Views) -> None:
    """Write the contact sheet of a clip alone."""
    save_image(path, contact_sheet(title(manifest), subtitle(manifest), [_views_row(manifest, views)]))


def save_video_preview(path: Path, manifest: dict[str, Any], frames: Tensor) -> None:
    """Write the contact sheet of a video without cameras, [F,H,W,3] in [0,1]."""
    shown = frames[_evenly(len(frames), NUM_COLUMNS)]
    row = Row("Generated video", f"{len(frames)} frames of {frames.shape[2]} x {frames.shape[1]}", _pictures(shown))
    save_image(path, contact_sheet(title(manifest), subtitle(manifest), [row]))


def save_mask_preview(path: Path, title: str, images: Tensor, masking: Masking) -> None:
    """Write the contact sheet of masks: frames [F,H,W,3], the subject cut out, and alpha, with the reasons to doubt."""
    chosen = _evenly(len(images), NUM_COLUMNS)
    shown = images[chosen]
    remarks = [*masking.notes[:3], "", "", ""]
    rows = [Row(f"{len(images)} frames", remarks[0], _pictures(shown))]
    if masking.alphas is not None:
        covered = masking.alphas[chosen][..., None]
        doubts = tuple(f"doubt {masking.frame_doubts[index]:.2f}" for index in chosen)
        cut = shown * covered + (1 - covered) * torch.tensor(MASKED_OUT)
        rows.append(Row("Subject", remarks[1], _pictures(cut), doubts))
        rows.append(Row("Alpha", remarks[2], _pictures(covered.expand(-1, -1, -1, 3))))
    save_image(path, contact_sheet(title, f"{masking.method}, doubt {masking.doubt:.2f}", rows))


def save_turntable(path: Path, result: Result, num_frames: int, size: int) -> None:
    """Write the splats turning on white, once around, in `num_frames` frames of `size` x `size` pixels."""
    has_alphas = result.views.alphas is not None
    rgb, _ = _rendered(result, turntable(result.views.cameras, result.splats, num_frames, size, has_alphas))
    save_video(path, np.stack(_pictures(rgb)), TURNTABLE_FPS)


def _views_row(manifest: dict[str, Any], views: Views) -> Row:
    what = "Generated orbit" if "prompt" in manifest else "Pictures"
    size = f"{views.cameras.width} x {views.cameras.height}"
    shown = composited(views[_evenly(len(views), NUM_COLUMNS)])
    return Row(what, f"{len(views)} frames of {size} pixels", _pictures(shown))


def _splats_row(result: Result, psnr_db: float) -> Row:
    """Draw the splats from the cameras of the row above, large enough for their tiles."""
    cameras = result.views.cameras[_evenly(len(result.views), NUM_COLUMNS)]
    _, tile_width = tile_size([np.empty((cameras.height, cameras.width, 3))], len(cameras))
    scale = max(1.0, tile_width / cameras.width)
    rgb, _ = _rendered(result, resized(cameras, round(scale * cameras.height), round(scale * cameras.width)))
    return Row("Splats", f"{len(result.splats):,} of them, from the same cameras, {psnr_db:.1f} dB", _pictures(rgb))


def _mesh_row(manifest: dict[str, Any], result: Result) -> Row:
    mesh = result.mesh
    sides = four_sides(result.views.cameras, result.splats, tile_size([np.empty((1, 1, 3))], 4)[1])
    colored, shaded = (
        render_mesh(mesh, sides, background=torch.ones(3), shaded=is_lit).rgb for is_lit in (False, True)
    )
    drawn = (colored + shaded) / 2  # the colours hold light already; half the shading still shows the form
    captions = (
        SIDES if "prompt" in manifest and "poses" not in manifest else tuple(f"{angle}°" for angle in (0, 90, 180, 270))
    )
    closed = "closed, " if welded(mesh)[0].is_watertight else ""
    texture = base_color(mesh)
    look = "with vertex colours" if texture is None else f"with a texture of {len(texture)} x {len(texture)}"
    return Row("Mesh", f"{len(mesh.faces):,} triangles, {closed}{look}", _pictures(drawn), captions)


def title(manifest: dict[str, Any]) -> str:
    """Return what a page about an asset is called."""
    return f"“{manifest['prompt']}”" if "prompt" in manifest else manifest["input"]["name"]


def subtitle(manifest: dict[str, Any]) -> str:
    """Return where the asset comes from, in a few words."""
    if "poses" in manifest and "prompt" in manifest:
        confidence = f"confidence in its cameras {manifest['poses']['confidence']:.2f}"
        return f"{manifest['weights']['name']}, seed {manifest['seed']}, {confidence}, AI-generated"
    if "poses" in manifest:
        kind = "a video" if manifest["frames"]["kind"] == "video" else "photos"
        return f"reconstructed from {kind}, confidence in the cameras {manifest['poses']['confidence']:.2f}"
    if "prompt" not in manifest:
        return "reconstructed from pictures with known cameras"
    return f"{manifest['weights']['name']}, seed {manifest['seed']}, AI-generated"


def _rendered(result: Result, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """Return the splats' rgb on white [N,H,W,3], clamped, and alpha [N,H,W], a few cameras at a time."""
    white = torch.ones(3)
    with torch.no_grad():
        batches = [
            render(
                result.splats,
                cameras[start : start + BATCH],
                background=white,
                primitive=result.primitive,
                antialiased=result.antialiased,
            )
            for start in range(0, len(cameras), BATCH)
        ]
    return torch.cat([b.rgb for b in batches]).clamp(0, 1), torch.cat([b.alpha for b in batches])


def _pictures(rgb: Tensor) -> list[np.ndarray]:
    return list((rgb.clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def _evenly(total: int, most: int) -> list[int]:
    """Return up to `most` indices, evenly spread, the first one included."""
    return sorted({round(index * total / min(most, total)) for index in range(min(most, total))})
