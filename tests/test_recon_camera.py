"""Cameras: projection and rays are inverse, flips match Blender's axes, resizing keeps the field of view."""

import copy
import math

import pytest
import torch

from recon.camera import (
    Cameras,
    invert_rigid,
    opencv_to_opengl,
    opengl_to_opencv,
    project,
    rays,
    resized,
)

NUM, HEIGHT, WIDTH, POINTS = 3, 5, 7, 11


def make_cameras(seed: int = 0) -> Cameras:
    generator = torch.Generator().manual_seed(seed)
    K = torch.tensor([[9.0, 0.0, 3.1], [0.0, 8.0, 2.2], [0.0, 0.0, 1.0]], dtype=torch.float64).repeat(NUM, 1, 1)
    K[1, 0, 0] = 10.0
    rotations = torch.linalg.qr(torch.randn(NUM, 3, 3, generator=generator, dtype=torch.float64))[0]
    rotations = rotations * torch.det(rotations)[:, None, None]
    w2c = torch.eye(4, dtype=torch.float64).repeat(NUM, 1, 1)
    w2c[:, :3, :3] = rotations
    w2c[:, :3, 3] = torch.randn(NUM, 3, generator=generator, dtype=torch.float64)
    return Cameras(K, w2c, HEIGHT, WIDTH)


def test_invert_rigid_is_the_inverse():
    w2c = make_cameras().w2c
    assert torch.allclose(invert_rigid(w2c) @ w2c, torch.eye(4, dtype=w2c.dtype).expand_as(w2c), atol=1e-12)


def test_points_along_a_pixels_ray_project_to_its_center():
    cameras = make_cameras()
    origins, directions = rays(cameras)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(NUM, HEIGHT, WIDTH, dtype=torch.float64))
    for n in range(NUM):
        points = (origins[n] + 2.5 * directions[n]).reshape(-1, 3)
        uv, z = project(points, cameras[n])
        v, u = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
        expected = torch.stack([u, v], dim=-1).reshape(-1, 2) + 0.5
        assert torch.allclose(uv[0], expected.double(), atol=1e-9)
        assert bool((z > 0).all())


def test_project_by_hand():
    K = torch.tensor([[[100.0, 0.0, 40.0], [0.0, 50.0, 30.0], [0.0, 0.0, 1.0]]])
    w2c = torch.eye(4)[None].clone()
    w2c[0, 2, 3] = 3.0  # the camera stands 3 behind the origin
    uv, z = project(torch.tensor([[0.2, -0.4, 1.0]]), Cameras(K, w2c, 60, 80))
    assert z.item() == 4.0
    assert uv[0, 0].tolist() == pytest.approx([40 + 100 * 0.2 / 4, 30 - 50 * 0.4 / 4])


def test_project_gives_a_row_for_every_camera_and_point():
    uv, z = project(torch.randn(POINTS, 3, dtype=torch.float64), make_cameras())
    assert uv.shape == (NUM, POINTS, 2)
    assert z.shape == (NUM, POINTS)


def test_resizing_keeps_every_direction():
    cameras = make_cameras()
    point = torch.tensor([[0.1, -0.2, 0.4]], dtype=torch.float64)
    uv, _ = project(point, cameras)
    larger, _ = project(point, resized(cameras, 3 * HEIGHT, 2 * WIDTH))
    assert torch.allclose(larger, uv * torch.tensor([2.0, 3.0], dtype=torch.float64))


def test_convention_flips_are_inverse_and_turn_blenders_view_axis():
    """Blender's camera looks along its -z with y up; OpenCV's along +z with y down."""
    c2w = make_cameras().c2w
    assert torch.equal(opencv_to_opengl(opengl_to_opencv(c2w)), c2w)
    blender = torch.eye(4)
    opencv = opengl_to_opencv(blender)
    assert (opencv[:3, 2] == -blender[:3, 2]).all()
    assert (opencv[:3, 1] == -blender[:3, 1]).all()
    assert (opencv[:3, 0] == blender[:3, 0]).all()
    assert math.isclose(torch.det(opencv).item(), 1.0)


@pytest.mark.parametrize("index", [1, slice(0, 2), torch.tensor([2, 0]), torch.tensor([True, False, True]), [2, 1]])
def test_indexing_gives_cameras(index):
    cameras = make_cameras()
    chosen = torch.arange(NUM)[[index] if isinstance(index, int) else index]
    assert torch.equal(cameras[index].w2c, cameras.w2c[chosen])
    assert len(cameras[index]) == len(chosen)
    assert torch.allclose(cameras[index].centers, cameras.c2w[chosen, :3, 3])


def test_wrong_shapes_are_refused():
    cameras = copy.copy(make_cameras())
    object.__setattr__(cameras, "w2c", cameras.w2c[0])  # past the tests' own shape checks
    with pytest.raises(ValueError, match=r"K \[N,3,3\]"):
        cameras.__post_init__()
    with pytest.raises(ValueError, match="at least one pixel"):
        Cameras(torch.eye(3)[None], torch.eye(4)[None], 0, 4)
