"""Several clips of one prompt, of which the one is kept that shows what was asked and whose frames agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from generator.caption import expand
from generator.clip import Clip
from generator.config import GenerateConfig
from generator.grammar import Attributes
from generator.match import match, quarter_views
from generator.sample import generate
from generator.verify import WEIGHT, missing, sureness
from recon.views import Views
from vid2three.mend import judge, mean_trouble

SEEDS_APART = 104729  # between the seeds of the candidates; the first has the seed that was asked for
TROUBLE_WEIGHT = 0.1  # of a clip's trouble against its match: what was asked comes first, between equals agreement
DOUBTFUL = 0.3  # match from which down a clip may show something else: 5 % of true renders of artists' models lie there


def best_candidate(
    prompt: str,
    config: GenerateConfig,
    views_of: Callable[[Clip], Views],
    *,
    seed: int = 0,
    picture: Float[Tensor, "4 h w"] | None = None,
    progress: Callable[[int, int], None] = lambda step, total: None,
) -> tuple[Clip, dict[str, Any]]:
    """Generate `config.candidates` clips and return the best of them, and the figures for a manifest.

    The best one shows most of what was asked, by the matcher and, for a prompt in the grammar's words, the verifier,
    with its frames agreeing. A candidate is the clip that its own seed, which stands in the figures, makes alone. Each
    costs a sampling and 3 CPU-seconds of judging. Where one alone is asked for and its match lies below
    `config.retry_below`, one more is made, and the better one kept. `progress(step, total)` counts the samplers' steps.
    """
    num, clips, asked = config.candidates, [], expand(prompt)

    def make(k: int, total: int) -> Clip:
        report = lambda step, steps: progress(k * steps + step, total * steps)  # noqa: E731
        return generate(prompt, config, seed=seed + SEEDS_APART * k, picture=picture, progress=report)

    clips = [make(k, num) for k in range(num)]
    matches = [match(clip.frames, clip.caption) for clip in clips]
    if num == 1 and max(matches[0], 0.0) < config.retry_below:
        clips.append(make(1, 2))
        matches.append(match(clips[1].frames, clips[1].caption))
    troubles = [mean_trouble(judge(views_of(clip))[0]) for clip in clips] if num > 1 else [0.0] * len(clips)
    sure = [_sureness(clip, asked.attributes) for clip in clips] if len(clips) > 1 else [0.0]
    worth = [
        like + WEIGHT * known - TROUBLE_WEIGHT * trouble
        for like, known, trouble in zip(matches, sure, troubles, strict=True)
    ]
    best = max(range(len(clips)), key=worth.__getitem__)
    facts: dict[str, Any] = {"match": round(matches[best], 3)}
    if len(clips) > 1:
        facts["candidates"] = [
            {"seed": clip.seed, "match": round(like, 3)} | ({"trouble": round(trouble, 3)} if num > 1 else {})
            for clip, like, trouble in zip(clips, matches, troubles, strict=True)
        ]
        facts["chosen_seed"] = clips[best].seed
    return clips[best], facts


def _sureness(clip: Clip, attributes: Attributes | None) -> float:
    return 0.0 if attributes is None else float(sureness(quarter_views(clip.frames), attributes))


def lacking(clip: Clip, prompt: str) -> dict[str, Any]:
    """Return for a manifest what the verifier hardly sees of the prompt's own words, as "missing"; nothing where it
    sees all, or where the words are not the grammar's."""
    asked = expand(prompt)
    if asked.attributes is None:
        return {}
    lost = missing(quarter_views(clip.frames), asked.attributes, asked.said)
    return {"missing": lost} if lost else {}


def doubt(facts: dict[str, Any]) -> str | None:
    """Return a sentence where a clip may show something else than was asked."""
    cure = "look at preview.png; other words, --seed or --generate.candidates 4 may help."
    if facts["match"] < DOUBTFUL:
        usual = f"(match {facts['match']:.2f}, {DOUBTFUL} and more is usual)"
        return f"The clip may show something else than was asked {usual}: {cure}"
    if "missing" in facts:
        return f"The clip may lack what was asked: {', '.join(facts['missing'])}; {cure}"
    return None
