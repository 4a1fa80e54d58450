"""What Open3D makes of our meshes and splats: box, counts, volume, colours at known places, activated or stored values.

Open3D is not ours to import: it lives in a Python of its own, which reads the files and tells what is in them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from format_parts import colored_box, lopsided_splats, painted_ball
from recon.sh import dc_to_rgb
from vid2three.formats import MESH_SAVERS, SPLAT_SAVERS
from vid2three.formats.glb import srgb_to_linear

RED, BLUE, GREEN = (200, 30, 20), (20, 40, 210), (30, 180, 50)
Y_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # file (x, z, -y) to world (x, y, z), rows times this transposed
MESHES, SPLATS = (".glb", ".obj", ".ply", ".stl"), (".ply", ".splat", ".spz")


@pytest.fixture(scope="module")
def open3d_python(root) -> str:
    """A Python that can import Open3D, which wants system libraries that may not be there."""
    for python in (os.environ.get("V2T_OPEN3D_PYTHON"), str(root / ".venv-open3d" / "bin" / "python"), sys.executable):
        if python and Path(python).exists():
            found = subprocess.run([python, "-c", "import open3d"], capture_output=True, text=True, timeout=300)
            if found.returncode == 0:
                return python
    pytest.skip("no Open3D: set V2T_OPEN3D_PYTHON to a Python that has open3d")


@pytest.fixture(scope="module")
def told(open3d_python, tmp_path_factory) -> dict:
    """What Open3D tells of a textured ball, a coloured box and lopsided splats, by the names of their files."""
    folder = tmp_path_factory.mktemp("open3d")
    for suffix in MESHES:
        MESH_SAVERS[suffix](folder / f"ball{suffix}", painted_ball(), name="ball")
        MESH_SAVERS[suffix](folder / f"box{suffix}", colored_box(), name="box")
    for suffix in SPLATS:
        SPLAT_SAVERS[suffix](folder / f"splats{suffix}", lopsided_splats(50, 1))
    files = [str(path) for path in sorted(folder.iterdir()) if path.suffix in {*MESHES, *SPLATS}]
    command = [open3d_python, str(Path(__file__).with_name("open3d_script.py")), str(folder / "report.json"), *files]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    return {Path(file).name: facts for file, facts in json.loads((folder / "report.json").read_text()).items()}


def in_world(points: list, suffix: str) -> np.ndarray:
    """Return points of a file z up and in metres, as docs/formats.md says that the file has them."""
    values = np.asarray(points, float) / (1000.0 if suffix == ".stl" else 1.0)
    return values @ Y_UP.T if suffix in (".glb", ".obj") else values


@pytest.mark.parametrize("suffix", MESHES)
@pytest.mark.parametrize("name", ["ball", "box"])
def test_open3d_finds_box_faces_and_volume(told, name, suffix):
    mesh, facts = painted_ball() if name == "ball" else colored_box(), told[f"{name}{suffix}"]
    corners = in_world(facts["box"], suffix)
    np.testing.assert_allclose([corners.min(axis=0), corners.max(axis=0)], mesh.bounds, atol=1e-5)
    assert facts["triangles"] == len(mesh.faces)
    assert facts["volume"] == pytest.approx(mesh.volume * (1e9 if suffix == ".stl" else 1), rel=1e-4)  # closed, outward


@pytest.mark.parametrize("suffix", MESHES)
def test_open3d_counts_the_vertices_that_the_format_needs(told, suffix):
    ball = painted_ball()
    places = len(np.unique(np.asarray(ball.vertices).round(9), axis=0))
    wanted = {".ply": places, ".stl": 3 * len(ball.faces)}.get(suffix, len(ball.vertices))
    assert told[f"ball{suffix}"]["vertices"] == wanted


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_open3d_reads_the_texture_where_it_belongs(told, suffix):
    spots = np.array(told[f"ball{suffix}"]["texture"])
    middle, colors = in_world(spots[:, :3], suffix), spots[:, 3:]
    low = middle[:, 2] < 1.6
    for where, color in (((middle[:, 1] < -0.2) & low, RED), ((middle[:, 1] > 0.2) & low, BLUE)):
        assert np.abs(colors[where] - np.divide(color, 255)).max() < 0.01
    assert np.abs(colors[middle[:, 2] > 1.85] - np.divide(GREEN, 255)).max() < 0.01


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply"])
def test_open3d_reads_the_colours_of_vertices(told, suffix):
    box, facts = colored_box(), told[f"box{suffix}"]
    wanted = np.asarray(box.visual.vertex_colors)[:, :3] / 255.0
    wanted = srgb_to_linear(wanted) if suffix == ".glb" else wanted  # as glTF has them
    found = dict(zip(_keys(in_world(facts["points"], suffix)), facts["colors"], strict=True))
    for key, color in zip(_keys(np.asarray(box.vertices)), wanted, strict=True):
        np.testing.assert_allclose(found[key], color, atol=1 / 255)


def _keys(points: np.ndarray) -> list[tuple]:
    return [tuple(row) for row in (points.round(4) + 0.0).tolist()]


def test_open3d_reads_every_value_of_a_3dgs_ply(told):
    splats, facts = lopsided_splats(50, 1), told["splats.ply"]
    for name, wanted in (
        ("positions", splats.means),
        ("scale", splats.log_scales.exp()),  # Open3D activates them
        ("rot", splats.quats),
        ("f_dc", splats.sh[:, 0]),
        ("f_rest", splats.sh[:, 1:]),
    ):
        found = torch.tensor(facts[name]).reshape(wanted.shape)
        torch.testing.assert_close(found, wanted.float(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.tensor(facts["opacity"])[:, 0], splats.opacity_logits.float())


@pytest.mark.parametrize("suffix", [".splat", ".spz"])
def test_open3d_finds_packed_splats_where_and_as_large_and_coloured_as_they_are(told, suffix):
    splats, facts = lopsided_splats(50, 1), told[f"splats{suffix}"]
    points = np.array(facts["positions"])
    turn = {".spz": [[1, 0, 0], [0, 0, -1], [0, 1, 0]], ".splat": [[-1, 0, 0], [0, 0, -1], [0, -1, 0]]}[suffix]
    world = points @ np.array(turn).T
    distances = np.linalg.norm(world[:, None] - splats.means.numpy()[None], axis=2)
    nearest = distances.argmin(axis=1)
    assert sorted(nearest) == list(range(50))  # some formats sort
    assert distances.min(axis=1).max() < 1e-3
    scales = splats.log_scales.exp().numpy()[nearest]
    np.testing.assert_allclose(np.array(facts["scale"]), scales, rtol=0.04)
    colors, wanted = (dc_to_rgb(dc).clamp(0, 1) for dc in (torch.tensor(facts["f_dc"]), splats.sh[nearest, 0].float()))
    torch.testing.assert_close(colors, wanted, atol=0.02, rtol=0)
