"""transforms.json: pictures with cameras, as NeRF, instant-ngp and nerfstudio write it.

Frame: OpenGL's camera axes (x right, y up, z backward), camera to world; the world as it is, z up where `make` made it.
The axes are turned by recon.camera alone. `applied_transform` and `aabb_scale` are not needed and not read.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recon.camera import Cameras, invert_rigid, opencv_to_opengl, opengl_to_opencv
from vid2three.formats.images import DEPTH_UNIT, SUFFIXES, image_size

DISTORTION = ("k1", "k2", "p1", "p2", "k3")
UNSUPPORTED = ("k4", "k5", "k6")
MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")


@dataclass(frozen=True, eq=False)
class Transforms:
    """What a transforms.json says, checked."""

    cameras: Cameras
    """N cameras of the pictures as they lie on disk."""
    images: tuple[Path, ...]
    """N pictures; each exists and has the cameras' size."""
    depths: tuple[Path, ...]
    """N 16-bit depth maps, or none at all."""
    depth_unit: float
    """World units a step of the depth maps."""
    distortion: np.ndarray
    """[N,5]: OpenCV's k1, k2, p1, p2, k3; zeros where the pictures are free of distortion."""
    points: Tensor | None = None
    """[P,3] sparse points of the scene, where the source knows them."""


def load_transforms(path: Path) -> Transforms:
    """Read a transforms.json, or the one in a folder; intrinsics may be shared or stand in each frame.

    Raises FileNotFoundError or ValueError, in one sentence, for a missing key, picture or frame, a picture whose size
    is not the one stated, sizes that differ, a matrix that is no camera, and lenses other than OpenCV's.
    """
    path = _json_file(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from None
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list):
        raise ValueError(f"{path} lacks the list 'frames'; see the transforms.json of nerfstudio.")
    if not frames:
        raise ValueError(f"{path} holds no frames; reconstruction needs pictures from several sides.")
    images, depths, matrices, intrinsics, distortion, sizes = [], [], [], [], [], []
    for index, frame in enumerate(frames):
        where = f"{path.name}, frame {index}"
        for key in ("file_path", "transform_matrix"):
            if key not in frame:
                raise ValueError(f"{where}: '{key}' is missing.")
        where = f"{path.name}, frame {index} ({frame['file_path']})"
        image = _image_file(path.parent, str(frame["file_path"]))
        size = image_size(image)
        images.append(image)
        sizes.append(size)
        matrices.append(_matrix(frame["transform_matrix"], where))
        intrinsics.append(_intrinsics({**data, **frame}, size, where))
        distortion.append(_distortion({**data, **frame}, where))
        if "depth_file_path" in frame:
            depths.append(path.parent / frame["depth_file_path"])
    if len(set(sizes)) > 1:
        other = next(i for i, size in enumerate(sizes) if size != sizes[0])
        raise ValueError(
            f"{path.name}: the pictures differ in size, {images[0].name} has {_size(sizes[0])} pixels and "
            f"{images[other].name} {_size(sizes[other])}; give pictures of one size."
        )
    c2w = opengl_to_opencv(torch.from_numpy(np.stack(matrices)))  # N 4 4, float64
    height, width = sizes[0]
    cameras = Cameras(torch.tensor(np.stack(intrinsics)).float(), invert_rigid(c2w).float(), height, width)
    unit = _depth_unit(data.get("depth_unit_scale_factor", DEPTH_UNIT), path.name)
    all_depths = tuple(depths) if len(depths) == len(images) else ()
    return Transforms(cameras, tuple(images), all_depths, unit, np.stack(distortion))


def save_transforms(
    path: Path, cameras: Cameras, images: list[str], depths: list[str] | None = None, depth_unit: float = DEPTH_UNIT
) -> None:
    """Write a transforms.json; `images` (and `depths`) are paths relative to it, one a camera."""
    matrices = opencv_to_opengl(invert_rigid(cameras.w2c.double()))  # N 4 4
    intrinsics = [{"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy} for fx, fy, cx, cy in _scalars(cameras)]
    are_shared = all(entry == intrinsics[0] for entry in intrinsics)
    frames = []
    for index, image in enumerate(images):
        frame: dict[str, Any] = {"file_path": image, **({} if are_shared else intrinsics[index])}
        if depths:
            frame["depth_file_path"] = depths[index]
        frames.append({**frame, "transform_matrix": matrices[index].tolist()})
    angle = 2 * math.atan(cameras.width / (2 * intrinsics[0]["fl_x"]))
    data = {
        "camera_model": "OPENCV",
        "w": cameras.width,
        "h": cameras.height,
        **({"camera_angle_x": angle, **intrinsics[0]} if are_shared else {}),
        **dict.fromkeys(("k1", "k2", "p1", "p2"), 0.0),
        **({"depth_unit_scale_factor": depth_unit} if depths else {}),
        "frames": frames,
    }
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _json_file(path: Path) -> Path:
    """Return the JSON of a folder or the path itself, with the cure where there is none."""
    if path.is_dir():
        for name in ("transforms.json", "transforms_train.json"):
            if (path / name).is_file():
                return path / name
        raise FileNotFoundError(
            f"{path} holds no transforms.json with the pictures' cameras; make one with ns-process-data or COLMAP."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; pass a folder with transforms.json, or such a file.")
    if path.suffix.lower() != ".json":
        raise ValueError(f"{path} is no transforms.json; pass a folder with one, or such a file.")
    return path


def _image_file(folder: Path, name: str) -> Path:
    path = folder / name
    if path.is_file():
        return path
    for suffix in SUFFIXES:  # NeRF's own sets leave the ending out
        if path.with_name(path.name + suffix).is_file():
            return path.with_name(path.name + suffix)
    raise FileNotFoundError(f"The picture {path} does not exist; check file_path in the JSON.")


def _depth_unit(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ValueError(f"{name}: depth_unit_scale_factor is a positive number of world units, not {value!r}.")
    return float(value)


def _matrix(values: Any, where: str) -> np.ndarray:
    try:
        matrix = np.array(values, np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0, 0, 0, 1]])
    if matrix.shape != (4, 4):
        raise ValueError(f"{where}: transform_matrix must be 4 rows of 4 numbers.")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{where}: transform_matrix holds a value that is not finite; drop the frame.")
    rotation = matrix[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-2 or np.linalg.det(rotation) < 0:
        raise ValueError(f"{where}: transform_matrix holds no rotation (a scale or a mirror is in it).")
    u, _, v = np.linalg.svd(rotation)  # the nearest rotation: files round their numbers
    matrix[:3, :3] = u @ v
    return matrix


def _intrinsics(facts: dict[str, Any], size: tuple[int, int], where: str) -> np.ndarray:
    height, width = size
    stated = int(_number(facts, "h", where, height)), int(_number(facts, "w", where, width))
    if stated != size:
        raise ValueError(
            f"{where}: the JSON says {_size(stated)} pixels, the picture has {_size(size)}; correct w and h with the "
            "intrinsics, or resize the picture."
        )
    if "fl_x" in facts:
        fx = _number(facts, "fl_x", where)
    elif "camera_angle_x" in facts:
        fx = width / (2 * math.tan(_number(facts, "camera_angle_x", where) / 2))
    else:
        raise ValueError(f"{where}: no focal length; give 'fl_x' in pixels or 'camera_angle_x' in radians.")
    if "fl_x" not in facts and "camera_angle_y" in facts:
        fy = height / (2 * math.tan(_number(facts, "camera_angle_y", where) / 2))
    else:
        fy = _number(facts, "fl_y", where, fx)
    cx, cy = _number(facts, "cx", where, width / 2), _number(facts, "cy", where, height / 2)
    if fx <= 0 or fy <= 0:
        raise ValueError(f"{where}: the focal length must be positive, not {fx} and {fy}.")
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _distortion(facts: dict[str, Any], where: str) -> np.ndarray:
    model = str(facts.get("camera_model", "OPENCV"))
    beyond = [key for key in UNSUPPORTED if _number(facts, key, where, 0.0) != 0]
    if model not in MODELS or beyond or facts.get("is_fisheye"):
        what = f"{beyond[0]} = {facts[beyond[0]]}" if beyond else f"camera_model '{model}'"
        raise ValueError(f"{where}: {what} is not supported; undistort the pictures first (ns-process-data, COLMAP).")
    return np.array([_number(facts, key, where, 0.0) for key in DISTORTION])


def _number(facts: dict[str, Any], key: str, where: str, default: float | None = None) -> float:
    value = facts.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{where}: '{key}' must be a finite number, not {value!r}.")
    return float(value)


def _scalars(cameras: Cameras) -> list[list[float]]:
    K = cameras.K.double()
    return torch.stack([K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]], dim=1).tolist()


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"
