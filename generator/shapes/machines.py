"""Tractors, spaceships, tanks, cannons, carts, submarines, motorbikes and diggers. All of them look towards -y."""

from math import cos, radians, sin

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form, Vector

OVERHEAD = (0.0, -90.0, 0.0)  # turns an arc's middle to +z and its axis to -x


def _axle(form: Form, rims: str, half_track: float, y: float, radius: float, half_width: float = 0.12) -> None:
    """Add a pair of wheels whose tread stands on z = 0, with wide rims."""
    for side in SIDES:
        center = (side * half_track, y, radius)
        form.cone("black", center, half_width, radius, radius, 0.05, turn=SIDEWAYS)
        form.cone(rims, center, half_width + 0.03, radius * 0.72, radius * 0.72, turn=SIDEWAYS, plain=True)
    form.cone("grey", (0, y, radius), half_track + half_width + 0.07, radius * 0.24, radius * 0.24, turn=SIDEWAYS)


def _spoked(form: Form, x: float, y: float, radius: float, tube: float = 0.08) -> None:
    """Add a pair of open wheels with spokes, and the axle between them."""
    for side in SIDES:
        form.ring(SECOND, (side * x, y, radius), radius - tube, tube, turn=SIDEWAYS)
        for angle in (30, 90, 150):
            dy, dz = (radius - tube) * cos(radians(angle)), (radius - tube) * sin(radians(angle))
            form.rod(SECOND, (side * x, y - dy, radius - dz), (side * x, y + dy, radius + dz), 0.05)
    form.cone("grey", (0, y, radius), x + 0.11, 0.1, 0.1, turn=SIDEWAYS)


def _tracks(form: Form, wheels: str, x: float, half_length: float, radius: float, half_width: float = 0.17) -> None:
    """Add a pair of tracks that lie on z = 0, and the wheels in them."""
    wheel = min(radius * 0.72, half_length * 0.47)
    for side in SIDES:
        form.box("black", (side * x, 0, radius), (half_width, half_length, radius), 0.03)
        for end in (-1, 0, 1):
            center = (side * x, end * half_length, radius)
            form.cone(wheels, center, half_width + 0.05, wheel, wheel, turn=SIDEWAYS, plain=True)
            if end:
                form.cone("black", center, half_width, radius, radius, 0.03, turn=SIDEWAYS)


def _cab(form: Form, center: Vector, half: Vector) -> None:
    """Add a cab with panes on all four sides and a roof that juts out."""
    x, y, z = center
    form.box(MAIN, center, half, 0.05, plain=True)
    form.box("black", (x, y, z + half[2] * 0.08), (half[0] + 0.015, half[1] * 0.74, half[2] * 0.7), 0.03)
    form.box("black", (x, y, z + half[2] * 0.08), (half[0] * 0.74, half[1] + 0.015, half[2] * 0.7), 0.03)
    form.box(MAIN, (x, y, z + half[2]), (half[0] + 0.08, half[1] + 0.08, 0.08), 0.05, plain=True)


def _lamps(form: Form, x: float, y: float, z: float) -> None:
    for side in SIDES:
        form.ball("yellow", (side * x, y, z), 0.09, glow=0.3)


def _tractor(form: Form, style: str) -> None:
    nose, rear = form.between(0.98, 1.08), form.between(0.5, 0.56)
    is_open = style == "vintage"
    form.box(MAIN, (0, -0.36, 0.74), (0.29, nose - 0.36, 0.27), 0.1)
    form.box("black", (0, -nose, 0.72), (0.2, 0.05, 0.19), 0.03)
    form.rod("black" if is_open else "grey", (0.14, -0.48, 0.9), (0.14, -0.48, 1.4), 0.085)
    _lamps(form, 0.2, -nose, 0.92)
    form.box(MAIN, (0, 0.42, 0.66), (0.34, 0.36, 0.2), 0.05, plain=is_open)
    if is_open:
        form.rod("grey", (0, 0.52, 0.7), (0, 0.62, 0.98), 0.08)
        form.dome(SECOND, (0, 0.56, 0.96), (0.27, 0.26, 0.14))
        form.ellipsoid(SECOND, (0, 0.8, 1.16), (0.27, 0.09, 0.2))
        form.rod("grey", (0, -0.02, 0.9), (0, 0.1, 1.14), 0.06)
        form.ring("black", (0, 0.1, 1.16), 0.18, 0.06, turn=(-35, 0, 0))
    else:
        _cab(form, (0, 0.4, 1.16), (0.36, 0.34, 0.36))
    if style == "tracked":
        _tracks(form, SECOND, 0.48, form.between(0.58, 0.66), 0.34, 0.2)
        return
    for side in SIDES:
        fender, half_angle = (side * 0.52, 0.5, rear), 45 if is_open else 70
        form.ring(MAIN, fender, rear + 0.1, 0.1, turn=OVERHEAD, half_angle_deg=half_angle, plain=True)
    _axle(form, SECOND, 0.52, 0.5, rear, 0.16)
    _axle(form, SECOND, 0.16 if is_open else 0.4, -0.66, 0.32, 0.12)


def _spaceship(form: Form, style: str) -> None:
    match style:
        case "winged":
            length = form.between(0.98, 1.1)
            form.box(MAIN, (0, 0.36, 0), (0.27, 0.54, 0.22), 0.08)
            form.frustum(MAIN, (0, -0.66, -0.02), length - 0.48, (0.26, 0.21), (0.12, 0.09), turn=FORWARD)
            form.ellipsoid(SECOND, (0, -0.16, 0.2), (0.22, 0.44, 0.24))
            for side in SIDES:
                for lift in SIDES:
                    x, z = side * cos(radians(24)), lift * sin(radians(24))
                    turn = (0, side * (90 - lift * 24), 0)
                    form.frustum(MAIN, (x * 0.58, 0.5, z * 0.58), 0.46, (0.08, 0.36), (0.07, 0.22), turn=turn)
                    form.rod("grey", (x * 1.02, 0.7, z * 1.02), (x * 1.02, -0.3, z * 1.02), 0.085)
                    x, z = x * 0.44, z * 0.44 + lift * 0.07
                    form.cone(SECOND, (x, 0.66, z), 0.34, 0.16, 0.18, 0.03, turn=FORWARD)
                    form.cone("orange", (x, 1.0, z), 0.04, 0.12, 0.12, turn=FORWARD, glow=0.4)
        case "bulky":
            wide, half = form.between(0.42, 0.48), form.between(0.66, 0.74)
            form.box(MAIN, (0, 0.2, 0.04), (wide, half, 0.38), 0.2)
            form.ellipsoid(MAIN, (0, 0.3 - half, -0.02), (wide, 0.62, 0.31))
            form.ellipsoid(SECOND, (0, 0.32 - half, 0.24), (wide * 0.84, 0.44, 0.27))
            form.ellipsoid("black", (0, 0.1 - half, 0.3), (wide * 0.6, 0.3, 0.12))
            for side in SIDES:
                wing = (side * (wide + 0.2), 0.46, -0.2)
                form.frustum(MAIN, wing, 0.32, (0.1, 0.46), (0.08, 0.22), turn=(0, side * 90, side * 14), plain=True)
            for x, z in ((-0.23, 0.2), (0.23, 0.2), (0, -0.14)):
                form.cone(SECOND, (x, 0.24 + half, z), 0.14, 0.22, 0.16, 0.03, turn=FORWARD)
                form.cone("orange", (x, 0.38 + half, z), 0.03, 0.16, 0.16, turn=FORWARD, glow=0.4)
            form.frustum(SECOND, (0, half - 0.1, 0.66), 0.34, (0.1, 0.34), (0.08, 0.19), turn=(-20, 0, 0))
        case _:
            radius, dome = form.between(0.96, 1.04), form.between(0.42, 0.48)
            form.ellipsoid(MAIN, (0, 0, 0), (radius, radius, 0.24))
            form.cone(MAIN, (0, 0, 0.2), 0.12, radius * 0.7, dome + 0.02, 0.03)
            form.ellipsoid(SECOND, (0, 0, 0.3), (dome, dome, dome * 0.94))
            form.cone(SECOND, (0, 0, -0.24), 0.1, 0.36, 0.5, 0.04)
            for k in range(8):
                x, y = radius * 0.84 * cos(radians(22.5 + 45 * k)), radius * 0.84 * sin(radians(22.5 + 45 * k))
                form.ball("yellow", (x, y, 0.1), 0.1, glow=0.5)
            for k in range(3):
                x, y = sin(radians(120 * k)), -cos(radians(120 * k))
                form.rod("grey", (0.46 * x, 0.46 * y, -0.16), (0.66 * x, 0.66 * y, -0.48), 0.08)
                form.ellipsoid("grey", (0.66 * x, 0.66 * y, -0.48), (0.15, 0.15, 0.08))
            form.rod("grey", (0, 0, 0.6), (0, 0, 0.8), 0.055)
            form.ball("red", (0, 0, 0.86), 0.1, glow=0.4)


def _tank(form: Form, style: str) -> None:
    match style:
        case "tall":
            half, turret = form.between(0.4, 0.46), form.between(0.38, 0.43)
            _tracks(form, "grey", 0.46, half, 0.32, 0.2)
            form.box(MAIN, (0, 0, 0.62), (0.56, half + 0.22, 0.24), 0.08)
            form.box(MAIN, (0, 0.04, 0.9), (0.44, half + 0.04, 0.14), 0.06, plain=True)
            form.cone(SECOND, (0, 0, 1.22), 0.24, turret + 0.04, turret, 0.05)
            form.dome(SECOND, (0, 0, 1.44), (turret * 0.9, turret * 0.9, 0.2))
            form.cone("grey", (0, 0.08, 1.64), 0.06, 0.17, 0.15, 0.03)
            form.cone(SECOND, (0, -0.62, 1.2), 0.34, 0.14, 0.14, turn=FORWARD)
            form.cone("black", (0, -0.94, 1.2), 0.1, 0.2, 0.2, 0.03, turn=FORWARD)
            _lamps(form, 0.38, -half - 0.22, 0.66)
        case "vintage":
            reach, high = form.between(0.56, 0.64), form.between(0.2, 0.24)
            turn, along = (-25, 0, 0), (cos(radians(25)), -sin(radians(25)))
            for side in SIDES:
                form.box("black", (side * 0.44, 0, 0.62), (0.15, reach, 0.38), 0.04, turn=turn)
                form.box(MAIN, (side * 0.48, 0, 0.62), (0.16, reach, 0.26), 0.03, turn=turn)
                for end in SIDES:
                    y, z = end * reach * along[0], 0.62 + end * reach * along[1]
                    form.cone("black", (side * 0.44, y, z), 0.15, 0.38, 0.38, 0.04, turn=SIDEWAYS)
                    form.cone(MAIN, (side * 0.48, y, z), 0.16, 0.26, 0.26, turn=SIDEWAYS)
                form.box(SECOND, (side * 0.7, -0.04, 0.64), (0.16, 0.26, 0.2), 0.05)
                form.rod(SECOND, (side * 0.72, -0.2, 0.66), (side * 0.72, -0.74, 0.66), 0.09)
            form.box(MAIN, (0, 0, 0.66), (0.36, reach + 0.12, 0.26), 0.04, turn=turn)
            form.box(SECOND, (0, -0.2, 1.08 + high), (0.3, 0.28, high), 0.06)
            form.box("black", (0, -0.2, 1.12 + high), (0.2, 0.295, 0.07), 0.02)
            form.rod("grey", (0, 0.36, 0.8), (0, 0.36, 1.2), 0.09)
        case _:
            half, gun = form.between(0.7, 0.78), form.between(1.25, 1.4)
            _tracks(form, "grey", 0.48, half, 0.27, 0.18)
            form.box(MAIN, (0, 0.02, 0.54), (0.64, half + 0.14, 0.1), 0.04)
            form.frustum(MAIN, (0, -0.02, 0.44), 0.22, (0.34, half + 0.28), (0.5, half))
            form.frustum(SECOND, (0, 0.1, 0.82), 0.2, (0.5, 0.54), (0.34, 0.36))
            form.cone("grey", (0.12, 0.16, 1.04), 0.06, 0.16, 0.14, 0.03)
            form.box(SECOND, (0, -0.4, 0.82), (0.16, 0.14, 0.13), 0.05)
            form.rod(SECOND, (0, -0.4, 0.83), (0, -gun, 0.88), 0.09)
            form.cone("black", (0, -gun, 0.88), 0.12, 0.13, 0.13, 0.03, turn=FORWARD)
            _lamps(form, 0.42, -half - 0.14, 0.54)


def _barrel(form: Form, y: float, z: float, tilt_deg: float, half: float, breech: float, muzzle: float) -> None:
    """Add a cannon's barrel about (0, y, z) that points to the front, lifted by an angle."""
    turn, dy, dz = (90 - tilt_deg, 0, 0), -half * cos(radians(tilt_deg)), half * sin(radians(tilt_deg))
    form.cone(MAIN, (0, y, z), half, breech, muzzle, 0.03, turn=turn)
    form.ellipsoid(MAIN, (0, y - dy, z - dz), (breech * 0.96, breech * 0.96, breech * 0.6), turn=turn, plain=True)
    knob, bore = 1 + 0.7 * breech / half, 1 + 0.1 / half
    form.ball(MAIN, (0, y - dy * knob, z - dz * knob), 0.12, plain=True)
    for share in (-0.8, 0.1):
        radius = breech + (muzzle - breech) * (share + 1) / 2 + 0.05
        form.cone(MAIN, (0, y + dy * share, z + dz * share), 0.07, radius, radius, 0.03, turn=turn, plain=True)
    form.cone(MAIN, (0, y + dy, z + dz), 0.1, muzzle + 0.03, muzzle + 0.1, 0.04, turn=turn, plain=True)
    form.cone("black", (0, y + dy * bore, z + dz * bore), 0.015, muzzle * 0.74, muzzle * 0.74, turn=turn)


def _cannon(form: Form, style: str) -> None:
    match style:
        case "naval":
            half = form.between(0.74, 0.84)
            _barrel(form, -0.16, 0.76, 4, half, 0.31, 0.21)
            for side in SIDES:
                for y, z, long in ((0.1, 0.4, 0.72), (-0.14, 0.6, 0.48), (-0.32, 0.76, 0.3)):
                    form.box(SECOND, (side * 0.36, y, z), (0.12, long, 0.16), 0.03)
            form.box(SECOND, (0, 0.1, 0.34), (0.3, 0.66, 0.1))
            form.cone("grey", (0, -0.3, 0.74), 0.52, 0.1, 0.1, turn=SIDEWAYS)
            for y in (-0.38, 0.58):
                form.cone(SECOND, (0, y, 0.2), 0.58, 0.22, 0.22, 0.04, turn=SIDEWAYS)
                form.cone("grey", (0, y, 0.2), 0.62, 0.09, 0.09, turn=SIDEWAYS)
        case "short":
            half = form.between(0.4, 0.46)
            _barrel(form, -0.04, 0.84, 52, half, 0.4, 0.36)
            form.frustum(SECOND, (0, 0.04, 0.16), 0.18, (0.62, 0.74), (0.52, 0.64))
            for side in SIDES:
                form.frustum(SECOND, (side * 0.46, 0.06, 0.56), 0.3, (0.12, 0.44), (0.12, 0.2))
            form.cone("grey", (0, 0.06, 0.68), 0.63, 0.13, 0.13, turn=SIDEWAYS)
        case _:
            half, wheel = form.between(0.74, 0.84), form.between(0.5, 0.56)
            _barrel(form, -0.26, wheel + 0.3, 12, half, 0.26, 0.17)
            for side in SIDES:
                form.frustum(SECOND, (side * 0.25, -0.02, wheel + 0.08), 0.22, (0.09, 0.34), (0.09, 0.2))
            form.rod(SECOND, (0, 0, wheel - 0.02), (0, 1.04, 0.13), 0.14)
            form.cone("grey", (0, 0.96, 0.19), 0.09, 0.19, 0.19, 0.03, turn=FORWARD)
            _spoked(form, 0.48, 0, wheel, 0.09)


def _cart(form: Form, style: str) -> None:
    match style:
        case "covered":
            half, cover = form.between(0.7, 0.78), form.between(0.42, 0.46)
            form.frustum(MAIN, (0, 0, 0.6), 0.2, (0.38, half - 0.08), (0.44, half), plain=True)
            form.box(SECOND, (0, 0, 0.78), (0.5, half + 0.06, 0.07), 0.03)
            for end in SIDES:
                lips = cover + 0.07 + 0.07 * end, cover + 0.07 - 0.07 * end
                form.cone(MAIN, (0, end * half * 0.58, 1.04), half * 0.6, *lips, 0.03, turn=FORWARD)
                form.cone("black", (0, end * (half * 1.18 + 0.01), 1.06), 0.01, cover, cover, turn=FORWARD)
            form.rod(SECOND, (0, -0.3, 0.36), (0, -half - 0.6, 0.3), 0.08)
            _spoked(form, 0.56, -0.48, 0.32)
            _spoked(form, 0.56, 0.44, 0.42)
        case "mining":
            high, long = form.between(0.3, 0.36), form.between(0.6, 0.68)
            top = 0.34 + 2 * high
            form.box("grey", (0, 0, 0.3), (0.3, long - 0.06, 0.08), 0.02)
            form.frustum(MAIN, (0, 0, 0.34 + high), high, (0.36, long - 0.14), (0.5, long + 0.06))
            form.ellipsoid("black", (0, 0, top), (0.4, long - 0.06, 0.22))
            for x, y, z, radius in ((-0.16, -0.24, 0.14, 0.17), (0.14, 0.02, 0.2, 0.19), (-0.1, 0.3, 0.14, 0.16)):
                form.ball("black", (x, y, top + z), radius)
            for end in SIDES:
                form.box(SECOND, (end * 0.49, 0, top - 0.02), (0.08, long + 0.13, 0.08), 0.03)
                form.box(SECOND, (0, end * (long + 0.05), top - 0.02), (0.5, 0.08, 0.08), 0.03)
                form.cone(SECOND, (0, end * (long - 0.26), 0.23), 0.47, 0.23, 0.23, 0.03, turn=SIDEWAYS)
                form.cone("grey", (0, end * (long - 0.26), 0.23), 0.51, 0.1, 0.1, turn=SIDEWAYS)
                form.rod("grey", (0, end * long * 0.8, 0.32), (0, end * (long + 0.18), 0.32), 0.09)
        case _:
            half, wheel = form.between(0.56, 0.64), form.between(0.42, 0.48)
            form.box(MAIN, (0, 0.24, wheel + 0.02), (0.42, half, 0.07), 0.02, plain=True)
            for end in SIDES:
                form.box(MAIN, (end * 0.36, 0.24, wheel + 0.24), (0.07, half, 0.24), 0.03)
                form.box(MAIN, (0, 0.24 + end * (half - 0.07), wheel + 0.24), (0.42, 0.07, 0.24), 0.03)
                form.rod(MAIN, (end * 0.3, 0.3, wheel), (end * 0.3, -1.02, wheel + 0.16), 0.08, plain=True)
            form.rod(MAIN, (-0.36, -1.02, wheel + 0.16), (0.36, -1.02, wheel + 0.16), 0.085, plain=True)
            form.rod(MAIN, (0, 0.3 - half, wheel), (0, 0.16 - half, 0.08), 0.08, plain=True)
            _spoked(form, 0.56, 0.24, wheel, 0.09)


def _submarine(form: Form, style: str) -> None:
    if style == "long":
        radius, half = form.between(0.32, 0.36), form.between(0.74, 0.84)
        stern, screw = half + 0.24, half + 0.56
        form.rod(MAIN, (0, -half, 0), (0, half - 0.2, 0), radius)
        form.cone(MAIN, (0, half + 0.12, 0), 0.4, 0.1, radius * 0.95, 0.03, turn=FORWARD)
        form.frustum(SECOND, (0, -0.24, radius + 0.16), 0.24, (0.17, 0.36), (0.14, 0.28))
        form.box(SECOND, (0, -0.3, radius + 0.2), (0.42, 0.13, 0.06), 0.03)
        form.rod("grey", (0, -0.2, radius + 0.36), (0, -0.2, radius + 0.66), 0.065)
        form.box(SECOND, (0, 0, -radius + 0.04), (0.14, half - 0.1, 0.1), 0.04)
        for y in (-0.66, -0.24, 0.18):
            form.cone("black", (0, y, 0.06), radius, 0.09, 0.09, turn=SIDEWAYS)
    else:
        radius, half = form.between(0.52, 0.58), form.between(0.78, 0.86)
        stern, screw = half - 0.06, half + 0.12
        form.ellipsoid(MAIN, (0, 0, 0), (radius, half, radius))
        form.cone(SECOND, (0, -0.06, radius + 0.08), 0.2, 0.3, 0.26, 0.05)
        form.rod("grey", (0, 0.0, radius + 0.2), (0, 0.0, radius + 0.52), 0.08)
        form.rod("grey", (0, 0.0, radius + 0.52), (0, -0.24, radius + 0.52), 0.08)
        for y in (-0.3, 0.16):
            form.cone(SECOND, (0, y, 0.08), radius + 0.05, 0.19, 0.19, 0.04, turn=SIDEWAYS)
            form.cone("black", (0, y, 0.08), radius + 0.065, 0.12, 0.12, turn=SIDEWAYS)
        form.cone(SECOND, (0, 0.06 - half, 0.06), 0.12, 0.26, 0.24, 0.04, turn=FORWARD)
        form.cone("black", (0, -half - 0.06, 0.06), 0.02, 0.16, 0.16, turn=FORWARD)
    for turn in (0, 90, 180, 270):
        fin = (0.3 * sin(radians(turn)), stern, 0.3 * cos(radians(turn)))
        form.frustum(SECOND, fin, 0.25, (0.08, 0.24), (0.07, 0.14), turn=(0, turn, 0))
    form.rod("grey", (0, screw - 0.2, 0), (0, screw + 0.06, 0), 0.09)
    for turn in (35, 125):
        form.ellipsoid("grey", (0, screw, 0), (0.32, 0.07, 0.12), turn=(0, turn, 0))


def _bike_wheel(form: Form, y: float, radius: float, half_width: float = 0.12) -> None:
    form.cone("black", (0, y, radius), half_width, radius, radius, 0.06, turn=SIDEWAYS)
    form.cone(SECOND, (0, y, radius), half_width + 0.03, radius * 0.68, radius * 0.68, turn=SIDEWAYS)
    form.cone("grey", (0, y, radius), half_width + 0.07, radius * 0.24, radius * 0.24, turn=SIDEWAYS)


def _motorbike(form: Form, style: str) -> None:
    match style:
        case "long":
            front, high = form.between(-1.06, -0.98), form.between(1.2, 1.28)
            _bike_wheel(form, front, 0.36)
            _bike_wheel(form, 0.56, 0.4, 0.17)
            form.ring(MAIN, (0, 0.56, 0.4), 0.46, 0.14, turn=OVERHEAD, half_angle_deg=70, plain=True)
            form.ring(MAIN, (0, front, 0.36), 0.42, 0.1, turn=OVERHEAD, half_angle_deg=50, plain=True)
            for side in SIDES:
                form.rod("grey", (side * 0.16, front, 0.36), (side * 0.16, -0.44, 0.98), 0.065)
                form.rod("grey", (side * 0.16, -0.44, 0.96), (side * 0.34, -0.3, high), 0.065)
                form.rod("black", (side * 0.34, -0.3, high), (side * 0.42, -0.12, high - 0.02), 0.08)
                form.rod("grey", (side * 0.2, -0.1, 0.24), (side * 0.24, 0.94, 0.28), 0.09)
            form.ball("yellow", (0, -0.6, 0.94), 0.15, glow=0.3)
            form.ellipsoid(MAIN, (0, -0.2, 0.86), (0.27, 0.42, 0.25), turn=(14, 0, 0))
            form.rod(MAIN, (0, -0.44, 0.84), (0, -0.16, 0.36), 0.13, plain=True)
            form.box("grey", (0, 0.02, 0.42), (0.18, 0.26, 0.2), 0.08)
            form.ellipsoid(SECOND, (0, 0.32, 0.86), (0.24, 0.34, 0.13), turn=(-8, 0, 0))
            form.rod(SECOND, (0, 0.66, 0.92), (0, 0.78, 1.2), 0.13)
        case "city":
            front, rear = form.between(-0.74, -0.66), form.between(0.46, 0.54)
            _bike_wheel(form, front, 0.3)
            _bike_wheel(form, rear, 0.3)
            form.ellipsoid(MAIN, (0, front + 0.02, 0.5), (0.2, 0.34, 0.2), plain=True)
            form.frustum(MAIN, (0, front + 0.22, 0.7), 0.44, (0.34, 0.09), (0.22, 0.1), turn=(-16, 0, 0))
            form.box(MAIN, (0, -0.1, 0.29), (0.28, 0.46, 0.08), 0.05, plain=True)
            form.ellipsoid(MAIN, (0, rear - 0.04, 0.58), (0.32, 0.48, 0.3))
            form.box(SECOND, (0, rear - 0.12, 0.9), (0.22, 0.42, 0.12), 0.09)
            form.box(MAIN, (0, front + 0.32, 1.14), (0.17, 0.15, 0.15), 0.1, plain=True)
            form.ball("yellow", (0, front + 0.2, 1.14), 0.13, glow=0.3)
            form.rod("black", (-0.44, front + 0.38, 1.2), (0.44, front + 0.38, 1.2), 0.08)
            form.ball("red", (0, rear + 0.44, 0.6), 0.1, glow=0.2)
        case _:
            wheel, tail = form.between(0.36, 0.4), form.between(0.98, 1.06)
            _bike_wheel(form, -0.68, wheel)
            _bike_wheel(form, 0.62, wheel, 0.15)
            for side in SIDES:
                form.rod("grey", (side * 0.2, -0.68, wheel), (side * 0.2, -0.42, 0.9), 0.07)
            form.rod("black", (-0.42, -0.3, 1.0), (0.42, -0.3, 1.0), 0.08)
            form.ellipsoid(MAIN, (0, -0.62, 0.86), (0.26, 0.3, 0.28), turn=(30, 0, 0))
            form.frustum("black", (0, -0.52, 1.12), 0.14, (0.18, 0.16), (0.12, 0.06), turn=(-30, 0, 0))
            form.ball("yellow", (0, -0.88, 0.84), 0.12, glow=0.3)
            form.box(MAIN, (0, -0.2, 0.54), (0.24, 0.36, 0.24), 0.12)
            form.ellipsoid(MAIN, (0, -0.12, 0.84), (0.24, 0.34, 0.22))
            form.box("grey", (0, 0.14, 0.4), (0.18, 0.3, 0.14), 0.06)
            form.box(SECOND, (0, 0.4, 0.86), (0.22, 0.32, 0.12), 0.09, turn=(10, 0, 0))
            form.frustum(MAIN, (0, tail - 0.32, 0.92), 0.32, (0.08, 0.08), (0.2, 0.15), turn=(106, 0, 0), plain=True)
            form.rod("grey", (0.24, 0.2, 0.34), (0.26, 0.86, 0.5), 0.09)
            form.ball("red", (0, tail, 1.0), 0.1, glow=0.2)


def _digger(form: Form, style: str) -> None:
    match style:
        case "bladed":
            front, wide = form.between(-1.14, -1.06), form.between(0.68, 0.76)
            _tracks(form, "grey", 0.44, -0.56 - front, 0.3, 0.19)
            form.box(MAIN, (0, -0.24, 0.72), (0.32, -0.54 - front, 0.28), 0.07)
            form.box(MAIN, (0, 0.4, 0.7), (0.42, 0.32, 0.22), 0.05)
            _cab(form, (0, 0.36, 1.16), (0.36, 0.32, 0.3))
            form.rod("black", (0, -0.4, 0.9), (0, -0.4, 1.3), 0.08)
            for side in SIDES:
                form.rod(SECOND, (side * 0.68, 0.1, 0.34), (side * 0.56, front + 0.08, 0.34), 0.09)
            form.box(SECOND, (0, front, 0.42), (wide, 0.09, 0.26), 0.03)
            for end in SIDES:
                form.box(SECOND, (0, front - 0.06, 0.42 + 0.28 * end), (wide, 0.08, 0.15), 0.03, turn=(28 * end, 0, 0))
        case "wheeled":
            wheel, lift = form.between(0.36, 0.4), form.between(0.86, 1.0)
            for y in (-0.42, 0.56):
                _axle(form, "grey", 0.44, y, wheel, 0.16)
            form.box(MAIN, (0, 0.56, 0.76), (0.36, 0.46, 0.28), 0.09)
            form.box(MAIN, (0, -0.3, 0.56), (0.28, 0.44, 0.2), 0.05, plain=True)
            _cab(form, (0, 0.1, 1.12), (0.34, 0.32, 0.36))
            form.box(SECOND, (0, -1.12, lift), (0.6, 0.08, 0.26), 0.03, turn=(-12, 0, 0))
            form.box(SECOND, (0, -1.32, lift - 0.26), (0.6, 0.28, 0.07), 0.03)
            for side in SIDES:
                form.rod(SECOND, (side * 0.26, -0.2, 0.74), (side * 0.26, -1.0, lift), 0.1)
                form.frustum(SECOND, (side * 0.54, -1.26, lift - 0.06), 0.22, (0.07, 0.26), (0.07, 0.12))
        case _:
            half, high = form.between(0.46, 0.52), form.between(1.52, 1.64)
            _tracks(form, "grey", 0.42, half, 0.25, 0.18)
            form.cone("grey", (0, 0, 0.52), 0.08, 0.3, 0.3)
            form.box(MAIN, (0, 0.14, 0.72), (0.5, 0.56, 0.16), 0.06)
            form.box(MAIN, (0, 0.56, 0.92), (0.48, 0.24, 0.2), 0.09)
            _cab(form, (0.24, -0.04, 1.12), (0.26, 0.32, 0.32))
            form.rod(SECOND, (-0.22, -0.16, 0.84), (-0.22, -0.4, 1.36), 0.15)
            form.rod(SECOND, (-0.22, -0.4, 1.36), (-0.22, -0.9, high), 0.14)
            form.rod(SECOND, (-0.22, -0.9, high), (-0.22, -1.28, 0.8), 0.13)
            form.rod("grey", (-0.22, -0.42, 0.82), (-0.22, -0.74, 1.36), 0.065)
            form.frustum(SECOND, (-0.22, -1.2, 0.54), 0.28, (0.28, 0.16), (0.32, 0.28), turn=(-30, 0, 0))
            for k in (-1, 0, 1):
                form.cone("grey", (-0.22 + 0.2 * k, -1.0, 0.24), 0.14, 0.04, 0.08, turn=(-30, 0, 0))


CATEGORIES: dict[str, Category] = {
    "tractor": Category(
        build=_tractor,
        main="body",
        second="wheels",
        styles=("modern", "vintage", "tracked"),
        natural=("green", "yellow"),
    ),
    "spaceship": Category(
        build=_spaceship,
        main="hull",
        second="cockpit",
        styles=("round", "winged", "bulky"),
        natural=("grey", "teal"),
        synonyms=("spacecraft", "starship"),
    ),
    "tank": Category(
        build=_tank,
        main="hull",
        second="turret",
        styles=("battle", "tall", "vintage"),
        natural=("green", "beige"),
        synonyms=("panzer",),
    ),
    "cannon": Category(
        build=_cannon,
        main="barrel",
        second="carriage",
        styles=("wheeled", "naval", "short"),
        natural=("grey", "brown"),
        synonyms=("howitzer", "artillery"),
    ),
    "cart": Category(
        build=_cart,
        main="body",
        second="wheels",
        styles=("open", "covered", "mining"),
        natural=("beige", "brown"),
        synonyms=("wagon", "trolley"),
    ),
    "submarine": Category(
        build=_submarine,
        main="hull",
        second="fins",
        styles=("round", "long"),
        natural=("yellow", "red"),
        synonyms=("submersible",),
    ),
    "motorbike": Category(
        build=_motorbike,
        main="body",
        second="wheels",
        styles=("sports", "long", "city"),
        natural=("red", "beige"),
        synonyms=("motorcycle",),
    ),
    "digger": Category(
        build=_digger,
        main="body",
        second="shovel",
        styles=("long-armed", "bladed", "wheeled"),
        natural=("yellow", "grey"),
        synonyms=("excavator", "backhoe"),
    ),
}
