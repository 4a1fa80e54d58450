"""Points followed from frame to frame by dense optical flow: for subjects too plain for keypoints.

Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, there and back: a point counts where the two
agree. Good corners (Shi and Tomasi, "Good Features to Track", CVPR 1994) are followed, for there the flow is pinned
down by the picture and not by smoothness.

Shapes: F frames of H x W pixels, M matches.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from recon.poses.features import joined, subject_greys, subject_masks
from recon.poses.types import Matches

MARGIN = 0.012  # in longer sides: points nearer to the outline are left out, and those that come nearer
AGREEMENT = 0.002  # in longer sides: how far there and back may end from the start
SPACING = 0.015  # in longer sides, between the points of a frame
QUALITY = 0.001  # of a corner, in shares of the best one


def flow_matches(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    *,
    reach: int = 8,
    most: int = 200,
    is_loop: bool = False,
) -> Matches:
    """Follow up to `most` corners of each frame through up to `reach` frames, round the end where the frames loop.

    A point is given up where there and back disagree or where it comes near the outline. On orbits of 32 frames nearly
    all are within 2 pixels of 256 after one frame, nine of ten after four (45 degrees). Neighbours that moved by more
    than about a tenth of the picture give few. 32 frames of 256 pixels cost 3 CPU seconds.
    """
    import cv2

    greys = (255 * subject_greys(images, alphas)).clip(0, 255).astype(np.uint8)
    masks = subject_masks(alphas, MARGIN)
    num, longer = len(greys), max(greys.shape[1:])
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)  # whole pixels' own scale; the preset stops at half
    steps = num if is_loop and num > 2 else num - 1
    there = [dis.calc(greys[n], greys[(n + 1) % num], None) for n in range(steps)]  # type: ignore[call-overload]
    back = [dis.calc(greys[(n + 1) % num], greys[n], None) for n in range(steps)]  # type: ignore[call-overload]
    parts = []
    for n in range(steps):
        mask = None if masks is None else masks[n].astype(np.uint8)
        corners = cv2.goodFeaturesToTrack(greys[n], most, QUALITY, SPACING * longer, mask=mask)
        if corners is None:
            continue
        start = xy = corners.reshape(-1, 2).astype(np.float64)  # here the first pixel's centre is (0, 0)
        for step in range(min(reach, num - 1, num if is_loop else steps - n)):
            now, then = (n + step) % num, (n + step + 1) % num
            end = xy + _at(there[now], xy)
            kept = np.linalg.norm(end + _at(back[now], end) - xy, axis=1) < AGREEMENT * longer
            if masks is not None:
                kept &= _at(masks[then][..., None].astype(np.float32), end)[:, 0] > 0.5
            start, xy = start[kept], end[kept]
            parts.append(_ordered(n, then, start + 0.5, xy + 0.5))
    return joined(parts)


def _ordered(n: int, other: int, xy: np.ndarray, xy_other: np.ndarray) -> Matches:
    """Put the earlier frame first."""
    if n < other:
        return Matches(np.full(len(xy), n), np.full(len(xy), other), xy, xy_other)
    return Matches(np.full(len(xy), other), np.full(len(xy), n), xy_other, xy)


def _at(maps: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Read [H,W,C] between its pixels at xy [M,2]; 0 outside."""
    at = xy.T[::-1]
    read = [ndimage.map_coordinates(maps[..., c], at, order=1) for c in range(maps.shape[-1])]
    return np.stack(read, axis=1).astype(np.float64)
