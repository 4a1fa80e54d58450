"""Trees, mushrooms, flowers and cacti."""

from math import cos, pi, radians, sin

import numpy as np

from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, Form, euler_rotation

SIDES = (-1, 1)


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
}
