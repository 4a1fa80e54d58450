"""Alphas for any clip that goes around a subject, and how far to believe them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.masks import backdrop, learned
from recon.masks.doubt import CURE, DOUBTFUL, NO_SUBJECT, doubts
from recon.masks.edges import refined
from recon.masks.plates import background_motion
from recon.masks.segment import Cut, before_anything, before_backdrop

KEPT = "No single subject stands out from the background, which is kept; --masks FOLDER takes masks of your own."
SIZE = 256  # longest side at which a mask is looked for
ESTIMATED = ("plain background", "grabcut", "rembg")  # methods that may err
Method = Literal["plain background", "grabcut", "rembg", "alpha", "given", "none"]


@dataclass(frozen=True, eq=False)
class Masking:
    """The subject of a clip."""

    alphas: Float[Tensor, "f h w"] | None
    """How much of each pixel it covers, or None where the clip shows no single subject."""
    method: Method
    doubt: float
    """0 to 1."""
    notes: tuple[str, ...]
    """A sentence for each reason to doubt, and the cure."""
    frame_doubts: tuple[float, ...]
    """0 to 1, one a frame."""


def estimate_alphas(
    images: Float[Tensor, "f h w 3"], *, seed: int = 0, progress: Callable[[float], None] | None = None
) -> Masking:
    """Cut the subject out of the frames of a clip that goes around it; sRGB in [0,1].

    A plain background, be it a gradient or have it a soft shadow, is taken away by its colour; others by what moves
    against them and by colours, at 256 pixels, with soft edges at full size; rembg's network has the last word where
    the user has it and the result is doubtful. `alphas` is None where no single subject is seen. `progress` gets the
    share that is done. Nothing is random; `seed` is there for methods to come. Cost: 0.4 CPU s a frame of 640 x 480.
    """
    tell = progress or (lambda share: None)
    full = images.numpy()
    frames = np.stack([shrunk(image, SIZE) for image in full])
    ring = backdrop.border(frames.shape[1], frames.shape[2], backdrop.BORDER)
    fits = [backdrop.fitted_backdrop(frame, ring) for frame in frames]
    is_plain = np.quantile([share for _, share in fits], 0.2) >= backdrop.PLAIN_SHARE
    tell(0.1)
    method: Method = "plain background" if is_plain else "grabcut"
    if is_plain:
        found, is_known = before_backdrop(frames, np.stack([plain for plain, _ in fits])), True
    else:
        motion = background_motion(frames)
        tell(0.3)
        found, is_known = before_anything(frames, motion), motion.is_known
    tell(0.7)
    doubt, frame_doubts, notes = doubts(found, frames, is_known)
    if doubt >= DOUBTFUL and learned.is_available():
        return _by_network(full, found, frame_doubts)
    if not found.masks.any() or (not is_plain and doubt >= NO_SUBJECT):
        return Masking(None, "none", doubt, (KEPT,), ())
    alphas = np.empty(full.shape[:3], np.float32)
    for index, (mask, image) in enumerate(zip(found.masks, full)):
        alphas[index] = refined(mask, image)
        tell(0.7 + 0.3 * (index + 1) / len(full))
    return Masking(torch.from_numpy(alphas), method, doubt, notes, tuple(frame_doubts.tolist()))


def _by_network(full: np.ndarray, found: Cut, frame_doubts: np.ndarray) -> Masking:
    """Take the network's masks; where they agree with ours both are likely right."""
    alphas = learned.learned_alphas(full)
    small = np.stack([shrunk(alpha[..., None], SIZE)[..., 0] for alpha in alphas]) > 0.5
    ours = found.masks
    ious = (small & ours).sum((1, 2)) / np.maximum((small | ours).sum((1, 2)), 1)
    each = np.minimum(frame_doubts, 1 - ious)
    doubt = float(each.mean())
    notes = (f"rembg's masks and those by colour and motion overlap by {ious.mean():.0%}.",)
    if doubt >= DOUBTFUL:
        notes = (*notes, CURE)
    return Masking(torch.from_numpy(alphas), "rembg", doubt, notes, tuple(each.tolist()))


def shrunk(image: np.ndarray, size: int) -> np.ndarray:
    """Return a picture [H,W,3] whose longer side is at most `size`, averaged over areas."""
    scale = size / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    whole = torch.from_numpy(image).permute(2, 0, 1)[None]
    return torch.nn.functional.interpolate(whole, (height, width), mode="area")[0].permute(1, 2, 0).numpy()
