"""A clip fitted and drawn again by its model: its frames agree better, and it shows what it showed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from generator.config import GenerateConfig
from generator.match import match
from generator.sample import generate, redraw
from recon.metrics import psnr, silhouette_iou
from recon.views import composited
from vid2three import refine
from vid2three.mend import judge, mean_trouble
from vid2three.refine import refined, rendering
from vid2three.stages import clip_views

SMALL = GenerateConfig(steps=8, refine=1)


@pytest.fixture(scope="module")
def clip():
    return generate("a red mug with a blue handle", SMALL, seed=0)


@pytest.fixture(scope="module")
def solid(clip):
    return refined(clip, clip_views, SMALL)


def test_the_frames_of_a_refined_clip_agree_better(clip, solid):
    before, after = (mean_trouble(judge(clip_views(c))[0]) for c in (clip, solid[0]))
    assert after < before


def test_it_shows_what_it_showed(clip, solid):
    again, facts = solid
    views, others = clip_views(clip), clip_views(again)
    assert silhouette_iou(others.alphas, views.alphas) > 0.9
    assert psnr(composited(others), composited(views)) > 20
    assert facts["match"] == facts["matches"][1]
    assert facts["matches"] == [pytest.approx(match(c.frames, c.caption), abs=1e-3) for c in (clip, again)]
    for name in ("prompt", "caption", "seed", "fps"):
        assert getattr(again, name) == getattr(clip, name)


def test_splats_seen_again_have_depth_where_they_are_solid(clip):
    drawn = rendering(clip, clip_views(clip))
    both = (drawn.alpha > 0.9) & (clip.alpha > 0.9)
    assert float((drawn.depth[both] - clip.depth[both]).abs().median()) < 0.05
    assert not drawn.depth[drawn.alpha < 0.02].any()


def test_the_more_is_noised_the_more_is_drawn_anew(clip):
    distances = [
        (redraw(clip, SMALL, strength=strength, seed=1).frames.float() - clip.frames.float()).abs().mean()
        for strength in (0.1, 0.4, 0.9)
    ]
    assert distances == sorted(distances)
    assert distances[0] < 4


def test_the_same_seed_draws_the_same_bytes(clip):
    again = [redraw(clip, SMALL, strength=0.3, seed=seed).frames for seed in (5, 5, 6)]
    assert torch.equal(again[0], again[1])
    assert not torch.equal(again[0], again[2])


def test_a_clip_that_would_lose_what_was_asked_is_not_kept(clip, monkeypatch):
    told = iter([0.7, 0.6])
    monkeypatch.setattr(refine, "match", lambda frames, caption: next(told))
    kept, facts = refined(clip, clip_views, replace(SMALL, refine=3))
    assert kept is clip
    assert facts == {"match": 0.7, "matches": [0.7, 0.6]}


def test_a_clip_that_is_no_solid_stays_as_it_is(clip):
    sides = torch.zeros_like(clip.alpha)
    sides[::2, :, :40] = 1
    sides[1::2, :, -40:] = 1
    for alpha in (sides, torch.zeros_like(sides)):
        torn = replace(clip, alpha=alpha)
        kept, facts = refined(torn, clip_views, SMALL)
        assert kept is torn
        assert "psnr_db" not in facts


@pytest.mark.parametrize("strength", [0.0, 1.0, -1, np.nan])
def test_a_strength_that_is_none_is_refused(clip, strength):
    with pytest.raises(ValueError, match="strength"):
        redraw(clip, SMALL, strength=strength, seed=0)
    with pytest.raises(ValueError, match="strength of refining"):
        generate("a mug", replace(SMALL, refine_strength=strength))
