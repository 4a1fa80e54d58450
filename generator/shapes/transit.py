"""Trains, buses, helicopters and balloons. All of them look towards -y."""

from math import cos, radians, sin

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form


def _wheels(form: Form, half_track: float, ys: tuple[float, ...], radius: float) -> None:
    """Add pairs of wheels that stand on z = 0, and their hubs."""
    for y in ys:
        form.cone("black", (0, y, radius), half_track, radius, radius, 0.03, turn=SIDEWAYS)
        form.cone("grey", (0, y, radius), half_track + 0.03, radius * 0.5, radius * 0.5, turn=SIDEWAYS)


def _train(form: Form, style: str) -> None:
    match style:
        case "bullet":
            half, nose = form.between(0.7, 0.8), form.between(0.7, 0.85)
            form.box(MAIN, (0, 0.5, 0.54), (0.42, half, 0.42), 0.14)
            form.ellipsoid(MAIN, (0, 0.5 - half + 0.14, 0.5), (0.42, nose + 0.14, 0.42))
            form.ellipsoid("black", (0, 0.24 - half, 0.72), (0.32, 0.36, 0.2), turn=(28, 0, 0))
            form.box("black", (0, 0.6, 0.68), (0.43, half - 0.2, 0.1), 0.03)
            form.box(SECOND, (0, 0.5, 0.4), (0.45, half - 0.02, 0.07), 0.03)
            form.box(SECOND, (0, 0.56, 0.97), (0.3, half - 0.1, 0.09), 0.06)
            form.ellipsoid(SECOND, (0, 0.6 - half, 0.32), (0.46, nose + 0.16, 0.16))
            form.box("black", (0, 0.5, 0.1), (0.34, half - 0.06, 0.1), 0.03)
            for side in SIDES:
                form.ball("yellow", (side * 0.21, 0.54 - half - 0.84 * nose, 0.56), 0.08, glow=0.3)
        case "freight":
            half, wall = form.between(0.5, 0.58), form.between(0.26, 0.32)
            form.box(SECOND, (0, -0.66, 0.34), (0.42, 0.62, 0.08), 0.02)
            form.box(MAIN, (0, -0.86, 0.62), (0.3, 0.36, 0.24), 0.06)
            form.box(MAIN, (0, -0.34, 0.78), (0.4, 0.26, 0.4), 0.03)
            form.box("black", (0, -0.34, 0.92), (0.41, 0.16, 0.14), 0.02)
            form.box("black", (0, -0.34, 0.95), (0.3, 0.27, 0.12), 0.02)
            form.box(SECOND, (0, -0.34, 1.22), (0.48, 0.36, 0.08), 0.05)
            form.cone(SECOND, (0, -0.98, 0.94), 0.14, 0.11, 0.11)
            form.box(SECOND, (0, -1.24, 0.34), (0.4, 0.08, 0.14), 0.03)
            form.ball("yellow", (0, -1.22, 0.68), 0.11, glow=0.3)
            form.box("grey", (0, 0.06, 0.3), (0.1, 0.2, 0.07))
            middle = 0.14 + half
            form.box(SECOND, (0, middle, 0.34), (0.42, half, 0.08), 0.02)
            form.frustum(MAIN, (0, middle, 0.42 + wall), wall, (0.38, half - 0.06), (0.5, half + 0.02))
            form.ellipsoid("black", (0, middle, 0.42 + 2 * wall), (0.42, half - 0.06, 0.2))
            _wheels(form, 0.38, (-1.0, -0.38, middle - 0.3, middle + 0.3), 0.2)
        case _:
            half, boiler = form.between(0.62, 0.7), form.between(0.33, 0.38)
            z = 0.5 + boiler
            form.cone(MAIN, (0, 0.3 - half, z), half, boiler, boiler, 0.03, turn=FORWARD)
            front = 0.3 - 2 * half
            form.cone("black", (0, front, z), 0.06, boiler * 0.8, boiler * 0.8, turn=FORWARD)
            form.ball("yellow", (0, front - 0.06, z), 0.12, glow=0.3)
            form.box(MAIN, (0, 0.54, 0.86), (0.42, 0.32, 0.5), 0.03)
            form.box("black", (0, 0.54, 1.06), (0.43, 0.18, 0.15), 0.02)
            form.box("black", (0, 0.54, 1.06), (0.28, 0.33, 0.15), 0.02)
            form.box(SECOND, (0, 0.54, 1.4), (0.52, 0.44, 0.08), 0.05)
            form.box(SECOND, (0, 0.43 - half, 0.44), (0.46, half + 0.43, 0.08), 0.02)
            form.cone(SECOND, (0, front + 0.24, z + boiler + 0.14), 0.26, 0.12, 0.21)
            form.dome(SECOND, (0, front + 0.72, z + boiler - 0.08), (0.19, 0.19, 0.3))
            form.frustum(SECOND, (0, front + 0.12, 0.24), 0.22, (0.44, 0.32), (0.38, 0.14))
            _wheels(form, 0.4, (-0.5, 0.0), 0.25)
            _wheels(form, 0.4, (0.56,), 0.34)
            for side in SIDES:
                form.rod(SECOND, (side * 0.46, -0.5, 0.22), (side * 0.46, 0.56, 0.26), 0.06)


def _bus(form: Form, style: str) -> None:
    length = form.between(0.78, 0.86) if style == "double-decker" else form.between(1.0, 1.12)
    width = 0.42
    top = 1.46 if style == "double-decker" else form.between(0.96, 1.04)
    front = -length
    form.box(MAIN, (0, 0, 0.16 + top / 2), (width, length, top / 2 - 0.02), 0.09)
    form.box(SECOND, (0, 0, 0.16 + top), (width - 0.02, length - 0.04, 0.1), 0.08)
    form.box(SECOND, (0, 0, 0.3), (width + 0.03, length + 0.03, 0.09), 0.03)
    decks = (0.74, 1.3) if style == "double-decker" else (0.82,)
    for z in decks:
        for k in range(4):
            form.box("black", (0, length * (0.5 * k - 0.72), z), (width + 0.015, 0.19 * length, 0.15), 0.02)
        form.box("black", (0, 0, z), (0.34, length + 0.015, 0.17), 0.02)
    if style == "double-decker":
        form.box(SECOND, (0, 0, 1.02), (width + 0.02, length + 0.02, 0.06), 0.02)
    if style == "school":
        hood = form.between(0.24, 0.3)
        form.box(MAIN, (0, front - hood, 0.46), (0.36, hood + 0.06, 0.24), 0.1)
        form.box("black", (0, front - 2 * hood - 0.03, 0.46), (0.2, 0.06, 0.12), 0.03)
        form.box(SECOND, (0, front - hood, 0.28), (0.42, hood + 0.12, 0.08), 0.04)
        for side in SIDES:
            form.ball("red", (side * 0.3, front - 0.01, 0.18 + top), 0.09, glow=0.2)
        front -= 2 * hood + 0.04
    for side in SIDES:
        form.ball("yellow", (side * 0.28, front - 0.01, 0.46), 0.09, glow=0.3)
    wheel_y = 0.6 * length
    _wheels(form, width + 0.02, (wheel_y, front + 0.38 if style == "school" else -wheel_y), 0.22)


def _helicopter(form: Form, style: str) -> None:
    match style:
        case "slender":
            length = form.between(0.62, 0.72)
            form.ellipsoid(MAIN, (0, -0.1, 0.54), (0.35, length, 0.4))
            form.ellipsoid("black", (0, -0.42, 0.74), (0.25, 0.36, 0.22))
            form.cone(MAIN, (0, 0.86, 0.6), 0.6, 0.1, 0.24, turn=FORWARD)
            form.frustum(SECOND, (0, 1.44, 0.82), 0.3, (0.09, 0.26), (0.07, 0.14), turn=(-16, 0, 0))
            form.box(SECOND, (0, 1.3, 0.6), (0.36, 0.13, 0.06), 0.02)
            form.box(SECOND, (0, 0.1, 0.46), (0.62, 0.17, 0.07), 0.03)
            for side in SIDES:
                form.rod("grey", (side * 0.58, -0.12, 0.42), (side * 0.58, 0.28, 0.42), 0.1)
            form.ellipsoid("grey", (0, 0.16, 0.9), (0.2, 0.36, 0.14))
            _skids(form, 0.3, -0.3, 0.45)
            _rotor(form, 0.1, 1.08, form.between(0.95, 1.05))
        case "twin":
            half = form.between(0.62, 0.7)
            form.box(MAIN, (0, 0, 0.5), (0.36, half + 0.24, 0.34), 0.2)
            form.ellipsoid("black", (0, -half - 0.06, 0.56), (0.29, 0.26, 0.22))
            form.box(MAIN, (0, -half + 0.06, 0.88), (0.2, 0.22, 0.16), 0.1, plain=True)
            form.frustum(MAIN, (0, half, 1.0), 0.34, (0.22, 0.3), (0.16, 0.2), plain=True)
            for k in (-0.3, 0.06, 0.42):
                form.cone("black", (0, k, 0.6), 0.37, 0.1, 0.1, turn=SIDEWAYS)
            for side in SIDES:
                form.box(SECOND, (side * 0.38, 0.24, 0.28), (0.12, 0.5, 0.14), 0.08)
                for y in (-0.5, 0.56):
                    form.cone("black", (side * 0.32, y, 0.1), 0.09, 0.16, 0.16, 0.03, turn=SIDEWAYS)
            _rotor(form, -half + 0.06, 1.12, 0.62)
            _rotor(form, half, 1.42, 0.62, start=15)
        case _:
            body = form.between(0.46, 0.53)
            form.ellipsoid(MAIN, (0, 0, 0.68), (body, body * 1.24, body))
            form.ellipsoid("black", (0, -body * 0.42, 0.76), (body * 0.84, body * 0.9, body * 0.72))
            form.cone(MAIN, (0, 0.86, 0.8), 0.5, 0.09, 0.2, turn=FORWARD)
            form.frustum(SECOND, (0, 1.34, 0.96), 0.3, (0.09, 0.22), (0.07, 0.14), turn=(-14, 0, 0))
            form.box(SECOND, (0, 1.2, 0.8), (0.36, 0.14, 0.06), 0.02)
            form.cone("grey", (0.1, 1.38, 0.98), 0.06, 0.14, 0.14, turn=SIDEWAYS)
            form.cone("grey", (0, 0.04, 1.24), 0.16, 0.16, 0.1)
            _skids(form, 0.36, -0.4, 0.36)
            _rotor(form, 0.04, 1.38, form.between(0.95, 1.08))


def _rotor(form: Form, y: float, z: float, length: float, start: float = 40.0) -> None:
    form.cone("grey", (0, y, z - 0.08), 0.12, 0.09, 0.09)
    for angle in (start, start + 90):
        form.box(SECOND, (0, y, z), (length, 0.12, 0.05), 0.03, turn=(0, 0, angle))
    form.ball(SECOND, (0, y, z + 0.02), 0.15)


def _skids(form: Form, x: float, front: float, back: float) -> None:
    for side in SIDES:
        form.rod(SECOND, (side * x, front, 0.06), (side * x, back, 0.06), 0.07)
        for y in (front + 0.16, back - 0.12):
            form.rod("grey", (side * x, y, 0.06), (side * x * 0.6, y, 0.36), 0.055)


def _balloon(form: Form, style: str) -> None:
    if style == "long":
        length, radius = form.between(1.1, 1.25), form.between(0.46, 0.53)
        form.ellipsoid(MAIN, (0, 0, 1.0), (radius, length, radius))
        for turn in (0, 90, 180, 270):
            fin = (0.46 * sin(radians(turn)), 0.86 * length, 1.0 + 0.46 * cos(radians(turn)))
            form.frustum(SECOND, fin, 0.24, (0.09, 0.3), (0.07, 0.17), turn=(0, turn, 0))
        form.ellipsoid(SECOND, (0, -length * 0.98, 1.0), (0.14, 0.13, 0.14))
        form.box(SECOND, (0, -0.1, 0.44 - (radius - 0.46)), (0.2, 0.42, 0.17), 0.1)
        form.box("black", (0, -0.12, 0.5 - (radius - 0.46)), (0.21, 0.34, 0.06), 0.02)
        return
    if style == "tall":
        radius, half = form.between(0.62, 0.68), form.between(0.6, 0.68)
        z = 1.86
        form.dome(MAIN, (0, 0, z), (radius, radius, half))
        form.cone(MAIN, (0, 0, z - 0.49), 0.5, 0.2, radius, 0.0)
        form.cone(SECOND, (0, 0, z + half - 0.03), 0.05, 0.28, 0.2, 0.03)
        skirt = z - 0.98
    else:
        radius = form.between(0.78, 0.86)
        z = 0.96 + radius
        form.ball(MAIN, (0, 0, z), radius)
        form.cone(MAIN, (0, 0, z - 0.78 * radius), 0.26 * radius, 0.3, 0.86 * radius, 0.0, plain=True)
        form.dome(SECOND, (0, 0, z + 0.86 * radius), (0.46 * radius, 0.46 * radius, 0.18 * radius))
        skirt = z - 1.04 * radius
    form.cone(SECOND, (0, 0, skirt), 0.1, 0.24, 0.32, 0.02)
    form.cup(SECOND, (0, 0, 0.24), 0.24, 0.26, 0.31, 0.06)
    form.ring("brown", (0, 0, 0.48), 0.31, 0.07)
    for x in SIDES:
        for y in SIDES:
            form.rod("brown", (x * 0.21, y * 0.21, 0.46), (x * 0.2, y * 0.2, skirt), 0.045)


CATEGORIES: dict[str, Category] = {
    "train": Category(
        build=_train,
        main="body",
        second="roof",
        styles=("steam", "bullet", "freight"),
        natural=("green", "black"),
        synonyms=("locomotive",),
    ),
    "bus": Category(
        build=_bus,
        main="body",
        second="roof",
        styles=("city", "double-decker", "school"),
        natural=("red", "white"),
        synonyms=("coach",),
    ),
    "helicopter": Category(
        build=_helicopter,
        main="body",
        second="rotor",
        styles=("round", "slender", "twin"),
        natural=("blue", "yellow"),
        synonyms=("chopper",),
    ),
    "balloon": Category(
        build=_balloon,
        main="envelope",
        second="basket",
        styles=("round", "tall", "long"),
        natural=("red", "yellow"),
        synonyms=("hot air balloon",),
    ),
}
