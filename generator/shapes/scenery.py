"""People, skulls and ghosts, and what stands beside the roads and paths of a game."""

from math import cos, pi, radians, sin, sqrt

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form, Vector


def _around(azimuth: float, radius: float, z: float) -> Vector:
    """Return a point beside the z axis; azimuth 0 is the front, 90 the right."""
    return (radius * sin(radians(azimuth)), -radius * cos(radians(azimuth)), z)


def _person(form: Form, style: str) -> None:
    build = {"armoured": _knight, "robed": _wizard}.get(style, _villager)
    build(form, form.between(0.37, 0.42))


def _knight(form: Form, head: float) -> None:
    chest = form.between(0.4, 0.45)
    _legs(form)
    form.cone(MAIN, (0, 0, 0.8), 0.36, 0.34, chest, 0.1)
    form.cone("brown", (0, 0, 0.54), 0.08, 0.39, 0.39, 0.03)
    for side in SIDES:
        form.ellipsoid(MAIN, (side * (chest + 0.1), 0, 1.04), (0.25, 0.26, 0.22), plain=True)
        form.rod(MAIN, (side * (chest + 0.1), 0, 0.94), (side * (chest + 0.16), -0.22, 0.66), 0.14, plain=True)
        form.ball("grey", (side * (chest + 0.18), -0.28, 0.6), 0.16)
    z = 1.12 + head
    form.cone(SECOND, (0, 0, z), head * 0.9, head * 1.04, head, 0.12)
    form.dome(SECOND, (0, 0, z + head * 0.76), (head * 0.98, head * 0.98, head * 0.5))
    form.box("black", (0, -head * 0.9, z + head * 0.18), (head * 0.66, 0.12, 0.08), 0.03)
    form.box("black", (0, -head * 0.9, z - head * 0.3), (0.055, 0.12, 0.16), 0.03)
    form.ellipsoid(MAIN, (0, 0.1, z + head * 1.34), (0.12, head * 1.05, 0.26), turn=(-16, 0, 0), plain=True)
    form.frustum("grey", (chest + 0.18, -0.34, 1.2), 0.44, (0.1, 0.06), (0.08, 0.05))
    form.box("yellow", (chest + 0.18, -0.34, 0.76), (0.22, 0.09, 0.07), 0.03)
    form.ellipsoid(SECOND, (-chest - 0.16, -0.42, 0.72), (0.4, 0.44, 0.12), turn=FORWARD)
    form.ellipsoid(MAIN, (-chest - 0.16, -0.52, 0.72), (0.2, 0.22, 0.09), turn=FORWARD, plain=True)


def _legs(form: Form) -> None:
    for side in SIDES:
        form.cone(MAIN, (side * 0.2, 0, 0.32), 0.24, 0.17, 0.18, 0.04, plain=True)
        form.box("brown", (side * 0.21, -0.06, 0.1), (0.18, 0.27, 0.13), 0.08)


def _wizard(form: Form, head: float) -> None:
    wide, z = form.between(0.56, 0.64), 1.14 + head * 0.72
    form.cone(MAIN, (0, 0, 0.58), 0.58, wide, 0.28, 0.05)
    form.cone("yellow", (0, 0, 0.58), 0.06, wide * 0.84, wide * 0.78, 0.03)
    for side in SIDES:
        form.cone(MAIN, (side * 0.48, -0.2, 0.8), 0.32, 0.24, 0.15, 0.04, turn=(-36, -side * 34, 0), plain=True)
        form.ball("beige", (side * 0.68, -0.42, 0.56), 0.15)
        form.ball("black", (side * head * 0.42, -head * 0.86, z + head * 0.16), 0.085)
    form.ball("beige", (0, 0, z), head)
    form.ellipsoid("white", (0, -head * 0.74, z - head * 0.94), (head * 0.66, head * 0.4, head * 0.94), turn=(10, 0, 0))
    form.ellipsoid("white", (0, head * 0.3, z - head * 0.2), (head * 0.9, head * 0.82, head * 0.8))
    form.ball("beige", (0, -head * 1.04, z - head * 0.12), 0.1)
    brim = z + head * 0.7
    form.cone(SECOND, (0, 0.06, brim), 0.06, head * 1.48, head * 1.4, 0.05, turn=(-10, 0, 0))
    form.cone(SECOND, (0, 0.1, brim + 0.22), 0.26, head * 0.92, head * 0.5, 0.03, turn=(-10, 0, 0))
    form.cone(SECOND, (0.04, 0.2, brim + 0.62), 0.24, head * 0.54, 0.06, 0.03, turn=(-26, 10, 0))
    form.rod("brown", (0.7, -0.48, 0.05), (0.7, -0.48, 1.3), 0.085)
    form.ball("yellow", (0.7, -0.48, 1.42), 0.19, glow=0.2)


def _villager(form: Form, head: float) -> None:
    girth = form.between(0.38, 0.43)
    _legs(form)
    form.cone(MAIN, (0, 0, 0.78), 0.38, girth + 0.05, girth - 0.08, 0.12)
    form.cone("brown", (0, 0, 0.56), 0.06, girth + 0.06, girth + 0.05, 0.03)
    form.rod(MAIN, (0.28, 0, 0.94), (0.7, -0.04, 1.28), 0.16, plain=True)
    form.ball("beige", (0.8, -0.05, 1.42), 0.17)
    form.rod(MAIN, (-0.3, 0, 0.94), (-0.56, -0.1, 0.64), 0.16, plain=True)
    form.ball("beige", (-0.6, -0.14, 0.5), 0.16)
    z = 1.1 + head * 0.8
    form.ball("beige", (0, 0, z), head)
    form.ellipsoid("brown", (0, head * 0.24, z), (head * 1.02, head * 0.88, head * 0.9))
    form.ball("beige", (0, -head * 1.02, z - head * 0.16), 0.1)
    for side in SIDES:
        form.ball("black", (side * head * 0.42, -head * 0.86, z + head * 0.1), 0.085)
        form.ellipsoid("pink", (side * head * 0.56, -head * 0.72, z - head * 0.34), (0.1, 0.07, 0.08))
    form.cone(SECOND, (0, 0.05, z + head * 0.62), 0.06, head * 1.42, head * 1.34, 0.05, turn=(-12, 0, 0))
    form.cone(SECOND, (0, 0.1, z + head * 1.04), 0.2, head * 0.9, head * 0.76, 0.12, turn=(-12, 0, 0))


def _skull(form: Form, style: str) -> None:
    wide, long = form.between(0.54, 0.6), form.between(0.62, 0.7)
    form.ellipsoid(MAIN, (0, 0.1, 0.94), (wide, long, 0.56))
    form.box(MAIN, (0, -0.32, 0.54), (0.33, 0.24, 0.24), 0.14, plain=True)
    for side in SIDES:
        form.ellipsoid(MAIN, (side * 0.36, -0.28, 0.58), (0.19, 0.26, 0.15), plain=True)
        form.ellipsoid("black", (side * 0.235, -0.46, 0.8), (0.18, 0.14, 0.2), turn=(0, side * 14, 0))
        form.rod(SECOND, (side * 0.3, -0.42, 0.06), (side * 0.38, 0.02, 0.12), 0.13)
        form.rod(SECOND, (side * 0.38, 0.02, 0.12), (side * 0.42, 0.1, 0.56), 0.13)
    form.frustum("black", (0, -0.53, 0.57), 0.1, (0.1, 0.07), (0.02, 0.07))
    form.box("black", (0, -0.34, 0.24), (0.27, 0.16, 0.12), 0.04)
    form.box(SECOND, (0, -0.42, 0.05), (0.36, 0.18, 0.13), 0.1)
    for x in (-0.24, -0.08, 0.08, 0.24):
        form.box(MAIN, (x, -0.49, 0.3), (0.065, 0.08, 0.1), 0.03, plain=True)
        form.box(SECOND, (x, -0.52, 0.15), (0.065, 0.08, 0.07), 0.03)
    match style:
        case "horned":
            for side in SIDES:
                form.rod(SECOND, (side * 0.4, 0.0, 1.2), (side * 0.8, -0.02, 1.26), 0.18)
                form.rod(SECOND, (side * 0.8, -0.02, 1.26), (side * 0.98, -0.06, 1.42), 0.16)
                form.cone(SECOND, (side * 0.98, -0.1, 1.68), 0.3, 0.15, 0.03, 0.02, turn=(10, -side * 10, 0))
        case "pirate":
            for side in SIDES:
                low, high = (side * 0.98, 0.2, 0.1), (-side * 0.98, 0.2, 1.1)
                form.rod(SECOND, low, high, 0.13)
                for x, _, z in (low, high):
                    form.ball(SECOND, (x * 1.02, 0.2, z + 0.12), 0.17)
                    form.ball(SECOND, (x * 0.96, 0.2, z - 0.13), 0.17)
            form.ring("black", (0, 0.08, 1.0), wide + 0.01, 0.06, turn=(-10, 14, 0))


def _ghost(form: Form, style: str) -> None:
    match style:
        case "tall":
            wide, top = form.between(0.33, 0.38), form.between(1.75, 1.9)
            flare, crest, drops, long = wide * 1.5, 0.42, 7, (0.3, 0.5)
            root, tip = (wide * 0.6, -0.1, top - 0.56), (wide * 0.8, -0.7, top - 0.46)
        case "round":
            wide, top = form.between(0.62, 0.7), 0.96
            flare, crest, drops, long = wide * 1.12, 0.64, 9, (0.2, 0.32)
            root, tip = (wide * 0.8, -0.16, 0.76), (wide * 1.3, -0.34, 0.9)
        case _:
            wide, top = form.between(0.44, 0.5), form.between(1.36, 1.5)
            flare, crest, drops, long = wide * 1.5, 0.5, 8, (0.26, 0.44)
            root, tip = (wide * 0.7, 0, top - 0.34), (wide + 0.5, -0.12, top + 0.06)
    form.ellipsoid(MAIN, (0, 0, top), (wide, wide, crest))
    form.cone(MAIN, (0, 0, top / 2 + 0.18), top / 2 - 0.17, flare, wide * 0.985, 0.01)
    for side in SIDES:
        form.rod(MAIN, (side * root[0], root[1], root[2]), (side * tip[0], tip[1], tip[2]), 0.17, plain=True)
        form.ellipsoid("black", (side * wide * 0.38, -wide * 0.86, top + 0.06), (0.11, 0.12, 0.16))
        form.ellipsoid("pink", (side * wide * 0.62, -wide * 0.76, top - 0.16), (0.1, 0.1, 0.07))
    form.ellipsoid("black", (0, -wide * 0.96, top - 0.24), (0.1, 0.1, 0.13))
    form.cone(SECOND, (0, 0, 0.36), 0.1, flare * 1.05, flare * 1.01, 0.02)
    size = pi * flare / drops
    for k in range(drops):
        half = long[k % 2] / 2
        place = _around(360 * k / drops, flare * 1.04 - size * 0.8, 0.32 - half)
        form.cone(SECOND, place, half, size * 0.2, size, 0.04)


def _street_lamp(form: Form, style: str) -> None:
    thick = form.between(0.095, 0.11)
    form.cone(MAIN, (0, 0, 0.1), 0.1, 0.34, 0.3, 0.03)
    form.cone(MAIN, (0, 0, 0.34), 0.18, 0.24, thick + 0.02, 0.02)
    match style:
        case "twin":
            tall, reach = form.between(1.85, 2.05), form.between(0.5, 0.58)
            form.cone(MAIN, (0, 0, tall / 2), tall / 2, thick, thick)
            form.ring(MAIN, (0, 0, tall - 0.2), reach, thick * 0.9, turn=(90, 90, 0), half_angle_deg=90)
            form.ball(MAIN, (0, 0, tall - 0.2 - reach), thick * 1.6, plain=True)
            form.cone(MAIN, (0, 0, tall + 0.1), 0.16, thick * 1.2, 0.02, plain=True)
            for side in SIDES:
                form.cone(MAIN, (side * reach, 0, tall - 0.14), 0.08, 0.13, 0.22, 0.02, plain=True)
                form.ball(SECOND, (side * reach, 0, tall + 0.14), 0.29, glow=0.2)
                form.cone(MAIN, (side * reach, 0, tall + 0.44), 0.08, 0.16, 0.04, plain=True)
        case "vintage":
            tall = form.between(1.25, 1.45)
            form.cone(MAIN, (0, 0, tall / 2), tall / 2, thick, thick)
            form.rod(MAIN, (-0.34, 0, tall - 0.16), (0.34, 0, tall - 0.16), 0.075, plain=True)
            form.cone(MAIN, (0, 0, tall + 0.04), 0.08, thick, 0.25, 0.02, plain=True)
            form.frustum(SECOND, (0, 0, tall + 0.38), 0.3, (0.22, 0.22), (0.34, 0.34), glow=0.2)
            for azimuth in (45, 135, 225, 315):
                foot, head = _around(azimuth, 0.3, tall + 0.1), _around(azimuth, 0.47, tall + 0.66)
                form.rod(MAIN, foot, head, 0.06, plain=True)
            form.frustum(MAIN, (0, 0, tall + 0.8), 0.15, (0.46, 0.46), (0.12, 0.12), plain=True)
            form.ball(MAIN, (0, 0, tall + 1.0), 0.12, plain=True)
        case _:
            tall, bend = form.between(1.6, 1.8), form.between(0.38, 0.45)
            form.cone(MAIN, (0, 0, tall / 2), tall / 2, thick, thick)
            form.ring(MAIN, (bend, 0, tall), bend, thick * 0.92, turn=(90, -90, 0), half_angle_deg=90)
            form.cone(MAIN, (2 * bend, 0, tall - 0.1), 0.16, 0.38, 0.13, 0.03, plain=True)
            form.ellipsoid(SECOND, (2 * bend, 0, tall - 0.36), (0.34, 0.34, 0.36), glow=0.2)


def _hydrant(form: Form, style: str) -> None:
    if style == "square":
        wide, tall = form.between(0.4, 0.46), form.between(0.95, 1.05)
        form.box(MAIN, (0, 0, 0.1), (wide * 1.3, wide * 1.3, 0.1), 0.04, plain=True)
        form.box(MAIN, (0, 0, tall / 2), (wide, wide, tall / 2), 0.05)
        form.box(SECOND, (0, 0, tall + 0.02), (wide * 1.18, wide * 1.18, 0.1), 0.04)
        form.frustum(SECOND, (0, 0, tall + 0.24), 0.16, (wide, wide), (wide * 0.4, wide * 0.4))
    else:
        slim = style == "tall"
        wide = form.between(0.27, 0.31) if slim else form.between(0.38, 0.43)
        tall = form.between(1.5, 1.65) if slim else form.between(0.95, 1.05)
        form.cone(MAIN, (0, 0, 0.1), 0.1, wide + 0.17, wide + 0.17, 0.04, plain=True)
        form.cone(MAIN, (0, 0, tall / 2), tall / 2, wide, wide * 0.93, 0.02)
        form.cone(SECOND, (0, 0, tall + 0.02), 0.09, wide + 0.1, wide + 0.1, 0.04)
        if slim:
            form.cone(SECOND, (0, 0, tall + 0.24), 0.16, wide * 1.1, wide * 0.5, 0.04)
        else:
            form.dome(SECOND, (0, 0, tall + 0.06), (wide * 1.02, wide * 1.02, 0.4))
    top, nozzle = tall + (0.5 if style == "round" else 0.44), tall * (0.7 if style == "tall" else 0.63)
    form.cone(SECOND, (0, 0, top), 0.1, 0.12, 0.1, 0.03)
    for side in SIDES:
        form.cone(MAIN, (side * (wide + 0.08), 0, nozzle), 0.16, 0.18, 0.18, turn=SIDEWAYS, plain=True)
        form.cone(SECOND, (side * (wide + 0.24), 0, nozzle), 0.08, 0.23, 0.23, 0.04, turn=SIDEWAYS)
        form.cone(SECOND, (side * (wide + 0.36), 0, nozzle), 0.07, 0.1, 0.1, 0.02, turn=SIDEWAYS)
    low = nozzle - 0.06
    form.cone(MAIN, (0, -wide - 0.06, low), 0.16, 0.22, 0.22, turn=FORWARD, plain=True)
    form.cone(SECOND, (0, -wide - 0.2, low), 0.08, 0.26, 0.26, 0.04, turn=FORWARD)
    form.cone(SECOND, (0, -wide - 0.32, low), 0.07, 0.12, 0.12, 0.02, turn=FORWARD)


def _sign(form: Form, style: str) -> None:
    match style:
        case "square":
            wide, half, gap = form.between(0.78, 0.9), form.between(0.46, 0.54), 0.5
            for side in SIDES:
                form.box(SECOND, (side * gap, 0.1, 0.95), (0.12, 0.12, 0.95 + half * 0.3), 0.03)
            form.box(MAIN, (0, -0.06, 1.4), (wide, 0.13, half), 0.04)
            for z, share in ((0.46, 0.62), (0.0, 0.72), (-0.46, 0.5)):
                form.box(SECOND, (0, -0.19, 1.4 + z * half), (wide * share, 0.05, 0.07), 0.03)
        case "hanging":
            tall, reach = form.between(1.85, 2.0), form.between(0.58, 0.66)
            post = -reach - 0.2
            form.box(SECOND, (post, 0, tall / 2), (0.11, 0.11, tall / 2), 0.03)
            form.cone(SECOND, (post, 0, 0.08), 0.1, 0.3, 0.22, 0.03)
            form.box(SECOND, (post + reach + 0.1, 0, tall - 0.14), (reach + 0.26, 0.1, 0.08), 0.03)
            middle = post + 0.26 + reach
            for side in SIDES:
                x = middle + side * reach * 0.6
                form.rod("grey", (x, 0, tall - 0.16), (x, 0, tall - 0.42), 0.065)
            form.box(MAIN, (middle, 0, tall - 0.68), (reach * 0.96, 0.14, 0.34), 0.04)
            form.frustum(MAIN, (middle, 0, tall - 1.18), 0.18, (reach * 0.16, 0.13), (reach * 0.95, 0.135))
            for y in SIDES:
                form.cone(SECOND, (middle, y * 0.13, tall - 0.76), 0.05, 0.2, 0.2, 0.03, turn=FORWARD)
        case _:
            tall, long = form.between(1.85, 2.05), form.between(0.5, 0.58)
            form.cone(SECOND, (0, 0, tall / 2), tall / 2, 0.13, 0.12, 0.03)
            form.cone(SECOND, (0, 0, 0.08), 0.1, 0.36, 0.26, 0.03)
            form.ball(SECOND, (0, 0, tall), 0.18)
            for z, half, azimuth in ((tall - 0.42, long, -12), (tall - 0.98, long * 0.86, 142)):
                x, y = cos(radians(azimuth)), sin(radians(azimuth))
                form.box(MAIN, (0.1 * x, 0.1 * y, z), (half, 0.16, 0.2), 0.03, turn=(0, 0, azimuth))
                tip = (half * x + 0.28 * x, half * y + 0.28 * y, z)
                form.frustum(MAIN, tip, 0.2, (0.36, 0.16), (0.02, 0.16), turn=(0, 90, azimuth))


def _campfire(form: Form, style: str) -> None:
    match style:
        case "pointed":
            high = form.between(0.95, 1.1)
            for k in range(5):
                form.rod(SECOND, _around(72 * k + 36, 0.64, 0.1), _around(72 * k + 56, 0.12, high), 0.115)
            _fire(form, 0.06, form.between(0.36, 0.4), high + 0.55, 0.34, 72)
        case "stacked":
            half, z = form.between(0.54, 0.6), 0.14
            for layer in range(3):
                turn = FORWARD if layer % 2 == 0 else SIDEWAYS
                for side in SIDES:
                    gap = side * half * 0.72
                    place = (gap, 0, z) if layer % 2 == 0 else (0, gap, z)
                    form.cone(SECOND, place, half, 0.13, 0.13, 0.03, turn=turn)
                    form.cone("beige", place, half + 0.015, 0.09, 0.09, turn=turn)
                z += 0.2
            _fire(form, 0.3, form.between(0.34, 0.38), 1.5, 0.31, 90)
        case _:
            reach = form.between(0.86, 0.98)
            for k in range(5):
                form.rod(SECOND, _around(72 * k, 0.1, 0.24), _around(72 * k, reach, 0.13), 0.14)
                form.ball("beige", _around(72 * k, reach + 0.05, 0.12), 0.115)
            _fire(form, 0.16, form.between(0.32, 0.36), 1.25, 0.34, 72)


def _fire(form: Form, low: float, wide: float, high: float, spread: float, step: int) -> None:
    """Add a big tongue of fire with smaller ones around it, so many degrees apart."""
    _tongue(form, MAIN, (0, 0, low), wide, high - low)
    for k in range(360 // step):
        share = 0.68 - 0.14 * (k % 2)
        x, y, _ = _around(step * (k + 0.5), spread, 0)
        _tongue(form, MAIN, (x, y, low), 0.18, share * (high - low), plain=True)
        if k % 2 == 0:
            x, y, _ = _around(step * (k + 1), spread, 0)
            _tongue(form, "yellow", (x, y, low), 0.14, 0.36 * (high - low))


def _tongue(form: Form, slot: str, foot: Vector, radius: float, height: float, plain: bool = False) -> None:
    """Add a drop whose cone leaves its ball without an edge."""
    x, y, z = foot
    sine = radius / (height - radius)
    join = z + radius + radius * sine
    half = (z + height - join) / 2
    form.ball(slot, (x, y, z + radius), radius, glow=0.2, plain=plain)
    form.cone(slot, (x, y, join + half), half, 0.97 * radius * sqrt(1 - sine**2), 0.02, glow=0.2, plain=plain)


def _rock(form: Form, style: str) -> None:
    match style:
        case "stacked":
            z = 0.0
            for k, shift in enumerate((0.0, 0.09, -0.06, 0.03)):
                size, thick = form.between(0.58, 0.64) * 0.77**k, 0.27 * 0.88**k
                z += thick
                _boulder(form, (shift, 0, z), (size, size * 0.9, thick))
                if k != 1:
                    _moss(form, (shift, 0, z), (size, size * 0.9, thick), 40 + 100 * k)
                z += thick * 0.8
        case "flat":
            wide = form.between(1.0, 1.1)
            for half, turn in (((wide, 0.56, 0.24), -9), ((wide * 0.86, 0.7, 0.23), 16)):
                form.box(MAIN, (0, 0, 0.22), half, 0.1, turn=(0, 0, turn))
            _moss(form, (0.1 * wide, 0, 0.34), (wide * 0.86, 0.8, 0.22), 30)
            _boulder(form, (-0.5 * wide, 0.06, 0.5), (0.38, 0.36, 0.28))
        case _:
            size = form.between(0.68, 0.76)
            _boulder(form, (0, 0, size * 0.8), (size, size * 0.9, size * 0.84))
            _moss(form, (0, 0, size * 0.8), (size, size * 0.9, size * 0.84), 10)
            _boulder(form, (0.58, -0.44, 0.22), (0.36, 0.32, 0.26))
            form.dome(SECOND, (0.58, -0.44, 0.32), (0.32, 0.28, 0.2))


def _boulder(form: Form, center: Vector, half: Vector) -> None:
    """Add a worn stone: a ball out of which the round edges of boxes look."""
    x, y, z = half
    azimuth = form.between(-12, 12)
    form.ellipsoid(MAIN, center, (x * 0.96, y * 0.96, z))
    for turn, tilt in ((-25, 7), (25 * y / x, -8)):
        form.box(MAIN, center, (x * 0.76, y * 0.68, z * 0.76), 0.3 * z, turn=(tilt, -tilt, azimuth + turn))


def _moss(form: Form, center: Vector, half: Vector, azimuth: float) -> None:
    """Cover the top of a boulder; some of it hangs down its sides."""
    (cx, cy, cz), (x, y, z) = center, half
    form.dome(SECOND, (cx, cy, cz + z * 0.42), (x * 0.91, y * 0.91, z * 0.66))
    for k in range(3):
        dx, dy, _ = _around(azimuth + 115 * k, 0.76, 0)
        form.ellipsoid(SECOND, (cx + x * dx, cy + y * dy, cz + z * 0.36), (x * 0.26, y * 0.26, z * 0.44))


def _bench(form: Form, style: str) -> None:
    match style:
        case "backless":
            long = form.between(0.95, 1.1)
            for y in (-0.26, 0.0, 0.26):
                form.box(MAIN, (0, y, 0.56), (long, 0.115, 0.085), 0.03)
            for side in SIDES:
                form.box(SECOND, (side * long * 0.7, 0, 0.44), (0.12, 0.36, 0.08), 0.03)
                for y in SIDES:
                    form.rod(SECOND, (side * long * 0.7, y * 0.12, 0.4), (side * long * 0.7, y * 0.34, 0.1), 0.11)
        case "curved":
            bow = form.between(0.9, 1.0)
            for k in range(7):
                azimuth = (k - 3) * 24
                x, y, _ = _around(180 - azimuth, bow, 0)
                turn = (0, 0, -azimuth)
                form.box(MAIN, (x, y, 0.52), (bow * 0.26, 0.31, 0.09), 0.03, turn=turn)
                x, y, _ = _around(180 - azimuth, bow + 0.26, 0)
                form.box(MAIN, (x, y, 0.98), (bow * 0.29, 0.08, 0.2), 0.03, turn=turn)
                if k % 2 == 0:
                    form.box(SECOND, (x, y, 0.5), (0.11, 0.1, 0.5), 0.03, turn=turn)
                    x, y, _ = _around(180 - azimuth, bow - 0.16, 0)
                    form.box(SECOND, (x, y, 0.23), (0.11, 0.1, 0.23), 0.03, turn=turn)
        case _:
            long = form.between(0.85, 1.0)
            for y in (-0.3, -0.02, 0.26):
                form.box(MAIN, (0, y, 0.56), (long, 0.125, 0.085), 0.03)
            for y, z in ((0.45, 0.86), (0.52, 1.16)):
                form.box(MAIN, (0, y, z), (long, 0.08, 0.13), 0.03, turn=(-12, 0, 0))
            for side in SIDES:
                x = side * long * 0.86
                form.box(SECOND, (x, 0, 0.43), (0.11, 0.42, 0.08), 0.03)
                form.box(SECOND, (x, -0.3, 0.4), (0.11, 0.1, 0.4), 0.03)
                form.box(SECOND, (x, 0.36, 0.24), (0.11, 0.1, 0.24), 0.03)
                form.box(SECOND, (x, 0.53, 0.82), (0.11, 0.09, 0.5), 0.03, turn=(-12, 0, 0))
                form.box(SECOND, (x, 0.02, 0.82), (0.12, 0.44, 0.08), 0.04)


CATEGORIES: dict[str, Category] = {
    "person": Category(
        build=_person,
        main="clothes",
        second="hat",
        styles=("waving", "armoured", "robed"),
        natural=("blue", "grey"),
        synonyms=("character", "man"),
    ),
    "skull": Category(
        build=_skull,
        main="bone",
        second="jaw",
        styles=("bare", "horned", "pirate"),
        natural=("white", "beige"),
        synonyms=("cranium",),
    ),
    "ghost": Category(
        build=_ghost,
        main="sheet",
        second="hem",
        styles=("floating", "tall", "round"),
        natural=("white", "teal"),
        synonyms=("phantom", "spectre", "spook"),
    ),
    "street lamp": Category(
        build=_street_lamp,
        main="pole",
        second="bulb",
        styles=("curved", "twin", "vintage"),
        natural=("black", "yellow"),
        synonyms=("streetlight", "lamppost", "streetlamp"),
    ),
    "hydrant": Category(
        build=_hydrant,
        main="body",
        second="caps",
        styles=("round", "tall", "square"),
        natural=("red", "yellow"),
        synonyms=("fireplug",),
    ),
    "sign": Category(
        build=_sign,
        main="board",
        second="post",
        styles=("pointed", "square", "hanging"),
        natural=("beige", "brown"),
        synonyms=("signpost", "signboard", "placard"),
    ),
    "campfire": Category(
        build=_campfire,
        main="flames",
        second="logs",
        styles=("low", "pointed", "stacked"),
        natural=("orange", "brown"),
        synonyms=("bonfire",),
    ),
    "rock": Category(
        build=_rock,
        main="surface",
        second="moss",
        styles=("round", "stacked", "flat"),
        natural=("grey", "green"),
        synonyms=("boulder",),
    ),
    "bench": Category(
        build=_bench,
        main="seat",
        second="legs",
        styles=("backed", "backless", "curved"),
        natural=("brown", "black"),
        synonyms=("pew",),
    ),
}
