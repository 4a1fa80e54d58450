"""A GLB of ours, opened and rendered by a real Blender: upright, facing the artist, as high as asked, in colour."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

import vid2three
from generator.grammar import Attributes, make_scene
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import trace_clip
from recon.camera import Cameras, invert_rigid
from recon.config import FitConfig, MeshConfig
from recon.unwrap import texels, unwrap
from vid2three.config import ExportConfig, ReconstructConfig
from vid2three.formats.glb import save_mesh, srgb_to_linear
from vid2three.formats.images import save_image
from vid2three.formats.transforms import save_transforms
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
    """Write a mesh of our world frame as GLB and look at it."""
    save_mesh(folder / "mesh.glb", mesh, name="statue")
    return look(python, folder / "mesh.glb", folder, side)


def look(python: str, file: Path, folder: Path, side: str) -> tuple[dict, np.ndarray]:
    """Return Blender's report on a GLB, and its picture, uint8 [64,64,4], from a side of the world."""
    script = Path(__file__).with_name("blender_script.py")
    result = subprocess.run(
        [python, str(script), str(file), "report.json", str(folder / "picture.png"), side],
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


def textured(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Return a mesh with its vertex colours, one a face, as a texture, and maps that change nothing."""
    origin, uv, faces = unwrap(np.asarray(mesh.vertices), np.asarray(mesh.faces), 128)
    atlas = texels(uv, faces, 128)
    picture = np.zeros((128 * 128, 3), np.uint8)
    picture[atlas.index] = mesh.visual.vertex_colors[mesh.faces[atlas.face, 0], :3]
    maps = {"baseColorTexture": picture.reshape(128, 128, 3), "normalTexture": np.full((128, 128, 3), (128, 128, 255))}
    material = PBRMaterial(**{key: Image.fromarray(np.uint8(pixels)) for key, pixels in maps.items()})
    visual = TextureVisuals(uv=uv, material=material)
    return trimesh.Trimesh(np.asarray(mesh.vertices)[origin], faces, visual=visual, process=False)


def test_blender_renders_the_texture_where_it_belongs(blender_python, statue, tmp_path):
    report, picture = open_in_blender(blender_python, textured(statue), tmp_path, "-y")
    check_picture(picture)
    assert report["colors"] == []  # they would be multiplied with the texture
    assert [128, 128] in report["images"]
    assert "ShaderNodeNormalMap" in report["material_nodes"]


def test_canary_a_texture_upside_down_fails(blender_python, statue, tmp_path):
    mesh = textured(statue)
    mesh.visual.uv[:, 1] = 1 - mesh.visual.uv[:, 1]
    _, picture = open_in_blender(blender_python, mesh, tmp_path, "-y")
    with pytest.raises(AssertionError):
        check_picture(picture)


def test_canary_a_mesh_that_lies_on_its_back_fails_every_check(blender_python, statue, tmp_path):
    lying = moved(statue, trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    report, picture = open_in_blender(blender_python, lying, tmp_path, "-y")
    for check, seen in ((check_upright, report), (check_front, report), (check_picture, picture)):
        with pytest.raises(AssertionError):
            check(seen)


@pytest.fixture(scope="module")
def captured_mug(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A folder with transforms.json and 12 traced pictures of a red mug with a blue handle, and its front picture."""
    c2w, K = orbit_c2w(12, 15, orbit_radius(40)), intrinsics(40, 64, 64)
    scene = make_scene(Attributes("mug", "round", "red", "blue", "plain", "matte"), np.random.default_rng(1))
    trace = trace_clip(scene, c2w, K, 64, 64)
    color = (trace.rgb - 255 * (1 - trace.alpha[..., None])) / trace.alpha[..., None].clip(1e-3)  # straight again
    rgba = np.concatenate([color.clip(0, 255), 255 * trace.alpha[..., None]], axis=3).round().astype(np.uint8)
    folder = tmp_path_factory.mktemp("mug")
    names = [f"{index:03}.png" for index in range(len(rgba))]
    for name, picture in zip(names, rgba, strict=True):
        save_image(folder / name, picture)
    w2c = invert_rigid(torch.from_numpy(c2w)).float()
    save_transforms(folder / "transforms.json", Cameras(torch.tensor(K).float().repeat(12, 1, 1), w2c, 64, 64), names)
    return folder, rgba[0]


def handle_offset(picture: np.ndarray) -> float:
    """Return how far right of the red the blue lies, below the mug's blue rim, as a share of the solid width."""
    rgb, solid = picture[..., :3].astype(int), picture[..., 3] > 200
    rows = np.argwhere(solid)[:, 0]
    solid[: rows.min() + np.ptp(rows) // 3] = False
    red = np.argwhere(solid & (rgb[..., 0] - rgb[..., 2] > 50))[:, 1]
    blue = np.argwhere(solid & (rgb[..., 2] - rgb[..., 0] > 30))[:, 1]
    assert min(len(red), len(blue)) > 10, (len(red), len(blue))
    return float(blue.mean() - red.mean()) / np.ptp(np.argwhere(solid)[:, 1])


@pytest.mark.slow
def test_blender_shows_a_reconstructed_mug_as_the_front_camera_saw_it(blender_python, captured_mug, tmp_path):
    folder, front = captured_mug
    config = ReconstructConfig(
        fit=FitConfig(num_splats=3000, iterations=300),
        mesh=MeshConfig(num_faces=4000, resolution=96),
        export=ExportConfig(height_m=0.1, pivot="base", turntable_frames=2, turntable_size=256),
    )
    run = vid2three.reconstruct(folder, tmp_path / "run", config)
    report, picture = look(blender_python, run.folder / "mesh.glb", tmp_path, "-y")
    low, high = np.min(report["vertices"], axis=0), np.max(report["vertices"], axis=0)
    assert high[2] - low[2] == pytest.approx(0.1, rel=1e-3)
    assert low[2] == pytest.approx(0, abs=1e-5)
    assert handle_offset(picture) == pytest.approx(handle_offset(front), abs=0.15)
    assert handle_offset(front) > 0.3
    rgb = picture[picture[..., 3] > 200][:, :3].astype(int)
    assert (rgb[:, 0] - rgb[:, 1:].max(1) > 40).mean() > 0.4
