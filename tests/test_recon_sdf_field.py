"""A ball on a grid: what it draws is known, interpolation keeps it, and gradients are those of finite differences."""

import numpy as np
import pytest
import torch

from recon.camera import Cameras
from recon.sdf_field import BAND, SdfField, draw, draw_rays, drawable_cells, field_around, refined, sample_rays
from recon.tsdf import Grid, grid_around

RADIUS = 0.6


def ball(resolution: int, sharpness: float = 200.0) -> SdfField:
    """A ball about (0.1, 0, 0), red where x is above its centre and blue elsewhere."""
    grid = grid_around(np.array([-0.5, -0.6, -0.6]), np.array([0.7, 0.6, 0.6]), resolution, 7)
    x, y, z = np.meshgrid(*grid.centers, indexing="ij")
    values = np.sqrt((x - 0.1) ** 2 + y**2 + z**2) - RADIUS
    colors = np.where((x > 0.1)[..., None], [0.9, 0.1, 0.1], [0.1, 0.1, 0.9])
    return field_around(values, colors, grid, sharpness, "cpu")


def front_camera() -> Cameras:
    """At (0, -3, 0), looking along +y, x to the right."""
    w2c = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 3], [0, 0, 0, 1]])[None]
    K = torch.tensor([[80.0, 0, 32], [0, 80, 24], [0, 0, 1]])[None]
    return Cameras(K, w2c, 48, 64)


def test_the_band_has_a_row_for_each_node_near_the_surface_and_no_other():
    field = ball(24)
    x, y, z = np.meshgrid(*field.grid.centers, indexing="ij")
    truth = np.sqrt((x - 0.1) ** 2 + y**2 + z**2) - RADIUS
    rows = field.index.numpy()
    assert sorted(rows[rows >= 0]) == list(range(len(field.distances)))
    assert (rows[np.abs(truth) < (BAND - 1.5) * field.grid.voxel] >= 0).all()
    assert (rows[np.abs(truth) > (BAND + 1.5) * field.grid.voxel] < 0).all()
    near = np.abs(truth) < 0.9 * BAND * field.grid.voxel
    np.testing.assert_allclose(field.dense()[near & (rows >= 0)], truth[near & (rows >= 0)], atol=1e-6)


def test_a_ball_is_drawn_where_it_lies_with_its_depth_and_colours():
    rgb, alpha, depth = (part[0] for part in draw(ball(48), front_camera()))
    v, u = np.mgrid[:48, :64] + 0.5
    direction = np.stack([(u - 32) / 80, np.ones_like(u), -(v - 24) / 80], axis=-1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    to_center = np.array([0.1, 3.0, 0.0])
    along = direction @ to_center
    across = np.sqrt(to_center @ to_center - along**2)
    assert (alpha.numpy()[across < RADIUS - 0.05] > 0.99).all()
    assert (alpha.numpy()[across > RADIUS + 0.05] < 0.01).all()
    seen = across < RADIUS - 0.1
    z = (along - np.sqrt(np.maximum(RADIUS**2 - across**2, 0))) * direction[..., 1]
    np.testing.assert_allclose(depth.numpy()[seen], z[seen], atol=0.01)
    x = direction[..., 0] * z / direction[..., 1]
    assert (rgb[..., 0] > rgb[..., 2])[torch.from_numpy(seen & (x > 0.15))].all()
    assert (rgb[..., 2] > rgb[..., 0])[torch.from_numpy(seen & (x < 0.05))].all()
    assert (depth.numpy()[across > RADIUS + 0.05] == 0).all()


def test_a_finer_grid_holds_the_same_ball():
    coarse = ball(24)
    grid = grid_around(np.array([-0.5, -0.6, -0.6]), np.array([0.7, 0.6, 0.6]), 40, 7)
    fine = refined(coarse, grid)
    x, y, z = np.meshgrid(*grid.centers, indexing="ij")
    truth = np.sqrt((x - 0.1) ** 2 + y**2 + z**2) - RADIUS
    near = (np.abs(truth) < 2 * grid.voxel) & (fine.index.numpy() >= 0)
    np.testing.assert_allclose(fine.dense()[near], truth[near], atol=0.1 * coarse.grid.voxel)
    deep_red = fine.dense_colors()[(x > 0.2) & near]
    np.testing.assert_allclose(deep_red, np.broadcast_to([0.9, 0.1, 0.1], deep_red.shape), atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    field = ball(16, sharpness=15.0)
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(
        torch.tensor([0.03, 1.0, 0.0]) + 0.15 * torch.randn(40, 3, generator=generator), dim=1
    )
    origins = torch.tensor([0.0, -3.0, 0.0]).expand(40, 3)
    samples = sample_rays(field, drawable_cells(field), origins, directions, torch.rand(40, generator=generator))
    tables = [field.distances.double().requires_grad_(), field.colors.double().requires_grad_()]
    samples.weights.data = samples.weights.double()
    weights = torch.randn(40, 5, generator=generator, dtype=torch.float64)

    def loss(distances, colors):
        drawn = SdfField(field.grid, distances, colors, field.index, field.is_inside, field.sharpness)
        rgb, left, distance = draw_rays(drawn, samples, 40)
        return (weights * torch.cat([rgb, left[:, None], distance[:, None] * (1 - left)[:, None]], 1)).sum()

    gradients = torch.autograd.grad(loss(*tables), tables)
    for n, (table, gradient) in enumerate(zip(tables, gradients, strict=True)):
        assert gradient.abs().sum() > 0
        way = torch.randn(table.shape, generator=generator, dtype=torch.float64)
        step = 1e-6
        moved = [[t + sign * step * way if m == n else t for m, t in enumerate(tables)] for sign in (1, -1)]
        numeric = (loss(*moved[0]) - loss(*moved[1])) / (2 * step)
        assert (gradient * way).sum().item() == pytest.approx(numeric.item(), rel=2e-3)


def test_light_is_conserved_along_a_ray():
    """A white ball on black: what is seen is what was stopped."""
    field = ball(24, sharpness=20.0)
    white = SdfField(field.grid, field.distances, torch.ones_like(field.colors), field.index, field.is_inside, 20.0)
    rgb, alpha, _ = draw(white, front_camera())
    np.testing.assert_allclose(rgb[..., 0].numpy(), alpha.numpy(), atol=1e-4)
    assert 0 < alpha.mean() < 1


def test_a_field_without_a_surface_is_refused():
    grid = Grid(np.zeros(3), 0.1, (8, 8, 8))
    with pytest.raises(ValueError, match="no surface"):
        field_around(np.ones((8, 8, 8)), np.zeros((8, 8, 8, 3)), grid, 10.0, "cpu")
