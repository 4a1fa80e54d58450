"""Orbit cameras and their rays: rigid, closed, and each ray where its pixels look."""

import numpy as np
import pytest

from generator.rays import azimuths, frame_pairs, intrinsics, latent_angles, orbit_c2w, orbit_radius, plucker_rays

FRAMES, HEIGHT, WIDTH, CELL = 6, 32, 48, 16
C2W = orbit_c2w(FRAMES, 20, 3.0)
K = intrinsics(40, HEIGHT, WIDTH)


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


def test_azimuths_undo_the_orbit():
    assert np.allclose(azimuths(C2W), 2 * np.pi * np.arange(FRAMES) / FRAMES)
    c2w = orbit_c2w(40, 10, 1.0, start_deg=100, span_deg=720)  # unwrapped over two turns
    assert np.allclose(np.diff(azimuths(c2w)), 4 * np.pi / 40)
    assert np.allclose(latent_angles(C2W), (np.arange(FRAMES // 2) * 2 + 0.5) * 2 * np.pi / FRAMES)


def test_an_elevation_at_the_pole_is_refused():
    for elevation in (90, -95, float("nan")):
        with pytest.raises(ValueError, match="between -90 and 90"):
            orbit_c2w(4, elevation, 3.0)


def test_rays_are_plucker_lines_through_the_camera():
    rays = plucker_rays(K, C2W, HEIGHT, WIDTH, CELL)
    assert rays.shape == (FRAMES, HEIGHT // CELL, WIDTH // CELL, 6)
    directions, moments = rays[..., :3], rays[..., 3:]
    assert np.allclose(np.linalg.norm(directions, axis=-1), 1)
    assert np.allclose((directions * moments).sum(-1), 0)
    distance = np.random.default_rng(0).uniform(-2, 5, rays.shape[:-1])[..., None]
    points = C2W[:, None, None, :3, 3] + distance * directions
    assert np.allclose(np.cross(points, directions), moments)  # any point of the line gives the moment


def test_a_ray_projects_to_the_centre_of_its_cell():
    rays = plucker_rays(K, C2W, HEIGHT, WIDTH, CELL)
    for f in range(FRAMES):
        local = rays[f, ..., :3] @ C2W[f, :3, :3]
        u, v = (K[i, i] * local[..., i] / local[..., 2] + K[i, 2] for i in range(2))
        assert np.allclose(u, [[8, 24, 40]] * 2)
        assert np.allclose(v, [[8] * 3, [24] * 3])


def test_frame_pairs_lie_side_by_side():
    rays = plucker_rays(K, C2W, HEIGHT, WIDTH, CELL)
    pairs = frame_pairs(rays)
    assert pairs.shape == (FRAMES // 2, HEIGHT // CELL, WIDTH // CELL, 12)
    assert np.array_equal(pairs[1, ..., :6], rays[2])
    assert np.array_equal(pairs[1, ..., 6:], rays[3])


def test_the_unit_sphere_fills_the_height():
    for fov in (30, 40, 50):
        half_angle = np.arcsin(1 / orbit_radius(fov))
        assert 0.93 < np.tan(half_angle) * intrinsics(fov, HEIGHT, WIDTH)[1, 1] / (HEIGHT / 2) < 0.96
