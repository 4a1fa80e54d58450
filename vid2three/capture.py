"""Views on disk: pictures with a transforms.json beside them, read from anybody and written into a run folder."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from recon.camera import Cameras
from recon.masks import background_colors, foreground, unmixed
from recon.poses import gauge
from recon.views import Views
from vid2three.config import InputConfig
from vid2three.formats.colmap import find_model, load_colmap, model_files
from vid2three.formats.images import depth_unit, load_depth, load_image, save_depth, save_image
from vid2three.formats.transforms import Transforms, load_transforms, save_transforms
from vid2three.run import StageFiles, sha256
from vid2three.undistort import straight_intrinsics, undistorted


def has_cameras(path: Path) -> bool:
    """Say whether a path is a transforms.json, or a folder that holds one or a sparse model of COLMAP."""
    return (path.suffix.lower() == ".json" and not path.is_dir()) or _has_transforms(path) or is_colmap(path)


def is_colmap(path: Path) -> bool:
    """Say whether a path is a folder with a sparse model of COLMAP, and no transforms.json."""
    return path.is_dir() and not _has_transforms(path) and find_model(path) is not None


def _has_transforms(path: Path) -> bool:
    return any((path / name).is_file() for name in ("transforms.json", "transforms_train.json"))


def load_views(path: Path) -> Views:
    """Read pictures with cameras, take the lens's distortion out, and check all of it.

    `path` is a transforms.json, or a folder that holds one or a sparse model of COLMAP. Pictures with transparency give
    alphas. Raises ValueError or FileNotFoundError that names the file and the cure.
    """
    transforms = _load(path)
    pictures, K = _straight_pictures(transforms)
    alphas = None
    if any(picture.shape[2] == 4 for picture in pictures):
        alphas = torch.from_numpy(np.stack([_alpha(picture) for picture in pictures]))
        if bool((alphas == 1).all()):
            alphas = None
    images = torch.from_numpy(np.stack([picture[..., :3] for picture in pictures])).float() / 255
    depths = None
    if transforms.depths:
        maps = [load_depth(file, transforms.depth_unit) for file in transforms.depths]
        depths = torch.from_numpy(np.stack(maps))
    cameras = transforms.cameras
    return Views(images, alphas, depths, Cameras(K, cameras.w2c, cameras.height, cameras.width), transforms.points)


def cut_out(views: Views, config: InputConfig) -> Views:
    """Take a plain background away from views without alphas, as `config.background` says.

    Raises ValueError where "cut" is asked for and a background is not plain.
    """
    if views.alphas is not None or config.background == "keep":
        return views
    alphas = foreground(views.images)
    if alphas is None:
        if config.background == "cut":
            raise ValueError("The background is not of one colour, so it cannot be cut away; give RGBA pictures.")
        return views
    images = unmixed(views.images, alphas, background_colors(views.images))
    return Views(images, alphas, views.depths, views.cameras, views.points)


def save_views(files: StageFiles, views: Views, frame: str) -> None:
    """Write views/*.png (RGBA where there are alphas), depth/*.png where there are depths, and transforms.json."""
    names = [f"{index:03d}.png" for index in range(len(views))]
    pixels = picture_bytes(views)
    unit = depth_unit(0.0 if views.depths is None else float(views.depths.max()))
    for index, name in enumerate(names):
        with files.file(f"views/{name}") as path:
            save_image(path, pixels[index])
        if views.depths is not None:
            with files.file(f"depth/{name}") as path:
                save_depth(path, views.depths[index].numpy(), unit)
    depths = None if views.depths is None else [f"depth/{name}" for name in names]
    with files.file("transforms.json", frame=frame) as path:
        save_transforms(path, views.cameras, [f"views/{name}" for name in names], depths, unit)


def picture_bytes(views: Views) -> np.ndarray:
    """Return views as pictures, uint8 [N,H,W,3], or [N,H,W,4] where there are alphas."""
    parts = [views.images] if views.alphas is None else [views.images, views.alphas[..., None]]
    return (torch.cat(parts, dim=-1).clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def digest(path: Path) -> str:
    """Return one SHA-256 over the files of the cameras and all the pictures they name."""
    transforms = _load(path)
    if is_colmap(path):
        told_by = model_files(path)
    else:
        told_by = [path if path.is_file() else next(path.glob("transforms*.json"))]
    parts = [sha256(file) for file in (*told_by, *transforms.images, *transforms.depths)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def settled(views: Views) -> tuple[Views, np.ndarray]:
    """Return views whose world stands upright around the subject (recon.poses.gauge), and how the old one came there.

    The second is [4,4]: a turn, a scale and a shift, for points of the world that the views came in.
    """
    everyone = torch.ones(len(views), dtype=torch.bool)
    cameras, points = gauge.settle(views.cameras, everyone, views.images, views.alphas, views.points)
    before, after = views.cameras.c2w.double(), cameras.c2w.double()
    turn = after[0, :3, :3] @ before[0, :3, :3].T
    spread = [(c2w[:, :3, 3] - c2w[:, :3, 3].mean(0)).norm() for c2w in (before, after)]
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = turn * (spread[1] / spread[0])
    matrix[:3, 3] = after[0, :3, 3] - matrix[:3, :3] @ before[0, :3, 3]
    return replace(views, cameras=cameras, points=points), matrix.numpy()


def _load(path: Path) -> Transforms:
    return load_colmap(path) if is_colmap(path) else load_transforms(path)


def _straight_pictures(transforms: Transforms) -> tuple[list[np.ndarray], torch.Tensor]:
    """Return the pictures, uint8 [H,W,3|4], free of distortion, and their K [N,3,3]."""
    pictures = [load_image(path) for path in transforms.images]
    if not transforms.distortion.any():
        return pictures, transforms.cameras.K
    height, width = transforms.cameras.height, transforms.cameras.width
    lenses = transforms.cameras.K.double().numpy()
    straight = [
        straight_intrinsics(K, lens, height, width) for K, lens in zip(lenses, transforms.distortion, strict=True)
    ]
    pictures = [
        undistorted(picture, K, lens, to)
        for picture, K, lens, to in zip(pictures, lenses, transforms.distortion, straight, strict=True)
    ]
    return pictures, torch.from_numpy(np.stack(straight)).float()


def _alpha(picture: np.ndarray) -> np.ndarray:
    if picture.shape[2] == 4:
        return picture[..., 3].astype(np.float32) / 255
    return np.ones(picture.shape[:2], np.float32)
