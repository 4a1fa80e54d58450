"""What outlines say about an orbit: a plane through two cameras that touches the subject touches both its outlines.

The planes through the line between two cameras form a pencil, one angle each. The two outermost that meet the subject
touch it at frontier points, which both cameras see on their outline (Mendonca, Wong and Cipolla, "Epipolar Geometry
from Profiles under Circular Motion", PAMI 2001). So the largest and the smallest angle agree between the cameras,
whatever the subject looks like: a cue that needs no texture, and that blurred or inconsistent frames hardly disturb.

Shapes: F frames, Q pairs, V directions in which an outline's outermost point is known, B parameter sets at once.
"""

from __future__ import annotations

import numpy as np
import torch

NUM_DIRECTIONS = 64
SEPARATIONS = (1, 2, 3, 5, 8, 11)  # of the frames of a pair, in 32nds of the clip
EDGE = 0.5  # alpha on the outline
CLIPPED = 0.01  # share of the border that may be covered before the outline counts as cut off


def outermost_points(alphas: torch.Tensor) -> np.ndarray:
    """Return the outline's outermost points [F,V,2] in pixels, one for each direction; NaN for frames without one.

    Frames whose subject is cut off by the picture's border have no outline either. To a fraction of a pixel: the
    outline is where alpha [F,H,W] passes a half between two pixels' centres.
    """
    angles = np.linspace(0, 2 * np.pi, NUM_DIRECTIONS, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)])  # 2 V
    found = np.full((len(alphas), NUM_DIRECTIONS, 2), np.nan)
    for frame, alpha in enumerate(alphas.numpy()):
        border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        points = _crossings(alpha)
        if len(points) >= 8 and (border > EDGE).mean() <= CLIPPED:
            found[frame] = points[(points @ directions).argmax(axis=0)]
    return found


def frame_pairs(outlines: np.ndarray) -> np.ndarray:
    """Return pairs of frames [Q,2] whose outlines are known, near ones and some up to a third of the clip apart."""
    num = len(outlines)
    known = np.isfinite(outlines[:, 0, 0])
    steps = sorted({max(1, round(step * num / 32)) for step in SEPARATIONS})
    pairs = {(i, i + step) for step in steps for i in range(num - step)}
    return np.array(sorted((i, j) for i, j in pairs if known[i] and known[j])).reshape(-1, 2)


def tangency_px(
    outlines: np.ndarray, pairs: np.ndarray, w2c: np.ndarray, focal: np.ndarray, center: np.ndarray
) -> np.ndarray:
    """Return how far the touching planes of each pair miss each other, [B,2Q] in pixels.

    `w2c` [B,F,4,4] have the subject near the origin, `focal` [B] is in pixels, `center` [2] the principal point. 0 for
    a pair whose line runs through the subject.
    """
    rotation, shift = w2c[..., :3, :3], w2c[..., :3, 3]
    centers = -np.einsum("bfji,bfj->bfi", rotation, shift)  # B F 3
    local = (outlines - center) / focal[:, None, None, None]  # B F V 2
    local = np.concatenate([local, np.ones_like(local[..., :1])], axis=-1)
    rays = local @ rotation  # B F V 3, in the world: rows times R is R^T each
    first, second = pairs.T
    start, line = centers[:, first], centers[:, second] - centers[:, first]  # B Q 3
    length = np.linalg.norm(line, axis=-1, keepdims=True)
    along = line / np.maximum(length, 1e-9)
    towards = -start + (start * along).sum(-1, keepdims=True) * along  # from the line to the origin, at right angles
    gap = np.linalg.norm(towards, axis=-1, keepdims=True)
    inwards = towards / np.maximum(gap, 1e-9)
    frame = np.stack([inwards, np.cross(along, inwards)], axis=-1)  # B Q 3 2
    high_a, low_a = _extremes(rays[:, first], frame, rotation[:, first, 2])
    high_b, low_b = _extremes(rays[:, second], frame, rotation[:, second, 2])
    misses = []
    for (angle_a, slope_a), (angle_b, slope_b) in ((high_a, high_b), (low_a, low_b)):
        slope = np.hypot(slope_a, slope_b) + 1e-9  # Sampson's: what one pixel at either end makes of the angle
        misses.append(np.where(np.isfinite(slope), (angle_a - angle_b) / slope, 0) * focal[:, None])
    return np.stack(misses, axis=-1).reshape(len(w2c), -1)


def _extremes(
    rays: np.ndarray, frame: np.ndarray, forward: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the largest and the smallest angle [B,Q] of rays [B,Q,V,3] in the plane of `frame`, each with its slope.

    The slope says how many radians the angle turns when the ray moves by 1 at depth 1; infinite where the rays do not
    all go towards the subject, so that the line between the cameras runs through it.
    """
    flat = rays @ frame  # B Q V 2
    angle = np.arctan2(flat[..., 1], flat[..., 0])
    is_clear = flat[..., 0].min(-1) > 0
    ends = []
    for at in (angle.argmax(-1), angle.argmin(-1)):
        cosine, sine = np.moveaxis(np.take_along_axis(flat, at[..., None, None], axis=-2)[..., 0, :], -1, 0)
        length = np.hypot(cosine, sine)
        turn = (-sine[..., None] * frame[..., 0] + cosine[..., None] * frame[..., 1]) / length[..., None]
        in_picture = np.sqrt(np.maximum(1 - np.square((turn * forward).sum(-1)), 1e-9))
        extreme = np.take_along_axis(angle, at[..., None], axis=-1)[..., 0]
        ends.append((extreme, np.where(is_clear, in_picture / length, np.inf)))
    return ends[0], ends[1]


def _crossings(alpha: np.ndarray) -> np.ndarray:
    """Return the points [N,2] where alpha passes a half between neighbours of a row or a column."""
    points = []
    for axis in (0, 1):
        before = alpha[:-1] if axis == 0 else alpha[:, :-1]
        after = alpha[1:] if axis == 0 else alpha[:, 1:]
        rows, columns = np.nonzero((before > EDGE) != (after > EDGE))
        one, two = before[rows, columns], after[rows, columns]
        share = (EDGE - one) / (two - one)
        x, y = columns + 0.5, rows + 0.5
        points.append(np.stack([x + share * (axis == 1), y + share * (axis == 0)], axis=1))
    return np.concatenate(points)
