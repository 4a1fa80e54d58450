"""Fewer triangles for a closed mesh, which stays closed and manifold.

Edges are collapsed in the order of the quadric error: Garland and Heckbert, "Surface Simplification Using Quadric
Error Metrics", SIGGRAPH 1997. An edge is left alone where its collapse would turn a face over, or break the manifold:
where its ends share other than two neighbours, the link condition of Dey et al., "Topology Preserving Edge
Contraction", 1999.
"""

from __future__ import annotations

import heapq

import numba
import numpy as np

PULL = 1e-3  # towards the edge's middle, against the planes' pull: places the vertex on flat ground
MIN_TURN = 0.2  # cosine a face's normal may turn by at most in one collapse
MIN_SHAPE = 0.02  # of a new face: 4 sqrt(3) area over its squared sides, 1 for an equal-sided one


def decimate(vertices: np.ndarray, faces: np.ndarray, num_faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Collapse edges of a closed mesh until it has `num_faces` faces at most, or no edge can go.

    Takes and returns vertices float64 [V,3] and faces int64 [F,3]. The same input gives the same bytes.
    """
    if len(faces) <= num_faces:
        return vertices, faces
    moved, kept = _collapse(vertices.astype(np.float64), faces.astype(np.int64), num_faces)
    used = np.unique(kept)
    renumbered = np.zeros(len(moved), np.int64)
    renumbered[used] = np.arange(len(used))
    return moved[used], renumbered[kept]


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _collapse(vertices, faces, num_faces):
    vertices, faces = vertices.copy(), faces.copy()
    num = len(vertices)
    alive = np.ones(len(faces), np.bool_)
    # The faces around a vertex are a linked list of corners (3 face + place); lists are joined when vertices are.
    first, last = np.full(num, -1, np.int64), np.full(num, -1, np.int64)
    following = np.full(3 * len(faces), -1, np.int64)
    quadrics = np.zeros((num, 10), np.float64)
    for f in range(len(faces)):
        for corner in range(3):
            v = faces[f, corner]
            if first[v] < 0:
                first[v] = 3 * f + corner
            else:
                following[last[v]] = 3 * f + corner
            last[v] = 3 * f + corner
        _add_plane(quadrics, vertices, faces[f])
    age = np.zeros(num, np.int64)  # of a vertex's place: entries of the heap made before it are void
    mark = np.zeros(num, np.int64)
    beside = np.zeros(2, np.int64)  # the third corners of the two faces that vanish with an edge
    stamp = 0
    heap = [(0.0, np.int64(0), np.int64(0), np.int64(0))]
    heap.pop()
    for f in range(len(faces)):
        for corner in range(3):
            a, b = faces[f, corner], faces[f, (corner + 1) % 3]
            if a < b:
                heap.append((_best_place(quadrics, vertices, a, b)[0], np.int64(0), a, b))
    heapq.heapify(heap)
    left = len(faces)
    while left > num_faces and len(heap) > 0:
        _, when, a, b = heapq.heappop(heap)
        if first[a] < 0 or first[b] < 0 or when != age[a] + age[b]:
            continue
        _, x, y, z = _best_place(quadrics, vertices, a, b)
        stamp += 3
        if not _keeps_manifold(first, following, faces, mark, stamp, a, b):
            continue
        if _turns_over(first, following, faces, vertices, a, b, x, y, z):
            continue
        if _turns_over(first, following, faces, vertices, b, a, x, y, z):
            continue
        vertices[a] = (x, y, z)
        quadrics[a] += quadrics[b]
        dead = 0
        corner = first[b]
        while corner >= 0:
            f = corner // 3
            if faces[f, 0] == a or faces[f, 1] == a or faces[f, 2] == a:
                alive[f] = False
                beside[dead] = faces[f, 0] + faces[f, 1] + faces[f, 2] - a - b
                dead += 1
            else:
                faces[f, corner % 3] = a
            corner = following[corner]
        left -= dead
        following[last[a]] = first[b]
        last[a] = last[b]
        first[b] = -1
        _forget_dead(first, last, following, alive, a)
        _forget_dead(first, last, following, alive, beside[0])
        _forget_dead(first, last, following, alive, beside[1])
        age[a] += age[b] + 1
        corner = first[a]
        while corner >= 0:
            f = corner // 3
            for step in range(1, 3):
                c = faces[f, (corner % 3 + step) % 3]
                if mark[c] != stamp + 2:  # each neighbour once
                    mark[c] = stamp + 2
                    low, high = min(a, c), max(a, c)
                    heapq.heappush(heap, (_best_place(quadrics, vertices, low, high)[0], age[a] + age[c], low, high))
            corner = following[corner]
    return vertices, faces[alive]


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _add_plane(quadrics, vertices, face):
    """Add a face's plane, weighted by its area, to the quadrics (xx xy xz xw yy yz yw zz zw ww) of its corners."""
    p, q, r = vertices[face[0]], vertices[face[1]], vertices[face[2]]
    nx = (q[1] - p[1]) * (r[2] - p[2]) - (q[2] - p[2]) * (r[1] - p[1])
    ny = (q[2] - p[2]) * (r[0] - p[0]) - (q[0] - p[0]) * (r[2] - p[2])
    nz = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
    norm = np.sqrt(nx * nx + ny * ny + nz * nz)
    if norm == 0.0:
        return
    weight = 1.0 / norm  # 1 / norm^2 for the unit normal, times the area (but for a half)
    w = -(nx * p[0] + ny * p[1] + nz * p[2])
    plane = np.array([nx * nx, nx * ny, nx * nz, nx * w, ny * ny, ny * nz, ny * w, nz * nz, nz * w, w * w])
    for corner in range(3):
        quadrics[face[corner]] += weight * plane


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _best_place(quadrics, vertices, a, b):
    """Return the error and the place x, y, z of the vertex that two would become."""
    q = quadrics[a] + quadrics[b]
    mx, my, mz = 0.5 * (vertices[a] + vertices[b])
    pull = PULL * (q[0] + q[4] + q[7]) + 1e-30
    # Solve (Q + pull I) p = pull middle - w by Cramer's rule: symmetric and positive definite.
    a00, a01, a02, a11, a12, a22 = q[0] + pull, q[1], q[2], q[4] + pull, q[5], q[7] + pull
    r0, r1, r2 = pull * mx - q[3], pull * my - q[6], pull * mz - q[8]
    c00, c01, c02 = a11 * a22 - a12 * a12, a02 * a12 - a01 * a22, a01 * a12 - a02 * a11
    determinant = a00 * c00 + a01 * c01 + a02 * c02
    c11, c12, c22 = a00 * a22 - a02 * a02, a01 * a02 - a00 * a12, a00 * a11 - a01 * a01
    x = (c00 * r0 + c01 * r1 + c02 * r2) / determinant
    y = (c01 * r0 + c11 * r1 + c12 * r2) / determinant
    z = (c02 * r0 + c12 * r1 + c22 * r2) / determinant
    error = q[0] * x * x + q[4] * y * y + q[7] * z * z + q[9]
    error += 2.0 * (q[1] * x * y + q[2] * x * z + q[5] * y * z + q[3] * x + q[6] * y + q[8] * z)
    length = (vertices[a, 0] - vertices[b, 0]) ** 2
    length += (vertices[a, 1] - vertices[b, 1]) ** 2 + (vertices[a, 2] - vertices[b, 2]) ** 2
    return max(error, 0.0) + pull * length, x, y, z


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _keeps_manifold(first, following, faces, mark, stamp, a, b):
    """Tell whether the neighbours that an edge's ends share are two, not joined by an edge in the links of both."""
    corner = first[a]
    while corner >= 0:
        for c in range(3):
            mark[faces[corner // 3, c]] = stamp
        corner = following[corner]
    shared = 0
    corner = first[b]
    while corner >= 0:
        for c in range(3):
            v = faces[corner // 3, c]
            if v != a and v != b and mark[v] == stamp:
                mark[v] = stamp + 1
                shared += 1
        corner = following[corner]
    if shared != 2:
        return False
    return not (
        _joins_marked(first, following, faces, mark, stamp + 1, a)
        and _joins_marked(first, following, faces, mark, stamp + 1, b)
    )


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _joins_marked(first, following, faces, mark, value, vertex):
    """Tell whether a face around a vertex has two corners that are marked with a value."""
    corner = first[vertex]
    while corner >= 0:
        f, place = corner // 3, corner % 3
        if mark[faces[f, (place + 1) % 3]] == value and mark[faces[f, (place + 2) % 3]] == value:
            return True
        corner = following[corner]
    return False


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _turns_over(first, following, faces, vertices, a, b, x, y, z):
    """Tell whether moving vertex a to a place would turn, flatten or stretch a face around it that b is not in."""
    corner = first[a]
    while corner >= 0:
        f = corner // 3
        place = corner % 3
        corner = following[corner]
        p, q = faces[f, (place + 1) % 3], faces[f, (place + 2) % 3]
        if p == b or q == b:
            continue
        ex, ey, ez = vertices[q] - vertices[p]
        ox, oy, oz = vertices[a] - vertices[p]
        dx, dy, dz = x - vertices[p, 0], y - vertices[p, 1], z - vertices[p, 2]
        ox, oy, oz = ey * oz - ez * oy, ez * ox - ex * oz, ex * oy - ey * ox
        nx, ny, nz = ey * dz - ez * dy, ez * dx - ex * dz, ex * dy - ey * dx
        old, new = np.sqrt(ox * ox + oy * oy + oz * oz), np.sqrt(nx * nx + ny * ny + nz * nz)
        if ox * nx + oy * ny + oz * nz < MIN_TURN * old * new or new == 0.0:
            return True
        fx, fy, fz = dx - ex, dy - ey, dz - ez
        sides = ex * ex + ey * ey + ez * ez + dx * dx + dy * dy + dz * dz + fx * fx + fy * fy + fz * fz
        if 3.4641 * new < MIN_SHAPE * sides:
            return True
    return False


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _forget_dead(first, last, following, alive, a):
    """Take corners of dead faces out of a vertex's list."""
    corner, before = first[a], np.int64(-1)
    while corner >= 0:
        after = following[corner]
        if alive[corner // 3]:
            before = corner
        elif before < 0:
            first[a] = after
        else:
            following[before] = after
        corner = after
    last[a] = before
