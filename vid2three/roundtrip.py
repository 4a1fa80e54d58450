"""How much of an asset is left in a file: it is opened again, drawn from a few cameras and compared with what went in.

Pictures are small and on white. Splats are drawn as they were fitted; meshes unlit, or lit where the format has no
colours. A figure below the format's limit raises ValueError: the limits lie well below what intact files of real
assets reach (docs/formats.md), and far above what a wrong axis, a lost rotation or a swapped colour leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh

from generator.rays import intrinsics, orbit_c2w, orbit_radius
from recon.camera import Cameras, invert_rigid, resized
from recon.mesh_render import render_mesh
from recon.metrics import psnr, silhouette_iou
from recon.render import Primitive, render
from recon.splats import Splats
from vid2three.place import bounds

NUM_CAMERAS = 4
SIZE = 128  # pixels of the longer side
FOV_DEG, ELEVATION_DEG = 40.0, 20.0  # of cameras around a thing that came without any
EXACT_DB = 55.0
SPLAT_LIMITS_DB = {".sog": 40.0, ".spz": 32.0, ".splat": 24.0}  # of others EXACT_DB
MESH_LIMITS_DB = {".ply": 15.0}  # vertex colours of a texture
LEAST_IOU = 0.99
COLORLESS = (".stl",)


@dataclass(frozen=True)
class RoundTrip:
    """What a file came to."""

    psnr_db: float
    """Of the reopened file's pictures beside those of what was written; 100 where they are equal."""
    silhouette_iou: float | None = None
    """Of a mesh's outlines."""

    @property
    def facts(self) -> dict[str, float]:
        """As asset.json holds it."""
        facts = {"psnr_db": round(self.psnr_db, 2)}
        return facts if self.silhouette_iou is None else {**facts, "silhouette_iou": round(self.silhouette_iou, 4)}


def some(cameras: Cameras) -> Cameras:
    """Return a few of many cameras, evenly spread, with small pictures."""
    chosen = cameras[[index * len(cameras) // NUM_CAMERAS for index in range(min(NUM_CAMERAS, len(cameras)))]]
    scale = min(1.0, SIZE / max(cameras.height, cameras.width))
    return resized(chosen, max(1, round(scale * cameras.height)), max(1, round(scale * cameras.width)))


def around(thing: trimesh.Trimesh | Splats) -> Cameras:
    """Return a few cameras on an orbit from which all of a z-up thing is seen."""
    low, high = bounds(thing)
    centre, radius = (low + high) / 2, max(float(np.linalg.norm(high - low)) / 2, 1e-6)
    c2w = orbit_c2w(NUM_CAMERAS, ELEVATION_DEG, orbit_radius(FOV_DEG))
    c2w[:, :3, 3] = centre + radius * c2w[:, :3, 3]
    K = torch.from_numpy(intrinsics(FOV_DEG, SIZE, SIZE)).float().expand(NUM_CAMERAS, 3, 3)
    return Cameras(K, invert_rigid(torch.from_numpy(c2w)).float(), SIZE, SIZE)


def compare_splats(
    path: Path, written: Splats, read: Splats, cameras: Cameras, primitive: Primitive, antialiased: bool
) -> RoundTrip:
    """Compare splats that went into a file with those that came out. Raises ValueError where too little is left."""
    white = torch.ones(3)
    with torch.no_grad():
        pictures = [
            render(splats, cameras, background=white, primitive=primitive, antialiased=antialiased).rgb.clamp(0, 1)
            for splats in (written, read)
        ]
    found = RoundTrip(psnr(*pictures))
    _check(path, found, SPLAT_LIMITS_DB.get(path.suffix.lower(), EXACT_DB))
    return found


def compare_meshes(path: Path, written: trimesh.Trimesh, read: trimesh.Trimesh, cameras: Cameras) -> RoundTrip:
    """Compare a mesh that went into a file with the one that came out. Raises ValueError where too little is left."""
    is_bare = path.suffix.lower() in COLORLESS
    if is_bare:
        written, read = (trimesh.Trimesh(mesh.vertices, mesh.faces, process=False) for mesh in (written, read))
    a, b = (render_mesh(mesh, cameras, background=torch.ones(3), shaded=is_bare) for mesh in (written, read))
    found = RoundTrip(psnr(a.rgb, b.rgb), silhouette_iou(a.alpha, b.alpha))
    _check(path, found, MESH_LIMITS_DB.get(path.suffix.lower(), EXACT_DB))
    return found


def _check(path: Path, found: RoundTrip, limit_db: float) -> None:
    if found.psnr_db < limit_db or (found.silhouette_iou is not None and found.silhouette_iou < LEAST_IOU):
        raise ValueError(
            f"{path.name} was not kept: opened again it agrees to {found.psnr_db:.1f} dB, and "
            f"{limit_db:.0f} are asked of {path.suffix.lower()}; choose a format that keeps more (docs/formats.md)."
        )
