"""Orbit cameras: rigid, closed, and far enough away."""

import numpy as np
import pytest

from generator.rays import intrinsics, orbit_c2w, orbit_radius

HEIGHT, WIDTH = 32, 48


def test_cameras_are_rigid_and_look_at_the_origin():
    for elevation in (-30, 0, 55):
        c2w = orbit_c2w(5, elevation, 2.5, start_deg=13)
        rotation = c2w[:, :3, :3]
        assert np.allclose(rotation @ rotation.transpose(0, 2, 1), np.eye(3))
        assert np.allclose(np.linalg.det(rotation), 1)
        assert np.allclose(c2w[:, :3, 3] + 2.5 * rotation[:, :, 2], 0)
        assert np.allclose(c2w[:, 2, 3], 2.5 * np.sin(np.radians(elevation)))


def test_a_closed_orbit_is_one_turn_repeated():
    turn = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # a quarter, counter-clockwise
    c2w = orbit_c2w(8, 20, 3.0)
    assert np.allclose(turn @ c2w, np.roll(c2w, -2, axis=0))
    assert np.allclose(orbit_c2w(9, 20, 3.0, closed=False)[:8], c2w)
    assert np.allclose(orbit_c2w(9, 20, 3.0, closed=False)[8], c2w[0])


def test_an_elevation_at_the_pole_is_refused():
    for elevation in (90, -95, float("nan")):
        with pytest.raises(ValueError, match="between -90 and 90"):
            orbit_c2w(4, elevation, 3.0)


def test_the_unit_sphere_fills_the_height():
    for fov in (30, 40, 50):
        half_angle = np.arcsin(1 / orbit_radius(fov))
        assert 0.93 < np.tan(half_angle) * intrinsics(fov, HEIGHT, WIDTH)[1, 1] / (HEIGHT / 2) < 0.96
