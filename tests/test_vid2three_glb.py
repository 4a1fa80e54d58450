"""GLB: what other readers see is what was meant, and equal meshes give equal bytes."""

import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from recon.unwrap import texels, unwrap
from vid2three.formats.glb import (
    linear_to_srgb,
    load_header,
    load_mesh,
    save_mesh,
    srgb_to_linear,
    textures,
)
from vid2three.formats.gltf import load_glb
from vid2three.place import Y_UP_FROM_Z_UP


@pytest.fixture
def tall_box() -> trimesh.Trimesh:
    """A box 1 wide, 2 deep, 3 high, standing on z = 0, each corner of its own colour."""
    mesh = trimesh.creation.box((1, 2, 3))
    mesh.apply_translation((0.25, 0, 1.5))
    colors = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4)).astype(np.uint8)
    colors[:, 3] = 255
    return trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colors, process=False)


def test_trimesh_reads_it_y_up_with_the_front_at_plus_z(tall_box, tmp_path):
    save_mesh(tmp_path / "a.glb", tall_box)
    read = trimesh.load(tmp_path / "a.glb", process=False, force="mesh")
    np.testing.assert_allclose(read.bounds, [[-0.25, 0, -1], [0.75, 3, 1]], atol=1e-6)
    np.testing.assert_allclose(read.vertices, trimesh.transform_points(tall_box.vertices, Y_UP_FROM_Z_UP), atol=1e-6)
    front = tall_box.vertices[:, 1].argmin()
    assert read.vertices[front, 2] == pytest.approx(1)
    np.testing.assert_array_equal(read.faces, tall_box.faces)
    assert read.volume == pytest.approx(6)


def test_colors_are_stored_as_linear_light(tall_box, tmp_path):
    save_mesh(tmp_path / "a.glb", tall_box)
    (read,) = trimesh.load(tmp_path / "a.glb", process=False).geometry.values()
    stored = read.visual.vertex_attributes["color"]
    srgb = tall_box.visual.vertex_colors[:, :3] / 255
    linear = np.where(srgb < 0.04, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    assert stored.dtype == np.uint16
    np.testing.assert_allclose(stored[:, :3] / 65535, linear, atol=1e-5)
    np.testing.assert_array_equal(stored[:, 3], 65535)


def test_linear_of_middle_grey_is_the_textbook_value():
    assert srgb_to_linear(np.array(128 / 255)) == pytest.approx(0.21586, abs=1e-5)


def test_transfer_functions_are_inverses():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-6)


def test_load_undoes_save_to_the_byte_of_every_color(tmp_path):
    grid = trimesh.creation.icosphere(4)
    ramp = np.arange(len(grid.vertices))
    colors = np.stack([ramp % 256, 255 - ramp % 256, ramp * 7 % 256, np.full_like(ramp, 255)], axis=1).astype(np.uint8)
    mesh = trimesh.Trimesh(grid.vertices, grid.faces, vertex_colors=colors, process=False)
    save_mesh(tmp_path / "a.glb", mesh)
    read = load_mesh(tmp_path / "a.glb")
    np.testing.assert_allclose(read.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(read.faces, mesh.faces)
    np.testing.assert_array_equal(read.visual.vertex_colors, colors)


def test_normals_point_outwards_and_are_unit_vectors(tmp_path):
    sphere = trimesh.creation.icosphere(3)
    sphere.visual.vertex_colors = [200, 100, 50, 255]
    save_mesh(tmp_path / "a.glb", sphere)
    read = trimesh.load(tmp_path / "a.glb", process=False, force="mesh")
    np.testing.assert_allclose(read.vertex_normals, read.vertices, atol=0.01)


def test_material_is_matte_and_provenance_travels_inside(tall_box, tmp_path):
    extras = {"prompt": "a “mug”", "seed": 3, "ai_generated": True}
    save_mesh(tmp_path / "a.glb", tall_box, name="a-mug", extras=extras)
    header = load_header(tmp_path / "a.glb")
    assert header["nodes"][0]["name"] == "a-mug"
    assert header["asset"]["extras"] == extras
    material = header["materials"][0]
    assert material["pbrMetallicRoughness"] == {
        "baseColorFactor": [1, 1, 1, 1],
        "metallicFactor": 0,
        "roughnessFactor": 0.9,
    }
    assert material["doubleSided"] is False


def test_layout_obeys_the_gltf_rules(tall_box, tmp_path):
    save_mesh(tmp_path / "a.glb", tall_box)
    data = (tmp_path / "a.glb").read_bytes()
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    header = json.loads(data[20 : 20 + length])
    body_length, body_kind = struct.unpack_from("<I4s", data, 20 + length)
    assert (kind, body_kind) == (b"JSON", b"BIN\0")
    assert length % 4 == 0
    assert body_length == header["buffers"][0]["byteLength"] == len(data) - 28 - length
    assert all(view["byteOffset"] % 4 == 0 and view["byteLength"] % 4 == 0 for view in header["bufferViews"])


def test_equal_meshes_give_equal_bytes(tall_box, tmp_path):
    for name in ("a.glb", "b.glb"):
        save_mesh(tmp_path / name, tall_box.copy(), name="box")
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.glb").write_bytes(b"not a mesh at all, only some forty bytes")
    with pytest.raises(ValueError, match=r"no GLB of a mesh .* does not begin as a GLB does"):
        load_mesh(tmp_path / "a.glb")


@pytest.fixture
def textured() -> trimesh.Trimesh:
    """A ball cut by its charts, its texture red where the ball is in front (-y), blue behind, green on top."""
    ball = trimesh.creation.icosphere(2)
    origin, uv, faces = unwrap(np.asarray(ball.vertices), np.asarray(ball.faces), 128)
    vertices = np.asarray(ball.vertices)[origin]
    atlas = texels(uv, faces, 128)
    picture = np.zeros((128 * 128, 3), np.uint8)
    picture[atlas.index] = paint(atlas.mean(vertices, faces))
    image = Image.fromarray(picture.reshape(128, 128, 3))
    flat = Image.new("RGB", (128, 128), (128, 128, 255))
    maps = {"baseColorTexture": image, "normalTexture": flat, "occlusionTexture": Image.new("L", (128, 128), 255)}
    visual = TextureVisuals(uv=uv, material=PBRMaterial(**maps))
    return trimesh.Trimesh(vertices, faces, visual=visual, process=False)


def paint(points: np.ndarray) -> np.ndarray:
    """Return the colours, uint8 [P,3], of places in our world frame."""
    front = np.where(points[:, 1:2] < 0, [[200, 20, 30]], [[30, 20, 200]])
    return np.where(points[:, 2:] > 0.7, [[20, 180, 40]], front).astype(np.uint8)


def test_another_reader_finds_the_texture_where_it_belongs(textured, tmp_path):
    """At the middle of each face trimesh, which turns v by itself, reads the colour of that place."""
    save_mesh(tmp_path / "a.glb", textured)
    read = trimesh.load(tmp_path / "a.glb", process=False, force="mesh")
    picture = np.asarray(read.visual.material.baseColorTexture.convert("RGB"))
    uv = read.visual.uv[read.faces].mean(axis=1)
    shown = picture[((1 - uv[:, 1]) * 128).astype(int), (uv[:, 0] * 128).astype(int)].astype(int)
    x, y, z = read.triangles_center.T
    place = np.stack([x, -z, y], axis=1)  # back to our world
    clear = (np.abs(place[:, 1]) > 0.1) & (np.abs(place[:, 2] - 0.7) > 0.1)
    assert np.abs(shown - paint(place))[clear].max() < 5
    flipped = picture[(uv[:, 1] * 128).astype(int), (uv[:, 0] * 128).astype(int)].astype(int)
    assert np.abs(flipped - paint(place))[clear].max() > 100  # canary


def test_a_texture_has_no_vertex_colours_beside_it_and_smooth_normals(textured, tmp_path):
    save_mesh(tmp_path / "a.glb", textured)
    header = load_header(tmp_path / "a.glb")
    assert set(header["meshes"][0]["primitives"][0]["attributes"]) == {"POSITION", "NORMAL", "TANGENT", "TEXCOORD_0"}
    (read,) = trimesh.load(tmp_path / "a.glb", process=False).geometry.values()
    np.testing.assert_allclose(read.vertex_normals, read.vertices, atol=0.02)  # across the seams as well


def test_tangents_run_along_u(textured, tmp_path):
    save_mesh(tmp_path / "a.glb", textured)
    glb = load_glb(tmp_path / "a.glb")
    header = glb.header
    places = header["meshes"][0]["primitives"][0]["attributes"]
    arrays = {key: glb.array(index) for key, index in places.items()}
    along, normals = arrays["TANGENT"], arrays["NORMAL"]
    np.testing.assert_allclose(np.linalg.norm(along[:, :3], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose((along[:, :3] * normals).sum(axis=1), 0, atol=1e-5)
    assert (along[:, 3] == 1).all()
    faces = glb.array(glb.primitive["indices"]).reshape(-1, 3)
    edge = arrays["POSITION"][faces[:, 1]] - arrays["POSITION"][faces[:, 0]]
    step = arrays["TEXCOORD_0"][faces[:, 1]] - arrays["TEXCOORD_0"][faces[:, 0]]
    t, n = along[faces[:, 0], :3], normals[faces[:, 0]]
    aside = np.cross(n, t)  # where v grows upwards, so where glTF's falls
    for direction, change in ((t, step[:, 0]), (aside, -step[:, 1])):
        assert np.corrcoef((edge * direction).sum(axis=1), change)[0, 1] > 0.9


def test_load_undoes_save_for_textures(textured, tmp_path):
    save_mesh(tmp_path / "a.glb", textured)
    read = load_mesh(tmp_path / "a.glb")
    np.testing.assert_allclose(read.vertices, textured.vertices, atol=1e-6)
    np.testing.assert_array_equal(read.faces, textured.faces)
    np.testing.assert_allclose(read.visual.uv, textured.visual.uv, atol=1e-6)
    for key, picture in textures(textured).items():
        np.testing.assert_array_equal(np.asarray(textures(read)[key]), np.asarray(picture))
    save_mesh(tmp_path / "b.glb", read)
    save_mesh(tmp_path / "c.glb", load_mesh(tmp_path / "b.glb"))
    assert (tmp_path / "b.glb").read_bytes() == (tmp_path / "c.glb").read_bytes()
