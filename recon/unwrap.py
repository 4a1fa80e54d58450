"""UV atlas of a mesh, by xatlas, and the way back to the mesh without its seams.

UVs are trimesh's: [0,1], v up. In a picture of S x S texels (u, v) lies at column u S and row (1 - v) S; texel (0, 0)
covers [0,1]x[0,1] as a pixel does. No chart is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import trimesh

from recon.isosurface import taubin

PADDING = 6  # texels between charts, a quarter of which the scaling to a square may take
EVENING = 3  # rounds of smoothing before charts are cut: fewer charts; with more, xatlas folds more of them
MAX_TRIES = 8  # xatlas folds a face or two of large meshes over others; the second try mends it
BORDER = 1.5  # texels around a chart that belong to it, for bilinear reading


@dataclass(frozen=True, eq=False)
class Texels:
    """The T texels of an atlas of S x S that belong to a chart, its border included, row by row."""

    index: np.ndarray
    """Row times S plus column, int64 [T]."""
    face: np.ndarray
    """The face that each shows or lies nearest to, int64 [T]."""
    weights: np.ndarray
    """Of that face's corners, float32 [T,3]; beyond the border of the chart one of them is negative."""
    overlap: float
    """Share of the covered texels' centres that lie in more than one face."""

    def mean(self, values: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Interpolate values of vertices [V,C] at the texels [T,C]."""
        return _interpolated(np.ascontiguousarray(values, np.float32), faces, self.face, self.weights)


def unwrap(vertices: np.ndarray, faces: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay the faces of a closed mesh out in a square of `size` x `size` texels, without overlap.

    Returns, for the vertices split at seams, which vertex each comes from [W], its UV [W,2], and the faces [F,3], in
    the order they came in. Deterministic. Costs about 0.1 ms a face.
    """
    even = taubin(np.asarray(vertices, np.float64), faces, EVENING)
    alone = np.zeros(len(faces), bool)  # faces that lay over others, and become charts of their own
    for _ in range(MAX_TRIES):
        origin, uv, corners = _charts(even, faces, alone, size)
        over = _texels(to_texels(uv, size), corners, size, 0.0)[4]
        if not over.any():
            break
        alone |= over
    return origin, uv, corners


def _charts(
    points: np.ndarray, faces: np.ndarray, alone: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Do as `unwrap` does, once. xatlas joins what touches, so faces that shall be alone are shrunk a little."""
    import xatlas

    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.fix_winding = True
    packing.resolution, packing.padding = size, PADDING
    packing.rotate_charts = False  # its quarter turns are reflections
    own = points[faces[alone]]
    own = own + 0.01 * (own.mean(axis=1, keepdims=True) - own)
    indices = faces.copy()
    indices[alone] = len(points) + np.arange(3 * len(own)).reshape(-1, 3)
    atlas = xatlas.Atlas()
    places = np.concatenate([points, own.reshape(-1, 3)])
    atlas.add_mesh(np.ascontiguousarray(places, np.float32), np.ascontiguousarray(indices, np.uint32))
    atlas.generate(charts, packing)
    origin, corners, uv = atlas[0]
    source = np.concatenate([np.arange(len(points)), faces[alone].ravel()])
    longest = max(atlas.width, atlas.height)
    return source[origin], uv * (np.array([atlas.width, atlas.height]) / longest), corners.astype(np.int64)


def texels(uv: np.ndarray, faces: np.ndarray, size: int) -> Texels:
    """Find the texels of an atlas, and how far its faces overlap."""
    face, weights, num_twice, num_covered, _ = _texels(to_texels(uv, size), faces, size, BORDER)
    index = np.flatnonzero(face >= 0)
    return Texels(index, face[index], weights[index], num_twice / max(num_covered, 1))


def to_texels(uv: np.ndarray, size: int) -> np.ndarray:
    """Turn UVs [...,2] into columns and rows of a picture of `size` x `size`, float64."""
    return np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1).astype(np.float64) * size


def welded(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, np.ndarray]:
    """Return a mesh's geometry with vertices at one place joined, and which of its vertices each one became [V]."""
    places, joined = np.unique(np.asarray(mesh.vertices), axis=0, return_inverse=True)
    joined = joined.reshape(-1)
    return trimesh.Trimesh(places, joined[mesh.faces], process=False), joined


def smooth_normals(mesh: trimesh.Trimesh) -> np.ndarray:
    """Return unit normals of the vertices [V,3] as if there were no seams."""
    geometry, joined = welded(mesh)
    return np.asarray(geometry.vertex_normals)[joined]


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _texels(uv, faces, size, border):
    owner = np.full(size * size, -1, np.int64)
    weights = np.zeros((size * size, 3), np.float32)
    nearest = np.full(size * size, border * border + 1e-12)
    over = np.zeros(len(faces), np.bool_)
    inside, under = np.zeros(size * size, np.int64), np.zeros(size * size, np.int64)
    for f in range(len(faces)):
        ax, ay = uv[faces[f, 0]]
        bx, by = uv[faces[f, 1]]
        cx, cy = uv[faces[f, 2]]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        left = max(int(np.floor(min(ax, bx, cx) - border)), 0)
        right = min(int(np.ceil(max(ax, bx, cx) + border)), size - 1)
        top = max(int(np.floor(min(ay, by, cy) - border)), 0)
        bottom = min(int(np.ceil(max(ay, by, cy) + border)), size - 1)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                x, y = column + 0.5, row + 0.5
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                wc = 1.0 - wa - wb
                least = min(wa, wb, wc)
                distance = 0.0
                if least < 0.0:
                    distance = min(
                        _to_segment(x, y, ax, ay, bx, by),
                        _to_segment(x, y, bx, by, cx, cy),
                        _to_segment(x, y, cx, cy, ax, ay),
                    )
                here = row * size + column
                if least > 1e-9:
                    if inside[here] > 0:
                        over[f] = over[under[here]] = True
                    under[here] = f
                    inside[here] += 1
                if distance < nearest[here]:
                    nearest[here] = distance
                    owner[here] = f
                    weights[here] = (wa, wb, wc)
    return owner, weights, (inside > 1).sum(), (inside > 0).sum(), over


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _to_segment(x, y, ax, ay, bx, by):
    """Return the squared distance of a point from a segment."""
    ex, ey = bx - ax, by - ay
    along = ((x - ax) * ex + (y - ay) * ey) / max(ex * ex + ey * ey, 1e-30)
    along = min(max(along, 0.0), 1.0)
    return (x - ax - along * ex) ** 2 + (y - ay - along * ey) ** 2


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _interpolated(values, faces, face, weights):
    out = np.empty((len(face), values.shape[1]), np.float32)
    for t in range(len(face)):
        a, b, c = faces[face[t]]
        for channel in range(values.shape[1]):
            out[t, channel] = (
                weights[t, 0] * values[a, channel]
                + weights[t, 1] * values[b, channel]
                + weights[t, 2] * values[c, channel]
            )
    return out
