"""Foxes, bears, dinosaurs, elephants, pigs, horses, cows and birds. All of them look towards -y."""

from itertools import pairwise

import numpy as np

from generator.shapes.animals import eyes
from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form, Vector, axis_rotation


def _spindle(form: Form, slot: str, start: Vector, end: Vector, radius: float, **options) -> None:
    """Add an ellipsoid whose tips are the start and the end."""
    axis = np.subtract(end, start)
    length = float(np.linalg.norm(axis))
    x, y, z = (np.add(start, end) / 2).tolist()
    form.ellipsoid(slot, (x, y, z), (radius, radius, length / 2), turn=axis_rotation(axis / length), **options)


def _thorn(form: Form, slot: str, root: Vector, tip: Vector, radius: float, plain: bool = True) -> None:
    """Add a spike with a blunt tip: a horn, a pointed ear, a tail."""
    axis = np.subtract(tip, root)
    length = float(np.linalg.norm(axis))
    x, y, z = (np.add(root, tip) / 2).tolist()
    turn = axis_rotation(axis / length)
    form.cone(slot, (x, y, z), length / 2, radius, radius * 0.25, 0.03, turn=turn, plain=plain)


def _legs(form: Form, hoof: str, gap: float, ends: tuple[float, float], top: float, radius: float) -> None:
    """Add four legs, front and hind, on hooves or paws of a slot or colour."""
    for side in SIDES:
        for y in ends:
            form.rod(MAIN, (side * gap, y, top), (side * gap, y, radius + 0.1), radius)
            form.cone(hoof, (side * gap, y, 0.12), 0.12, radius * 1.25, radius * 1.05, 0.05)


def _fox(form: Form, style: str) -> None:
    head = form.between(0.35, 0.4)
    match style:
        case "standing":
            length = form.between(0.46, 0.54)
            form.rod(MAIN, (0, -length + 0.12, 0.76), (0, length - 0.12, 0.74), 0.28)
            _legs(form, "black", 0.17, (-length + 0.06, length - 0.06), 0.6, 0.12)
            form.ellipsoid(SECOND, (0, -length + 0.02, 0.74), (0.22, 0.24, 0.26))
            root, tip, at = (0, length, 0.8), (0, length + 0.8, 1.16), (-length - 0.1, 1.24)
        case "curled":
            form.ellipsoid(MAIN, (0.06, 0.16, 0.3), (0.84, 0.6, 0.36))
            form.ellipsoid(MAIN, (0.46, 0.14, 0.36), (0.42, 0.46, 0.38))
            form.ellipsoid(SECOND, (-0.42, -0.16, 0.22), (0.36, 0.34, 0.22))
            for x in (-0.56, -0.1):
                form.ellipsoid("black", (x, -0.66, 0.1), (0.13, 0.2, 0.1))
            root, tip, at = (0.94, 0.2, 0.24), (-0.02, -0.74, 0.26), (-0.42, 0.5)
        case _:
            form.ellipsoid(MAIN, (0, 0.14, 0.4), (0.44, 0.46, 0.42))
            form.ellipsoid(MAIN, (0, -0.06, 0.72), (0.33, 0.32, 0.54))
            form.ellipsoid(SECOND, (0, -0.2, 0.84), (0.25, 0.24, 0.36))
            for side in SIDES:
                form.rod(MAIN, (side * 0.17, -0.32, 0.58), (side * 0.17, -0.36, 0.22), 0.12)
                form.ellipsoid("black", (side * 0.17, -0.42, 0.11), (0.15, 0.21, 0.13))
                form.ellipsoid("black", (side * 0.4, -0.1, 0.11), (0.14, 0.26, 0.13))
            root, tip, at = (0.1, 0.4, 0.2), (0.62, 0.86, 1.16), (-0.16, 1.4)
    _spindle(form, MAIN, root, tip, 0.24)
    start, end = np.array(root), np.array(tip)
    _spindle(form, SECOND, tuple((0.5 * end + 0.5 * start).tolist()), tuple((1.06 * end - 0.06 * start).tolist()), 0.21)
    x = -0.34 if style == "curled" else 0.0
    _fox_head(form, head, x, *at)


def _fox_head(form: Form, head: float, x: float, y: float, z: float) -> None:
    form.ellipsoid(MAIN, (x, y, z), (head * 1.08, head * 0.9, head * 0.86), plain=True)
    form.cone(MAIN, (x, y - head * 1.1, z - head * 0.12), head * 0.48, head * 0.42, head * 0.16, 0.04, turn=FORWARD)
    form.ellipsoid(SECOND, (x, y - head * 1.0, z - head * 0.36), (head * 0.36, head * 0.56, head * 0.22))
    form.ball("black", (x, y - head * 1.6, z - head * 0.1), 0.085)
    for side in SIDES:
        cheek = (x + side * head * 0.62, y - head * 0.34, z - head * 0.36)
        form.ellipsoid(SECOND, cheek, (head * 0.58, head * 0.46, head * 0.4), turn=(0, side * 24, 0))
        ear = (x + side * head * 0.62, y + 0.06, z + head * 0.56)
        _thorn(form, MAIN, ear, (x + side * head * 0.84, y + 0.04, z + head * 1.6), head * 0.46)
        inner = (x + side * head * 0.62, y - head * 0.22, z + head * 0.56)
        _thorn(form, SECOND, inner, (x + side * head * 0.82, y - 0.06, z + head * 1.38), head * 0.3)
        form.ball("black", (x + side * head * 0.42, y - head * 0.8, z + head * 0.18), 0.08)


def _bear(form: Form, style: str) -> None:
    head = form.between(0.42, 0.48)
    match style:
        case "walking":
            form.ellipsoid(MAIN, (0, 0.16, 0.78), (0.48, 0.78, 0.46))
            form.ellipsoid(MAIN, (0, -0.3, 0.9), (0.42, 0.42, 0.4))
            for side in SIDES:
                for y, step in ((-0.42, -0.2), (0.58, 0.16)):
                    place = y + side * step
                    form.rod(MAIN, (side * 0.28, y, 0.62), (side * 0.28, place, 0.24), 0.19)
                    form.ellipsoid(SECOND, (side * 0.28, place - 0.06, 0.13), (0.22, 0.29, 0.14))
            form.ball(SECOND, (0, 0.94, 0.92), 0.14)
            at = (-0.78, 1.06)
        case "upright":
            form.ellipsoid(MAIN, (0, 0, 0.98), (0.5, 0.44, 0.66))
            form.ellipsoid(SECOND, (0, -0.18, 0.94), (0.36, 0.3, 0.48))
            for side in SIDES:
                form.rod(MAIN, (side * 0.26, 0, 0.5), (side * 0.3, 0, 0.24), 0.22)
                form.ellipsoid(SECOND, (side * 0.31, -0.1, 0.12), (0.25, 0.36, 0.13))
                form.rod(MAIN, (side * 0.38, 0, 1.32), (side * 0.86, -0.1, 1.6), 0.18)
                form.ball(SECOND, (side * 0.94, -0.12, 1.68), 0.21)
            form.ball(SECOND, (0, 0.44, 0.6), 0.14)
            at = (-0.06, 1.84)
        case _:
            form.ellipsoid(MAIN, (0, 0.04, 0.58), (0.5, 0.44, 0.6))
            form.ellipsoid(SECOND, (0, -0.16, 0.56), (0.36, 0.3, 0.42))
            for side in SIDES:
                form.rod(MAIN, (side * 0.3, -0.14, 0.22), (side * 0.42, -0.66, 0.22), 0.21)
                form.ellipsoid(SECOND, (side * 0.44, -0.82, 0.25), (0.24, 0.13, 0.27), turn=(0, 0, side * 14))
                form.rod(MAIN, (side * 0.38, 0.0, 0.94), (side * 0.66, -0.2, 0.6), 0.17)
                form.ball(SECOND, (side * 0.7, -0.24, 0.52), 0.2)
            form.ball(SECOND, (0, 0.48, 0.26), 0.15)
            at = (-0.04, 1.4)
    y, z = at
    form.ellipsoid(MAIN, (0, y, z), (head * 1.06, head * 0.94, head * 0.96), plain=True)
    form.ellipsoid(SECOND, (0, y - head * 0.86, z - head * 0.26), (head * 0.5, head * 0.46, head * 0.38))
    form.ellipsoid("black", (0, y - head * 1.28, z - head * 0.1), (0.11, 0.08, 0.08))
    eyes(form, head * 0.44, y - head * 0.8, z + head * 0.24)
    for side in SIDES:
        form.ball(MAIN, (side * head * 0.8, y + 0.06, z + head * 0.74), head * 0.38, plain=True)
        form.ball(SECOND, (side * head * 0.8, y - 0.06, z + head * 0.74), head * 0.27)


def _dinosaur(form: Form, style: str) -> None:
    match style:
        case "long-necked":
            long = form.between(0.62, 0.72)
            form.ellipsoid(MAIN, (0, 0.1, 0.74), (0.46, long, 0.46))
            _legs(form, SECOND, 0.28, (0.1 - long * 0.6, 0.1 + long * 0.6), 0.6, 0.18)
            form.cone(MAIN, (0, -0.6, 1.14), 0.36, 0.3, 0.19, 0.04, turn=(34, 0, 0))
            form.rod(MAIN, (0, -0.78, 1.38), (0, -0.92, 1.96), 0.18, plain=True)
            form.ellipsoid(MAIN, (0, -1.08, 2.06), (0.25, 0.36, 0.23), plain=True)
            eyes(form, 0.2, -1.16, 2.16, 0.08)
            _thorn(form, MAIN, (0, 0.1 + long * 0.8, 0.82), (0, long + 0.9, 0.42), 0.28, plain=False)
            ridge = [(-0.78, 1.94), (-0.66, 1.6), (-0.44, 1.28), (-0.1, 1.16), (0.28, 1.14), (0.64, 0.98), (0.98, 0.8)]
            tips = [(-0.52, 2.1), (-0.38, 1.74), (-0.2, 1.52), (-0.02, 1.48), (0.38, 1.46), (0.82, 1.26), (1.16, 1.04)]
        case "plated":
            long = form.between(0.8, 0.9)
            form.ellipsoid(MAIN, (0, 0.08, 0.68), (0.46, long, 0.5))
            _legs(form, SECOND, 0.3, (-0.4, 0.5), 0.5, 0.18)
            form.rod(MAIN, (0, -0.6, 0.66), (0, -0.96, 0.66), 0.24, plain=True)
            form.ellipsoid(MAIN, (0, -1.12, 0.66), (0.31, 0.38, 0.29), plain=True)
            form.ellipsoid(SECOND, (0, -1.42, 0.56), (0.2, 0.15, 0.13))
            eyes(form, 0.2, -1.36, 0.78, 0.09)
            _thorn(form, MAIN, (0, long * 0.7, 0.76), (0, long + 0.86, 0.7), 0.3, plain=False)
            for side in SIDES:
                for y in (long + 0.46, long + 0.7):
                    _thorn(form, SECOND, (side * 0.04, y, 0.74), (side * 0.26, y + 0.12, 1.06), 0.09)
            plates = (
                (-0.08, -0.54, 1.04, 0.2),
                (0.08, -0.2, 1.2, 0.26),
                (-0.08, 0.2, 1.26, 0.28),
                (0.08, 0.58, 1.12, 0.24),
            )
            for x, y, z, size in (*plates, (-0.04, 0.9, 0.96, 0.17)):
                form.box(SECOND, (x, y, z), (0.08, size, size), 0.05, turn=(45, x * 120, 0))
            ridge, tips = [], []
        case _:
            form.ellipsoid(MAIN, (0, 0.06, 0.98), (0.44, 0.5, 0.62), turn=(24, 0, 0))
            form.ellipsoid(SECOND, (0, -0.14, 0.96), (0.34, 0.38, 0.5), turn=(24, 0, 0))
            for side in SIDES:
                form.ellipsoid(MAIN, (side * 0.36, 0.14, 0.66), (0.22, 0.34, 0.4))
                form.rod(MAIN, (side * 0.36, 0.2, 0.5), (side * 0.36, 0.1, 0.2), 0.15)
                form.ellipsoid(SECOND, (side * 0.36, -0.08, 0.11), (0.2, 0.34, 0.12))
                form.rod(MAIN, (side * 0.36, -0.34, 1.14), (side * 0.36, -0.64, 1.06), 0.1, plain=True)
            _thorn(form, MAIN, (0, 0.24, 0.8), (0, 1.5, 0.44), 0.38, plain=False)
            head = form.between(0.4, 0.46)
            form.ellipsoid(MAIN, (0, -0.36, 1.72), (head, head * 1.02, head * 0.9), plain=True)
            form.box(MAIN, (0, -0.76, 1.7), (head * 0.72, 0.34, 0.19), 0.14, plain=True)
            form.box("white", (0, -0.74, 1.5), (head * 0.62, 0.3, 0.08), 0.03)
            form.box(MAIN, (0, -0.68, 1.4), (head * 0.66, 0.34, 0.1), 0.08, turn=(-8, 0, 0), plain=True)
            eyes(form, head * 0.66, -0.64, 1.94, 0.1)
            ridge = [(-0.06, 1.86), (0.16, 1.5), (0.4, 1.18), (0.66, 0.92), (0.98, 0.72)]
            tips = [(0.3, 2.06), (0.52, 1.68), (0.72, 1.36), (0.88, 1.16), (1.16, 0.94)]
    for (root_y, root_z), (tip_y, tip_z) in zip(ridge, tips, strict=True):
        _thorn(form, SECOND, (0, root_y, root_z), (0, tip_y, tip_z), 0.15)


def _elephant(form: Form, style: str) -> None:
    match style:
        case "sitting":
            form.ellipsoid(MAIN, (0, 0.1, 0.64), (0.56, 0.52, 0.66))
            for side in SIDES:
                form.rod(MAIN, (side * 0.34, -0.14, 0.24), (side * 0.44, -0.66, 0.24), 0.22)
                form.ellipsoid(SECOND, (side * 0.46, -0.84, 0.26), (0.22, 0.09, 0.22))
                form.rod(MAIN, (side * 0.46, -0.14, 0.96), (side * 0.62, -0.5, 0.66), 0.17)
            tail, head, at = (0, 0.72, 0.14), form.between(0.46, 0.52), (-0.1, 1.52)
        case "baby":
            form.ellipsoid(MAIN, (0, 0.24, 0.66), (0.42, 0.5, 0.42))
            _legs(form, SECOND, 0.24, (-0.04, 0.5), 0.5, 0.18)
            tail, head, at = (0, 0.9, 0.6), form.between(0.52, 0.58), (-0.34, 1.2)
        case _:
            form.ellipsoid(MAIN, (0, 0.2, 0.96), (0.54, 0.74, 0.54))
            _legs(form, SECOND, 0.31, (-0.24, 0.62), 0.76, 0.21)
            tail, head, at = (0, 1.1, 0.66), form.between(0.42, 0.48), (-0.62, 1.34)
    y, z = at
    form.rod(MAIN, (0, tail[1] - 0.26, tail[2] + 0.3), tail, 0.08, plain=True)
    form.ball(SECOND, tail, 0.12)
    form.ellipsoid(MAIN, (0, y, z), (head * 0.94, head * 0.94, head), plain=True)
    eyes(form, head * 0.5, y - head * 0.76, z + head * 0.24)
    front = y - head * 0.9
    if style == "baby":
        bends = [
            (y - head * 0.7, z - head * 0.2),
            (front - 0.26, z - 0.34),
            (front - 0.5, z - 0.22),
            (front - 0.56, z + 0.1),
        ]
    else:
        bends = [
            (y - head * 0.7, z - head * 0.1),
            (front - 0.12, z - 0.46),
            (front - 0.16, z - 0.78),
            (front - 0.4, z - 0.92),
        ]
    for i, (start, end) in enumerate(pairwise(bends)):
        form.rod(MAIN, (0, *start), (0, *end), 0.2 - 0.03 * i, plain=True)
    for side in SIDES:
        if style != "baby":
            _thorn(form, "white", (side * 0.26, front + 0.1, z - head * 0.5), (side * 0.34, front - 0.3, z - 0.36), 0.1)
        ear = (side * head * 1.4, y + 0.12, z + head * 0.06)
        form.ellipsoid(SECOND, ear, (head * 0.78, 0.11, head * 0.94), turn=(0, side * 8, side * 24))


def _pig(form: Form, style: str) -> None:
    match style:
        case "sitting":
            form.ellipsoid(MAIN, (0, 0.1, 0.58), (0.54, 0.5, 0.58))
            for side in SIDES:
                form.rod(MAIN, (side * 0.3, -0.16, 0.2), (side * 0.42, -0.56, 0.2), 0.19)
                form.ellipsoid(SECOND, (side * 0.44, -0.74, 0.22), (0.19, 0.12, 0.2))
                form.rod(MAIN, (side * 0.4, -0.16, 0.86), (side * 0.46, -0.5, 0.6), 0.15)
                form.ball(SECOND, (side * 0.47, -0.54, 0.54), 0.17)
            tail, head, at = (0, 0.64, 0.4), form.between(0.46, 0.5), (-0.08, 1.36)
        case "round":
            body = form.between(0.7, 0.76)
            form.ellipsoid(MAIN, (0, 0, 0.92), (body, body * 1.06, body * 0.96))
            _legs(form, SECOND, 0.34, (-0.36, 0.36), 0.5, 0.18)
            tail, head, at = (0, body * 1.06 + 0.06, 1.1), body, (0, 0.92)
        case _:
            long = form.between(0.62, 0.7)
            form.ellipsoid(MAIN, (0, 0.14, 0.66), (0.48, long, 0.46))
            _legs(form, SECOND, 0.26, (-0.24, 0.5), 0.5, 0.16)
            tail, head, at = (0, long + 0.2, 0.84), form.between(0.42, 0.46), (-0.6, 0.96)
    y, z = at
    form.ring(SECOND, tail, 0.12, 0.075, turn=(0, 90, 0))
    size = 0.46 if style == "round" else head
    front = y - head * (1.08 if style == "round" else 0.94)
    if style != "round":
        form.ellipsoid(MAIN, (0, y, z), (head * 1.06, head * 0.94, head * 0.96), plain=True)
    snout = z - size * 0.16
    form.cone(SECOND, (0, front - 0.02, snout), 0.18, size * 0.5, size * 0.44, 0.06, turn=FORWARD)
    for side in SIDES:
        form.ball("black", (side * 0.09, front - 0.19, snout), 0.06)
        form.ball("black", (side * size * 0.6, front + size * 0.26, z + size * 0.36), 0.085)
        ear = (side * size * 0.7, front + size * 0.9, z + head * 0.72)
        _thorn(form, SECOND, ear, (side * size * 1.1, ear[1] - 0.18, z + head * 0.9 + 0.3 * size), 0.2)


def _horse(form: Form, style: str) -> None:
    thick = form.between(0.3, 0.34)
    match style:
        case "rearing":
            form.rod(MAIN, (0, 0.3, 0.98), (0, -0.18, 1.5), thick)
            for side in SIDES:
                form.rod(MAIN, (side * 0.18, 0.26, 0.86), (side * 0.2, 0.3, 0.26), 0.14)
                form.cone(SECOND, (side * 0.2, 0.28, 0.12), 0.12, 0.19, 0.15, 0.05)
                knee, hoof = (side * 0.2, -0.74, 1.54 + side * 0.1), (side * 0.2, -0.84, 1.2 + side * 0.1)
                form.rod(MAIN, (side * 0.2, -0.26, 1.44), knee, 0.125)
                form.rod(MAIN, knee, hoof, 0.115)
                form.cone(SECOND, (side * 0.2, -0.86, 1.1 + side * 0.1), 0.1, 0.17, 0.13, 0.04)
            crest, tail = (-0.34, 2.14), ((0, 0.48, 1.06), (0, 1.06, 0.34))
        case _:
            length = form.between(0.48, 0.56)
            form.rod(MAIN, (0, -length + 0.1, 1.02), (0, length - 0.1, 1.0), thick)
            _legs(form, SECOND, 0.18, (-length + 0.06, length - 0.06), 0.84, 0.13)
            crest, tail = (-length - 0.22, 1.66), ((0, length + 0.06, 1.2), (0, length + 0.42, 0.4))
            if style == "rocking":
                for side in SIDES:
                    form.ring(SECOND, (side * 0.27, 0, 1.3), 1.34, 0.1, turn=SIDEWAYS, half_angle_deg=46)
                form.ellipsoid("beige", (0, 0, 1.24), (thick * 0.94, 0.26, 0.16))
    y, z = crest
    _spindle(form, SECOND, *tail, 0.18)
    base = (0, y + 0.42, z - 0.5) if style != "rearing" else (0, -0.1, 1.56)
    form.rod(MAIN, base, (0, y, z), 0.22)
    form.ellipsoid(MAIN, (0, y - 0.16, z + 0.08), (0.25, 0.3, 0.27), plain=True)
    form.rod(MAIN, (0, y - 0.2, z + 0.06), (0, y - 0.52, z - 0.16), 0.19, plain=True)
    eyes(form, 0.2, y - 0.32, z + 0.16, 0.08)
    for side in SIDES:
        form.ball("black", (side * 0.09, y - 0.67, z - 0.16), 0.055)
        _thorn(form, MAIN, (side * 0.14, y - 0.04, z + 0.24), (side * 0.18, y - 0.06, z + 0.56), 0.12)
    form.ellipsoid(SECOND, (0, y - 0.22, z + 0.32), (0.12, 0.24, 0.12), turn=(-20, 0, 0))
    for step in (0.0, 0.36, 0.72):
        place = (0, y + 0.16 + (base[1] - y) * step, z + 0.16 + (base[2] - z) * step)
        form.ellipsoid(SECOND, place, (0.13, 0.22, 0.25))


def _cow(form: Form, style: str) -> None:
    thick = form.between(0.42, 0.47)
    match style:
        case "lying":
            middle = 0.46
            form.ellipsoid(MAIN, (0, 0.16, middle), (thick * 1.16, 0.84, 0.46))
            for side in SIDES:
                form.rod(MAIN, (side * 0.3, -0.44, 0.15), (side * 0.26, -0.84, 0.15), 0.14)
                form.ball("black", (side * 0.26, -0.96, 0.14), 0.15)
                form.ellipsoid(MAIN, (side * 0.46, 0.52, 0.28), (0.24, 0.36, 0.28), plain=True)
                form.ball("black", (side * 0.56, 0.18, 0.13), 0.14)
            tail, at = ((0, 0.92, 0.6), (0.4, 1.0, 0.14)), (-0.72, 1.0)
        case _:
            middle = 0.88
            form.ellipsoid(MAIN, (0, 0.1, middle), (thick * 1.04, 0.78, thick))
            _legs(form, "black", 0.26, (-0.38, 0.54), 0.74, 0.15)
            form.ellipsoid("pink", (0, 0.3, middle - 0.38), (0.22, 0.24, 0.2))
            tail, at = ((0, 0.84, 1.04), (0, 0.98, 0.5)), ((-0.82, 1.3) if style == "standing" else (-0.98, 0.5))
    y, z = at
    form.rod(MAIN, *tail, 0.075, plain=True)
    form.ball(SECOND, tail[1], 0.14)
    form.rod(MAIN, (0, -0.36, middle + 0.06), (0, y + 0.1, z), 0.26, plain=True)
    for x, place, up, size in ((0.3, -0.2, 0.2, 0.3), (-0.3, 0.28, 0.2, 0.36), (0.32, 0.52, 0.06, 0.28)):
        form.ellipsoid(SECOND, (x, place, middle + up), (0.17, size, 0.27))
    form.ellipsoid(MAIN, (0, y, z), (0.34, 0.36, 0.36), plain=True)
    form.ellipsoid(SECOND, (0.16, y - 0.12, z + 0.14), (0.2, 0.25, 0.2))
    form.ellipsoid("pink", (0, y - 0.34, z - 0.16), (0.27, 0.24, 0.21))
    eyes(form, 0.18, y - 0.33, z + 0.12, 0.08)
    for side in SIDES:
        form.ball("black", (side * 0.11, y - 0.56, z - 0.12), 0.055)
        _thorn(form, "beige", (side * 0.18, y - 0.06, z + 0.26), (side * 0.42, y - 0.1, z + 0.56), 0.12)
        form.ellipsoid(SECOND, (side * 0.44, y + 0.06, z + 0.08), (0.2, 0.09, 0.13), turn=(0, side * 20, 0))


def _bird(form: Form, style: str) -> None:
    match style:
        case "flying":
            long = form.between(0.54, 0.6)
            form.ellipsoid(MAIN, (0, 0, 0), (0.38, long, 0.36))
            form.ellipsoid(SECOND, (0, -0.1, -0.12), (0.28, long * 0.8, 0.3))
            for side in SIDES:
                form.ellipsoid(SECOND, (side * 0.5, 0.0, 0.26), (0.46, 0.38, 0.11), turn=(0, -side * 34, side * 6))
                form.ellipsoid(SECOND, (side * 0.9, 0.14, 0.5), (0.4, 0.28, 0.1), turn=(0, -side * 26, side * 28))
                form.ellipsoid(SECOND, (side * 0.16, long + 0.18, 0.08), (0.17, 0.36, 0.1), turn=(8, 0, -side * 18))
                form.ellipsoid("orange", (side * 0.14, 0.36, -0.32), (0.1, 0.18, 0.1))
            head, at = form.between(0.35, 0.39), (-long + 0.02, 0.26)
        case "round":
            body = form.between(0.6, 0.66)
            form.ellipsoid(MAIN, (0, 0, 0.78), (body, body * 0.9, 0.78))
            form.ellipsoid(SECOND, (0, -0.24, 0.6), (body * 0.7, body * 0.62, 0.5))
            for side in SIDES:
                form.ellipsoid(SECOND, (side * body * 0.98, 0.06, 0.72), (0.14, 0.36, 0.52), turn=(-8, -side * 10, 0))
                form.ellipsoid("orange", (side * 0.24, -0.4, 0.06), (0.2, 0.24, 0.1))
                form.ellipsoid("white", (side * 0.26, -body * 0.72, 1.16), (0.26, 0.16, 0.26))
                _thorn(form, MAIN, (side * 0.34, -0.1, 1.32), (side * 0.5, -0.14, 1.8), 0.2)
            form.ellipsoid(SECOND, (0, 0.6, 0.26), (0.26, 0.12, 0.34), turn=(-40, 0, 0))
            eyes(form, 0.24, -body * 0.72 - 0.14, 1.16, 0.12)
            form.cone("orange", (0, -body * 0.94, 0.98), 0.14, 0.12, 0.03, 0.02, turn=(120, 0, 0))
            return
        case _:
            form.rod("brown", (-0.66, 0, 0.08), (0.66, 0, 0.08), 0.11)
            form.ellipsoid(MAIN, (0, 0.06, 0.66), (0.38, 0.4, 0.54), turn=(-24, 0, 0))
            form.ellipsoid(SECOND, (0, -0.16, 0.6), (0.27, 0.28, 0.38), turn=(-24, 0, 0))
            for side in SIDES:
                wing = (side * 0.36, 0.2, 0.6)
                form.ellipsoid(SECOND, wing, (0.12, 0.26, 0.52), turn=(-150, 0, 0))
                form.ellipsoid("orange", (side * 0.17, -0.08, 0.18), (0.11, 0.16, 0.12))
            form.ellipsoid(SECOND, (0, 0.5, 0.06), (0.17, 0.1, 0.5), turn=(28, 0, 0))
            head, at = form.between(0.34, 0.38), (-0.16, 1.26)
    y, z = at
    form.ball(MAIN, (0, y, z), head, plain=True)
    form.cone("orange", (0, y - head * 1.16, z - head * 0.1), 0.18, 0.14, 0.03, 0.02, turn=FORWARD)
    eyes(form, head * 0.56, y - head * 0.74, z + head * 0.26)


CATEGORIES: dict[str, Category] = {
    "fox": Category(
        build=_fox,
        main="fur",
        second="markings",
        styles=("sitting", "standing", "curled"),
        natural=("orange", "white"),
        synonyms=("vixen", "reynard"),
    ),
    "bear": Category(
        build=_bear,
        main="fur",
        second="paws",
        styles=("sitting", "upright", "walking"),
        natural=("brown", "beige"),
        synonyms=("grizzly", "bruin"),
    ),
    "dinosaur": Category(
        build=_dinosaur,
        main="skin",
        second="spikes",
        styles=("long-necked", "upright", "plated"),
        natural=("green", "orange"),
        synonyms=("dino", "saurian"),
    ),
    "elephant": Category(
        build=_elephant,
        main="skin",
        second="ears",
        styles=("standing", "sitting", "baby"),
        natural=("grey", "pink"),
        synonyms=("pachyderm", "tusker"),
    ),
    "pig": Category(
        build=_pig,
        main="skin",
        second="ears",
        styles=("standing", "sitting", "round"),
        natural=("pink", "beige"),
        synonyms=("piglet", "piggy", "hog"),
    ),
    "horse": Category(
        build=_horse,
        main="coat",
        second="mane",
        styles=("standing", "rearing", "rocking"),
        natural=("brown", "black"),
        synonyms=("pony", "stallion", "mare"),
    ),
    "cow": Category(
        build=_cow,
        main="coat",
        second="patches",
        styles=("standing", "lying", "grazing"),
        natural=("white", "black"),
        synonyms=("bull", "heifer"),
    ),
    "bird": Category(
        build=_bird,
        main="feathers",
        second="wings",
        styles=("perched", "flying", "round"),
        natural=("blue", "yellow"),
        synonyms=("songbird", "birdie"),
    ),
}
