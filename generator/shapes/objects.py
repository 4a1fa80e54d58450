"""Props of games and tales: arms, treasure and what it is kept in."""

import numpy as np

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, SIDEWAYS, UPRIGHT, Form, Vector


def _sword(form: Form, style: str) -> None:
    """Stand it upright on its pommel, the flat of the blade to the front."""
    thick = 0.13
    match style:
        case "curved":
            bend, x, z, lean = form.between(9, 12), 0.0, 0.0, -8.0
            for width in (0.24, 0.26, 0.29, 0.31):
                angle = np.radians(lean)
                step = (0.17 * float(np.sin(angle)), 0.17 * float(np.cos(angle)))
                center = (x + step[0], 0, z + step[1])
                form.frustum(MAIN, center, 0.215, (width, thick), (width + 0.02, thick), turn=(0, lean, 0))
                x, z, lean = x + 2 * step[0], z + 2 * step[1], lean + bend
            angle = np.radians(lean)
            center = (x + 0.24 * float(np.sin(angle)), 0, z + 0.24 * float(np.cos(angle)))
            form.frustum(MAIN, center, 0.26, (0.32, thick), (0.02, thick * 0.6), turn=(0, lean, 0))
            guard = 0.4
        case "short":
            width, half = form.between(0.27, 0.32), form.between(0.34, 0.42)
            form.frustum(MAIN, (0, 0, half), half, (width * 0.9, thick), (width * 1.15, thick))
            form.frustum(MAIN, (0, 0, 2 * half + 0.2), 0.2, (width * 1.15, thick), (0.02, thick * 0.5))
            guard = 0.36
        case _:
            width, half = form.between(0.26, 0.31), form.between(0.6, 0.7)
            form.frustum(MAIN, (0, 0, half), half, (width, thick), (width * 0.9, thick))
            form.frustum(MAIN, (0, 0, 2 * half + 0.13), 0.13, (width * 0.9, thick), (0.02, thick * 0.5))
            guard = 0.52
    form.box(SECOND, (0, 0, 0), (guard, 0.15, 0.1), 0.05)
    for side in SIDES:
        form.ball(SECOND, (side * guard, 0, 0.02), 0.15)
    form.cone(SECOND, (0, 0, -0.26), 0.22, 0.13, 0.12, 0.03)
    form.ball(SECOND, (0, 0, -0.52), 0.19)


def _shield(form: Form, style: str) -> None:
    """Turn the face to the front; the grip is behind."""
    match style:
        case "round":
            radius = form.between(0.85, 0.98)
            form.ellipsoid(MAIN, (0, 0, 0), (radius, radius, 0.28), turn=FORWARD)
            form.ring(SECOND, (0, 0, 0), radius * 0.97, 0.11, turn=FORWARD)
            form.ellipsoid(SECOND, (0, -0.27, 0), (0.26, 0.15, 0.26))
            back = 0.28
        case "kite":
            width, point = form.between(0.62, 0.7), form.between(0.46, 0.54)
            for slot, share, half_thick in ((SECOND, 1.0, 0.1), (MAIN, 0.83, 0.19)):
                form.frustum(
                    slot, (0, 0, -point * share), point * share, (0.02, half_thick), (width * share, half_thick)
                )
                form.box(slot, (0, 0, 0.3 * share), (width * share, half_thick, 0.3 * share + 0.005), 0.01)
                # A little before the box: of two faces in one place neither would be in front everywhere.
                form.cone(slot, (0, 0, 0.6 * share), half_thick + 0.006, width * share, width * share, turn=FORWARD)
            form.ellipsoid(SECOND, (0, -0.19, 0.12), (0.2, 0.12, 0.2))
            back = 0.19
        case _:
            width, half = form.between(0.5, 0.58), form.between(0.85, 0.98)
            form.box(SECOND, (0, 0, 0), (width, 0.1, half), 0.04)
            form.box(MAIN, (0, 0, 0), (width - 0.12, 0.2, half - 0.12), 0.03)
            form.ellipsoid(SECOND, (0, -0.2, 0), (0.22, 0.15, 0.22))
            back = 0.2
    form.box("brown", (0, back + 0.1, 0), (0.28, 0.06, 0.08), 0.03)
    for side in SIDES:
        form.box("brown", (side * 0.26, back + 0.03, 0), (0.07, 0.12, 0.08), 0.03)


def _chest(form: Form, style: str) -> None:
    width, depth, half = form.between(0.68, 0.8), form.between(0.44, 0.52), form.between(0.33, 0.39)
    form.box(MAIN, (0, 0, half), (width, depth, half), 0.03)
    top = 2 * half
    match style:
        case "open":
            form.ellipsoid("yellow", (0, 0, top), (width * 0.88, depth * 0.84, 0.2), glow=0.1)
            for x, y in ((-0.4, -0.2), (0.1, -0.28), (0.42, -0.08), (-0.1, 0.08)):
                form.ball("yellow", (x * width, y, top + 0.14), 0.13, glow=0.1)
            form.ball("red", (-0.2 * width, -0.26, top + 0.16), 0.1)
            # The lid stands up behind on its hinge, its hollow to the front.
            form.box(SECOND, (0, depth + 0.12, top + depth * 0.86), (width, 0.14, depth * 0.9), 0.1, turn=(-16, 0, 0))
            lid_half = 0.0
        case "flat":
            lid_half = form.between(0.14, 0.18)
            form.box(SECOND, (0, 0, top + lid_half), (width * 1.05, depth * 1.07, lid_half), 0.05)
        case _:
            lid_half = depth * 0.5
            form.cone(SECOND, (0, 0, top), width * 0.99, depth * 0.99, depth * 0.99, 0.03, turn=SIDEWAYS)
            form.box(SECOND, (0, 0, top + 0.02), (width * 1.03, depth * 1.04, 0.07), 0.03)
    for side in SIDES:
        x = side * width * 0.72
        form.box("grey", (x, 0, half), (0.07, depth + 0.03, half + 0.01), 0.02)
        if style == "rounded":
            form.cone("grey", (x, 0, top), 0.07, depth + 0.03, depth + 0.03, turn=SIDEWAYS)
        elif style == "flat":
            form.box("grey", (x, 0, top + lid_half), (0.07, depth * 1.07 + 0.03, lid_half + 0.03), 0.02)
    form.box("yellow", (0, -depth - 0.04, top - 0.06), (0.15, 0.07, 0.15), 0.03)
    form.ball("black", (0, -depth - 0.1, top - 0.06), 0.055)


def _barrel(form: Form, style: str) -> None:
    half = form.between(0.66, 0.78)
    match style:
        case "straight":
            radius = form.between(0.5, 0.58)
            form.cone(MAIN, (0, 0, half), half, radius, radius, 0.02)
            for z in (0.09, 1.0, 1.91):
                _hoop(form, (0, 0, z * half), radius * 1.07)
            form.cone(SECOND, (radius * 0.45, 0, 2 * half + 0.02), 0.06, 0.12, 0.12)
        case "lying":
            end, belly = form.between(0.42, 0.48), form.between(0.58, 0.64)
            z = belly + 0.12
            form.cone(MAIN, (-half / 2, 0, z), half / 2, end, belly, turn=SIDEWAYS)
            form.cone(MAIN, (half / 2, 0, z), half / 2, belly, end, turn=SIDEWAYS)
            for side in SIDES:
                _hoop(form, (side * half * 0.88, 0, z), end * 1.1 + 0.02, SIDEWAYS)
                _hoop(form, (side * half * 0.38, 0, z), end + (belly - end) * 0.62 + 0.05, SIDEWAYS)
                form.box("brown", (side * half * 0.6, 0, 0.1), (0.1, 0.52, 0.16), 0.03)
            form.cone("brown", (0, -belly - 0.02, z), 0.08, 0.12, 0.1, turn=FORWARD)
        case _:
            end, belly = form.between(0.44, 0.5), form.between(0.6, 0.68)
            form.cone(MAIN, (0, 0, half / 2), half / 2, end, belly)
            form.cone(MAIN, (0, 0, half * 1.5), half / 2, belly, end)
            form.cone("brown", (0, 0, 2 * half - 0.02), 0.05, end * 0.88, end * 0.88)
            for z in (0.08, 0.6, 1.4, 1.92):
                _hoop(form, (0, 0, z * half), end + (belly - end) * (1 - abs(z - 1)) + 0.05)


def _hoop(form: Form, center: Vector, radius: float, turn: Vector = UPRIGHT) -> None:
    form.cone(SECOND, center, 0.07, radius, radius, 0.03, turn=turn)


def _crown(form: Form, style: str) -> None:
    radius, half = form.between(0.62, 0.7), form.between(0.26, 0.32)
    angles = -90 + 45 * np.arange(8)
    flare = 1.25 if style == "flared" else 1.02
    form.cup(MAIN, (0, 0, half), half, radius, radius * flare, 0.06)
    rim = radius * flare
    match style:
        case "arched":
            form.dome("purple", (0, 0, half * 1.4), (radius * 0.9, radius * 0.9, half * 2.2))
            for azimuth in (45, 135):
                form.ring(MAIN, (0, 0, half * 1.9), radius * 0.98, 0.1, turn=(90, -90, azimuth), half_angle_deg=90)
            top = half * 1.9 + radius
            form.ball(SECOND, (0, 0, top + 0.16), 0.19)
            tips = ()
        case "flared":
            tips = tuple((azimuth, half * 2 + 0.1, 0.17) for azimuth in angles)
        case _:
            height = form.between(0.26, 0.34)
            for azimuth in angles:
                angle = np.radians(azimuth)
                center = (
                    0.97 * rim * float(np.cos(angle)),
                    0.97 * rim * float(np.sin(angle)),
                    2 * half + height - 0.06,
                )
                form.frustum(MAIN, center, height, (0.07, 0.22), (0.05, 0.04), turn=(0, 0, float(azimuth)))
            tips = tuple((azimuth, 2 * half + 2 * height, 0.13) for azimuth in angles)
    for azimuth, z, size in tips:
        angle = np.radians(azimuth)
        form.ball(SECOND, (rim * float(np.cos(angle)), rim * float(np.sin(angle)), z), size)
    jewels = angles if style == "arched" else angles[::2] + 22.5
    middle = radius * (1 + flare) / 2
    for azimuth in jewels:
        angle = np.radians(azimuth)
        center = ((middle + 0.04) * float(np.cos(angle)), (middle + 0.04) * float(np.sin(angle)), half)
        form.ellipsoid(SECOND, center, (0.09, 0.15, 0.17), turn=(0, 0, float(azimuth)))


CATEGORIES: dict[str, Category] = {
    "sword": Category(
        build=_sword,
        main="blade",
        second="hilt",
        styles=("broad", "short", "curved"),
        natural=("grey", "brown"),
        synonyms=("sabre", "dagger", "cutlass"),
    ),
    "shield": Category(
        build=_shield,
        main="face",
        second="rim",
        styles=("round", "kite", "tower"),
        natural=("blue", "grey"),
        synonyms=("buckler",),
    ),
    "chest": Category(
        build=_chest,
        main="box",
        second="lid",
        styles=("rounded", "flat", "open"),
        natural=("brown", "orange"),
        synonyms=("treasure chest", "strongbox", "coffer"),
    ),
    "barrel": Category(
        build=_barrel,
        main="staves",
        second="hoops",
        styles=("bulging", "straight", "lying"),
        natural=("brown", "grey"),
        synonyms=("cask", "keg"),
    ),
    "crown": Category(
        build=_crown,
        main="band",
        second="jewels",
        styles=("spiked", "arched", "flared"),
        natural=("yellow", "red"),
        synonyms=("tiara", "diadem", "coronet"),
    ),
}
