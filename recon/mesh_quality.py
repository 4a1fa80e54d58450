"""Figures that tell whether a mesh can be worked with: closed, whole, no degenerate faces, its texture in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh

from recon.mesh_render import base_color, read_texture
from recon.unwrap import texels, to_texels, welded

MIN_SHAPE = 1e-6  # a face's area over its squared longest edge, below which it is degenerate
SEAM_STEPS = 4  # places on each edge of a seam


def quality(mesh: trimesh.Trimesh) -> dict[str, Any]:
    """Return the figures of a mesh (JSON-able); those of the atlas only where it has a texture.

    `uv_overlap` is a share of the covered texels. `texels_per_edge` is how many texels an edge of a triangle spans, the
    mean. `seam_contrast` is how much the colour differs between the two sides of seams, the mean over their length, in
    sRGB from 0 to 1.
    """
    geometry, _ = welded(mesh)
    figures: dict[str, Any] = {
        "is_watertight": bool(geometry.is_watertight),
        "num_components": int(geometry.body_count),
        "num_degenerate_faces": num_degenerate(geometry),
    }
    texture = base_color(mesh)
    if texture is not None:
        uv, faces = np.asarray(mesh.visual.uv), np.ascontiguousarray(mesh.faces, np.int64)  # type: ignore[union-attr]
        covered = to_texels(uv, len(texture))[faces]
        figures["uv_overlap"] = texels(uv, faces, len(texture)).overlap
        figures["texels_per_edge"] = float(np.linalg.norm(covered - np.roll(covered, 1, axis=1), axis=2).mean())
        figures["seam_contrast"] = seam_contrast(mesh, texture)
    return figures


def num_degenerate(mesh: trimesh.Trimesh) -> int:
    """Count the faces that are nearly a line or a point."""
    corners = np.asarray(mesh.triangles)
    longest = (np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2) ** 2).max(axis=1)
    return int((np.asarray(mesh.area_faces) <= MIN_SHAPE * longest).sum())


def seam_contrast(mesh: trimesh.Trimesh, texture: np.ndarray) -> float:
    """Return the mean difference of a texture [S,S,3] across the edges where it is cut, weighted by their length."""
    geometry, joined = welded(mesh)
    one, two = _seams(np.asarray(mesh.faces), joined)
    if len(one) == 0:
        return 0.0
    places = to_texels(np.asarray(mesh.visual.uv), len(texture))  # type: ignore[union-attr]
    share = (np.arange(SEAM_STEPS) + 0.5)[:, None, None] / SEAM_STEPS
    sides = []
    for ends in (one, two):
        spots = (1.0 - share) * places[ends[:, 0]] + share * places[ends[:, 1]]  # [steps,E,2]
        sides.append(read_texture(texture, spots.reshape(-1, 2).astype(np.float32)).reshape(SEAM_STEPS, -1, 3))
    length = np.linalg.norm(np.diff(np.asarray(geometry.vertices)[joined[one]], axis=1)[:, 0], axis=1)
    return float(np.average(np.abs(sides[0] - sides[1]).mean(axis=(0, 2)), weights=length))


def _seams(faces: np.ndarray, joined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two sides of each edge that is cut: vertices [E,2] and [E,2], in the same order along the edge."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    turned = joined[edges[:, 0]] > joined[edges[:, 1]]
    edges = np.where(turned[:, None], edges[:, ::-1], edges)
    places = joined[edges]
    order = np.lexsort((places[:, 1], places[:, 0]))
    edges, places = edges[order], places[order]
    same = (places[1:] == places[:-1]).all(axis=1)
    cut = same & (edges[1:] != edges[:-1]).any(axis=1)
    return edges[:-1][cut], edges[1:][cut]
