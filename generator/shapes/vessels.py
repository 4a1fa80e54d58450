"""Mugs, vases, teapots and bottles. Handles point to +x and spouts to -x."""

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, Form


def _mug(form: Form, style: str) -> None:
    if style == "round":
        radius, half = form.between(0.46, 0.54), form.between(0.38, 0.44)
        form.shell(MAIN, (0, 0, 2 * half), (radius, radius, 2 * half), 0.05)
        form.cone(MAIN, (0, 0, 0.05), 0.1, 0.6 * radius, 0.5 * radius, 0.03, plain=True)
        top, reach = 2 * half, 0.84 * radius
        half *= 1.14
    else:
        tall = style == "tall"
        radius = form.between(0.38, 0.43) if tall else form.between(0.54, 0.62)
        half = form.between(0.52, 0.6) if tall else form.between(0.32, 0.38)
        taper = 0.95 if tall else 0.72
        form.cup(MAIN, (0, 0, half), half, taper * radius, radius, 0.055)
        top, reach = 2 * half, 0.5 * (1 + taper) * radius
    form.cone("brown", (0, 0, top - 0.12), 0.06, 0.94 * radius, 0.94 * radius)
    form.ring(SECOND, (0, 0, top), radius, 0.07)
    form.ring(SECOND, (reach, 0, 0.96 * half), 0.64 * half if style == "tall" else 0.7 * half, 0.1, FORWARD, 100)


def _vase(form: Form, style: str) -> None:
    if style == "round":
        radius, half = form.between(0.46, 0.54), form.between(0.42, 0.5)
        form.ellipsoid(MAIN, (0, 0, half + 0.06), (radius, radius, half))
        form.cone(SECOND, (0, 0, 0.07), 0.1, 0.32, 0.26, 0.03)
        form.cup(SECOND, (0, 0, 2 * half + 0.14), form.between(0.15, 0.19), 0.17, form.between(0.27, 0.32), 0.055)
        return
    if style == "tall":
        shoulder, half = form.between(0.36, 0.42), form.between(0.5, 0.62)
        top = 2 * half + 0.1
        form.cone(MAIN, (0, 0, half + 0.1), half, 0.2, shoulder, 0.01)
        form.dome(MAIN, (0, 0, top - 0.01), (shoulder, shoulder, 0.24))
        form.cone(SECOND, (0, 0, 0.08), 0.1, 0.3, 0.22, 0.03)
        form.cup(SECOND, (0, 0, top + 0.3), 0.16, 0.15, form.between(0.24, 0.29), 0.055)
        return
    radius, half = form.between(0.66, 0.76), form.between(0.34, 0.4)
    form.ellipsoid(MAIN, (0, 0, half + 0.06), (radius, radius, half))
    form.cone(SECOND, (0, 0, 0.06), 0.09, 0.44, 0.38, 0.03)
    form.cup(SECOND, (0, 0, 2 * half + 0.06), 0.13, 0.36, form.between(0.44, 0.5), 0.06)


def _teapot(form: Form, style: str) -> None:
    if style == "tall":
        low, high, half = form.between(0.46, 0.52), form.between(0.32, 0.37), form.between(0.46, 0.54)
        form.cone(MAIN, (0, 0, half), half, low, high, 0.08)
        top, middle, side, lid = 2 * half - 0.03, half, 0.5 * (low + high), 0.92 * high
    else:
        flat = style == "flat"
        side = form.between(0.6, 0.68) if flat else form.between(0.5, 0.56)
        middle = form.between(0.34, 0.38) if flat else form.between(0.48, 0.53)
        form.ellipsoid(MAIN, (0, 0, middle + 0.03), (side, side, middle))
        form.cone(MAIN, (0, 0, 0.06), 0.06, 0.62 * side, 0.58 * side, 0.03, plain=True)
        top, lid = 1.74 * middle + 0.03, 0.66 * side
    form.dome(SECOND, (0, 0, top - 0.03), (lid, lid, 0.24))
    form.ball(SECOND, (0, 0, top + 0.28), 0.13)
    form.cone(MAIN, (-side - 0.16, 0, middle + 0.14), 0.34, 0.18, 0.1, 0.02, turn=(0, -42, 0), plain=True)
    ring = min(0.66 * middle, 0.34)
    form.ring(MAIN, (0.94 * side, 0, middle + 0.04), ring, 0.09, FORWARD, 105, plain=True)


def _bottle(form: Form, style: str) -> None:
    if style == "round":
        radius = form.between(0.46, 0.54)
        form.ball(MAIN, (0, 0, radius), radius)
        form.cone(MAIN, (0, 0, 0.04), 0.06, 0.3, 0.28, plain=True)
        neck_z, neck, length = 1.9 * radius, 0.17, form.between(0.22, 0.34)
    elif style == "square":
        width, half = form.between(0.36, 0.42), form.between(0.42, 0.5)
        form.box(MAIN, (0, 0, half), (width, width, half), 0.05)
        form.frustum(MAIN, (0, 0, 2 * half + 0.07), 0.1, (0.95 * width, 0.95 * width), (0.18, 0.18), plain=True)
        neck_z, neck, length = 2 * half + 0.1, 0.18, form.between(0.14, 0.2)
    else:
        radius, half = form.between(0.29, 0.33), form.between(0.46, 0.56)
        form.cone(MAIN, (0, 0, half), half, radius, radius, 0.03)
        form.dome(MAIN, (0, 0, 2 * half - 0.02), (radius, radius, 0.32))
        neck_z, neck, length = 2 * half + 0.16, 0.14, form.between(0.36, 0.46)
    form.cone(MAIN, (0, 0, neck_z + length / 2), length / 2 + 0.05, neck, neck, plain=True)
    cap = 0.2 if style == "wine" else 0.16
    form.cone(SECOND, (0, 0, neck_z + length + cap), cap, neck + 0.07, neck + 0.07, 0.04)


CATEGORIES: dict[str, Category] = {
    "mug": Category(
        build=_mug,
        main="body",
        second="handle",
        styles=("tall", "wide", "round"),
        natural=("blue", "white"),
        synonyms=("cup",),
    ),
    "vase": Category(
        build=_vase,
        main="body",
        second="rim",
        styles=("round", "tall", "wide"),
        natural=("blue", "white"),
        synonyms=("urn", "jar"),
    ),
    "teapot": Category(
        build=_teapot,
        main="body",
        second="lid",
        styles=("round", "tall", "flat"),
        natural=("white", "blue"),
        synonyms=("kettle",),
    ),
    "bottle": Category(
        build=_bottle,
        main="body",
        second="cap",
        styles=("wine", "round", "square"),
        natural=("green", "brown"),
        synonyms=("flask",),
    ),
}
