"""Does a clip end where it began? Then the camera went round once, which says most of what an orbit is.

Frames alone tell (`looks_closed`); and once cameras are found, they must agree with the frames about it (`closure`).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

FEWEST_FRAMES = 8
SIZE = 32  # pixels of the longer side in which frames are compared
SLACK = 1.6  # how far the last frame may be from the first, in steps from frame to frame
FAR = 0.6  # and in distances of frames half a clip apart
BESIDE = 0.75  # steps by which pairs as far apart as the last and the first frame may differ from these
FEWEST_PAIRS = 4  # of that kind
NOISE = 0.01  # of full scale, by which equal pictures may differ


def looks_closed(images: Float[Tensor, "f h w 3"], alphas: Float[Tensor, "f h w"] | None) -> bool:
    """Return whether the last frame is about as like the first as frames are that follow each other.

    Subjects that look the same from all sides always do.
    """
    if len(images) < FEWEST_FRAMES:
        return False
    small = _small(images, alphas)
    steps = _distances(small[:-1], small[1:])
    half = len(small) // 2
    across = _distances(small[:half], small[half : 2 * half])
    gap = _distances(small[-1:], small[:1])[0]
    return bool(gap <= SLACK * np.quantile(steps, 0.75) and gap <= FAR * np.median(across))


def closure(
    images: Float[Tensor, "f h w 3"], alphas: Float[Tensor, "f h w"] | None, w2c: Float[Tensor, "f 4 4"]
) -> float | None:
    """Return how different the last frame is from the first, by what cameras as far apart as theirs see elsewhere.

    About 1, or less for a clip whose light stands still, where the cameras are right. Far above where they end a turn
    that the frames do not, far below where the frames end one that the cameras do not. None where too few pairs of
    frames are as far apart, which is so on less than half a turn.
    """
    num = len(images)
    if num < FEWEST_FRAMES:
        return None
    rotation = w2c[:, :3, :3].double()
    cosine = (torch.einsum("fij,gij->fg", rotation, rotation) - 1) / 2
    apart = torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).numpy()
    step = np.median(np.diagonal(apart, offset=1))
    first, second = np.triu_indices(num, 1)
    is_like = np.abs(apart[first, second] - apart[0, -1]) <= BESIDE * step
    is_like &= (first > 0) | (second < num - 1)
    if is_like.sum() < FEWEST_PAIRS:
        return None
    small = _small(images, alphas)
    usual = np.quantile(_distances(small[first[is_like]], small[second[is_like]]), 0.75)
    return float((_distances(small[-1:], small[:1])[0] + NOISE) / (usual + NOISE))


def _small(images: Tensor, alphas: Tensor | None) -> np.ndarray:
    """Return the frames on grey, shrunk, as rows [F,3hw]."""
    pictures = images if alphas is None else images * alphas[..., None] + 0.5 * (1 - alphas[..., None])
    scale = SIZE / max(pictures.shape[1:3])
    size = [max(round(side * scale), 4) for side in pictures.shape[1:3]]
    return interpolate(pictures.movedim(-1, 1), size=size, mode="area").flatten(1).numpy()


def _distances(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(one - two).mean(axis=1))
