"""How far to believe masks: what a wrong mask looks like, put in sentences.

Shapes: F frames of h x w pixels.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.masks import backdrop
from recon.masks.colors import overlap
from recon.masks.segment import Cut

CURE = "Give your own masks with --masks FOLDER, or keep the background with --no-mask."
DOUBTFUL = 0.5  # from here on the cure is named
NO_SUBJECT = 0.58  # from here on, before a background that is not plain, nothing is cut
SMALL, LARGE = 0.01, 0.75  # of the picture that a subject covers


def doubts(cut: Cut, frames: np.ndarray, background_known: bool) -> tuple[float, np.ndarray, tuple[str, ...]]:
    """Return the doubt of a clip's masks (0 to 1), of each frame's [F], and a sentence for each reason.

    Reasons are independent: the clip's doubt is 1 minus the product of what each leaves.
    """
    masks = cut.masks
    areas = masks.mean((1, 2))
    usual = max(float(np.median(areas)), 1e-6)
    outline = np.array([_outline_on_edges(mask, frame) for mask, frame in zip(masks, frames)])
    unsure = np.array([_undecided(mask, evidence) for mask, evidence in zip(masks, cut.evidence)])
    touching = np.array([_on_border(mask) for mask in masks])
    jumps = np.abs(np.log(np.maximum(areas, 1e-6) / usual))
    if len(masks) >= 3:
        near = ndimage.median_filter(areas, 3, mode="nearest")
        jumps = np.minimum(jumps, np.abs(np.log(np.maximum(areas, 1e-6) / np.maximum(near, 1e-6))) + 0.3 * jumps)
    parts = np.array([_beside_largest(mask) for mask in masks])
    alike = overlap(cut.subject_colors, cut.background_colors)
    frame_reasons = {
        "The subject runs out of the picture": _ramp(touching, 0.03, 0.25) * 0.9,
        "The mask falls apart or has holes": _ramp(parts, 0.06, 0.3) * 0.9,
        "The masked area jumps": _ramp(jumps, 0.2, 0.9) * 0.8,
        "The outline does not follow edges of the picture": _ramp(-outline, -1.8, -0.9) * 0.7,
        "Colours and motion do not decide": _ramp(unsure, 0.12, 0.45) * 0.9,
        "The mask is too small or too large to be a subject's": np.maximum(
            _ramp(-areas, -SMALL, 0), _ramp(areas, LARGE - 0.15, LARGE)
        ),
    }
    clip_reasons = {"Subject and background have the same colours": float(_ramp(alike, 0.35, 0.8)) * 0.45}
    if not background_known:
        clip_reasons["The background is neither plain nor seen to move as one"] = 0.4
    each = np.prod([1 - values for values in frame_reasons.values()], axis=0)
    whole = float(np.prod([1 - value for value in clip_reasons.values()]))
    frame_doubts = 1 - each * whole
    doubt = 1 - whole * float(np.prod([1 - values.mean() for values in frame_reasons.values()]))
    notes = [_told(reason, values, len(masks)) for reason, values in frame_reasons.items() if values.mean() > 0.1]
    notes += [f"{reason}." for reason, value in clip_reasons.items() if value > 0.15]
    if doubt >= DOUBTFUL:
        notes.append(CURE)
    return doubt, frame_doubts, tuple(notes)


def _told(reason: str, values: np.ndarray, num_frames: int) -> str:
    return f"{reason} in {int((values > 0.1).sum())} of {num_frames} frames."


def _ramp(values: np.ndarray | float, good: float, bad: float) -> np.ndarray:
    """Return 0 for values up to `good`, 1 from `bad` on."""
    return np.clip((np.asarray(values) - good) / (bad - good), 0, 1)


def _on_border(mask: np.ndarray) -> float:
    """Return the share of the picture's border that the mask covers."""
    return float(mask[backdrop.border(mask.shape[0], mask.shape[1], 1 / max(mask.shape))].mean())


def _beside_largest(mask: np.ndarray) -> float:
    """Return the share of a mask, its holes filled, that is not of its largest part."""
    if not mask.any():
        return 0.0
    areas = np.bincount(np.asarray(ndimage.label(mask)[0]).ravel())[1:]  # type: ignore[index]
    return float(1 - areas.max() / np.asarray(ndimage.binary_fill_holes(mask)).sum())


def _outline_on_edges(mask: np.ndarray, frame: np.ndarray) -> float:
    """Return how steep the picture is along the outline, against the picture beside it: 1 for any outline."""
    if not mask.any() or mask.all():
        return 0.0
    steep = np.linalg.norm([ndimage.gaussian_gradient_magnitude(frame[..., c], 1.0) for c in range(3)], axis=0)
    steep = ndimage.maximum_filter(steep, 3)
    depth = np.asarray(ndimage.distance_transform_edt(mask)) - ndimage.distance_transform_edt(~mask)
    on, beside = np.abs(depth) <= 1, (np.abs(depth) > 4) & (np.abs(depth) <= 9)
    return (
        float(np.median(steep[on]) / max(float(np.median(steep[beside])), 1e-3)) if on.any() and beside.any() else 0.0
    )


def _undecided(mask: np.ndarray, evidence: np.ndarray) -> float:
    """Return the share of the mask, and of as much around it, where the evidence speaks weakly or against the mask."""
    if not mask.any():
        return 1.0
    near = ndimage.distance_transform_edt(~mask) <= 0.25 * np.sqrt(mask.sum())
    signed = np.where(mask, evidence, -evidence)[near]
    return float((signed < 0.5).mean())
