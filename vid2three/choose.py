"""Which frames of a clip to keep: even in what moves, sharp, each view once.

Frames are compared as small grey thumbnails. The distance of two is the flow, in pixels, that would explain their
difference along their gradients: sum |A - B| / sum |grad|, the first order of the optical flow, whatever their contrast
and exposure. It grows with the motion and saturates at a few pixels, so motion is summed up over small steps.

Shapes: N frames looked at, in order, as thumbnails of h x w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image
from scipy import ndimage

THUMBNAIL = 96  # longer side in pixels
BLUR = 1.0  # standard deviation, in pixels of a thumbnail
STILL = 1.2 / 255  # a change of the 2 % of pixels that change most which is noise or coding
REPEATED = 0.4 / 255  # which is the same picture once more
SAME_SHARE = 0.12  # of the usual step: less is a repeated frame
BLANK = 2 / 255  # standard deviation of a frame of one colour
BLURRED = 0.5  # of its neighbours' Laplacian variance
NEIGHBOURS = 4  # on each side, for what is sharp there
REACH = 0.45  # how far from its even place a frame may be taken, in spacings
LATE = 0.65  # of the motion: from here on the first view may come again
COMPARABLE = 0.75  # of the median distance to the first view; from there on distances say nothing
UNSURE = 1.25  # times as far as a frame that comes back
ALIKE = 1.3  # a view halfway that is nearly as near to the first as the last one tells nothing of a loop
REPEATS, RETURNS = 0.5, 1.5  # spacings within which a frame repeats the first, or comes back to it


@dataclass(frozen=True, eq=False)
class Choice:
    """Which of N frames to keep, and what was seen on the way."""

    kept: np.ndarray
    """int64, ascending."""
    num_distinct: int
    """Frames between which something moves."""
    num_duplicates: int
    """Frames that repeat the one before them."""
    num_blurred: int
    closed: bool | None
    """The first view comes again at the end; None where frames look too much alike to tell."""
    first_again: int | None
    """The frame from which on the clip repeats itself; it and those after it are left out."""
    motion: float
    """Mean motion from a distinct frame to the next, in pixels of a thumbnail."""


def glimpse(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Reduce uint8 [H,W] to a thumbnail, float32 [h,w] in [0,1], and its sharpness, the Laplacian's variance."""
    values = grey.astype(np.float32)
    laplacian = (
        values[1:-1, :-2] + values[1:-1, 2:] + values[:-2, 1:-1] + values[2:, 1:-1] - 4 * values[1:-1, 1:-1]
    )  # H-2 W-2
    scale = THUMBNAIL / max(grey.shape)
    height, width = (max(round(side * scale), 8) for side in grey.shape)
    thumbnail = np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX), np.float32) / 255
    return ndimage.gaussian_filter(thumbnail, BLUR, mode="nearest"), float(laplacian.var())


def change(a: np.ndarray, b: np.ndarray) -> float:
    """Return by how much the 2 % of the pixels change that change most, in [0,1], common brightness taken out."""
    difference = np.abs((a - a.mean()) - (b - b.mean())).ravel()
    count = max(len(difference) // 50, 1)
    return float(np.partition(difference, -count)[-count:].mean())


def flow(a: np.ndarray, b: np.ndarray) -> float:
    """Return the motion in pixels that explains the difference of two thumbnails; see above."""
    a, b = ((thumb - thumb.mean()) / max(float(thumb.std()), BLANK) for thumb in (a, b))
    slopes = [np.hypot(*np.gradient(thumb)).sum() for thumb in (a, b)]
    return float(2 * np.abs(a - b).sum() / max(sum(slopes), 1e-6))


def choose(thumbnails: list[np.ndarray], sharpness: np.ndarray, numbers: np.ndarray, most: int) -> Choice:
    """Choose up to `most` frames. Fewer come back where fewer differ; one alone where nothing moves.

    `numbers` [N] are the frames' places in the source, ascending.
    """
    changes = np.array([change(a, b) for a, b in pairwise(thumbnails)])
    moving = changes[changes > STILL]
    repeated = max(REPEATED, SAME_SHARE * float(np.median(moving))) if len(moving) else STILL
    distinct = _distinct(thumbnails, max(repeated, STILL))
    is_sharp = _sharp(thumbnails, sharpness, distinct)
    steps = np.array([flow(thumbnails[i], thumbnails[j]) for i, j in pairwise(distinct)])
    usual = float(steps.mean()) if len(steps) else 0.0
    waits = np.diff(numbers[distinct]) / max(np.diff(numbers[distinct]).mean(), 1) if len(steps) else steps
    place = np.concatenate([[0.0], np.cumsum((steps / max(usual, 1e-9) + waits) / 2)])  # half by motion, half by time
    closed, first_again = _closure([thumbnails[i] for i in distinct], place, most)
    beyond = len(distinct) if first_again is None else first_again
    end = place[-1] if first_again is None else place[first_again]
    gap = 1.0 if closed and first_again is None else 0.0  # one usual step from the last frame to the first
    chosen = _even(place[:beyond], end + gap, is_sharp[:beyond], sharpness[distinct[:beyond]], most, bool(closed))
    kept = distinct[chosen]
    return Choice(
        kept=kept,
        num_distinct=len(distinct),
        num_duplicates=int((changes < repeated).sum()),
        num_blurred=int((~is_sharp).sum()),
        closed=closed,
        first_again=None if first_again is None else int(distinct[first_again]),
        motion=usual,
    )


def _distinct(thumbnails: list[np.ndarray], least: float) -> np.ndarray:
    """Return the frames that differ from the last one kept before them."""
    kept = [0]
    for index in range(1, len(thumbnails)):
        if change(thumbnails[kept[-1]], thumbnails[index]) > least:
            kept.append(index)
    return np.array(kept)


def _sharp(thumbnails: list[np.ndarray], sharpness: np.ndarray, distinct: np.ndarray) -> np.ndarray:
    """Say of each distinct frame whether it is about as sharp as those around it, and not blank."""
    values = sharpness[distinct]
    usual = ndimage.median_filter(values, 2 * NEIGHBOURS + 1, mode="nearest")
    is_blank = np.array([float(thumbnails[index].std()) < BLANK for index in distinct])
    is_sharp = (values >= BLURRED * usual) & ~is_blank
    return is_sharp if is_sharp.any() else np.ones_like(is_sharp)


def _closure(thumbnails: list[np.ndarray], place: np.ndarray, most: int) -> tuple[bool | None, int | None]:
    """Return whether the first view comes again at the end, and the first distinct frame that repeats it."""
    if len(thumbnails) < 8:
        return None, None
    spacing = place[-1] / min(most, len(thumbnails))
    distance = np.array([flow(thumbnails[0], thumb) for thumb in thumbnails])
    reach = COMPARABLE * float(np.median(distance))
    if distance[1] > reach:
        return None, None
    near, repeated = (float(np.interp(part * spacing, place, distance)) for part in (RETURNS, REPEATS))
    lag = max(round(len(thumbnails) / most), 1)  # frames a spacing
    usual = float(np.quantile([flow(a, b) for a, b in zip(thumbnails, thumbnails[lag:])], 0.75))
    near, repeated = min(max(near, usual), reach), min(repeated, reach)
    is_late = place >= LATE * place[-1]
    is_between = (place >= 0.2 * place[-1]) & ~is_late
    nearest = int(np.flatnonzero(is_late)[distance[is_late].argmin()])
    if distance[nearest] > near:
        return (None if distance[nearest] < min(UNSURE * near, reach) else False), None
    if distance[is_between].min() < max(ALIKE * distance[nearest], repeated / 2) or _goes_back(thumbnails, place, near):
        return None, None  # alike from several sides, or the way back
    if distance[nearest] <= repeated:
        return True, nearest
    return (True, None) if place[-1] - place[nearest] <= RETURNS * spacing else (False, None)


def _goes_back(thumbnails: list[np.ndarray], place: np.ndarray, near: float) -> bool:
    """Say whether the second half shows the first half backwards."""
    for share in (0.2, 0.3):
        there, back = np.searchsorted(place, [share * place[-1], (1 - share) * place[-1]])
        if min(flow(thumbnails[there], thumbnails[i]) for i in range(back - 1, back + 2)) > near:
            return False
    return True


def _even(
    place: np.ndarray, length: float, is_sharp: np.ndarray, sharpness: np.ndarray, most: int, closed: bool
) -> np.ndarray:
    """Return up to `most` frames, evenly spread over the motion; near each even place the sharpest."""
    usable = np.flatnonzero(is_sharp).tolist()
    if len(usable) <= most:
        return np.array(usable)
    spacing = length / (most if closed else most - 1)
    chosen: list[int] = []
    for target in spacing * np.arange(most):
        off = np.abs(place - target) / max(spacing, 1e-9)
        near = [i for i in usable if off[i] <= REACH and i not in chosen]
        if not near:
            near = sorted((i for i in usable if i not in chosen), key=lambda i: off[i])[:1]
        top = max(float(sharpness[i]) for i in near)
        chosen.append(max(near, key=lambda i: float(sharpness[i]) / max(top, 1e-9) - (off[i] / REACH) ** 2))
    return np.array(sorted(chosen))
