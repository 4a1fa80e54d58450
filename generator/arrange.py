"""Where the objects of a scene stand: several equal ones, or two in a relation. The front is -y, z is up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from generator.shading import scene_distance
from generator.shapes.form import Solid, fitted, geometry_row, moved

Box = tuple[np.ndarray, np.ndarray]
"""The lowest and the highest corner."""

GAP = 0.3  # between two objects, of their radius: seen from 45 degrees aside it is still open
NEARER_SIZE = 0.65  # of the object behind it, so that both are seen from the front
LARGEST_ON_TOP, SMALLEST_ON_TOP = 0.6, 0.45  # of the object below
LEVEL = 0.04  # how much a place to stand on may rise and fall, of the object's radius


def size(solids: list[Solid]) -> float:
    """Return the radius of an object about the middle of its box."""
    low, high = _box(solids)
    return float(np.linalg.norm(_points(solids) - (low + high) / 2, axis=1).max())


def copies(solids: list[Solid], count: int, rng: np.random.Generator) -> list[list[Solid]]:
    """Return two to four equal objects on the ground: a row, a triangle or row of three, a square of four."""
    [solids] = fitted([solids], 1.0)
    low, high = _box(solids)
    spots = places(count, high - low, rng.random() < 0.5)
    return [moved(solids, 1.0, spot) for spot in spots]


def places(count: int, extent: np.ndarray, prefers_triangle: bool) -> list[tuple[float, float, float]]:
    """Return where two to four equal objects stand whose box has the extent [3], of an object of radius 1."""
    step_x, step_y, _ = extent + GAP
    is_triangle = prefers_triangle or step_x > 1.4 * step_y  # a row of wide things is small in the picture
    match count:
        case 3 if is_triangle:
            spots = [(-0.5, -0.5), (0.5, -0.5), (0.0, 0.5)]
        case 4:
            spots = [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)]
        case _:
            spots = [(i - (count - 1) / 2, 0.0) for i in range(count)]
    return [(x * step_x, y * step_y, 0.0) for x, y in spots]


def in_rows(boxes: list[Box]) -> list[tuple[float, float, float]]:
    """Return where objects of radius 1 stand that are not equal: on one ground, in a row; four and more in two."""
    longest = len(boxes) if len(boxes) < 4 else -(-len(boxes) // 2)
    spots, y = [], 0.0
    for start in range(0, len(boxes), longest):
        row = boxes[start : start + longest]
        widths, depth = [(high - low)[0] for low, high in row], max((high - low)[1] for low, high in row)
        x = -(sum(widths) + GAP * (len(row) - 1)) / 2
        for (low, high), width in zip(row, widths):
            spots.append((float(x - low[0]), float(y + depth / 2 - (low + high)[1] / 2), float(-low[2])))
            x += width + GAP
        y += depth + GAP
    return spots


def pair(first: list[Solid], relation: str, other: list[Solid]) -> list[list[Solid]]:
    """Return two objects of comparable size in a relation of grammar.RELATIONS; the other one stays in its place."""
    [first], [other] = fitted([first], 1.0), fitted([other], 1.0)
    rows = np.stack([geometry_row(solid) for solid in other])
    scale, shift = stand(_box(first), relation, _box(other), lambda x, y: top_height(rows, x, y))
    return [moved(first, scale, shift), other]


def stand(first: Box, relation: str, other: Box, top: Callable[[float, float], float]) -> tuple[float, np.ndarray]:
    """Return the scale and the shift [3] that bring an object of radius 1 into a relation to another one.

    Both are told by their boxes, `top` gives the height of the other one at (x, y).
    """
    (low, high), (other_low, _) = first, other
    match relation:
        case "on":
            spot, room = _place_on_top(top)
            scale = float(np.clip(2.4 * room / (high - low)[:2].max(), SMALLEST_ON_TOP, LARGEST_ON_TOP))
            return scale, spot - scale * np.array([0.0, 0.0, low[2]])
        case "next to":
            return 1.0, np.array([other_low[0] - GAP - high[0], 0.0, other_low[2] - low[2]])
        case "in front of":
            low, high = NEARER_SIZE * low, NEARER_SIZE * high
            return NEARER_SIZE, np.array([0.0, other_low[1] - GAP - high[1], other_low[2] - low[2]])
    raise ValueError(f"There is no relation {relation!r}.")


def _place_on_top(top: Callable[[float, float], float]) -> tuple[np.ndarray, float]:
    """Return the point of an object of radius 1 on which another may stand, and the radius of the level place there.

    The middle counts, unless a place before or behind it has more room: a sofa's back rises close to its middle.
    """
    spots = []
    for y in (0.0, -0.15, 0.15, -0.3, 0.3):
        height = top(0.0, y)
        room = 0.1
        while room < 0.6 and all(abs(top(*at) - height) < LEVEL for at in _ring(y, room + 0.1)):
            room += 0.1
        spots.append((room - 0.3 * abs(y), y, height, room))
    _, y, height, room = max(spots)
    return np.array([0.0, y, height]), room


def _ring(y: float, radius: float) -> list[tuple[float, float]]:
    angles = np.arange(8) * np.pi / 4
    return list(zip((radius * np.cos(angles)).tolist(), (y + radius * np.sin(angles)).tolist()))


def top_height(rows: np.ndarray, x: float, y: float) -> float:
    """Return the z where the line down through (x, y) meets a scene within the unit ball; -1 if nowhere."""
    near, z = np.arange(len(rows)), 1.0
    while z > -1.0:
        distance, _ = scene_distance(rows, near, len(rows), x, y, z, 1e9)
        if distance < 1e-3:
            return z - distance
        z -= 0.9 * distance
    return -1.0


def _points(solids: list[Solid]) -> np.ndarray:
    return np.concatenate([solid.points() for solid in solids])


def _box(solids: list[Solid]) -> Box:
    points = _points(solids)
    return points.min(axis=0), points.max(axis=0)
