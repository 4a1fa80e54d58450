"""What differs between pictures and is not the subject's: their colours, and how far each can be believed.

A generator brightens one frame and shifts the next. Every frame may have an affine map of its colours, which starts as
the identity and is pulled back to it, so that the splats keep the colour all frames agree on; and frames that stay
worse than the others, whatever the splats do, count for less. Nothing here is exported.

Shapes: F frames, H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

RATE = 2e-3  # of the maps' Adam
PULL = 0.02  # weight of the squared distance to the identity
MEMORY = 0.7  # of a frame's error: its last few visits
TOLERANCE = 1.5  # medians of error up to which a frame counts in full
STRICTNESS = 2.0  # power by which the weight falls beyond


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames' own state; grows with the fit."""

    maps: Float[Tensor, "f 3 4"]
    """rgb' = map[:, :3] rgb + map[:, 3]."""
    moments: Float[Tensor, "2 f 3 4"]
    """Adam's."""
    visits: Float[Tensor, " f"]
    """How often each was looked at."""
    errors: Float[Tensor, " f"]
    """Running mean of the squared error; 0 before the first visit."""


def new_frames(num: int, device: torch.device | str = "cpu") -> Frames:
    """Make frames that are all as they should be."""
    maps = torch.eye(3, 4, device=device).repeat(num, 1, 1)
    return Frames(maps, torch.zeros(2, num, 3, 4, device=device), torch.zeros(num), torch.zeros(num))


def recoloured(
    rgb: Float[Tensor, "h w 3"], left: Float[Tensor, "h w"], matrix: Float[Tensor, "3 4"]
) -> Float[Tensor, "h w 3"]:
    """Map the colours of a premultiplied picture; what lets light through takes its share of the shift."""
    return rgb @ matrix[:, :3].T + (1 - left)[..., None] * matrix[:, 3]


def learn_map(frames: Frames, k: int, gradient: Float[Tensor, "3 4"]) -> None:
    """Take one step of Adam on frame k's map, in place."""
    gradient = gradient + 2 * PULL * (frames.maps[k] - torch.eye(3, 4).to(gradient))
    first, second = frames.moments[0, k], frames.moments[1, k]
    first.lerp_(gradient, 0.1)
    second.lerp_(gradient * gradient, 0.01)
    visit = float(frames.visits[k]) + 1
    frames.maps[k] -= RATE * (first / (1 - 0.9**visit)) / ((second / (1 - 0.99**visit)).sqrt() + 1e-12)


def learn_error(frames: Frames, k: int, error: float) -> None:
    """Remember how wrong frame k came out, in place."""
    before = float(frames.errors[k])
    frames.errors[k] = error if frames.visits[k] == 0 else MEMORY * before + (1 - MEMORY) * error
    frames.visits[k] += 1


def weight(frames: Frames, k: int) -> float:
    """Return how much frame k counts: 1 up to some median errors, less beyond; 1 until all were seen twice."""
    if bool((frames.visits < 2).any()):
        return 1.0
    allowed = TOLERANCE * float(frames.errors.median())
    return min(1.0, (allowed / max(float(frames.errors[k]), 1e-12)) ** STRICTNESS)
