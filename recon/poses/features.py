"""Points that two frames share, by SIFT: found, described and compared, with no geometry that could take a side.

Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004, with the Hellinger kernel of Arandjelovic
and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012. Small pictures are enlarged
first, which doubles the correct matches at 256 pixels. What lies outside the subject is painted over with the colours
of its edge, and points within a margin of the outline are left out: an outline looks like a point on the subject but
moves with the camera.

Shapes: F frames of H x W pixels, N keypoints of one frame, M matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from recon.poses.types import Matches

WORKING_SIZE = 512  # pixels of the longer side: smaller pictures are enlarged, at most twice
LARGEST = 1024  # larger ones are reduced
CONTRAST = 0.003  # of a keypoint, in full ranges; a third of Lowe's, for plain subjects
MARGIN = 0.007  # in longer sides: keypoints nearer to the outline are left out
COVERED = 0.9  # alpha from which a pixel is the subject's own
LONGEST = 0.7  # distance of unit descriptors beyond which nothing matches
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The keypoints of one frame."""

    xy: np.ndarray
    """float64 [N,2], pixels of the frame; the centre of the first pixel is (0.5, 0.5)."""
    descriptors: np.ndarray
    """float32 [N,128], unit length."""


def find_matches(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    *,
    most: int = 1200,
    ratio: float = 0.8,
    window: int | None = None,
) -> Matches:
    """Match every pair of frames, or those at most `window` apart, by SIFT.

    Each frame gives its `most` strongest keypoints. A match is mutual, and its distance is less than `ratio` times that
    to the second nearest. On orbits of 256 pixels three quarters are right between neighbours, a quarter five frames
    (60 degrees) on, and next to none across. 32 such frames cost 4 to 8 CPU seconds.
    """
    keypoints = find_keypoints(subject_greys(images, alphas), subject_masks(alphas, MARGIN), most)
    return match_keypoints(keypoints, ratio, window)


def find_keypoints(greys: np.ndarray, masks: np.ndarray | None, most: int) -> list[Keypoints]:
    """Find and describe the `most` strongest keypoints of each of the greys [F,H,W] in [0,1], inside its mask."""
    import cv2

    height, width = greys.shape[1:]
    longer = max(height, width)
    scale = min(2.0, max(1.0, WORKING_SIZE / longer), LARGEST / longer)
    size = (round(width * scale), round(height * scale))
    by = np.array([width / size[0], height / size[1]])
    resample = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    sift = cv2.SIFT.create(0, 3, 3 * CONTRAST, 10.0, 1.6, True)  # OpenCV divides the contrast by its three layers
    found = []
    for n in range(len(greys)):
        grey = (255 * cv2.resize(greys[n], size, interpolation=resample)).clip(0, 255).astype(np.uint8)
        mask = None
        if masks is not None:
            mask = cv2.resize(masks[n].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        points = sorted(sift.detect(grey, mask), key=lambda point: -point.response)[:most]
        points, values = sift.compute(grey, points)
        xy = np.array([point.pt for point in points], np.float64).reshape(-1, 2)
        values = np.zeros((0, 128), np.float32) if values is None else values
        root = np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1e-9))
        found.append(Keypoints((xy + 0.5) * by, root))
    return found


def match_keypoints(keypoints: Sequence[Keypoints], ratio: float, window: int | None) -> Matches:
    """Match the keypoints of every pair of frames, or of those at most `window` apart, as `find_matches` says."""
    parts = []
    for i in range(len(keypoints)):
        last = len(keypoints) if window is None else min(i + window + 1, len(keypoints))
        for j in range(i + 1, last):
            a, b = _mutual(keypoints[i].descriptors, keypoints[j].descriptors, ratio)
            frames = np.full(len(a), i), np.full(len(a), j)
            parts.append(Matches(*frames, keypoints[i].xy[a], keypoints[j].xy[b]))
    return joined(parts)


def joined(parts: Sequence[Matches]) -> Matches:
    """Lay matches from several sources one after the other."""
    empty = Matches(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 2)))
    parts = [*parts, empty]
    return Matches(
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.xy_first for part in parts]),
        np.concatenate([part.xy_second for part in parts]),
    )


def subject_greys(images: Float[Tensor, "f h w 3"], alphas: Float[Tensor, "f h w"] | None) -> np.ndarray:
    """Return brightness, float32 [F,H,W], the outside of the subject painted with the blurred colours of its edge."""
    greys = (images.numpy() @ np.array(LUMA, np.float32)).astype(np.float32)
    if alphas is None:
        return greys
    for n, covered in enumerate(alphas.numpy() >= COVERED):
        if covered.any():
            nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
            row, column = np.asarray(nearest)
            painted = ndimage.gaussian_filter(greys[n][row, column], max(covered.shape) / 40)
            greys[n] = np.where(covered, greys[n], painted)
    return greys


def subject_masks(alphas: Float[Tensor, "f h w"] | None, margin: float) -> np.ndarray | None:
    """Return where the subject is at least a margin, in longer sides, from its outline: bool [F,H,W]."""
    if alphas is None:
        return None
    limit = margin * max(alphas.shape[1:])
    padded = np.pad(alphas.numpy() >= COVERED, ((0, 0), (1, 1), (1, 1)), mode="edge")
    inside = [ndimage.distance_transform_edt(mask)[1:-1, 1:-1] > limit for mask in padded]  # type: ignore[index]
    return np.stack(inside)


def _mutual(a: np.ndarray, b: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of pairs that are each other's nearest, by clear distance."""
    if len(a) < 2 or len(b) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    likeness = a @ b.T
    rows = np.arange(len(a))
    nearest, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    best = _distance(likeness[rows, nearest])
    likeness[rows, nearest] = -1
    second = _distance(likeness.max(axis=1))
    kept = (back[nearest] == rows) & (best < ratio * second) & (best < LONGEST)
    return rows[kept], nearest[kept]


def _distance(likeness: np.ndarray) -> np.ndarray:
    """Turn products of unit vectors into distances."""
    return np.sqrt(np.maximum(2 - 2 * likeness, 0))
