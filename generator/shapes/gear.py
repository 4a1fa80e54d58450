"""Gear of heroes, and what they wear, read, spend and eat."""

from dataclasses import replace

import numpy as np

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form, Vector, axis_rotation, euler_rotation


def _circle(number: int, radius: float, start_deg: float = -90.0) -> list[tuple[float, float]]:
    """Return points (x, y) spread evenly around the axis, the first at the front."""
    angles = np.radians(start_deg + 360 * np.arange(number) / number)
    return [(radius * float(np.cos(angle)), radius * float(np.sin(angle))) for angle in angles]


def _turn(form: Form, turn_deg: Vector, first: int = 0, shift: Vector = (0.0, 0.0, 0.0)) -> None:
    """Turn the solids from the first on about the origin, then shift them."""
    rotation = euler_rotation(turn_deg)
    form.solids[first:] = [
        replace(solid, center=rotation @ solid.center + shift, rotation=rotation @ solid.rotation)
        for solid in form.solids[first:]
    ]


def _axe(form: Form, style: str) -> None:
    """Stand it on the end of its handle, the flat of the head to the front."""
    match style:
        case "double":
            handle, half, reach = form.between(1.9, 2.05), form.between(0.58, 0.66), 0.42
            for side in SIDES:
                _bit(form, side, handle - half - 0.04, 0.24, half, reach)
            form.cone(MAIN, (0, 0, handle + 0.2), 0.26, 0.17, 0.03)
            at, socket = handle - half - 0.04, 0.34
        case "short":
            handle, half = form.between(1.3, 1.4), form.between(0.42, 0.48)
            at, socket = handle - 0.36, 0.25
            _bit(form, 1, at - 0.1, 0.2, half, 0.4)
            form.box(MAIN, (-0.26, 0, at), (0.2, 0.17, 0.17), 0.05)
        case _:
            handle, half, reach = form.between(2.0, 2.15), form.between(0.6, 0.68), 0.5
            at, socket = handle - 0.42, 0.3
            _bit(form, 1, at - 0.16, 0.26, half, reach)
            form.frustum(MAIN, (-0.36, 0, at), 0.22, (0.17, 0.24), (0.08, 0.08), turn=(0, -90, 0))
    form.box(MAIN, (0, 0, at), (0.23, 0.22, socket), 0.06)
    form.rod(SECOND, (0, 0, 0), (0, 0, handle), 0.15)
    form.ellipsoid(SECOND, (0, 0, 0), (0.22, 0.22, 0.18))
    for k in range(2 if style == "short" else 3):
        form.cone(SECOND, (0, 0, 0.3 + 0.16 * k), 0.065, 0.19, 0.19, 0.05)


def _bit(form: Form, side: int, z: float, root: float, half: float, reach: float) -> None:
    """Add a blade that widens away from the handle and ends in a round edge."""
    turn = (0, side * 90, 0)
    form.frustum(MAIN, (side * (0.12 + reach / 2), 0, z), reach / 2, (root, 0.19), (half * 0.97, 0.08), turn=turn)
    form.dome(MAIN, (side * (0.1 + reach), 0, z), (half * 1.03, 0.17, 0.4), turn=turn)


def _crossbow(form: Form, style: str) -> None:
    """Stand it on its butt, the bow on top, the groove of the bolt to the front."""
    match style:
        case "heavy":
            half, bow, tube, angle, stock = 0.9, form.between(0.9, 1.0), 0.19, 64, 0.2
            form.box(MAIN, (0, 0.06, -0.56), (0.26, 0.3, 0.3), 0.08)
        case _:
            half, bow, tube, angle, stock = 1.0, form.between(0.74, 0.82), 0.13, 58, 0.15
    top = half - 0.14
    form.box(MAIN, (0, 0, 0.1), (stock, 0.17, half - 0.1), 0.05)
    form.frustum(MAIN, (0, 0.12, -half - 0.1), 0.32, (stock + 0.06, 0.32), (stock, 0.16))
    form.rod(MAIN, (0, 0.16, -0.36), (0, 0.5, -0.58), 0.13)
    form.ring(SECOND, (0, -0.02, top - bow), bow, tube, turn=(90, -90, 0), half_angle_deg=angle)
    form.box(SECOND, (0, -0.02, top), (stock + 0.1, 0.24, 0.2), 0.06)
    end = np.radians(angle)
    tip = (bow * float(np.sin(end)), -0.06, top - bow + bow * float(np.cos(end)))
    nut = (0.0, -0.2, top - bow * 1.04)
    for side in SIDES:
        form.ball(SECOND, (side * tip[0], tip[1], tip[2]), tube * 1.25)
        form.rod("white", (side * tip[0], tip[1], tip[2]), nut, 0.055)
    form.box(SECOND, nut, (0.13, 0.12, 0.1), 0.04)
    form.rod("brown", nut, (0, -0.24, half + 0.1), 0.07)
    form.cone("grey", (0, -0.24, half + 0.26), 0.2, 0.14, 0.02)
    if style == "heavy":
        form.ring("grey", (0, 0.06, half + 0.1), 0.24, 0.08, turn=FORWARD)


def _key(form: Form, style: str) -> None:
    """Stand it on its teeth, the flat of it to the front."""
    length = form.between(0.6, 0.7)
    match style:
        case "ornate":
            size = form.between(0.27, 0.31)
            for x, z in ((-1.2, 0.72), (1.2, 0.72), (0.0, 2.1)):
                form.ring(MAIN, (x * size, 0, z * size + 0.2), size, 0.135, turn=FORWARD)
            form.ellipsoid(SECOND, (0, 0, size * 1.2 + 0.2), (0.17, 0.2, 0.17))
            teeth = ((0.42, 0.1, 0.13), (0.36, 0.42, 0.11))
        case "modern":
            half = form.between(0.44, 0.5)
            form.box(MAIN, (0, 0, half), (half * 1.16, 0.18, half), 0.15)
            form.cone("black", (0, 0, half * 1.36), 0.19, 0.15, 0.15, turn=FORWARD)
            form.box(SECOND, (0.0, 0, -length), (0.2, 0.12, length), 0.03)
            form.frustum(SECOND, (0, 0, -2 * length - 0.09), 0.1, (0.08, 0.11), (0.2, 0.12))
            teeth = ((0.26, 0.04, 0.1), (0.32, 0.34, 0.09), (0.26, 0.62, 0.08))
        case _:
            size = form.between(0.42, 0.48)
            form.ring(MAIN, (0, 0, size + 0.12), size, 0.17, turn=FORWARD)
            teeth = ((0.5, 0.1, 0.3),)
    bottom = -2 * length
    if style != "modern":
        form.rod(SECOND, (0, 0, 0), (0, 0, bottom), 0.15)
        for z in (-0.02, -0.24):
            form.cone(MAIN, (0, 0, z), 0.09, 0.24, 0.24, 0.06)
    if style == "round":
        form.box("black", (0.36, 0, bottom + 0.2), (0.1, 0.145, 0.07), 0.02)
    for reach, z, half in teeth:
        form.box(SECOND, (reach / 2 + 0.06, 0, bottom + z + half), (reach / 2 + 0.06, 0.135, half), 0.03)


def _hat(form: Form, style: str) -> None:
    match style:
        case "tall":
            crown, half = form.between(0.56, 0.62), form.between(0.52, 0.6)
            form.cone(MAIN, (0, 0, half + 0.05), half, crown * 0.94, crown * 1.1, 0.05)
            form.cone(SECOND, (0, 0, 0.27), 0.2, crown * 0.97 + 0.05, crown * 1.02 + 0.05, 0.04)
            form.ellipsoid(MAIN, (0, 0, 0), (0.9, 1.0, 0.11))
            for side in SIDES:
                form.ellipsoid(MAIN, (side * 0.7, 0, 0.05), (0.42, 0.86, 0.1), turn=(0, -side * 14, 0))
            form.box("yellow", (0, -crown - 0.06, 0.28), (0.17, 0.06, 0.17), 0.03)
        case "brimmed":
            crown, roll = form.between(0.5, 0.55), form.between(36, 46)
            form.ellipsoid(MAIN, (0, 0, 0), (0.72, 1.16, 0.11))
            for side in SIDES:
                form.ellipsoid(MAIN, (side * 0.84, 0, 0.22), (0.44, 0.92, 0.13), turn=(0, -side * roll, 0))
                form.ellipsoid(MAIN, (side * 0.23, 0.05, 0.82), (0.26, 0.5, 0.2), turn=(10, side * 12, -side * 6))
            form.cone(MAIN, (0, 0.03, 0.44), 0.44, crown * 1.1, crown * 0.86, 0.1)
            form.cone(SECOND, (0, 0.02, 0.26), 0.17, crown * 1.1 + 0.07, crown + 0.08, 0.04)
            form.ellipsoid("yellow", (0, -crown * 1.1 - 0.08, 0.25), (0.15, 0.08, 0.15))
        case _:
            crown, bend = form.between(0.56, 0.62), form.between(22, 30)
            form.ellipsoid(MAIN, (0, 0, 0), (1.05, 1.05, 0.11))
            form.cone(MAIN, (0, 0, 0.34), 0.34, crown, crown * 0.72, 0.02)
            form.cone(SECOND, (0, 0, 0.2), 0.17, crown + 0.06, crown * 0.84 + 0.06, 0.04)
            x, z, lean, radius = 0.0, 0.66, 0.0, crown * 0.72
            for half, share in ((0.26, 0.66), (0.2, 0.56), (0.2, 0.2)):
                lean += bend * 0.5
                step = (half * float(np.sin(np.radians(lean))), half * float(np.cos(np.radians(lean))))
                turn = (0, lean, 0)
                form.ball(MAIN, (x, 0, z), radius * 0.99, plain=True)
                form.cone(MAIN, (x + step[0], 0, z + step[1]), half, radius, radius * share, 0.02, turn=turn)
                x, z, radius, lean = x + 2 * step[0], z + 2 * step[1], radius * share, lean + bend * 0.5
            form.box("yellow", (0, -crown - 0.03, 0.21), (0.19, 0.07, 0.17), 0.03)
            form.box("black", (0, -crown - 0.08, 0.21), (0.09, 0.05, 0.07), 0.02)


def _book(form: Form, style: str) -> None:
    match style:
        case "open":
            width, tall = form.between(0.66, 0.74), form.between(0.82, 0.92)
            form.box(MAIN, (0, 0, 0.0), (0.2, tall, 0.1), 0.04)
            for side in SIDES:
                first = len(form.solids)
                form.box(MAIN, (side * width, 0, 0.02), (width, tall, 0.08), 0.03)
                form.box(SECOND, (side * (width - 0.06), 0, 0.2), (width - 0.1, tall - 0.1, 0.15), 0.05)
                form.cone(SECOND, (side * 0.28, 0, 0.2), tall - 0.1, 0.22, 0.22, 0.05, turn=FORWARD)
                for k in range(3):
                    half = 0.24 if k == 2 else 0.34
                    place = (side * (width + 0.1) - 0.34 + half, 0.42 - 0.36 * k, 0.34)
                    form.box("grey", place, (half, 0.06, 0.04), 0.02)
                _turn(form, (0, -side * 17, 0), first)
            form.rod("red", (0, tall * 0.8, 0.26), (0, -tall - 0.08, 0.26), 0.08)
            _turn(form, (52, 0, 0))
        case "standing":
            width, tall = form.between(0.6, 0.7), form.between(0.9, 1.0)
            _closed(form, width, tall, form.between(0.36, 0.4))
            _turn(form, (90, 0, 0))
        case _:
            _closed(form, form.between(0.66, 0.74), form.between(0.9, 1.0), form.between(0.3, 0.34))


def _closed(form: Form, width: float, tall: float, thick: float) -> None:
    """Add a book that lies on its back, the spine to the left."""
    form.box(SECOND, (0.06, 0, 0), (width - 0.05, tall - 0.05, thick), 0.02)
    for up in SIDES:
        form.box(MAIN, (0.04, 0, up * thick), (width, tall, 0.085), 0.04)
        form.ellipsoid("yellow", (0.06, 0, up * (thick + 0.08)), (0.24, 0.3, 0.07))
        for end in SIDES:
            form.box("yellow", (width - 0.04, end * (tall - 0.1), up * thick), (0.12, 0.13, 0.12), 0.04)
    spine = -width - 0.04
    form.box(MAIN, (spine, 0, 0), (0.2, tall, thick + 0.085), 0.18)
    for end in SIDES:
        form.box("yellow", (spine, end * tall * 0.6, 0), (0.25, 0.09, thick + 0.13), 0.09)


def _coin(form: Form, style: str) -> None:
    match style:
        case "stacked":
            radius, half = form.between(0.72, 0.8), 0.13
            for k, (x, y) in enumerate(((0.0, 0.0), (0.07, -0.04), (-0.06, 0.05), (0.03, 0.07), (-0.05, -0.06))):
                _piece(form, (x, y, k * (2 * half + 0.08)), radius, half)
            _star(form, 0.36, 0.1)
            _turn(form, (-90, 0, 0), len(form.solids) - 5, (-0.05, -0.06, 4 * (2 * half + 0.08) + half))
        case "piled":
            radius = form.between(0.4, 0.44)
            form.dome(MAIN, (0, 0, -0.1), (0.92, 0.92, 0.66), plain=True)
            for number, reach, z, tilt, start in ((7, 0.84, 0.08, 24, -90), (4, 0.44, 0.42, 22, -60)):
                for k, (x, y) in enumerate(_circle(number, reach, start)):
                    azimuth = float(np.degrees(np.arctan2(y, x)))
                    turn = (0, tilt + 9 * (k % 3 - 1), azimuth)
                    _piece(form, (x, y, z + 0.05 * (k % 2)), radius, 0.1, turn)
            _piece(form, (0, 0, 0.68), radius, 0.1, (8, -10, 0))
            _piece(form, (-0.1, -0.06, 1.02), radius, 0.11, (70, 0, 24), both=True)
        case _:
            radius, half = form.between(0.86, 0.94), form.between(0.15, 0.18)
            _piece(form, (0, 0, 0), radius, half, FORWARD, both=True)
            _star(form, radius * 0.54, half + 0.08)


def _piece(
    form: Form, center: Vector, radius: float, half: float, turn: Vector = (0.0, 0.0, 0.0), both: bool = False
) -> None:
    """Add a coin with a raised rim on its upper face, or on both."""
    form.cone(MAIN, center, half, radius, radius, 0.03, turn=turn)
    for up in SIDES if both else (1,):
        place = tuple((np.array(center) + euler_rotation(turn)[:, 2] * up * half).tolist())
        form.ring(SECOND, place, radius * 0.9, radius * 0.11, turn=turn)


def _star(form: Form, radius: float, half: float) -> None:
    """Add a star that faces the front."""
    for k in range(5):
        angle = 72 * k
        place = (radius / 2 * float(np.sin(np.radians(angle))), 0, radius / 2 * float(np.cos(np.radians(angle))))
        form.frustum(SECOND, place, radius / 2, (radius * 0.4, half), (0.02, half), turn=(0, angle, 0))


def _pizza(form: Form, style: str) -> None:
    match style:
        case "triangular":
            _slice(form, form.between(1.6, 1.75), form.between(0.68, 0.76))
            return
        case "sliced":
            radius = form.between(0.95, 1.05)
            for k in range(6):
                _wedge(form, SECOND, radius * 0.94, 45 * k - 22.5, 0.02, (0.12, 0.12))
                _wedge(form, MAIN, radius * 0.94, 45 * k - 22.5, 0.16, (0.26, 0.11))
            form.ring(SECOND, (0, 0, 0.1), radius, 0.18, turn=(0, 0, 90), half_angle_deg=133)
            toppings = tuple((45 * k - 22.5, 0.68 if k % 2 else 0.44) for k in range(6))
        case _:
            radius = form.between(0.95, 1.05)
            form.cone(SECOND, (0, 0, 0.02), 0.12, radius, radius, 0.03)
            form.dome(MAIN, (0, 0, 0.06), (radius * 0.98, radius * 0.98, 0.38))
            form.ring(SECOND, (0, 0, 0.06), radius, 0.16)
            toppings = tuple((45 * k - 90, 0.72 if k % 2 else 0.42) for k in range(8))
    for k, (azimuth, share) in enumerate(toppings):
        x, y = _circle(1, radius * share, azimuth)[0]
        z = 0.43 - 0.16 * share if style == "sliced" else 0.08 + 0.38 * float(np.sqrt(1 - share**2))
        if k % 3 == 1:
            form.ellipsoid("green", (x, y, z), (0.19, 0.11, 0.09), turn=(0, 30 * share, azimuth))
        else:
            form.cone("red", (x, y, z), 0.07, 0.18, 0.16, 0.05, turn=(0, 30 * share, azimuth))
    if style == "whole":
        form.ring("black", (0.02, 0.04, 0.46), 0.12, 0.06)


def _wedge(form: Form, slot: str, radius: float, azimuth: float, z: float, halves: tuple[float, float]) -> None:
    """Add an eighth of a disc, half as thick as `halves` say in its middle and at its rim."""
    wide = radius * float(np.tan(np.radians(22.5)))
    x, y = _circle(1, radius / 2, azimuth)[0]
    turn = euler_rotation((0, 0, azimuth)) @ euler_rotation(SIDEWAYS)
    form.frustum(slot, (x, y, z), radius / 2, (halves[0], 0.01), (halves[1], wide), turn=turn)


def _slice(form: Form, length: float, wide: float) -> None:
    """Add a slice of pizza that points to the front and down, and drips."""
    back = length / 2
    for slot, z, half in ((SECOND, 0.0, 0.1), (MAIN, 0.18, 0.11)):
        form.frustum(slot, (0, 0, z), back, (wide, half), (0.08, half), turn=FORWARD)
    form.rod(SECOND, (-wide + 0.02, back, 0.12), (wide - 0.02, back, 0.12), 0.25)
    for x, y, radius in ((-0.24, 0.34, 0.23), (0.28, 0.12, 0.2), (-0.02, -0.3, 0.17)):
        form.cone("red", (x, y, 0.3), 0.06, radius, radius, 0.05)
    form.ellipsoid("green", (0.14, 0.48, 0.3), (0.19, 0.11, 0.09), turn=(0, 0, 30))
    for side in SIDES:
        for y, drop in ((0.3, 0.24), (-0.16, 0.36)):
            x = side * wide * (y + back + 0.04) / length
            form.rod(MAIN, (x, y, 0.18), (x, y - 0.5 * drop, 0.18 - drop), 0.1, plain=True)
    form.rod(MAIN, (0, -back + 0.02, 0.18), (0, -back - 0.14, -0.08), 0.12, plain=True)
    _turn(form, (21, 0, 0))


def _banana(form: Form, style: str) -> None:
    match style:
        case "bunched":
            for k, azimuth in enumerate((-150, -110, -70, -30)):
                first, radius = len(form.solids), form.between(0.96, 1.04)
                _fruit(form, radius, 0.23, 30)
                _turn(form, (90, 0, 0), first, (-0.42 + 0.06 * (k % 2), 0, 0))
                _turn(form, (0, 0, azimuth), first)
            form.rod(SECOND, (0, 0.02, 0.84), (0, 0.1, 1.2), 0.22)
        case "peeled":
            radius, tube = form.between(1.5, 1.8), form.between(0.24, 0.27)
            form.ring("beige", (0, 0, 0), radius, tube * 0.84, turn=(0, 0, 12), half_angle_deg=13)
            form.ring(MAIN, (0, 0, 0), radius, tube, turn=(0, 0, -10), half_angle_deg=11)
            _end(form, radius, tube, -21, 0.5, 0.2)
            _turn(form, (90, 0, 0), 0, (-radius, 0, 0))
            for x, y in _circle(4, 1.0, -60):
                azimuth = float(np.degrees(np.arctan2(y, x)))
                _flap(form, tube, azimuth)
        case _:
            _fruit(form, form.between(0.94, 1.06), form.between(0.29, 0.33), 34)
            _turn(form, (90, 90, 0))
            _turn(form, (-38, 0, 0))


def _fruit(form: Form, radius: float, tube: float, angle_deg: float) -> None:
    """Add a banana bent about the z axis, its back to +x, its stem to +y."""
    form.ring(MAIN, (0, 0, 0), radius, tube, half_angle_deg=angle_deg)
    _end(form, radius, tube, angle_deg, 0.5, 0.2)
    _end(form, radius, tube, -angle_deg, 0.4, 0.06)


def _end(form: Form, radius: float, tube: float, angle_deg: float, taper: float, tip: float) -> None:
    """Add the narrow end of a banana at an angle of its bend, and the tip of it."""
    side = 1 if angle_deg > 0 else -1
    angle = np.radians(angle_deg)
    place = radius * np.array([np.cos(angle), np.sin(angle), 0])
    for k, (slot, length, bottom, top) in enumerate(
        ((MAIN, taper * 0.9, tube * 0.98, tube * 0.56), (SECOND, 0.1 + tip, tube * 0.58, tube * 0.5))
    ):
        bent = angle + side * np.radians(10 + 8 * k)
        axis = side * np.array([-np.sin(bent), np.cos(bent), 0])
        x, y, z = (place + axis * length / 2).tolist()
        form.cone(slot, (x, y, z), length / 2, bottom, top, 0.04, turn=axis_rotation(axis))
        place = place + axis * (length - 0.02)


def _flap(form: Form, tube: float, azimuth: float) -> None:
    """Add a strip of peel that hangs down beside the fruit."""
    outward = euler_rotation((0, 0, azimuth))[:, 0]
    reach, z = tube * 0.5, 0.0
    for slot, lean, half, wide in ((MAIN, 78, 0.2, 0.2), (MAIN, 128, 0.26, 0.21), (SECOND, 158, 0.14, 0.13)):
        step = (float(np.sin(np.radians(lean))), float(np.cos(np.radians(lean))))
        x, y, _ = (outward * (reach + half * step[0])).tolist()
        form.ellipsoid(slot, (x, y, z + half * step[1]), (0.1, wide, half * 1.25), turn=(0, lean, azimuth))
        reach, z = reach + 1.8 * half * step[0], z + 1.8 * half * step[1]


def _apple(form: Form, style: str) -> None:
    size, top = form.between(0.84, 0.92), 0.6
    match style:
        case "bitten":
            form.ellipsoid(MAIN, (-0.22, 0, 0), (size * 0.8, size * 0.94, 0.82))
            form.ellipsoid(MAIN, (0.24, 0, 0.42), (size * 0.66, size * 0.7, 0.36))
            form.ellipsoid(MAIN, (0.14, 0, -0.5), (size * 0.62, size * 0.62, 0.32))
            form.ellipsoid("beige", (0.06, 0, -0.04), (size * 0.52, size * 0.8, 0.62))
            form.ellipsoid("beige", (0.2, 0, 0.2), (size * 0.52, size * 0.68, 0.26))
            form.ellipsoid("beige", (0.16, 0, -0.3), (size * 0.48, size * 0.6, 0.22))
        case "halved":
            for side in SIDES:
                form.dome(MAIN, (side * 0.27, 0, 0.02), (size * 0.74, 0.74, size * 0.88), turn=(-90, 0, 0))
                form.ellipsoid("beige", (side * 0.27, 0, 0.02), (size * 0.66, 0.05, size * 0.7))
                form.ellipsoid("brown", (side * 0.13, -0.05, -0.06), (0.08, 0.06, 0.14), turn=(0, side * 16, 0))
        case _:
            form.ring(MAIN, (0, 0, 0.1), size * 0.42, size * 0.6)
            form.dome(MAIN, (0, 0, 0.1), (size * 1.02, size * 1.02, 0.92), turn=(180, 0, 0))
    form.rod("brown", (0, 0.02, top - 0.2), (0.08, 0.02, top + 0.36), 0.085)
    for side, length in ((1, 0.5), (-1, 0.42)):
        place = (side * length * 0.92 + 0.06, 0, top + 0.26)
        form.ellipsoid(SECOND, place, (length, 0.28, 0.11), turn=(0, -side * 24, side * 14))
    if style == "bitten":
        _turn(form, (0, -14, 0))


CATEGORIES: dict[str, Category] = {
    "axe": Category(
        build=_axe,
        main="head",
        second="handle",
        styles=("broad", "double", "short"),
        natural=("grey", "brown"),
        synonyms=("ax", "hatchet", "tomahawk"),
    ),
    "crossbow": Category(
        build=_crossbow,
        main="stock",
        second="bow",
        styles=("slender", "heavy"),
        natural=("brown", "grey"),
        synonyms=("arbalest", "ballista"),
    ),
    "key": Category(
        build=_key,
        main="head",
        second="shaft",
        styles=("ornate", "modern", "round"),
        natural=("yellow", "orange"),
        synonyms=("latchkey", "passkey"),
    ),
    "hat": Category(
        build=_hat,
        main="felt",
        second="band",
        styles=("pointed", "tall", "brimmed"),
        natural=("black", "purple"),
        synonyms=("headpiece", "chapeau"),
    ),
    "book": Category(
        build=_book,
        main="cover",
        second="pages",
        styles=("lying", "open", "standing"),
        natural=("blue", "beige"),
        synonyms=("tome", "spellbook", "grimoire"),
    ),
    "coin": Category(
        build=_coin,
        main="face",
        second="rim",
        styles=("single", "stacked", "piled"),
        natural=("yellow", "orange"),
        synonyms=("doubloon", "penny", "medallion"),
    ),
    "pizza": Category(
        build=_pizza,
        main="cheese",
        second="crust",
        styles=("whole", "sliced", "triangular"),
        natural=("yellow", "orange"),
        synonyms=("margherita", "flatbread"),
    ),
    "banana": Category(
        build=_banana,
        main="peel",
        second="tips",
        styles=("single", "bunched", "peeled"),
        natural=("yellow", "brown"),
        synonyms=("plantain",),
    ),
    "apple": Category(
        build=_apple,
        main="skin",
        second="leaves",
        styles=("whole", "bitten", "halved"),
        natural=("red", "green"),
        synonyms=("pippin", "crabapple"),
    ),
}
