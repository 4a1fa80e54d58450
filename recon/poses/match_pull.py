"""What matches say about a rig of cameras, as a gradient: the robust cost of their distances to epipolar lines.

With a and b a match's rays, p = R a, and (R, t) from the first camera to the second, e = b . (t x p) is 0 for a true
match. A twist (w, v) of the second camera changes e by w . ((t x p) x b) + v . (p x b), one of the first camera by
-w . (a x R^T (b x t)) - v . R^T (p x b). Sampson's distance (Hartley and Zisserman, Eq. 11.9) divides e by the size of
its change with the pixels, which is taken as fixed here; the cost is Geman and McClure's.

Shapes: F frames, M matches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.poses import rig as rigs
from recon.poses.rig import Rig
from recon.poses.types import Matches

SCALE = 2.0  # medians of the distance at which a match has lost half of its say
LEAST, MOST = 1.5 / 256, 16 / 256  # bounds of that scale, by the longer side of the picture


@dataclass(frozen=True, eq=False)
class MatchPull:
    """The gradient of the mean cost over the matches, times F: as large as what the pictures of one frame say."""

    twists: np.ndarray
    """[F,6]."""
    focal: float
    """By the logarithm of the focal length, the cameras held in place."""
    typical: float
    """Size of a frame's twist gradient if all its matches were off by one scale to the same side."""
    median_px: float
    """Median distance to the epipolar line."""


def pull(matches: Matches, rig: Rig) -> MatchPull:
    """Return the gradient at the rig's cameras. About 1 ms for 2,000 matches."""
    w2c, num = rigs.matrices(rig), len(rig.K)
    K = rig.K.copy()
    K[:, [0, 1], [0, 1]] *= np.exp(rig.zoom)
    first, second = matches.first, matches.second
    a, b = _rays(matches.xy_first, K[first]), _rays(matches.xy_second, K[second])  # M 3
    relative = w2c[second, :3, :3] @ w2c[first, :3, :3].transpose(0, 2, 1)
    shift = w2c[second, :3, 3] - np.einsum("mij,mj->mi", relative, w2c[first, :3, 3])
    p = np.einsum("mij,mj->mi", relative, a)
    line_b = np.cross(shift, p)  # E a
    line_a = np.einsum("mji,mj->mi", relative, np.cross(b, shift))  # E^T b
    slope_a, slope_b = line_a[:, :2] / K[first][:, [0, 1], [0, 1]], line_b[:, :2] / K[second][:, [0, 1], [0, 1]]
    size = np.sqrt((slope_a**2).sum(axis=1) + (slope_b**2).sum(axis=1)) + 1e-12
    distance = (b * line_b).sum(axis=1) / size  # pixels
    longest = max(rig.height, rig.width)
    median = float(np.median(np.abs(distance)))
    scale = np.clip(SCALE * median, LEAST * longest, MOST * longest)
    slope = 2 * distance * scale**2 / (distance**2 + scale**2) ** 2  # of d^2 / (d^2 + scale^2)
    across = np.cross(p, b)
    of_first = -np.concatenate([np.cross(a, line_a), np.einsum("mji,mj->mi", relative, across)], axis=1)
    of_second = np.concatenate([np.cross(line_b, b), across], axis=1)
    share = (slope / size * num / len(matches))[:, None]
    twists = np.zeros((num, 6))
    np.add.at(twists, first, share * of_first)
    np.add.at(twists, second, share * of_second)
    of_focal = -(a[:, :2] * line_a[:, :2]).sum(axis=1) - (b[:, :2] * line_b[:, :2]).sum(axis=1)
    length = np.sqrt(np.mean(((of_first / size[:, None]) ** 2).sum(axis=1)))
    return MatchPull(twists, float((share[:, 0] * of_focal).sum() / num), float(length / scale), median)


def _rays(xy: np.ndarray, K: np.ndarray) -> np.ndarray:
    local = (xy - K[:, :2, 2]) / K[:, [0, 1], [0, 1]]
    return np.concatenate([local, np.ones((len(xy), 1))], axis=1)
