"""Fewer triangles, the same shape, still closed."""

import numpy as np
import pytest
import trimesh

from recon.decimate import decimate


def decimated(mesh: trimesh.Trimesh, num_faces: int) -> trimesh.Trimesh:
    vertices, faces = decimate(np.asarray(mesh.vertices), np.asarray(mesh.faces), num_faces)
    return trimesh.Trimesh(vertices, faces, process=False)


def test_ball_keeps_its_shape():
    ball = trimesh.creation.icosphere(subdivisions=5)
    few = decimated(ball, 600)
    assert 590 <= len(few.faces) <= 600
    assert few.is_watertight
    assert few.is_winding_consistent
    assert few.euler_number == 2
    assert few.volume == pytest.approx(ball.volume, rel=0.01)
    assert np.abs(np.linalg.norm(few.vertices, axis=1) - 1).max() < 0.02


def test_torus_keeps_its_hole():
    few = decimated(trimesh.creation.torus(1.0, 0.3, major_sections=96, minor_sections=48), 400)
    assert len(few.faces) <= 400
    assert few.is_watertight
    assert few.euler_number == 0


def test_flat_sides_cost_nothing():
    """A box's sides are planes, so twelve faces hold it exactly but for the pull to edges' middles."""
    box = trimesh.creation.box((1.0, 2.0, 3.0)).subdivide_loop(0)
    for _ in range(5):
        box = box.subdivide()
    few = decimated(box, 100)
    assert few.is_watertight
    assert few.volume == pytest.approx(6.0, rel=2e-3)
    assert few.bounds == pytest.approx(box.bounds, abs=0.02)


@pytest.mark.parametrize("num_faces", [4, 1])
def test_asking_too_much_stops_at_a_closed_mesh(num_faces):
    few = decimated(trimesh.creation.icosphere(subdivisions=3), num_faces)
    assert few.is_watertight
    assert len(few.faces) >= 4
    assert few.volume > 0


def test_no_face_is_flat_and_no_vertex_left_over():
    few = decimated(trimesh.creation.icosphere(subdivisions=4), 300)
    assert few.area_faces.min() > 1e-4
    assert np.array_equal(np.unique(few.faces), np.arange(len(few.vertices)))


def test_same_input_same_bytes():
    ball = trimesh.creation.icosphere(subdivisions=4)
    one, two = decimated(ball, 500), decimated(ball, 500)
    assert one.vertices.tobytes() == two.vertices.tobytes()
    assert one.faces.tobytes() == two.faces.tobytes()


def test_small_meshes_pass_through():
    box = trimesh.creation.box()
    vertices, faces = decimate(np.asarray(box.vertices), np.asarray(box.faces), 12)
    assert np.array_equal(vertices, box.vertices)
    assert np.array_equal(faces, box.faces)
