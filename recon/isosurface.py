"""From a signed distance grid to a closed, manifold, smooth triangle mesh.

Surface nets put one vertex into every cell (the cube between eight voxel centres) that the surface crosses, and one
quad across every grid edge between an inside and an outside voxel: Gibson, "Constrained Elastic Surface Nets", 1998.
So the mesh has the topology of the border of the inside voxels, which is a closed manifold as soon as no two of them
meet in an edge or a corner only ("well-composed": Latecki, "3D Well-Composed Pictures", 1997). `make_well_composed`
sees to that, and `largest_solids` to crumbs and bubbles.
"""

from __future__ import annotations

import numba
import numpy as np
from scipy import ndimage

LEAST = 1e-3  # of the truncation: no value is nearer to zero, so that no two vertices coincide


def largest_solids(field: np.ndarray, truncation: float, min_share: float) -> np.ndarray:
    """Return the field without solids below a share of the inside volume (the largest stays) and without bubbles.

    A bubble is free space that doesn't reach the grid's border. Dropped voxels get plus or minus the truncation.
    """
    field = field.copy()
    solids = _parts(field < 0)
    sizes = np.bincount(solids.ravel())
    sizes[0] = 0
    if not sizes.any():
        return field
    kept = sizes >= min(min_share * sizes.sum(), sizes.max())
    field[~kept[solids] & (solids > 0)] = truncation
    spaces = _parts(np.pad(field > 0, 1, constant_values=True))
    bubbles = spaces[1:-1, 1:-1, 1:-1] != spaces[0, 0, 0]
    field[bubbles & (field > 0)] = -truncation
    return field


def _parts(mask: np.ndarray) -> np.ndarray:
    """Number the parts of a mask that are joined by faces, from 1 on."""
    numbers = np.empty(mask.shape, np.int32)
    ndimage.label(mask, output=numbers)
    return numbers


def surface_nets(field: np.ndarray, truncation: float) -> tuple[np.ndarray, np.ndarray]:
    """Extract the zero surface of a well-composed field [X,Y,Z]; what lies beyond the grid is outside.

    Returns vertices float64 [V,3] in voxels from voxel (0, 0, 0)'s centre, and triangles int64 [F,3], outward.
    """
    nearest = LEAST * truncation
    field = np.pad(field, 1, constant_values=truncation)
    field = np.where(field < 0, np.minimum(field, -nearest), np.maximum(field, nearest))
    index, vertices = _cell_vertices(field)
    vertices -= 1.0
    return vertices, _split(vertices, _quads(field, index))


@numba.njit(nogil=True, error_model="numpy", cache=True)
def make_well_composed(field, truncation):
    """Turn outside voxels into inside ones, in place, until no two inside voxels meet in an edge or corner only.

    Of the candidates the one nearest to the surface is taken, so the surface moves by less than a voxel there. Returns
    how many were turned. The grid's border must lie outside and stays so.
    """
    sx, sy, sz = field.shape
    value = np.float32(-LEAST * truncation)
    turned = 0
    again = True
    while again:
        again = False
        for i in range(1, sx - 2):
            for j in range(1, sy - 2):
                for k in range(1, sz - 2):
                    inside = 0
                    for a in range(8):
                        if field[i + (a & 1), j + (a >> 1 & 1), k + (a >> 2)] < 0:
                            inside += 1
                    if inside < 2 or inside > 6:
                        continue
                    turn = _critical_voxel(field, i, j, k)
                    if turn >= 0:
                        field[i + (turn & 1), j + (turn >> 1 & 1), k + (turn >> 2)] = value
                        turned += 1
                        again = True
    return turned


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _critical_voxel(field, i, j, k):
    """Return which of a cell's voxels (bit 0 x, bit 1 y, bit 2 z) must turn inside to mend it; -1 if it is sound."""
    best, least = -1, np.float32(np.inf)
    for a in range(8):
        for first in range(3):
            b = a ^ (1 << first)
            for second in range(first + 1, 3):
                c, d = a ^ (1 << second), a ^ (1 << first) ^ (1 << second)
                if _at(field, i, j, k, a) < 0 and _at(field, i, j, k, d) < 0:
                    across = min(_at(field, i, j, k, b), _at(field, i, j, k, c))
                    if across > 0 and across < least:
                        least = across
                        best = b if _at(field, i, j, k, b) < _at(field, i, j, k, c) else c
    if best >= 0:
        return best
    for a in range(4):
        corners = _at(field, i, j, k, a) < 0, _at(field, i, j, k, 7 - a) < 0
        if corners[0] != corners[1]:
            continue
        others = 0
        for b in range(8):
            if b not in (a, 7 - a) and (_at(field, i, j, k, b) < 0) == corners[0]:
                others += 1
        if others > 0:
            continue
        for b in range(8):
            if _at(field, i, j, k, b) > 0 and _at(field, i, j, k, b) < least:
                least, best = _at(field, i, j, k, b), b
        return best
    return -1


@numba.njit(nogil=True, error_model="numpy", inline="always")
def _at(field, i, j, k, corner):
    return field[i + (corner & 1), j + (corner >> 1 & 1), k + (corner >> 2)]


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _cell_vertices(field):
    """Put a vertex at the mean of a cell's edge crossings; returns each cell's vertex index (-1: none) and vertices."""
    sx, sy, sz = field.shape
    index = np.full((sx - 1, sy - 1, sz - 1), -1, np.int32)
    found = 0
    for i in range(sx - 1):
        for j in range(sy - 1):
            for k in range(sz - 1):
                inside = 0
                for a in range(8):
                    if field[i + (a & 1), j + (a >> 1 & 1), k + (a >> 2)] < 0:
                        inside += 1
                if 0 < inside < 8:
                    index[i, j, k] = found
                    found += 1
    vertices = np.empty((found, 3), np.float64)
    for i in range(sx - 1):
        for j in range(sy - 1):
            for k in range(sz - 1):
                if index[i, j, k] < 0:
                    continue
                x, y, z, crossings = 0.0, 0.0, 0.0, 0
                for a in range(8):
                    for axis in range(3):
                        b = a | (1 << axis)
                        if b == a:
                            continue
                        va, vb = _at(field, i, j, k, a), _at(field, i, j, k, b)
                        if (va < 0) == (vb < 0):
                            continue
                        part = va / (va - vb)
                        x += (a & 1) + (part if axis == 0 else 0.0)
                        y += (a >> 1 & 1) + (part if axis == 1 else 0.0)
                        z += (a >> 2) + (part if axis == 2 else 0.0)
                        crossings += 1
                vertices[index[i, j, k]] = (i + x / crossings, j + y / crossings, k + z / crossings)
    return index, vertices


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _quads(field, index):
    """Return the quads int64 [Q,4] across grid edges that cross the surface, counter-clockwise seen from outside."""
    sx, sy, sz = field.shape
    num = 0
    for i in range(sx - 1):
        for j in range(sy - 1):
            for k in range(sz - 1):
                here = field[i, j, k] < 0
                num += (here != (field[i + 1, j, k] < 0)) + (here != (field[i, j + 1, k] < 0))
                num += here != (field[i, j, k + 1] < 0)
    quads = np.empty((num, 4), np.int64)
    found = 0
    for i in range(sx - 1):
        for j in range(sy - 1):
            for k in range(sz - 1):
                here = field[i, j, k] < 0
                for axis in range(3):
                    if axis == 0:
                        there = field[i + 1, j, k] < 0
                        a, b = index[i, j - 1, k - 1], index[i, j, k - 1]
                        c, d = index[i, j, k], index[i, j - 1, k]
                    elif axis == 1:
                        there = field[i, j + 1, k] < 0
                        a, b = index[i - 1, j, k - 1], index[i - 1, j, k]
                        c, d = index[i, j, k], index[i, j, k - 1]
                    else:
                        there = field[i, j, k + 1] < 0
                        a, b = index[i - 1, j - 1, k], index[i, j - 1, k]
                        c, d = index[i, j, k], index[i - 1, j, k]
                    if here == there:
                        continue
                    if here:
                        quads[found] = (a, b, c, d)
                    else:
                        quads[found] = (d, c, b, a)
                    found += 1
    return quads


def _split(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Cut each quad along its shorter diagonal."""
    a, b, c, d = (vertices[quads[:, n]] for n in range(4))
    first = ((a - c) ** 2).sum(axis=1) <= ((b - d) ** 2).sum(axis=1)
    one = np.where(first[:, None], quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    two = np.where(first[:, None], quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.stack([one, two], axis=1).reshape(-1, 3)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def taubin(vertices, faces, steps):
    """Smooth a closed mesh without shrinking it; returns vertices [V,3].

    Taubin, "A Signal Processing Approach to Fair Surface Design", SIGGRAPH 1995.
    """
    vertices = vertices.copy()
    sums = np.empty_like(vertices)
    degree = np.zeros(len(vertices), np.float64)
    for f in range(len(faces)):
        for corner in range(3):
            degree[faces[f, corner]] += 2.0
    for step in range(2 * steps):
        factor = 0.5 if step % 2 == 0 else -0.53
        sums[:] = 0.0
        for f in range(len(faces)):
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            for x in range(3):
                sums[a, x] += vertices[b, x] + vertices[c, x]
                sums[b, x] += vertices[c, x] + vertices[a, x]
                sums[c, x] += vertices[a, x] + vertices[b, x]
        for v in range(len(vertices)):
            for x in range(3):
                vertices[v, x] += factor * (sums[v, x] / degree[v] - vertices[v, x])
    return vertices
