"""What Blender makes of every mesh format: upright, facing the artist, as large as meant, colours where they belong."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from format_parts import painted_ball
from vid2three.formats import MESH_SAVERS

RED, BLUE, GREEN = (200, 30, 20), (20, 40, 210), (30, 180, 50)
SIZE = {".stl": 1000.0}  # Blender takes the millimetres for its units


def look(python: str, file: Path, folder: Path, side: str) -> tuple[dict, np.ndarray]:
    """Return Blender's report on a file, and its picture, uint8 [64,64,4], from a side of the world."""
    script = Path(__file__).with_name("blender_script.py")
    command = [python, str(script), str(file), "report.json", str(folder / "picture.png"), side]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((folder / "report.json").read_text()), np.asarray(Image.open(folder / "picture.png"))


def seen(picture: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Return the mean colour of a part of the picture."""
    return picture[rows, columns, :3].reshape(-1, 3).astype(float).mean(axis=0)


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl", ".usda", ".usdc", ".usdz"])
def test_blender_stands_it_upright_with_front_and_colours_where_they_belong(blender_python, tmp_path, suffix):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    MESH_SAVERS[suffix](tmp_path / f"ball{suffix}", painted_ball(), name="ball")
    report, picture = look(blender_python, tmp_path / f"ball{suffix}", tmp_path, "-y")
    vertices = np.array(report["vertices"]) / SIZE.get(suffix, 1.0)
    np.testing.assert_allclose([vertices.min(axis=0), vertices.max(axis=0)], [[-1, -1, 0], [1, 1, 2]], atol=0.02)
    if suffix == ".stl":
        return
    if suffix == ".ply":  # Blender's PLY has colours but no material, so they are looked at where they are stored
        colors = np.array(report["colors"])
        np.testing.assert_allclose(colors[vertices[:, 1] < -0.8].mean(axis=0), [0.58, 0.013, 0.007], atol=0.02)
        assert (colors[vertices[:, 2] > 1.9, 1] > 0.4).all()
        return
    top, front = seen(picture, slice(7, 10), slice(30, 34)), seen(picture, slice(28, 40), slice(26, 38))
    assert np.abs(top - GREEN).max() < 40, top
    assert np.abs(front - RED).max() < 40, front
    assert report["materials"]
    _, behind = look(blender_python, tmp_path / f"ball{suffix}", tmp_path, "+y")
    assert np.abs(seen(behind, slice(28, 40), slice(26, 38)) - BLUE).max() < 40


def test_blender_stands_a_y_up_usd_upright_too(blender_python, tmp_path):
    pytest.importorskip("pxr")
    MESH_SAVERS[".usda"](tmp_path / "ball.usda", painted_ball(), name="ball", up="y")
    report, picture = look(blender_python, tmp_path / "ball.usda", tmp_path, "-y")
    assert np.ptp(report["vertices"], axis=0)[2] == pytest.approx(2, abs=0.02)
    assert np.abs(seen(picture, slice(28, 40), slice(26, 38)) - RED).max() < 40
