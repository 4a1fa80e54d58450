"""Cut one subject out of a clip, in rounds: what is known of the background and of colours says where the subject is,
and where it is says more about both (GrabCut, Rother et al. 2004, with the frames sharing their models).

Evidence is a log-likelihood ratio, positive for the subject. It comes from the difference to a background that is known
(a backdrop, or a plate), from colours, and from the place in the picture.

Shapes: F frames of h x w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from recon.masks import backdrop
from recon.masks.colors import binned, histogram, log_ratio
from recon.masks.cut import cut
from recon.masks.plates import Motion, plate_differences, textured

MOST = 3.0  # evidence of one kind
SPREAD = 0.25  # mean difference between subject and background, where they differ
ASTRAY = 0.05  # share of background pixels that differ for some other reason
WEIGHT = 0.22  # of evidence against outline
COLOR_BESIDE_BACKDROP, COLOR, PLACE = 0.35, 0.6, 0.6  # weights of what is less sure than a known background
ENCLOSED = 1.0  # least evidence of what moving pixels enclose, where the background has less than half the texture
HALF_TEXTURED = 0.5
NUM_STEPS = 120  # of a cut
FAINT = 0.02  # least noise of a backdrop: what it lets through, such as a black stand on black, is no subject
SHADOW = -2.0  # evidence of a soft shadow on a backdrop
NEAR_FRAMES = 2  # to each side, whose backgrounds' colours count as this frame's
RIM = 0.08  # width of the border that is background at first, in longer sides
SMALLEST = 0.05  # parts smaller than this share of the largest are dust
SETTLED = 0.02  # share of the masks that a round changes, for it to be the last
HOLE = 0.002  # holes smaller than this share of the picture are filled


@dataclass(frozen=True, eq=False)
class Cut:
    """Masks, and what they rest on."""

    masks: np.ndarray
    """bool [F,h,w]."""
    evidence: np.ndarray
    """float32 [F,h,w], of the last round."""
    color_evidence: np.ndarray
    """float32 [F,h,w], the part of colours."""
    subject_colors: np.ndarray
    """Histogram of the subject, see colors.py."""
    background_colors: np.ndarray
    """Histogram of the background, over all frames."""


def before_backdrop(frames: np.ndarray, backdrops: np.ndarray) -> Cut:
    """Cut a subject out of frames [F,h,w,3] before backdrops [F,h,w,3] that fit their borders."""
    backdrops = backdrops.copy()
    masks = np.zeros(frames.shape[:3], bool)
    bins = binned(frames)
    result = None
    for round_index in range(2):
        differences = np.abs(frames - backdrops).max(-1)
        noise = max(noise_level(differences), FAINT)
        known = difference_evidence(differences, noise)
        shadows = np.stack(
            [
                backdrop.soft_shadow(frame, plain, difference < max(0.03, 3 * noise))
                for frame, plain, difference in zip(frames, backdrops, differences)
            ]
        )
        known[shadows] = SHADOW
        inside, outside = (known > MOST / 2, known < 0) if round_index == 0 else (masks, np.logical_not(masks))
        subject, background = histogram(bins, inside), histogram(bins, outside)
        colors = np.clip(log_ratio(bins, subject, background), -MOST, MOST)
        evidence = known + COLOR_BESIDE_BACKDROP * np.where(shadows, np.minimum(colors, 0), colors)
        masks = np.stack([cleaned(cut(WEIGHT * e, frame, NUM_STEPS) > 0.5) for e, frame in zip(evidence, frames)])
        result = Cut(masks, evidence, colors, subject, background)
        if round_index == 0:
            for index, (frame, mask) in enumerate(zip(frames, masks)):
                outside = np.logical_not(ndimage.binary_dilation(mask | shadows[index], iterations=4))
                if outside.mean() > 0.1:
                    backdrops[index] = backdrop.fitted_backdrop(frame, outside, order=3)[0]
    assert result is not None
    return result


def before_anything(frames: np.ndarray, motion: Motion, num_rounds: int = 3) -> Cut:
    """Cut a subject near the middle out of frames [F,h,w,3], with what `motion` knows of the background."""
    _, height, width, _ = frames.shape
    bins = binned(frames)
    place = np.broadcast_to(central(height, width), frames.shape[:3])
    rim = backdrop.border(height, width, RIM)
    masks: np.ndarray | None = None
    u = None
    result = None
    for _ in range(num_rounds):
        known = np.zeros(frames.shape[:3], np.float32)
        if motion.is_known:
            known = plate_evidence(frames, motion, masks, rim)
        if masks is None:
            weights = np.broadcast_to(np.exp(place - 1.0), frames.shape[:3]) * np.exp(np.minimum(known, 1.5))
            outside = np.broadcast_to(rim, frames.shape[:3])
        else:
            grown = np.stack([ndimage.binary_dilation(mask, iterations=2) for mask in masks])
            weights, outside = masks, np.logical_not(grown)
        subject, colors, background = color_evidence(bins, weights, outside)
        evidence = known + COLOR * colors + PLACE * place
        cuts = [
            cut(WEIGHT * e, frame, NUM_STEPS, None if u is None else u[index])
            for index, (e, frame) in enumerate(zip(evidence, frames))
        ]
        u = np.stack(cuts)
        before, masks = masks, np.stack([cleaned(x > 0.5, 0.3) for x in u])
        place = remembered(masks)
        result = Cut(masks, evidence, colors, subject, background)
        if before is not None and (before != masks).sum() < SETTLED * masks.sum():
            break
    assert result is not None
    return result


def noise_level(differences: np.ndarray) -> float:
    """Return the scale of what differs from the background [F,h,w] by noise, from the border."""
    ring = backdrop.border(differences.shape[1], differences.shape[2], backdrop.BORDER)
    return float(np.median(differences[:, ring])) + 0.006


def difference_evidence(differences: np.ndarray, noise: float) -> np.ndarray:
    """Return what differences from a known background say: Laplace's law with the noise's scale, or a wide one."""
    subject = np.exp(-differences / SPREAD) / SPREAD
    background = (1 - ASTRAY) * np.exp(-differences / noise) / noise + ASTRAY * subject
    return np.clip(np.log(subject / background), -MOST, MOST).astype(np.float32)


def plate_evidence(frames: np.ndarray, motion: Motion, masks: np.ndarray | None, rim: np.ndarray) -> np.ndarray:
    """Return what the plates say. At first what stays counts little where it is plain: it may be the subject's."""
    differences, sureness, plates = plate_differences(frames, motion, masks)
    noise = noise_level(differences)
    evidence = difference_evidence(differences, noise) * sureness
    for index in range(len(frames)):
        shadow = backdrop.soft_shadow(
            frames[index], plates[index], differences[index] < max(0.03, 3 * noise), 1 / backdrop.DARKEST
        )
        evidence[index][shadow] = np.minimum(evidence[index][shadow], SHADOW * sureness[index][shadow])
        within = enclosed(evidence[index] > 1) & (textured(plates[index]) < HALF_TEXTURED)
        evidence[index][within] = np.maximum(evidence[index][within], ENCLOSED)
    false_alarms = float((evidence[:, rim] > 0).mean())
    evidence *= max(0.0, 1 - 2 * false_alarms)
    if masks is None:
        return np.maximum(evidence, -0.5 - 2 * np.stack([textured(plate) for plate in plates]))
    return evidence


def enclosed(moving: np.ndarray) -> np.ndarray:
    """Return what lies within what moves [h,w] bool: a subject's plain middle looks the same in many frames."""
    closed = np.pad(moving, 1)
    rounds = max(1, moving.shape[1] // 30)
    closed = ndimage.binary_closing(closed, iterations=rounds)
    return ndimage.binary_fill_holes(closed)[1:-1, 1:-1] & ~moving  # type: ignore[index]


def color_evidence(
    bins: np.ndarray, weights: np.ndarray, outside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the subject's histogram, the colours' evidence [F,h,w], and the background's histogram over all frames.

    All frames share the subject's colours; the background's are those of a frame and its neighbours.
    """
    subject = histogram(bins, weights)
    evidence = []
    for index in range(len(bins)):
        near = slice(max(0, index - NEAR_FRAMES), index + NEAR_FRAMES + 1)
        evidence.append(log_ratio(bins[index], subject, histogram(bins[near], outside[near])))
    return subject, np.clip(np.stack(evidence), -MOST, MOST), histogram(bins, outside)


def central(height: int, width: int) -> np.ndarray:
    """Return the evidence of the place alone [h,w]: the subject is near the middle, 1 there and -2 at the sides."""
    v, u = np.mgrid[:height, :width].astype(np.float32)
    v, u = 2 * (v + 0.5) / height - 1, 2 * (u + 0.5) / width - 1
    return np.maximum(1 - 3 * (u * u + v * v), -MOST)


def remembered(masks: np.ndarray) -> np.ndarray:
    """Return the evidence of where a frame's neighbours have the subject [F,h,w]."""
    near = ndimage.gaussian_filter(masks.astype(np.float32), (1.0, *[masks.shape[1] / 50] * 2), mode="nearest")
    return np.log((near + 0.1) / (1.1 - near))


def cleaned(mask: np.ndarray, smallest: float = SMALLEST) -> np.ndarray:
    """Return a mask without dust and pinholes."""
    if not mask.any():
        return mask
    parts = np.asarray(ndimage.label(mask)[0])  # type: ignore[index]
    areas = np.bincount(parts.ravel())[1:]
    mask = np.isin(parts, 1 + np.flatnonzero(areas >= smallest * areas.max()))
    holes = np.asarray(ndimage.label(~mask)[0])  # type: ignore[index]
    sizes = np.bincount(holes.ravel())
    return mask | np.isin(holes, np.flatnonzero(sizes < HOLE * mask.size))
