"""Orbit cameras: where a clip's frames are taken from.

Camera axes are OpenCV's (x right, y down, z forward), the world is right-handed with z up, and the subject stands at
the origin with its front facing -y. Azimuth 0 looks at that front; it grows counter-clockwise seen from above.
"""

import numpy as np


def orbit_c2w(
    num_frames: int,
    elevation_deg: float,
    radius: float,
    start_deg: float = 0.0,
    span_deg: float = 360.0,
    closed: bool = True,
) -> np.ndarray:
    """Make the [F,4,4] camera-to-world matrices of an orbit that looks at the origin.

    A closed orbit leaves out its last camera, which would repeat the first one at a span of 360 degrees.
    """
    if not abs(elevation_deg) < 90:
        raise ValueError(f"An orbit's elevation must lie between -90 and 90 degrees, not at {elevation_deg}.")
    steps = num_frames if closed else max(num_frames - 1, 1)
    azimuth = np.radians(start_deg + span_deg * np.arange(num_frames) / steps)
    elevation = np.full(num_frames, np.radians(elevation_deg))
    outward = np.stack(
        [np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], axis=1
    )
    right = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(num_frames)], axis=1)
    c2w = np.tile(np.eye(4), (num_frames, 1, 1))
    c2w[:, :3, 0] = right
    c2w[:, :3, 1] = np.cross(-outward, right)
    c2w[:, :3, 2] = -outward
    c2w[:, :3, 3] = radius * outward
    return c2w


def orbit_radius(fov_deg: float) -> float:
    """Return the distance at which the unit sphere just fits a field of view, with a margin of 5 %."""
    return 1.05 / float(np.sin(np.radians(fov_deg) / 2))


def intrinsics(fov_deg: float, height: int, width: int) -> np.ndarray:
    """Make the [3,3] matrix K in pixels of a camera with square pixels; the field of view is the vertical one."""
    focal = 0.5 * height / np.tan(np.radians(fov_deg) / 2)
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
