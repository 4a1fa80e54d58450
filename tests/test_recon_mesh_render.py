"""Pictures of meshes against what geometry says."""

import numpy as np
import pytest
import torch
import trimesh

from recon.camera import Cameras, invert_rigid, project
from recon.mesh_render import GREY, rasterize, render_mesh, vertex_colors

HEIGHT, WIDTH = 30, 44


def camera(c2w: np.ndarray | None = None) -> Cameras:
    K = torch.tensor([[[40.0, 0, 21.0], [0, 42.0, 16.0], [0, 0, 1]]])
    matrix = torch.eye(4) if c2w is None else torch.as_tensor(c2w, dtype=torch.float32)
    return Cameras(K, invert_rigid(matrix)[None], HEIGHT, WIDTH)


def wall(z_left: float, z_right: float) -> trimesh.Trimesh:
    """A wall that fills the picture, black at its left end and white at its right, facing the camera."""
    corners = [[-9.0, -9, z_left], [9, -9, z_right], [9, 9, z_right], [-9, 9, z_left]]
    shades = np.array([0, 255, 255, 0])[:, None].repeat(3, axis=1)
    return trimesh.Trimesh(corners, [[0, 2, 1], [0, 3, 2]], vertex_colors=shades, process=False)


def test_slanted_wall_is_drawn_in_perspective():
    drawn = render_mesh(wall(10.0, 20.0), camera())
    u = (torch.arange(WIDTH) + 0.5 - 21.0) / 40.0
    x = (15 * u) / (1 - u * 5 / 9)  # where the ray meets the wall z = 15 + 5 x / 9
    inside = x.abs() < 8
    assert torch.allclose(drawn.depth[0, 12, inside], (15 + 5 * x / 9)[inside], rtol=1e-3)
    assert torch.allclose(drawn.rgb[0, 12, inside, 0], ((x + 9) / 18)[inside], atol=3e-3)
    assert (drawn.alpha[0][:, inside] == 1).all()


def test_the_nearer_face_hides_the_farther():
    near = wall(5.0, 5.0).apply_scale((0.05, 0.05, 1.0))
    both = trimesh.util.concatenate([near, wall(8.0, 8.0)])
    for mesh in (both, trimesh.Trimesh(both.vertices, both.faces[::-1], process=False)):
        depth = render_mesh(mesh, camera()).depth[0]
        assert depth[16, 21] == pytest.approx(5.0)
        assert depth[2, 2] == pytest.approx(8.0)


def test_coverage_of_a_ball_is_its_outlines_area():
    ball = trimesh.creation.icosphere(subdivisions=4).apply_translation((0.2, 0.1, 6.0))
    background = torch.tensor([0.2, 0.4, 0.6])
    drawn = render_mesh(ball, camera(), background=background)
    solid_angle_free = np.pi * 40 * 42 / (6.0**2 - 1)  # nearly a circle's image, about the optical axis
    assert float(drawn.alpha.sum()) == pytest.approx(solid_angle_free, rel=0.02)
    assert torch.allclose(drawn.rgb[0, 0, 0], background)
    edge = (drawn.alpha > 0) & (drawn.alpha < 1)
    expected = drawn.alpha[..., None] * GREY + (1 - drawn.alpha[..., None]) * background
    assert edge.any()
    assert torch.allclose(drawn.rgb[edge], expected[edge], atol=1e-5)


def test_corner_weights_give_back_the_pixel():
    ball = trimesh.creation.icosphere(subdivisions=2).apply_translation((0, 0, 4.0))
    faces = np.asarray(ball.faces)
    face, weights, depth = rasterize(np.asarray(ball.vertices), faces, camera())
    hit = face >= 0
    points = (weights[hit][..., None] * ball.vertices[faces[face[hit]]]).sum(axis=1)
    uv, z = project(torch.from_numpy(points).float(), camera())
    rows, columns = np.nonzero(hit)
    assert np.allclose(uv[0].numpy(), np.stack([columns, rows], axis=1) + 0.5, atol=1e-3)
    assert np.allclose(z[0].numpy(), depth[hit], rtol=1e-5)
    assert (depth[~hit] == 0).all()


def test_what_reaches_behind_the_camera_is_left_out():
    assert render_mesh(wall(-1.0, 3.0), camera()).alpha.sum() == 0


def test_shading_darkens_what_is_seen_from_the_side():
    ball = trimesh.creation.icosphere(subdivisions=3).apply_translation((0, 0, 5.0))
    lit, flat = (render_mesh(ball, camera(), shaded=shaded).rgb[0, 16, :, 0] for shaded in (True, False))
    assert lit[21] == pytest.approx(GREY, abs=0.01)
    assert lit[28] < 0.8 * GREY
    assert flat[28] == pytest.approx(GREY)


def test_colours_of_a_mesh():
    box = trimesh.creation.box()
    assert (vertex_colors(box) == np.float32(GREY)).all()
    box.visual.vertex_colors = np.tile([255, 0, 51, 255], (8, 1))
    assert vertex_colors(box) == pytest.approx(np.tile([1.0, 0, 0.2], (8, 1)))
