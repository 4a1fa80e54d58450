"""The judge: a small classifier of what a clip shows, and the scores of a model under it.

It learns from traced clips of ALL attribute combinations (that data is free), so what it cannot tell on held-out
renders is the ceiling that stands beside each score of the model. Evaluation by an attribute classifier is that of
T2I-CompBench (arXiv:2307.06350) with a judge trained on the very attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .condition import orbit_cameras, orbit_rows
from .config import GenerateConfig
from .data import Orbit, make_clip, sample_orbit
from .dit import OrbitDiT
from .flow import noise_like
from .grammar import (
    CATEGORIES,
    COLORS,
    MATERIALS,
    PATTERNS,
    RELATIONS,
    Attributes,
    make_scene,
    sample_attributes,
)
from .latents import sample_clips
from .layers import CrossAttention, SwiGLU
from .text import TextEncoder
from .vae import VideoAutoencoder
from .words import long_caption

SIZE, NUM_VIEWS = 96, 4  # the judge sees four frames, a quarter turn apart
JUDGED_SEED = 1001  # of the scenes that models are judged by
STYLES = sorted({style for category in CATEGORIES.values() for style in category.styles})
VALUES: dict[str, tuple[str, ...]] = {
    "category": tuple(CATEGORIES),
    "style": tuple(STYLES),
    "color": tuple(COLORS),
    "second_color": tuple(COLORS),
    "pattern": PATTERNS,
    "material": tuple(MATERIALS),
    "count": ("1", "2", "3", "4"),
    "relation": RELATIONS,
    "other_category": ("", *CATEGORIES),
    "other_color": ("", *COLORS),
}
PLURAL = ("count", "relation", "other_category", "other_color")  # their first value says that there is one object


class Judge(nn.Module):
    """Residual convolutions on each view; then a question an attribute, put twice to all places of all views.

    It does not know which view comes first. The questions are the queries of a decoder as in DETR (arXiv:2005.12872).
    """

    def __init__(self, width: int = 64):
        super().__init__()
        d = 4 * width
        self.features = nn.Sequential(
            nn.PixelUnshuffle(4),
            _convolution(48, width),
            *(_Residual(width) for _ in range(2)),
            _convolution(width, 2 * width, stride=2),
            *(_Residual(2 * width) for _ in range(2)),
            _convolution(2 * width, d, stride=2),
            *(_Residual(d) for _ in range(2)),
        )
        self.place = nn.Parameter(torch.zeros((SIZE // 16) ** 2, d))
        self.questions = nn.Parameter(0.02 * torch.randn(len(VALUES), d))
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(4))
        self.look = nn.ModuleList(CrossAttention(d, 8) for _ in range(2))
        self.think = nn.ModuleList(SwiGLU(d, 2 * d) for _ in range(2))
        self.heads = nn.ModuleDict({name: nn.Linear(d, len(values)) for name, values in VALUES.items()})
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, views: Float[Tensor, "b 4 3 96 96"]) -> dict[str, Float[Tensor, "b _"]]:
        """Return logits by attribute for views in [0,1] on white."""
        b = len(views)
        x = self.features((views.flatten(0, 1) * 2 - 1).contiguous(memory_format=torch.channels_last))
        x = rearrange(x, "(b v) d h w -> b v (h w) d", b=b) + self.place
        x = x.flatten(1, 2)  # b n d
        everywhere = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        answers = self.questions.expand(b, -1, -1)
        for i, (look, think) in enumerate(zip(self.look, self.think)):
            answers = answers + look(self.norms[2 * i](answers), x, everywhere)
            answers = answers + think(self.norms[2 * i + 1](answers))
        return {name: head(answers[:, i]) for i, (name, head) in enumerate(self.heads.items())}


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class _Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.branch = nn.Sequential(
            _convolution(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.branch(x))


def labels(attributes: Iterable[Attributes]) -> dict[str, Tensor]:
    """Return the indices that the heads should name, [b] for each attribute."""
    attributes = list(attributes)
    return {
        name: torch.tensor([values.index(str(getattr(a, name))) for a in attributes]) for name, values in VALUES.items()
    }


def draw_example(seed: int, i: int, held_out: bool | None) -> tuple[Attributes, Orbit, np.ndarray]:
    """Draw a random scene and a camera: what it shows, from where, and its solids."""
    rng = np.random.default_rng((seed, 77, i))
    attributes, orbit = sample_attributes(rng, held_out), sample_orbit(rng)
    return attributes, orbit, make_scene(attributes, rng)


def render_examples(
    num: int, seed: int, held_out: bool | None, device: torch.device | None = None, workers: int = 1
) -> tuple[UInt8[Tensor, "n 4 3 96 96"], list[Attributes]]:
    """Trace the judge's views of random scenes; returns them, on the device, and what they show.

    Scenes are drawn, and without a GPU traced, by `workers` processes.
    """
    if device is not None and device.type == "cuda":
        drawn = _in_processes(draw_example, [(seed, i, held_out) for i in range(num)], workers)
        views = torch.cat([_trace_on_device(drawn[i : i + 256], device) for i in range(0, num, 256)])
        shown = [attributes for attributes, _, _ in drawn]
    else:
        traced = _in_processes(_trace_example, [(seed, i, held_out) for i in range(num)], workers)
        views, shown = torch.stack([torch.from_numpy(frames) for _, frames in traced]), [each for each, _ in traced]
    return views, shown


def _in_processes(function: Callable, arguments: list[tuple], workers: int) -> list:
    if workers == 1:
        return [function(*each) for each in arguments]
    with get_context("spawn").Pool(workers) as pool:
        return pool.starmap(function, arguments, chunksize=64)


def _trace_example(seed: int, i: int, held_out: bool | None) -> tuple[Attributes, np.ndarray]:
    attributes, orbit, scene = draw_example(seed, i, held_out)
    clip, _ = make_clip(scene, orbit, NUM_VIEWS, SIZE, SIZE)
    return attributes, np.ascontiguousarray(clip[..., :3].transpose(0, 3, 1, 2))


def _trace_on_device(drawn: list[tuple[Attributes, Orbit, np.ndarray]], device: torch.device) -> Tensor:
    from .cuda_tracer import trace_clips

    c2w, K, _ = orbit_cameras(orbit_rows((orbit for _, orbit, _ in drawn), device), NUM_VIEWS, SIZE, SIZE)
    return trace_clips([scene for _, _, scene in drawn], c2w, K, SIZE, SIZE).rgb.movedim(-1, 2).contiguous()


def train_judge(
    views: Tensor,
    attributes: list[Attributes],
    epochs: int,
    seed: int,
    *,
    bf16: bool = False,
    log: Callable[[str], None] = print,
) -> Judge:
    """Fit a judge to examples, where they lie; views are blurred and shifted at random, as a decoder may do."""
    torch.manual_seed(seed)
    device = views.device
    generator = torch.Generator().manual_seed(seed)
    judge, batch = Judge().to(device), 64
    wanted = {name: value.to(device) for name, value in labels(attributes).items()}
    total = epochs * max(len(views) // batch, 1)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total)
    for step in range(total):
        index = torch.randint(len(views), (batch,), generator=generator).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
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
    noise = 0.03 * float(torch.rand(1, generator=generator))
    return views.roll(shift, dims=(-2, -1)) + noise * noise_like(views, generator)


@torch.no_grad()
def judge_views(judge: Judge, views: UInt8[Tensor, "b 4 3 h w"]) -> dict[str, Tensor]:
    """Return the index that each head names, [b] for each attribute, for views of any size."""
    parts = [judge(resize_views(part.float() / 255)) for part in views.split(128)]
    return {name: torch.cat([part[name] for part in parts]).argmax(1) for name in VALUES}


def resize_views(views: Float[Tensor, "b v 3 h w"]) -> Float[Tensor, "b v 3 size size"]:
    """Return views at the size that the judge sees."""
    if views.shape[-2:] == (SIZE, SIZE):
        return views
    small = F.interpolate(views.flatten(0, 1), size=(SIZE, SIZE), mode="bilinear", antialias=True)
    return small.unflatten(0, views.shape[:2])


def accuracy(named: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, float]:
    """Return the share of right answers by attribute; counts, relations and second objects only where there are such
    (not a number where there are none)."""
    shares = {}
    for name in VALUES:
        asked = wanted[name] > 0 if name in PLURAL else torch.ones_like(wanted[name], dtype=torch.bool)
        shares[name] = round(float((named[name] == wanted[name])[asked].float().mean()), 4)
    return shares


@torch.no_grad()
def generate_views(
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    captions: list[str],
    num_frames: int,
    size: int,
    coarsest: int,
    seed: int,
    config: GenerateConfig | None = None,
    batch: int = 16,
) -> UInt8[Tensor, "n 4 3 h w"]:
    """Generate a clip for each caption, by default as users get it; return views of them, a quarter of a turn apart."""
    config = replace(config or GenerateConfig(), num_frames=num_frames, height=size, width=size)
    generator = torch.Generator().manual_seed(seed)
    views = []
    orbit = sample_orbit(np.random.default_rng(seed))
    for part in (captions[i : i + batch] for i in range(0, len(captions), batch)):
        z = sample_clips(vae, dit, encoder, part, orbit, config, generator, coarsest=coarsest)
        quarters = torch.arange(NUM_VIEWS) * num_frames // NUM_VIEWS
        decoded = vae.decode(z)[:, quarters, :3].clamp(0, 1)
        views.append((decoded * 255).round().to(torch.uint8).cpu())
    return torch.cat(views)


def score(
    judge: Judge,
    vae: VideoAutoencoder,
    dit: OrbitDiT,
    encoder: TextEncoder,
    num: int,
    num_frames: int,
    size: int,
    coarsest: int,
    workers: int = 1,
) -> dict[str, dict[str, float]]:
    """Return accuracies by attribute: the model on seen and on held-out pairs, and the judge's ceiling on renders."""
    scores = {}
    for name, held_out in (("seen", False), ("held_out", True)):
        device = next(judge.parameters()).device
        real, attributes = render_examples(num, JUDGED_SEED, held_out, device, workers)
        wanted = {name: value.to(device) for name, value in labels(attributes).items()}
        captions = [long_caption(a) for a in attributes]
        views = generate_views(vae, dit, encoder, captions, num_frames, size, coarsest, seed=1)
        scores[name] = accuracy(judge_views(judge, views.to(device)), wanted)
        scores[f"{name}_ceiling"] = accuracy(judge_views(judge, real), wanted)
    return scores


def save_judge(path: Path, judge: Judge) -> None:
    save_file({name: value.to(torch.bfloat16).contiguous() for name, value in judge.state_dict().items()}, path)


def load_judge(path: Path) -> Judge:
    """Read what `save_judge` wrote."""
    judge = Judge()
    judge.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return judge.eval()
