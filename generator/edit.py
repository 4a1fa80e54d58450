"""Edits of a clip that was made: what the target caption changes comes from the flow, all else from the clip itself.

FlowEdit (Kulikov et al., arXiv:2412.08629) needs no training and no inversion: at every time the clip is noised, the
transformer says where it goes under its own caption and, shifted by what has changed so far, under the target caption;
the difference of the two is followed. Then only what really changed is taken over. Where the shape stays, that is a
map of colours, fitted to all frames at once, so that frames agree and every detail of the clip stays.

Shapes: f frames, h w pixels; colours on white, in [0,1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from .clip import Clip
from .condition import Condition
from .config import EditConfig, GenerateConfig
from .dit import OrbitDiT
from .flow import noise_like, schedule
from .instruction import Change
from .latents import Guide, make_condition
from .sample import from_clip, load_networks, numbers, orbit_of, to_clip
from .text import load_text_encoder

UNCHANGED, CHANGED = (
    0.1,
    0.3,
)  # distance of two colours in RGB: below the first nothing changed, above the second all did
SOLID = 0.6  # alpha from which on a pixel's colour is the subject's own
BINS = 8  # of a colour's channels, each


def edit(
    clip: Clip,
    change: Change,
    config: GenerateConfig,
    settings: EditConfig,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Clip:
    """Change a clip as its captions say. `config` holds its model and cameras; the same seed gives the same clip.

    Alpha and depth stay as they are where the change keeps the shape.
    """
    vae, dit = load_networks(config.model)
    orbit = orbit_of(config)
    f, height, width, _ = clip.frames.shape
    captions = [change.source, change.target]
    condition = make_condition(
        captions, config.negative_prompt, orbit, (f, height, width), dit.config.patch, load_text_encoder()
    )
    with torch.inference_mode():
        channels = from_clip(clip, orbit)
        z = vae.encode(channels[None], orbit.is_closed)
        with numbers(config):
            edited = flow_edit(dit, z, condition, settings, torch.Generator().manual_seed(seed), progress)
        before, after = vae.decode(torch.cat([z, edited]), orbit.is_closed).clamp(0, 1)
        if change.keeps_shape:
            colors = recolored(channels[:, :4], before[:, :4], after[:, :4], is_map=change.recolors)
            frames = (rearrange(colors, "f c h w -> f h w c") * 255).round().to(torch.uint8)
            return replace(clip, frames=frames, caption=change.target, seed=seed)
        mixed = merged(channels, before, after)
    return to_clip(mixed, orbit, clip.fps, clip.prompt, change.target, seed)


def flow_edit(
    dit: OrbitDiT,
    source: Float[Tensor, "1 t c h w"],
    condition: Condition,
    settings: EditConfig,
    generator: torch.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "1 t c h w"]:
    """Follow the difference of two captions' velocities from noise to data (FlowEdit, Alg. 1).

    `condition` holds the source caption and the target caption. The target alone is guided.
    """
    c, guide = condition, Guide(settings.guidance, 0.1, 1.0)
    text, mask = torch.cat([c.text, c.null_text]), torch.cat([c.text_mask, c.null_mask])
    z = source
    times = schedule(settings.steps, settings.shift).tolist()
    for i, (t, t_next) in enumerate(pairwise(times)):
        num = 3 if guide.is_on(t) else 2
        noisy = torch.lerp(source, noise_like(source, generator), t)
        moved = z + noisy - source
        v = dit(
            torch.cat([noisy, *[moved] * (num - 1)]),
            torch.full((num,), t, device=z.device),
            text[:num],
            mask[:num],
            c.rays.expand(num, *c.rays.shape[1:]),
            c.angles.expand(num, -1),
        )
        towards = guide.velocity(moved, t, v[1:2], v[2:3]) if num == 3 else v[1:2]
        z = z + (t_next - t) * (towards - v[:1])
        if progress is not None:
            progress(i + 1, settings.steps)
    return z


def recolored(
    source: Float[Tensor, "f 4 h w"],
    before: Float[Tensor, "f 4 h w"],
    after: Float[Tensor, "f 4 h w"],
    *,
    is_map: bool,
) -> Float[Tensor, "f 3 h w"]:
    """Return the source's colours with what changed from `before` to `after`, both decoded, on its own outline.

    With `is_map` new colours are a map of the old ones, which keeps shading and edges; else they are `after` itself,
    as a pattern asks.
    """
    alpha = source[:, 3:]
    new, old = _filled(after), _filled(before)
    pure = ((source[:, :3] - (1 - alpha)) / alpha.clamp(min=0.05)).clamp(0, 1)
    share = _ramp(_smooth(new - old, 5).norm(dim=1, keepdim=True), UNCHANGED, CHANGED)
    if is_map:
        share = _by_color(pure, alpha, share)
        new = _mapped(pure, new, share * (alpha > 0.9))
    return source[:, :3] * (1 - share) + share * (new * alpha + 1 - alpha)


def merged(
    source: Float[Tensor, "f 5 h w"], before: Float[Tensor, "f 5 h w"], after: Float[Tensor, "f 5 h w"]
) -> Float[Tensor, "f 5 h w"]:
    """Return `after` where colour or outline changed, the source where they did not."""
    change = _smooth(after[:, :4] - before[:, :4], 5).norm(dim=1, keepdim=True)
    share = _ramp(F.max_pool2d(change, 5, 1, 2), UNCHANGED, CHANGED)
    return torch.lerp(source, after, share)


def _by_color(
    colors: Float[Tensor, "f 3 h w"], alpha: Float[Tensor, "f 1 h w"], share: Float[Tensor, "f 1 h w"]
) -> Float[Tensor, "f 1 h w"]:
    """Make a share of change that depends on the colour that changes: all of a red roof, nothing of a white wall.

    The mean over all pixels of a colour decides where it is clear, what was seen at the pixel where it is not.
    """
    key = (colors * (BINS - 1)).round().long()
    key = ((key[:, 0] * BINS + key[:, 1]) * BINS + key[:, 2]).flatten()
    weight = (alpha > 0.9).float().flatten()
    sums = torch.zeros(2, BINS**3).index_add_(1, key, torch.stack([weight * share.flatten(), weight]))
    mean = _smooth_bins(sums)
    return _ramp(0.7 * mean[key].view_as(share) + 0.3 * share, 0.35, 0.65)


def _smooth_bins(sums: Float[Tensor, "2 bins"]) -> Float[Tensor, " bins"]:
    """Return the mean of each bin of colours, its neighbours counted in, so that few pixels decide nothing."""
    cube = F.avg_pool3d(sums.view(2, 1, BINS, BINS, BINS), 3, 1, 1) * 27
    total, count = (0.2 * cube.flatten(1) + sums).unbind()
    return total / count.clamp(min=1e-6)


def _mapped(
    colors: Float[Tensor, "f 3 h w"], wanted: Float[Tensor, "f 3 h w"], weight: Float[Tensor, "f 1 h w"]
) -> Float[Tensor, "f 3 h w"]:
    """Return colours through the one affine map that brings them nearest to the wanted ones, outliers counted less."""
    x = torch.cat([torch.ones_like(colors[:, :1]), colors], dim=1).movedim(1, -1)  # f h w 4
    flat, target, seen = x.reshape(-1, 4).double(), wanted.movedim(1, -1).reshape(-1, 3).double(), weight.flatten()
    far, ridge = torch.ones_like(seen), 1e-4 * torch.eye(4, dtype=torch.float64)
    matrix = torch.zeros(4, 3, dtype=torch.float64)
    for _ in range(4):
        w = (seen * far).double()[:, None]
        matrix = torch.linalg.solve((flat * w).T @ flat + ridge * w.sum().clamp(min=1), (flat * w).T @ target)
        far = 1 / (1 + ((flat @ matrix - target).norm(dim=1) / 0.1).square().float())  # Geman-McClure's weight, nearly
    return (x @ matrix.float()).movedim(-1, 1).clamp(0, 1)


def _filled(decoded: Float[Tensor, "f 4 h w"]) -> Float[Tensor, "f 3 h w"]:
    """Return colours that go on beyond the outline, so that no white of the background comes in."""
    known = (decoded[:, 3:] > SOLID).float()
    colors = decoded[:, :3] * known
    for _ in range(6):  # 2 pixels each
        near, count = _smooth(colors, 5), _smooth(known, 5)
        colors = torch.where(known > 0, colors, near / count.clamp(min=1e-4))
        known = ((known > 0) | (count > 1e-3)).float()
    return colors


def _smooth(x: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(x, size, 1, size // 2, count_include_pad=False)


def _ramp(x: Tensor, low: float, high: float) -> Tensor:
    """Go smoothly from 0 to 1 between two values."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
