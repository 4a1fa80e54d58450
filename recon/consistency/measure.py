"""How well the frames of a clip agree with each other, in figures for each frame.

Every figure is 0 (or high, in dB) where all frames are pictures of one solid under one light, whatever it looks like,
so that one limit serves all subjects (verdict.py). Learned judges of consistency see it where there is none; these
are measured on the pictures alone.

Shapes: F frames of H x W pixels, brought down to h x w.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import Cameras
from recon.consistency import motion
from recon.consistency.bend import bend
from recon.consistency.held_out import held_out
from recon.consistency.silhouettes import MOST, haze, outlines
from recon.poses import blob
from recon.poses.epipolar import sampson_px
from recon.poses.types import Matches
from recon.views import Views

SIZE = 64  # pixels along the longer side at which everything is measured; 96 tells no more apart and costs twice
REFERENCE = 256  # pixels: shifts and distances are given at this size
INLIER_PX = 2.0  # at 256
DEPTH_TOLERANCE = 0.05  # of half of what a picture shows
FEWEST = 6  # frames
GLEAMS = 0.02  # share of the subject from which on a frame gleams, and leaves a ghost
GHOST_REACH = 2.5  # usual distances between neighbours: how far it is seen in renders from beside it
FACTS = ("closure", "spacing_deg", "pixel", "has_estimated_masks")  # fields of a clip, not of its frames


@dataclass(frozen=True, eq=False)
class Consistency:
    """One value a frame; NaN where there was nothing to measure it with."""

    held_out_db: np.ndarray
    """Masked PSNR of renders from fits that had left the frame out."""
    gap_db: np.ndarray
    """How much better it is rendered from fits that had it."""
    flexible_db: np.ndarray
    """How many dB the held-out render gains when it may be bent and tinted."""
    shift: np.ndarray
    """How far it must be bent to fit, mean over the subject in pixels of 256."""
    tint: np.ndarray
    """How far its colours are shifted apart, in sRGB."""
    gain: np.ndarray
    """How far its brightness differs."""
    worst: np.ndarray
    """Difference of colour or coverage, in the worst spot, from the render of a fit that had it, bent and tinted."""
    unexplained: np.ndarray
    """Share of its mask outside the hull of the others."""
    denied: np.ndarray
    """Area that its mask takes from the others' masks, by a mask's area."""
    haze: np.ndarray
    """Area that is partly covered, but no outline, by the mask's area."""
    off_epipolar: np.ndarray
    """Share of its matches that lie more than 2 px of 256 beside their epipolar lines."""
    gleam: np.ndarray
    """Share of it that gleams as no other view shows."""
    depth_off: np.ndarray
    """Share of its depth map that its neighbours see through."""
    frozen: np.ndarray
    """1 where it repeats the frame before though the camera moved on."""
    jitter: np.ndarray
    """How far its camera stands beside the middle of its neighbours, in steps."""
    closure: float
    """The step from the last frame to the first by the median step; NaN where the orbit is open."""
    spacing_deg: float
    """Median angle at the subject from each camera to the nearest other one."""
    pixel: float
    """A pixel of the pictures as they were given, in pixels of 256."""
    has_estimated_masks: bool
    """Whether the masks may err where the pictures do not."""

    def __len__(self) -> int:
        return len(self.shift)

    def curves(self) -> dict[str, np.ndarray]:
        """Return all that has one value a frame, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in FACTS}


def measure(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    cameras: Cameras,
    *,
    depths: Float[Tensor, "f h w"] | None = None,
    matches: Matches | None = None,
    has_estimated_masks: bool = False,
    seed: int = 0,
) -> Consistency:
    """Measure how well frames and cameras go together.

    Images are sRGB in [0,1] with straight colour, depths z in the camera (0: nothing). Frames come in the order of the
    clip; matches carry pixels of the images as given. Costs about 3 CPU-seconds for 32 frames of any size.
    The same seed gives the same figures. Raises ValueError for fewer than 6 frames.
    """
    num = len(images)
    if num < FEWEST:
        raise ValueError(f"{num} frames cannot be held against each other; at least {FEWEST} are needed.")
    views = blob.shrunk(Views(images, alphas, depths, cameras), SIZE)
    rgba = blob.targets(views)
    left_out, taken = held_out(views, seed=seed)
    bends = [bend(drawn, frame) for drawn, frame in zip(left_out, rgba, strict=True)]
    gleams = np.flatnonzero([b.gleam > GLEAMS for b in bends])
    has_ghosts = np.array([row[gleams].any() for row in motion.neighbours(cameras, GHOST_REACH)])
    for f in np.flatnonzero(has_ghosts):
        bends[f] = bend(left_out[f], rgba[f], has_ghosts=True)
    squares = np.array([b.squares for b in bends])
    fitted = [bend(taken[f], rgba[f], has_ghosts=bool(has_ghosts[f])) for f in range(num)]
    still, _, tinted = decibels(squares).T
    unknown = np.full(num, np.nan)
    hulls = outlines(views) if alphas is not None and num <= MOST else None
    change = motion.steps(rgba)
    size = max(rgba.shape[1:3])
    return Consistency(
        held_out_db=still,
        gap_db=decibels(np.array([b.squares[0] for b in fitted])) - still,
        flexible_db=tinted - still,
        shift=REFERENCE / size * np.array([b.shift for b in bends]),
        tint=np.array([b.tint for b in bends]),
        gain=np.array([b.gain for b in bends]),
        worst=np.array([b.worst for b in fitted]),
        unexplained=unknown if hulls is None else hulls.unexplained,
        denied=unknown if hulls is None else hulls.denied,
        haze=unknown if views.alphas is None else haze(views.alphas),
        off_epipolar=unknown if matches is None else _off_epipolar(matches, cameras),
        gleam=np.array([b.gleam for b in bends]),
        depth_off=unknown if views.depths is None else _depth_off(views),
        frozen=motion.frozen(change, cameras).astype(float),
        jitter=motion.jitter(cameras),
        closure=motion.closure(change, cameras),
        spacing_deg=motion.spacing_deg(cameras),
        pixel=REFERENCE / max(cameras.height, cameras.width),
        has_estimated_masks=has_estimated_masks,
    )


def decibels(squares: np.ndarray) -> np.ndarray:
    """Return the PSNR of mean squared errors, at most 60 dB."""
    return -10 * np.log10(np.maximum(squares, 1e-6))


def _off_epipolar(matches: Matches, cameras: Cameras) -> np.ndarray:
    """Return the share of every frame's matches that are no inliers; NaN for frames without matches."""
    K = cameras.K.double().mean(dim=0).numpy()
    distance = np.abs(sampson_px(matches, cameras.w2c.double().numpy(), K))
    off = distance > INLIER_PX * max(cameras.height, cameras.width) / REFERENCE
    frames = np.concatenate([matches.first, matches.second])
    total = np.bincount(frames, minlength=len(cameras)).astype(float)
    wrong = np.bincount(frames, weights=np.concatenate([off, off]), minlength=len(cameras))
    return np.where(total > 0, wrong / np.maximum(total, 1), np.nan)


def _depth_off(views: Views) -> np.ndarray:
    assert views.depths is not None
    _, half = blob.half_width(views.cameras)
    inside = views.depths if views.alphas is None else torch.where(views.alphas > 0.9, views.depths, 0.0)
    return motion.depth_violations(inside, views.cameras, DEPTH_TOLERANCE * half)
