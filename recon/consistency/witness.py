"""A second opinion on generated clips: cameras estimated from the frames alone, held against the commanded ones.

A generator that obeys its cameras makes frames from which they can be found again. The estimate may fail where the
subject is plain or round, so it is a witness and no judge: it is written down beside the verdict.
"""

from __future__ import annotations

from dataclasses import asdict
from math import isnan
from typing import Any

import numpy as np

from recon.camera import Cameras
from recon.hull import look_at_point
from recon.poses.compare import compare
from recon.poses.types import PoseEstimate


def witness(commanded: Cameras, estimated: PoseEstimate) -> dict[str, Any]:
    """Return how far an estimate from the frames alone agrees with the commanded cameras, JSON-able.

    Relative errors need no common frame; the elevation is that above each one's own ground.
    """
    errors = compare(estimated.cameras, commanded, estimated.registered)
    known = estimated.registered.numpy()
    difference = elevations_deg(estimated.cameras)[known].mean() - elevations_deg(commanded)[known].mean()
    found = asdict(errors)
    return {
        "registered": f"{found.pop('num_registered')}/{len(commanded)}",
        **{name: _plain(value) for name, value in found.items()},
        "elevation_difference_deg": _plain(float(difference)) if known.any() else None,
        "source": estimated.source,
        "confidence": round(estimated.confidence, 3),
    }


def elevations_deg(cameras: Cameras) -> np.ndarray:
    """Return each camera's elevation above the ground (world z up), seen from the point that all look at."""
    offsets = cameras.centers.double().numpy() - look_at_point(cameras)
    return np.rad2deg(np.arcsin(np.clip(offsets[:, 2] / np.linalg.norm(offsets, axis=1), -1, 1)))


def _plain(value: float | bool) -> float | bool | None:
    if isinstance(value, bool):
        return value
    return None if isnan(value) else round(value, 3)
