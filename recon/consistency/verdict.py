"""The verdict: whether frames and cameras make one solid, which frames are at fault, and what is left without them.

A frame's trouble is the largest of its figures by their limits; above 1 it is at fault. The clip's medians have limits
of their own, tighter ones: a little wrong in every frame is seen as well. Clips within all limits are accepted. A
minority at fault is left out, and where the rest then agrees the clip is repaired; otherwise it is refused.

Shapes: F frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import Cameras
from recon.consistency.measure import Consistency, measure
from recon.consistency.motion import largest_gap_deg
from recon.poses.types import Matches

# Limits lie above what clean clips show and below what a person sees: benchmarks/verdict.py. Those of one frame:
LIMITS = {
    "shift": 2.1,
    "worst": 0.11,
    "unexplained": 0.01,
    "denied": 0.06,
    "haze": 0.15,
    "tint": 0.05,
    "gain": 0.11,
    "depth_off": 0.1,
    "off_epipolar": 0.6,  # a warp of 3 px leaves 0.5
}
# And those of the clip's median, where all frames lie a little.
CLIP_LIMITS = {"shift": 1.2, "worst": 0.06, "unexplained": 0.004, "tint": 0.025, "gain": 0.05}
# They are for views of 256 px, 11 degrees apart. Renders are worse where views are fewer, in proportion, up to twice;
# and where pixels are coarse less is seen: spots and outlines by the root of a pixel's size, shifts from a pixel up.
SPACING_DEG, LOOSEST = 11.25, 2.0
SPACED, COARSE = ("shift", "worst", "tint", "gain"), ("worst", "unexplained", "denied")
# Masks that were estimated err along the outline, by which a person sees no fault.
MASKED, LOOSER = ("worst", "unexplained", "denied"), 1.5
FINEST = {False: 0.75, True: 1.0}  # pixels as given below which no shift counts, of the clip and of a frame
SAYS = {
    "shift": "must be bent by {:.1f} px (at 256) to show what the others do",
    "worst": "a spot differs by {:.0%} from what the others show",
    "unexplained": "{:.1%} of the area lies outside the outline that the others allow",
    "denied": "parts are missing that the others show ({:.1%} of the area)",
    "haze": "ghosts cover {:.1%} of the area",
    "tint": "colours are shifted by {:.1%} of full scale",
    "gain": "brightness is off by {:.0%}",
    "depth_off": "{:.0%} of the depths are seen through by the neighbours",
    "off_epipolar": "{:.0%} of the matches lie beside their epipolar lines",
}
SHY = 0.35  # confidence of the cameras below which nothing is accepted
VICTIMS = ("unexplained",)  # figures that are as bad for those who suffer from a frame as for the frame itself
WORST_FIRST = 0.6  # of the largest blame: frames with less may only suffer from the others, and are measured again
MOST_DROPPED = 0.4  # of the frames
FEWEST = 8  # frames that must be left
WIDEST_DEG = 60.0  # gap of azimuth that may open
ROUNDS = 3  # of dropping and measuring again

Decision = Literal["accept", "repaired", "refused"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What to think of a clip."""

    decision: Decision
    reasons: tuple[str, ...]
    """Sentences that name the figures and the frames at fault, the worst first; empty where nothing is wrong."""
    dropped: tuple[int, ...]
    """Frames to do without, ascending."""
    weights: np.ndarray
    """float64 [F], how much each frame should count: 1 within the limits, less beyond, 0 where dropped."""
    trouble: np.ndarray
    """float64 [F], each frame's largest figure by its limit."""
    clip_trouble: float
    """The largest of the clip's medians by its limit."""

    @property
    def score(self) -> float:
        """The largest trouble of all: up to 1 is accepted."""
        return max(float(self.trouble.max()), self.clip_trouble)

    def facts(self) -> dict[str, Any]:
        """Return it for a manifest, JSON-able."""
        return {
            "decision": self.decision,
            "reasons": list(self.reasons),
            "dropped_frames": list(self.dropped),
            "clip_trouble": round(self.clip_trouble, 3),
            "frame_trouble": [round(float(value), 3) for value in self.trouble],
        }


def trouble(consistency: Consistency) -> Float[np.ndarray, "k f"]:
    """Return every limited figure of every frame by its limit, in the order of LIMITS; 0 where it was not measured."""
    curves, limit = consistency.curves(), limits(consistency, LIMITS, of_frame=True)
    return np.stack([np.nan_to_num(curves[name]) / limit[name] for name in LIMITS])


def blame(consistency: Consistency) -> Float[np.ndarray, " f"]:
    """Return each frame's trouble, as far as it is of its own making."""
    own = [row for row, name in enumerate(LIMITS) if name not in VICTIMS]
    return trouble(consistency)[own].max(axis=0)


def limits(consistency: Consistency, strict: dict[str, float], *, of_frame: bool) -> dict[str, float]:
    """Return limits as they hold for a clip of its spacing and resolution."""
    loose = min(max(consistency.spacing_deg / SPACING_DEG, 1.0), LOOSEST)
    found = {name: limit * (loose if name in SPACED else 1.0) for name, limit in strict.items()}
    coarse = min(max(consistency.pixel, 1.0), LOOSEST**2) ** 0.5
    if consistency.has_estimated_masks:
        found = {name: limit * (LOOSER if name in MASKED else 1.0) for name, limit in found.items()}
    shift = max(found["shift"], FINEST[of_frame] * consistency.pixel)
    return {name: limit * (coarse if name in COARSE else 1.0) for name, limit in found.items()} | {"shift": shift}


def clip_trouble(consistency: Consistency) -> dict[str, float]:
    """Return the clip's medians by their limits, 0 where nothing was measured."""
    curves, limit = consistency.curves(), limits(consistency, CLIP_LIMITS, of_frame=False)
    return {name: float(np.median(np.nan_to_num(curves[name]))) / limit[name] for name in CLIP_LIMITS}


def verdict(consistency: Consistency, poses_confidence: float | None = None) -> Verdict:
    """Judge a clip by its figures; never "repaired", for that takes a second measurement (`repair`).

    With the confidence of estimated cameras (0 to 1), a low one is a reason to refuse.
    """
    by_figure, of_clip = trouble(consistency), clip_trouble(consistency)
    worst = by_figure.max(axis=0)
    reasons = (*_clip_reasons(consistency, of_clip), *_reasons(consistency, by_figure))
    if poses_confidence is not None and poses_confidence < SHY:
        reasons = (f"The cameras are not to be trusted: confidence {poses_confidence:.2f}.", *reasons)
    return Verdict(
        decision="refused" if reasons else "accept",
        reasons=reasons,
        dropped=(),
        weights=np.minimum(1.0, 1.0 / np.maximum(worst, 1e-9)) ** 2,
        trouble=worst,
        clip_trouble=max(of_clip.values()),
    )


def repair(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    cameras: Cameras,
    consistency: Consistency,
    *,
    depths: Float[Tensor, "f h w"] | None = None,
    matches: Matches | None = None,
    poses_confidence: float | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda step, total: None,
) -> Verdict:
    """Judge a clip, and where a minority of its frames is at fault, judge it again without them.

    `consistency` is what `measure` said of the same clip. The worst frames go first: what stands beside them is only
    spoilt by them. "repaired" needs 8 frames, three fifths of them all, and no gap wider than 60 degrees that was not
    there before. Up to three measurements more, about 3 CPU-seconds each.
    """
    first = verdict(consistency, poses_confidence)
    if first.decision == "accept" or (poses_confidence is not None and poses_confidence < SHY):
        return first
    num, kept, again = len(cameras), np.arange(len(cameras)), consistency
    for turn in range(ROUNDS):
        progress(turn, ROUNDS)
        blamed = blame(again)
        kept = kept[blamed < WORST_FIRST * blamed.max()]
        if not _enough(kept, cameras):
            return first
        index = torch.from_numpy(kept)
        again = measure(
            images[index],
            None if alphas is None else alphas[index],
            cameras[index],
            depths=None if depths is None else depths[index],
            matches=None if matches is None else _matches_of(matches, kept, num),
            has_estimated_masks=consistency.has_estimated_masks,
            seed=seed,
        )
        judged = verdict(again, poses_confidence)
        if judged.decision == "accept":
            weights = np.zeros(num)
            weights[kept] = judged.weights
            dropped = tuple(int(f) for f in range(num) if f not in kept)
            sentence = f"Without {_frames(np.array(dropped))} the others agree."
            return replace(
                first, decision="repaired", reasons=(*first.reasons, sentence), dropped=dropped, weights=weights
            )
    return first


def _enough(kept: np.ndarray, cameras: Cameras) -> bool:
    """Return whether frames are left that see the subject from all sides it was seen from."""
    if len(kept) < max(FEWEST, (1 - MOST_DROPPED) * len(cameras)):
        return False
    gap = largest_gap_deg(cameras[torch.from_numpy(kept)])
    return gap <= max(WIDEST_DEG, largest_gap_deg(cameras) + 1.0)


def _matches_of(matches: Matches, kept: np.ndarray, num: int) -> Matches:
    """Return the matches between frames that are left, counted anew."""
    number = np.full(num, -1)
    number[kept] = np.arange(len(kept))
    inside = (number[matches.first] >= 0) & (number[matches.second] >= 0)
    return Matches(
        number[matches.first[inside]],
        number[matches.second[inside]],
        matches.xy_first[inside],
        matches.xy_second[inside],
    )


def _reasons(consistency: Consistency, by_figure: np.ndarray) -> tuple[str, ...]:
    """Return a sentence for each figure that some frame exceeds, the worst figure first."""
    curves, sentences = consistency.curves(), []
    for row in np.argsort(-by_figure.max(axis=1)):
        over = np.flatnonzero(by_figure[row] > 1)
        if len(over):
            name = list(LIMITS)[row]
            value = float(curves[name][over].max())
            sentences.append(f"{_frames(over).capitalize()}: {SAYS[name].format(value)}.")
    still = np.flatnonzero((consistency.frozen > 0) & (by_figure.max(axis=0) > 1))  # a round subject may stand still
    if len(still):
        sentences.append(f"{_frames(still).capitalize()}: the picture before again, though the camera moves.")
    return tuple(sentences)


def _clip_reasons(consistency: Consistency, of_clip: dict[str, float]) -> tuple[str, ...]:
    """Return a sentence for each median beyond its limit, the worst first."""
    curves = consistency.curves()
    names = sorted((name for name, value in of_clip.items() if value > 1), key=lambda name: -of_clip[name])
    return tuple(f"Half of the frames or more: {SAYS[name].format(float(np.median(curves[name])))}." for name in names)


def _frames(indices: np.ndarray) -> str:
    """Name frames: "frame 3", "frames 3, 7 to 9 and 12"."""
    runs: list[list[int]] = []
    for index in indices.tolist():
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    names = [f"{run[0]} to {run[-1]}" if len(run) > 2 else " and ".join(map(str, run)) for run in runs]
    if len(indices) == 1:
        return f"frame {names[0]}"
    return "frames " + (", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0])
