"""The matcher: how well a clip shows what a sentence says.

Two small towers give a clip and a sentence a unit vector each; those that belong together lie close (Radford et al.,
"CLIP", arXiv:2103.00020). They learn from renders of the grammar's scenes and of artists' models with their captions,
half of the scenes beside a copy with one attribute changed, and read sentences through the frozen text encoder. So
candidates can be ranked, and a clip that shows something else told apart, for any prompt.

Shapes: B clips or sentences, N examples, K captions of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .corpus import Corpus
from .data import make_clip, read_samples, sample_orbit, shard_paths
from .flow import noise_like
from .layers import conv_tower
from .text import WIDTH, TextEncoder, load_text_encoder
from .weights import FOLDER

SIZE, NUM_VIEWS = 64, 4  # a clip is seen a quarter turn apart
NUM_CAPTIONS = 4  # of an example: the one that says everything, and three others
JOINT = 128  # numbers of a vector
BATCH = 256
SAME = 0.97  # cosine of two sentences' features from which on they may say the same: no counter-example then
RATE, WEIGHT_DECAY = 2e-3, 0.05
FILE = FOLDER / "matcher.safetensors"


class Matcher(nn.Module):
    """Convolutions on each view, their mean and maximum; a perceptron on a sentence's features."""

    def __init__(self, width: int = 32):
        super().__init__()
        self.features = conv_tower(3, width)
        self.pool = nn.Sequential(nn.Linear((SIZE // 16) ** 2 * 4 * width, 256), nn.SiLU())
        self.to_joint = nn.Linear(512, JOINT)
        self.text = nn.Sequential(nn.Linear(2 * WIDTH, 384), nn.SiLU(), nn.Dropout(0.1), nn.Linear(384, JOINT))
        self.log_scale = nn.Parameter(torch.tensor(np.log(14.0)))  # 1 / 0.07, as in CLIP

    def see(self, views: Float[Tensor, "b v 3 h w"]) -> Float[Tensor, "b joint"]:
        """Return the vectors of clips: views in [0,1] on white, SIZE pixels."""
        x = rearrange(views, "b v c h w -> (b v) c h w") * 2 - 1
        x = self.features(x.contiguous(memory_format=torch.channels_last))
        x = self.pool(x.flatten(1)).unflatten(0, views.shape[:2])  # b v 256
        return F.normalize(self.to_joint(torch.cat([x.mean(1), x.amax(1)], dim=1)).float(), dim=1)

    def read(self, features: Float[Tensor, "b c"]) -> Float[Tensor, "b joint"]:
        """Return the vectors of sentences from their `text_features`."""
        return F.normalize(self.text(features).float(), dim=1)


def text_features(encoder: TextEncoder, texts: list[str]) -> Float[Tensor, "b c"]:
    """Return the mean and the maximum of each sentence's word states, [b, 768]."""
    states, mask = encoder(texts)
    weight = mask[..., None].to(states)
    mean = (states * weight).sum(1) / weight.sum(1)
    return torch.cat([mean, states.masked_fill(~mask[..., None], -torch.inf).amax(1)], dim=1)


def quarters(clips: Float[Tensor, "b f 3 h w"]) -> Float[Tensor, "b v 3 size size"]:
    """Return clips' views, as `Matcher.see` wants them, from their frames in [0,1] on white."""
    index = torch.arange(NUM_VIEWS) * clips.shape[1] // NUM_VIEWS
    views = clips[:, index]
    small = F.interpolate(views.flatten(0, 1), size=(SIZE, SIZE), mode="bilinear", antialias=True)
    return small.unflatten(0, views.shape[:2])


def quarter_views(frames: UInt8[Tensor, "f h w 3"]) -> Float[Tensor, "1 v 3 size size"]:
    """Return the views of a clip, its frames on white, as the matcher and the verifier see them."""
    return quarters(rearrange(frames.float() / 255, "f h w c -> 1 f c h w"))


@torch.no_grad()
def match(frames: UInt8[Tensor, "f h w 3"], caption: str) -> float:
    """Return how well a clip, its frames on white, shows what a caption says: a cosine.

    True renders of the grammar's scenes have 0.5 to 0.8 with their captions, of artists' models 0.3 to 0.8; two that
    have nothing to do with each other -0.2 to 0.3.
    """
    matcher, encoder = load_matcher(), load_text_encoder()
    return float(matcher.see(quarter_views(frames)) @ matcher.read(text_features(encoder, [caption]))[0])


def read_examples(folder: Path, encoder: TextEncoder) -> tuple[UInt8[Tensor, "n v 3 h w"], Float[Tensor, "n k c"]]:
    """Read the shards of a folder (data.py, clips of NUM_VIEWS frames) and their captions' features."""
    views, features = [], []
    for path in shard_paths(folder):
        clips = torch.from_numpy(np.load(path))
        views.append(rearrange(clips[..., :3], "n v h w c -> n v c h w").contiguous())
        features.append(_caption_features(path, encoder))
    return torch.cat(views), torch.cat(features)


def _caption_features(path: Path, encoder: TextEncoder) -> Float[Tensor, "n k c"]:
    """Return the features of the first captions of a shard's samples; they are kept beside it, being slow to make."""
    kept = path.with_suffix(".features.safetensors")
    if not kept.exists():
        samples = read_samples(path)
        texts = [caption for sample in samples for caption in sample.captions[:NUM_CAPTIONS]]
        with torch.autocast("cpu", torch.bfloat16):
            parts = [text_features(encoder, texts[i : i + 256]) for i in range(0, len(texts), 256)]
        save_file({"features": torch.cat(parts).unflatten(0, (len(samples), -1)).half()}, kept)
    return load_file(kept)["features"]


def match_loss(matcher: Matcher, views: Tensor, features: Tensor) -> Tensor:
    """Return how badly the clips of a batch find their sentences among all of them, and the sentences their clips."""
    seen, read = matcher.see(views), matcher.read(features)
    logits = matcher.log_scale.exp().clamp(max=100) * seen @ read.T
    mean = F.normalize(features[:, :WIDTH].float(), dim=1)
    is_same = mean @ mean.T > SAME
    logits = logits.masked_fill(is_same & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device), -torch.inf)
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def train_matcher(
    views: UInt8[Tensor, "n v 3 h w"],
    features: Float[Tensor, "n k c"],
    steps: int,
    seed: int,
    *,
    batch: int = BATCH,
    log: Callable[[str], None] = print,
) -> Matcher:
    """Fit a matcher to examples. Neighbours, of which one may be the other with an edit, come in one batch."""
    torch.manual_seed(seed)
    generator, matcher = torch.Generator().manual_seed(seed), Matcher()
    optimizer = torch.optim.AdamW(matcher.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    pairs, began = len(views) // 2, time.monotonic()
    for step in range(steps):
        first = 2 * torch.randint(pairs, (batch // 2,), generator=generator)
        index = torch.stack([first, first + 1], dim=1).flatten()
        caption = torch.randint(features.shape[1], (len(index),), generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            loss = match_loss(matcher, augment(views[index].float() / 255, generator), features[index, caption].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
        if step % 50 == 0:
            log(f"matcher step {step} of {steps}, loss {float(loss.detach()):.3f}, {time.monotonic() - began:.0f} s")
    return matcher.eval()


def augment(views: Float[Tensor, "b v 3 h w"], generator: torch.Generator) -> Tensor:
    """Blur, shift and roughen views at random, as a decoder may."""
    blurred = F.avg_pool2d(F.pad(views.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, 1).view_as(views)
    share = torch.rand((len(views), 1, 1, 1, 1), generator=generator).sub(0.3).clamp(min=0) / 0.7
    shift = torch.randint(-3, 4, (2,), generator=generator).tolist()
    noise = 0.03 * torch.rand((len(views), 1, 1, 1, 1), generator=generator)
    return torch.lerp(views, blurred, share).roll(shift, dims=(-2, -1)) + noise * noise_like(views, generator)


def save_matcher(path: Path, matcher: Matcher) -> None:
    save_file({name: value.to(torch.bfloat16).contiguous() for name, value in matcher.state_dict().items()}, path)


@cache
def load_matcher(path: Path = FILE) -> Matcher:
    """Read what `save_matcher` wrote; the one that ships with the package unless told."""
    matcher = Matcher()
    matcher.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return matcher.eval().requires_grad_(False)


@torch.no_grad()
def retrieval(
    seen: Float[Tensor, "n joint"], read: Float[Tensor, "n joint"], among: int = 30, seed: int = 0, rounds: int = 40
) -> tuple[float, float]:
    """Return how often a sentence finds its clip among so many, and a clip its sentence, over random draws."""
    generator, hits = torch.Generator().manual_seed(seed), torch.zeros(2)
    for _ in range(rounds):
        chosen = torch.randperm(len(seen), generator=generator)[:among]
        likeness, own = read[chosen] @ seen[chosen].T, torch.arange(len(chosen))
        hits += torch.stack([(likeness.argmax(dim) == own).float().mean() for dim in (1, 0)])
    return float(hits[0] / rounds), float(hits[1] / rounds)


def held_out_models(corpus: Corpus, seed: int = 0) -> tuple[UInt8[Tensor, "n v 3 h w"], list[str]]:
    """Render the corpus's held-out models; returns their views and their short captions."""
    rng, views, texts = np.random.default_rng(seed), [], []
    for index, model in enumerate(corpus.models):
        if model.held_out:
            clip, _ = make_clip(corpus.subject(index, None, rng), sample_orbit(rng), NUM_VIEWS, SIZE, SIZE)
            views.append(rearrange(torch.from_numpy(clip[..., :3]), "v h w c -> v c h w"))
            texts.append(model.short)
    return torch.stack(views), texts
