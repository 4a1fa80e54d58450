"""From the world of the cameras to an asset's own frame: z up, front -y, the pivot at the origin, metres."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import numpy as np
import torch
import trimesh
from scipy.spatial.transform import Rotation

from recon import sh
from recon.splats import Splats
from vid2three.config import Pivot, Up

Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(x, y, z) -> (x, z, -y): glTF's and OBJ's axes, where the front faces +z."""
Y_DOWN_FROM_Z_UP = np.array([[-1.0, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(x, y, z) -> (-x, -z, -y): glTF's axes after half a turn about z, as SplatTransform and SuperSplat take splats."""
FROM_Z_UP: dict[Up, np.ndarray] = {"z": np.eye(4), "y": Y_UP_FROM_Z_UP, "y-down": Y_DOWN_FROM_Z_UP}
FRAMES: dict[Up, str] = {
    "z": "right-handed, z up, front -y",
    "y": "right-handed, y up, front +z",
    "y-down": "right-handed, y down, front +z",
}
SOLID = 0.5  # opacity from which on a splat counts for the size of an asset


def placement(mesh: trimesh.Trimesh, height_m: float | None, pivot: Pivot) -> np.ndarray:
    """Return the [4,4] matrix, a scale and a shift, that gives a z-up mesh this height and this pivot.

    `height_m` None keeps the size. Raises ValueError for a mesh without height.
    """
    return box_placement(bounds(mesh), height_m, pivot)


def box_placement(box: np.ndarray, height_m: float | None, pivot: Pivot) -> np.ndarray:
    """Return the matrix of `placement` for what fills a box, given by its lowest and highest corner [2,3]."""
    low, high = box
    scale = 1.0
    if height_m is not None:
        if not high[2] > low[2]:
            raise ValueError("What is to be exported is flat, so it has no height to scale; leave --height-m out.")
        scale = height_m / (high[2] - low[2])
    centre = (low + high) / 2
    origin = {"keep": np.zeros(3), "base": np.array([*centre[:2], low[2]]), "centre": centre}[pivot]
    matrix = np.diag([scale, scale, scale, 1.0])
    matrix[:3, 3] = -scale * origin
    return matrix


def bounds(bounded: trimesh.Trimesh | Splats) -> np.ndarray:
    """Return the lowest and highest corner [2,3] of a mesh, or of the centres of the solid splats."""
    if isinstance(bounded, trimesh.Trimesh):
        return np.asarray(bounded.bounds)
    solid = bounded.means[bounded.opacities >= SOLID]
    points = (solid if len(solid) else bounded.means).double().numpy()
    return np.stack([points.min(axis=0), points.max(axis=0)])


def moved(mesh: trimesh.Trimesh, matrix: np.ndarray) -> trimesh.Trimesh:
    """Return a copy of a mesh with its vertices taken through a [4,4] matrix; colours come along."""
    copy = mesh.copy()
    copy.apply_transform(matrix)
    return copy


def moved_splats(splats: Splats, matrix: np.ndarray) -> Splats:
    """Return splats taken through a [4,4] matrix: an even scale, a turn and a shift.

    Rotations and harmonics turn along, scales grow along, so what a camera saw, a camera moved the same way sees.
    Raises ValueError for a matrix that mirrors, shears or flattens.
    """
    if np.array_equal(matrix, np.eye(4)):
        return splats
    linear = np.asarray(matrix, np.float64)[:3, :3]
    scale = math.copysign(abs(np.linalg.det(linear)) ** (1 / 3), np.linalg.det(linear))
    turn = linear / (scale or 1.0)
    if not (scale > 0 and np.allclose(turn @ turn.T, np.eye(3), atol=1e-5)):
        raise ValueError("Splats can be turned, shifted and scaled evenly, but not mirrored or sheared.")
    means = splats.means.double().numpy() @ linear.T + np.asarray(matrix, np.float64)[:3, 3]
    moved = replace(splats, means=torch.from_numpy(means).float(), log_scales=splats.log_scales + math.log(scale))
    if np.allclose(turn, np.eye(3), atol=1e-12):
        return moved
    turned = Rotation.from_matrix(turn) * Rotation.from_quat(splats.quats.double().numpy()[:, [1, 2, 3, 0]])
    quats = torch.from_numpy(turned.as_quat()[:, [3, 0, 1, 2]]).float()
    return replace(moved, quats=quats, sh=sh.rotated(splats.sh, torch.from_numpy(turn)))


def noted_up(word: str, default: Up) -> Up:
    """Return what a note in a file says is up, or the default where it says nothing that is known."""
    return cast(Up, word) if word in FROM_Z_UP else default


def turned(splats: Splats, up: Up) -> Splats:
    """Return z-up splats in the frame of a file whose up is `up`."""
    return moved_splats(splats, FROM_Z_UP[up])


def turned_back(splats: Splats, up: Up) -> Splats:
    """Undo `turned`."""
    return moved_splats(splats, FROM_Z_UP[up].T)
