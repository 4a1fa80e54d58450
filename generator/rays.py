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


def plucker_rays(K: np.ndarray, c2w: np.ndarray, height: int, width: int, cell: int) -> np.ndarray:
    """Return the rays through the centres of square cells of `cell` pixels: [F, height/cell, width/cell, 6].

    Six numbers a ray: unit direction d and moment o x d (Sitzmann et al., arXiv:2106.02634), K [3,3], c2w [F,4,4].
    """
    u, v = np.meshgrid(np.arange(cell / 2, width, cell), np.arange(cell / 2, height, cell))
    local = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
    directions = np.einsum("fij,hwj->fhwi", c2w[:, :3, :3], local)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    moments = np.cross(c2w[:, None, None, :3, 3], directions)
    return np.concatenate([directions, moments], axis=-1)


def frame_pairs(rays: np.ndarray) -> np.ndarray:
    """Lay the rays of two frames, which share a latent frame, side by side: [F,h,w,6] to [F/2,h,w,12]."""
    return np.concatenate([rays[0::2], rays[1::2]], axis=-1)


def azimuths(c2w: np.ndarray) -> np.ndarray:
    """Return the azimuth [F] of each camera in radians, unwrapped along the clip; 0 is the front."""
    return np.unwrap(np.arctan2(c2w[:, 0, 3], -c2w[:, 1, 3]))


def latent_angles(c2w: np.ndarray) -> np.ndarray:
    """Return the azimuth [F/2] of each latent frame in radians: the mean of its two frames'."""
    return azimuths(c2w).reshape(-1, 2).mean(axis=1)
