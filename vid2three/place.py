"""From the world of the cameras to an asset's own frame: z up, front -y, the pivot at the origin, metres."""

from __future__ import annotations

from typing import Literal

import numpy as np
import trimesh

Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(x, y, z) -> (x, z, -y): glTF's and OBJ's axes, where the front faces +z."""


def placement(mesh: trimesh.Trimesh, height_m: float | None, pivot: Literal["keep", "base", "centre"]) -> np.ndarray:
    """Return the [4,4] matrix, a scale and a shift, that gives a z-up mesh this height and this pivot.

    `height_m` None keeps the size. Raises ValueError for a mesh without height.
    """
    low, high = mesh.bounds
    scale = 1.0
    if height_m is not None:
        if not high[2] > low[2]:
            raise ValueError("The mesh is flat, so it has no height to scale; leave --height-m out.")
        scale = height_m / (high[2] - low[2])
    centre = (low + high) / 2
    origin = {"keep": np.zeros(3), "base": np.array([*centre[:2], low[2]]), "centre": centre}[pivot]
    matrix = np.diag([scale, scale, scale, 1.0])
    matrix[:3, 3] = -scale * origin
    return matrix


def moved(mesh: trimesh.Trimesh, matrix: np.ndarray) -> trimesh.Trimesh:
    """Return a copy of a mesh with its vertices taken through a [4,4] matrix; colours come along."""
    copy = mesh.copy()
    copy.apply_transform(matrix)
    return copy
