"""How a clip moves: frames that stand still, a first frame that does not follow the last, cameras that shake."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from recon.camera import Cameras
from recon.hull import look_at_point

STILL = 0.1  # of the median step between neighbours: a picture that changes less than this stands still
BLANK = 1e-3  # median step below which nothing can be said: the subject looks the same from everywhere
MOVES = 0.5  # of the median step of the cameras: less is no movement that a picture should show


def steps(rgba: Float[np.ndarray, "f h w 4"]) -> Float[np.ndarray, " f"]:
    """Return how much each frame differs from the next, the last from the first: mean absolute, over the subject."""
    following = np.roll(rgba, -1, axis=0)
    weight = np.maximum(rgba[..., 3], following[..., 3])
    change = np.abs(rgba - following).mean(axis=-1)
    return (weight * change).sum(axis=(1, 2)) / np.maximum(weight.sum(axis=(1, 2)), 1e-6)


def frozen(change: Float[np.ndarray, " f"], cameras: Cameras) -> np.ndarray:
    """Return which frames repeat the one before while the camera moves on, bool [F]."""
    turn = angles(cameras)
    usual = np.median(change[:-1])
    stands = (change[:-1] < STILL * usual) & (turn[:-1] > MOVES * np.median(turn[:-1])) & (usual > BLANK)
    return np.concatenate([[False], stands])


def closure(change: Float[np.ndarray, " f"], cameras: Cameras) -> float:
    """Return the step from the last frame to the first by the median step; NaN where the cameras do not close."""
    turn = angles(cameras)
    closes = turn[-1] < 2 * np.median(turn[:-1])
    return float(change[-1] / max(np.median(change[:-1]), 1e-9)) if closes else float("nan")


def jitter(cameras: Cameras) -> Float[np.ndarray, " f"]:
    """Return how far each camera stands beside the middle of its neighbours, by the median distance of neighbours."""
    centers = cameras.centers.double().numpy()
    aside = np.linalg.norm(centers[1:-1] - 0.5 * (centers[:-2] + centers[2:]), axis=1)
    usual = max(np.median(np.linalg.norm(np.diff(centers, axis=0), axis=1)), 1e-12)
    return np.concatenate([[0.0], aside / usual, [0.0]])


def angles(cameras: Cameras) -> Float[np.ndarray, " f"]:
    """Return the angle in radians at the subject from each camera to the next, and from the last to the first."""
    directions = _directions(cameras)
    return np.arccos(np.clip((directions * np.roll(directions, -1, axis=0)).sum(axis=1), -1, 1))


def neighbours(cameras: Cameras, reach: float) -> Bool[np.ndarray, "f f"]:
    """Return which cameras see the subject from less than `reach` times the usual distance apart; none is its own."""
    directions = _directions(cameras)
    apart = np.rad2deg(np.arccos(np.clip(directions @ directions.T, -1, 1)))
    return (apart < reach * spacing_deg(cameras)) & ~np.eye(len(directions), dtype=bool)


def spacing_deg(cameras: Cameras) -> float:
    """Return the median angle at the subject from each camera to the nearest other one."""
    directions = _directions(cameras)
    cosines = directions @ directions.T - 4 * np.eye(len(directions))
    return float(np.rad2deg(np.median(np.arccos(np.clip(cosines.max(axis=1), -1, 1)))))


def largest_gap_deg(cameras: Cameras) -> float:
    """Return the widest stretch of azimuth around the cameras' own axis that holds none of them."""
    directions = _directions(cameras)
    axis = np.linalg.svd(directions - directions.mean(axis=0))[2][-1]  # across the plane that they lie in
    first = np.linalg.svd(np.eye(3) - np.outer(axis, axis))[0][:, 0]
    azimuth = np.sort(np.arctan2(directions @ np.cross(axis, first), directions @ first))
    return float(np.rad2deg(np.diff(azimuth, append=azimuth[0] + 2 * np.pi).max()))


def _directions(cameras: Cameras) -> np.ndarray:
    offsets = cameras.centers.double().numpy() - look_at_point(cameras)
    return offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-12)


def depth_violations(depths: Float[Tensor, "f h w"], cameras: Cameras, tolerance: float) -> Float[np.ndarray, " f"]:
    """Return the share of each frame's surface that the next frame and the one before see through.

    A point that lands before their surface by more than `tolerance` (world units), or beside the subject, cannot be
    there; one that lands behind is only hidden. Two pixels of outline are forgiven.
    """
    maps, num = depths.numpy(), len(depths)
    height, width = maps.shape[1:]
    K, w2c, c2w = (m.double().numpy() for m in (cameras.K, cameras.w2c, cameras.c2w))
    wrong, total = np.zeros(num), np.zeros(num)
    for f in range(num):
        rows, columns = np.nonzero(maps[f] > 0)
        z = maps[f, rows, columns].astype(np.float64)
        local = np.stack([(columns + 0.5 - K[f, 0, 2]) / K[f, 0, 0], (rows + 0.5 - K[f, 1, 2]) / K[f, 1, 1], 0 * z + 1])
        world = c2w[f, :3, :3] @ (z * local) + c2w[f, :3, 3:]
        for other in ((f + 1) % num, (f - 1) % num):
            seen = w2c[other, :3, :3] @ world + w2c[other, :3, 3:]
            u, v = ((K[other] @ seen)[:2] / seen[2]).astype(np.int64)
            inside = (u >= 2) & (v >= 2) & (u < width - 2) & (v < height - 2) & (seen[2] > 0)
            nearest = np.full(len(z), np.inf)
            for down in (-2, 0, 2):
                for right in (-2, 0, 2):
                    there = maps[other][np.where(inside, v + down, 0), np.where(inside, u + right, 0)]
                    nearest = np.minimum(nearest, np.where(there > 0, there, np.inf))
            wrong[f] += (inside & (seen[2] < nearest - tolerance)).sum()
            total[f] += inside.sum()
    return wrong / np.maximum(total, 1)
