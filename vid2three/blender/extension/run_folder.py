"""What a run folder of vid2three says: where the mesh lies in the world of the cameras, and the cameras.

No line of this file needs Blender. Nothing in a file is trusted: numbers are checked, no path out of it is followed.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST_BYTES = 64 * 2**20  # of a JSON file
MOST_CAMERAS = 10_000
LONGEST_NAME = 48  # Blender 4.2 cuts names after 63 bytes, and " camera 000" goes behind it
Z_UP_FROM_Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""(x, y, z) -> (x, -z, y): glTF's axes to Blender's, as its importer turns them."""


@dataclass(frozen=True, eq=False)
class Cameras:
    """N pinhole cameras of pictures of one size, and the pictures where they are all there."""

    c2w: np.ndarray
    """[N,4,4] camera to the world of the cameras, with OpenGL's and Blender's axes (x right, y up, z backward)."""
    K: np.ndarray
    """[N,3,3] in pixels."""
    height: int
    width: int
    pictures: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run folder, checked."""

    folder: Path
    name: str
    facts: dict[str, str | int | bool]
    """Prompt, seed, model and where the asset comes from."""
    blender_from_world: np.ndarray
    """[4,4] from the world of splats and cameras to where Blender imports mesh.glb: an even scale and a shift."""
    cameras: Cameras | None
    fps: float | None
    """Views a second; None of photos."""

    def file(self, name: str) -> Path | None:
        """Return the path of a file of the run, None where there is none."""
        path = self.folder / name
        return path if path.is_file() else None


def load(folder: Path) -> RunFolder:
    """Read a run folder. Raises ValueError or FileNotFoundError, in one sentence, for what is none."""
    path = folder / "asset.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} is no run folder: it holds no asset.json. Choose a folder that vid2three made."
        )
    manifest = _json(path)
    files = manifest.get("files")
    if manifest.get("schema") != 1 or not isinstance(files, dict):
        raise ValueError(f"{path} was not written by a version of vid2three that this extension knows.")
    transforms = folder / "transforms.json"
    cameras = _cameras(transforms) if transforms.is_file() else None
    return RunFolder(
        folder=folder,
        name=str(manifest.get("name") or folder.name)[:LONGEST_NAME],
        facts=_facts(manifest),
        blender_from_world=_placement(files, path),
        cameras=cameras,
        fps=_fps(folder, files, cameras),
    )


def _json(path: Path) -> dict:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} is larger than such a file can be.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is no JSON file; let vid2three make the asset again.") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds no JSON object; let vid2three make the asset again.")
    return data


def _facts(manifest: dict) -> dict[str, str | int | bool]:
    provenance, weights = manifest.get("provenance"), manifest.get("weights")
    found = {key: manifest.get(key) for key in ("prompt", "caption", "seed")}
    found["model"] = weights.get("name") if isinstance(weights, dict) else None
    found["ai_generated"] = provenance.get("ai_generated") if isinstance(provenance, dict) else None
    small = lambda value: isinstance(value, int) and abs(value) < 2**31  # as a property of Blender holds it  # noqa: E731
    return {key: value if small(value) else str(value) for key, value in found.items() if value is not None}


def _placement(files: dict, path: Path) -> np.ndarray:
    mesh = files.get("mesh.glb")
    if not isinstance(mesh, dict) or "world_from_file" not in mesh:
        return np.eye(4)
    world_from_file = _matrix(mesh["world_from_file"], f"{path}: world_from_file")
    if abs(np.linalg.det(world_from_file)) < 1e-12:
        raise ValueError(f"{path}: world_from_file cannot be turned round; let vid2three make the asset again.")
    return Z_UP_FROM_Y_UP @ np.linalg.inv(world_from_file)


def _cameras(path: Path) -> Cameras:
    data = _json(path)
    frames = data.get("frames")
    if not isinstance(frames, list) or not 0 < len(frames) <= MOST_CAMERAS:
        raise ValueError(f"{path} holds no list of frames that is of use.")
    if not all(isinstance(frame, dict) for frame in frames):
        raise ValueError(f"{path} holds a frame that is no object.")
    width, height = (int(_number(data, key, path)) for key in ("w", "h"))
    matrices = [_matrix(frame.get("transform_matrix"), f"{path}: transform_matrix") for frame in frames]
    intrinsics = [
        [_number(frame if key in frame else data, key, path) for key in ("fl_x", "fl_y", "cx", "cy")]
        for frame in frames
    ]
    if min(width, height) < 1 or max(width, height) > 65536 or min(min(row[:2]) for row in intrinsics) <= 0:
        raise ValueError(f"{path}: size and focal lengths must be positive numbers of pixels.")
    K = np.array([[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] for fx, fy, cx, cy in intrinsics])
    names = [str(frame.get("file_path", "")) for frame in frames]
    return Cameras(np.array(matrices), K, height, width, _pictures(path.parent, names))


def _pictures(folder: Path, names: list[str]) -> tuple[Path, ...]:
    """Return the views, numbered as vid2three writes them; none where one is missing or lies elsewhere."""
    if any(re.fullmatch(r"views/\d{3,6}\.png", name) is None or not (folder / name).is_file() for name in names):
        return ()
    return tuple(folder / name for name in names)


def _fps(folder: Path, files: dict, cameras: Cameras | None) -> float | None:
    """Return the rate of a generated clip, or how many views a second were chosen of a video."""
    clip = files.get("orbit.mp4")
    fps = clip.get("fps") if isinstance(clip, dict) else None
    if fps is None and cameras is not None and (folder / "frames.json").is_file():
        chosen = _json(folder / "frames.json")
        times = chosen.get("times_s")
        is_video = isinstance(chosen.get("fps"), (int, float)) and chosen["fps"] > 0
        if is_video and isinstance(times, list) and len(times) == len(cameras.c2w) and len(times) > 1:
            first, last = (
                float(time) if isinstance(time, (int, float)) else math.nan for time in (times[0], times[-1])
            )
            fps = (len(times) - 1) / (last - first) if last > first else None
    return float(fps) if isinstance(fps, (int, float)) and 0.01 < fps < 1000 else None


def _number(facts: dict, key: str, path: Path) -> float:
    value = facts.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{path}: '{key}' must be a finite number, not {value!r}.")
    return float(value)


def _matrix(values: object, where: str) -> np.ndarray:
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ValueError(f"{where} must be 4 rows of 4 finite numbers; let vid2three make the asset again.")
    return matrix
