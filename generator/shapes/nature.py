"""Trees, mushrooms, flowers, cacti, pumpkins and crystals."""

from math import cos, pi, radians, sin

import numpy as np

from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, SIDES, Form, Vector, euler_rotation


def _tree(form: Form, style: str) -> None:
    if style == "palm":
        _palm(form)
        return
    height = form.between(0.48, 0.6)
    form.cone(SECOND, (0, 0, height / 2), height / 2 + 0.06, 0.24, 0.17, 0.02)
    if style == "pine":
        radius, rise = form.between(0.56, 0.66), form.between(0.24, 0.29)
        for i in range(3):
            share = 1 - 0.24 * i
            form.cone(MAIN, (0, 0, height + rise * (1 + 1.3 * i)), rise, share * radius, 0.05, 0.03)
        return
    radius = form.between(0.46, 0.54)
    middle = height + 0.8 * radius
    form.ellipsoid(MAIN, (0, 0, middle + 0.12), (radius, radius, 0.95 * radius))
    for i in range(4):
        angle = pi / 4 + i * pi / 2
        place = (0.52 * radius * cos(angle), 0.52 * radius * sin(angle), middle - 0.14)
        form.ball(MAIN, place, 0.68 * radius)


def _palm(form: Form) -> None:
    height, lean = form.between(0.95, 1.15), form.between(0.14, 0.24)
    crown = (-lean, 0.0, height)
    bend = (0.6 * lean, 0.0, 0.5 * height)
    form.cone(SECOND, (0.02, 0, 0.04), 0.06, 0.24, 0.16, 0.02)
    form.rod(SECOND, (0, 0, 0.08), bend, 0.12)
    form.rod(SECOND, bend, crown, 0.105)
    form.ellipsoid(MAIN, (*crown[:2], height + 0.08), (0.24, 0.24, 0.16))
    length = form.between(0.26, 0.3)
    for i in range(7):
        angle = 360 * i / 7 + 90
        x, y = cos(radians(angle)), sin(radians(angle))
        inner = (crown[0] + 0.3 * x, crown[1] + 0.3 * y, height + 0.13)
        outer = (crown[0] + 0.66 * x, crown[1] + 0.66 * y, height - 0.02)
        form.ellipsoid(MAIN, inner, (length, 0.15, 0.08), turn=(0, -6, angle))
        form.ellipsoid(MAIN, outer, (length, 0.17, 0.08), turn=(0, 42, angle))
    for angle in (-90, 30, 150):
        form.ball("brown", (crown[0] + 0.15 * cos(radians(angle)), 0.15 * sin(radians(angle)), height - 0.1), 0.1)


def _mushroom(form: Form, style: str) -> None:
    height, stem = form.between(0.46, 0.6), form.between(0.2, 0.25)
    form.cone(SECOND, (0, 0, height / 2), height / 2 + 0.08, 1.25 * stem, stem, 0.08)
    radius = form.between(0.54, 0.62)
    if style == "pointed":
        rise = form.between(0.34, 0.42)
        form.cone(MAIN, (0, 0, height + rise), rise, radius, 0.1, 0.08)
    elif style == "flat":
        radius *= 1.12
        form.dome(MAIN, (0, 0, height + 0.08), (radius, radius, 0.34))
        form.ring(MAIN, (0, 0, height + 0.08), radius - 0.07, 0.07, plain=True)
        form.cone(MAIN, (0, 0, height + 0.07), 0.06, radius - 0.07, radius - 0.07, plain=True)
    else:
        form.dome(MAIN, (0, 0, height), (radius, radius, form.between(0.46, 0.56)))
        form.ring(MAIN, (0, 0, height + 0.01), radius - 0.08, 0.08, plain=True)


def _flower(form: Form, style: str) -> None:
    if style == "tulip":
        _tulip(form)
        return
    low, height = (0.46, form.between(1.05, 1.2)) if style == "potted" else (0.0, form.between(0.85, 1.0))
    form.rod(SECOND, (0, 0, low), (0, 0.02, height), 0.11)
    if style == "potted":
        _pot(form, "brown", 0.34)
    for x in SIDES:
        leaf = (x * 0.29, 0, low + 0.2)
        form.ellipsoid(SECOND, leaf, (0.32, 0.17, 0.1), turn=(0, -x * 30, 0))
    num_petals, petal = 7, form.between(0.2, 0.25)
    tilt = euler_rotation((form.between(52, 64), 0, 0))
    middle = np.array([0.0, -0.06, height + 0.04])
    for i in range(num_petals):
        turn = tilt @ euler_rotation((0, 0, 360 * i / num_petals + 90))
        x, y, z = middle + turn @ [0.16 + petal, 0.0, 0.0]
        form.ellipsoid(MAIN, (x, y, z), (petal, 0.19, 0.1), turn=turn)
    x, y, z = middle + tilt @ [0.0, 0.0, 0.05]
    form.ellipsoid("brown", (x, y, z), (0.22, 0.22, 0.13), turn=tilt)


def _tulip(form: Form) -> None:
    height = form.between(0.72, 0.86)
    radius, rise = form.between(0.33, 0.38), form.between(0.36, 0.42)
    form.rod(SECOND, (0, 0, 0.08), (0, 0, height), 0.095)
    for x in SIDES:
        form.ellipsoid(SECOND, (x * 0.24, 0, 0.36), (0.1, 0.17, 0.4), turn=(0, x * 28, 0))
    form.ellipsoid(MAIN, (0, 0, height + rise), (radius, radius, rise))
    for i in range(5):
        angle = 72 * i - 90
        x, y = cos(radians(angle)), sin(radians(angle))
        place = (0.66 * radius * x, 0.66 * radius * y, height + 1.35 * rise)
        form.ellipsoid(MAIN, place, (0.13, 0.21, 0.92 * rise), turn=(0, 10, angle))


def _cactus(form: Form, style: str) -> None:
    _pot(form, SECOND, form.between(0.36, 0.42))
    soil = 0.46
    if style == "round":
        radius = form.between(0.42, 0.48)
        form.ellipsoid(MAIN, (0, 0, soil + 0.78 * radius), (radius, radius, 0.92 * radius))
        for x, y in ((0, 0), (-0.13, 0.02), (0.13, 0.02), (0, -0.12)):
            form.ball("pink", (x, y, soil + 1.7 * radius - (x * x + y * y)), 0.1)
        return
    if style == "prickly":
        wide = form.between(0.3, 0.35)
        form.ellipsoid(MAIN, (0, 0, soil + 0.32), (wide, 0.19, 0.4))
        for x, rise in ((-1, 0.72), (1, 0.86)):
            form.ellipsoid(MAIN, (x * 0.32, 0, soil + rise), (0.23, 0.16, 0.32), turn=(0, x * 34, 0))
        form.ball("pink", (0.5, 0, soil + 1.13), 0.1)
        form.ball("pink", (-0.5, 0, soil + 0.99), 0.1)
        form.ball("pink", (0.02, 0, soil + 0.74), 0.1)
        return
    height = form.between(0.85, 1.0)
    form.rod(MAIN, (0, 0, soil), (0, 0, soil + height), 0.22)
    for x, start, length in ((-1, 0.34, 0.36), (1, 0.5, 0.3)):
        elbow = (x * 0.46, 0, soil + start)
        form.rod(MAIN, (0, 0, soil + start), elbow, 0.13)
        form.rod(MAIN, elbow, (x * 0.46, 0, soil + start + length), 0.13)
    form.ball("pink", (0, 0, soil + height + 0.23), 0.12)


def _pot(form: Form, slot: str, radius: float) -> None:
    """Add a flowerpot with soil; its rim is at z = 0.5."""
    form.cone(slot, (0, 0, 0.19), 0.2, 0.72 * radius, radius)
    form.cone(slot, (0, 0, 0.42), 0.09, radius + 0.08, radius + 0.08, 0.02)
    form.cone("black" if slot == "brown" else "brown", (0, 0, 0.48), 0.04, 0.92 * radius, 0.92 * radius)


def _pumpkin(form: Form, style: str) -> None:
    match style:
        case "tall":
            wide, half = form.between(0.5, 0.56), form.between(0.7, 0.78)
        case "carved":
            wide, half = form.between(0.62, 0.68), form.between(0.6, 0.66)
        case _:
            wide, half = form.between(0.72, 0.8), form.between(0.44, 0.5)
    for i in range(8):
        angle = 45 * i - 90
        place = (0.46 * wide * cos(radians(angle)), 0.46 * wide * sin(radians(angle)), half)
        form.ellipsoid(MAIN, place, (0.54 * wide, 0.4 * wide, half), turn=(0, 0, angle))
    top = 2 * half - 0.06
    form.cone(SECOND, (0, 0, top + 0.14), 0.2, 0.24, 0.13, 0.04)
    form.rod(SECOND, (0.02, 0, top + 0.3), (0.17, 0, top + 0.46), 0.125)
    reach = 0.27 if style == "carved" else 0.38
    for angle in range(-54, 306, 72):
        x, y = cos(radians(angle)), sin(radians(angle))
        form.ellipsoid(SECOND, (reach * x, reach * y, top + 0.02), (reach - 0.04, 0.2, 0.08), turn=(0, 22, angle))
    if style == "carved":
        for x in SIDES:
            eye = (x * 0.25, 0.3 - wide, 1.36 * half)
            form.frustum("yellow", eye, 0.14, (0.16, 0.2), (0.03, 0.2), turn=(0, -x * 12, x * 14), glow=0.6)
            grin = (x * 0.24, 0.29 - wide, 0.86 * half)
            form.box("yellow", grin, (0.17, 0.2, 0.08), 0.01, (0, -x * 24, x * 12), glow=0.6)
        form.frustum("yellow", (0, 0.19 - wide, 1.1 * half), 0.07, (0.08, 0.2), (0.02, 0.2), glow=0.6)
        form.box("yellow", (0, 0.19 - wide, 0.77 * half), (0.14, 0.2, 0.08), 0.01, glow=0.6)


def _crystal(form: Form, style: str) -> None:
    for angle, reach, size in ((-70, 0.34, 0.3), (50, 0.36, 0.28), (170, 0.34, 0.3)):
        x, y = cos(radians(angle)), sin(radians(angle))
        form.box(SECOND, (reach * x, reach * y, 0.08), (size, size, 0.2), 0.06, turn=(12, 8, angle + 20))
    form.box(SECOND, (0, 0, 0.1), (0.4, 0.4, 0.2), 0.06, turn=(0, 0, 20))
    match style:
        case "single":
            _gem(form, (0, 0, 0.1), form.between(0.98, 1.12), form.between(0.36, 0.42), (0, 0))
        case "cut":
            wide, low = form.between(0.6, 0.68), form.between(0.34, 0.4)
            crown = 0.16 + 2 * low
            form.cone(MAIN, (0, 0, 0.16 + low), low, 0.14, 1.27 * wide, 0.0)
            form.cone(MAIN, (0, 0, crown + 0.13), 0.13, 1.27 * wide, 0.76 * wide, 0.0)
            for turn in (0, 45):
                form.frustum(MAIN, (0, 0, 0.16 + low), low, (0.1, 0.1), (wide, wide), turn=(0, 0, turn))
                form.frustum(
                    MAIN, (0, 0, crown + 0.13), 0.131, (wide, wide), (0.6 * wide, 0.6 * wide), turn=(0, 0, turn)
                )
        case _:
            _gem(form, (0, 0.02, 0.1), form.between(0.72, 0.82), 0.27, (4, 0))
            for angle, lean, half in (
                (-80, 30, 0.46),
                (-10, 36, 0.54),
                (60, 28, 0.5),
                (130, 34, 0.58),
                (205, 32, 0.48),
            ):
                x, y = 0.16 * cos(radians(angle)), 0.16 * sin(radians(angle))
                _gem(form, (x, y, 0.12), half * form.between(0.92, 1.08), 0.19, (lean, angle))


def _gem(form: Form, root: Vector, half: float, wide: float, lean: tuple[float, float]) -> None:
    """Add a pointed prism of eight sides that leans so many degrees from upright, towards an azimuth."""
    for spin in (0, 45):
        turn = euler_rotation((0, *lean)) @ euler_rotation((0, 0, spin))
        for share, reach, low, high in ((0.72, 0.72, 0.74, 1.0), (1.72, 0.285, 1.0, 0.06)):
            x, y, z = root + turn @ [0.0, 0.0, share * half]
            form.frustum(MAIN, (x, y, z), reach * half, (low * wide, low * wide), (high * wide, high * wide), turn=turn)


CATEGORIES: dict[str, Category] = {
    "tree": Category(
        build=_tree,
        main="leaves",
        second="trunk",
        styles=("round", "pine", "palm"),
        natural=("green", "brown"),
    ),
    "mushroom": Category(
        build=_mushroom,
        main="cap",
        second="stem",
        styles=("round", "pointed", "flat"),
        natural=("red", "white"),
        synonyms=("toadstool",),
    ),
    "flower": Category(
        build=_flower,
        main="petals",
        second="stem",
        styles=("daisy", "tulip", "potted"),
        natural=("pink", "green"),
        synonyms=("blossom",),
    ),
    "cactus": Category(
        build=_cactus,
        main="body",
        second="pot",
        styles=("tall", "round", "prickly"),
        natural=("green", "orange"),
        synonyms=("succulent",),
    ),
    "pumpkin": Category(
        build=_pumpkin,
        main="rind",
        second="stem",
        styles=("round", "tall", "carved"),
        natural=("orange", "green"),
        synonyms=("gourd",),
    ),
    "crystal": Category(
        build=_crystal,
        main="gems",
        second="rock",
        styles=("clustered", "single", "cut"),
        natural=("purple", "grey"),
        synonyms=("gemstone",),
    ),
}
