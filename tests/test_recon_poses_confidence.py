"""What is believed of cameras, and whether a clip ends where it began."""

from dataclasses import replace

import pytest
import torch

from recon.poses import orbit
from recon.poses.closure import closure, looks_closed
from recon.poses.confidence import Evidence, believe

GOOD = Evidence(
    held_out_psnr=31.0,
    drop=1.2,
    silhouette_iou=0.98,
    inliers=0.95,
    mirror_margin_db=9.0,
    mirror_cost_ratio=3.0,
    agreement_deg=1.0,
    fov_deg=40.0,
    registered=1.0,
    span_deg=360.0,
    largest_gap_deg=12.0,
)


def test_good_figures_are_believed_without_a_reason():
    assert believe(GOOD) == (1.0, ())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"held_out_psnr": 11.0}, "come out wrong"),
        ({"drop": 15.0}, "do not agree"),
        ({"silhouette_iou": 0.7}, "Outlines"),
        ({"inliers": 0.15}, "matches"),
        ({"mirror_margin_db": 0.0}, "inside out"),
        ({"mirror_cost_ratio": 1.01}, "direction"),
        ({"registered": 0.4}, "found a camera"),
        ({"fov_deg": 7.0}, "narrow"),
        ({"fov_deg": 93.0}, "wide"),
        ({"closure": 2.5}, "cameras end where they began and the frames do not"),
        ({"closure": 0.2}, "frames end where they began and the cameras do not"),
    ],
)
def test_each_figure_alone_can_take_belief_away(change: dict[str, float], word: str):
    confidence, reasons = believe(replace(GOOD, **change))
    assert confidence <= 0.5
    assert len(reasons) == 1
    assert word in reasons[0]


def test_a_part_of_an_orbit_is_told_but_not_refused():
    confidence, reasons = believe(replace(GOOD, span_deg=120.0, largest_gap_deg=240.0))
    assert confidence >= 0.6
    assert "120 degrees" in reasons[0]


def test_figures_that_do_not_apply_change_nothing():
    rest = replace(GOOD, silhouette_iou=None, inliers=None, mirror_margin_db=None, agreement_deg=None)
    assert believe(rest) == (1.0, ())


def drum(azimuths: torch.Tensor) -> torch.Tensor:
    """Draw a drum with a soft pattern all round it, as it turns: float [F,24,32,3]."""
    across = torch.asin((torch.arange(32) - 15.5) / 16)
    angle = across + azimuths[:, None]
    grey = 0.5 + 0.2 * torch.sin(angle) + 0.15 * torch.cos(2 * angle + 1) + 0.1 * torch.sin(3 * angle)
    return grey[:, None, :, None].expand(-1, 24, -1, 3)


def test_a_whole_turn_looks_closed_and_a_part_of_one_does_not():
    whole = torch.arange(24) / 24 * 2 * torch.pi
    assert looks_closed(drum(whole), None)
    assert not looks_closed(drum(0.6 * whole), None)


def test_a_few_frames_are_never_called_closed():
    assert not looks_closed(torch.zeros(4, 8, 8, 3), None)


@pytest.mark.parametrize(("num_sides", "words"), [(4, "from 4 sides"), (0, "from all sides")])
def test_a_subject_that_looks_the_same_all_around_is_a_warning(num_sides, words):
    confidence, reasons = believe(replace(GOOD, num_sides=num_sides, likeness=0.98))
    assert 0.6 < confidence < 0.8
    assert words in reasons[0]
    assert believe(replace(GOOD, num_sides=num_sides, likeness=0.5)) == (1.0, ())


def round_the_drum(turns: float) -> torch.Tensor:
    """Return 24 cameras [F,4,4] that go so many turns about what `drum` draws."""
    return torch.from_numpy(orbit.poses(orbit.level_orbit(0.3, orbit.log_focal(40), turns), orbit.frame_times(24)))


@pytest.mark.parametrize(
    ("seen", "found", "low", "high"),
    [(1.0, 1.0, 0.4, 1.5), (0.7, 0.7, 0.4, 1.5), (0.7, 1.0, 2.4, 9.0), (1.0, 0.7, 0.0, 0.2)],
)
def test_frames_and_cameras_must_agree_whether_the_turn_closes(seen: float, found: float, low: float, high: float):
    images = drum(torch.arange(24) / 24 * 2 * torch.pi * seen)
    value = closure(images, None, round_the_drum(found))
    assert value is not None
    assert low <= value <= high
    confidence, reasons = believe(replace(GOOD, closure=value))
    assert (confidence, len(reasons)) == (1.0, 0) if seen == found else confidence <= 0.8 and len(reasons) == 1


def test_less_than_half_a_turn_says_nothing_about_closing():
    images = drum(torch.arange(24) / 24 * 2)
    assert closure(images, None, round_the_drum(0.3)) is None
    assert closure(images[:5], None, round_the_drum(0.3)[:5]) is None
