"""The judge: a small classifier of what a clip shows, and the scores of a model under it.

It learns from traced clips of ALL attribute combinations (that data is free), so what it cannot tell on held-out
renders is the ceiling that stands beside each score of the model. Evaluation by an attribute classifier is that of
T2I-CompBench (arXiv:2307.06350) with a judge trained on the very attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .data import Sample, make_clip, sample_orbit
from .dit import OrbitDiT
from .grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS, Attributes, sample_attributes
from .sample import Guide, sample_latents
from .text import TextEncoder
from .train_dit import orbit_condition
from .vae import SPACE, TIME, VideoAutoencoder
from .words import long_caption

SIZE, NUM_VIEWS = 64, 4  # the judge sees four frames, a quarter turn apart
STYLES = sorted({style for category in CATEGORIES.values() for style in category.styles})
VALUES: dict[str, tuple[str, ...]] = {
    "category": tuple(CATEGORIES),
    "style": tuple(STYLES),
    "color": tuple(COLORS),
    "second_color": tuple(COLORS),
    "pattern": PATTERNS,
    "material": tuple(MATERIALS),
}


class Judge(nn.Module):
    """Convolutions on each view, the mean and the maximum over the views, one linear head an attribute."""

    def __init__(self, width: int = 24):
        super().__init__()
        layers, inputs = [], 3
        for outputs in (width, 2 * width, 3 * width, 4 * width):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.pool = nn.Sequential(nn.Linear(16 * inputs, 192), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(384, len(values)) for name, values in VALUES.items()})

    def forward(self, views: Float[Tensor, "b 4 3 64 64"]) -> dict[str, Float[Tensor, "b _"]]:
        """Return logits by attribute for views in [0,1] on white."""
        b = len(views)
        x = self.features(views.flatten(0, 1) * 2 - 1)
        x = self.pool(x.flatten(1)).view(b, NUM_VIEWS, -1)
        x = torch.cat([x.mean(1), x.amax(1)], dim=1)
        return {name: head(x) for name, head in self.heads.items()}


def labels(attributes: Iterable[Attributes]) -> dict[str, Tensor]:
    """Return the indices that the heads should name, [b] for each attribute."""
    attributes = list(attributes)
    return {name: torch.tensor([values.index(getattr(a, name)) for a in attributes]) for name, values in VALUES.items()}


def render_examples(num: int, seed: int, held_out: bool | None) -> tuple[Tensor, list[Attributes]]:
    """Trace the judge's views of random scenes: uint8 [num,4,3,64,64] and what they show."""
    views, attributes = [], []
    for i in range(num):
        rng = np.random.default_rng((seed, 77, i))
        sample = Sample(sample_attributes(rng, held_out), sample_orbit(rng))
        clip, _ = make_clip(sample, rng, NUM_VIEWS, SIZE, SIZE)
        views.append(torch.from_numpy(clip[..., :3]).permute(0, 3, 1, 2))
        attributes.append(sample.attributes)
    return torch.stack(views), attributes


def train_judge(
    views: Tensor,
    attributes: list[Attributes],
    epochs: int,
    seed: int,
    *,
    bf16: bool = False,
    log: Callable[[str], None] = print,
) -> Judge:
    """Fit a judge to examples; views are blurred and lightened at random, as a decoder may do."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    judge, wanted, batch = Judge(), labels(attributes), 64
    total = epochs * max(len(views) // batch, 1)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total)
    for step in range(total):
        index = torch.randint(len(views), (batch,), generator=generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = judge(_augment(views[index].float() / 255, generator))
        losses = [F.cross_entropy(logits[name].float(), wanted[name][index]) for name in VALUES]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
        if step % 100 == 0:
            log(f"judge step {step} of {total}, loss {float(loss.detach()):.3f}")
    return judge.eval()


def _augment(views: Tensor, generator: torch.Generator) -> Tensor:
    if torch.rand(1, generator=generator) < 0.5:
        blurred = F.avg_pool2d(F.pad(views.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, 1).view_as(views)
        views = torch.lerp(views, blurred, float(torch.rand(1, generator=generator)))
    shift = torch.randint(-2, 3, (2,), generator=generator).tolist()
    noise = 0.03 * torch.rand(1, generator=generator)
    return views.roll(shift, dims=(-2, -1)) + noise * torch.randn(views.shape, generator=generator)


@torch.no_grad()
def judge_views(judge: Judge, views: Tensor) -> dict[str, Tensor]:
    """Return the index that each head names, [b] for each attribute, for uint8 views."""
    parts = [judge(part.float() / 255) for part in views.split(128)]
    return {name: torch.cat([part[name] for part in parts]).argmax(1) for name in VALUES}


def accuracy(named: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, float]:
    """Return the share of right answers by attribute."""
    return {name: round(float((named[name] == wanted[name]).float().mean()), 4) for name in VALUES}


@dataclass(frozen=True)
class Sampler:
    """How the model is asked while it is judged."""

    steps: int = 24
    guidance: float = 3.0
    shift: float = 1.5
    rescale: float = 0.0
    batch: int = 16


@torch.no_grad()
def generate_views(
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    attributes: list[Attributes],
    num_frames: int,
    seed: int,
    sampler: Sampler,
) -> Tensor:
    """Generate a clip for the long caption of each, and return the judge's views of them, uint8 [n,4,3,64,64]."""
    generator = torch.Generator().manual_seed(seed)
    null_text, null_mask = encoder([""])
    views = []
    orbit = sample_orbit(np.random.default_rng(seed))
    rays, angles = orbit_condition(orbit, num_frames, SIZE, SIZE, dit.config.patch)
    for start in range(0, len(attributes), sampler.batch):
        part = attributes[start : start + sampler.batch]
        text, mask = encoder([long_caption(a) for a in part])
        shape = (len(part), num_frames // TIME, dit.config.latent_channels, SIZE // SPACE, SIZE // SPACE)
        z = sample_latents(
            dit,
            torch.randn(shape, generator=generator),
            text,
            mask,
            null_text,
            null_mask,
            torch.from_numpy(rays).float()[None],
            torch.from_numpy(angles).float(),
            Guide(sampler.guidance, 0.1, 0.95, sampler.rescale),
            sampler.steps,
            sampler.shift,
        )
        quarters = torch.arange(NUM_VIEWS) * num_frames // NUM_VIEWS
        decoded = vae.decode(z)[:, quarters, :3].clamp(0, 1)
        views.append((decoded * 255).round().to(torch.uint8))
    return torch.cat(views)


def score(
    judge: Judge,
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    num: int,
    num_frames: int,
    sampler: Sampler = Sampler(),
    seed: int = 1,
) -> dict[str, dict[str, float]]:
    """Return accuracies by attribute: the model on seen and on held-out pairs, and the judge's ceiling on renders."""
    scores = {}
    for name, held_out in (("seen", False), ("held_out", True)):
        real, attributes = render_examples(num, seed + 1000, held_out)
        wanted = labels(attributes)
        views = generate_views(vae, dit, encoder, attributes, num_frames, seed, sampler)
        scores[name] = accuracy(judge_views(judge, views), wanted)
        scores[f"{name}_ceiling"] = accuracy(judge_views(judge, real), wanted)
    return scores


def save_judge(path: Path, judge: Judge) -> None:
    save_file({name: value.to(torch.bfloat16).contiguous() for name, value in judge.state_dict().items()}, path)


def load_judge(path: Path) -> Judge:
    """Read what `save_judge` wrote."""
    judge = Judge()
    judge.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return judge.eval()
