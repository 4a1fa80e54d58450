"""Pictures whose cameras are known, to be found again: true orbits, worse copies of them, and captures.

The data folder holds `orbits/` and `captures/`. From it come: the path-traced orbits; spot in one colour under a lamp;
each orbit with every frame warped on its own, as a generator's frames are; and three captures that are no such orbit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
import trimesh
from scipy import ndimage
from torch import Tensor
from trimesh.visual import ColorVisuals

from recon.camera import Cameras
from recon.masks import background_colors, foreground, unmixed
from recon.mesh_render import render_mesh
from recon.unwrap import smooth_normals
from recon.views import Views, premultiplied, resized
from vid2three.capture import load_views

SUN = np.array([-0.43, -0.57, 0.70])  # unit length
GROUND, SKY, LAMP = 0.25, 0.3, 0.45  # light from all around, more of it from above, and from the lamp
COLOR = np.array([0.75, 0.7, 0.63])
SMOOTHNESS = 1 / 16  # standard deviation of the blur of a warp, in the picture's side
ORBITS = ("spot", "bunny", "fuze")


@dataclass(frozen=True, eq=False)
class PoseCase:
    """Pictures and the cameras that took them."""

    name: str
    images: Tensor
    """float32 [F,H,W,3], sRGB in [0,1]; straight colour where there are alphas."""
    alphas: Tensor | None
    """float32 [F,H,W]."""
    cameras: Cameras
    """The truth, or for fox a reference by another program."""


def load_case(name: str, data: Path) -> PoseCase:
    """Read or make one of the CASES from the data folder; the same name gives the same pictures."""
    if name not in CASES:
        raise ValueError(f"There is no case {name!r}; the cases are {', '.join(CASES)}.")
    views = CASES[name](data)
    return PoseCase(name, views.images, views.alphas, views.cameras)


def plain(name: str, data: Path) -> Views:
    """Return an orbit drawn anew in one colour under a lamp and sky that stand still: shading and outline are left."""
    views = orbit(name, data)
    mesh = trimesh.load(data / "orbits" / name / "mesh.ply", force="mesh")
    assert isinstance(mesh, trimesh.Trimesh)
    normals = smooth_normals(mesh)
    light = GROUND + SKY * (1 + normals[:, 2]) / 2 + LAMP * np.clip(normals @ SUN, 0, None)
    mesh.visual = ColorVisuals(mesh, vertex_colors=np.round(255 * light[:, None] * COLOR).astype(np.uint8))
    drawn = render_mesh(mesh, views.cameras)
    images = drawn.rgb / drawn.alpha.clamp(min=1 / 8)[..., None]  # it comes composited on black
    return replace(views, images=images.clamp(0, 1).float(), alphas=drawn.alpha.float(), depths=None)


def warped(name: str, pixels: float, data: Path) -> Views:
    """Return an orbit with each frame bent by a smooth field of its own; `pixels` is its RMS along each axis at 256."""
    views = orbit(name, data)
    return warp(views, pixels * views.cameras.width / 256, np.random.default_rng(0))


def warp(views: Views, pixels: float, rng: np.random.Generator) -> Views:
    """Bend each picture, with its alpha, by a smooth field whose RMS along each axis is `pixels`."""
    height, width = views.images.shape[1:3]
    rows, columns = np.mgrid[:height, :width]
    bent = []
    for picture in premultiplied(views).numpy():
        fields = [ndimage.gaussian_filter(rng.normal(size=(height, width)), SMOOTHNESS * width) for _ in range(2)]
        down, right = (pixels * field / np.sqrt((field**2).mean()) for field in fields)
        at = [rows + down, columns + right]
        bent.append(np.stack([ndimage.map_coordinates(picture[..., c], at, order=1) for c in range(4)], axis=-1))
    rgba = torch.from_numpy(np.stack(bent)).float()
    images = (rgba[..., :3] / rgba[..., 3:].clamp(min=1 / 255)).clamp(0, 1)
    return Views(images, None if views.alphas is None else rgba[..., 3].clamp(0, 1), None, views.cameras)


def orbit(name: str, data: Path) -> Views:
    """Return the 32 training views of a path-traced orbit."""
    return replace(load_views(data / "orbits" / name / "transforms_train.json"), depths=None)


def lego(data: Path) -> Views:
    """Return 32 views from all over a hemisphere, in no order."""
    return load_views(data / "captures" / "lego" / "transforms_all.json")[:96:3]


def dino(data: Path) -> Views:
    """Return 16 photos of a matte figure on a ring, cut out of their black ground."""
    views = load_views(data / "captures" / "dinoSparseRing" / "transforms.json")
    alphas = foreground(views.images)
    assert alphas is not None  # black all around
    images = unmixed(views.images, alphas, background_colors(views.images))
    return resized(replace(views, images=images, alphas=alphas), 384, 512)


def fox(data: Path) -> Views:
    """Return 50 photos with their background."""
    return replace(resized(load_views(data / "captures" / "fox" / "transforms.json"), 480, 270), alphas=None)


CASES: dict[str, Callable[[Path], Views]] = {
    **{name: partial(orbit, name) for name in ORBITS},
    "spot plain": partial(plain, "spot"),
    **{f"{name} warp {pixels:g}": partial(warped, name, pixels) for pixels in (1.5, 3.0) for name in ORBITS},
    "lego": lego,
    "dino": dino,
    "fox": fox,
}
