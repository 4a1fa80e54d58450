"""The kernels that draw a signed distance field, against their slow twin in torch."""

import numpy as np
import pytest
import torch

from recon import nerf
from recon.camera import Cameras
from recon.sdf_field import SdfField, draw, draw_rays, drawable_cells, field_around, sample_rays
from recon.tsdf import grid_around

NUM_RAYS = 600


def lumpy(sharpness: float) -> SdfField:
    """A ball with bumps and a hole through it, coloured by place, on a grid with three different sides."""
    grid = grid_around(np.array([-0.5, -0.6, -0.4]), np.array([0.7, 0.6, 0.6]), 28, 7)
    x, y, z = np.meshgrid(*grid.centers, indexing="ij")
    values = np.sqrt(x**2 + y**2 + z**2) - 0.5 + 0.03 * np.sin(14 * x) * np.cos(11 * z)
    values = np.maximum(values, 0.15 - np.hypot(x, z))
    colors = np.stack([0.5 + 0.5 * np.sin(9 * x), 0.5 + 0.5 * np.cos(7 * y), 0.5 + 0.4 * np.sin(8 * z)], -1)
    return field_around(values, colors, grid, sharpness, "cpu")


def some_rays(generator: torch.Generator) -> nerf.Batch:
    """From all around towards the ball and past it; some along an axis, some from within, some with a known depth."""
    origins = 2 * torch.nn.functional.normalize(torch.randn(NUM_RAYS, 3, generator=generator), dim=1)
    targets = 0.4 * torch.randn(NUM_RAYS, 3, generator=generator)
    targets[:20], origins[:20] = origins[:20], 0.1 * origins[:20]
    directions = torch.nn.functional.normalize(targets - origins, dim=1)
    directions[20:40] = torch.tensor([0.0, -1.0, 0.0])
    origins[20:40, 1] = 2
    rgba = torch.rand(NUM_RAYS, 4, generator=generator)
    distances = torch.where(torch.rand(NUM_RAYS, generator=generator) < 0.5, 1.5, 0.0)
    return nerf.Batch(origins, directions, rgba, distances, torch.rand(NUM_RAYS, generator=generator))


@pytest.mark.parametrize("sharpness", [8.0, 60.0, 400.0])
def test_slopes_and_errors_are_those_of_autograd(sharpness):
    generator = torch.Generator().manual_seed(3)
    field, batch = lumpy(sharpness), some_rays(generator)
    band = nerf._Band(field)
    background = torch.rand(3, generator=generator)
    chosen = torch.randint(len(band.neighbors), (500,), generator=generator)
    weights = nerf.Weights(0.5, 0.3, 0.1, 0.02)
    found = []
    for slopes in (band._slopes, band._slopes_on_cpu):
        now = nerf.with_tables(field, band.distances, band.colors, sharpness)
        square = slopes(now, batch, background, chosen, weights)
        found.append((square, band.distances.grad.clone(), band.colors.grad.clone()))
    (slow, *slow_slopes), (fast, *fast_slopes) = found
    assert fast == pytest.approx(slow, rel=1e-4)
    for ours, theirs in zip(fast_slopes, slow_slopes):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-4 * float(theirs.abs().max()))


def test_pictures_are_those_of_the_slow_twin():
    w2c = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 2], [0, 0, 0, 1]])[None]
    cameras = Cameras(torch.tensor([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]])[None], w2c, 48, 64)
    field = lumpy(80.0)
    rgb, alpha, depth = draw(field, cameras)
    origins, directions = (part.reshape(-1, 3) for part in nerf.rays(cameras))
    half = torch.full((len(origins),), 0.5)
    samples = sample_rays(field, drawable_cells(field), origins, directions, half)
    slow_rgb, left, distance = draw_rays(field, samples, len(origins))
    torch.testing.assert_close(rgb.reshape(-1, 3), slow_rgb, rtol=0, atol=2e-4)
    torch.testing.assert_close(1 - alpha.reshape(-1), left, rtol=0, atol=2e-4)
    solid = (left < 0.2) & (depth.reshape(-1) > 0)
    assert solid.sum() > 200
    torch.testing.assert_close(depth.reshape(-1)[solid], (distance * directions[:, 1])[solid], rtol=0, atol=1e-3)


def test_bytes_do_not_depend_on_the_number_of_threads():
    generator = torch.Generator().manual_seed(5)
    field, batch = lumpy(60.0), some_rays(generator)
    background, threads, found = torch.rand(3, generator=generator), torch.get_num_threads(), []
    try:
        for num in (1, 2, 3):
            torch.set_num_threads(num)
            band = nerf._Band(field)
            chosen = torch.arange(0, len(band.neighbors), 3)
            square = band._slopes_on_cpu(field, batch, background, chosen, nerf.Weights(0.5, 0.3, 0.1, 0.02))
            found.append((square, band.distances.grad, band.colors.grad))
    finally:
        torch.set_num_threads(threads)
    for square, *slopes in found[1:]:
        assert square == found[0][0]
        assert all(torch.equal(a, b) for a, b in zip(slopes, found[0][1:]))
