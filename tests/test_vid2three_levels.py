"""Codebooks, palettes and the Morton curve."""

import numpy as np

from vid2three.formats.levels import codebook, morton_order, nearest, palette


def test_up_to_256_values_are_kept_as_they_are():
    values = np.random.default_rng(0).choice(np.linspace(-3, 2, 200), (50, 3))
    levels, labels = codebook(values)
    assert len(levels) == 256
    assert (np.diff(levels) >= 0).all()
    np.testing.assert_array_equal(levels[labels], values)
    levels, labels = codebook(np.full((4, 2), 7.0))
    np.testing.assert_array_equal(levels[labels], 7.0)


def test_each_value_takes_its_nearest_level():
    values = np.random.default_rng(1).standard_cauchy(5000)
    levels, labels = codebook(values)
    np.testing.assert_array_equal(labels, np.abs(values[:, None] - levels).argmin(axis=1))
    np.testing.assert_array_equal(nearest(np.array([0.0, 1, 10]), np.array([-5, 0.4, 0.6, 5.4, 5.6])), [0, 0, 1, 1, 2])


def test_levels_err_less_than_even_ones_do():
    values = np.random.default_rng(2).laplace(size=20_000)
    levels, labels = codebook(values)
    even = np.linspace(values.min(), values.max(), 256)
    error, even_error = (((book[nearest(book, values)] - values) ** 2).mean() for book in (levels, even))
    np.testing.assert_array_equal(nearest(levels, values), labels)
    assert error < 0.5 * even_error


def test_a_palette_that_is_large_enough_keeps_every_row():
    rows = np.random.default_rng(3).normal(size=(40, 9))
    sets, labels = palette(rows, 64)
    np.testing.assert_array_equal(sets[labels], rows)


def test_a_smaller_palette_holds_the_mean_of_those_it_stands_for():
    rows = np.random.default_rng(4).normal(size=(1000, 4))
    sets, labels = palette(rows, 100)
    assert len(sets) == 64
    assert set(labels) == set(range(64))
    for label in (0, 31, 63):
        np.testing.assert_allclose(sets[label], rows[labels == label].mean(axis=0))
    assert ((sets[labels] - rows) ** 2).mean() < 0.35 * rows.var()


def test_clusters_that_lie_apart_get_a_set_each():
    rng = np.random.default_rng(5)
    centres = 10 * rng.normal(size=(4, 3))
    truth = rng.permutation(np.repeat(np.arange(4), 25))
    sets, labels = palette(centres[truth] + 0.01 * rng.normal(size=(100, 3)), 4)
    np.testing.assert_allclose(sets[labels], centres[truth], atol=0.05)


def test_morton_order_walks_a_cube_as_the_letter_z():
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)  # the order of the curve
    shuffled = np.random.default_rng(6).permutation(8)
    np.testing.assert_array_equal(shuffled[morton_order(corners[shuffled])], np.arange(8))


def test_neighbours_on_the_curve_are_neighbours_in_space():
    points = np.random.default_rng(7).uniform(size=(2000, 3))
    steps = np.linalg.norm(np.diff(points[morton_order(points)], axis=0), axis=1)
    assert steps.mean() < 0.25 * np.linalg.norm(np.diff(points, axis=0), axis=1).mean()
