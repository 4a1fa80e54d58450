"""OBJ, PLY and STL meshes: bounds, axes, units and colours as another reader finds them."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon.unwrap import unwrap
from vid2three.formats import MESH_SAVERS


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


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl"])
def test_equal_meshes_give_equal_bytes_and_the_mesh_is_untouched(mesh, tmp_path, suffix):
    before = mesh.vertices.copy()
    for name in ("a", "b"):
        MESH_SAVERS[suffix](tmp_path / f"{name}{suffix}", mesh)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    np.testing.assert_array_equal(mesh.vertices, before)
