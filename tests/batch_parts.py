"""What the tests of batches and of the server share: settings that make an asset in a few seconds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

TINY = {
    "method": "splats",
    "generate": {"steps": 1, "retry_below": 0.0, "num_frames": 4, "height": 64, "width": 64},
    "fit": {"num_splats": 150, "iterations": 20},
    "mesh": {"num_faces": 200, "resolution": 24, "extra_views": 2, "texture_size": 64},
    "export": {"turntable_frames": 2, "turntable_size": 256},
}
CLIP = TINY["generate"]


def save_tiny(folder: Path) -> Path:
    """Write the settings as a file for --config."""
    import yaml

    path = folder / "tiny.yaml"
    both = {key: value for key, value in TINY.items() if key != "method"}
    path.write_text(yaml.safe_dump({"make": {"method": "splats"}, **both}), encoding="utf-8")
    return path


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def command(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run vid2three to its end, with the checkout's code."""
    root = Path(__file__).parents[1]
    start = f"import sys; sys.path[0] = {str(root)!r}; from vid2three.cli import main; main()"
    run = [sys.executable, "-c", start, *arguments]
    return subprocess.run(run, capture_output=True, text=True, timeout=900, env=one_thread(), cwd=cwd)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return all files of a run but asset.json, whose timings differ."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "asset.json"}


def picture(path: Path) -> None:
    """A blue disc that stands out, with transparency around it."""
    y, x = np.mgrid[:96, :80]
    alpha = ((x - 40) ** 2 + (y - 48) ** 2 < 30**2).astype(np.uint8) * 255
    color = np.broadcast_to(np.array([40, 60, 200], np.uint8), (96, 80, 3))
    Image.fromarray(np.concatenate([color, alpha[..., None]], axis=2)).save(path)
