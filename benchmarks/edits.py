"""Edits against the truth: the grammar renders a held-out scene, and the same scene with one attribute changed.

    python benchmarks/edits.py [--pairs 12] [--methods flow,flow-latents,sdedit,inversion,instruction] [--steps 16]

`flow` is what `vid2three edit` does, `flow-latents` its latents decoded, without keeping what did not change. The rest
are what it was chosen against: SDEdit (arXiv:2108.01073), inversion along the flow, and the model's own channel for
instructions. For each method the means over the pairs: IoU of the alphas, PSNR against the true edit over the
subject's pixels outside and inside the change, how often the matcher, given one caption for each value of the
attribute, picks the new one, and processor's seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from generator.config import EditConfig, GenerateConfig
from generator.data import Orbit, make_clip
from generator.edit import flow_edit, merged, recolored
from generator.flow import schedule
from generator.grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS, Attributes, make_scene, sample_attributes
from generator.instruction import read_instruction
from generator.latents import Guide, make_condition, sample_latents
from generator.match import load_matcher, quarters, text_features
from generator.sample import load_networks
from generator.text import load_text_encoder
from generator.words import long_caption

KINDS = ("color",) * 4 + ("second_color",) * 3 + ("pattern",) * 2 + ("material",) + ("style",) * 2
VALUES = {"color": tuple(COLORS), "second_color": tuple(COLORS), "pattern": PATTERNS, "material": tuple(MATERIALS)}
ORBIT, FRAMES, SIZE = Orbit(15.0, 40.0), 24, 128
SHIFT, GUIDANCE, RENOISED = 3.0, 3.0, 0.98


@dataclass(frozen=True)
class Pair:
    """A scene and its edit, as the model's channels [f,5,h,w]."""

    kind: str
    before: Attributes
    after: Attributes
    source: Tensor
    truth: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--methods", default="flow,flow-latents,sdedit,inversion,instruction")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--seed", type=int, default=8)
    options = parser.parse_args()
    pairs = draw(options.pairs, options.seed)
    print("| method | alpha IoU | PSNR outside | PSNR inside | seen | CPU s |\n|---|---:|---:|---:|---:|---:|")
    print(row("the source as it is", [measured(pair, pair.source) for pair in pairs], 0))
    for name in options.methods.split(","):
        start = time.process_time()
        with torch.inference_mode():
            figures = [measured(pair, METHODS[name](pair, options.steps)) for pair in pairs]
        print(row(name, figures, (time.process_time() - start) / len(pairs)), flush=True)


def draw(num: int, seed: int) -> list[Pair]:
    """Draw held-out scenes whose edit can be seen."""
    rng, pairs = np.random.default_rng(seed), []
    while len(pairs) < num:
        kind, before = KINDS[len(pairs) % len(KINDS)], sample_attributes(rng, True)
        values = VALUES.get(kind, CATEGORIES[before.category].styles)
        after = replace(before, **{kind: str(rng.choice(values))})
        if after == before or after.color in (after.second_color, after.other_color):
            continue
        key = int(rng.integers(2**32))
        source, truth = (render(attributes, key) for attributes in (before, after))
        if float(((source - truth)[:, :3].abs().amax(1) > 24.5 / 255).float().mean()) > 0.004:
            pairs.append(Pair(kind, before, after, source, truth))
    return pairs


def render(attributes: Attributes, key: int) -> Tensor:
    clip, _ = make_clip(make_scene(attributes, np.random.default_rng(key)), ORBIT, FRAMES, SIZE, SIZE)
    return torch.from_numpy(clip).movedim(-1, 1).float() / 255


def measured(pair: Pair, out: Tensor) -> list[float]:
    """Return alpha IoU, PSNR outside and inside the change, and whether the matcher picks the new value."""
    changed = (pair.source - pair.truth)[:, :3].abs().amax(1) > 0.06
    near = F.max_pool2d(changed[:, None].float(), 7, 1, 3)[:, 0] > 0
    solid, true = out[:, 3] > 0.5, pair.truth[:, 3] > 0.5
    subject = true | (pair.source[:, 3] > 0.5)
    error = (out - pair.truth)[:, :3].square().mean(1)
    views = quarters(out[None, :, :3])
    values = VALUES.get(pair.kind, CATEGORIES[pair.before.category].styles)
    captions = [long_caption(replace(pair.before, **{pair.kind: value})) for value in values]
    matcher = load_matcher()
    likes = matcher.read(text_features(load_text_encoder(), captions)) @ matcher.see(views)[0]
    seen = values[int(likes.argmax())] == getattr(pair.after, pair.kind)
    iou = float((solid & true).sum() / (solid | true).sum())
    return [iou, decibels(error[subject & ~near]), decibels(error[changed]), float(seen)]


def decibels(error: Tensor) -> float:
    """Return the PSNR of squared errors, at most 60; not a number where there are none."""
    return float(-10 * torch.log10(error.mean().clamp(min=1e-6)))


def row(name: str, figures: list[list[float]], seconds: float) -> str:
    iou, outside, inside, seen = np.nanmean(np.array(figures), axis=0)
    return f"| {name} | {iou:.3f} | {outside:.1f} | {inside:.1f} | {seen:.2f} | {seconds:.0f} |"


def latents(pair: Pair) -> Tensor:
    return load_networks("orbit-s")[0].encode(pair.source[None])


def decoded(z: Tensor) -> Tensor:
    return load_networks("orbit-s")[0].decode(z).clamp(0, 1)[0]


def condition(captions: list[str]):
    return make_condition(captions, "", ORBIT, (FRAMES, SIZE, SIZE), 2, load_text_encoder())


def flow_latents(pair: Pair, steps: int) -> Tensor:
    told = condition([long_caption(pair.before), long_caption(pair.after)])
    settings = EditConfig(steps=steps, guidance=GUIDANCE, shift=SHIFT)
    dit, generator = load_networks("orbit-s")[1], torch.Generator().manual_seed(0)
    return decoded(flow_edit(dit, latents(pair), told, settings, generator))


def flow(pair: Pair, steps: int) -> Tensor:
    before, after = decoded(latents(pair)), flow_latents(pair, steps)
    if pair.kind == "style":
        return merged(pair.source, before, after)
    is_map = read_instruction(long_caption(pair.before), f"-> {long_caption(pair.after)}").recolors
    colors = recolored(pair.source[:, :4], before[:, :4], after[:, :4], is_map=is_map)
    return torch.cat([colors, pair.source[:, 3:]], dim=1)


def sdedit(pair: Pair, steps: int) -> Tensor:
    """Noise the clip to a time, and sample from there under the target caption."""
    z, velocity = latents(pair), guided(condition([long_caption(pair.after)]))
    times = [t for t in schedule(steps, SHIFT).tolist() if t <= RENOISED]
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    return decoded(followed(velocity, torch.lerp(z, noise, times[0]), times))


def inversion(pair: Pair, steps: int) -> Tensor:
    """Follow the flow to noise under the source caption, and back under the target caption."""
    times = schedule(steps, SHIFT).tolist()
    there = guided(condition([long_caption(pair.before)]), scale=1.0)
    noise = followed(lambda z, t: there(z, max(t, 1e-3)), latents(pair), times[::-1])
    return decoded(followed(guided(condition([long_caption(pair.after)])), noise, times))


def instruction(pair: Pair, steps: int) -> Tensor:
    """Sample with the clip as reference and an instruction as text, as a twentieth of the model's training did."""
    part = {"color": CATEGORIES[pair.after.category].main, "second_color": CATEGORIES[pair.after.category].second}
    words = f"make the {part.get(pair.kind, pair.after.category)} {getattr(pair.after, pair.kind)}"
    z = latents(pair)
    told = replace(condition([words]), reference=z, given=torch.ones(1, z.shape[1], dtype=torch.bool))
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    dit = load_networks("orbit-s")[1]
    return decoded(sample_latents(dit, noise, told, Guide.of(GenerateConfig()), steps, 1.5))


def guided(told, scale: float = GUIDANCE) -> Callable[[Tensor, float], Tensor]:
    """Return the guided velocity of a caption."""
    dit, guide = load_networks("orbit-s")[1], Guide(scale, 0.1, 1.0)
    text, mask = torch.cat([told.text, told.null_text]), torch.cat([told.text_mask, told.null_mask])

    def velocity(z: Tensor, t: float) -> Tensor:
        n = 2 if guide.is_on(t) else 1
        rays, angles = told.rays.expand(n, *told.rays.shape[1:]), told.angles.expand(n, -1)
        v = dit(z.expand(n, *z.shape[1:]), torch.full((n,), t), text[:n], mask[:n], rays, angles)
        return guide.velocity(z, t, v[:1], v[1:]) if n == 2 else v

    return velocity


def followed(velocity: Callable[[Tensor, float], Tensor], z: Tensor, times: list[float]) -> Tensor:
    """Follow a velocity by Euler's steps."""
    for t, t_next in pairwise(times):
        z = z + (t_next - t) * velocity(z, t)
    return z


METHODS = {
    "flow": flow,
    "flow-latents": flow_latents,
    "sdedit": sdedit,
    "inversion": inversion,
    "instruction": instruction,
}

if __name__ == "__main__":
    main()
