"""A rasteriser of triangles under the sphere tracer's light: the same pictures of artist-made models as of solids.

Four samples a pixel on the tracer's grid, a shadow map for the sun, and a field of distances for what corners hide.
One thread, cached beside this file. cuda/mesh.cu is its twin: what changes here changes there.
T triangles, F frames; the subject lies within the unit sphere and the cameras outside of it, so nothing is clipped.
"""

import math

import numpy as np
from numba import njit

from generator.corpus import MeshSample
from generator.shading import SUN_X, SUN_Y, SUN_Z
from generator.tracer import NUM_SAMPLES, Trace

# The field: distances to the nearest triangle at the middles of cells, over a cube about the origin.
FIELD_CELLS = 40
FIELD_HALF = 1.2
FIELD_CELL = 2 * FIELD_HALF / FIELD_CELLS
FIELD_REACH = 0.25  # distances beyond the tracer's farthest tap, 0.21, do not matter

# The sun's map: how high, towards the sun, the surface nearest to it lies.
SUN_CELLS = 256
SUN_HALF = 1.0
SUN_BLUR = 2  # cells about a point's own that are asked whether they shade it
SUN_LIFT = 0.016  # a point is lifted off its surface by two of the map's cells,
SUN_BIAS = 0.012  # and shaded only by what lies this much nearer to the sun
DEPTH_STEPS = 32768.0  # depths are kept in these steps a unit, so that coplanar triangles tie: the first one wins
EDGE = 1e-5  # a sample on an edge belongs to both triangles: no cracks

# Two axes across the sun's direction.
_SUN_FLAT = math.hypot(SUN_X, SUN_Y)
SUN_ACROSS_X, SUN_ACROSS_Y = -SUN_Y / _SUN_FLAT, SUN_X / _SUN_FLAT
SUN_UP_X, SUN_UP_Y, SUN_UP_Z = -SUN_X * SUN_Z / _SUN_FLAT, -SUN_Y * SUN_Z / _SUN_FLAT, _SUN_FLAT

_FAST = {"fastmath": True, "nogil": True, "error_model": "numpy", "cache": True}


def trace_mesh(mesh: MeshSample, c2w: np.ndarray, K: np.ndarray, height: int, width: int) -> Trace:
    """Draw a mesh through F cameras c2w [F,4,4] (OpenCV axes) with one K [3,3] in pixels; its only part is 0."""
    num_frames = len(c2w)
    trace = Trace(
        rgb=np.empty((num_frames, height, width, 3), np.uint8),
        alpha=np.empty((num_frames, height, width), np.float32),
        depth=np.empty((num_frames, height, width), np.float32),
        part=np.empty((num_frames, height, width), np.int8),
    )
    cameras, K = np.ascontiguousarray(c2w, np.float64), np.asarray(K, np.float64)
    field, sun_map = distance_field(mesh.positions), height_map(mesh.positions)
    subject = (mesh.positions, mesh.normals, mesh.colors, field, sun_map)
    _trace_frames(*subject, cameras, K, trace.rgb, trace.alpha, trace.depth, trace.part)
    return trace


@njit(**_FAST)
def _trace_frames(positions, normals, colors, field, sun_map, c2w, K, rgb, alpha, depth, part):
    num_frames, height, width = depth.shape
    nearest = np.empty((height, width, NUM_SAMPLES), np.float32)
    owner = np.empty((height, width, NUM_SAMPLES), np.int32)
    color, total = np.empty(3), np.empty(3)
    for f in range(num_frames):
        _rasterize(positions, c2w[f], K, nearest, owner)
        for v in range(height):
            for u in range(width):
                total[:] = 0.0
                first, covered = owner[v, u, 0], 0
                whole = first >= 0
                z = 0.0
                for s in range(NUM_SAMPLES):
                    whole &= owner[v, u, s] == first
                    if owner[v, u, s] >= 0:
                        covered += 1
                        z = nearest[v, u, s] if z == 0.0 else min(z, nearest[v, u, s])
                if whole:
                    ray_x, ray_y = (u + 0.5 - K[0, 2]) / K[0, 0], (v + 0.5 - K[1, 2]) / K[1, 1]
                    z = _shade(positions, normals, colors, field, sun_map, c2w[f], first, ray_x, ray_y, 0.0, total)
                else:
                    for s in range(NUM_SAMPLES):
                        color[:] = 1.0
                        if owner[v, u, s] >= 0:
                            ray_x = (u + _across(s) - K[0, 2]) / K[0, 0]
                            ray_y = (v + _down(s) - K[1, 2]) / K[1, 1]
                            k, here = owner[v, u, s], nearest[v, u, s]
                            _shade(positions, normals, colors, field, sun_map, c2w[f], k, ray_x, ray_y, here, color)
                        for i in range(3):
                            total[i] += color[i] / NUM_SAMPLES
                for i in range(3):
                    rgb[f, v, u, i] = int(255.0 * total[i] + 0.5)
                alpha[f, v, u] = covered / NUM_SAMPLES
                depth[f, v, u] = z
                part[f, v, u] = 0 if covered > 0 else -1


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _across(s):
    """Where sample s lies in its pixel, from the left: the tracer's rotated grid."""
    return 0.125 + 0.25 * ((2 * s + (s >> 1)) & 3)


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _down(s):
    return 0.125 + 0.25 * s


@njit(**_FAST)
def _rasterize(positions, camera, K, nearest, owner):
    """Write the z and the index of the nearest triangle at each sample; -1 where there is none."""
    height, width, _ = nearest.shape
    nearest[:] = 1e9
    owner[:] = -1
    us, vs, ws = np.empty(3), np.empty(3), np.empty(3)
    for k in range(len(positions)):
        for c in range(3):
            dx = positions[k, c, 0] - camera[0, 3]
            dy = positions[k, c, 1] - camera[1, 3]
            dz = positions[k, c, 2] - camera[2, 3]
            ws[c] = 1.0 / (camera[0, 2] * dx + camera[1, 2] * dy + camera[2, 2] * dz)
            us[c] = K[0, 0] * (camera[0, 0] * dx + camera[1, 0] * dy + camera[2, 0] * dz) * ws[c] + K[0, 2]
            vs[c] = K[1, 1] * (camera[0, 1] * dx + camera[1, 1] * dy + camera[2, 1] * dz) * ws[c] + K[1, 2]
        u1, v1, u2, v2 = us[1] - us[0], vs[1] - vs[0], us[2] - us[0], vs[2] - vs[0]
        area = u1 * v2 - u2 * v1
        if abs(area) < 1e-9:
            continue
        left, right = max(int(us.min()), 0), min(int(us.max()) + 1, width)
        top, bottom = max(int(vs.min()), 0), min(int(vs.max()) + 1, height)
        for v in range(top, bottom):
            for u in range(left, right):
                for s in range(NUM_SAMPLES):
                    du, dv = u + _across(s) - us[0], v + _down(s) - vs[0]
                    b1, b2 = (du * v2 - u2 * dv) / area, (u1 * dv - du * v1) / area
                    if b1 < -EDGE or b2 < -EDGE or b1 + b2 > 1.0 + EDGE:
                        continue
                    z = 1.0 / (ws[0] + b1 * (ws[1] - ws[0]) + b2 * (ws[2] - ws[0]))
                    z = math.floor(z * DEPTH_STEPS) / DEPTH_STEPS
                    if z < nearest[v, u, s]:
                        nearest[v, u, s] = z
                        owner[v, u, s] = k


@njit(**_FAST)
def _shade(positions, normals, colors, field, sun_map, camera, k, ray_x, ray_y, z, color):
    """Write the colour of triangle k where the ray (x, y, 1) of the camera meets it; return the point's z.

    The light is shading.shade's, without its highlight. A z of 0 asks for the triangle's plane.
    """
    ox, oy, oz = camera[0, 3], camera[1, 3], camera[2, 3]
    dx = camera[0, 0] * ray_x + camera[0, 1] * ray_y + camera[0, 2]
    dy = camera[1, 0] * ray_x + camera[1, 1] * ray_y + camera[1, 2]
    dz = camera[2, 0] * ray_x + camera[2, 1] * ray_y + camera[2, 2]
    # Möller and Trumbore, "Fast, minimum storage ray/triangle intersection" (1997).
    ax, ay, az = positions[k, 0, 0], positions[k, 0, 1], positions[k, 0, 2]
    ex, ey, ez = positions[k, 1, 0] - ax, positions[k, 1, 1] - ay, positions[k, 1, 2] - az
    gx, gy, gz = positions[k, 2, 0] - ax, positions[k, 2, 1] - ay, positions[k, 2, 2] - az
    px, py, pz = dy * gz - dz * gy, dz * gx - dx * gz, dx * gy - dy * gx
    per_volume = ex * px + ey * py + ez * pz
    per_volume = 1.0 / per_volume if abs(per_volume) > 1e-12 else 0.0
    tx, ty, tz = ox - ax, oy - ay, oz - az
    qx, qy, qz = ty * ez - tz * ey, tz * ex - tx * ez, tx * ey - ty * ex
    b1 = min(max((tx * px + ty * py + tz * pz) * per_volume, 0.0), 1.0)
    b2 = min(max((dx * qx + dy * qy + dz * qz) * per_volume, 0.0), 1.0 - b1)
    if z == 0.0:
        z = (gx * qx + gy * qy + gz * qz) * per_volume
    x, y, z_world = ox + dx * z, oy + dy * z, oz + dz * z

    # The normal, on the side that is seen.
    b0 = 1.0 - b1 - b2
    nx = b0 * normals[k, 0, 0] + b1 * normals[k, 1, 0] + b2 * normals[k, 2, 0]
    ny = b0 * normals[k, 0, 1] + b1 * normals[k, 1, 1] + b2 * normals[k, 2, 1]
    nz = b0 * normals[k, 0, 2] + b1 * normals[k, 1, 2] + b2 * normals[k, 2, 2]
    fx, fy, fz = ey * gz - ez * gy, ez * gx - ex * gz, ex * gy - ey * gx
    seen_side = -1.0 if fx * dx + fy * dy + fz * dz > 0.0 else 1.0
    scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
    scale = -scale if (nx * fx + ny * fy + nz * fz) * seen_side < 0.0 else scale
    nx, ny, nz = nx * scale, ny * scale, nz * scale

    sunlight = max(nx * SUN_X + ny * SUN_Y + nz * SUN_Z, 0.0)
    sun = sunlight * _sun_seen(sun_map, x + SUN_LIFT * nx, y + SUN_LIFT * ny, z_world + SUN_LIFT * nz)
    sky = 0.45 + 0.11 * nz
    bounce = 0.18 * max(0.1 * nz - 0.5 * (nx * SUN_X + ny * SUN_Y), 0.0)
    light = (sky + bounce) * _open_sky(field, x, y, z_world, nx, ny, nz) + 0.62 * sun
    for i in range(3):
        base = b0 * colors[k, 0, i] + b1 * colors[k, 1, i] + b2 * colors[k, 2, i]
        color[i] = min(base * light / 255.0, 1.0)
    return z


@njit(**_FAST)
def _sun_seen(sun_map, x, y, z):
    """Return the share of the sun that is seen from a point: the map's cells about it, weighted as a smooth window."""
    across = (SUN_ACROSS_X * x + SUN_ACROSS_Y * y + SUN_HALF) * (SUN_CELLS / (2 * SUN_HALF)) - 0.5
    up = (SUN_UP_X * x + SUN_UP_Y * y + SUN_UP_Z * z + SUN_HALF) * (SUN_CELLS / (2 * SUN_HALF)) - 0.5
    height = SUN_X * x + SUN_Y * y + SUN_Z * z + SUN_BIAS
    column, row = int(math.floor(across)), int(math.floor(up))
    across, up = across - column, up - row
    seen = 0.0
    for j in range(-SUN_BLUR, SUN_BLUR + 2):
        down_weight = 1.0 - up if j == -SUN_BLUR else (up if j == SUN_BLUR + 1 else 1.0)
        for i in range(-SUN_BLUR, SUN_BLUR + 2):
            weight = down_weight * (1.0 - across if i == -SUN_BLUR else (across if i == SUN_BLUR + 1 else 1.0))
            r, c = row + j, column + i
            if r < 0 or c < 0 or r >= SUN_CELLS or c >= SUN_CELLS or sun_map[r, c] <= height:
                seen += weight
    return seen / ((2 * SUN_BLUR + 1) * (2 * SUN_BLUR + 1))


@njit(**_FAST)
def _open_sky(field, x, y, z, nx, ny, nz):
    """Return ambient occlusion from three taps along the normal, as shading._open_sky does."""
    hidden, weight = 0.0, 1.0
    for i in range(3):
        h = 0.03 + 0.09 * i
        hidden += max(h - _distance(field, x + nx * h, y + ny * h, z + nz * h), 0.0) * weight
        weight *= 0.7
    return max(0.25, 1.0 - 1.8 * hidden)


@njit(**_FAST)
def _distance(field, x, y, z):
    """Read the field between its cells."""
    x = min(max((x + FIELD_HALF) / FIELD_CELL - 0.5, 0.0), FIELD_CELLS - 1.001)
    y = min(max((y + FIELD_HALF) / FIELD_CELL - 0.5, 0.0), FIELD_CELLS - 1.001)
    z = min(max((z + FIELD_HALF) / FIELD_CELL - 0.5, 0.0), FIELD_CELLS - 1.001)
    i, j, k = int(x), int(y), int(z)
    x, y, z = x - i, y - j, z - k
    low = (field[i, j, k] * (1 - z) + field[i, j, k + 1] * z) * (1 - y)
    low += (field[i, j + 1, k] * (1 - z) + field[i, j + 1, k + 1] * z) * y
    high = (field[i + 1, j, k] * (1 - z) + field[i + 1, j, k + 1] * z) * (1 - y)
    high += (field[i + 1, j + 1, k] * (1 - z) + field[i + 1, j + 1, k + 1] * z) * y
    return low * (1 - x) + high * x


@njit(**_FAST)
def height_map(positions):
    """Return how high towards the sun the highest surface lies over each cell: float32 [SUN_CELLS, SUN_CELLS]."""
    sun_map = np.full((SUN_CELLS, SUN_CELLS), -4.0, np.float32)
    per_cell = SUN_CELLS / (2 * SUN_HALF)
    us, vs, hs = np.empty(3), np.empty(3), np.empty(3)
    for k in range(len(positions)):
        for c in range(3):
            x, y, z = positions[k, c, 0], positions[k, c, 1], positions[k, c, 2]
            us[c] = (SUN_ACROSS_X * x + SUN_ACROSS_Y * y + SUN_HALF) * per_cell
            vs[c] = (SUN_UP_X * x + SUN_UP_Y * y + SUN_UP_Z * z + SUN_HALF) * per_cell
            hs[c] = SUN_X * x + SUN_Y * y + SUN_Z * z
        u1, v1, u2, v2 = us[1] - us[0], vs[1] - vs[0], us[2] - us[0], vs[2] - vs[0]
        area = u1 * v2 - u2 * v1
        if abs(area) < 1e-9:
            continue
        left, right = max(int(us.min()), 0), min(int(us.max()) + 1, SUN_CELLS)
        top, bottom = max(int(vs.min()), 0), min(int(vs.max()) + 1, SUN_CELLS)
        for v in range(top, bottom):
            for u in range(left, right):
                du, dv = u + 0.5 - us[0], v + 0.5 - vs[0]
                b1, b2 = (du * v2 - u2 * dv) / area, (u1 * dv - du * v1) / area
                if b1 >= -EDGE and b2 >= -EDGE and b1 + b2 <= 1.0 + EDGE:
                    h = hs[0] + b1 * (hs[1] - hs[0]) + b2 * (hs[2] - hs[0])
                    sun_map[v, u] = max(sun_map[v, u], h)
    return sun_map


@njit(**_FAST)
def distance_field(positions):
    """Return the distance to the nearest triangle, at most FIELD_REACH, at the middle of each cell: float32 [N,N,N]."""
    field = np.full((FIELD_CELLS, FIELD_CELLS, FIELD_CELLS), FIELD_REACH, np.float32)
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for k in range(len(positions)):
        for axis in range(3):
            a, b, c = positions[k, 0, axis], positions[k, 1, axis], positions[k, 2, axis]
            below, above = min(a, b, c) - FIELD_REACH, max(a, b, c) + FIELD_REACH
            low[axis] = max(int(math.ceil((below + FIELD_HALF) / FIELD_CELL - 0.5)), 0)
            high[axis] = min(int(math.floor((above + FIELD_HALF) / FIELD_CELL - 0.5)), FIELD_CELLS - 1)
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for m in range(low[2], high[2] + 1):
                    x = (i + 0.5) * FIELD_CELL - FIELD_HALF
                    y = (j + 0.5) * FIELD_CELL - FIELD_HALF
                    z = (m + 0.5) * FIELD_CELL - FIELD_HALF
                    nearest = field[i, j, m]
                    squared = _triangle_distance_squared(positions, k, x, y, z)
                    if squared < nearest * nearest:
                        field[i, j, m] = math.sqrt(squared)
    return field


@njit(**_FAST)
def _triangle_distance_squared(positions, k, x, y, z):
    """Return the squared distance from a point to triangle k (Ericson, "Real-time collision detection", 5.1.5)."""
    ax, ay, az = positions[k, 0, 0], positions[k, 0, 1], positions[k, 0, 2]
    ex, ey, ez = positions[k, 1, 0] - ax, positions[k, 1, 1] - ay, positions[k, 1, 2] - az
    gx, gy, gz = positions[k, 2, 0] - ax, positions[k, 2, 1] - ay, positions[k, 2, 2] - az
    px, py, pz = x - ax, y - ay, z - az
    ee, eg, gg = ex * ex + ey * ey + ez * ez, ex * gx + ey * gy + ez * gz, gx * gx + gy * gy + gz * gz
    d1, d2 = ex * px + ey * py + ez * pz, gx * px + gy * py + gz * pz
    d3, d4, d5, d6 = d1 - ee, d2 - eg, d1 - eg, d2 - gg  # the same from the two other corners
    vc, vb, va = d1 * d4 - d3 * d2, d5 * d2 - d1 * d6, d3 * d6 - d5 * d4
    if d1 <= 0.0 and d2 <= 0.0:
        s, t = 0.0, 0.0
    elif d3 >= 0.0 and d4 <= d3:
        s, t = 1.0, 0.0
    elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        s, t = d1 / (d1 - d3), 0.0
    elif d6 >= 0.0 and d5 <= d6:
        s, t = 0.0, 1.0
    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        s, t = 0.0, d2 / (d2 - d6)
    elif va <= 0.0 and d4 >= d3 and d5 >= d6:
        t = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        s = 1.0 - t
    else:
        per_area = 1.0 / (va + vb + vc)
        s, t = vb * per_area, vc * per_area
    px, py, pz = px - s * ex - t * gx, py - s * ey - t * gy, pz - s * ez - t * gz
    return px * px + py * py + pz * pz
