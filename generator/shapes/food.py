"""Things to eat."""

import numpy as np

from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, Form, Vector


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


def _donut(form: Form, style: str) -> None:
    ring, tube = form.between(0.54, 0.6), form.between(0.29, 0.33)
    match style:
        case "standing":
            z = ring + tube
            form.ring(MAIN, (0, 0, z), ring, tube, turn=(90, -90, 0))
            form.ring(SECOND, (0, 0, z + 0.01), ring, tube * 1.09, turn=(90, -90, 0), half_angle_deg=94)
            for k in range(7):
                for y in (-0.86, 0.86):
                    angle = np.radians(90 + (k - 3) * 28 + 8 * y)
                    reach = ring + tube * (0.5 if k % 2 else -0.22)
                    place = (reach * float(np.cos(angle)), y * tube * 1.04, z + reach * float(np.sin(angle)))
                    form.ellipsoid(_SPRINKLES[k % 3], place, (0.1, 0.06, 0.05), turn=(0, 70 * k, 0))
        case "stacked":
            for k in range(3):
                place = ((0.0, 0.05, -0.05)[k], (0.0, -0.05, 0.04)[k], tube + k * tube * 1.62)
                _iced(form, place, ring * 1.02, tube * 0.94, -75 + 25 * k)
        case _:
            form.ellipsoid(MAIN, (0, 0, tube * 1.4), (ring + tube, ring + tube, tube * 1.4))
            form.ellipsoid(SECOND, (0, 0, tube * 1.8), (ring + 0.76 * tube, ring + 0.76 * tube, tube * 1.14))
            for k, (x, y) in enumerate(_circle(7, ring + 0.46 * tube, -70)):
                form.ellipsoid(SECOND, (x, y, tube * (1.3 if k % 2 else 1.5)), (0.2, 0.2, 0.24))
            form.ellipsoid("red", (0, -ring - 0.72 * tube, tube * 1.2), (0.2, 0.16, 0.13))
            form.ellipsoid("red", (0.05, -ring - 0.86 * tube, tube * 0.94), (0.1, 0.1, 0.15))
            for k, (x, y) in enumerate((*_circle(5, ring * 0.66, -60), (0.0, 0.0))):
                z = tube * (1.82 + 1.14 * float(np.sqrt(1 - (x * x + y * y) / (ring + 0.76 * tube) ** 2)))
                form.ellipsoid(_SPRINKLES[k % 3], (x, y, z), (0.11, 0.06, 0.05), turn=(0, 0, 70 * k))


_SPRINKLES = ("white", "yellow", "teal")


def _iced(form: Form, center: Vector, ring: float, tube: float, start: float) -> None:
    """Add a ring of dough with icing on it that runs down; `start` is where the first drop hangs."""
    x, y, z = center
    form.ring(MAIN, center, ring, tube)
    form.ring(SECOND, (x, y, z + 0.34 * tube), ring, 0.8 * tube)
    for k, (dx, dy) in enumerate(_circle(6, ring + 0.62 * tube, start)):
        form.ellipsoid(SECOND, (x + dx, y + dy, z + 0.1 * tube), (0.14, 0.14, 0.19 if k % 2 else 0.14))


def _pineapple(form: Form, style: str) -> None:
    match style:
        case "round":
            radius, half = form.between(0.52, 0.58), form.between(0.52, 0.58)
        case _:
            radius, half = form.between(0.42, 0.47), form.between(0.68, 0.76)
    form.ellipsoid(MAIN, (0, 0, half), (radius, radius, half))
    form.cone(MAIN, (0, 0, 0.08), 0.08, 0.55 * radius, 0.6 * radius, 0.03, plain=True)
    for row in range(4):
        z = (row - 1.6) * 0.42
        reach = radius * float(np.sqrt(1 - z * z))
        for x, y in _circle(5, reach, -90 + 36 * (row % 2)):
            turn = (45, 0, float(np.degrees(np.arctan2(y, x))))
            form.box("brown", (x, y, half * (1 + z)), (0.04, 0.085, 0.085), 0.02, turn=turn)
    top = 2 * half - 0.08
    for number, length, lean, start in ((6, 0.34, 48, -90), (5, 0.42, 24, -60)):
        for x, y in _circle(number, 1.0, start):
            reach = length * float(np.sin(np.radians(lean))) + 0.1
            place = (reach * x, reach * y, top + length * float(np.cos(np.radians(lean))))
            turn = (0, lean, float(np.degrees(np.arctan2(y, x))))
            form.ellipsoid(SECOND, place, (0.08, 0.16, length), turn=turn)
    form.ellipsoid(SECOND, (0, 0, top + 0.42), (0.14, 0.14, 0.44))


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
    "donut": Category(
        build=_donut,
        main="dough",
        second="icing",
        styles=("standing", "stacked", "filled"),
        natural=("beige", "pink"),
        synonyms=("doughnut",),
    ),
    "pineapple": Category(
        build=_pineapple,
        main="fruit",
        second="leaves",
        styles=("tall", "round"),
        natural=("yellow", "green"),
    ),
}
