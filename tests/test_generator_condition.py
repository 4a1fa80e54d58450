"""What the transformer hears of the cameras: the orbits of rays.py, as lines through each token's pixels."""

import numpy as np
import torch

from generator.condition import orbit_cameras, orbit_condition, orbit_distance, orbit_rows
from generator.data import Orbit
from generator.rays import intrinsics, orbit_radius

FRAMES, HEIGHT, WIDTH, PATCH = 6, 32, 48, 2
CELL = 8 * PATCH
ORBITS = [Orbit(20.0, 40.0), Orbit(-10.0, 33.0, 70.0), Orbit(15.0, 40.0, -30.0, 150.0)]
ROWS = orbit_rows(ORBITS)


def condition() -> tuple[torch.Tensor, torch.Tensor]:
    return orbit_condition(ROWS, FRAMES, HEIGHT, WIDTH, PATCH)


def lines() -> torch.Tensor:
    """Rays frame by frame: [b,F,h,w,6]."""
    rays, _ = condition()
    return torch.stack(rays.chunk(2, dim=-1), dim=2).flatten(1, 2)


def test_cameras_are_those_of_the_orbits():
    c2w, K, azimuth = orbit_cameras(ROWS, FRAMES, HEIGHT, WIDTH)
    for i, orbit in enumerate(ORBITS):
        assert np.allclose(c2w[i], orbit.c2w(FRAMES), atol=1e-5)
        assert np.allclose(K[i], intrinsics(orbit.fov_deg, HEIGHT, WIDTH), rtol=1e-5)
        steps = FRAMES if orbit.is_closed else FRAMES - 1
        assert np.allclose(azimuth[i], np.radians(orbit.start_deg + orbit.span_deg * np.arange(FRAMES) / steps))
        assert np.isclose(orbit_distance(ROWS[:, 1])[i], orbit_radius(orbit.fov_deg))


def test_rays_are_plucker_lines_through_the_cameras():
    rays = lines()
    assert rays.shape == (3, FRAMES, HEIGHT // CELL, WIDTH // CELL, 6)
    directions, moments = rays.split(3, dim=-1)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(()))
    assert torch.allclose((directions * moments).sum(-1), torch.zeros(()), atol=1e-5)
    origins = torch.stack([torch.from_numpy(orbit.c2w(FRAMES)[:, :3, 3]) for orbit in ORBITS]).float()
    points = origins[:, :, None, None] + 1.7 * directions
    assert torch.allclose(torch.linalg.cross(points, directions), moments, atol=1e-5)  # any point of the line


def test_a_ray_projects_to_the_centre_of_its_cell():
    rays = lines()
    for i, orbit in enumerate(ORBITS):
        K, c2w = intrinsics(orbit.fov_deg, HEIGHT, WIDTH), orbit.c2w(FRAMES)
        local = np.einsum("fhwi,fij->fhwj", rays[i, ..., :3].numpy(), c2w[:, :3, :3])
        u, v = (K[j, j] * local[..., j] / local[..., 2] + K[j, 2] for j in range(2))
        assert np.allclose(u, [[8, 24, 40]] * 2, atol=1e-3)
        assert np.allclose(v, [[8] * 3, [24] * 3], atol=1e-3)


def test_angles_lie_half_way_between_two_frames():
    _, angles = condition()
    middles = np.arange(FRAMES // 2) * 2 + 0.5
    whole = np.radians([[0.0], [70.0]]) + 2 * np.pi * middles / FRAMES
    part = np.radians([-30 + 150 * middles / (FRAMES - 1)])
    expected = np.concatenate([whole, part])
    assert np.allclose(angles, expected, atol=1e-5)


def test_mixed_precision_leaves_rays_exact():
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = condition()
    assert torch.equal(mixed, condition()[0])
