"""How near estimated cameras come to the true ones, whatever frame and scale they are in.

A pair's error is the larger of two angles: between its true and its estimated relative rotation, and between the two
directions of its relative translation. AUC@t is the area under the share of pairs with an error below x, for x from 0
to t degrees, in percent: 100 when every pair is exact, 50 when every pair is off by t / 2 (as in Jin et al., "Image
Matching across Wide Baselines", IJCV 2021).

Shapes: F frames, P pairs of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.camera import Cameras
from recon.metrics import transformed, umeyama

UNKNOWN = 180.0  # degrees, the error of a pair with a frame that has no camera
STILL = 1e-6  # a baseline below this share of the trajectory's extent has no direction


@dataclass(frozen=True)
class PoseErrors:
    """How far estimated cameras are from the truth."""

    auc_5: float
    """Percent over all pairs, those with an unregistered frame counting as 180 degrees."""
    auc_15: float
    """The same up to 15 degrees."""
    auc_30: float
    """The same up to 30 degrees."""
    rotation_deg: float
    """Median over the registered pairs."""
    ate: float
    """RMS distance of the registered centres from the true ones after the best similarity, over the RMS distance of all
    true centres from their mean: the radius, for an orbit. NaN with fewer than three frames."""
    focal_ratio: float
    """Estimated over true, median."""
    is_mirrored: bool
    """Whether the relative rotations fit the truth's mirror better than the truth: depth was read inside out."""
    num_registered: int
    """Frames with a camera."""


def compare(estimated: Cameras, truth: Cameras, registered: Bool[Tensor, " f"] | None = None) -> PoseErrors:
    """Measure estimated cameras, all of them registered unless said, against the true ones of the same frames.

    Needs two frames; raises ValueError where the counts differ. With fewer than two registered the medians are NaN.
    """
    num = len(truth)
    if num < 2 or len(estimated) != num:
        raise ValueError(
            f"{len(estimated)} estimated and {num} true cameras; give both for the same two or more frames."
        )
    known = torch.ones(num, dtype=torch.bool) if registered is None else registered
    first, second = torch.triu_indices(num, num, offset=1)
    seen = known[first] & known[second]  # P
    rotation, direction = _pair_errors(estimated, truth, first, second)
    errors = torch.where(seen, torch.maximum(rotation, direction), UNKNOWN)
    relative = _relative(estimated, first, second)[0]
    mirror_rotation = _angles(mirrored_rotations(relative), _relative(truth, first, second)[0])
    focal = (estimated.K[:, 0, 0] / truth.K[:, 0, 0])[known].double()
    return PoseErrors(
        auc_5=auc(errors, 5.0),
        auc_15=auc(errors, 15.0),
        auc_30=auc(errors, 30.0),
        rotation_deg=float(rotation[seen].median()) if bool(seen.any()) else float("nan"),
        ate=_ate(estimated, truth, known),
        focal_ratio=float(focal.median()) if len(focal) else float("nan"),
        is_mirrored=bool(seen.any()) and float(mirror_rotation[seen].mean()) < float(rotation[seen].mean()),
        num_registered=int(known.sum()),
    )


def auc(errors_deg: Float[Tensor, " p"], threshold: float) -> float:
    """Return the area under the cumulative curve of errors up to a threshold in degrees, in percent."""
    return 100 * float((1 - errors_deg.double() / threshold).clamp(min=0).mean())


def mirrored_rotations(relative: Float[Tensor, "p 3 3"]) -> Float[Tensor, "p 3 3"]:
    """Turn relative rotations into those that show a far subject the same with depth inside out.

    An orthographic camera cannot tell a shape and its motion from the shape's reflection in the picture plane and the
    motion reflected with it (the Necker reversal): F R F with F = diag(1, 1, -1).
    """
    flip = relative.new_tensor([1.0, 1.0, -1.0])
    return flip[:, None] * relative * flip


def _pair_errors(estimated: Cameras, truth: Cameras, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return each pair's angle between the rotations and between the translations' directions, in degrees."""
    rotation, translation = _relative(estimated, first, second)
    true_rotation, true_translation = _relative(truth, first, second)
    extent = (truth.centers - truth.centers.mean(dim=0)).norm(dim=1).max().double()
    cosine = torch.nn.functional.cosine_similarity(translation, true_translation, dim=1, eps=1e-12)
    direction = torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))
    moved = true_translation.norm(dim=1) > STILL * extent
    return _angles(rotation, true_rotation), torch.where(moved, direction, 0.0)


def _relative(cameras: Cameras, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return rotation [P,3,3] and translation [P,3] from the first camera's frame to the second's, in float64."""
    between = cameras.w2c.double()[second] @ cameras.c2w.double()[first]
    return between[:, :3, :3], between[:, :3, 3]


def _angles(a: Tensor, b: Tensor) -> Tensor:
    """Return the angles between rotations, in degrees, exact for small ones: |A - B| = 2 sqrt(2) sin(angle / 2)."""
    half_sine = (a - b).flatten(1).norm(dim=1) / 8**0.5
    return torch.rad2deg(2 * torch.arcsin(half_sine.clamp(max=1)))


def _ate(estimated: Cameras, truth: Cameras, known: Tensor) -> float:
    if int(known.sum()) < 3:
        return float("nan")
    target = truth.centers.double()
    moved = transformed(estimated.centers[known], umeyama(estimated.centers[known].double(), target[known]))
    radius = (target - target.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    return float((moved - target[known]).square().sum(dim=1).mean().sqrt() / radius)
