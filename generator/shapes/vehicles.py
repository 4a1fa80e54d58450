"""Things that drive, float and fly. All of them look towards -y."""

import numpy as np

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, Form


def _axle(form: Form, half_track: float, y: float, radius: float) -> None:
    """Add a pair of wheels whose tread stands on z = 0, and their hubs."""
    for side in SIDES:
        form.cone("black", (side * half_track, y, radius), 0.1, radius, radius, 0.03, turn=SIDEWAYS)
    form.cone("grey", (0, y, radius), half_track + 0.13, radius * 0.5, radius * 0.5, turn=SIDEWAYS)


def _cabin(form: Form, y: float, floor: float, half_height: float, bottom, top) -> None:
    """Add a car's cabin with panes on all four sides."""
    z = floor + half_height
    form.frustum(SECOND, (0, y, z), half_height, bottom, top)
    glass = half_height * 0.72
    form.frustum(
        "black", (0, y, z - 0.03), glass, (bottom[0] * 0.82, bottom[1] * 0.97 + 0.02), (top[0] * 0.86, top[1] + 0.05)
    )
    form.frustum(
        "black",
        (0, y, z - 0.03),
        glass * 0.9,
        (bottom[0] * 0.97 + 0.02, bottom[1] * 0.6),
        (top[0] + 0.03, top[1] * 0.7),
    )


def _car(form: Form, style: str) -> None:
    match style:
        case "sports":
            width, length = form.between(0.48, 0.54), form.between(0.98, 1.1)
            form.box(MAIN, (0, 0.12, 0.34), (width, length - 0.12, 0.19), 0.09)
            form.frustum(MAIN, (0, -length + 0.1, 0.29), 0.28, (width, 0.19), (width * 0.85, 0.1), turn=FORWARD)
            _cabin(form, 0.15, 0.5, form.between(0.15, 0.19), (width * 0.92, 0.6), (width * 0.68, 0.28))
            for side in SIDES:
                form.box(SECOND, (side * width * 0.7, length - 0.12, 0.6), (0.05, 0.08, 0.14))
            form.box(SECOND, (0, length - 0.1, 0.76), (width, 0.16, 0.06))
            track, front, rear, wheel, lamps = width - 0.02, -0.62, 0.62, 0.24, (-length - 0.14, 0.32)
        case "vintage":
            width, length = form.between(0.36, 0.42), form.between(0.85, 1.0)
            form.box(MAIN, (0, 0.3, 0.5), (width + 0.05, length - 0.3, 0.22), 0.08)
            form.box(MAIN, (0, -0.45, 0.52), (width * 0.7, length - 0.45, 0.2), 0.1)
            form.box("grey", (0, -length, 0.5), (width * 0.55, 0.04, 0.17), 0.03)
            _cabin(form, 0.36, 0.68, form.between(0.22, 0.28), (width, 0.42), (width * 0.92, 0.36))
            for side in SIDES:
                for y in (-length * 0.66, length * 0.66):
                    form.ellipsoid(MAIN, (side * (width + 0.05), y, 0.4), (0.15, 0.36, 0.24), plain=True)
                form.box(MAIN, (side * (width + 0.05), 0, 0.27), (0.11, 0.45, 0.04), plain=True)
            track, front, rear, wheel, lamps = width + 0.06, -length * 0.66, length * 0.66, 0.27, (-length + 0.03, 0.62)
        case _:
            width, length = form.between(0.44, 0.5), form.between(0.66, 0.76)
            form.box(MAIN, (0, 0, 0.44), (width, length, 0.27), 0.16)
            _cabin(form, 0.1, 0.66, form.between(0.21, 0.26), (width * 0.94, 0.54), (width * 0.78, 0.4))
            track, front, rear, wheel, lamps = width - 0.02, -0.4, 0.42, 0.22, (-length, 0.5)
    _axle(form, track, front, wheel)
    _axle(form, track, rear, wheel)
    for side in SIDES:
        form.ball("yellow", (side * width * 0.66, *lamps), 0.1, glow=0.25)


def _truck(form: Form, style: str) -> None:
    cab_height = form.between(0.4, 0.48)
    form.box("black", (0, 0, 0.32), (0.3, 1.1, 0.08))
    form.box(SECOND, (0, -0.82, 0.36 + cab_height), (0.44, 0.34, cab_height), 0.07)
    form.box("black", (0, -0.84, 0.5 + cab_height * 1.2), (0.36, 0.345, cab_height * 0.36), 0.03)
    form.box("black", (0, -0.86, 0.5 + cab_height * 1.2), (0.45, 0.18, cab_height * 0.32), 0.03)
    form.box("grey", (0, -1.16, 0.34), (0.42, 0.06, 0.1), 0.03)
    for side in SIDES:
        form.box(SECOND, (side * 0.44, 0.6, 0.46), (0.12, 0.66, 0.07), 0.03)
    form.box(SECOND, (0, 1.24, 0.42), (0.56, 0.08, 0.12), 0.03)
    for side in SIDES:
        form.ball("yellow", (side * 0.3, -1.16, 0.54), 0.08, glow=0.25)
    match style:
        case "tanker":
            radius = form.between(0.52, 0.6)
            form.rod(MAIN, (0, 0.1, 0.46 + radius), (0, 0.68, 0.46 + radius), radius)
            form.cone("grey", (0, 0.4, 0.48 + 2 * radius), 0.07, 0.16, 0.16)
        case "dump":
            height = form.between(0.34, 0.4)
            form.frustum(MAIN, (0, 0.4, 0.44 + height), height, (0.42, 0.6), (0.68, 0.84))
            form.box(MAIN, (0, -0.5, 0.5 + 2 * height), (0.68, 0.14, 0.14), 0.03)
            form.ellipsoid("brown", (0, 0.42, 0.44 + 2 * height), (0.56, 0.72, 0.2))
        case _:
            height = form.between(0.56, 0.64)
            form.box(MAIN, (0, 0.38, 0.46 + height), (0.58, 0.78, height), 0.03)
    _axle(form, 0.4, -0.76, 0.25)
    _axle(form, 0.4, 0.32, 0.25)
    _axle(form, 0.4, 0.88, 0.25)


def _boat(form: Form, style: str) -> None:
    beam, depth = form.between(0.46, 0.54), form.between(0.54, 0.64)
    form.shell(MAIN, (0, 0, 0), (beam, 1.0, depth), 0.04)
    form.ellipsoid("brown", (0, 0, -0.08), (beam * 0.94, 0.94, 0.06))
    match style:
        case "viking":
            for end in SIDES:
                form.ring(MAIN, (0, end * 0.68, 0.3), 0.4, 0.09, turn=(90, 0, 90 * end), half_angle_deg=55)
            form.rod("brown", (0, 0.1, -0.1), (0, 0.1, 1.3), 0.06)
            form.frustum(SECOND, (0, -0.06, 0.74), 0.13, (0.62, 0.42), (0.44, 0.28), turn=FORWARD)
            form.rod("brown", (-0.6, 0.08, 1.18), (0.6, 0.08, 1.18), 0.05)
            for side in SIDES:
                for y in (-0.42, 0.0, 0.42):
                    x = side * beam * float(np.sqrt(1 - y * y))
                    form.ellipsoid(SECOND, (x, y, -0.06), (0.09, 0.17, 0.17), turn=(0, 0, -side * y * 40))
        case "pirate":
            form.box(MAIN, (0, 0.72, 0.1), (beam * 0.72, 0.24, 0.22), 0.04)
            form.rod("brown", (0, -0.85, 0.0), (0, -1.25, 0.22), 0.06)
            for y, height in ((-0.36, 1.0), (0.3, 1.25)):
                form.rod("brown", (0, y, -0.1), (0, y, height + 0.12), 0.05)
                for z, half_width, half_height in ((0.36, 0.54, 0.24), (0.84, 0.4, 0.17)):
                    bottom, top = (half_width, height * half_height), (half_width * 0.7, height * half_height * 0.65)
                    form.frustum(SECOND, (0, y - 0.08, height * z), 0.12, bottom, top, turn=FORWARD)
            form.box("black", (0, 0.44, 1.4), (0.05, 0.16, 0.1))
        case _:
            height = form.between(1.15, 1.4)
            form.rod("brown", (0, -0.12, -0.1), (0, -0.12, height), 0.055)
            swung = np.radians(28.0)
            along = (float(np.sin(swung)), float(np.cos(swung)))
            for reach, half_height, half_length in ((0.4, height * 0.4, 0.38), (-0.32, height * 0.3, 0.28)):
                center = (along[0] * reach, -0.12 + along[1] * reach, 0.14 + half_height)
                form.frustum(SECOND, center, half_height, (0.1, half_length), (0.04, 0.03), turn=(0, 0, -28))


def _wing(form: Form, root, span: float, chords: tuple[float, float], sweep_deg: float, thickness=0.085) -> None:
    """Add a pair of tapered wings; `root` is where the right one (+x) leaves the body, chords are halves."""
    for side in SIDES:
        angle = np.radians(sweep_deg)
        center = (side * (root[0] + span / 2 * np.cos(angle)), root[1] + span / 2 * np.sin(angle), root[2])
        turn = (0, side * 90, side * sweep_deg)
        form.frustum(SECOND, center, span / 2, (thickness, chords[0]), (thickness * 0.7, chords[1]), turn=turn)


def _plane(form: Form, style: str) -> None:
    match style:
        case "jet":
            radius = form.between(0.29, 0.34)
            form.cone(MAIN, (0, 0.3, 0), 0.68, radius * 1.1, radius, 0.05, turn=FORWARD)
            form.cone(MAIN, (0, -0.72, 0), 0.38, radius * 0.99, 0.03, turn=FORWARD)
            _wing(form, (0.1, 0.05, -0.04), form.between(0.8, 0.95), (0.42, 0.12), 30)
            for side in SIDES:
                form.frustum(SECOND, (side * 0.3, 0.76, 0.4), 0.28, (0.08, 0.26), (0.06, 0.14), turn=(0, side * 22, 0))
            form.ellipsoid("black", (0, -0.4, radius * 0.8), (0.15, 0.34, 0.17))
            form.cone("orange", (0, 1.0, 0), 0.06, radius * 0.75, radius * 0.75, turn=FORWARD, glow=0.3)
        case "passenger":
            radius = form.between(0.29, 0.34)
            form.rod(MAIN, (0, -0.82, 0), (0, 0.5, 0), radius)
            form.cone(MAIN, (0, 0.78, 0.06), 0.36, 0.07, radius * 0.97, turn=(97, 0, 0))
            _wing(form, (0.1, -0.18, -0.1), form.between(0.85, 1.0), (0.28, 0.14), 24)
            _wing(form, (0.02, 0.86, 0.12), 0.5, (0.18, 0.1), 24)
            form.frustum(SECOND, (0, 0.92, 0.42), 0.32, (0.085, 0.26), (0.07, 0.15), turn=(-14, 0, 0))
            for side in SIDES:
                form.cone("grey", (side * 0.56, -0.1, -0.28), 0.22, 0.11, 0.14, 0.03, turn=FORWARD)
            form.box("black", (0, -0.15, 0.1), (radius * 0.96, 0.6, 0.035))
            form.box("black", (0, -1.0, 0.12), (radius * 0.74, 0.07, 0.06))
        case _:
            radius = form.between(0.3, 0.36)
            form.ellipsoid(MAIN, (0, 0.12, 0), (radius, 1.0, radius))
            form.cone(MAIN, (0, -0.6, 0), 0.24, radius * 0.9, radius * 0.84, 0.06, turn=FORWARD)
            _wing(form, (0.1, -0.28, 0.02), form.between(0.9, 1.05), (0.28, 0.22), 0)
            _wing(form, (0.02, 0.88, 0.06), 0.46, (0.18, 0.13), 0)
            form.frustum(SECOND, (0, 0.92, 0.32), 0.26, (0.085, 0.22), (0.07, 0.12))
            form.ellipsoid("black", (0, -0.06, radius * 0.82), (0.18, 0.28, 0.2))
            form.ball("yellow", (0, -0.88, 0), 0.13)
            form.box("grey", (0, -0.94, 0), (0.05, 0.03, 0.46), 0.02, turn=(0, 30, 0))
            for side in SIDES:
                form.rod("grey", (side * 0.2, -0.36, -0.2), (side * 0.3, -0.4, -0.46), 0.05)
                form.cone("black", (side * 0.32, -0.4, -0.5), 0.07, 0.15, 0.15, 0.03, turn=SIDEWAYS)


def _fins(form: Form, number: int, body: float, z: float, reach: float, chords: tuple[float, float]) -> None:
    """Add fins around a rocket, swept downward; chords are halves."""
    for azimuth in -45 + 360 * np.arange(number) / number:
        angle = np.radians(azimuth)
        center = ((body + reach * 0.4) * np.cos(angle), (body + reach * 0.4) * np.sin(angle), z)
        form.frustum(SECOND, center, reach / 2, (chords[0], 0.085), (chords[1], 0.07), turn=(0, 118, float(azimuth)))


def _rocket(form: Form, style: str) -> None:
    match style:
        case "retro":
            radius, half = form.between(0.4, 0.48), form.between(0.8, 0.95)
            form.ellipsoid(MAIN, (0, 0, half), (radius, radius, half))
            form.cone(SECOND, (0, 0, 1.74 * half), 0.3 * half, radius * 0.66, 0.03)
            form.ball(SECOND, (0, 0, 2.05 * half), 0.07)
            _fins(form, 4, radius * 0.62, 0.22 * half, 0.5, (0.34, 0.2))
            form.cone("grey", (0, 0, 0.04), 0.1, 0.24, 0.16)
            window = (0.0, -radius * 0.9, 1.2 * half)
        case "booster":
            radius, half = form.between(0.24, 0.28), form.between(0.8, 0.92)
            form.cone(MAIN, (0, 0, half), half, radius, radius)
            form.cone(SECOND, (0, 0, 2 * half + 0.2), 0.2, radius * 1.02, 0.04)
            for side in SIDES:
                form.cone(MAIN, (side * radius * 1.75, 0, half * 0.62), half * 0.62, 0.18, 0.18)
                form.cone(SECOND, (side * radius * 1.75, 0, half * 1.24 + 0.14), 0.14, 0.185, 0.03)
                form.cone("grey", (side * radius * 1.75, 0, -0.06), 0.08, 0.16, 0.1)
            _fins(form, 4, radius * 0.9, 0.16, 0.4, (0.2, 0.13))
            form.cone("grey", (0, 0, -0.06), 0.1, 0.22, 0.14)
            window = (0.0, -radius * 0.92, 1.5 * half)
        case _:
            radius, half = form.between(0.25, 0.3), form.between(0.8, 0.95)
            form.cone(MAIN, (0, 0, half), half, radius, radius)
            form.cone(SECOND, (0, 0, 2 * half + 0.26), 0.26, radius * 1.02, 0.03)
            _fins(form, 4, radius * 0.9, 0.2, 0.48, (0.3, 0.14))
            form.cone("grey", (0, 0, -0.06), 0.1, 0.24, 0.15)
            window = (0.0, -radius * 0.92, 1.5 * half)
    form.ellipsoid("white", window, (0.17, 0.08, 0.17))
    form.ellipsoid("black", (window[0], window[1] - 0.04, window[2]), (0.12, 0.07, 0.12))


CATEGORIES: dict[str, Category] = {
    "car": Category(
        build=_car,
        main="body",
        second="cabin",
        styles=("sports", "vintage", "compact"),
        natural=("red", "black"),
        synonyms=("automobile", "auto", "vehicle"),
    ),
    "truck": Category(
        build=_truck,
        main="container",
        second="cab",
        styles=("delivery", "tanker", "dump"),
        natural=("white", "blue"),
        synonyms=("lorry", "van"),
    ),
    "boat": Category(
        build=_boat,
        main="hull",
        second="sails",
        styles=("sailing", "viking", "pirate"),
        natural=("brown", "white"),
        synonyms=("sailboat", "ship", "yacht"),
    ),
    "plane": Category(
        build=_plane,
        main="body",
        second="wings",
        styles=("propeller", "jet", "passenger"),
        natural=("white", "blue"),
        synonyms=("airplane", "aeroplane", "aircraft"),
    ),
    "rocket": Category(
        build=_rocket,
        main="body",
        second="fins",
        styles=("slender", "retro", "booster"),
        natural=("white", "red"),
        synonyms=("missile",),
    ),
}
