"""Frames that do not fit in with the others are made anew by the model that made the clip."""

from dataclasses import replace

import pytest
import torch

from generator.config import GenerateConfig
from generator.sample import generate
from vid2three.mend import check, mended
from vid2three.stages import clip_views

SMALL = GenerateConfig(steps=8, mends=1)
MAPS = ("frames", "alpha", "depth")


def test_a_mirrored_frame_is_found_and_made_anew():
    clip = generate("a red mug", SMALL, seed=0)
    wrong = replace(
        clip,
        **{name: torch.cat([m[:8], m[8:9].flip(2), m[9:]]) for name, m in vars(clip).items() if name in MAPS},
    )
    again, facts = mended(wrong, clip_views, SMALL)
    assert 8 in facts["frames"]
    assert facts["trouble"][1] < facts["trouble"][0]
    before, after = ((c.alpha[8] - clip.alpha[8]).abs().mean() for c in (wrong, again))
    assert after < 0.5 * before
    untouched = [f for f in range(16) if f // 2 not in {frame // 2 for frame in facts["frames"]}]
    assert torch.equal(again.frames[untouched], wrong.frames[untouched])


def test_a_clip_too_short_to_judge_is_refused_before_any_work():
    check(replace(SMALL, mends=0, num_frames=4))
    with pytest.raises(ValueError, match="4 frames cannot be judged"):
        check(replace(SMALL, num_frames=4))
