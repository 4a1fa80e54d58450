"""Cameras that look at a result: they see all of it, stand upright, and begin where the input began."""

import math

import numpy as np
import pytest
import torch

from generator.rays import intrinsics, orbit_c2w
from recon.camera import Cameras, invert_rigid, project
from recon.splats import from_points
from vid2three.turntable import bounding_sphere, four_sides, turntable, up_direction


def orbit(num=12, elevation=15.0, **options) -> Cameras:
    c2w = torch.from_numpy(orbit_c2w(num, elevation, 4.0, **options)).float()
    K = torch.from_numpy(intrinsics(40, 48, 64)).float()
    return Cameras(K.repeat(num, 1, 1), invert_rigid(c2w), 48, 64)


@pytest.fixture(scope="module")
def splats():
    """Splats on an ellipsoid about (0.2, 0.1, -0.1), half as high as wide."""
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=1)
    points = points * torch.tensor([0.8, 0.8, 0.4]) + torch.tensor([0.2, 0.1, -0.1])
    return from_points(points, torch.full((500, 3), 0.5), opacity=0.9)


def test_the_whole_subject_is_seen_from_every_side(splats):
    cameras = turntable(orbit(), splats, 10, 96, has_alphas=True)
    uv, z = project(splats.means, cameras)
    assert float(z.min()) > 0
    assert float(uv.min()) > 0
    assert float(uv.max()) < 96
    assert float(uv.max() - uv.min()) > 0.6 * 96


def test_it_begins_at_the_first_camera_and_turns_the_same_way(splats):
    source = orbit(start_deg=70)
    cameras = turntable(source, splats, 4, 96, has_alphas=True)
    centre, _ = bounding_sphere(splats)

    def azimuth(centers):
        return torch.atan2(centers[:, 1] - centre[1], centers[:, 0] - centre[0])

    ours, theirs = azimuth(cameras.centers), azimuth(source.centers)
    assert float(ours[0] - theirs[0]) == pytest.approx(0, abs=1e-4)
    steps = (ours[1:] - ours[:-1]) % (2 * math.pi)
    torch.testing.assert_close(steps, torch.full((3,), math.pi / 2), rtol=0, atol=1e-4)


def test_cameras_stand_upright_and_are_rotations(splats):
    rotation = turntable(orbit(), splats, 7, 96, has_alphas=True).c2w[:, :3, :3]
    torch.testing.assert_close(rotation.mT @ rotation, torch.eye(3).expand(7, 3, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(7))
    assert float(rotation[:, 2, 0].abs().max()) < 1e-6  # the picture's x axis is level
    assert float(rotation[:, 2, 1].max()) < 0  # its y axis points down


def test_four_sides_of_a_prompts_asset_are_blenders_front_right_back_left(splats):
    centre, _ = bounding_sphere(splats)
    directions = four_sides(orbit(), splats, 64).centers - centre
    level = torch.nn.functional.normalize(directions[:, :2], dim=1)
    # The first camera of the orbit sees the subject, which stands a little off the origin, almost from -y.
    expected = torch.tensor([[0.0, -1], [1, 0], [0, 1], [-1, 0]])
    assert float((level * expected).sum(dim=1).min()) > 0.99


def test_a_scene_is_looked_at_only_from_where_it_was_seen(splats):
    source = orbit(20, start_deg=-40, span_deg=80, closed=False)
    cameras = turntable(source, splats, 16, 64, has_alphas=False)
    azimuth = torch.atan2(cameras.centers[:, 0], -cameras.centers[:, 1]).rad2deg()
    assert -40 <= float(azimuth.min()) < -20
    assert 20 < float(azimuth.max()) <= 40
    torch.testing.assert_close(cameras.centers.norm(dim=1), torch.full((16,), 4.0), rtol=0, atol=0.05)


def test_up_is_z_for_level_cameras_and_the_rings_axis_for_rolled_ones():
    torch.testing.assert_close(up_direction(orbit()), torch.tensor([0.0, 0, 1]))
    half_turn = torch.diag(torch.tensor([-1.0, -1, 1, 1]))  # about the optical axis
    c2w = orbit(elevation=0.0).c2w
    c2w[::2] = c2w[::2] @ half_turn
    tilt = torch.from_numpy(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])).float()
    c2w[:, :3] = tilt @ c2w[:, :3]
    rolled = Cameras(torch.eye(3).repeat(12, 1, 1), invert_rigid(c2w), 48, 64)
    torch.testing.assert_close(up_direction(rolled), torch.tensor([0.0, 1, 0]), rtol=0, atol=1e-5)
