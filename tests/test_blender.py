"""A GLB of ours, opened and rendered by a real Blender: upright, facing the artist, as high as asked, in colour."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from vid2three.formats.glb import save_mesh, srgb_to_linear
from vid2three.place import moved, placement

RED, GREEN, BLUE, WHITE = (200, 40, 30), (40, 170, 60), (30, 60, 200), (230, 230, 230)
HEIGHT_M = 0.35


def box(center: tuple, size: tuple, color: tuple) -> trimesh.Trimesh:
    mesh = trimesh.creation.box(extents=size, transform=trimesh.transformations.translation_matrix(center))
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=np.tile([*color, 255], (len(mesh.vertices), 1)))
    return mesh


@pytest.fixture(scope="module")
def statue() -> trimesh.Trimesh:
    """A white plinth with a red front, a green hat on top and a blue arm on the right hand (+x), in our world frame."""
    parts = [
        box((0, 0, 0), (0.6, 0.4, 1.0), WHITE),
        box((0, -0.25, 0), (0.5, 0.1, 0.8), RED),
        box((0, 0, 0.6), (0.3, 0.3, 0.2), GREEN),
        box((0.5, 0, 0.2), (0.4, 0.1, 0.1), BLUE),
    ]
    return trimesh.util.concatenate(parts)


def open_in_blender(python: str, mesh: trimesh.Trimesh, folder: Path, side: str) -> tuple[dict, np.ndarray]:
    """Return Blender's report and its picture, uint8 [64,64,4], of a mesh in our world frame, written as GLB."""
    save_mesh(folder / "mesh.glb", mesh, name="statue")
    script = Path(__file__).with_name("blender_script.py")
    result = subprocess.run(
        [python, str(script), "mesh.glb", "report.json", str(folder / "picture.png"), side],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((folder / "report.json").read_text()), np.asarray(Image.open(folder / "picture.png"))


@pytest.fixture(scope="module")
def opened(blender_python, statue, tmp_path_factory) -> tuple[dict, np.ndarray]:
    placed = moved(statue, placement(statue, HEIGHT_M, "base"))
    return open_in_blender(blender_python, placed, tmp_path_factory.mktemp("blender"), "-y")


def part(report: dict, color: tuple) -> np.ndarray:
    """Return the [n,3] vertices that have a colour, in Blender's world."""
    vertices, colors = np.array(report["vertices"]), np.array(report["colors"])
    if report["color_domain"] == "CORNER":
        vertices = vertices[report["corner_vertices"]]
    chosen = np.abs(colors - srgb_to_linear(np.array(color) / 255)).max(axis=1) < 0.01
    return vertices[chosen]


def check_upright(report: dict) -> None:
    vertices, hat = np.array(report["vertices"]), part(report, GREEN)
    assert len(hat) > 0
    assert hat[:, 2].max() == pytest.approx(vertices[:, 2].max(), abs=1e-5)


def check_front(report: dict) -> None:
    vertices, red, blue = np.array(report["vertices"]), part(report, RED), part(report, BLUE)
    assert red[:, 1].min() == pytest.approx(vertices[:, 1].min(), abs=1e-5)
    assert blue[:, 0].max() == pytest.approx(vertices[:, 0].max(), abs=1e-5)


def check_picture(picture: np.ndarray) -> None:
    """A look along +y: the hat above the red front, the blue arm to the right of it, each in its own colour."""
    rgb, solid = picture[..., :3].astype(int), picture[..., 3] > 200
    winner = np.where(np.ptp(rgb, axis=2) > 60, rgb.argmax(2), 3)  # 0 red, 1 green, 2 blue, 3 none of them
    front, hat, arm = (np.argwhere((winner == channel) & solid) for channel in range(3))
    assert min(len(front), len(hat), len(arm)) > 10, (len(front), len(hat), len(arm))
    assert hat[:, 0].mean() < front[:, 0].mean() - 10
    assert arm[:, 1].mean() > front[:, 1].mean() + 10
    assert np.abs(rgb[(winner == 0) & solid].mean(0) - RED).max() < 45


def test_blender_stands_it_upright_at_the_height_asked(opened):
    low, high = np.min(opened[0]["vertices"], axis=0), np.max(opened[0]["vertices"], axis=0)
    assert high[2] - low[2] == pytest.approx(HEIGHT_M, rel=1e-4)
    assert low[2] == pytest.approx(0, abs=1e-5)
    check_upright(opened[0])


def test_blender_shows_the_front_at_minus_y_and_is_not_mirrored(opened):
    check_front(opened[0])


def test_blender_has_one_named_object_with_all_faces_and_colors(opened, statue):
    report = opened[0]
    assert report["name"] == "statue"
    assert report["num_faces"] == len(statue.faces)
    assert sum(len(part(report, color)) for color in (RED, GREEN, BLUE, WHITE)) == len(report["colors"])


def test_blender_renders_the_vertex_colors_where_they_belong(opened):
    """The artist's first look: Cycles, the file's own material, the camera in front."""
    check_picture(opened[1])


def test_canary_a_mesh_that_lies_on_its_back_fails_every_check(blender_python, statue, tmp_path):
    lying = moved(statue, trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    report, picture = open_in_blender(blender_python, lying, tmp_path, "-y")
    for check, seen in ((check_upright, report), (check_front, report), (check_picture, picture)):
        with pytest.raises(AssertionError):
            check(seen)
