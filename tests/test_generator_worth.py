"""What a draft is worth: it is of one piece."""

import numpy as np
import torch

from generator.grammar import sample_attributes
from generator.match import Matcher
from generator.text import load_text_encoder
from generator.worth import APART, apart, worth


def discs(gap: int, *, size: int = 64, frames: int = 2) -> torch.Tensor:
    """Return alpha [f,h,w] of two equal squares so many pixels apart."""
    alpha = torch.zeros(frames, size, size)
    alpha[:, 20:30, 10:20] = 1
    alpha[:, 20:30, 20 + gap : 30 + gap] = 1
    return alpha


def test_half_of_two_equal_squares_hangs_in_the_air():
    assert apart(torch.stack([discs(0), discs(3)])).tolist() == [0.0, 0.5]


def test_corners_that_touch_join_and_nothing_is_of_one_piece():
    corner = torch.zeros(1, 8, 8)
    corner[0, :3, :3] = corner[0, 3:6, 3:6] = 1
    assert apart(torch.stack([corner, torch.zeros_like(corner)])).tolist() == [0.0, 0.0]


def test_the_share_is_that_of_the_mean_frame():
    alpha = torch.stack([discs(0, frames=1)[0], discs(3, frames=1)[0]])
    assert apart(alpha[None]).tolist() == [0.25]


def test_of_equal_drafts_that_of_one_piece_is_worth_more_but_not_where_there_are_several_things(monkeypatch):
    monkeypatch.setattr(Matcher, "see", lambda self, shown: torch.eye(128)[:1].expand(len(shown), -1))
    rng = np.random.default_rng(0)
    drawn = [sample_attributes(rng) for _ in range(40)]
    one = next(a for a in drawn if a.count == 1 and not a.relation)
    several = next(a for a in drawn if a.count > 1)
    clips = torch.ones(2, 4, 5, 64, 64)
    clips[0, :, 3], clips[1, :, 3] = discs(0, frames=4), discs(3, frames=4)
    clips[:, :, :3] = 0.5
    wanted = [None, one, several]
    with torch.inference_mode():
        found = worth(clips.expand(3, *clips.shape), ["a mug", "a mug", "mugs"], wanted, load_text_encoder())
    torch.testing.assert_close(found[:, 0] - found[:, 1], torch.tensor([APART / 2, APART / 2, 0.0]))
