"""What crosses the steps of pose estimation.

Shapes: F frames of H x W pixels, M matches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from recon.camera import Cameras


@dataclass(frozen=True, eq=False)
class Matches:
    """Points that show the same spot in two frames; putative, so some are wrong."""

    first: np.ndarray
    """int64 [M], a frame."""
    second: np.ndarray
    """int64 [M], a later frame."""
    xy_first: np.ndarray
    """float64 [M,2], pixels; the centre of the first pixel is (0.5, 0.5)."""
    xy_second: np.ndarray
    """float64 [M,2]."""

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One answer to where the cameras stood."""

    name: str
    """Such as "orbit", "sfm incremental", "sfm global", "silhouettes", "given"."""
    cameras: Cameras
    """F of them, in a frame of the candidate's own; those of frames that are not registered mean nothing."""
    registered: Bool[Tensor, " f"]
    """Which frames it places."""
    points: Float[Tensor, "p 3"] | None = None
    """Sparse points on the subject, in the same frame."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What its maker knows about it; JSON-able."""


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """The cameras that were found, and how far to believe them."""

    cameras: Cameras
    """F of them: world z up along the orbit's axis, the subject at the origin, its radius 1, the first camera at -y."""
    registered: Bool[Tensor, " f"]
    """Which frames have a camera."""
    points: Float[Tensor, "p 3"] | None
    """Sparse points on the subject."""
    source: str
    """The candidate it came from."""
    confidence: float
    """0 to 1."""
    reasons: tuple[str, ...]
    """One sentence for each thing that lowers the confidence."""
    facts: dict[str, Any]
    """Figures behind it, JSON-able: candidates with their scores, elevation, field of view, span."""
