"""Normal maps and occlusion: what a known surface must give, and the way through a shader and back."""

import numpy as np
import pytest
import trimesh

from recon.surface_detail import fine_normals, normal_map, occlusion, tangents
from recon.unwrap import texels, unwrap


@pytest.fixture(scope="module")
def ball():
    """A coarse ball, cut: vertices, smooth normals, UVs, faces."""
    mesh = trimesh.creation.icosphere(2)
    origin, uv, faces = unwrap(np.asarray(mesh.vertices), np.asarray(mesh.faces), 256)
    return np.asarray(mesh.vertices)[origin], np.asarray(mesh.vertex_normals)[origin], uv, faces


def shaded(bytes_: np.ndarray, normals: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Do what glTF asks of a shader: the map's vector in the frame of the interpolated normal and tangent."""
    local = 2.0 * bytes_ / 255.0 - 1.0
    mixed = local[:, :1] * along + local[:, 1:2] * np.cross(normals, along) + local[:, 2:] * normals
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def test_a_shader_gets_the_fine_normals_back(ball):
    vertices, normals, uv, faces = ball
    atlas = texels(uv, faces, 256)
    facing, along = atlas.mean(normals, faces), atlas.mean(tangents(vertices, normals, uv, faces), faces)
    wavy = facing + 0.4 * np.sin(9 * atlas.mean(vertices, faces))
    wavy /= np.linalg.norm(wavy, axis=1, keepdims=True)
    bytes_ = np.round(255 * normal_map(facing, along, wavy))
    inside = atlas.weights.min(axis=1) >= 0
    assert np.abs(shaded(bytes_, facing, along) - wavy)[inside].max() < 0.03
    green_down = bytes_ * [1, -1, 1] + [0, 255, 0]
    assert np.abs(shaded(green_down, facing, along) - wavy)[inside].max() > 0.3  # canary: DirectX's sign


def test_an_equal_surface_gives_a_flat_map(ball):
    vertices, normals, uv, faces = ball
    along = tangents(vertices, normals, uv, faces)
    np.testing.assert_allclose(normal_map(normals, along, normals), [[0.5, 0.5, 1.0]] * len(normals), atol=1e-3)


def test_tangents_are_unit_across_the_normal_and_along_u(ball):
    vertices, normals, uv, faces = ball
    along = tangents(vertices, normals, uv, faces)
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), 1)
    np.testing.assert_allclose((along * normals).sum(axis=1), 0, atol=1e-9)
    flat = np.array([[0.0, 0, 0], [2, 0, 0], [0, 0, 3]])
    turned = tangents(flat, np.tile([0.0, -1, 0], (3, 1)), np.array([[0.0, 0], [0, 1], [-1, 0]]), np.array([[0, 1, 2]]))
    np.testing.assert_allclose(turned, np.tile([0.0, 0, -1], (3, 1)), atol=1e-12)


def test_fine_normals_come_from_the_near_side(ball):
    fine = trimesh.creation.icosphere(5)
    inner = trimesh.creation.icosphere(5, radius=0.97)
    points = np.concatenate([fine.vertices, inner.vertices])
    normals = np.concatenate([fine.vertices, -inner.vertices])  # a thin shell
    vertices, facing = ball[0], ball[1]
    found = fine_normals(vertices, facing, points, normals, 0.05)
    np.testing.assert_allclose(found, vertices, atol=0.03)


def test_fine_normals_far_from_the_surface_are_the_coarse_ones():
    found = fine_normals(np.array([[3.0, 0, 0]]), np.array([[0, 0, 2.0]]), np.eye(3), np.eye(3), 0.1)
    np.testing.assert_allclose(found, [[0, 0, 1]])


def test_light_reaches_a_ball_from_everywhere_and_a_cave_through_its_mouth():
    ball = trimesh.creation.icosphere(4)
    light = occlusion(np.asarray(ball.vertices), np.asarray(ball.vertex_normals), np.asarray(ball.faces))
    assert light.min() > 0.95
    cup = trimesh.creation.annulus(0.4, 0.5, 1.0, sections=48)
    cup = trimesh.util.concatenate([cup, trimesh.creation.cylinder(0.45, 0.1).apply_translation((0, 0, -0.5))])
    cup = cup.subdivide().subdivide()
    light = occlusion(np.asarray(cup.vertices), np.asarray(cup.vertex_normals), np.asarray(cup.faces))
    radius = np.hypot(cup.vertices[:, 0], cup.vertices[:, 1])
    wall = np.abs(cup.vertices[:, 2]) < 0.3
    assert light[wall & (radius > 0.48)].mean() > 0.9
    assert light[wall & (radius < 0.42)].mean() < 0.5
