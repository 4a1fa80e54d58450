"""The clip: an orbit video with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Clip:
    """F frames of H x W pixels around a subject at the origin. Camera axes are OpenCV's, the world's z is up."""

    frames: UInt8[Tensor, "f h w 3"]
    """sRGB, composited on white."""
    alpha: Float[Tensor, "f h w"] | None
    """Coverage in [0, 1]; None where unknown."""
    depth: Float[Tensor, "f h w"] | None
    """z in the camera's frame, 0 where nothing is seen; None where unknown."""
    K: Float[Tensor, "f 3 3"]
    """Intrinsics in pixels."""
    c2w: Float[Tensor, "f 4 4"] | None
    """Commanded camera-to-world matrices; None where unknown."""
    fps: int
    prompt: str
    """The user's words."""
    caption: str
    """The words that the model was given."""
    seed: int
