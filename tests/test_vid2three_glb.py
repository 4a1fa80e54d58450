"""GLB: what other readers see is what was meant, and equal meshes give equal bytes."""

import json
import struct

import numpy as np
import pytest
import trimesh

from vid2three.formats.glb import linear_to_srgb, load_header, load_mesh, save_mesh, srgb_to_linear
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
    with pytest.raises(ValueError, match="no GLB file"):
        load_mesh(tmp_path / "a.glb")
