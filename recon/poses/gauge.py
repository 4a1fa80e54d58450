"""The frame that cameras are given in: z up, the subject at the origin with radius 1, the first camera at -y.

Pictures fix a scene only up to a turn, a shift and a scale. Up is the axis the cameras go round, on a ring or an arc,
else what most of them hold upright. Where the subject lies and how large it is, its masks say, or points on it, or
else where the cameras look.

Shapes: F frames, P points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from recon import hull
from recon.camera import Cameras, invert_rigid
from recon.views import Views

ROUND = 0.6  # least of the second by the first spread of camera centres for a circle to have a plane
FLAT = 0.25  # most of the third by the second
CARVED = 64  # voxels along the hull that says how large the subject is
LEAST_TURN_DEG = 3.0  # between frames, root mean square, for their turns to have an axis
ONE_AXIS = 0.35  # most of the turns about any other axis by those about the first
STEEPEST = 0.5  # least cosine between that axis and what cameras hold upright: they look down by 60 degrees at most
LEANING = 0.3  # least share of the cameras' own up along the axis for them to say which end of it is up
FEWEST_POINTS = 20  # nearer than the cameras that can say how large a subject without masks is
POINTS_WITHIN = 0.75  # share of them within its radius
SCENE_RADIUS = 0.5  # of the cameras' median distance: the subject's radius where nothing says it


@dataclass(frozen=True)
class Sweep:
    """How far round the subject the cameras go."""

    span_deg: float
    """Azimuth covered, the largest gap left out."""
    largest_gap_deg: float
    """Between neighbouring azimuths."""
    elevation_deg: float
    """Median of the cameras."""
    elevation_range_deg: tuple[float, float]
    """Lowest and highest."""


def settle(
    cameras: Cameras,
    registered: Bool[Tensor, " f"],
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    points: Float[Tensor, "p 3"] | None = None,
) -> tuple[Cameras, Float[Tensor, "p 3"] | None]:
    """Return the cameras and points in the frame of this module.

    Cameras that are not registered are moved along and mean as little as before. Raises ValueError where fewer than two
    are registered.
    """
    known = cameras[registered]
    if len(known) < 2:
        raise ValueError(f"{len(known)} of {len(cameras)} frames have a camera; two are needed to say where up is.")
    middle = hull.look_at_point(known)
    up = up_direction(known)
    front = known.centers[0].double().numpy() - middle
    front -= up * (up @ front)
    if np.linalg.norm(front) < 1e-9:
        front = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    y = -front / np.linalg.norm(front)
    rotation = np.stack([np.cross(y, up), y, up])  # rows: x, y, z of the new world in the old
    reach = float(np.median(np.linalg.norm(known.centers.double().numpy() - middle, axis=1)))
    cameras, points = moved(cameras, points, rotation, middle, max(reach, 1e-9))
    # Upright first: the hull's voxels, and with them the size, then do not depend on the frame the cameras came in.
    some = None if alphas is None else alphas[registered]
    center, radius = _subject(cameras[registered], images[registered], some, points)
    x, y, _ = cameras[registered].centers[0].double().numpy() - center
    length = max(float(np.hypot(x, y)), 1e-9)
    facing = np.array([[-y, x, 0], [-x, -y, 0], [0, 0, length]]) / length  # the subject's middle may lie off the axis
    return moved(cameras, points, facing, center, radius)


def moved(
    cameras: Cameras, points: Tensor | None, rotation: np.ndarray, center: np.ndarray, radius: float
) -> tuple[Cameras, Tensor | None]:
    """Take world points x to rotation (x - center) / radius, and the cameras with them."""
    c2w = cameras.c2w.double()
    turn, shift = torch.from_numpy(np.asarray(rotation, float)), torch.from_numpy(np.asarray(center, float))
    placed = c2w.clone()
    placed[:, :3, :3] = turn @ c2w[:, :3, :3]
    placed[:, :3, 3] = (c2w[:, :3, 3] - shift) @ turn.T / radius
    settled = Cameras(cameras.K, invert_rigid(placed).to(cameras.w2c.dtype), cameras.height, cameras.width)
    if points is not None:
        points = (((points.double() - shift) @ turn.T) / radius).to(points.dtype)
    return settled, points


def up_direction(cameras: Cameras) -> np.ndarray:
    """Return the unit vector [3] that is up: the axis of the circle the cameras stand on, else their mean own up."""
    centers = cameras.centers.double().numpy()
    own = -cameras.w2c[:, 1, :3].double().numpy().mean(axis=0)  # y of a camera points down
    _, spread, axes = np.linalg.svd(centers - centers.mean(axis=0), full_matrices=False)
    if len(centers) >= 3 and spread[1] > ROUND * spread[0] and spread[2] < FLAT * spread[1]:
        axis = axes[2]
        # Cameras that lie on their side say nothing; then they look down on the subject, not up at it.
        says = own if abs(axis @ own) > LEANING else centers.mean(axis=0) - hull.look_at_point(cameras)
        return axis if axis @ says >= 0 else -axis
    own /= max(float(np.linalg.norm(own)), 1e-9)
    axis = _turning_axis(cameras)
    if axis is None or abs(axis @ own) < STEEPEST:
        return own
    return axis if axis @ own >= 0 else -axis


def _turning_axis(cameras: Cameras) -> np.ndarray | None:
    """Return the axis [3] about which cameras turn from frame to frame; None where they hardly turn, or about several.

    A short arc has no plane to speak of, but a camera that keeps looking at a subject turns about the arc's axis.
    """
    c2w = cameras.c2w[:, :3, :3].double().numpy()
    first, second = np.triu_indices(len(c2w), k=1)
    turns = Rotation.from_matrix(c2w[second] @ c2w[first].transpose(0, 2, 1)).as_rotvec()
    spread, axes = np.linalg.eigh(turns.T @ turns / max(len(turns), 1))
    if np.sqrt(spread[2]) < np.deg2rad(LEAST_TURN_DEG) or spread[1] > ONE_AXIS**2 * spread[2]:
        return None
    return axes[:, 2]


def sweep(cameras: Cameras) -> Sweep:
    """Measure how settled cameras go round the origin."""
    centers = cameras.centers.double().numpy()
    azimuth = np.sort(np.rad2deg(np.arctan2(centers[:, 1], centers[:, 0])) % 360)
    gaps = np.diff(azimuth, append=azimuth[0] + 360)
    elevation = np.rad2deg(np.arctan2(centers[:, 2], np.linalg.norm(centers[:, :2], axis=1)))
    largest = float(gaps.max())
    step = float(np.median(gaps))
    return Sweep(
        span_deg=min(360.0 - largest + step, 360.0),
        largest_gap_deg=largest,
        elevation_deg=float(np.median(elevation)),
        elevation_range_deg=(float(elevation.min()), float(elevation.max())),
    )


def _subject(
    cameras: Cameras, images: Tensor, alphas: Tensor | None, points: Tensor | None
) -> tuple[np.ndarray, float]:
    """Return the subject's centre [3] and radius; cameras are about one unit away and look at the origin."""
    if alphas is not None:
        try:
            solid = hull.carve(Views(images, alphas, None, cameras), CARVED)
        except ValueError:  # cameras so wrong that the masks share nothing; the judge sees that as well
            solid = None
        if solid is not None:
            inside = torch.nonzero(solid.occupancy).double().numpy() + 0.5
            cloud = solid.origin.double().numpy() + solid.voxel * inside
            center = 0.5 * (cloud.min(axis=0) + cloud.max(axis=0))
            return center, float(np.linalg.norm(cloud - center, axis=1).max())
    if points is not None:
        distance = np.linalg.norm(points.double().numpy(), axis=1)
        near = distance[distance < 1]
        if len(near) >= FEWEST_POINTS:
            return np.zeros(3), float(np.quantile(near, POINTS_WITHIN))
    return np.zeros(3), SCENE_RADIUS
