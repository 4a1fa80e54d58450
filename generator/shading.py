"""Light and pattern at a point on a scene's surface.

Everything but a weak highlight depends on the point alone, not on the eye: a splat or a texel can then hold it.
"""

import math

import numpy as np
from numba import njit

from generator import sdf

# Towards the sun, fixed in the world: from the front's left, above.
_SUN = np.array([-0.45, -0.6, 0.75]) / np.linalg.norm([-0.45, -0.6, 0.75])
SUN_X, SUN_Y, SUN_Z = float(_SUN[0]), float(_SUN[1]), float(_SUN[2])

# How a pattern lies on a solid: by the face that looks most towards it, around the z axis, or on a ball.
WRAP_FLAT, WRAP_ROUND, WRAP_BALL = 0, 1, 2
# Patterns, in the order of grammar.PATTERNS.
PLAIN, BANDS, STRIPES, CHECKS, DOTS, ZIGZAGS = 0, 1, 2, 3, 4, 5

OCCLUSION_REACH = 0.21  # how far away a surface still darkens a corner
SHADOW_REACH = 1.7  # no shadow falls farther; the subject's radius is 1
PENUMBRA = 0.1  # radius by which bounds grow when a shadow ray is culled; the shadow softens as 10 d / t
TIE = 1e-3  # by which a face must look more towards an axis, so that rounding does not choose at 45 degrees
NUM_BALL_DOTS = 26  # dots on a whole ball


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def scene_distance(scene, near, num_near, x, y, z, limit):
    """Return the distance to the nearest of the listed primitives and its index; `limit` and -1 if none is nearer."""
    nearest, index = limit, -1
    for j in range(num_near):
        k = near[j]
        distance = primitive_distance(scene, k, x, y, z)
        if distance < nearest:
            nearest, index = distance, k
    return nearest, index


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def primitive_distance(scene, k, x, y, z):
    row = scene[k]
    x, y, z = x - row[sdf.CENTER], y - row[sdf.CENTER + 1], z - row[sdf.CENTER + 2]
    return sdf.solid_distance(
        int(row[sdf.KIND]),
        row[sdf.SIZE : sdf.BOUND],
        row[sdf.ROTATION] * x + row[sdf.ROTATION + 1] * y + row[sdf.ROTATION + 2] * z,
        row[sdf.ROTATION + 3] * x + row[sdf.ROTATION + 4] * y + row[sdf.ROTATION + 5] * z,
        row[sdf.ROTATION + 6] * x + row[sdf.ROTATION + 7] * y + row[sdf.ROTATION + 8] * z,
    )


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def normal(scene, k, x, y, z):
    """Return the unit normal of primitive k near a point of its surface, from four taps on a tetrahedron."""
    e = 0.002
    a = primitive_distance(scene, k, x + e, y - e, z - e)
    b = primitive_distance(scene, k, x - e, y - e, z + e)
    c = primitive_distance(scene, k, x - e, y + e, z - e)
    d = primitive_distance(scene, k, x + e, y + e, z + e)
    nx, ny, nz = a - b - c + d, c + d - a - b, b + d - a - c
    scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-30)
    return nx * scale, ny * scale, nz * scale


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def shade(scene, k, x, y, z, dx, dy, dz, near, color):
    """Write the colour of primitive k at a surface point seen along the unit direction d into `color` [3].

    `near` is scratch space for indices, as long as the scene.
    """
    row = scene[k]
    nx, ny, nz = normal(scene, k, x, y, z)
    sunlight = max(nx * SUN_X + ny * SUN_Y + nz * SUN_Z, 0.0)
    sun = sunlight * _sun_seen(scene, x + 0.01 * nx, y + 0.01 * ny, z + 0.01 * nz, near) if sunlight > 0.0 else 0.0
    open_sky = _open_sky(scene, x, y, z, nx, ny, nz, near)
    sky = 0.45 + 0.11 * nz
    bounce = 0.18 * max(0.1 * nz - 0.5 * (nx * SUN_X + ny * SUN_Y), 0.0)
    light = (sky + bounce) * open_sky + 0.62 * sun + row[sdf.GLOW]

    # The highlight: half way between eye and sun.
    hx, hy, hz = SUN_X - dx, SUN_Y - dy, SUN_Z - dz
    facing = max(nx * hx + ny * hy + nz * hz, 0.0) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-12)
    highlight = row[sdf.GLOSS] * facing**32 * min(sun * 2.0, 1.0)
    # Metal: a reflected horizon and sky, drawn as a function of the normal so that no eye is needed.
    metal = row[sdf.METAL]
    if metal > 0.0:
        band = 0.5 + 0.5 * math.sin(5.0 * nz + 4.0 * nx - 3.0 * ny)
        light *= 1.0 + metal * (0.95 * band * band - 0.45)

    weight = pattern_weight(row, x, y, z, nx, ny, nz)
    for i in range(3):
        base = row[sdf.COLOR + i] + weight * (row[sdf.PATTERN_COLOR + i] - row[sdf.COLOR + i])
        tint = 1.0 + metal * (base - 1.0)
        color[i] = min(base * light + highlight * tint, 1.0)


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _sun_seen(scene, x, y, z, near):
    """Return the share of the sun that is seen from a point: 0 in the shadow, 1 in the open."""
    num_near = 0
    for k in range(scene.shape[0]):
        row = scene[k]
        cx, cy, cz = row[sdf.CENTER] - x, row[sdf.CENTER + 1] - y, row[sdf.CENTER + 2] - z
        along = cx * SUN_X + cy * SUN_Y + cz * SUN_Z
        reach = row[sdf.BOUND] + PENUMBRA
        if along > -reach and cx * cx + cy * cy + cz * cz - along * along < reach * reach:
            near[num_near] = k
            num_near += 1
    if num_near == 0:
        return 1.0
    seen, t = 1.0, 0.03
    for _ in range(14):
        distance, _k = scene_distance(scene, near, num_near, x + SUN_X * t, y + SUN_Y * t, z + SUN_Z * t, 0.25)
        if distance < 0.001:
            return 0.0
        seen = min(seen, 10.0 * distance / t)
        t += max(distance, 0.02)
        if t > SHADOW_REACH:
            break
    return seen


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _open_sky(scene, x, y, z, nx, ny, nz, near):
    """Return ambient occlusion from three taps along the normal: 0.25 in a deep corner, 1 in the open."""
    num_near = 0
    for k in range(scene.shape[0]):
        row = scene[k]
        cx, cy, cz = row[sdf.CENTER] - x, row[sdf.CENTER + 1] - y, row[sdf.CENTER + 2] - z
        reach = row[sdf.BOUND] + OCCLUSION_REACH
        if cx * cx + cy * cy + cz * cz < reach * reach:
            near[num_near] = k
            num_near += 1
    hidden, weight = 0.0, 1.0
    for i in range(3):
        h = 0.03 + 0.09 * i
        distance, _k = scene_distance(scene, near, num_near, x + nx * h, y + ny * h, z + nz * h, h)
        hidden += (h - distance) * weight
        weight *= 0.7
    return max(0.25, 1.0 - 1.8 * hidden)


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def pattern_weight(row, x, y, z, nx, ny, nz):
    """Return 1 where the pattern's colour shows at a surface point, 0 where the main colour does.

    Patterns lie in the axes of the scene, not of the solid: a horizontal stripe is horizontal on a leaning part too.
    """
    pattern = int(row[sdf.PATTERN])
    if pattern == PLAIN:
        return 0.0
    x, y, z = x - row[sdf.CENTER], y - row[sdf.CENTER + 1], z - row[sdf.CENTER + 2]
    wrap = int(row[sdf.WRAP])
    if wrap == WRAP_BALL and pattern == DOTS:
        return _ball_dots(x / row[sdf.SIZE], y / row[sdf.SIZE + 1], z / row[sdf.SIZE + 2])
    per_length = 1.0 / row[sdf.PERIOD]
    u, v = x * per_length, z * per_length
    if wrap != WRAP_FLAT:
        if wrap == WRAP_ROUND and abs(nz) > 0.8:
            v = y * per_length
        else:
            u = math.atan2(y, x) * row[sdf.AROUND] / (2.0 * math.pi)
    elif abs(nz) > max(abs(nx), abs(ny)) + TIE:
        v = y * per_length
    elif abs(nx) > abs(ny) + TIE:
        u = y * per_length
    return _flat_pattern(pattern, u + 0.25, v + 0.25)


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _flat_pattern(pattern, u, v):
    across, up = u - math.floor(u), v - math.floor(v)
    if pattern == BANDS:
        return 1.0 if up > 0.5 else 0.0
    if pattern == STRIPES:
        return 1.0 if across > 0.5 else 0.0
    if pattern == CHECKS:
        return 1.0 if (across > 0.5) != (up > 0.5) else 0.0
    if pattern == ZIGZAGS:
        up += abs(across - 0.5)
        return 1.0 if up - math.floor(up) > 0.5 else 0.0
    u, v = across - 0.25, up - 0.25  # one dot at the origin: u and v carry a quarter of a period
    u, v = u - math.floor(u + 0.5), v - math.floor(v + 0.5)
    return 1.0 if u * u + v * v < 0.085 else 0.0


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def _ball_dots(x, y, z):
    """Dots at the points of a Fibonacci lattice on the unit sphere."""
    scale = 1.0 / math.sqrt(x * x + y * y + z * z + 1e-12)
    closest = -1.0
    for i in range(NUM_BALL_DOTS):
        height = 1.0 - (2.0 * i + 1.0) / NUM_BALL_DOTS
        radius = math.sqrt(1.0 - height * height)
        angle = 2.399963229728653 * i  # the golden angle
        closest = max(closest, scale * (radius * (math.cos(angle) * x + math.sin(angle) * y) + height * z))
    return 1.0 if closest > 0.955 else 0.0
