"""A clip made one solid: fitted, and what the splats show drawn again by the model that made it.

A generated clip's frames disagree by a little, and splats fitted to all of them show what they agree on, with blur and
stray splats. Noised a little and denoised under the prompt, the renderings become frames that agree. It is the
score-distillation of DreamFusion (arXiv:2209.14988) turned into few whole denoisings, as in Instruct-NeRF2NeRF
(arXiv:2303.12789), for all frames at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from generator.clip import Clip
from generator.config import GenerateConfig
from generator.match import match
from generator.sample import redraw
from recon.config import FitConfig
from recon.fit import fit
from recon.hull import NoSolidError
from recon.metrics import psnr
from recon.render import render
from recon.views import Views
from vid2three.mend import mended

FIT = FitConfig(iterations=250)
SEEDS_APART = 15485863  # between the clip's seed and those of its redrawings
LEAST_ALPHA = 0.02  # below this a rendering shows nothing
SOLID = 0.5  # alpha from which a rendering's depth is that of a surface
MOST_LOST = 0.1  # share of the match with the prompt; a refined clip that loses more is not kept


def improved(
    clip: Clip, facts: dict[str, Any], views_of: Callable[[Clip], Views], config: GenerateConfig
) -> tuple[Clip, dict[str, Any]]:
    """Refine and mend a clip as the config asks, and return it with the facts of both added to its own."""
    if config.refine:
        clip, found = refined(clip, views_of, config)
        facts = {**facts, "match": found.pop("match"), "refined": found}
    if config.mends:
        clip, found = mended(clip, views_of, config)
        facts = {**facts, "mended": found}
    return clip, facts


def refined(
    clip: Clip,
    views_of: Callable[[Clip], Views],
    config: GenerateConfig,
    progress: Callable[[int, int], None] = lambda step, total: None,
) -> tuple[Clip, dict[str, Any]]:
    """Refine a clip `config.refine` times, and stop where it would show less of what was asked.

    Returns the clip, and for a manifest its match with the prompt, the matches before and after each time, and how near
    the result is to the clip that came (PSNR on white, in dB): low where its frames did not show one thing. A clip
    whose masks share no solid comes back as it is.
    """
    came, known = clip, match(clip.frames, clip.caption)
    matches = [round(known, 3)]
    for attempt in range(config.refine):
        progress(attempt, config.refine)
        seed = clip.seed + SEEDS_APART * (attempt + 1)
        try:
            shown = rendering(clip, views_of(clip))
        except NoSolidError:
            break
        tried = redraw(shown, config, strength=config.refine_strength, seed=seed)
        found = match(tried.frames, tried.caption)
        matches.append(round(found, 3))
        if found < (1 - MOST_LOST) * known:
            break
        clip, known = tried, found
    facts: dict[str, Any] = {"match": round(known, 3), "matches": matches}
    if clip is not came:
        facts["psnr_db"] = round(psnr(clip.frames.float() / 255, came.frames.float() / 255), 2)
    return clip, facts


def rendering(clip: Clip, views: Views) -> Clip:
    """Return what splats fitted to a clip show from its cameras."""
    splats = fit(views, FIT, seed=clip.seed)
    with torch.no_grad():
        drawn = render(splats, views.cameras, background=torch.ones(3))
    alpha = torch.where(drawn.alpha > LEAST_ALPHA, drawn.alpha.clamp(0, 1), 0.0)
    return replace(
        clip,
        frames=(drawn.rgb.clamp(0, 1) * 255).round().to(torch.uint8),
        alpha=alpha,
        depth=torch.where(drawn.alpha > SOLID, drawn.depth, 0.0),
    )
