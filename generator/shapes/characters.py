"""Figures with a face. All of them look towards -y and stand on about z = 0."""

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form


def _eyes(form: Form, half_gap: float, y: float, z: float, radius: float, color: str = "black", glow=0.0) -> None:
    for side in SIDES:
        form.ball(color, (side * half_gap, y, z), radius, glow=glow)


def _snowman(form: Form, style: str) -> None:
    match style:
        case "chubby":
            belly, head = form.between(0.56, 0.66), form.between(0.38, 0.44)
            form.ball(MAIN, (0, 0, belly * 0.9), belly)
            chest, shoulder, neck, at = belly, belly * 1.15, belly * 1.78, (0.0, belly * 1.78 + head * 0.72)
        case "melting":
            belly, head = form.between(0.44, 0.5), form.between(0.3, 0.34)
            form.dome(MAIN, (0, 0, 0), (0.82, 0.82, 0.32))
            form.ellipsoid(MAIN, (0.05, 0, 0.45), (belly, belly, 0.4))
            chest, shoulder, neck, at = belly, 0.5, 0.78, (0.14, 0.78 + head * 0.75)
        case _:
            belly, head = form.between(0.46, 0.54), form.between(0.27, 0.31)
            chest = belly * 0.76
            form.ball(MAIN, (0, 0, belly * 0.9), belly)
            form.ball(MAIN, (0, 0, belly * 2.1), chest)
            shoulder, neck = belly * 2.15, belly * 2.1 + chest * 0.86
            at = (0.0, neck + head * 0.7)
    x, z = at
    form.ball(MAIN, (x, 0, z), head, plain=True)
    form.ring(SECOND, (x * 0.8, 0, neck - 0.02), head * 0.84, 0.1)
    form.rod(SECOND, (x * 0.8 + 0.2, -head * 0.82, neck - 0.06), (x * 0.8 + 0.26, -head - 0.1, neck - 0.34), 0.085)
    form.cone(SECOND, (x, 0, z + head * 0.78), 0.06, head * 1.3, head * 1.3, 0.03)
    form.cone(SECOND, (x, 0, z + head * 0.78 + 0.24), 0.24, head * 0.86, head * 0.8, 0.03)
    form.cone("orange", (x, -head - 0.14, z), 0.2, 0.1, 0.02, turn=FORWARD)
    _eyes(form, head * 0.36, -head * 0.86, z + head * 0.3, 0.07)
    for side in SIDES:
        start = (side * chest * 0.8, 0, shoulder)
        form.rod("brown", start, (side * (chest + 0.42), -0.05, shoulder + 0.3), 0.055)
    for k in range(2):
        form.ball("black", (x * 0.5, -chest * 0.97, shoulder - 0.02 - 0.2 * k), 0.06)


def _robot(form: Form, style: str) -> None:
    width = form.between(0.4, 0.48)
    match style:
        case "round":
            form.ball(MAIN, (0, 0, 0.9), 0.56)
            form.dome(MAIN, (0, 0, 1.44), (0.36, 0.36, 0.36), plain=True)
            form.cone("grey", (0, 0, 1.43), 0.05, 0.36, 0.36)
            arm, shoulder, face, brow = 0.62, 1.05, -0.3, 1.6
        case "tracked":
            form.box(MAIN, (0, 0, 0.86), (width, 0.36, 0.4), 0.06)
            form.cone("grey", (0, 0, 1.32), 0.1, 0.13, 0.13)
            form.box(MAIN, (0, 0, 1.58), (0.42, 0.28, 0.2), 0.1, plain=True)
            arm, shoulder, face, brow = width + 0.13, 1.05, -0.25, 1.6
        case _:
            form.box(MAIN, (0, 0, 0.98), (width, 0.32, 0.42), 0.06)
            form.cone("grey", (0, 0, 1.42), 0.08, 0.14, 0.14)
            form.box(MAIN, (0, 0, 1.72), (0.34, 0.3, 0.27), 0.06, plain=True)
            arm, shoulder, face, brow = width + 0.13, 1.22, -0.27, 1.76
    if style != "round":
        form.box("black", (0, face, brow), (0.27, 0.06, 0.13), 0.04)
    _eyes(form, 0.13, face - 0.05, brow, 0.085, "yellow", glow=0.5)
    for side in SIDES:
        form.ball("grey", (side * arm, 0, shoulder), 0.17)
        form.rod(SECOND, (side * (arm + 0.05), 0, shoulder), (side * (arm + 0.12), -0.12, shoulder - 0.5), 0.14)
        if style == "tracked":
            form.box(SECOND, (side * 0.4, 0, 0.27), (0.19, 0.64, 0.27), 0.12)
            form.cone("grey", (side * 0.46, 0.3, 0.26), 0.13, 0.14, 0.14, turn=SIDEWAYS)
            form.cone("grey", (side * 0.46, -0.3, 0.26), 0.13, 0.14, 0.14, turn=SIDEWAYS)
        else:
            form.cone(SECOND, (side * 0.22, 0, 0.36), 0.26, 0.16, 0.15)
            form.box(SECOND, (side * 0.23, -0.08, 0.09), (0.19, 0.28, 0.11), 0.06)
    top = {"round": 1.8, "tracked": 1.78}.get(style, 1.98)
    form.rod("grey", (0, 0, top - 0.05), (0, 0, top + 0.16), 0.04)
    form.ball("red", (0, 0, top + 0.22), 0.1, glow=0.2)


def _duck(form: Form, style: str) -> None:
    match style:
        case "baby":
            body, head = form.between(0.42, 0.48), form.between(0.4, 0.45)
            form.ellipsoid(MAIN, (0, 0.05, body), (body, body * 1.15, body * 0.9))
            at = (-0.2, body * 1.75 + head * 0.6)
        case "long-necked":
            body, head = form.between(0.44, 0.5), form.between(0.24, 0.28)
            form.ellipsoid(MAIN, (0, 0.12, body), (body, body * 1.55, body * 0.85))
            form.rod(MAIN, (0, -0.42, body * 1.2), (0, -0.56, body + 1.0), 0.17)
            at = (-0.6, body + 1.08)
        case _:
            body, head = form.between(0.5, 0.58), form.between(0.34, 0.4)
            form.ellipsoid(MAIN, (0, 0.08, body * 0.78), (body, body * 1.4, body * 0.8))
            form.cone(MAIN, (0, -0.3, body * 1.4), 0.16, body * 0.62, head * 0.7)
            at = (-0.36, body * 1.45 + head * 0.9)
    y, z = at
    form.ball(MAIN, (0, y, z), head, plain=style == "long-necked")
    form.ellipsoid("orange", (0, y - head * 1.1, z - head * 0.12), (head * 0.56, head * 0.56, 0.1))
    _eyes(form, head * 0.52, y - head * 0.74, z + head * 0.3, 0.085)
    long = {"baby": 1.1, "long-necked": 1.5}.get(style, 1.35)
    middle = body * (0.8 if style == "rubber" else 1.05)
    for side in SIDES:
        center = (side * body * 0.92, body * 0.3, middle)
        form.ellipsoid(SECOND, center, (0.17, body * 0.86, body * 0.5), turn=(-18, 0, side * 6))
    form.cone(SECOND, (0, body * long + 0.02, middle + body * 0.35), 0.22, body * 0.42, 0.06, 0.05, turn=(-55, 0, 0))
    if style != "rubber":
        for side in SIDES:
            form.rod("orange", (side * 0.2, 0.05, 0.2), (side * 0.2, 0.02, -0.2), 0.075)
            form.ellipsoid("orange", (side * 0.2, -0.1, -0.25), (0.16, 0.26, 0.075))


def _cat(form: Form, style: str) -> None:
    head = form.between(0.36, 0.42)
    match style:
        case "standing":
            length = form.between(0.5, 0.6)
            form.rod(MAIN, (0, -length + 0.1, 0.72), (0, length - 0.1, 0.72), 0.33)
            for side in SIDES:
                for y in (-length + 0.08, length - 0.08):
                    form.rod(MAIN, (side * 0.19, y, 0.5), (side * 0.19, y, 0.24), 0.14)
                    form.ellipsoid(SECOND, (side * 0.19, y - 0.05, 0.13), (0.17, 0.22, 0.16))
            form.rod(SECOND, (0, length + 0.15, 0.86), (0, length + 0.42, 1.36), 0.13)
            y, z = -length - 0.12, 1.16
        case "lying":
            form.ellipsoid(MAIN, (0, 0.12, 0.34), (0.48, 0.78, 0.38))
            for side in SIDES:
                form.rod(SECOND, (side * 0.26, -0.5, 0.12), (side * 0.24, -0.95, 0.12), 0.14)
                form.ellipsoid(MAIN, (side * 0.36, 0.5, 0.24), (0.2, 0.36, 0.26))
            form.ring(SECOND, (-0.12, 0.44, 0.14), 0.6, 0.14, turn=(0, 0, 45), half_angle_deg=60)
            y, z = -0.56, 0.72
        case _:
            form.ellipsoid(MAIN, (0, 0.12, 0.42), (0.46, 0.5, 0.44))
            form.ellipsoid(MAIN, (0, -0.06, 0.74), (0.36, 0.34, 0.54))
            for side in SIDES:
                form.rod(MAIN, (side * 0.17, -0.34, 0.6), (side * 0.17, -0.38, 0.22), 0.13)
                form.ellipsoid(SECOND, (side * 0.17, -0.44, 0.12), (0.17, 0.22, 0.15))
                form.ellipsoid(SECOND, (side * 0.42, -0.1, 0.12), (0.15, 0.26, 0.14))
            form.ring(SECOND, (0.28, 0.42, 0.5), 0.42, 0.13, turn=(90, 0, 60), half_angle_deg=85)
            y, z = -0.16, 1.42
    form.ellipsoid(MAIN, (0, y, z), (head * 1.1, head * 0.92, head * 0.94), plain=True)
    form.ellipsoid(SECOND, (0, y - head * 0.78, z - head * 0.32), (head * 0.44, head * 0.3, head * 0.3))
    form.ball("pink", (0, y - head * 1.04, z - head * 0.16), 0.065)
    _eyes(form, head * 0.44, y - head * 0.78, z + head * 0.16, 0.085)
    for side in SIDES:
        ear = (side * head * 0.62, y + 0.02, z + head * 0.92)
        form.cone(SECOND, ear, 0.2, 0.19, 0.03, 0.02, turn=(0, side * 14, 0))


CATEGORIES: dict[str, Category] = {
    "snowman": Category(
        build=_snowman,
        main="body",
        second="hat",
        styles=("tall", "chubby", "melting"),
        natural=("white", "red"),
    ),
    "robot": Category(
        build=_robot,
        main="body",
        second="limbs",
        styles=("boxy", "round", "tracked"),
        natural=("grey", "blue"),
        synonyms=("android", "droid", "bot"),
    ),
    "duck": Category(
        build=_duck,
        main="body",
        second="wings",
        styles=("rubber", "baby", "long-necked"),
        natural=("yellow", "white"),
        synonyms=("duckling", "goose"),
    ),
    "cat": Category(
        build=_cat,
        main="fur",
        second="paws",
        styles=("sitting", "standing", "lying"),
        natural=("orange", "white"),
        synonyms=("kitten", "kitty"),
    ),
}
