"""Chairs, tables, sofas and lamps."""

from math import cos, pi, radians, sin

from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, SIDEWAYS, Form

SIDES = (-1, 1)


def _chair(form: Form, style: str) -> None:
    width, depth = form.between(0.42, 0.52), form.between(0.4, 0.48)
    height, back = form.between(0.5, 0.62), form.between(0.36, 0.46)
    seat_z = height + 0.09
    form.box(MAIN, (0, 0, seat_z), (width, depth, 0.09), 0.04)
    if style == "office":
        form.box(MAIN, (0, depth - 0.02, seat_z + 0.24 + back), (0.9 * width, 0.1, back), 0.09, turn=(-6, 0, 0))
        form.box(SECOND, (0, depth + 0.04, seat_z + 0.14), (0.1, 0.08, 0.2))
        form.cone(SECOND, (0, 0, height / 2 + 0.05), height / 2, 0.11, 0.11)
        for i in range(5):
            angle = 2 * pi * i / 5 - pi / 2
            tip = (0.5 * cos(angle), 0.5 * sin(angle))
            form.rod(SECOND, (0, 0, 0.18), (*tip, 0.1), 0.085)
            form.ball("black", (*tip, 0.06), 0.09)
        return
    form.box(MAIN, (0, depth - 0.08, seat_z + 0.06 + back), (width, 0.085, back), 0.04)
    foot = 0.1 if style == "rocking" else 0.0
    for x in SIDES:
        leg_x = x * (width - 0.085)
        for y in SIDES:
            leg = (leg_x, y * (depth - 0.085), (height + foot) / 2)
            form.box(SECOND, leg, (0.085, 0.085, (height - foot) / 2 + 0.02))
        if style == "rocking":
            form.ring(SECOND, (leg_x, 0, 1.08), 1.0, 0.085, turn=SIDEWAYS, half_angle_deg=38)
            arm_x = x * (width + 0.02)
            form.rod(SECOND, (arm_x, depth - 0.1, seat_z + 0.36), (arm_x, -depth + 0.08, seat_z + 0.34), 0.08)
            form.rod(SECOND, (arm_x, -depth + 0.08, seat_z), (arm_x, -depth + 0.08, seat_z + 0.34), 0.075)


def _table(form: Form, style: str) -> None:
    height = form.between(0.62, 0.85)
    if style == "round":
        radius = form.between(0.68, 0.82)
        form.cone(MAIN, (0, 0, height), 0.12, radius, radius, 0.03)
        form.cone(SECOND, (0, 0, height / 2), height / 2, 0.19, 0.13)
        form.cone(SECOND, (0, 0, 0.08), 0.08, 0.46, 0.34, 0.03)
        return
    if style == "long":
        length, depth = form.between(0.95, 1.1), form.between(0.42, 0.52)
        form.box(MAIN, (0, 0, height), (length, depth, 0.12), 0.03)
        for x in SIDES:
            form.box(SECOND, (x * (length - 0.24), 0, height / 2), (0.11, depth - 0.14, height / 2))
        form.box(SECOND, (0, 0, 0.35 * height), (length - 0.24, 0.09, 0.09))
        return
    width = form.between(0.56, 0.68)
    form.box(MAIN, (0, 0, height), (width, width, 0.12), 0.03)
    for x in SIDES:
        for y in SIDES:
            form.box(SECOND, (x * (width - 0.12), y * (width - 0.12), height / 2), (0.1, 0.1, height / 2))


def _sofa(form: Form, style: str) -> None:
    width = form.between(0.4, 0.48) if style == "small" else form.between(0.85, 0.98)
    back = form.between(0.38, 0.46)
    num_seats = 1 if style == "small" else 3
    base = width if style == "corner" else width + 0.2
    form.box(MAIN, (0, 0.05, 0.24), (base, 0.45, 0.16), 0.03)
    form.box(MAIN, (0, 0.4, 0.3 + back), (width, 0.15, back), 0.09)
    seat = width / num_seats
    for i in range(num_seats):
        form.box(MAIN, ((2 * i + 1) * seat - width, -0.1, 0.44), (seat - 0.012, 0.34, 0.1), 0.06)
    if style == "corner":
        reach = form.between(0.62, 0.75)
        left = seat - width
        form.box(MAIN, (left, -0.3 - reach / 2, 0.24), (seat, reach / 2 + 0.1, 0.16), 0.03)
        form.box(MAIN, (left + 0.07, -0.42 - reach / 2, 0.44), (seat - 0.08, reach / 2 - 0.02, 0.1), 0.06)
        form.box(MAIN, (-width - 0.08, -reach / 2, 0.3 + back), (0.15, 0.5 + reach / 2, back), 0.09)
        form.box(MAIN, (width + 0.1, 0.05, 0.24), (0.12, 0.45, 0.16), 0.03)
        _arm(form, (width + 0.1, 0.0), 0.42)
        front = -0.42 - reach
        form.box(SECOND, (left - 0.1, front, 0.32), (seat + 0.16, 0.15, 0.25), 0.03)
        form.rod(SECOND, (-width - 0.12, front, 0.6), (left + seat - 0.1, front, 0.6), 0.17)
        return
    for x in SIDES:
        _arm(form, (x * (width + 0.1), 0.0), 0.42)
        for y in (-0.36, 0.42):
            form.box("brown", (x * (width + 0.08), y, 0.04), (0.08, 0.08, 0.06))


def _arm(form: Form, middle: tuple[float, float], half_depth: float) -> None:
    """Add a rolled arm that runs from the front to the back."""
    x, y = middle
    form.box(SECOND, (x, y, 0.45), (0.13, half_depth, 0.15), 0.03)
    form.rod(SECOND, (x, y - half_depth + 0.14, 0.6), (x, y + half_depth - 0.14, 0.6), 0.17)


def _lamp(form: Form, style: str) -> None:
    if style == "reading":
        _reading_lamp(form)
        return
    wide, narrow = form.between(0.5, 0.6), form.between(0.28, 0.36)
    if style == "standing":
        height = form.between(1.25, 1.5)
        form.cone(SECOND, (0, 0, 0.08), 0.08, 0.42, 0.34, 0.04)
        form.cone(SECOND, (0, 0, height / 2), height / 2, 0.1, 0.1)
        form.cone(MAIN, (0, 0, height + 0.2), form.between(0.28, 0.34), wide, narrow, 0.03, glow=0.2)
        return
    belly = form.between(0.28, 0.36)
    form.cone(SECOND, (0, 0, 0.06), 0.06, 0.32, 0.28, 0.03)
    form.ball(SECOND, (0, 0, belly + 0.06), belly)
    form.cone(SECOND, (0, 0, 2 * belly + 0.1), 0.16, 0.1, 0.1)
    form.cone(MAIN, (0, 0, 2 * belly + 0.46), form.between(0.28, 0.34), 1.05 * wide, narrow, 0.03, glow=0.2)


def _reading_lamp(form: Form) -> None:
    elbow = (form.between(0.42, 0.52), 0.0, form.between(0.68, 0.82))
    head_x, head_z = -0.26, elbow[2] + 0.36
    form.cone(SECOND, (0.14, 0, 0.08), 0.08, 0.46, 0.38, 0.04)
    form.rod(SECOND, (0.16, 0, 0.12), elbow, 0.095)
    form.rod(SECOND, elbow, (head_x + 0.1, 0, head_z + 0.14), 0.095)
    form.ball(SECOND, elbow, 0.13)
    half = form.between(0.26, 0.32)
    wide = form.between(0.44, 0.52)
    tilt = 32
    form.cone(MAIN, (head_x, 0, head_z), half, wide, 0.17, 0.03, turn=(0, tilt, 0), glow=0.15)
    bulb = (head_x - half * sin(radians(tilt)), 0, head_z - half * cos(radians(tilt)))
    form.ball("yellow", bulb, 0.2, glow=0.6)


CATEGORIES: dict[str, Category] = {
    "chair": Category(
        build=_chair,
        main="seat",
        second="legs",
        styles=("dining", "office", "rocking"),
        natural=("brown", "black"),
    ),
    "table": Category(
        build=_table,
        main="top",
        second="legs",
        styles=("square", "round", "long"),
        natural=("brown", "black"),
        synonyms=("desk",),
    ),
    "sofa": Category(
        build=_sofa,
        main="seat",
        second="arms",
        styles=("long", "small", "corner"),
        natural=("red", "brown"),
        synonyms=("couch", "settee"),
    ),
    "lamp": Category(
        build=_lamp,
        main="shade",
        second="base",
        styles=("bedside", "standing", "reading"),
        natural=("yellow", "brown"),
    ),
}
