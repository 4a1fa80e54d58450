"""Chairs, tables, sofas, lamps, beds and bookshelves."""

from math import cos, pi, radians, sin

from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, SIDES, SIDEWAYS, Form, Vector


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


def _bed(form: Form, style: str) -> None:
    width, half = form.between(0.58, 0.68), form.between(0.94, 1.04)
    if style == "bunk":
        width *= 0.78
        high = form.between(1.02, 1.14)
        _berth(form, width, half, 0.3, 1)
        _berth(form, width, half, high, 1)
        for x in SIDES:
            for y in SIDES:
                form.box(SECOND, (x * width, y * half, 0.5 * high + 0.2), (0.1, 0.1, 0.5 * high + 0.22), 0.03)
        for y in SIDES:
            form.box(SECOND, (0, y * half, high + 0.28), (width, 0.07, 0.09), 0.02)
        for z in (0.24, 0.5, 0.76):
            form.box(SECOND, (width + 0.16, -0.5, z * high), (0.06, 0.22, 0.06), 0.02)
        for y in (-0.74, -0.26):
            form.box(SECOND, (width + 0.16, y, 0.5 * high + 0.12), (0.07, 0.07, 0.5 * high + 0.12), 0.02)
        return
    _berth(form, width, half, 0.34, 2)
    form.box(SECOND, (0, -half - 0.02, 0.25), (width + 0.06, 0.09, 0.25), 0.06)
    if style == "canopy":
        high = form.between(1.4, 1.55)
        form.box(SECOND, (0, half + 0.02, 0.46), (width + 0.06, 0.09, 0.46), 0.06)
        for x in SIDES:
            for y in SIDES:
                form.box(SECOND, (x * (width + 0.02), y * (half + 0.02), 0.5 * high), (0.09, 0.09, 0.5 * high), 0.03)
        form.box(MAIN, (0, 0, high + 0.06), (width + 0.14, half + 0.14, 0.1), 0.05)
        form.frustum(MAIN, (0, 0, high + 0.22), 0.09, (width, half), (0.6 * width, 0.7 * half))
        return
    rise = form.between(0.1, 0.18)
    form.box(SECOND, (0, half + 0.02, 0.34 + rise), (width + 0.06, 0.1, 0.34 + rise), 0.09)
    form.cone(SECOND, (0, half + 0.02, 0.62 + 2 * rise), 0.1, 0.6 * width, 0.6 * width, 0.04, turn=(90, 0, 0))


def _berth(form: Form, width: float, half: float, floor: float, pillows: int) -> None:
    """Add what one lies in: slats, a mattress, a padded board and pillows at the back, a blanket over the rest."""
    form.box(SECOND, (0, 0, floor), (width + 0.02, half, 0.1), 0.02)
    form.box("white", (0, 0, floor + 0.17), (width - 0.03, half - 0.04, 0.13), 0.08)
    form.box(MAIN, (0, -0.3 * half, floor + 0.16), (width + 0.05, 0.68 * half, 0.24), 0.09)
    form.box(MAIN, (0, half + 0.02, floor + 0.34), (width - 0.13, 0.14, 0.22), 0.07)  # all that is seen from behind
    form.box("white", (0, 0.36 * half, floor + 0.24), (width + 0.06, 0.1, 0.17), 0.08)
    for k in range(pillows):
        x = (2 * k + 1 - pillows) * width * 0.48
        size = (0.84 * width / pillows, 0.2, 0.1)
        form.box("white", (x, 0.72 * half, floor + 0.36), size, 0.09, turn=(24, 0, 0))


def _bookshelf(form: Form, style: str) -> None:
    depth = form.between(0.3, 0.36)
    match style:
        case "wide":
            columns, pitch = (2, 2, 2), (form.between(0.66, 0.74), form.between(0.56, 0.62))
        case "stepped":
            columns, pitch = (1, 2, 3), (form.between(0.62, 0.7), form.between(0.56, 0.62))
        case _:
            columns, pitch = (3,), (form.between(0.86, 0.96), form.between(0.58, 0.64))
    left = -0.5 * len(columns) * pitch[0]
    for k, levels in enumerate(columns):
        middle = left + (k + 0.5) * pitch[0]
        for level in range(levels + 1):
            form.box(MAIN, (middle, 0, 0.1 + level * pitch[1]), (0.5 * pitch[0] + 0.04, depth, 0.06), 0.01)
        for level in range(levels):
            size = (pitch[0] - 0.16, depth, 0.84 * pitch[1] - 0.1)
            _books(form, middle, 0.16 + level * pitch[1], size, 4 if len(columns) == 1 else 3)
    for k in range(len(columns) + 1):
        levels = max(columns[max(k - 1, 0)], columns[min(k, len(columns) - 1)])
        half = 0.5 * levels * pitch[1] + 0.08
        form.box(MAIN, (left + k * pitch[0], 0, half), (0.07, depth + 0.02, half), 0.01)
    top = 0.16 + columns[-1] * pitch[1]
    middle = left + (len(columns) - 0.5) * pitch[0]
    form.box(SECOND, (middle - 0.02, 0, top + 0.08), (0.3, 0.2, 0.08), 0.02)
    form.box(SECOND, (middle + 0.04, 0, top + 0.23), (0.25, 0.17, 0.07), 0.02, turn=(0, 0, 14))


def _books(form: Form, middle: float, floor: float, size: Vector, number: int) -> None:
    """Add a row of books on a board, the last of them leaning on the others; `size` is what they have room in."""
    thick = size[0] / (number + 0.8)
    for k, share in enumerate((0.96, 0.8, 0.92, 0.78)[-number:]):
        half = 0.5 * size[2] * share * form.between(0.94, 1.04)
        is_last = k == number - 1
        x = middle - size[0] / 2 + (k + (0.9 if is_last else 0.5)) * thick
        book = (0.5 * thick - 0.012, size[1] * (0.9 if k % 2 else 1.0), half)
        form.box(SECOND, (x, 0, floor + half), book, 0.015, turn=(0, -14 if is_last else 0, 0))


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
    "bed": Category(
        build=_bed,
        main="blanket",
        second="frame",
        styles=("double", "bunk", "canopy"),
        natural=("blue", "brown"),
    ),
    "bookshelf": Category(
        build=_bookshelf,
        main="shelves",
        second="books",
        styles=("tall", "wide", "stepped"),
        natural=("brown", "red"),
        synonyms=("bookcase",),
    ),
}
