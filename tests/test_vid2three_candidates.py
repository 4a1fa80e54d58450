"""Of several clips the best is kept, and says which seed makes it."""

from dataclasses import replace

import pytest
import torch

from generator.caption import expand
from generator.clip import Clip
from generator.config import GenerateConfig
from generator.match import match, quarter_views
from generator.sample import generate
from generator.verify import WEIGHT, sureness
from vid2three.candidates import DOUBTFUL, SEEDS_APART, TROUBLE_WEIGHT, best_candidate, doubt
from vid2three.mend import check, judge, mean_trouble
from vid2three.stages import clip_views

SMALL = GenerateConfig(steps=4, num_frames=16)


def sure(clip: Clip) -> float:
    """How surely a clip shows a red mug."""
    return float(sureness(quarter_views(clip.frames), expand("a red mug").attributes))


def test_the_best_of_three_is_kept_and_its_seed_makes_it_again():
    steps, of_one = [], []
    clip, facts = best_candidate(
        "a red mug", replace(SMALL, candidates=3), clip_views, seed=4, progress=lambda step, total: steps.append(step)
    )
    assert [entry["seed"] for entry in facts["candidates"]] == [4, 4 + SEEDS_APART, 4 + 2 * SEEDS_APART]
    report = lambda step, total: of_one.append(step)  # noqa: E731
    alone = [generate("a red mug", SMALL, seed=entry["seed"], progress=report) for entry in facts["candidates"]]
    troubles = [mean_trouble(judge(clip_views(each))[0]) for each in alone]
    assert [entry["trouble"] for entry in facts["candidates"]] == pytest.approx(troubles, abs=1e-3)
    matches = [match(each.frames, each.caption) for each in alone]
    assert [entry["match"] for entry in facts["candidates"]] == pytest.approx(matches, abs=1e-3)
    worth = [m - TROUBLE_WEIGHT * t + WEIGHT * sure(each) for m, t, each in zip(matches, troubles, alone)]
    best = alone[worth.index(max(worth))]
    assert clip.seed == best.seed == facts["chosen_seed"]
    assert torch.equal(clip.frames, best.frames)
    assert steps == list(range(1, len(of_one) + 1))


def test_one_candidate_is_the_clip_itself():
    clip, facts = best_candidate("a red mug", replace(SMALL, retry_below=0.0), clip_views, seed=4)
    assert facts["match"] == round(match(clip.frames, clip.caption), 3)
    assert "candidates" not in facts
    assert torch.equal(clip.frames, generate("a red mug", SMALL, seed=4).frames)


def test_clips_too_short_to_judge_are_refused_before_any_work():
    with pytest.raises(ValueError, match="4 frames cannot be judged"):
        check(replace(SMALL, candidates=2, num_frames=4))


def test_a_clip_that_shows_something_else_is_made_once_more_and_the_better_one_kept():
    clip, facts = best_candidate("a red mug", replace(SMALL, retry_below=1.0), clip_views, seed=4)
    assert [entry["seed"] for entry in facts["candidates"]] == [4, 4 + SEEDS_APART]
    matches = {entry["seed"]: entry["match"] for entry in facts["candidates"]}
    worth = {seed: matches[seed] + WEIGHT * sure(generate("a red mug", SMALL, seed=seed)) for seed in matches}
    assert clip.seed == facts["chosen_seed"] == max(worth, key=worth.__getitem__)
    assert facts["match"] == matches[clip.seed]


def test_only_a_doubtful_match_is_told():
    assert doubt({"match": DOUBTFUL}) is None
    assert "match 0.12" in doubt({"match": 0.12, "missing": ["zigzags"]})


def test_what_a_clip_lacks_is_told():
    facts = {"match": 0.6, "missing": ["zigzags", "blue as the colour of the handle"]}
    assert doubt(facts).startswith("The clip may lack what was asked: zigzags, blue as the colour of the handle; look")
