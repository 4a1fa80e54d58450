"""Bumps go, edges and volume stay."""

import numpy as np
import pytest
import trimesh

from recon.denoise import denoise


def bumpy(mesh: trimesh.Trimesh, height: float, seed: int = 0) -> np.ndarray:
    """Return its vertices, moved along their normals by noise that neighbours share."""
    noise = np.random.default_rng(seed).normal(size=len(mesh.vertices))
    around = mesh.vertex_neighbors
    for _ in range(2):
        noise = np.array([0.5 * noise[v] + 0.5 * noise[near].mean() for v, near in enumerate(around)])
    return np.asarray(mesh.vertices + height * (noise / noise.std())[:, None] * mesh.vertex_normals)


def off(vertices: np.ndarray, faces: np.ndarray, true: np.ndarray) -> float:
    """Return the median angle between the faces' normals and true ones in degrees."""
    normals = trimesh.Trimesh(vertices, faces, process=False).face_normals
    return float(np.median(np.rad2deg(np.arccos(np.clip((normals * true).sum(axis=1), -1, 1)))))


def a_box() -> trimesh.Trimesh:
    box = trimesh.creation.box((2.0, 1.6, 1.2))
    for _ in range(5):
        box = box.subdivide()
    return box


@pytest.mark.parametrize("rounds", [20, 40])
def test_the_sides_of_a_bumpy_box_are_flat_again_and_its_edges_sharp(rounds):
    box = a_box()
    faces, true = np.asarray(box.faces), np.asarray(box.face_normals)
    before = bumpy(box, 0.004)
    after = denoise(before, faces, rounds)
    assert off(after, faces, true) < off(before, faces, true) / 3
    corner = np.flatnonzero((np.abs(box.vertices) > box.extents / 2 - 1e-6).all(axis=1))
    assert len(corner) == 8
    assert np.abs(after[corner] - box.vertices[corner]).max() < 0.03  # half an edge of its triangles
    assert abs(trimesh.Trimesh(after, faces, process=False).volume / box.volume - 1) < 0.005


def test_a_ball_stays_round():
    ball = trimesh.creation.icosphere(4)
    faces = np.asarray(ball.faces)
    after = denoise(bumpy(ball, 0.005), faces, 40)
    distances = np.linalg.norm(after, axis=1)
    assert distances.std() < 0.004
    assert abs(distances.mean() - 1) < 0.004
    assert off(after, faces, np.asarray(ball.face_normals)) < off(bumpy(ball, 0.005), faces, ball.face_normals) / 2


def test_a_flat_side_does_not_move():
    box = a_box()
    after = denoise(np.asarray(box.vertices), np.asarray(box.faces), 30)
    inner = np.flatnonzero((np.abs(box.vertices) > box.extents / 2 - 0.2).sum(axis=1) == 1)
    middle = inner[(np.abs(box.vertices[inner]) < box.extents / 2 - 0.2).sum(axis=1) == 2]
    assert len(middle) > 100
    assert np.abs(after[middle] - box.vertices[middle]).max() < 1e-3


def test_nothing_asked_nothing_done():
    box = a_box()
    assert np.array_equal(denoise(np.asarray(box.vertices), np.asarray(box.faces), 0), box.vertices)
    assert denoise(np.zeros((0, 3)), np.zeros((0, 3), int), 5).shape == (0, 3)


def test_the_units_do_not_matter_and_the_input_stays():
    ball = trimesh.creation.icosphere(3)
    rough, faces = bumpy(ball, 0.01), np.asarray(ball.faces)
    kept = rough.copy()
    large = denoise(1000 * rough + 5.0, faces, 10)
    assert np.array_equal(rough, kept)
    assert np.allclose((large - 5.0) / 1000, denoise(rough, faces, 10), atol=1e-6)


def test_triangles_without_area_do_no_harm():
    ball = trimesh.creation.icosphere(2)
    vertices, faces = np.asarray(ball.vertices).copy(), np.asarray(ball.faces)
    vertices[faces[0, 1]] = vertices[faces[0, 0]]
    assert np.isfinite(denoise(vertices, faces, 10)).all()
