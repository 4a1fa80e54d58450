"""Signed distances of the solids that scenes are made of, and the columns of a primitive's row.

A scene is a float array [P, NUM_COLUMNS], one row a primitive. Distances are exact or too short, never more than
about a tenth too long, so a sphere tracer that takes 0.9 of each step stays outside.
Formulas after Inigo Quilez, https://iquilezles.org/articles/distfunctions.
"""

import math

from numba import njit

# Kinds of solid, and the meaning of the six numbers in SIZE. Local z is each solid's axis.
ELLIPSOID = 0  # radius x, radius y, radius z
BOX = 1  # half x, half y, half z, rounding
CONE = 2  # half height, radius at the bottom, radius at the top, rounding: also a cylinder
TORUS = 3  # ring radius, tube radius, sine and cosine of half its angle: a ring, or an arc about local +x
CAPSULE = 4  # half length between the centres of the caps, radius
CUP = 5  # half height, radius at the bottom, radius at the top, half wall: a cone open at the top, with a floor
FRUSTUM = 6  # half height, half x and half y at the bottom, half x and half y at the top: roofs, hulls, blades
DOME = 7  # radius x, radius y, radius z: the half of an ellipsoid above z = 0
SHELL = 8  # radius x, radius y, radius z, half wall: the hollow half of an ellipsoid below z = 0, open at the top

# Columns of a row.
KIND = 0
CENTER = 1  # 3: in the world
ROTATION = 4  # 9: world to local, row by row
SIZE = 13  # 6: by kind
BOUND = 19  # radius of a sphere about the centre that holds the solid
COLOR = 20  # 3: sRGB in [0,1]
PATTERN_COLOR = 23  # 3
PATTERN = 26  # index into grammar.PATTERNS
WRAP = 27  # how a pattern lies on the solid, see shading.py
PERIOD = 28  # length of one repeat of the pattern
AROUND = 29  # repeats around the axis, for the round wraps
GLOSS = 30  # strength of the highlight
METAL = 31  # 0 or 1
GLOW = 32  # light of its own
PART = 33  # 0 main part, 1 second part, 2 incidental, 3 any part of the second object
NUM_COLUMNS = 34


@njit(fastmath=True, nogil=True, error_model="numpy", cache=True)
def solid_distance(kind, size, x, y, z):
    """Return the signed distance from a local point to a solid; `size` holds the solid's six numbers."""
    a, b, c, d = size[0], size[1], size[2], size[3]
    if kind == ELLIPSOID:
        return _ellipsoid(a, b, c, x, y, z)
    if kind == BOX:
        qx, qy, qz = abs(x) - a + d, abs(y) - b + d, abs(z) - c + d
        outside = math.sqrt(max(qx, 0.0) ** 2 + max(qy, 0.0) ** 2 + max(qz, 0.0) ** 2)
        return outside + min(max(qx, qy, qz), 0.0) - d
    if kind == CONE:
        return _capped_cone(a - d, max(b - d, 1e-4), max(c - d, 1e-4), math.sqrt(x * x + y * y), z) - d
    if kind == TORUS:
        return _arc(a, c, d, x, y, z) - b
    if kind == CAPSULE:
        z -= min(max(z, -a), a)
        return math.sqrt(x * x + y * y + z * z) - b
    if kind == CUP:
        return _cup(a, b, c, d, math.sqrt(x * x + y * y), z)
    if kind == FRUSTUM:
        return _frustum(a, b, c, d, size[4], x, y, z)
    if kind == DOME:
        return max(_ellipsoid(a, b, c, x, y, z), -z)
    return max(abs(_ellipsoid(a, b, c, x, y, z)) - d, z)


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _ellipsoid(a, b, c, x, y, z):
    ux, uy, uz = x / a, y / b, z / c
    k0 = math.sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux / a, uy / b, uz / c
    k1 = math.sqrt(ux * ux + uy * uy + uz * uz)
    if k1 < 1e-6:
        return -min(a, b, c)
    return k0 * (k0 - 1.0) / k1


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _capped_cone(half_height, bottom, top, r, z):
    slope = top - bottom
    cap_r = r - min(r, bottom if z < 0.0 else top)
    cap_z = abs(z) - half_height
    along = ((top - r) * slope + (half_height - z) * 2.0 * half_height) / (slope**2 + 4.0 * half_height**2)
    along = min(max(along, 0.0), 1.0)
    side_r = r - top + slope * along
    side_z = z - half_height + 2.0 * half_height * along
    distance = math.sqrt(min(cap_r * cap_r + cap_z * cap_z, side_r * side_r + side_z * side_z))
    return -distance if side_r < 0.0 and cap_z < 0.0 else distance


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _arc(ring, sine, cosine, x, y, z):
    """Return the distance to a circular line about local +x in the plane z = 0, given half its angle."""
    y = abs(y)
    nearest = math.sqrt(x * x + y * y) if cosine * y <= sine * x else x * cosine + y * sine
    return math.sqrt(max(x * x + y * y + z * z + ring * ring - 2.0 * ring * nearest, 0.0))


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _cup(half_height, bottom, top, half_wall, r, z):
    rise = min(max((z + half_height) / (2.0 * half_height), 0.0), 1.0)
    tilt = 2.0 * half_height / math.sqrt(4.0 * half_height**2 + (top - bottom) ** 2)
    side = abs((r - bottom - (top - bottom) * rise) * tilt) - half_wall
    over = abs(z) - half_height
    wall = max(side, over) if side < 0.0 or over < 0.0 else math.sqrt(side * side + over * over)
    floor = max(r - bottom, abs(z + half_height - half_wall) - half_wall)
    return min(wall, floor)


@njit(fastmath=True, nogil=True, error_model="numpy", inline="always")
def _frustum(half_height, bottom_x, bottom_y, top_x, top_y, x, y, z):
    rise = (z + half_height) / (2.0 * half_height)
    slope_x = (bottom_x - top_x) / (2.0 * half_height)
    slope_y = (bottom_y - top_y) / (2.0 * half_height)
    side_x = (abs(x) - bottom_x - (top_x - bottom_x) * rise) / math.sqrt(1.0 + slope_x * slope_x)
    side_y = (abs(y) - bottom_y - (top_y - bottom_y) * rise) / math.sqrt(1.0 + slope_y * slope_y)
    return max(side_x, side_y, abs(z) - half_height)
