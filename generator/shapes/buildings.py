"""Houses, castle towers, windmills, lighthouses, tents, wells and bridges. Doors face -y."""

from math import atan2, cos, degrees, pi, radians, sin

from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, SIDES, Form


def _house(form: Form, style: str) -> None:
    if style == "round":
        radius, half = form.between(0.5, 0.58), form.between(0.4, 0.48)
        form.cone(MAIN, (0, 0, half), half, radius, radius)
        rise = form.between(0.24, 0.3)
        form.cone(SECOND, (0, 0, 2 * half + rise - 0.02), rise, radius + 0.14, 0.03, 0.02)
        form.box("brown", (0, -radius, 0.22), (0.14, 0.05, 0.24))
        for i in range(4):
            angle = 35 + 360 * i / 4 - 90
            place = (radius * cos(radians(angle)), radius * sin(radians(angle)), 1.15 * half)
            form.box("yellow", place, (0.04, 0.11, 0.11), turn=(0, 0, angle), glow=0.15)
        form.box("grey", (0.3, 0.12, 2 * half + 1.1 * rise), (0.09, 0.09, 0.2))
        return
    if style == "tall":
        width, depth, half = form.between(0.4, 0.46), form.between(0.38, 0.44), form.between(0.58, 0.7)
        rise = form.between(0.26, 0.34)
        form.frustum(SECOND, (0, 0, 2 * half + rise), rise, (width + 0.13, depth + 0.13), (0.06, 0.06))
        floors = (0.62 * half, 1.5 * half)
    else:
        width, depth, half = form.between(0.6, 0.7), form.between(0.44, 0.52), form.between(0.34, 0.4)
        rise = form.between(0.21, 0.27)
        form.frustum(SECOND, (0, 0, 2 * half + rise), rise, (width + 0.1, depth + 0.13), (width + 0.1, 0.02))
        floors = (1.15 * half,)
    form.box(MAIN, (0, 0, half), (width, depth, half), 0.01)
    form.box("brown", (0, -depth, 0.21), (0.12, 0.035, 0.21))
    form.box("grey", (0.55 * width, 0.1, 2 * half + 1.45 * rise), (0.1, 0.1, 0.75 * rise))
    for z in floors:
        for x in SIDES:
            form.box("yellow", (x * 0.6 * width, -depth, z), (0.1, 0.03, 0.11), glow=0.15)
            form.box("yellow", (x * 0.5 * width, depth, z), (0.1, 0.03, 0.11), glow=0.15)
            form.box("yellow", (x * width, 0, z), (0.03, 0.11, 0.11), glow=0.15)


def _tower(form: Form, style: str) -> None:
    if style == "twin":
        _twin_tower(form)
        return
    half = form.between(0.66, 0.8)
    if style == "round":
        radius = form.between(0.38, 0.44)
        form.cone(MAIN, (0, 0, half), half, 1.08 * radius, radius)
        form.cone(MAIN, (0, 0, 2 * half), 0.14, 1.0 * radius, 1.22 * radius, 0.02, plain=True)
        rise = form.between(0.34, 0.42)
        form.cone(SECOND, (0, 0, 2 * half + 0.12 + rise), rise, 1.4 * radius, 0.03, 0.02)
    else:
        radius = form.between(0.36, 0.42)
        form.box(MAIN, (0, 0, half), (radius, radius, half), 0.01)
        edge, top = radius + 0.1, 2 * half
        form.box(SECOND, (0, 0, top), (edge, edge, 0.11), 0.01)
        for x in (-1, 0, 1):
            for y in (-1, 0, 1):
                if x or y:
                    place = (x * (edge - 0.1), y * (edge - 0.1), top + 0.18)
                    form.box(SECOND, place, (0.1, 0.1, 0.13), 0.01)
    form.box("brown", (0, -1.05 * radius, 0.2), (0.13, 0.05, 0.22))
    for angle in (-90, 0, 90, 180):
        x, y = radius * cos(radians(angle)), radius * sin(radians(angle))
        form.box("black", (x, y, 1.35 * half), (0.06, 0.07, 0.14), turn=(0, 0, angle))


def _twin_tower(form: Form) -> None:
    half, radius, apart = form.between(0.5, 0.6), form.between(0.28, 0.33), form.between(0.52, 0.6)
    rise = form.between(0.26, 0.34)
    wall = form.between(0.3, 0.36)
    form.box(MAIN, (0, 0, wall), (apart, 0.18, wall), 0.01)
    for x in SIDES:
        form.cone(MAIN, (x * apart, 0, half), half, 1.05 * radius, radius)
        form.cone(SECOND, (x * apart, 0, 2 * half + rise), rise, 1.35 * radius, 0.03, 0.02)
        for y in SIDES:
            form.box("black", (x * apart, y * radius, 1.4 * half), (0.06, 0.05, 0.12))
        form.box(SECOND, (x * 0.1, 0, 2 * wall + 0.08), (0.07, 0.18, 0.1), 0.01)
    form.box("brown", (0, -0.17, 0.2), (0.15, 0.05, 0.22))
    form.box("brown", (0, 0.17, 0.2), (0.15, 0.05, 0.22))


def _windmill(form: Form, style: str) -> None:
    half = form.between(0.56, 0.66)
    top = 2 * half
    if style == "round":
        radius = form.between(0.32, 0.37)
        form.cone(MAIN, (0, 0, half), half, 1.5 * radius, radius)
        form.dome(SECOND, (0, 0, top - 0.02), (1.15 * radius, 1.15 * radius, 0.34))
        front, wide = radius, 1.45 * radius
    else:
        radius = form.between(0.32, 0.38)
        form.frustum(MAIN, (0, 0, half), half, (1.3 * radius, 1.3 * radius), (radius, radius))
        form.frustum(SECOND, (0, 0, top + 0.19), 0.2, (radius + 0.1, radius + 0.08), (0.02, radius + 0.08))
        front, wide = radius, 1.27 * radius
    hub_y, hub_z = -front - 0.14, top + 0.06
    form.rod("brown", (0, 0, hub_z), (0, hub_y - 0.02, hub_z), 0.11)
    length = form.between(0.38, 0.46)
    for i in range(4):
        angle = pi / 4 + i * pi / 2
        reach = length + 0.08
        place = (reach * sin(angle), hub_y, hub_z + reach * cos(angle))
        form.box(SECOND, place, (0.13, 0.06, length), 0.01, turn=(0, 45 + 90 * i, 0))
    form.box("brown", (0, -wide, 0.2), (0.13, 0.06, 0.22), turn=(-6, 0, 0))
    for angle in (0, 90, 180):
        x, y = cos(radians(angle)), sin(radians(angle))
        middle = 0.5 * (front + wide)
        form.box("yellow", (middle * x, middle * y, half), (0.07, 0.1, 0.12), turn=(0, 0, angle), glow=0.15)


def _lighthouse(form: Form, style: str) -> None:
    half = form.between(0.42, 0.5) if style == "short" else form.between(0.7, 0.82)
    low, high = (0.5, 0.36) if style == "short" else (0.4, 0.25)
    swell = form.between(0.92, 1.08)
    low, high = low * swell, high * swell
    base = 0.12
    top = base + 2 * half
    form.cone("grey", (0, 0, base / 2), base, low + 0.2, low + 0.1, 0.05)
    if style == "square":
        form.frustum(MAIN, (0, 0, base + half), half, (low, low), (high, high))
        form.box(SECOND, (0, 0, top), (high + 0.12, high + 0.12, 0.09), 0.01)
        form.box("yellow", (0, 0, top + 0.22), (0.8 * high, 0.8 * high, 0.16), 0.01, glow=0.5)
        form.frustum(SECOND, (0, 0, top + 0.5), 0.15, (high + 0.06, high + 0.06), (0.04, 0.04))
    else:
        form.cone(MAIN, (0, 0, base + half), half, low, high)
        form.cone(SECOND, (0, 0, top), 0.09, high + 0.13, high + 0.13)
        form.cone("yellow", (0, 0, top + 0.22), 0.16, 0.8 * high, 0.8 * high, glow=0.5)
        form.dome(SECOND, (0, 0, top + 0.36), (high + 0.05, high + 0.05, 0.28))
    form.box("brown", (0, -0.97 * low, base + 0.18), (0.12, 0.06, 0.2), turn=(-6, 0, 0))
    middle = 0.45 * low + 0.55 * high
    for angle in (0, 90, 180):
        place = (middle * cos(radians(angle)), middle * sin(radians(angle)), base + 1.1 * half)
        form.box("black", place, (0.05, 0.07, 0.1), turn=(0, 0, angle))


def _tent(form: Form, style: str) -> None:
    match style:
        case "dome":
            radius = form.between(0.78, 0.86)
            form.dome(MAIN, (0, 0, 0), (radius, radius, radius))
            form.cone(SECOND, (0, 0, 0.09), 0.09, radius + 0.05, radius + 0.05, 0.03)
            for azimuth in (45, 135):
                form.ring(SECOND, (0, 0, 0), radius, 0.07, turn=(90, -90, azimuth), half_angle_deg=90)
            form.ball(SECOND, (0, 0, radius + 0.02), 0.13)
            porch = (0, -0.64 * radius, 0.27)
            form.frustum(MAIN, porch, 0.27, (0.42, 0.46 * radius), (0.26, 0.46 * radius), plain=True)
            form.frustum("black", (*porch[:2], 0.22), 0.22, (0.28, 0.46 * radius + 0.02), (0.17, 0.46 * radius + 0.02))
            form.rod(SECOND, (-0.26, -1.08 * radius, 0.53), (0.26, -1.08 * radius, 0.53), 0.08)
        case "pointed":
            radius, half = form.between(0.66, 0.76), form.between(0.7, 0.8)
            form.cone(MAIN, (0, 0, half), half, radius, 0.1)
            for share in (0.1, 0.62):
                middle = radius + (0.1 - radius) * share
                form.cone(SECOND, (0, 0, 2 * half * share), 0.1, middle + 0.07, middle, 0.02)
            for azimuth in range(20, 380, 72):
                x, y = cos(radians(azimuth)), sin(radians(azimuth))
                form.rod("brown", (-0.03 * x, -0.03 * y, 2 * half - 0.2), (0.2 * x, 0.2 * y, 2 * half + 0.3), 0.055)
            lean = -90 + degrees(atan2(2 * half, radius - 0.1))
            form.frustum("black", (0, -0.76 * radius, 0.48), 0.48, (0.26, 0.1), (0.03, 0.1), turn=(lean, 0, 0))
            for x in SIDES:
                flap = (x * 0.22, -0.72 * radius, 0.46)
                form.box(SECOND, flap, (0.09, 0.09, 0.48), 0.03, turn=(lean, -x * 16, 0))
        case _:
            width, depth, half = form.between(0.68, 0.76), form.between(0.82, 0.94), form.between(0.48, 0.54)
            form.frustum(MAIN, (0, 0, half), half, (width, depth), (0.03, depth))
            form.frustum("black", (0, 0, 0.74 * half), 0.74 * half, (0.52 * width, depth + 0.02), (0.02, depth + 0.02))
            form.rod(SECOND, (0, -depth - 0.14, 2 * half), (0, depth + 0.14, 2 * half), 0.075)
            for x in SIDES:
                form.box(SECOND, (x * (width + 0.01), 0, 0.09), (0.08, depth + 0.05, 0.1), 0.03)
                for y in SIDES:
                    form.rod(SECOND, (x * width, y * depth, 0.06), (0, y * depth, 2 * half), 0.065)


def _well(form: Form, style: str) -> None:
    radius, half = form.between(0.52, 0.6), form.between(0.26, 0.32)
    top, eaves = 2 * half, form.between(1.14, 1.28)
    if style == "square":
        radius *= 0.94
        for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            size = (0.11 if x else radius + 0.11, 0.11 if y else radius + 0.11, half)
            form.box(MAIN, (x * radius, y * radius, half), size, 0.02)
        form.box("black", (0, 0, half), (radius, radius, 0.7 * half))
        form.frustum(SECOND, (0, 0, eaves + 0.22), 0.24, (radius + 0.24, radius + 0.24), (0.08, 0.08))
    else:
        form.cup(MAIN, (0, 0, half), half, radius, radius, 0.11)
        form.cone("black", (0, 0, half), 0.7 * half, radius, radius)
        if style == "pointed":
            form.cone(SECOND, (0, 0, eaves + 0.32), 0.36, radius + 0.26, 0.04, 0.02)
        else:
            form.frustum(SECOND, (0, 0, eaves + 0.2), 0.24, (radius + 0.24, radius + 0.14), (radius + 0.24, 0.04))
    for x in SIDES:
        form.box("brown", (x * radius, 0, eaves / 2 + 0.06), (0.085, 0.085, eaves / 2 + 0.04), 0.02)
    beam = eaves - 0.24
    form.rod("brown", (-radius, 0, beam), (radius + 0.2, 0, beam), 0.08)
    form.rod("brown", (radius + 0.2, 0, beam), (radius + 0.2, -0.16, beam - 0.12), 0.06)
    form.rod("beige", (-0.08, 0, beam), (-0.08, 0, top + 0.1), 0.05)
    form.cone(SECOND, (-0.08, 0, top + 0.06), 0.17, 0.16, 0.21, 0.03)


def _bridge(form: Form, style: str) -> None:
    """Lead it from left to right."""
    length, depth = form.between(1.05, 1.2), form.between(0.34, 0.4)
    if style == "suspension":
        _suspension_bridge(form, length, depth)
    elif style == "flat":
        low = form.between(0.46, 0.56)
        form.box(MAIN, (0, 0, low), (length, depth, 0.12), 0.02)
        for x in (-0.72, 0, 0.72):
            form.frustum(MAIN, (x * length, 0, low / 2 - 0.04), low / 2, (0.19, depth - 0.02), (0.13, depth - 0.08))
        for y in SIDES:
            form.box(SECOND, (0, y * (depth - 0.04), low + 0.46), (length, 0.07, 0.07), 0.02)
            for k in range(-2, 3):
                post = (k * 0.5 * (length - 0.08), y * (depth - 0.04), low + 0.26)
                form.box(SECOND, post, (0.08, 0.08, 0.26), 0.02)
    else:
        _arched_bridge(form, length, depth)


def _suspension_bridge(form: Form, length: float, depth: float) -> None:
    low, high, apart = 0.5, form.between(1.5, 1.65), 0.54 * length
    form.box(MAIN, (0, 0, low), (length + 0.1, depth + 0.02, 0.15), 0.02)
    for x in SIDES:
        form.box(MAIN, (x * apart, 0, 0.24), (0.16, depth + 0.06, 0.24), 0.02)
        form.box(SECOND, (x * apart, 0, high - 0.1), (0.08, depth, 0.08), 0.02)
        for y in SIDES:
            form.box(SECOND, (x * apart, y * depth, 0.5 * (low + high)), (0.1, 0.09, 0.5 * (high - low) + 0.1), 0.02)
            form.rod(SECOND, (x * apart, y * depth, high), (x * (length + 0.06), y * depth, low + 0.12), 0.055)
    sag = high - low - 0.25
    radius = (apart**2 + sag**2) / (2 * sag)  # of the circle through both tops and the lowest point between them
    half_angle = degrees(atan2(apart, radius - sag))
    for y in SIDES:
        form.box(SECOND, (0, y * depth, low + 0.18), (length + 0.1, 0.06, 0.05), 0.02)
        center = (0, y * depth, high - sag + radius)
        form.ring(SECOND, center, radius, 0.055, turn=(90, 90, 0), half_angle_deg=half_angle)


def _arched_bridge(form: Form, length: float, depth: float) -> None:
    rise = form.between(0.42, 0.52)
    radius = (length**2 + rise**2) / (2 * rise)
    step = degrees(atan2(length, radius - rise)) / 3
    half = radius * sin(radians(step / 2)) + 0.03
    for k in range(6):
        lean = (k - 2.5) * step
        x, z = radius * sin(radians(lean)), radius * (cos(radians(lean)) - 1) + rise + 0.3
        form.box(MAIN, (x, 0, z), (half, depth, 0.15), 0.01, turn=(0, lean, 0))
        for y in SIDES:
            form.box(SECOND, (x, y * (depth - 0.03), z + 0.24), (half + 0.02, 0.09, 0.13), 0.01, turn=(0, lean, 0))
    for x in SIDES:
        form.frustum(MAIN, (x * 0.88 * length, 0, 0.16), 0.24, (0.3, depth), (0.16, depth))
        for y in SIDES:
            form.box(SECOND, (x * length, y * (depth - 0.03), 0.4), (0.13, 0.13, 0.3), 0.03)


CATEGORIES: dict[str, Category] = {
    "house": Category(
        build=_house,
        main="walls",
        second="roof",
        styles=("wide", "tall", "round"),
        natural=("white", "red"),
        synonyms=("home", "cottage"),
    ),
    "tower": Category(
        build=_tower,
        main="walls",
        second="roof",
        styles=("round", "square", "twin"),
        natural=("grey", "red"),
        synonyms=("castle", "fort"),
    ),
    "windmill": Category(
        build=_windmill,
        main="walls",
        second="sails",
        styles=("round", "square"),
        natural=("white", "brown"),
        synonyms=("mill",),
    ),
    "lighthouse": Category(
        build=_lighthouse,
        main="walls",
        second="roof",
        styles=("tall", "short", "square"),
        natural=("white", "red"),
        synonyms=("beacon",),
    ),
    "tent": Category(
        build=_tent,
        main="fabric",
        second="trim",
        styles=("ridge", "dome", "pointed"),
        natural=("green", "yellow"),
        synonyms=("camping tent",),
    ),
    "well": Category(
        build=_well,
        main="walls",
        second="roof",
        styles=("round", "square", "pointed"),
        natural=("grey", "red"),
        synonyms=("wishing well",),
    ),
    "bridge": Category(
        build=_bridge,
        main="deck",
        second="railings",
        styles=("arched", "suspension", "flat"),
        natural=("grey", "brown"),
        synonyms=("footbridge",),
    ),
}
