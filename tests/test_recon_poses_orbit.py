"""The orbit model: where its cameras stand, and how its parameters move them."""

import numpy as np
import pytest

from recon.poses import orbit


@pytest.fixture
def params() -> np.ndarray:
    return np.random.default_rng(0).normal(size=orbit.NUM) * 0.1 + orbit.level_orbit(0.3, 0.2, 0.9)


def test_convention_the_first_camera_stands_at_minus_y_and_looks_at_the_origin():
    w2c = orbit.poses(orbit.level_orbit(0.0, 0.0, 1.0), np.array([0.0, 0.25]))
    centers = -np.einsum("fji,fj->fi", w2c[:, :3, :3], w2c[:, :3, 3])
    np.testing.assert_allclose(centers, [[0, -1, 0], [1, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(w2c[:, :3, 3], [[0, 0, 1]] * 2, atol=1e-12)
    np.testing.assert_allclose(w2c[0, :3, :3] @ [0, 0, 1], [0, -1, 0], atol=1e-12)  # up is up in the picture


def test_elevation_lifts_the_camera():
    w2c = orbit.poses(orbit.level_orbit(np.deg2rad(30), 0.0, 1.0), np.array([0.0]))[0]
    np.testing.assert_allclose(-w2c[:3, :3].T @ w2c[:3, 3], [0, -np.cos(np.pi / 6), 0.5], atol=1e-12)


def test_poses_are_rigid(params: np.ndarray):
    rotation = orbit.poses(params, orbit.frame_times(7))[:, :3, :3]
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (7, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)


def test_a_twist_of_the_jacobian_moves_the_camera_as_its_parameter_does(params: np.ndarray):
    times, step = orbit.frame_times(5), 1e-4
    twists, now = orbit.jacobian(params, times), orbit.poses(params, times)
    for index in range(orbit.NUM):
        moved = orbit.poses(params + step * np.eye(orbit.NUM)[index], times)
        for frame in range(5):
            w, v = twists[frame, index, :3], twists[frame, index, 3:]
            generator = np.array([[0, -w[2], w[1], v[0]], [w[2], 0, -w[0], v[1]], [-w[1], w[0], 0, v[2]], [0, 0, 0, 0]])
            np.testing.assert_allclose(now[frame] + step * generator @ now[frame], moved[frame], atol=3e-7)


def test_field_of_view_and_focal_length_are_inverse():
    assert orbit.fov_deg(orbit.log_focal(37.0)) == pytest.approx(37.0)
    assert orbit.focal_px(orbit.level_orbit(0, orbit.log_focal(90.0), 1), 30, 40) == pytest.approx(20.0)


def test_roll_turns_and_yaw_shifts_the_picture():
    turned = orbit.level_orbit(0.0, 0.0, 1.0)
    turned[orbit.INDEX["yaw"]] = 0.1
    axis = orbit.poses(turned, np.array([0.0]))[0, :3, 3]
    assert axis[0] > 0.09  # the origin is seen to the right
    turned[orbit.INDEX["roll"]] = 0.1
    up = orbit.poses(turned, np.array([0.0]))[0, :3, :3] @ [0, 0, 1]
    assert up[0] < -0.09  # a camera rolled clockwise sees up lean to the left


def test_mirrored_twice_is_itself(params: np.ndarray):
    np.testing.assert_allclose(orbit.mirrored(orbit.mirrored(params)), params)
