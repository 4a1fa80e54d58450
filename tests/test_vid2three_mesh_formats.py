"""OBJ, PLY and STL meshes: bounds, axes, units and colours as another reader finds them."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from format_parts import NOTES, colored_box, lopsided_splats, painted_ball
from recon.mesh_render import vertex_colors
from recon.unwrap import unwrap, welded
from vid2three.formats import DEFAULT_UP, MESH_READERS, MESH_SAVERS, kind_of
from vid2three.formats.glb import save_mesh as save_glb
from vid2three.formats.gltf_splats import save_splats as save_glb_splats


@pytest.fixture
def mesh() -> trimesh.Trimesh:
    """A box 0.1 x 0.2 x 0.3 m on z = 0 with the corners at the front (-y) red and those at the back blue."""
    box = trimesh.creation.box((0.1, 0.2, 0.3))
    box.apply_translation((0, 0, 0.15))
    colors = np.where(box.vertices[:, 1:2] < 0, [[200, 10, 20, 255]], [[10, 20, 220, 255]]).astype(np.uint8)
    return trimesh.Trimesh(box.vertices, box.faces, vertex_colors=colors, process=False)


def saved(mesh, path, **options) -> trimesh.Trimesh:
    MESH_SAVERS[path.suffix](path, mesh, **options)
    return trimesh.load(path, process=False, force="mesh")


def test_ply_keeps_z_up_and_colors(mesh, tmp_path):
    read = saved(mesh, tmp_path / "a.ply")
    np.testing.assert_allclose(read.vertices, mesh.vertices, atol=1e-7)
    np.testing.assert_array_equal(read.faces, mesh.faces)
    np.testing.assert_array_equal(read.visual.vertex_colors, mesh.visual.vertex_colors)


def test_obj_is_y_up_with_colors_behind_the_positions(mesh, tmp_path):
    read = saved(mesh, tmp_path / "a.obj", name="box", extras={"prompt": "two\nlines"})
    np.testing.assert_allclose(read.bounds, [[-0.05, 0, -0.1], [0.05, 0.3, 0.1]], atol=1e-6)
    assert read.volume == pytest.approx(0.1 * 0.2 * 0.3)
    front = read.vertices[:, 2] > 0
    np.testing.assert_array_equal(np.unique(read.visual.vertex_colors[front], axis=0), [[200, 10, 20, 255]])
    assert "# prompt: two lines\n" in (tmp_path / "a.obj").read_text()


def test_textured_obj_has_its_picture_beside_it_and_ply_its_colours(tmp_path):
    ball = trimesh.creation.icosphere(2)
    origin, uv, faces = unwrap(np.asarray(ball.vertices), np.asarray(ball.faces), 64)
    picture = Image.fromarray(np.tile(np.uint8([200, 10, 20]), (64, 64, 1)))
    visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=picture))
    textured = trimesh.Trimesh(ball.vertices[origin], faces, visual=visual, process=False)
    read = saved(textured, tmp_path / "a.obj")
    assert {path.name for path in tmp_path.iterdir()} == {"a.obj", "a.mtl", "a.png"}
    assert np.asarray(read.visual.material.image)[5, 5, :3].tolist() == [200, 10, 20]
    assert read.visual.uv.min() >= 0
    rows = [line.split() for line in (tmp_path / "a.obj").read_text().splitlines()]
    places, normals = (np.array([row[1:] for row in rows if row[0] == word], float) for word in ("v", "vn"))
    assert len(places) == len(ball.vertices)  # no cuts in the geometry
    np.testing.assert_allclose(normals, places, atol=0.02)
    assert saved(textured, tmp_path / "a.stl").volume == pytest.approx(1e9 * ball.volume, rel=1e-4)
    colored = saved(textured, tmp_path / "a.ply")
    assert colored.is_watertight
    assert np.unique(colored.visual.vertex_colors, axis=0).tolist() == [[200, 10, 20, 255]]


def test_stl_is_in_millimetres_and_z_up(mesh, tmp_path):
    read = saved(mesh, tmp_path / "a.stl")
    np.testing.assert_allclose(read.bounds, [[-50, -100, 0], [50, 100, 300]], atol=1e-3)


@pytest.mark.parametrize("suffix", sorted(MESH_SAVERS))
def test_equal_meshes_give_equal_bytes_and_the_mesh_is_untouched(mesh, tmp_path, suffix):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    before = mesh.vertices.copy()
    for name in ("a", "b"):
        MESH_SAVERS[suffix](tmp_path / f"{name}{suffix}", mesh)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    np.testing.assert_array_equal(mesh.vertices, before)


TEXTURED = [suffix for suffix in sorted(MESH_SAVERS) if suffix not in (".ply", ".stl")]


@pytest.mark.parametrize("suffix", sorted(MESH_SAVERS))
def test_what_was_written_is_read_as_it_was(tmp_path, suffix):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    ball, path = painted_ball(), tmp_path / f"a{suffix}"
    MESH_SAVERS[suffix](path, ball, name="ball", extras=NOTES)
    assert kind_of(path) == "mesh"
    found = MESH_READERS[suffix](path)
    assert found.up == DEFAULT_UP["mesh"][suffix]
    np.testing.assert_allclose(found.mesh.bounds, ball.bounds, atol=1e-5)
    assert found.mesh.volume == pytest.approx(ball.volume, rel=1e-4)
    assert welded(found.mesh)[0].is_watertight
    if suffix != ".stl":
        assert found.name == "ball"
        assert {key: str(value).encode("ascii", "replace") for key, value in found.extras.items()} == {
            key: str(value).encode("ascii", "replace") for key, value in NOTES.items()
        }
        points, colors = found.mesh.vertices - [0, 0, 1], vertex_colors(found.mesh)
        below = points[:, 2] < 0.5
        assert (colors[(points[:, 1] < -0.3) & below, 0] > 0.6).all()
        assert (colors[(points[:, 1] > 0.3) & below, 2] > 0.6).all()
        assert (colors[points[:, 2] > 0.9, 1] > 0.6).all()
    if suffix in TEXTURED:
        a, b = found.mesh.visual.material.baseColorTexture, ball.visual.material.baseColorTexture
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".usdc"])
def test_vertex_colours_come_back_to_the_byte(tmp_path, suffix):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr")
    box = colored_box()
    MESH_SAVERS[suffix](tmp_path / f"a{suffix}", box)
    found = MESH_READERS[suffix](tmp_path / f"a{suffix}").mesh
    colors = dict(zip(map(tuple, np.round(found.vertices, 5)), found.visual.vertex_colors.tolist(), strict=True))
    wanted = dict(zip(map(tuple, np.round(box.vertices, 5)), box.visual.vertex_colors.tolist(), strict=True))
    assert colors == wanted


@pytest.mark.parametrize("up", ["z", "y", "y-down"])
@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl"])
def test_the_axis_asked_for_points_up_and_the_file_tells_so(tmp_path, suffix, up):
    box, path = colored_box(), tmp_path / f"a{suffix}"
    MESH_SAVERS[suffix](path, box, up=up)
    read = trimesh.load(path, process=False, force="mesh")
    axis, sign = {"z": (2, 1), "y": (1, 1), "y-down": (1, -1)}[up]
    unit = 1000 if suffix == ".stl" else 1
    ends = sorted(sign * unit * np.array([0, 0.3]))
    np.testing.assert_allclose(read.bounds[:, axis], ends, atol=1e-4)
    assert read.volume == pytest.approx(box.volume * unit**3, rel=1e-4)  # not mirrored
    found = MESH_READERS[suffix](path)
    assert found.up == up
    np.testing.assert_allclose(found.mesh.bounds, box.bounds, atol=1e-6)


def test_obj_of_another_tool_is_read_with_its_polygons_and_negative_corners(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf -4//1 2//1 3//1 4//1\n"
    (tmp_path / "a.obj").write_text(text)
    found = MESH_READERS[".obj"](tmp_path / "a.obj").mesh
    assert found.area == pytest.approx(1)
    np.testing.assert_allclose(found.bounds, [[0, 0, 0], [1, 0, 1]], atol=1e-12)  # y up there


def test_a_picture_that_an_mtl_names_elsewhere_is_not_opened(tmp_path):
    (tmp_path / "sub").mkdir()
    MESH_SAVERS[".obj"](tmp_path / "sub" / "a.obj", painted_ball())
    (tmp_path / "sub" / "a.png").rename(tmp_path / "secret.png")
    (tmp_path / "sub" / "a.mtl").write_text("newmtl asset\nmap_Kd ../secret.png\n")
    found = MESH_READERS[".obj"](tmp_path / "sub" / "a.obj").mesh
    assert getattr(found.visual, "material", None) is None


@pytest.mark.parametrize("kind", ["texture", "maps", "colours"])
def test_khronos_validator_finds_nothing_in_a_glb(node_modules, tmp_path, kind):
    mesh = colored_box() if kind == "colours" else painted_ball(with_maps=kind == "maps")
    save_glb(tmp_path / "a.glb", mesh, name="ball", extras=NOTES)
    assert validated(node_modules, tmp_path / "a.glb") == []


def test_khronos_validator_finds_in_splats_only_that_it_does_not_know_them(node_modules, tmp_path):
    """Its newest release knows no attribute with a colon; everything that it does know is right."""
    save_glb_splats(tmp_path / "a.glb", lopsided_splats(20, 3), extras=NOTES)
    found = validated(node_modules, tmp_path / "a.glb")
    assert {code for code, _ in found} == {"UNSUPPORTED_EXTENSION", "MESH_PRIMITIVE_INVALID_ATTRIBUTE"}
    places = [where for code, where in found if code == "MESH_PRIMITIVE_INVALID_ATTRIBUTE"]
    assert all("/attributes/KHR_gaussian_splatting:" in where for where in places)


def test_canary_khronos_validator_finds_a_fault(node_modules, tmp_path):
    save_glb(tmp_path / "a.glb", colored_box())
    data = (tmp_path / "a.glb").read_bytes().replace(b'"doubleSided":false', b'"doubleSided":"no" ')
    (tmp_path / "a.glb").write_bytes(data)
    assert "TYPE_MISMATCH" in {code for code, _ in validated(node_modules, tmp_path / "a.glb")}


def validated(node_modules: Path, file: Path) -> list[tuple[str, str]]:
    """Return the code and the place of everything that Khronos' validator remarks."""
    script = (
        f"const v = require({json.dumps(str(node_modules / 'gltf-validator'))}), fs = require('fs');"
        f"v.validateBytes(new Uint8Array(fs.readFileSync({json.dumps(str(file))})))"
        ".then(r => console.log(JSON.stringify(r.issues.messages)))"
    )
    result = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return [(message["code"], message["pointer"]) for message in json.loads(result.stdout)]
