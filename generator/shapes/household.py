"""What lies about a house: candles, gifts, hammers and guitars."""

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form


def _candle(form: Form, style: str) -> None:
    match style:
        case "short":
            radius, half = form.between(0.34, 0.4), form.between(0.36, 0.44)
            form.cup(SECOND, (0, 0, 0.12), 0.12, 0.5, 0.68, 0.07)
            form.cone(SECOND, (0, 0, 0.14), 0.14, 0.5, radius + 0.08, 0.03)
            form.ring(SECOND, (0.82, 0, 0.2), 0.2, 0.09, turn=FORWARD)
            _wax(form, (0, 0), 0.2, half, radius)
        case "branched":
            half, reach = form.between(0.26, 0.32), form.between(0.54, 0.62)
            form.cone(SECOND, (0, 0, 0.09), 0.1, 0.5, 0.36, 0.04)
            form.cone(SECOND, (0, 0, 0.7), 0.62, 0.13, 0.11)
            form.ball(SECOND, (0, 0, 0.56), 0.18)
            form.ring(SECOND, (0, 0, 1.16), reach, 0.095, turn=(90, 90, 0), half_angle_deg=90)
            for x in (-1, 0, 1):
                foot = 1.36 if x == 0 else 1.2
                form.cone(SECOND, (x * reach, 0, foot), 0.09, 0.15, 0.25, 0.03)
                _wax(form, (x * reach, 0), foot + 0.04, half, 0.165)
        case _:
            radius, half = form.between(0.21, 0.25), form.between(0.52, 0.62)
            form.cone(SECOND, (0, 0, 0.08), 0.1, 0.48, 0.38, 0.04)
            form.cone(SECOND, (0, 0, 0.26), 0.2, 0.2, 0.13)
            form.ball(SECOND, (0, 0, 0.4), 0.18)
            form.cone(SECOND, (0, 0, 0.6), 0.12, 0.16, radius + 0.16, 0.04)
            _wax(form, (0, 0), 0.68, half, radius)


def _wax(form: Form, at: tuple[float, float], floor: float, half: float, radius: float) -> None:
    """Add a burning candle with drips down its sides."""
    x, y = at
    top = floor + 2 * half
    size = 0.5 + radius
    form.cone(MAIN, (x, y, floor + half), half, radius, radius, 0.03)
    for dx, dy, drop in ((0.8, -0.6, 0.42), (-0.9, -0.3, 0.26), (0.1, 1.0, 0.36)):
        place = (x + dx * radius * 0.96, y + dy * radius * 0.96)
        form.rod(MAIN, (*place, top - 0.05), (*place, top - drop * size), 0.1 * size, plain=True)
    form.rod("black", (x, y, top - 0.02), (x, y, top + 0.1), 0.045)
    form.ellipsoid("orange", (x, y, top + 0.1 + 0.28 * size), (0.17 * size, 0.17 * size, 0.3 * size), glow=0.6)
    form.cone("orange", (x, y, top + 0.1 + 0.54 * size), 0.15 * size, 0.12 * size, 0.01, glow=0.6)
    form.ellipsoid(
        "yellow", (x, y - 0.06 * size, top + 0.08 + 0.2 * size), (0.13 * size, 0.13 * size, 0.17 * size), glow=0.7
    )


def _gift(form: Form, style: str) -> None:
    if style == "round":
        radius, half = form.between(0.62, 0.7), form.between(0.34, 0.4)
        form.cone(MAIN, (0, 0, half), half, radius, radius, 0.02)
        form.cone(MAIN, (0, 0, 2 * half), 0.14, radius + 0.07, radius + 0.07, 0.02)
        top = 2 * half + 0.14
        form.cone(SECOND, (0, 0, 2 * half - 0.16), 0.07, radius + 0.08, radius + 0.08, 0.02)
        for size in ((radius + 0.09, 0.13), (0.13, radius + 0.09)):
            form.box(SECOND, (0, 0, 0.5 * top + 0.01), (*size, 0.5 * top + 0.02), 0.02)
    else:
        if style == "tall":
            width, half = form.between(0.38, 0.44), form.between(0.62, 0.7)
        else:
            width, half = form.between(0.6, 0.68), form.between(0.4, 0.46)
        form.box(MAIN, (0, 0, half), (width, width, half), 0.01)
        form.box(MAIN, (0, 0, 2 * half), (width + 0.07, width + 0.07, 0.14), 0.02)
        top = 2 * half + 0.14
        for size, lid in (((width, 0.13), (width + 0.07, 0.13)), ((0.13, width), (0.13, width + 0.07))):
            form.box(SECOND, (0, 0, half), (size[0] + 0.02, size[1] + 0.02, half + 0.01), 0.01)
            form.box(SECOND, (0, 0, 2 * half), (lid[0] + 0.02, lid[1] + 0.02, 0.16), 0.01)
    loop = form.between(0.15, 0.18)
    form.ball(SECOND, (0, 0, top + 0.13), 0.15)
    for azimuth in (0, 90, 180, 270):
        x, y = ((1, 0), (0, 1), (-1, 0), (0, -1))[azimuth // 90]
        place = ((loop + 0.06) * x, (loop + 0.06) * y, top + 0.2)
        form.ring(SECOND, place, loop, 0.125, turn=(90, -28, azimuth))


def _hammer(form: Form, style: str) -> None:
    match style:
        case "sledge":
            length, size = form.between(1.4, 1.6), form.between(0.26, 0.3)
            form.box(MAIN, (0, 0, length), (0.49, size, size), 0.02)
            for x in SIDES:
                form.frustum(
                    MAIN, (x * 0.6, 0, length), 0.12, (size, size), (size - 0.09, size - 0.09), turn=(0, x * 90, 0)
                )
            thick = 0.13
        case "round":
            length, size = form.between(1.2, 1.35), form.between(0.36, 0.42)
            form.cone(MAIN, (0, 0, length), 0.62, size, size, 0.06, turn=SIDEWAYS)
            for x in SIDES:
                form.cone(SECOND, (x * 0.46, 0, length), 0.07, size + 0.05, size + 0.05, 0.03, turn=SIDEWAYS)
            thick = 0.15
        case _:
            length, size = form.between(1.25, 1.4), form.between(0.24, 0.28)
            form.cone(MAIN, (-0.5, 0, length), 0.16, size, size - 0.02, 0.05, turn=SIDEWAYS)
            form.cone(MAIN, (-0.24, 0, length), 0.16, 0.15, 0.17, turn=SIDEWAYS)
            form.box(MAIN, (0.02, 0, length), (0.2, 0.22, 0.22), 0.05)
            for y in SIDES:
                claw = (0.16, y * 0.12, length - 0.42)
                form.ring(MAIN, claw, 0.5, 0.1, turn=(90 - y * 7, -52, 0), half_angle_deg=40)
            thick = 0.13
    form.cone(SECOND, (0, 0, 0.5 * length), 0.5 * length, thick + 0.02, thick - 0.01, 0.02)
    form.cone(SECOND, (0, 0, 0.3), 0.3, thick + 0.07, thick + 0.05, 0.06)
    top = length + (0.42 if style == "round" else 0.28)
    form.cone(SECOND, (0, 0, top), 0.06, thick, thick, 0.02)


def _guitar(form: Form, style: str) -> None:
    match style:
        case "electric":
            wide = form.between(0.5, 0.56)
            form.box(MAIN, (0, 0, 0.42), (wide, 0.17, 0.42), 0.15)
            form.box(MAIN, (0, 0, 0.74), (0.34, 0.17, 0.3), 0.12)
            for x, high in ((-1, 1.22), (1, 1.1)):
                form.rod(MAIN, (x * 0.26, 0, 0.66), (x * 0.44, 0, high), 0.17)
            form.box(SECOND, (0.05, -0.16, 0.58), (0.28, 0.06, 0.34), 0.05)
            for z in (0.5, 0.78):
                form.box("black", (0, -0.21, z), (0.17, 0.05, 0.07), 0.02)
            form.box("grey", (0, -0.21, 0.24), (0.18, 0.06, 0.07), 0.02)
            form.box(SECOND, (0, 0.16, 0.6), (0.2, 0.05, 0.26), 0.04)
            low, long = 0.9, form.between(0.46, 0.54)
        case "round":
            radius = form.between(0.54, 0.6)
            form.cone(MAIN, (0, 0.03, radius), 0.2, radius, radius, 0.05, turn=FORWARD)
            form.ring(SECOND, (0, -0.14, radius), radius - 0.02, 0.085, turn=FORWARD)
            form.box(SECOND, (0, -0.19, 0.62 * radius), (0.2, 0.06, 0.07), 0.02)
            low, long = 2 * radius - 0.1, form.between(0.46, 0.54)
        case _:
            wide = form.between(0.54, 0.6)
            form.cone(MAIN, (0, 0, wide), 0.22, wide, wide, 0.06, turn=FORWARD)
            form.cone(MAIN, (0, 0, 1.14), 0.22, 0.42, 0.42, 0.06, turn=FORWARD)
            form.box(MAIN, (0, 0, 0.9), (0.38, 0.2, 0.24), 0.06, plain=True)
            form.cone("black", (0, -0.21, 0.92), 0.03, 0.2, 0.2, turn=FORWARD)
            form.box(SECOND, (0, -0.24, 0.4), (0.26, 0.05, 0.09), 0.03)
            form.ring(SECOND, (0, -0.16, wide), wide - 0.02, 0.065, turn=(90, 90, 0), half_angle_deg=125)
            form.ring(SECOND, (0, 0.16, wide), wide - 0.02, 0.065, turn=(90, 90, 0), half_angle_deg=125)
            low, long = 1.24, form.between(0.4, 0.47)
    form.box(SECOND, (0, -0.13, low + long), (0.105, 0.09, long), 0.03)
    top = low + 2 * long
    form.frustum(SECOND, (0, -0.11, top + 0.16), 0.2, (0.13, 0.1), (0.2, 0.1), turn=(-8, 0, 0))
    for x in SIDES:
        for z in (0.06, 0.24):
            form.ball("grey", (x * 0.22, -0.1, top + z), 0.085)


CATEGORIES: dict[str, Category] = {
    "candle": Category(
        build=_candle,
        main="wax",
        second="holder",
        styles=("tall", "short", "branched"),
        natural=("white", "yellow"),
    ),
    "gift": Category(
        build=_gift,
        main="box",
        second="ribbon",
        styles=("square", "tall", "round"),
        natural=("red", "yellow"),
        synonyms=("present", "gift box"),
    ),
    "hammer": Category(
        build=_hammer,
        main="head",
        second="handle",
        styles=("claw", "sledge", "round"),
        natural=("grey", "brown"),
    ),
    "guitar": Category(
        build=_guitar,
        main="body",
        second="neck",
        styles=("acoustic", "electric", "round"),
        natural=("orange", "brown"),
    ),
}
