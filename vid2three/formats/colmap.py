"""COLMAP's sparse models: cameras, images and points, as text or binary, read and written.

A model is a folder with cameras, images and points3D, each as .bin or .txt; pictures lie in `images` beside it or
beside its folder `sparse`. Axes are OpenCV's, world to camera, and the centre of the first pixel lies at (0.5, 0.5):
ours, so nothing is turned. Written are PINHOLE cameras, a picture each, and points without tracks. Nothing of a file
is believed: counts are held against its size, names of pictures must stay in their folder.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation
from torch import Tensor

from recon.camera import Cameras
from vid2three.formats.images import image_size
from vid2three.formats.transforms import Transforms

MODELS = {  # name: number in binary files, and where its parameters stand among fx fy cx cy k1 k2 p1 p2 k3
    "SIMPLE_PINHOLE": (0, ("f", "cx", "cy")),
    "PINHOLE": (1, ("fx", "fy", "cx", "cy")),
    "SIMPLE_RADIAL": (2, ("f", "cx", "cy", "k1")),
    "RADIAL": (3, ("f", "cx", "cy", "k1", "k2")),
    "OPENCV": (4, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2")),
}
UNSUPPORTED = {5: "OPENCV_FISHEYE", 6: "FULL_OPENCV", 7: "FOV", 8: "SIMPLE_RADIAL_FISHEYE", 9: "RADIAL_FISHEYE"}
NAMES = {number: name for name, (number, _) in MODELS.items()} | UNSUPPORTED
PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "dense/sparse")
MOST_POINTS = 2_000_000  # that are read; of more, every so many
LONGEST_NAME = 4096  # bytes
FARTHEST = 1e15  # units; what lies beyond is no place, and single precision ends at 3e38
POINT2D = 24  # bytes of a keypoint in images.bin
POINT3D = 43  # bytes of a point in points3D.bin, before its track


@dataclass(frozen=True)
class _Lens:
    """A camera of the model: OpenCV's numbers by name."""

    width: int
    height: int
    values: dict[str, float]

    @property
    def K(self) -> np.ndarray:
        v = self.values
        fx, fy = v.get("fx", v.get("f", 0.0)), v.get("fy", v.get("f", 0.0))
        return np.array([[fx, 0, v["cx"]], [0, fy, v["cy"]], [0, 0, 1]])

    @property
    def distortion(self) -> np.ndarray:
        return np.array([self.values.get(name, 0.0) for name in ("k1", "k2", "p1", "p2", "k3")])


@dataclass(frozen=True)
class _Pose:
    """An image of the model: world to camera."""

    name: str
    lens: int
    quat: tuple[float, ...]
    """w, x, y, z."""
    shift: tuple[float, ...]


def find_model(folder: Path) -> Path | None:
    """Return the folder of the sparse model that lies in a folder or where COLMAP's users keep it; None without one."""
    for place in PLACES:
        if all(_file(folder / place, name) is not None for name in ("cameras", "images")):
            return folder / place
    return None


def model_files(folder: Path) -> list[Path]:
    """Return the files that `load_colmap` reads beside the pictures."""
    model = find_model(folder)
    found = [] if model is None else [_file(model, name) for name in ("cameras", "images", "points3D")]
    return [path for path in found if path is not None]


def load_colmap(folder: Path) -> Transforms:
    """Read a model and find its pictures, in the order of their names; sparse points come along.

    Raises FileNotFoundError or ValueError, in one sentence, for a model that is not there, broken or empty, a picture
    that is missing or of another size than its camera's, and lenses other than OpenCV's up to k2, p1, p2.
    """
    model = find_model(folder)
    if model is None:
        raise FileNotFoundError(f"{folder} holds no model of COLMAP; cameras and images (.bin or .txt) are needed.")
    cameras, images = _file(model, "cameras"), _file(model, "images")
    assert cameras is not None  # find_model has seen both
    assert images is not None
    lenses = _read(cameras, _lenses_of_text, _lenses_of_bytes)
    poses = sorted(_read(images, _poses_of_text, _poses_of_bytes), key=lambda pose: pose.name)
    if not poses:
        raise ValueError(f"{images} registers no picture; run COLMAP's mapper again.")
    found = [_picture(folder, model, pose.name) for pose in poses]
    for pose, path in zip(poses, found):
        lens = lenses.get(pose.lens)
        if lens is None:
            raise ValueError(f"{images}: {pose.name} has camera {pose.lens}, which {cameras.name} does not know.")
        if (lens.height, lens.width) != image_size(path):
            height, width = image_size(path)
            raise ValueError(
                f"{path.name} has {width} x {height} pixels and its camera {lens.width} x {lens.height}; give the "
                "pictures that COLMAP saw."
            )
    first = lenses[poses[0].lens]
    other = next(
        (p for p in poses if (lenses[p.lens].height, lenses[p.lens].width) != (first.height, first.width)), None
    )
    if other is not None:
        raise ValueError(f"The pictures differ in size, {poses[0].name} and {other.name}; give pictures of one size.")
    K = np.stack([lenses[pose.lens].K for pose in poses])
    w2c = torch.from_numpy(np.stack([_matrix(pose, images) for pose in poses])).float()
    points3d = _file(model, "points3D")
    return Transforms(
        cameras=Cameras(torch.from_numpy(K).float(), w2c, first.height, first.width),
        images=tuple(found),
        depths=(),
        depth_unit=1.0,
        distortion=np.stack([lenses[pose.lens].distortion for pose in poses]),
        points=None if points3d is None else _read(points3d, _points_of_text, _points_of_bytes),
    )


def save_colmap(
    folder: Path,
    cameras: Cameras,
    names: list[str],
    points: Float[np.ndarray, "p 3"],
    colors: UInt8[np.ndarray, "p 3"],
    *,
    binary: bool = True,
) -> None:
    """Write cameras, images and points3D into a folder that exists; `names` are those of the pictures."""
    K, w2c = cameras.K.double().numpy(), cameras.w2c.double().numpy()
    unique, which = np.unique(K, axis=0, return_inverse=True)
    lenses = [(k[0, 0], k[1, 1], k[0, 2], k[1, 2]) for k in unique]
    quats = Rotation.from_matrix(w2c[:, :3, :3]).as_quat()[:, [3, 0, 1, 2]]
    quats *= np.where(quats[:, :1] < 0, -1, 1)
    poses = list(zip(names, (which.reshape(-1) + 1).tolist(), quats.tolist(), w2c[:, :3, 3].tolist()))
    if binary:
        write = _save_bytes
    else:
        write = _save_text
    write(folder, lenses, (cameras.width, cameras.height), poses, points, colors)


def _save_bytes(folder: Path, lenses: list, size: tuple[int, int], poses: list, points: np.ndarray, colors) -> None:
    number = MODELS["PINHOLE"][0]
    rows = [struct.pack("<IiQQ4d", index, number, *size, *lens) for index, lens in enumerate(lenses, 1)]
    (folder / "cameras.bin").write_bytes(struct.pack("<Q", len(rows)) + b"".join(rows))
    rows = [
        struct.pack("<I7dI", index, *quat, *shift, lens) + name.encode() + b"\0" + struct.pack("<Q", 0)
        for index, (name, lens, quat, shift) in enumerate(poses, 1)
    ]
    (folder / "images.bin").write_bytes(struct.pack("<Q", len(rows)) + b"".join(rows))
    table = np.zeros(len(points), _point_type())
    table["id"], table["xyz"], table["rgb"] = np.arange(1, len(points) + 1), points, colors
    (folder / "points3D.bin").write_bytes(struct.pack("<Q", len(points)) + table.tobytes())


def _save_text(folder: Path, lenses: list, size: tuple[int, int], poses: list, points: np.ndarray, colors) -> None:
    said = lambda values: " ".join(repr(float(value)) for value in values)  # noqa: E731
    width, height = size
    lines = [f"{index} PINHOLE {width} {height} {said(lens)}" for index, lens in enumerate(lenses, 1)]
    _write_lines(folder / "cameras.txt", "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]", lines)
    lines = [f"{i} {said(quat)} {said(shift)} {lens} {name}\n" for i, (name, lens, quat, shift) in enumerate(poses, 1)]
    _write_lines(folder / "images.txt", "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME; then POINTS2D[]", lines)
    rows = zip(points.tolist(), colors.tolist())
    lines = [f"{i} {said(xyz)} {r} {g} {b} 0" for i, (xyz, (r, g, b)) in enumerate(rows, 1)]
    _write_lines(folder / "points3D.txt", "POINT3D_ID X Y Z R G B ERROR TRACK[]", lines)


def _write_lines(path: Path, header: str, lines: list[str]) -> None:
    path.write_text("\n".join([f"# {header}", *lines]) + "\n", encoding="utf-8")


def _point_type() -> np.dtype:
    fields = [("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("track", "<u8")]
    return np.dtype(fields)


def _file(model: Path, name: str) -> Path | None:
    return next((path for path in (model / f"{name}.bin", model / f"{name}.txt") if path.is_file()), None)


def _read(path: Path, of_text, of_bytes):
    """Read a file of a model in either form; whatever is wrong with it becomes one ValueError."""
    try:
        if path.suffix == ".bin":
            return of_bytes(path.read_bytes())
        return of_text(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, struct.error, OverflowError) as error:
        raise ValueError(f"{path} is no file of a COLMAP model ({error}); write it again.") from None


def _picture(folder: Path, model: Path, name: str) -> Path:
    """Return where a picture lies. Raises for one that is not there, and for a name that leads out of its folder."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name or not parts.parts:
        raise ValueError(f"The model names a picture '{name[:80]}', outside its folder; give names within it.")
    for place in (folder / "images", model.parent / "images", model.parent.parent / "images", folder, model):
        if (place / parts).is_file():
            return place / parts
    raise FileNotFoundError(f"The picture {name[:80]} of the model is not in {folder / 'images'}; put it there.")


def _matrix(pose: _Pose, path: Path) -> np.ndarray:
    matrix = np.eye(4)
    w, x, y, z = pose.quat
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    if not all(abs(value) < FARTHEST for value in pose.shift) or not 0.5 < norm < 2:
        raise ValueError(f"{path}: {pose.name} has no place, or no rotation; drop that picture.")
    matrix[:3, :3] = Rotation.from_quat([x, y, z, w]).as_matrix()
    matrix[:3, 3] = pose.shift
    return matrix


def _lens(model: str, width: int, height: int, values: tuple[float, ...]) -> _Lens:
    if model not in MODELS:
        raise ValueError(f"a lens of the model {model}; undistort the pictures with COLMAP first")
    names = MODELS[model][1]
    if len(values) != len(names) or not all(abs(value) < FARTHEST for value in values):
        raise ValueError(f"{model} has {len(names)} finite numbers")
    lens = _Lens(width, height, dict(zip(names, values)))
    if not (lens.K[0, 0] > 0 and lens.K[1, 1] > 0 and 0 < width < 2**20 and 0 < height < 2**20):
        raise ValueError("a lens without focal length or size")
    return lens


def _rows(lines: list[str]) -> Iterator[list[str]]:
    return (line.split() for line in lines if line.strip() and not line.startswith("#"))


def _lenses_of_text(lines: list[str]) -> dict[int, _Lens]:
    lenses = {}
    for row in _rows(lines):
        if len(row) < 5:
            raise ValueError("a line that is no camera")
        lenses[int(row[0])] = _lens(row[1], int(row[2]), int(row[3]), tuple(map(float, row[4:])))
    return lenses


def _poses_of_text(lines: list[str]) -> list[_Pose]:
    """Every other line, empty ones counted, holds keypoints."""
    said = [line for line in lines if not line.startswith("#")]
    poses = []
    for line in said[::2]:
        row = line.split(maxsplit=9)
        if not row:
            continue
        if len(row) < 10:
            raise ValueError("a line that is no image")
        numbers = tuple(map(float, row[1:8]))
        poses.append(_Pose(row[9].strip(), int(row[8]), numbers[:4], numbers[4:]))
    return poses


def _points_of_text(lines: list[str]) -> Float[Tensor, "p 3"]:
    rows = [row[1:4] for row in _rows(lines)]
    if any(len(row) < 3 for row in rows):
        raise ValueError("a line that is no point")
    return _finite(np.array(rows, np.float64).reshape(-1, 3))


def _lenses_of_bytes(data: bytes) -> dict[int, _Lens]:
    count, at = _count(data, 24 + 24), 8
    lenses = {}
    for _ in range(count):
        key, number, width, height = struct.unpack_from("<IiQQ", data, at)
        name = NAMES.get(number, str(number))
        num = len(MODELS[name][1]) if name in MODELS else 0
        lenses[key] = _lens(name, width, height, struct.unpack_from(f"<{num}d", data, at + 24))
        at += 24 + 8 * num
    return lenses


def _poses_of_bytes(data: bytes) -> list[_Pose]:
    count, at = _count(data, 64 + 1 + 8), 8
    poses = []
    for _ in range(count):
        _, *numbers, lens = struct.unpack_from("<I7dI", data, at)
        end = data.find(b"\0", at + 64, at + 64 + LONGEST_NAME)
        if end < 0:
            raise ValueError("the name of a picture does not end")
        name = data[at + 64 : end].decode("utf-8")
        (num_points,) = struct.unpack_from("<Q", data, end + 1)
        at = end + 9 + POINT2D * num_points
        if at > len(data):
            raise ValueError("it ends too early")
        poses.append(_Pose(name, lens, tuple(numbers[:4]), tuple(numbers[4:])))
    return poses


def _points_of_bytes(data: bytes) -> Float[Tensor, "p 3"]:
    count, at = _count(data, POINT3D + 8), 8
    points = np.empty((count, 3))
    for index in range(count):
        points[index] = struct.unpack_from("<3d", data, at + 8)
        (length,) = struct.unpack_from("<Q", data, at + POINT3D)
        at += POINT3D + 8 + 8 * length
    if at > len(data):
        raise ValueError("it ends too early")
    return _finite(points)


def _count(data: bytes, least: int) -> int:
    """Read how many entries follow, each of `least` bytes at least."""
    (count,) = struct.unpack_from("<Q", data)
    if count > (len(data) - 8) // least:
        raise ValueError(f"it says {count} entries and has {len(data)} bytes")
    return count


def _finite(points: np.ndarray) -> Float[Tensor, "p 3"]:
    points = points[(np.abs(points) < FARTHEST).all(axis=1)]
    return torch.from_numpy(points[:: max(-(-len(points) // MOST_POINTS), 1)]).float()
