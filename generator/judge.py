"""The judge: a small classifier of what a clip shows, attribute by attribute.

It learns from traced clips of ALL attribute combinations (that data is free), so what it cannot tell on held-out
renders is the ceiling that stands beside each score of the model. Evaluation by an attribute classifier is that of
T2I-CompBench (arXiv:2307.06350) with a judge trained on the very attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .flow import noise_like
from .grammar import (
    CATEGORIES,
    COLORS,
    MATERIALS,
    PATTERNS,
    RELATIONS,
    Attributes,
)
from .layers import CrossAttention, SwiGLU

SIZE, NUM_VIEWS = 96, 4  # the judge sees four frames, a quarter turn apart
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


def train_judge(
    clips: UInt8[Tensor, "n f 3 h w"],
    attributes: list[Attributes],
    epochs: int,
    seed: int,
    *,
    bf16: bool = False,
    log: Callable[[str], None] = print,
) -> Judge:
    """Fit a judge to whole turns of f frames, a multiple of four, where they lie: to four frames a quarter apart from
    any of them on. They are blurred and shifted at random, as a decoder may do."""
    torch.manual_seed(seed)
    device, phases = clips.device, clips.shape[1] // NUM_VIEWS
    generator = torch.Generator().manual_seed(seed)
    judge, batch = Judge().to(device), 64
    wanted = {name: value.to(device) for name, value in labels(attributes).items()}
    total = epochs * max(len(clips) // batch, 1)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total)
    for step in range(total):
        index = torch.randint(len(clips), (batch,), generator=generator).to(device)
        frames = phases * torch.arange(NUM_VIEWS) + torch.randint(phases, (batch, 1), generator=generator)
        views = resize_views(clips[index[:, None], frames.to(device)].float() / 255)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = judge(augment(views, generator))
        losses = [F.cross_entropy(logits[name].float(), wanted[name][index]) for name in VALUES]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
        if step % 100 == 0:
            log(f"judge step {step} of {total}, loss {float(loss.detach()):.3f}")
    return judge.eval()


def augment(views: Float[Tensor, "b 4 3 h w"], generator: torch.Generator) -> Float[Tensor, "b 4 3 h w"]:
    """Blur and shift views at random, and add noise, as a decoder may do."""
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


def save_judge(path: Path, judge: Judge) -> None:
    save_file({name: value.to(torch.bfloat16).contiguous() for name, value in judge.state_dict().items()}, path)


def load_judge(path: Path) -> Judge:
    """Read what `save_judge` wrote, of any width."""
    weights = {name: value.float() for name, value in load_file(path).items()}
    judge = Judge(weights["place"].shape[1] // 4)
    judge.load_state_dict(weights)
    return judge.eval()
