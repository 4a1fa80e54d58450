"""Several clips of one prompt, of which the one whose frames agree best is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from generator.clip import Clip
from generator.config import GenerateConfig
from generator.sample import generate
from recon.views import Views
from vid2three.mend import judge, mean_trouble

SEEDS_APART = 104729  # between the seeds of the candidates; the first has the seed that was asked for


def best_candidate(
    prompt: str,
    config: GenerateConfig,
    views_of: Callable[[Clip], Views],
    *,
    seed: int = 0,
    picture: Float[Tensor, "4 h w"] | None = None,
    progress: Callable[[int, int], None] = lambda step, total: None,
) -> tuple[Clip, dict[str, Any]]:
    """Generate `config.candidates` clips and return the one of least trouble, and the figures for a manifest.

    A candidate is the clip that its own seed, which stands in the figures, makes alone. Each costs a sampling and 3
    CPU-seconds of judging; with one candidate nothing is judged. `progress(step, total)` counts the samplers' steps.
    """
    num, clips, tried = config.candidates, [], []
    for k in range(num):
        report = lambda step, total, k=k: progress(k * total + step, num * total)  # noqa: E731
        clips.append(generate(prompt, config, seed=seed + SEEDS_APART * k, picture=picture, progress=report))
        if num > 1:
            tried.append(mean_trouble(judge(views_of(clips[k]))[0]))
    if num == 1:
        return clips[0], {}
    best = min(range(num), key=tried.__getitem__)
    facts = [{"seed": clip.seed, "trouble": round(value, 3)} for clip, value in zip(clips, tried, strict=True)]
    return clips[best], {"candidates": facts, "chosen_seed": clips[best].seed}
