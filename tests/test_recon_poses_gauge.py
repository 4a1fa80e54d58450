"""The frame of estimated cameras: up, front, centre and size, whatever frame they come in."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from recon.camera import Cameras
from recon.poses import orbit
from recon.poses.gauge import moved, settle, sweep, up_direction

HEIGHT, WIDTH, NUM = 48, 64, 12


def ring(elevation_deg: float = 20.0, span: float = 1.0) -> Cameras:
    params = orbit.level_orbit(np.deg2rad(elevation_deg), orbit.log_focal(40), span)
    focal = orbit.focal_px(params, HEIGHT, WIDTH)
    K = torch.tensor([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]]).repeat(NUM, 1, 1)
    return Cameras(K, torch.from_numpy(orbit.poses(params, orbit.frame_times(NUM))).float(), HEIGHT, WIDTH)


def ball_alphas(cameras: Cameras, radius: float) -> torch.Tensor:
    """Draw a ball at the origin as soft discs; exact enough for cameras that look at it."""
    distance = cameras.centers.norm(dim=1)[:, None, None]
    apparent = cameras.K[:, :1, :1] * radius / (distance**2 - radius**2).sqrt()
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    return (apparent - ((x - WIDTH / 2) ** 2 + (y - HEIGHT / 2) ** 2).sqrt() + 0.5).clamp(0, 1)


def elsewhere(cameras: Cameras) -> Cameras:
    turn = Rotation.from_euler("xyz", [70, -40, 110], degrees=True).as_matrix()
    return moved(cameras, None, turn, np.array([3.0, -2.0, 5.0]), 0.37)[0]


def test_settled_cameras_are_the_same_from_whatever_frame_they_come():
    cameras = ring()
    alphas = ball_alphas(cameras, 0.2)
    images = torch.full((NUM, HEIGHT, WIDTH, 3), 0.5)
    everyone = torch.ones(NUM, dtype=torch.bool)
    one, _ = settle(cameras, everyone, images, alphas)
    two, _ = settle(elsewhere(cameras), everyone, images, alphas)
    assert torch.allclose(one.w2c, two.w2c, atol=0.02)
    first = one.centers[0] / one.centers[0].norm()
    assert torch.allclose(first, torch.tensor([0, -np.cos(np.pi / 9), np.sin(np.pi / 9)]).float(), atol=0.02)
    assert float(one.centers.norm(dim=1).median()) == pytest.approx(1 / 0.2, rel=0.1)  # radius 1


def test_up_is_the_axis_of_the_ring_and_not_its_opposite():
    np.testing.assert_allclose(up_direction(ring()), [0, 0, 1], atol=1e-4)
    np.testing.assert_allclose(up_direction(ring(span=-1.0)), [0, 0, 1], atol=1e-4)


def test_cameras_on_their_side_look_down_on_the_subject():
    cameras = ring(15.0)
    quarter = torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for turn in (quarter, quarter.T):
        tilted = Cameras(cameras.K, turn @ cameras.w2c, HEIGHT, WIDTH)
        np.testing.assert_allclose(up_direction(tilted), [0, 0, 1], atol=1e-4)


def test_up_of_a_short_arc_is_what_the_cameras_turn_about():
    np.testing.assert_allclose(up_direction(ring(elevation_deg=35.0, span=0.06)), [0, 0, 1], atol=1e-3)


def test_up_of_cameras_that_do_not_turn_is_what_they_hold_upright():
    cameras = ring(elevation_deg=0.0, span=0.001)
    np.testing.assert_allclose(up_direction(cameras), [0, 0, 1], atol=1e-3)


def test_sweep_measures_span_gap_and_elevation():
    whole, half = sweep(ring()), sweep(ring(30.0, 0.5))
    assert whole.span_deg == pytest.approx(360, abs=0.1)
    assert whole.largest_gap_deg == pytest.approx(30, abs=0.1)
    assert whole.elevation_deg == pytest.approx(20, abs=0.1)
    assert half.span_deg == pytest.approx(180, abs=0.5)
    assert half.elevation_range_deg == pytest.approx((30, 30), abs=0.1)


def test_points_move_with_the_cameras():
    points = torch.rand(5, 3)
    cameras, shifted = moved(ring(), points, np.eye(3), np.array([1.0, 2.0, 3.0]), 2.0)
    assert shifted is not None
    before = torch.einsum("nij,pj->npi", ring().w2c[:, :3, :3], points) + ring().w2c[:, None, :3, 3]
    after = torch.einsum("nij,pj->npi", cameras.w2c[:, :3, :3], shifted) + cameras.w2c[:, None, :3, 3]
    assert torch.allclose(after * 2, before, atol=1e-5)


def test_one_camera_has_no_up():
    registered = torch.zeros(NUM, dtype=torch.bool)
    registered[3] = True
    with pytest.raises(ValueError, match="1 of 12 frames have a camera"):
        settle(ring(), registered, torch.zeros(NUM, HEIGHT, WIDTH, 3), None)
