"""Which frames are kept: even, sharp, each view once; and whether the clip closes."""

import numpy as np
import pytest
from scipy import ndimage

from vid2three.choose import choose, flow, glimpse
from vid2three.decode import brightness
from video_parts import turning

TURN = [brightness(frame) for frame in turning(48)]


def chosen(order: list[int], most: int = 16, spoil=lambda index, grey: grey):
    """Choose among views of the turn, and return the choice and the views that were kept."""
    looks = [glimpse(spoil(index, TURN[view])) for index, view in enumerate(order)]
    thumbnails = [thumbnail for thumbnail, _ in looks]
    choice = choose(thumbnails, np.array([sharpness for _, sharpness in looks]), np.arange(len(order)), most)
    return choice, [order[index] for index in choice.kept]


def test_flow_measures_a_shift_in_pixels_whatever_the_exposure():
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(64, 96)), 4, mode="wrap")
    for shift in (0.25, 0.5, 1.0):
        moved = ndimage.shift(smooth, (0, shift), mode="grid-wrap")
        across = np.abs(np.gradient(smooth)[1]).sum() / np.hypot(*np.gradient(smooth)).sum()
        assert flow(smooth, moved) == pytest.approx(shift * across, rel=0.05)
        assert flow(smooth, 0.3 + 0.5 * moved) == pytest.approx(shift * across, rel=0.05)


def test_frames_are_spread_evenly_over_a_steady_turn():
    choice, views = chosen(list(range(48)))
    assert len(views) == 16
    assert set(np.diff(views)) <= {2, 3, 4}
    assert choice.num_duplicates == 0


def test_frames_are_spread_over_what_moves_not_over_time():
    slow_then_fast = [*np.repeat(range(24), 3), *range(24, 48, 2)]
    _, views = chosen(list(map(int, slow_then_fast)), 12)
    assert 4 <= sum(view >= 24 for view in views) <= 7


def test_repeated_and_frozen_frames_are_kept_once():
    order = [view for view in range(48) for _ in range(1 + (view % 3 == 0))] + [47] * 10
    choice, views = chosen(order, 64)
    assert views == sorted(set(views))
    assert len(views) >= 46
    assert choice.num_duplicates == 26


def test_blurred_frames_are_passed_over():
    bad = {5, 6, 7, 20, 33, 34}
    blurred = lambda index, grey: ndimage.gaussian_filter(grey, (0, 2)) if index in bad else grey  # noqa: E731
    choice, _ = chosen(list(range(48)), 24, blurred)
    assert not bad & set(choice.kept.tolist())
    assert choice.num_blurred == len(bad)


def test_a_blank_frame_is_passed_over():
    choice, _ = chosen(list(range(48)), 64, lambda index, grey: grey * 0 if index == 10 else grey)
    assert 10 not in choice.kept


@pytest.mark.parametrize("most", [16, 24, 64])
def test_a_whole_turn_closes_and_its_last_frame_is_no_repeat(most):
    choice, views = chosen(list(range(48)), most)
    assert choice.closed is True
    assert len(views) == len(set(views))


@pytest.mark.parametrize("most", [16, 24, 64])
def test_a_turn_that_ends_on_its_first_view_loses_it(most):
    choice, views = chosen([*range(48), 0], most)
    assert choice.closed is True
    assert views.count(0) == 1


def test_a_turn_that_goes_on_is_cut_where_it_repeats():
    choice, views = chosen([*range(48), 0, 1, 2, 3], 64)
    assert choice.closed is True
    assert choice.first_again == 48
    assert len(views) == len(set(views))


@pytest.mark.parametrize("end", [16, 24, 36, 42])
def test_a_part_of_a_turn_is_open(end):
    assert chosen(list(range(end)))[0].closed is False


def test_there_and_back_is_not_called_a_turn():
    assert chosen([*range(24), *range(22, -1, -1)])[0].closed is not True


def test_two_turns_are_not_called_one():
    assert chosen([*range(48), *range(48)])[0].closed is None


def test_a_still_clip_gives_one_frame_and_noise_is_no_motion():
    noise = np.random.default_rng(0)
    still = lambda index, grey: np.clip(np.kron(grey, np.ones((4, 4))) + noise.normal(0, 4, (384, 512)), 0, 255)  # noqa: E731
    choice, _ = chosen([0] * 12, 16, lambda index, grey: still(index, grey).astype(np.uint8))
    assert choice.num_distinct == 1
    assert len(choice.kept) == 1
