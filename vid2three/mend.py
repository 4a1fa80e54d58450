"""Frames of a generated clip that do not fit in with the others, made anew while those are held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from generator.clip import Clip
from generator.config import GenerateConfig
from generator.sample import regenerate
from recon.consistency.measure import FEWEST, measure
from recon.consistency.verdict import Verdict, blame, verdict
from recon.views import Views

MOST = 0.5  # share of the frames that may be made anew: the rest must outvote them
SEEDS_APART = 7919  # between the clip's seed and those of its mended frames


def check(config: GenerateConfig) -> None:
    """Raise ValueError where a clip is too short to say which of its frames fit in."""
    if (config.mends or config.candidates > 1) and config.num_frames < FEWEST:
        raise ValueError(
            f"A clip of {config.num_frames} frames cannot be judged: {FEWEST} are needed. "
            "Ask for more frames, or leave out mends and candidates."
        )


def mended(
    clip: Clip,
    views_of: Callable[[Clip], Views],
    config: GenerateConfig,
    progress: Callable[[int, int], None] = lambda step, total: None,
) -> tuple[Clip, dict[str, Any]]:
    """Make the worst frames of a clip anew, up to `config.mends` times, and keep what raises the verdict.

    Returns the clip, and what was done for a manifest. Each time costs a sampling of the clip and a measurement.
    """
    best = clip
    known, frames = judge(views_of(clip))
    facts: dict[str, Any] = {"trouble": [round(mean_trouble(known), 3)], "frames": []}
    for attempt in range(config.mends):
        progress(attempt, config.mends)
        if len(frames) == 0:
            break
        tried = regenerate(best, frames, config, seed=clip.seed + SEEDS_APART * (attempt + 1))
        again, others = judge(views_of(tried))
        if mean_trouble(again) < mean_trouble(known):
            facts["frames"] = sorted({*facts["frames"], *frames})
            best, known, frames = tried, again, others
        facts["trouble"].append(round(mean_trouble(known), 3))
    return best, facts


def judge(views: Views) -> tuple[Verdict, list[int]]:
    """Return the verdict, and the frames to make anew: the worst, half of them at most."""
    found = measure(views.images, views.alphas, views.cameras, depths=views.depths)
    blamed = blame(found)
    worst = np.argsort(-blamed)[: int(MOST * len(views))]
    return verdict(found), sorted(int(frame) for frame in worst if blamed[frame] > 1)


def mean_trouble(verdict: Verdict) -> float:
    """Return one figure to compare clips by: the mean of the frames' troubles, each no more than 4."""
    return float(np.minimum(verdict.trouble, 4.0).mean())
