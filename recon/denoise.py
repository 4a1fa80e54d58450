"""Bumps taken off a mesh while its edges stay: normals are averaged with those that look alike, then vertices follow.

Zheng et al., "Bilateral Normal Filtering for Mesh Denoising", TVCG 2011, its local and iterative scheme; the vertices'
update is that of Sun et al., "Fast and Effective Feature-Preserving Mesh Denoising", TVCG 2007.

Shapes: V vertices, F faces; `start` [V+1] and `used_by` [3F] list the faces around each vertex.
"""

from __future__ import annotations

import numba
import numpy as np

ALIKE = 0.25  # the difference of unit normals (15 degrees) over which an edge counts as one: standard deviation
REACH = 2.0  # mean edges: standard deviation of the average over neighbours
UPDATES = 20  # steps in which vertices follow the normals

kernel = numba.njit(nogil=True, error_model="numpy", fastmath=True, cache=True)


def denoise(vertices: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Return vertices [V,3] of a closed mesh with its bumps evened out, float64; more rounds even out wider ones."""
    moved = np.array(vertices, np.float64)
    if rounds == 0 or len(faces) == 0:
        return moved
    faces = np.ascontiguousarray(faces, np.int32)
    start, used_by = _faces_around(faces, len(moved))
    normals, areas, centers = np.empty((len(faces), 3)), np.empty(len(faces)), np.empty((len(faces), 3))
    _measure(moved, faces, normals, areas, centers)
    edge = float(np.linalg.norm(moved[faces[:, 0]] - moved[faces[:, 1]], axis=1).mean())
    wanted = _filtered(normals, areas, centers, faces, start, used_by, REACH * edge, rounds)
    for _ in range(UPDATES):
        _follow(moved, wanted, centers, start, used_by)
        _measure(moved, faces, normals, areas, centers)
    return moved


@kernel
def _faces_around(faces, num):
    start = np.zeros(num + 1, np.int32)
    for f in range(len(faces)):
        for corner in range(3):
            start[faces[f, corner] + 1] += 1
    for v in range(num):
        start[v + 1] += start[v]
    place, used_by = start[:-1].copy(), np.empty(3 * len(faces), np.int32)
    for f in range(len(faces)):
        for corner in range(3):
            v = faces[f, corner]
            used_by[place[v]] = f
            place[v] += 1
    return start, used_by


@kernel
def _measure(vertices, faces, normals, areas, centers):
    """Write the faces' unit normals, areas and centres."""
    for f in range(len(faces)):
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        double = np.sqrt(x * x + y * y + z * z)
        inverse = 1.0 / max(double, 1e-30)
        areas[f] = 0.5 * double
        normals[f, 0], normals[f, 1], normals[f, 2] = x * inverse, y * inverse, z * inverse
        for axis in range(3):
            centers[f, axis] = (a[axis] + b[axis] + c[axis]) / 3.0


@kernel
def _filtered(normals, areas, centers, faces, start, used_by, reach, rounds):
    """Return the normals after so many averages over the faces that share a corner, which count by their size, their
    distance and how alike they look; those across an edge of two corners count twice."""
    num = len(faces)
    first = np.zeros(num + 1, np.int64)
    for f in range(num):
        around = 0
        for corner in range(3):
            around += start[faces[f, corner] + 1] - start[faces[f, corner]]
        first[f + 1] = first[f] + around
    other, weight = np.empty(first[num], np.int32), np.empty(first[num], np.float32)
    near = 0.5 / (reach * reach)
    for f in range(num):
        place = first[f]
        for corner in range(3):
            for k in range(start[faces[f, corner]], start[faces[f, corner] + 1]):
                g = used_by[k]
                x, y, z = centers[g, 0] - centers[f, 0], centers[g, 1] - centers[f, 1], centers[g, 2] - centers[f, 2]
                other[place], weight[place] = g, areas[g] * np.exp(-near * (x * x + y * y + z * z))
                place += 1
    now, then, like = normals.copy(), normals.copy(), 0.5 / (ALIKE * ALIKE)
    for _ in range(rounds):
        for f in range(num):
            sx, sy, sz = 0.0, 0.0, 0.0
            for k in range(first[f], first[f + 1]):
                g = other[k]
                x, y, z = now[g, 0] - now[f, 0], now[g, 1] - now[f, 1], now[g, 2] - now[f, 2]
                w = weight[k] * np.exp(-like * (x * x + y * y + z * z))
                sx, sy, sz = sx + w * now[g, 0], sy + w * now[g, 1], sz + w * now[g, 2]
            length = np.sqrt(sx * sx + sy * sy + sz * sz)
            if length > 1e-30:
                then[f, 0], then[f, 1], then[f, 2] = sx / length, sy / length, sz / length
            else:
                then[f] = now[f]
        now, then = then, now
    return now


@kernel
def _follow(vertices, normals, centers, start, used_by):
    """Move each vertex towards the planes of the faces around it: through their centres, across their normals."""
    for v in range(len(vertices)):
        sx, sy, sz = 0.0, 0.0, 0.0
        for k in range(start[v], start[v + 1]):
            f = used_by[k]
            x, y, z = centers[f, 0] - vertices[v, 0], centers[f, 1] - vertices[v, 1], centers[f, 2] - vertices[v, 2]
            off = normals[f, 0] * x + normals[f, 1] * y + normals[f, 2] * z
            sx, sy, sz = sx + off * normals[f, 0], sy + off * normals[f, 1], sz + off * normals[f, 2]
        share = 1.0 / max(start[v + 1] - start[v], 1)
        vertices[v, 0] += share * sx
        vertices[v, 1] += share * sy
        vertices[v, 2] += share * sz
