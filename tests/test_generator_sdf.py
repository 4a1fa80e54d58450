"""Signed distances of the solids: the sign says inside, and no distance leads a ray through a surface."""

import math

import numpy as np
import pytest

from generator import sdf

SIZES = {
    "ellipsoid": (sdf.ELLIPSOID, (0.6, 0.4, 0.5)),
    "box": (sdf.BOX, (0.5, 0.3, 0.4, 0.06)),
    "cone": (sdf.CONE, (0.5, 0.45, 0.2, 0.0)),
    "cylinder": (sdf.CONE, (0.3, 0.4, 0.4, 0.0)),
    "torus": (sdf.TORUS, (0.5, 0.15, 0.0, -1.0)),
    "arc": (sdf.TORUS, (0.5, 0.12, math.sin(1.1), math.cos(1.1))),
    "capsule": (sdf.CAPSULE, (0.4, 0.2)),
    "cup": (sdf.CUP, (0.4, 0.3, 0.45, 0.05)),
    "frustum": (sdf.FRUSTUM, (0.4, 0.5, 0.3, 0.2, 0.1)),
    "dome": (sdf.DOME, (0.5, 0.4, 0.45)),
    "shell": (sdf.SHELL, (0.5, 0.5, 0.5, 0.06)),
}


def is_inside(name: str, size: tuple, x: float, y: float, z: float) -> bool:
    """Tell membership by the definition of the solid, without any distance to it."""
    a, b, c, d, e, _ = (*size, *[0.0] * (6 - len(size)))
    r = math.hypot(x, y)
    match name:
        case "ellipsoid":
            return (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1
        case "dome":
            return z > 0 and (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1
        case "shell":
            return z < 0 and abs(math.hypot(r, z) - a) < d
        case "box":  # the inner box, grown by the rounding
            corner = [max(abs(p) - half + d, 0) for p, half in ((x, a), (y, b), (z, c))]
            return math.hypot(*corner) < d or max(abs(x) - a, abs(y) - b, abs(z) - c) < -d
        case "cone" | "cylinder":
            return abs(z) < a and r < b + (c - b) * (z + a) / (2 * a)
        case "torus":
            return math.hypot(r - a, z) < b
        case "arc":  # the nearest of many points of the arc
            half = math.atan2(c, d)
            angles = np.linspace(-half, half, 2001)
            return float(np.sqrt((x - a * np.cos(angles)) ** 2 + (y - a * np.sin(angles)) ** 2 + z * z).min()) < b
        case "capsule":
            return math.hypot(r, z - min(max(z, -a), a)) < b
        case "frustum":
            rise = (z + a) / (2 * a)
            return abs(z) < a and abs(x) < b + (d - b) * rise and abs(y) < c + (e - c) * rise
        case "cup":
            rise = (z + a) / (2 * a)
            tilt = math.cos(math.atan2(c - b, 2 * a))
            wall = abs(z) < a and abs(r - b - (c - b) * rise) * tilt < d
            return wall or (r < b and -a < z < -a + 2 * d)
    raise AssertionError(name)


def six(size: tuple) -> np.ndarray:
    return np.array([*size, *[0.0] * (6 - len(size))])


def surface(kind: int, size: np.ndarray, rng: np.random.Generator, num: int) -> np.ndarray:
    """Points [num,3] of the surface: where segments from inside to outside cross it."""
    points = []
    while len(points) < num:
        inner, outer = rng.uniform(-0.8, 0.8, (2, 3))
        if sdf.solid_distance(kind, size, *inner) > 0 or sdf.solid_distance(kind, size, *outer) < 0:
            continue
        for _ in range(24):
            middle = (inner + outer) / 2
            if sdf.solid_distance(kind, size, *middle) < 0:
                inner = middle
            else:
                outer = middle
        points.append(outer)
    return np.array(points)


@pytest.mark.parametrize("name", SIZES)
def test_sign_is_membership(name):
    kind, size = SIZES[name]
    rng, sizes, num_inside = np.random.default_rng(0), six(size), 0
    for point in rng.uniform(-0.8, 0.8, (1500, 3)):
        distance = sdf.solid_distance(kind, sizes, *point)
        if abs(distance) > 1e-3:
            assert (distance < 0) == is_inside(name, size, *point), point
            num_inside += distance < 0
    assert num_inside > 20


@pytest.mark.parametrize("name", SIZES)
def test_no_distance_is_a_tenth_longer_than_the_way_to_the_surface(name):
    kind, size = SIZES[name]
    rng, sizes = np.random.default_rng(1), six(size)
    cloud = surface(kind, sizes, rng, 500)
    for point in rng.uniform(-1.2, 1.2, (300, 3)):
        distance = sdf.solid_distance(kind, sizes, *point)
        if distance > 0:
            assert distance < 1.1 * np.linalg.norm(cloud - point, axis=1).min() + 1e-6


@pytest.mark.parametrize("name", SIZES)
def test_gradient_has_length_one_at_the_surface(name):
    kind, size = SIZES[name]
    sizes, e = six(size), 1e-5
    lengths = []
    for point in surface(kind, sizes, np.random.default_rng(2), 100):
        taps = [
            sdf.solid_distance(kind, sizes, *(point + step)) - sdf.solid_distance(kind, sizes, *(point - step))
            for step in e * np.eye(3)
        ]
        lengths.append(np.linalg.norm(taps) / (2 * e))
    assert np.mean(np.abs(np.array(lengths) - 1) < 1e-2) > 0.95  # the rest lies on an edge


def test_distances_by_hand():
    assert sdf.solid_distance(sdf.ELLIPSOID, six((0.5, 0.5, 0.5)), 0.0, 0.0, 2.0) == pytest.approx(1.5)
    assert sdf.solid_distance(sdf.BOX, six((1, 1, 1, 0.0)), 4.0, 5.0, 0.0) == pytest.approx(5)  # 3-4-5
    assert sdf.solid_distance(sdf.TORUS, six((2, 0.5, 0.0, -1.0)), 0.0, 0.0, 0.0) == pytest.approx(1.5)
    assert sdf.solid_distance(sdf.CAPSULE, six((1, 0.25)), 0.0, 0.0, 3.0) == pytest.approx(1.75)
    assert sdf.solid_distance(sdf.CONE, six((1, 0.5, 0.5, 0.0)), 2.0, 0.0, 0.0) == pytest.approx(1.5)
