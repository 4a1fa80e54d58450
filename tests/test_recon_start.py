"""Where a fit starts: on the surface, flat along it, in the colours that the views show."""

from dataclasses import replace

import pytest
import torch

from recon.camera import Cameras
from recon.reference import quats_to_rotations
from recon.start import FLATNESS, disc_quats, seen_colors, start_splats
from recon.views import Views

NUM_VIEWS, HEIGHT, WIDTH, NUM = 8, 40, 48, 300
RADIUS = 0.5


def ring_of_cameras() -> Cameras:
    """Cameras 3 from the origin, half of them raised by 40 degrees, all looking at it."""
    azimuth = torch.arange(NUM_VIEWS) * (2 * torch.pi / NUM_VIEWS)
    elevation = torch.where(torch.arange(NUM_VIEWS) % 2 == 0, 0.0, 0.7)
    outward = torch.stack([azimuth.sin() * elevation.cos(), -azimuth.cos() * elevation.cos(), elevation.sin()], dim=1)
    right = torch.stack([azimuth.cos(), azimuth.sin(), torch.zeros(NUM_VIEWS)], dim=1)
    w2c = torch.eye(4).repeat(NUM_VIEWS, 1, 1)
    w2c[:, :3, :3] = torch.stack([right, torch.linalg.cross(-outward, right), -outward], dim=1)
    w2c[:, 2, 3] = 3.0
    K = torch.tensor([[60.0, 0.0, WIDTH / 2], [0.0, 60.0, HEIGHT / 2], [0.0, 0.0, 1.0]]).repeat(NUM_VIEWS, 1, 1)
    return Cameras(K, w2c, HEIGHT, WIDTH)


def views_of_a_ball() -> Views:
    """A red ball of RADIUS at the origin, as discs of the right size (its outline is a circle to within 2 %)."""
    v, u = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    outline = 60 * RADIUS / (9 - RADIUS**2) ** 0.5
    inside = ((u - WIDTH / 2).square() + (v - HEIGHT / 2).square()).sqrt() < outline
    images = torch.zeros(NUM_VIEWS, HEIGHT, WIDTH, 3)
    images[..., 0] = 0.8
    return Views(images, inside.float().repeat(NUM_VIEWS, 1, 1), None, ring_of_cameras())


def test_with_masks_splats_lie_on_the_hull_and_along_it():
    splats = start_splats(views_of_a_ball(), NUM, 1, torch.Generator().manual_seed(0))
    assert len(splats) == NUM
    assert splats.sh_degree == 1
    distance = splats.means.norm(dim=1)
    assert abs(distance.median().item() - RADIUS) < 0.06
    normals = quats_to_rotations(splats.quats)[:, :, 2]
    outward = torch.nn.functional.normalize(splats.means, dim=1)
    assert (normals * outward).sum(dim=1).abs().median() > 0.9
    scales = splats.scales
    assert torch.allclose(scales[:, 2] / scales[:, 0], torch.tensor(FLATNESS))


def test_colors_are_those_seen():
    splats = start_splats(views_of_a_ball(), NUM, 0, torch.Generator().manual_seed(0))
    colors = seen_colors(splats.means, views_of_a_ball())
    assert torch.allclose(colors.median(dim=0).values, torch.tensor([0.8, 0.0, 0.0]), atol=1e-4)
    unseen = seen_colors(torch.tensor([[0.0, 0.0, 50.0]]), views_of_a_ball())
    assert torch.equal(unseen, torch.full((1, 3), 0.5))


def test_without_masks_known_points_are_the_means():
    points = torch.rand(40, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    views = replace(views_of_a_ball(), alphas=None, points=points)
    splats = start_splats(views, 25, 0, torch.Generator().manual_seed(0))
    assert len(splats) == 25
    assert torch.cdist(splats.means, points).amin(dim=1).max() < 1e-3
    assert len(splats.means.unique(dim=0)) == 25


def test_with_nothing_known_splats_fill_what_the_cameras_look_at():
    views = replace(views_of_a_ball(), alphas=None)
    splats = start_splats(views, NUM, 0, torch.Generator().manual_seed(0))
    half_width = 3 * WIDTH / 2 / 60
    distance = splats.means.norm(dim=1)
    assert half_width < distance.max() < 2 * half_width
    assert splats.means.mean(dim=0).norm() < 0.2 * half_width


def test_discs_lie_in_the_plane_of_their_neighbours():
    generator = torch.Generator().manual_seed(2)
    normal = torch.nn.functional.normalize(torch.tensor([0.3, -0.5, 0.8]), dim=0)
    points = torch.randn(50, 3, generator=generator)
    points = points - (points @ normal)[:, None] * normal
    axes = quats_to_rotations(disc_quats(points))[:, :, 2]
    assert torch.allclose((axes @ normal).abs(), torch.ones(50), atol=1e-4)


@pytest.mark.parametrize("alphas", [True, False])
def test_same_seed_same_start(alphas):
    views = views_of_a_ball() if alphas else replace(views_of_a_ball(), alphas=None)
    starts = [start_splats(views, NUM, 0, torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(starts[0].means, starts[1].means)
