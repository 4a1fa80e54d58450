"""Distance grids of planes and balls, whose distances are known."""

import numpy as np
import pytest
import torch
import trimesh

from recon.camera import Cameras, invert_rigid
from recon.hull import projection_matrices
from recon.tsdf import Grid, averaged, back_faces, closed, fuse_depths, fuse_masks, grid_around, mask_distance, slab
from subjects import orbit_views

TRUNCATION = 0.3


def camera(height: int = 40, width: int = 52) -> Cameras:
    """One camera at the origin that looks along +z."""
    K = torch.tensor([[[60.0, 0, 25.0], [0, 58.0, 21.0], [0, 0, 1]]])
    return Cameras(K, torch.eye(4)[None], height, width)


def wall_depth(cameras: Cameras, normal: np.ndarray, offset: float) -> np.ndarray:
    """Depth map of the plane normal . x = offset."""
    K = cameras.K[0].numpy()
    u, v = np.meshgrid(np.arange(cameras.width) + 0.5, np.arange(cameras.height) + 0.5)
    ray = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
    return (offset / (ray @ normal)).astype(np.float32)[None]


def points(grid: Grid) -> np.ndarray:
    return np.stack(np.meshgrid(*grid.centers, indexing="ij"), axis=-1)


def test_grid_covers_its_box_with_a_margin():
    grid = grid_around(np.array([0.0, 1, 2]), np.array([4.0, 2, 4]), resolution=40, margin=3)
    assert grid.voxel == pytest.approx(0.1)
    assert grid.shape == (46, 16, 26)
    x, y, z = grid.centers
    assert [x[0], y[0], z[0]] == pytest.approx([-0.25, 0.75, 1.75], abs=1e-6)
    assert [x[-1], y[-1], z[-1]] == pytest.approx([4.25, 2.25, 4.25], abs=1e-6)


@pytest.mark.parametrize("tilt_deg", [0.0, 35.0, 60.0])
def test_distance_to_a_wall_is_measured_across_it(tilt_deg):
    cameras = camera()
    normal = np.array([np.sin(np.radians(tilt_deg)), 0, np.cos(np.radians(tilt_deg))])
    depths = wall_depth(cameras, normal, 3.0 * normal[2])
    grid = grid_around(np.array([-0.4, -0.4, 2.2]), np.array([0.4, 0.4, 3.8]), 32, 0)
    field, weight = fuse_depths(
        depths, np.ones_like(depths), depths > 0, cameras.K.numpy(), projection_matrices(cameras), grid, TRUNCATION,
        np.ones(grid.shape, bool),
    )  # fmt: skip
    exact = 3.0 * normal[2] - points(grid) @ normal  # positive before the wall
    seen = exact > -0.95 * TRUNCATION
    assert (weight[exact < -1.05 * TRUNCATION] == 0).all()
    assert np.abs(field - np.minimum(exact, TRUNCATION))[seen].max() < 0.05 * TRUNCATION


def test_unseen_and_untrusted_voxels_count_as_inside():
    cameras = camera()
    depths = wall_depth(cameras, np.array([0.0, 0, 1]), 3.0)
    grid = grid_around(np.array([-0.2, -0.2, 2.5]), np.array([0.2, 0.2, 2.9]), 8, 0)
    K, matrices, everywhere = cameras.K.numpy(), projection_matrices(cameras), np.ones(grid.shape, bool)
    ones = np.ones_like(depths)
    field, weight = fuse_depths(depths, ones, np.zeros_like(depths, bool), K, matrices, grid, TRUNCATION, everywhere)
    assert (weight == 0).all()
    assert (field == np.float32(-TRUNCATION)).all()


def test_mask_distance_finds_the_edge_between_pixels():
    """A half-plane whose edge lies at u = 10.3: its pixel is covered by 0.7."""
    alpha = np.zeros((6, 20), np.float32)
    alpha[:, 11:] = 1
    alpha[:, 10] = 0.7
    distance = mask_distance(alpha)
    assert distance[3] == pytest.approx(10.3 - (np.arange(20) + 0.5), abs=0.51)
    assert distance[3, 10] == pytest.approx(10.3 - 10.5, abs=1e-6)
    assert (mask_distance(np.zeros((4, 5))) > 100).all()
    assert (mask_distance(np.ones((4, 5))) < -100).all()


def test_hull_of_a_ball_is_a_ball():
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.8)
    views = orbit_views(ball, 24)
    grid = grid_around(np.full(3, -1.0), np.full(3, 1.0), 40, 0)
    field = fuse_masks(views.alphas.numpy(), projection_matrices(views.cameras), grid, 0.2)
    exact = np.linalg.norm(points(grid), axis=-1) - 0.8
    middle = np.abs(points(grid)[..., 2]) < 0.3
    close = middle & (np.abs(exact) < 0.1)
    assert np.abs(field - exact)[close].max() < 0.03  # a pixel is 0.03 wide there
    assert (field <= np.clip(exact, -0.2, 0.2) + 0.03).all()  # never inside the ball


def test_a_miss_passes_over_one_bad_mask():
    views = orbit_views(trimesh.creation.icosphere(subdivisions=3, radius=0.8), 16)
    alphas, matrices = views.alphas.numpy().copy(), projection_matrices(views.cameras)
    grid = grid_around(np.full(3, -1.0), np.full(3, 1.0), 24, 0)
    clean = fuse_masks(alphas, matrices, grid, 0.2)
    alphas[3] = 0
    assert (fuse_masks(alphas, matrices, grid, 0.2) > 0).all()
    robust = fuse_masks(alphas, matrices, grid, 0.2, misses=1)
    assert (robust[clean < 0] < 0).all()
    assert (robust < 0).sum() < 1.15 * (clean < 0).sum()


def test_slab_lies_between_two_heights():
    grid = grid_around(np.full(3, -1.0), np.full(3, 1.0), 20, 0)
    up = np.array([0.0, 0.6, 0.8])
    heights = points(grid) @ up
    field = slab(grid, up, -0.2, 0.5, 0.3)
    assert ((field < 0) == ((heights > -0.2) & (heights < 0.5))).all()
    assert field.max() == pytest.approx(0.3)


def test_closed_leaves_no_inside_on_the_border():
    field = closed(np.full((5, 6, 7), -1.0, np.float32), 1.0)
    assert (field < 0).sum() == 3 * 4 * 5
    assert field[1:-1, 1:-1, 1:-1].max() < 0


def test_averaging_in_two_parts_is_averaging_at_once():
    views = orbit_views(trimesh.creation.icosphere(subdivisions=3, radius=0.8), 8)
    depths, alphas, K = views.depths.numpy(), views.alphas.numpy(), views.cameras.K.numpy()
    matrices, trusted = projection_matrices(views.cameras), depths > 0
    grid = grid_around(np.full(3, -0.9), np.full(3, 0.9), 24, 0)
    everywhere = np.ones(grid.shape, bool)

    def fused(part: slice) -> tuple[np.ndarray, np.ndarray]:
        return fuse_depths(depths[part], alphas[part], trusted[part], K[part], matrices[part], grid, 0.2, everywhere)

    whole, whole_weight = fused(slice(None))
    parts, parts_weight = averaged(*fused(slice(5)), *fused(slice(5, None)))
    assert np.allclose(parts_weight, whole_weight, atol=1e-5)
    assert np.allclose(parts, whole, atol=1e-5)


def test_back_faces_are_told_from_front_faces():
    """A ball that is known, and a depth map that shows its far side, as through a hole in the near one."""
    grid = grid_around(np.full(3, -1.0), np.full(3, 1.0), 40, 2)
    field = np.linalg.norm(points(grid), axis=-1).astype(np.float32) - np.float32(0.8)
    c2w = torch.eye(4)
    c2w[2, 3] = -3.0
    K = torch.tensor([[[60.0, 0, 20.0], [0, 60.0, 15.0], [0, 0, 1]]])
    cameras = Cameras(K, invert_rigid(c2w)[None], 30, 40)
    x, y = (np.arange(40) + 0.5 - 20.0) / 60.0, (np.arange(30) + 0.5 - 15.0) / 60.0
    ray = np.stack([*np.meshgrid(x, y), np.ones((30, 40))], axis=-1)
    a, b, c = (ray**2).sum(axis=-1), -6.0 * ray[..., 2] / 2, 9.0 - 0.64  # |ray z - (0, 0, 3)|^2 = 0.64
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    hit = b * b - a * c > 0.5  # well inside the outline
    assert hit.any()
    for sign, is_back in ((-1, False), (1, True)):
        depth = np.where(hit, (-b + sign * root) / a, 0.0).astype(np.float32)[None]
        seen = back_faces(depth, K.numpy(), cameras.c2w.numpy(), grid, field)
        assert (seen[0][hit] == is_back).all()
        assert not seen[0][~hit].any()
