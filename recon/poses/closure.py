"""Does a clip end where it began? Then the camera went round once, which says most of what an orbit is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

SIZE = 32  # pixels of the longer side in which frames are compared
SLACK = 1.6  # how far the last frame may be from the first, in steps from frame to frame
FAR = 0.6  # and in distances of frames half a clip apart


def looks_closed(images: Float[Tensor, "f h w 3"], alphas: Float[Tensor, "f h w"] | None) -> bool:
    """Return whether the last frame is about as like the first as frames are that follow each other.

    Subjects that look the same from all sides always do.
    """
    if len(images) < 8:
        return False
    pictures = images if alphas is None else images * alphas[..., None] + 0.5 * (1 - alphas[..., None])
    scale = SIZE / max(pictures.shape[1:3])
    size = [max(round(side * scale), 4) for side in pictures.shape[1:3]]
    small = interpolate(pictures.movedim(-1, 1), size=size, mode="area").flatten(1).numpy()  # F 3hw
    steps = _distances(small[:-1], small[1:])
    half = len(small) // 2
    across = _distances(small[:half], small[half : 2 * half])
    gap = _distances(small[-1:], small[:1])[0]
    return bool(gap <= SLACK * np.quantile(steps, 0.75) and gap <= FAR * np.median(across))


def _distances(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(one - two).mean(axis=1))
