"""Lens distortion: the model is OpenCV's, its inverse undoes it, and straight pictures hold no invented pixels."""

import numpy as np
import pytest

from vid2three.undistort import distort, straight_intrinsics, undistorted, undistorted_points

FOX = np.array([0.0578421, -0.0805099, -0.000980296, 0.00015575, 0.0])
K = np.array([[387.0, 0, 156.0], [0, 386.0, 271.0], [0, 0, 1]])


def test_distort_is_the_formula_worked_by_hand():
    k1, k2, p1, p2, k3 = 0.1, -0.2, 0.01, -0.02, 0.3
    x, y = 0.5, -0.25
    r2 = 0.3125
    radial = 1 + 0.1 * r2 - 0.2 * r2**2 + 0.3 * r2**3
    u = x * radial + 2 * 0.01 * x * y - 0.02 * (r2 + 2 * x * x)
    v = y * radial + 0.01 * (r2 + 2 * y * y) - 0.04 * x * y
    np.testing.assert_allclose(distort(np.array([x, y]), np.array([k1, k2, p1, p2, k3])), [u, v])


@pytest.mark.parametrize("lens", [FOX, np.array([-0.25, 0.05, 0.001, -0.002, 0.0])])
def test_iteration_undoes_the_lens(lens):
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (200, 2))
    np.testing.assert_allclose(undistorted_points(distort(points, lens), lens), points, atol=1e-5)


def test_no_distortion_leaves_the_picture_alone():
    image = np.random.default_rng(0).integers(0, 256, (27, 15, 3)).astype(np.uint8)
    small = np.array([[20.0, 0, 7.0], [0, 21.0, 14.0], [0, 0, 1]])
    np.testing.assert_array_equal(undistorted(image, small, np.zeros(5), small), image)
    np.testing.assert_array_equal(straight_intrinsics(small, np.zeros(5), 27, 15), small)


@pytest.mark.parametrize("lens", [FOX, np.array([0.2, 0.1, 0.0, 0.0, 0.0]), np.array([-0.3, 0.1, 0.001, 0.0, 0.0])])
def test_every_straight_pixel_was_seen_by_the_lens(lens):
    height, width = 540, 304
    straight = straight_intrinsics(K, lens, height, width)
    u, v = np.meshgrid([0, 75, 152, 304], [0, 100, 270, 540])
    looked = np.stack([(u - K[0, 2]) / straight[0, 0], (v - K[1, 2]) / straight[1, 1]], axis=-1)
    seen = distort(looked, lens) * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]]
    assert seen[..., 0].min() > -0.5
    assert seen[..., 0].max() < width + 0.5
    assert seen[..., 1].min() > -0.5
    assert seen[..., 1].max() < height + 0.5


def test_a_pattern_seen_through_the_lens_comes_out_straight():
    """Draw a smooth pattern as the lens sees it; the straightened picture must be the pattern without the lens."""
    lens, height, width = np.array([-0.2, 0.05, 0.002, -0.001, 0.0]), 90, 70
    K = np.array([[80.0, 0, 36.0], [0, 82.0, 44.0], [0, 0, 1]])

    def pattern(points):
        return 127 + 60 * np.sin(9 * points[..., 0]) + 60 * np.cos(7 * points[..., 1])

    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    grid = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]], axis=-1)
    photo = pattern(undistorted_points(grid, lens, 100))[..., None]
    np.testing.assert_allclose(undistorted(photo, K, lens, K)[..., 0], pattern(grid), atol=0.5)
