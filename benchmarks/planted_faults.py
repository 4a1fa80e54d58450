"""Faults as generated and hand-held clips have them, planted into true orbits at several strengths.

A fault takes a truth and a strength and returns the clip as it would come in: its cameras are the commanded ones, its
pictures are not what those cameras see. From which strength on a person sees a fault in the clip, and up to which
nobody does, was judged by eye on contact sheets of spot and of a knight, 16 frames of 96 and 192 pixels in a row; what
lies between the two is neither asked to pass nor to be caught.

Shapes: F frames of H x W pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

sys.path.insert(0, str(Path(__file__).parents[1]))

from recon.camera import Cameras, invert_rigid
from recon.hull import look_at_point
from recon.views import Views, depth_points

GRID = 5  # nodes a side of a smooth warp
REFERENCE = 256  # pixels: strengths in pixels are those of pictures of this size


@dataclass(frozen=True, eq=False)
class Truth:
    """A clip without fault, and what draws its subject from elsewhere."""

    name: str
    views: Views
    """Frames of one closed orbit, in order."""
    draw: Callable[[Cameras], Views] | None = None
    """Draws the subject from other cameras; None where there are only pictures."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    plant: Callable[[Truth, float, np.random.Generator], Views]
    unit: str
    """What a strength counts."""
    harmless: tuple[float, ...]
    """Strengths that nobody sees."""
    unsure: tuple[float, ...]
    """Strengths that some would see."""
    visible: tuple[float, ...]
    """Strengths that a person sees, ascending."""
    needs_draw: bool = False
    needs_depth: bool = False

    def applies_to(self, truth: Truth) -> bool:
        """Say whether it can be planted there."""
        return not (self.needs_draw and truth.draw is None) and not (self.needs_depth and truth.views.depths is None)


def shuffled(truth: Truth, share: float, rng: np.random.Generator) -> Views:
    """Swap pairs of frames, `share` of all frames taking part: 1 shuffles the clip."""
    order = np.arange(len(truth.views))
    chosen = rng.permutation(len(order))[: 2 * max(round(share * len(order) / 2), 1)]
    order[chosen] = order[np.roll(chosen, len(chosen) // 2)]
    return _shown(truth.views, order)


def hiccup(truth: Truth, num: float, rng: np.random.Generator) -> Views:
    """Swap `num` pairs of neighbours."""
    order = np.arange(len(truth.views))
    for k in 2 * rng.permutation(len(order) // 2)[: int(num)]:
        order[[k, k + 1]] = order[[k + 1, k]]
    return _shown(truth.views, order)


def frozen(truth: Truth, num: float, rng: np.random.Generator) -> Views:
    """Show a frame `num` more times while the camera goes on."""
    order = np.arange(len(truth.views))
    start = int(rng.integers(len(order) - int(num)))
    order[start : start + int(num) + 1] = start
    return _shown(truth.views, order)


def backwards(truth: Truth, share: float, rng: np.random.Generator) -> Views:
    """Turn round: the last `share` of the frames go back over the ones before."""
    order = np.arange(len(truth.views))
    num = round(share * len(order))
    order[len(order) - num :] = order[len(order) - num - 1] - np.arange(num)
    return _shown(truth.views, order)


def two_faced(truth: Truth, share: float, rng: np.random.Generator) -> Views:
    """Let the front shine through the back: frame i + F/2 shows `share` of frame i."""
    rgba = _premultiplied(truth.views)
    half = len(rgba) // 2
    rgba[-half:] = (1 - share) * rgba[-half:] + share * rgba[:half]
    return replace(_straight(truth.views, rgba), depths=None)


def wobble(truth: Truth, degrees: float, rng: np.random.Generator) -> Views:
    """Film from cameras that shake around the commanded ones: azimuth, half of it in elevation, a quarter in aim."""
    cameras, num = truth.views.cameras, len(truth.views)
    center = torch.from_numpy(look_at_point(cameras)).float()
    c2w = cameras.c2w.clone()
    angles = torch.from_numpy(np.deg2rad(degrees) * rng.normal(size=(num, 4)) * [1, 0.5, 0.25, 0.25]).float()
    for f in range(num):
        right, down = c2w[f, :3, 0].clone(), c2w[f, :3, 1].clone()
        turn = _turn(angles[f, 1] * right) @ _turn(torch.stack([0 * angles[f, 0], 0 * angles[f, 0], angles[f, 0]]))
        c2w[f, :3, :3] = _turn(angles[f, 2] * right + angles[f, 3] * down) @ turn @ c2w[f, :3, :3]
        c2w[f, :3, 3] = center + turn @ (c2w[f, :3, 3] - center)
    return _filmed(truth, c2w)


def pace(truth: Truth, degrees: float, rng: np.random.Generator) -> Views:
    """Film at an uneven pace: up to `degrees` of azimuth ahead of the commanded cameras, and as much behind."""
    cameras, num = truth.views.cameras, len(truth.views)
    center = torch.from_numpy(look_at_point(cameras)).float()
    c2w = cameras.c2w.clone()
    ahead = np.deg2rad(degrees) * np.sin(2 * np.pi * (np.arange(num) / num + rng.random()))
    for f in range(num):
        turn = _turn(torch.tensor([0.0, 0.0, float(ahead[f])]))
        c2w[f, :3, :3] = turn @ c2w[f, :3, :3]
        c2w[f, :3, 3] = center + turn @ (c2w[f, :3, 3] - center)
    return _filmed(truth, c2w)


def warp(truth: Truth, pixels: float, rng: np.random.Generator) -> Views:
    """Bend every frame smoothly and each in its own way, by `pixels` (root mean square)."""
    num, height, width = truth.views.images.shape[:3]
    nodes = torch.from_numpy(rng.normal(size=(num, 2, GRID, GRID))).float()
    bend = interpolate(nodes, size=(height, width), mode="bicubic", align_corners=True)  # F 2 H W
    bend = bend * pixels / REFERENCE / bend.square().sum(dim=1).mean(dim=(1, 2)).sqrt()[:, None, None, None]
    return _moved(truth.views, 2 * bend.movedim(1, -1) * torch.tensor([1.0, width / height]))


def breathing(truth: Truth, share: float, rng: np.random.Generator) -> Views:
    """Grow and shrink the pictures by up to `share`, twice around."""
    num, height, width = truth.views.images.shape[:3]
    scale = 1 + share * torch.sin(4 * torch.pi * torch.arange(num) / num + 2 * torch.pi * float(rng.random()))
    return _moved(truth.views, _base(height, width) * (1 / scale - 1)[:, None, None, None])


def hue_drift(truth: Truth, share: float, rng: np.random.Generator) -> Views:
    """Tint the frames by up to `share` a channel: once around the colours over the clip, and unsteadily."""
    num = len(truth.views)
    angle = 2 * np.pi * (np.arange(num)[:, None] / num + np.arange(3) / 3 + rng.random())
    gain = 1 + share * (np.sin(angle) + 0.3 * rng.normal(size=(num, 3)))
    images = truth.views.images * torch.from_numpy(gain).float()[:, None, None]
    return replace(truth.views, images=images.clamp(0, 1))


def missing_part(truth: Truth, radius: float, rng: np.random.Generator) -> Views:
    """Leave out, in a quarter of the frames in a row, what lies within `radius` of a spot on the subject.

    The radius is in units of the subject's. The spot is one that those frames see, far from the subject's middle.
    """
    views, num = truth.views, len(truth.views)
    assert views.depths is not None  # `applies_to` says so
    start, length = int(rng.integers(num)), max(num // 4, 1)
    frames = [(start + k) % num for k in range(length)]
    everywhere = depth_points(views, most=20_000)
    middle = everywhere.mean(dim=0)
    size = float((everywhere - middle).norm(dim=1).quantile(0.95))
    seen = depth_points(views[[frames[length // 2]]], most=5_000)
    far = seen[(seen - middle).norm(dim=1) > 0.7 * (seen - middle).norm(dim=1).max()]
    spot = far[int(rng.integers(len(far)))]
    alphas, depths = _alphas(views).clone(), views.depths.clone()
    for f in frames:
        rows, columns = (depths[f] > 0).nonzero(as_tuple=True)
        points = depth_points(views[[f]], most=10**9)
        gone = (points - spot).norm(dim=1) < radius * size
        alphas[f, rows[gone], columns[gone]] = 0
        depths[f, rows[gone], columns[gone]] = 0
    return replace(views, alphas=alphas, depths=depths)


FAULTS = {
    "shuffled frames": Fault(shuffled, "share of the frames", (), (), (0.1, 0.25, 0.5, 1.0)),
    "swapped neighbours": Fault(hiccup, "pairs", (), (1,), (3, 8)),
    "frozen frames": Fault(frozen, "frames", (), (1,), (3, 6, 10)),
    "swapped direction": Fault(backwards, "share of the frames", (), (0.1,), (0.2, 0.35, 0.5)),
    "two-faced object": Fault(two_faced, "share of the front", (0.01,), (0.05,), (0.15, 0.4, 1.0)),
    "wobble": Fault(wobble, "degrees", (0.2,), (0.5, 1.0), (2.0, 4.0, 8.0), needs_draw=True),
    "uneven pace": Fault(pace, "degrees", (0.5,), (2.0,), (8.0, 16.0), needs_draw=True),
    "warp": Fault(warp, "pixels of 256", (0.3, 0.6, 1.0), (1.5, 2.5), (4.0, 6.0, 8.0)),
    "scale breathing": Fault(breathing, "share of the size", (0.003,), (0.01, 0.02, 0.05), (0.1, 0.15)),
    "hue drift": Fault(hue_drift, "share of a channel", (0.01,), (0.03, 0.06), (0.12, 0.25)),
    "missing part": Fault(missing_part, "radii of the subject", (), (0.1,), (0.2, 0.4), needs_depth=True),
}


def _shown(views: Views, order: np.ndarray) -> Views:
    """Show frames in another order to the same cameras."""
    return replace(views[torch.from_numpy(order)], cameras=views.cameras)


def _filmed(truth: Truth, c2w: Tensor) -> Views:
    """Film from c2w [F,4,4], and say that it was the commanded cameras."""
    assert truth.draw is not None  # `applies_to` says so
    commanded = truth.views.cameras
    return replace(truth.draw(replace(commanded, w2c=invert_rigid(c2w))), cameras=commanded)


def _turn(vector: Tensor) -> Tensor:
    """Return the rotation [3,3] about a vector by its length in radians."""
    x, y, z = vector.tolist()
    return torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]]))


def _base(height: int, width: int) -> Tensor:
    """Return where the pixels' centres lie, [H,W,2] from -1 to 1."""
    y, x = ((2 * torch.arange(n) + 1) / n - 1 for n in (height, width))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def _moved(views: Views, shift: Tensor) -> Views:
    """Read every frame `shift` [F,H,W,2] beside each pixel, in half pictures."""
    height, width = views.images.shape[1:3]
    grid = (_base(height, width) + shift).float()
    rgba = grid_sample(_premultiplied(views).movedim(-1, 1), grid, padding_mode="border", align_corners=False)
    depths = views.depths
    if depths is not None:
        depths = grid_sample(depths[:, None], grid, mode="nearest", align_corners=False)[:, 0]
    return replace(_straight(views, rgba.movedim(1, -1)), depths=depths)


def _alphas(views: Views) -> Tensor:
    return torch.ones_like(views.images[..., 0]) if views.alphas is None else views.alphas


def _premultiplied(views: Views) -> Tensor:
    alphas = _alphas(views)[..., None]
    return torch.cat([views.images * alphas, alphas], dim=-1).float()


def _straight(views: Views, rgba: Tensor) -> Views:
    alphas = rgba[..., 3].clamp(0, 1)
    images = torch.where(alphas[..., None] > 0, rgba[..., :3] / alphas.clamp(min=1e-3)[..., None], 0.0).clamp(0, 1)
    return replace(views, images=images, alphas=None if views.alphas is None else alphas)
