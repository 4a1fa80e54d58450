"""An orbit in few numbers: a camera that goes round an upright axis and looks at it.

What a generator or a turntable does can be said in about a dozen numbers that all frames share, so that every match of
the clip helps to find each of them; free cameras need good matches in every frame. The world has z up, the subject at
the origin, the camera one unit away; at azimuth 0 it stands at -y, and positive azimuths go on towards +x.

Shapes: F frames, P parameters (columns in NAMES), * any batch.
"""

from __future__ import annotations

import numpy as np

NAMES = (
    "elevation",  # radians, of the camera above the ground
    "log_focal",  # natural logarithm of the focal length in longer sides of the picture
    "span",  # turns from the first frame to one past the last; negative goes clockwise seen from above
    "pace_sin_1",  # radians of azimuth ahead of an even pace, as Fourier terms over the clip
    "pace_cos_1",
    "pace_sin_2",
    "pace_cos_2",
    "roll",  # radians, camera about its optical axis, clockwise positive
    "yaw",  # radians, before the roll, about its y axis: the orbit's axis stands beside the picture's middle
    "rise",  # radians of elevation from the first to the last frame
    "rise_sin",  # radians of elevation, one wave over the clip
    "rise_cos",
    "zoom",  # logarithm of the distance from the first to the last frame
    "zoom_sin",  # logarithm of the distance, one wave over the clip
    "zoom_cos",
)
NUM = len(NAMES)
INDEX = {name: index for index, name in enumerate(NAMES)}
STEP = 1e-6  # of the numeric derivative; parameters are of the order of 1


def level_orbit(elevation: float, log_focal: float, span: float) -> np.ndarray:
    """Return the parameters [P] of an even, level orbit."""
    params = np.zeros(NUM)
    params[:3] = elevation, log_focal, span
    return params


def frame_times(num_frames: int) -> np.ndarray:
    """Return when each frame is taken, [F] from 0 to below 1: evenly."""
    return np.arange(num_frames) / num_frames


def azimuths(params: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return each camera's azimuth [*,F] in radians; the first frame's is 0."""
    wave = 2 * np.pi * times
    span, *pace = np.moveaxis(params[..., 2:7, None], -2, 0)
    return (
        span * wave
        + pace[0] * np.sin(wave)
        + pace[1] * (np.cos(wave) - 1)
        + pace[2] * np.sin(2 * wave)
        + pace[3] * (np.cos(2 * wave) - 1)
    )


def elevations(params: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return each camera's elevation [*,F] in radians."""
    wave = 2 * np.pi * times
    elevation, rise, rise_sin, rise_cos = (params[..., i, None] for i in (0, 9, 10, 11))
    return elevation + rise * (times - 0.5) + rise_sin * np.sin(wave) + rise_cos * np.cos(wave)


def poses(params: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return world-to-camera matrices [*,F,4,4] (OpenCV axes) of parameters [*,P] at times [F]."""
    azimuth, elevation = azimuths(params, times), elevations(params, times)
    wave = 2 * np.pi * times
    zoom, zoom_sin, zoom_cos = (params[..., i, None] for i in (12, 13, 14))
    distance = np.exp(zoom * (times - 0.5) + zoom_sin * np.sin(wave) + zoom_cos * np.cos(wave))
    sin_a, cos_a, sin_e, cos_e = np.sin(azimuth), np.cos(azimuth), np.sin(elevation), np.cos(elevation)
    zero = np.zeros_like(azimuth)
    right = np.stack([cos_a, sin_a, zero], axis=-1)
    down = np.stack([sin_e * sin_a, -sin_e * cos_a, -cos_e], axis=-1)
    forward = np.stack([-cos_e * sin_a, cos_e * cos_a, -sin_e], axis=-1)
    rotation = np.stack([right, down, forward], axis=-2)  # * F 3 3
    turn = _turn(params[..., INDEX["roll"]], params[..., INDEX["yaw"]])[..., None, :, :]  # * 1 3 3
    w2c = np.zeros((*azimuth.shape, 4, 4))
    w2c[..., :3, :3] = turn @ rotation
    w2c[..., :3, 3] = turn[..., :, 2] * distance[..., None]  # the origin lies straight ahead before the turn
    w2c[..., 3, 3] = 1
    return w2c


def jacobian(params: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return [F,P,6]: how the parameters [P] move each camera, as twists (rotation, translation) of its own frame.

    A twist (w, v) takes w2c to (I + [w]x, v) w2c. The focal length moves no camera: its row is 0.
    """
    shifts = STEP * np.eye(NUM)
    ahead, behind = poses(params + shifts, times), poses(params - shifts, times)  # P F 4 4
    rate = (ahead - behind) / (2 * STEP)
    now = poses(params, times)
    turn = rate[..., :3, :3] @ np.swapaxes(now[..., :3, :3], -1, -2)  # P F 3 3, antisymmetric
    spin = np.stack([turn[..., 2, 1], turn[..., 0, 2], turn[..., 1, 0]], axis=-1)
    shift = rate[..., :3, 3] - np.cross(spin, now[..., :3, 3])
    return np.concatenate([spin, shift], axis=-1).transpose(1, 0, 2)


def focal_px(params: np.ndarray, height: int, width: int) -> float:
    """Return the focal length in pixels."""
    return float(np.exp(params[INDEX["log_focal"]]) * max(height, width))


def log_focal(fov_deg: float) -> float:
    """Return the parameter for a field of view across the picture's longer side, in degrees."""
    return float(-np.log(2 * np.tan(np.deg2rad(fov_deg) / 2)))


def fov_deg(log_focal: float) -> float:
    """Return the field of view across the picture's longer side, in degrees."""
    return float(np.rad2deg(2 * np.arctan(0.5 * np.exp(-log_focal))))


def mirrored(params: np.ndarray) -> np.ndarray:
    """Return the orbit that shows nearly the same pictures of the subject turned inside out (Necker's reversal)."""
    flipped = params.copy()
    for name in NAMES:
        if name in ("elevation", "span") or name.startswith(("pace", "rise")):
            flipped[INDEX[name]] *= -1
    return flipped


def _turn(roll: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Return the camera's own rotation [*,3,3] after it looked at the axis."""
    one, zero = np.ones_like(roll), np.zeros_like(roll)
    sin_r, cos_r, sin_y, cos_y = np.sin(roll), np.cos(roll), np.sin(yaw), np.cos(yaw)
    about_z = np.stack([cos_r, sin_r, zero, -sin_r, cos_r, zero, zero, zero, one], axis=-1)
    about_y = np.stack([cos_y, zero, sin_y, zero, one, zero, -sin_y, zero, cos_y], axis=-1)
    shape = (*np.shape(roll), 3, 3)
    return about_z.reshape(shape) @ about_y.reshape(shape)
