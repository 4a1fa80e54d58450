"""Of several clips the one whose frames agree best is kept, and says which seed makes it."""

from dataclasses import replace

import pytest
import torch

from generator.config import GenerateConfig
from generator.sample import generate
from vid2three.candidates import SEEDS_APART, best_candidate
from vid2three.mend import check, judge, mean_trouble
from vid2three.stages import clip_views

SMALL = GenerateConfig(steps=4, num_frames=16)


def test_the_best_of_three_is_kept_and_its_seed_makes_it_again():
    steps = []
    clip, facts = best_candidate(
        "a red mug", replace(SMALL, candidates=3), clip_views, seed=4, progress=lambda step, total: steps.append(step)
    )
    assert [entry["seed"] for entry in facts["candidates"]] == [4, 4 + SEEDS_APART, 4 + 2 * SEEDS_APART]
    alone = [generate("a red mug", SMALL, seed=entry["seed"]) for entry in facts["candidates"]]
    troubles = [mean_trouble(judge(clip_views(each))[0]) for each in alone]
    assert [entry["trouble"] for entry in facts["candidates"]] == pytest.approx(troubles, abs=1e-3)
    best = alone[troubles.index(min(troubles))]
    assert clip.seed == best.seed == facts["chosen_seed"]
    assert torch.equal(clip.frames, best.frames)
    assert steps == list(range(1, 3 * SMALL.steps + 1))


def test_one_candidate_is_the_clip_itself():
    clip, facts = best_candidate("a red mug", SMALL, clip_views, seed=4)
    assert facts == {}
    assert torch.equal(clip.frames, generate("a red mug", SMALL, seed=4).frames)


def test_clips_too_short_to_judge_are_refused_before_any_work():
    with pytest.raises(ValueError, match="4 frames cannot be judged"):
        check(replace(SMALL, candidates=2, num_frames=4))
