"""Where an asset stands: its height, its pivot, and glTF's axes."""

import numpy as np
import pytest
import trimesh

from vid2three.place import Y_UP_FROM_Z_UP, moved, placement


@pytest.fixture
def box() -> trimesh.Trimesh:
    mesh = trimesh.creation.box((1, 2, 4))
    mesh.apply_translation((5, 6, 7))
    return mesh


def test_base_pivot_stands_the_mesh_on_the_origin(box):
    placed = moved(box, placement(box, 0.5, "base"))
    np.testing.assert_allclose(placed.bounds, [[-0.0625, -0.125, 0], [0.0625, 0.125, 0.5]], atol=1e-12)


def test_centre_pivot_puts_the_middle_at_the_origin(box):
    placed = moved(box, placement(box, None, "centre"))
    np.testing.assert_allclose(placed.bounds, [[-0.5, -1, -2], [0.5, 1, 2]], atol=1e-12)


def test_keep_changes_nothing(box):
    np.testing.assert_array_equal(placement(box, None, "keep"), np.eye(4))


def test_height_alone_scales_about_the_origin(box):
    np.testing.assert_allclose(moved(box, placement(box, 2.0, "keep")).bounds, box.bounds / 2)


def test_a_flat_mesh_has_no_height_to_scale():
    flat = trimesh.Trimesh([[0, 0, 1], [1, 0, 1], [0, 1, 1]], [[0, 1, 2]])
    with pytest.raises(ValueError, match="flat"):
        placement(flat, 1.0, "base")


def test_gltf_axes_are_a_rotation_that_takes_up_to_y_and_the_front_to_plus_z():
    assert np.linalg.det(Y_UP_FROM_Z_UP) == 1
    np.testing.assert_array_equal(Y_UP_FROM_Z_UP @ [0, 0, 1, 1], [0, 1, 0, 1])
    np.testing.assert_array_equal(Y_UP_FROM_Z_UP @ [0, -1, 0, 1], [0, 0, 1, 1])
