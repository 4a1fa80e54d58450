"""The parts of consistency: bends of known size, outlines with a known culprit, frames that stand still, depths."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from recon.camera import Cameras, invert_rigid
from recon.consistency import motion
from recon.consistency.bend import bend
from recon.consistency.silhouettes import haze, outlines
from recon.poses.blob import targets
from recon.views import Views
from subjects import mug, orbit_views


@pytest.fixture(scope="module")
def views() -> Views:
    return orbit_views(mug(), num=16, size=(56, 64))


@pytest.fixture
def picture() -> np.ndarray:
    """A grey disc with soft spots all over."""
    y, x = np.mgrid[:56, :64]
    alpha = ((x - 32) ** 2 + (y - 28) ** 2 < 20**2).astype(float)
    spots = gaussian_filter(np.random.default_rng(0).normal(size=(56, 64)), 2.5)
    grey = np.clip(0.5 + spots, 0.05, 0.95) * alpha
    return np.stack([grey, grey, grey, alpha], axis=-1).astype(np.float32)


def test_nothing_is_bent_into_itself(picture):
    found = bend(picture, picture)
    assert found.squares == pytest.approx((0, 0, 0), abs=1e-9)
    assert max(found.shift, found.tint, found.gain, found.worst) < 1e-6


def test_a_shift_of_two_pixels_is_a_bend_of_two_pixels(picture):
    found = bend(picture, np.roll(picture, 2, axis=1))
    assert 1.5 < found.shift < 2.1  # the nodes are pulled to rest
    assert found.squares[1] < 0.1 * found.squares[0]


def test_a_tint_is_no_brightness_and_neither_is_a_bend(picture):
    tint, gain = bend(picture, picture * [1.1, 1, 0.9, 1]), bend(picture, picture * [0.8, 0.8, 0.8, 1])
    assert tint.tint == pytest.approx(0.1, abs=0.02)  # of a mean of 0.5: a tenth more red, a tenth less blue
    assert tint.gain < 0.03
    assert gain.gain == pytest.approx(0.2, abs=0.02)
    assert gain.tint < 0.02
    assert max(tint.shift, gain.shift) < 0.3


def test_a_hole_is_a_worst_spot(picture):
    holed = picture.copy()
    rows, columns = np.nonzero(picture[..., 3] > 0.99)
    row, column = int(np.median(rows)), int(np.median(columns))
    holed[row - 4 : row + 4, column - 4 : column + 4] = 0
    assert bend(picture, holed).worst > 0.4


def test_empty_pictures_differ_in_nothing():
    empty = np.zeros((24, 20, 4), np.float32)
    assert bend(empty, empty).squares == (0, 0, 0)


def test_masks_of_one_solid_explain_each_other(views):
    found = outlines(views)
    assert found.unexplained.max() == 0
    assert found.denied.max() == 0


def test_the_mask_that_lacks_a_part_is_the_one_held_responsible(views):
    alphas = views.alphas.clone()
    rows = alphas[5].any(dim=1).nonzero()[:, 0]
    alphas[5, : int(rows[0]) + len(rows) // 3] = 0  # the upper third
    found = outlines(replace(views, alphas=alphas))
    assert found.denied.argmax() == 5
    assert found.denied[5] > 10 * np.delete(found.denied, 5).max()
    assert np.delete(found.unexplained, 5).min() > found.unexplained[5]


def test_the_mask_that_shows_too_much_is_unexplained(views):
    alphas = views.alphas.clone()
    alphas[3, :, :12] = 1
    found = outlines(replace(views, alphas=alphas))
    assert found.unexplained.argmax() == 3
    assert found.unexplained[3] > 0.2


def test_more_frames_than_bits_are_refused(views):
    many = views[torch.arange(65) % 16]
    with pytest.raises(ValueError, match="at most 64"):
        outlines(many)


def test_a_repeated_frame_is_frozen_only_where_the_camera_moves(views):
    rgba = targets(views)
    before = motion.frozen(motion.steps(rgba), views.cameras)
    assert not before[:9].any()  # later the handle is hidden, and a mug without one looks the same from all sides
    rgba[7] = rgba[6]
    after = motion.frozen(motion.steps(rgba), views.cameras)
    assert np.flatnonzero(after[:9]).tolist() == [7]
    w2c = views.cameras.w2c.clone()
    w2c[7] = w2c[6]
    stopped = replace(views.cameras, w2c=w2c)
    assert not motion.frozen(motion.steps(rgba), stopped)[:9].any()


def test_a_camera_beside_its_path_shakes_and_even_ones_do_not(views):
    even = motion.jitter(views.cameras)
    c2w = views.cameras.c2w.clone()
    c2w[9, 2, 3] += 0.5
    shaken = motion.jitter(replace(views.cameras, w2c=invert_rigid(c2w)))
    assert shaken.argmax() == 9
    assert shaken[9] > 2 * even.max()


@pytest.mark.parametrize(("left", "gap_deg"), [(range(16), 22.5), ([0, 1, 2, 3, 8, 9, 12, 13, 14], 112.5)])
def test_the_widest_gap_is_counted_around_the_circle(views, left, gap_deg):
    assert motion.largest_gap_deg(views.cameras[torch.tensor(list(left))]) == pytest.approx(gap_deg, abs=1.0)


def test_true_depths_hold_and_a_surface_before_its_neighbours_is_seen_through(views):
    inside = torch.where(views.alphas > 0.9, views.depths, 0.0)
    assert motion.depth_violations(inside, views.cameras, 0.05).max() < 0.02
    nearer = inside.clone()
    nearer[4] = (nearer[4] - 0.5).clamp(min=0)
    found = motion.depth_violations(nearer, views.cameras, 0.05)
    assert found.argmax() == 4
    assert found[4] > 0.5


def test_closure_is_unknown_for_an_open_path(views):
    change = motion.steps(targets(views))
    assert 0 < motion.closure(change, views.cameras) < 3
    half: Cameras = views.cameras[torch.arange(8)]
    assert np.isnan(motion.closure(change[:8], half))


def test_ghosts_are_haze_and_soft_outlines_are_not(views):
    ghosts = views.alphas.clone()
    ghosts[6] = torch.maximum(ghosts[6], 0.2 * ghosts[6].roll(14, dims=1))
    assert haze(views.alphas).max() == 0
    assert np.flatnonzero(haze(ghosts) > 0.1).tolist() == [6]
