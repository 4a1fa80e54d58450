"""Things to eat."""

import numpy as np

from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, Form


def _circle(number: int, radius: float, start_deg: float = -90.0) -> list[tuple[float, float]]:
    """Return points (x, y) spread evenly around the axis, the first at the front."""
    angles = np.radians(start_deg + 360 * np.arange(number) / number)
    return [(radius * float(np.cos(angle)), radius * float(np.sin(angle))) for angle in angles]


def _cake(form: Form, style: str) -> None:
    match style:
        case "wedding":
            top = 0.0
            for radius in (0.72, 0.5, 0.28):
                half = form.between(0.25, 0.3)
                form.cone(MAIN, (0, 0, top + half), half, radius, radius, 0.04)
                form.ring(SECOND, (0, 0, top + 0.05), radius, 0.06)
                top += 2 * half
                form.cone(SECOND, (0, 0, top - 0.01), 0.05, radius * 1.05, radius * 1.05, 0.04)
            form.ball("red", (0, 0, top + 0.14), 0.13)
        case "bundt":
            ring, tube = form.between(0.5, 0.56), form.between(0.36, 0.4)
            form.cone("white", (0, 0, -0.38), 0.04, 1.0, 1.0)
            form.ring(MAIN, (0, 0, 0), ring, tube)
            form.ring(SECOND, (0, 0, tube * 0.5), ring, tube * 0.7)
            for x, y in _circle(6, ring + tube * 0.76):
                form.ellipsoid(SECOND, (x, y, 0.16), (0.13, 0.13, 0.17))
            for x, y in _circle(5, ring, -70):
                form.ball("red", (x, y, tube * 1.2), 0.09)
        case _:
            radius, half = form.between(0.66, 0.76), form.between(0.36, 0.44)
            form.cone("white", (0, 0, -0.02), 0.04, radius * 1.28, radius * 1.28)
            form.cone(MAIN, (0, 0, half), half, radius, radius, 0.05)
            form.cone(SECOND, (0, 0, 2 * half), 0.09, radius * 1.06, radius * 1.04, 0.08)
            for k, (x, y) in enumerate(_circle(6, radius * 0.98)):
                drip = 0.16 if k % 2 else 0.24
                form.rod(SECOND, (x, y, 2 * half), (x, y, 2 * half - drip), 0.1)
            for x, y in _circle(4, radius * 0.5):
                form.cone("teal", (x, y, 2 * half + 0.22), 0.18, 0.07, 0.07)
                form.ellipsoid("orange", (x, y, 2 * half + 0.48), (0.065, 0.065, 0.11), glow=0.5)


def _ice_cream(form: Form, style: str) -> None:
    half = form.between(0.46, 0.56)
    scoop = form.between(0.45, 0.53)
    form.cone(SECOND, (0, 0, -half), half, 0.05, scoop * 0.86, 0.04)
    match style:
        case "double":
            form.ball(MAIN, (0, 0, scoop * 0.5), scoop)
            form.ball(MAIN, (0, 0, scoop * 1.72), scoop * 0.88)
            rim, top = scoop * 0.12, scoop * 2.6
        case "soft":
            form.cone(SECOND, (0, 0, 0.08), 0.1, scoop * 0.96, scoop * 1.04, 0.03)
            rises = ((1.04, 0.28), (0.84, 0.52), (0.62, 0.75), (0.4, 0.94))
            for share, z in rises:
                form.ellipsoid(MAIN, (0, 0, z), (scoop * share, scoop * share, 0.19))
            form.cone(MAIN, (0.03, 0, 1.16), 0.16, scoop * 0.3, 0.03)
            rim, top = 0.0, None
        case _:
            form.ball(MAIN, (0, 0, scoop * 0.5), scoop * 1.08)
            rim, top = scoop * 0.12, scoop * 1.58
    if style != "soft":
        for x, y in _circle(8, scoop * 0.86):
            form.ball(MAIN, (x, y, rim), scoop * 0.26)
    if top is not None:
        form.ball("red", (0, 0, top + 0.05), 0.13)
        form.rod("green", (0, 0, top + 0.14), (0.08, 0, top + 0.3), 0.035)


def _burger(form: Form, style: str) -> None:
    radius = form.between(0.72, 0.8)
    crown = form.between(0.42, 0.5)
    is_square = style == "square"

    def layer(slot: str, z: float, half: float, share: float, rounding: float) -> None:
        if is_square:
            form.box(slot, (0, 0, z), (radius * share * 0.88, radius * share * 0.88, half), rounding)
        else:
            form.cone(slot, (0, 0, z), half, radius * share, radius * share, rounding)

    layer(MAIN, 0.14, 0.14, 0.96, 0.1)
    top, cheese = 0.28, 0.74 if is_square else 0.82
    for _ in range(2 if style == "double" else 1):
        layer(SECOND, top + 0.12, 0.13, 1.04, 0.1)
        form.box("yellow", (0, 0, top + 0.26), (radius * cheese, radius * cheese, 0.045), turn=(0, 0, 45))
        top += 0.29
    if is_square:
        form.box("green", (0, 0, top + 0.05), (radius * 0.98, radius * 0.98, 0.06), 0.05)
    else:
        form.cone("green", (0, 0, top + 0.05), 0.06, radius * 1.1, radius * 1.08, 0.05)
    top += 0.1
    if is_square:
        form.box(MAIN, (0, 0, top + 0.22), (radius * 0.9, radius * 0.9, 0.22), 0.18)
        top += 0.44
    else:
        form.dome(MAIN, (0, 0, top), (radius, radius, crown))
        top += crown
    for x, y in [(0.0, 0.0), *_circle(6, radius * 0.5)]:
        z = top if is_square else top - crown * (1 - np.sqrt(1 - (x * x + y * y) / radius**2))
        form.ellipsoid("white", (x, y, float(z)), (0.075, 0.05, 0.04))


CATEGORIES: dict[str, Category] = {
    "cake": Category(
        build=_cake,
        main="sponge",
        second="icing",
        styles=("birthday", "wedding", "bundt"),
        natural=("brown", "pink"),
        synonyms=("gateau", "torte"),
    ),
    "ice cream": Category(
        build=_ice_cream,
        main="scoop",
        second="cone",
        styles=("single", "double", "soft"),
        natural=("pink", "brown"),
        synonyms=("icecream", "gelato", "sundae"),
    ),
    "burger": Category(
        build=_burger,
        main="bun",
        second="patty",
        styles=("single", "double", "square"),
        natural=("orange", "brown"),
        synonyms=("hamburger", "cheeseburger", "sandwich"),
    ),
}
