"""The kernels that draw a signed distance field, against their slow twin in torch."""

import numpy as np
import pytest
import torch

from recon import nerf
from recon.camera import Cameras
from recon.sdf_field import SdfField, draw, draw_rays, drawable_cells, field_around, sample_rays
from recon.tsdf import grid_around

NUM_RAYS = 600
WEIGHTS = nerf.Weights(0.5, 0.3, 0.1, 0.02)


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
    slow, fast = nerf._TorchBand(field), nerf._CpuBand(field)
    background = torch.rand(3, generator=generator)
    chosen = torch.randint(len(slow.neighbors), (500,), generator=generator)
    now = nerf.with_tables(field, slow.distances, slow.colors, sharpness)
    square = slow.slopes(now, batch, WEIGHTS, background, chosen)
    assert fast.slopes(now, batch, WEIGHTS, background, chosen) == pytest.approx(square, rel=1e-4)
    gradient = torch.from_numpy(fast.optimizer.chunks.sum(0))
    for ours, theirs in ((gradient[:, :1], slow.distances.grad), (gradient[:, 1:], slow.colors.grad)):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-4 * float(theirs.abs().max()))


def test_steps_are_those_of_torchs_adam():
    field, batch = lumpy(60.0), some_rays(torch.Generator().manual_seed(3))
    ends = []
    for band in (nerf._TorchBand(field), nerf._CpuBand(field)):
        now, generator = field, torch.Generator().manual_seed(1)
        for step in range(3):
            now, square = band.step(now, batch, 60.0 + step, (1e-3, 0.01), WEIGHTS, generator)
        ends.append((now, square))
    (slow, slow_square), (fast, fast_square) = ends
    assert fast_square == pytest.approx(slow_square, rel=1e-3)
    for ours, theirs, start in (
        (fast.distances, slow.distances, field.distances),
        (fast.colors, slow.colors, field.colors),
    ):
        assert (theirs - start).abs().max() > 1e-3
        off = (ours - theirs).abs()  # where a slope is nothing but rounding, Adam goes either way
        assert float((off > 0.02 * (theirs - start).abs().max()).float().mean()) < 0.005
    assert fast.sharpness == 62.0


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
    field, batch = lumpy(60.0), some_rays(torch.Generator().manual_seed(5))
    threads, found = torch.get_num_threads(), []
    try:
        for num in (1, 2, 3):
            torch.set_num_threads(num)
            band, generator = nerf._CpuBand(field), torch.Generator().manual_seed(1)
            for _ in range(2):
                now, square = band.step(field, batch, 60.0, (1e-3, 0.01), WEIGHTS, generator)
            found.append((square, band.optimizer.table))
            assert torch.equal(now.colors, torch.from_numpy(band.optimizer.table[:, 1:]))
    finally:
        torch.set_num_threads(threads)
    for square, table in found[1:]:
        assert square == found[0][0]
        np.testing.assert_array_equal(table, found[0][1])
