"""All cameras of a clip as few numbers that can be moved by a gradient: an orbit or a given path, one zoom, and twists.

    w2c_f = exp(twist_f) [R_f, e^zoom t_f],    focal lengths times e^zoom

(R_f, t_f) is the orbit's pose, or the given one about the point that the cameras look at. So a zoom moves the cameras
back as it lengthens the lens: the subject keeps its size in the picture and only the perspective changes. A twist is a
rotation vector and a translation in the camera's own frame.

Shapes: F frames, P parameters of an orbit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from recon import hull
from recon.camera import Cameras
from recon.cpu_project import FX, FY, ROTATION, TRANSLATION
from recon.poses import orbit


@dataclass(eq=False)
class Rig:
    """Cameras in motion; the distance from the point looked at is about 1, and that point the origin."""

    K: np.ndarray
    """float64 [F,3,3] before the zoom."""
    params: np.ndarray | None
    """[P] as in recon.poses.orbit, its focal length left alone; None for cameras on no orbit."""
    path: np.ndarray
    """float64 [F,4,4], the poses where there is no orbit."""
    zoom: float
    """Natural logarithm."""
    twists: np.ndarray
    """float64 [F,6], rotation vector and translation."""
    times: np.ndarray
    """[F], when each frame was taken, 0 to below 1; read for an orbit."""
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class RigGradient:
    """What one frame says about the rig."""

    params: np.ndarray
    """[P]; 0 where there is no orbit."""
    zoom: float
    twist: np.ndarray
    """[6], of that frame."""


def from_orbit(params: np.ndarray, times: np.ndarray, height: int, width: int) -> Rig:
    """Put cameras on an orbit at times [F]."""
    focal = orbit.focal_px(params, height, width)
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    num, path = len(times), orbit.poses(params, times)
    return Rig(np.tile(K, (num, 1, 1)), params.copy(), path, 0.0, np.zeros((num, 6)), times, height, width)


def from_cameras(cameras: Cameras) -> tuple[Rig, np.ndarray, float]:
    """Take cameras as they stand; also return the origin [3] and the unit of length that the rig has in their frame."""
    center = hull.look_at_point(cameras)
    path = cameras.w2c.double().numpy().copy()
    path[:, :3, 3] += path[:, :3, :3] @ center
    unit = float(np.median(np.linalg.norm(path[:, :3, 3], axis=1)))
    path[:, :3, 3] /= unit
    size = (cameras.height, cameras.width)
    still = np.zeros((len(path), 6)), orbit.frame_times(len(path))
    return Rig(cameras.K.double().numpy().copy(), None, path, 0.0, *still, *size), center, unit


def matrices(rig: Rig, frames: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return w2c [F,4,4] of some frames, float64."""
    posed = _untwisted(rig, frames)
    twists = rig.twists[frames]
    turn = Rotation.from_rotvec(twists[:, :3]).as_matrix()
    posed[:, :3] = turn @ posed[:, :3]
    posed[:, :3, 3] += twists[:, 3:]
    return posed


def to_cameras(rig: Rig) -> Cameras:
    """Return the cameras; the unit of length is that of the rig with no zoom, so the median distance stays about 1."""
    w2c = matrices(rig)
    w2c[:, :3, 3] *= np.exp(-rig.zoom)
    K = rig.K.copy()
    K[:, [0, 1], [0, 1]] *= np.exp(rig.zoom)
    return Cameras(torch.from_numpy(K).float(), torch.from_numpy(w2c).float(), rig.height, rig.width)


def vector(rig: Rig) -> np.ndarray:
    """Lay all that moves in one row: the orbit's parameters where there is one, the zoom, the twists."""
    params = np.zeros(0) if rig.params is None else rig.params
    return np.concatenate([params, [rig.zoom], rig.twists.ravel()])


def set_vector(rig: Rig, row: np.ndarray) -> None:
    """Undo `vector`, in place."""
    num_twists = rig.twists.size
    rig.twists, rig.zoom = row[-num_twists:].reshape(-1, 6).copy(), float(row[-num_twists - 1])
    if rig.params is not None:
        rig.params = row[: -num_twists - 1].copy()


def settled_params(rig: Rig) -> np.ndarray | None:
    """Return the orbit's parameters with the zoom in its focal length, as `to_cameras` places them."""
    if rig.params is None:
        return None
    params = rig.params.copy()
    params[orbit.INDEX["log_focal"]] += rig.zoom
    return params


def camera_row(rig: Rig, k: int, height: int, width: int) -> np.ndarray:
    """Return frame k's camera as the kernels read it, at a picture size."""
    w2c = matrices(rig, np.array([k]))[0]
    scale, zoom, K = np.array([width / rig.width, height / rig.height]), np.exp(rig.zoom), rig.K[k]
    focal, middle = zoom * scale * K[[0, 1], [0, 1]], scale * K[:2, 2]
    return np.concatenate([focal, middle, w2c[:3, :3].ravel(), w2c[:3, 3]]).astype(np.float32)


def twist_gradient(row: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, float]:
    """Turn the gradient with respect to a camera row into those of a twist [6] and of the focal length's logarithm.

    A twist (w, v) takes (R, t) to ((I + [w]x) R, t + w x t + v).
    """
    rotation, translation = row[ROTATION:TRANSLATION].reshape(3, 3).astype(float), row[TRANSLATION:].astype(float)
    turned = gradient[ROTATION:TRANSLATION].reshape(3, 3) @ rotation.T
    spin = np.array([turned[2, 1] - turned[1, 2], turned[0, 2] - turned[2, 0], turned[1, 0] - turned[0, 1]])
    shift = gradient[TRANSLATION:]
    focal = float(row[FX] * gradient[FX] + row[FY] * gradient[FY])
    return np.concatenate([spin + np.cross(translation, shift), shift]), focal


def pull_back(rig: Rig, k: int, twist: np.ndarray, focal: float) -> RigGradient:
    """Take gradients with respect to a twist [6] of frame k's camera, and to its focal length, back to the rig.

    That of the frame's own twist is exact at 0, and off by the size of the twist elsewhere.
    """
    posed = _untwisted(rig, np.array([k]))[0]
    turn = Rotation.from_rotvec(rig.twists[k, :3]).as_matrix()
    # How a twist before the frame's own is seen after it: the adjoint, transposed.
    spin = (twist[:3] + np.cross(twist[3:], rig.twists[k, 3:])) @ turn
    shift = twist[3:] @ turn
    params = np.zeros(orbit.NUM)
    if rig.params is not None:
        moves = orbit.jacobian(rig.params, rig.times[k : k + 1])[0]  # P 6
        params = moves[:, :3] @ spin + np.exp(rig.zoom) * moves[:, 3:] @ shift
    return RigGradient(params, focal + float(shift @ posed[:3, 3]), twist)


def _untwisted(rig: Rig, frames: np.ndarray | slice) -> np.ndarray:
    if rig.params is None:
        posed = rig.path[frames].copy()
    else:
        posed = orbit.poses(rig.params, rig.times[frames])
    posed[:, :3, 3] *= np.exp(rig.zoom)
    return posed
