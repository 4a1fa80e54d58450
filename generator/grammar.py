"""The vocabulary of the embedded generator: what things there are, what they may look like, and how they are built.

Attributes are drawn, turned into a scene of solids (`make_scene`) and into captions (`words.py`). Every choice that
changes the silhouette is a style, and every style has a word, so that a caption can say all that is seen.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from generator import arrange, sdf
from generator.shading import WRAP_FLAT
from generator.shapes import (
    animals,
    buildings,
    characters,
    creatures,
    food,
    furniture,
    gear,
    household,
    machines,
    nature,
    objects,
    scenery,
    transit,
    vehicles,
    vessels,
)
from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, Form, Solid, fitted, geometry_row, local_points, wrap_of

CATEGORIES: dict[str, Category] = {
    **furniture.CATEGORIES,
    **vessels.CATEGORIES,
    **buildings.CATEGORIES,
    **nature.CATEGORIES,
    **vehicles.CATEGORIES,
    **characters.CATEGORIES,
    **food.CATEGORIES,
    **objects.CATEGORIES,
    **animals.CATEGORIES,
    **transit.CATEGORIES,
    **household.CATEGORIES,
    **creatures.CATEGORIES,
    **scenery.CATEGORIES,
    **gear.CATEGORIES,
    **machines.CATEGORIES,
}

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.10, 0.10),
    "blue": (0.12, 0.25, 0.80),
    "green": (0.12, 0.55, 0.18),
    "yellow": (0.92, 0.80, 0.12),
    "orange": (0.93, 0.48, 0.08),
    "purple": (0.48, 0.16, 0.66),
    "pink": (0.95, 0.50, 0.66),
    "white": (0.92, 0.92, 0.92),
    "black": (0.09, 0.09, 0.10),
    "grey": (0.48, 0.48, 0.50),
    "brown": (0.42, 0.24, 0.12),
    "teal": (0.08, 0.55, 0.55),
    "beige": (0.85, 0.74, 0.56),
    "lime": (0.58, 0.86, 0.10),
}
LIGHT_COLORS = ("white", "yellow", "pink", "grey", "beige", "lime")  # see `pattern_color`

# Indices as in shading.py.
PATTERNS = ("plain", "horizontal stripes", "vertical stripes", "checks", "polka dots", "zigzags")
PATTERN_SHARES = (0.45, 0.11, 0.11, 0.11, 0.11, 0.11)
PATTERN_PERIOD = 0.36  # of an object's radius: eleven pixels in a clip of 64x64
FINEST_PERIOD = 0.2  # on the small ones of several objects

MATERIALS: dict[str, tuple[float, float, float]] = {
    "matte": (0.0, 0.0, 0.0),
    "glossy": (0.55, 0.0, 0.0),
    "metallic": (0.35, 1.0, 0.0),
    "glowing": (0.0, 0.0, 0.4),
}
"""Strength of the highlight, whether the surface is metal, and the main part's light of its own."""

MAX_COUNT = 4
MAX_SOLIDS = 88  # of a scene; the time to trace grows with them
RELATIONS = ("", "on", "next to", "in front of")
ARRANGEMENT_SHARES = {"single": 0.74, "count": 0.10, "relation": 0.16}
SUPPORTS: dict[str, tuple[str, ...]] = {
    "table": ("square", "round", "long"),
    "chair": ("dining",),
    "sofa": ("long", "small"),
    "bed": ("double",),
    "bookshelf": ("wide",),
    "tower": ("square",),
    "mushroom": ("round", "flat"),
    "car": ("compact",),
    "truck": ("delivery",),
    "bus": ("city", "school", "double-decker"),
    "burger": ("square",),
    "chest": ("flat",),
    "barrel": ("bulging",),
}
"""Categories and styles on which other things may stand: they have a level place on top."""

SUBJECT_RADIUS = 0.95

# Pairs that no training clip shows, so that scores on them tell composition from memory: one in so many, by hash.
HELD_OUT_COLOR, HELD_OUT_PATTERN, HELD_OUT_RELATION = 12, 14, 10


@dataclass(frozen=True)
class Attributes:
    """All that a caption can say of a scene."""

    category: str
    style: str
    color: str
    second_color: str
    pattern: str
    material: str
    count: int = 1
    """How many equal objects there are, 1 to MAX_COUNT; in scenes that are drawn 1 where there is a relation."""
    relation: str = ""
    """How the object stands to another, one of RELATIONS."""
    other_category: str = ""
    other_style: str = ""
    other_color: str = ""


def other_object(attributes: Attributes) -> Attributes:
    """Return the second object of a relation: plain and matte, its second part in its natural colour."""
    natural, natural_second = CATEGORIES[attributes.other_category].natural
    return Attributes(
        category=attributes.other_category,
        style=attributes.other_style,
        color=attributes.other_color,
        second_color=natural if natural_second == attributes.other_color else natural_second,
        pattern=PATTERNS[0],
        material="matte",
    )


def is_held_out(attributes: Attributes) -> bool:
    """Tell whether a scene shows a pair that training never does: of a category with its colour or pattern, or of two
    categories in a relation."""
    category, relation, other = attributes.category, attributes.relation, attributes.other_category
    return (
        _is_chosen(f"{category}/{attributes.color}", HELD_OUT_COLOR)
        or (attributes.pattern != PATTERNS[0] and _is_chosen(f"{category}:{attributes.pattern}", HELD_OUT_PATTERN))
        or (relation != "" and _is_chosen(f"{category}|{relation}|{other}", HELD_OUT_RELATION))
        or (relation != "" and _is_chosen(f"{other}/{attributes.other_color}", HELD_OUT_COLOR))
    )


def _is_chosen(pair: str, one_in: int) -> bool:
    return zlib.crc32(pair.encode()) % one_in == 0


def sample_attributes(rng: np.random.Generator, held_out: bool | None = False) -> Attributes:
    """Draw attributes: of the pairs for training (False), of the held-out ones (True), or of all (None)."""
    arrangement = str(rng.choice(list(ARRANGEMENT_SHARES), p=list(ARRANGEMENT_SHARES.values())))
    while True:
        attributes = _draw_object(rng)
        if arrangement == "count":
            most = min(MAX_SOLIDS // num_solids(attributes.category, attributes.style), MAX_COUNT)
            attributes = replace(attributes, count=int(rng.integers(2, most + 1)))
        elif arrangement == "relation":
            attributes = _draw_relation(attributes, rng)
        if held_out is None or is_held_out(attributes) == held_out:
            return attributes


@cache
def num_solids(category: str, style: str) -> int:
    """Return how many solids an object is made of; it does not depend on the dimensions."""
    return len(_build(category, style, np.random.default_rng(0)))


def _draw_object(rng: np.random.Generator) -> Attributes:
    category = str(rng.choice(list(CATEGORIES)))
    color, second_color = rng.choice(list(COLORS), 2, replace=False)
    return Attributes(
        category=category,
        style=str(rng.choice(CATEGORIES[category].styles)),
        color=str(color),
        second_color=str(second_color),
        pattern=str(rng.choice(PATTERNS, p=PATTERN_SHARES)),
        material=str(rng.choice(list(MATERIALS))),
    )


def _draw_relation(attributes: Attributes, rng: np.random.Generator) -> Attributes:
    relation, known = str(rng.choice(RELATIONS[1:])), CATEGORIES[attributes.category]
    others = {name: category.styles for name, category in CATEGORIES.items()} if relation != "on" else SUPPORTS
    same = (attributes.category, known.main, known.second)  # "a snowman next to a hat. The hat is red" is two hats
    other = str(rng.choice([name for name in others if name not in same]))
    return replace(
        attributes,
        relation=relation,
        other_category=other,
        other_style=str(rng.choice(others[other])),
        other_color=str(rng.choice([color for color in COLORS if color != attributes.color])),
    )


def pattern_color(color: str, pattern: str) -> str:
    """Return the colour of a pattern on a main colour: black on light ones, white on the others.

    Stripes and checks cover half of the body, so white on black and black on white would be one picture of two names;
    on white they are grey.
    """
    if color == "white" and pattern != "polka dots":
        return "grey"
    return "black" if color in LIGHT_COLORS else "white"


def make_scene(attributes: Attributes, rng: np.random.Generator) -> np.ndarray:
    """Build the scene of some attributes: rows [P, sdf.NUM_COLUMNS] for the tracer.

    `rng` draws the dimensions, which do not depend on the colours. Parts: see `sdf.PART`.
    """
    first = _build(attributes.category, attributes.style, rng)
    looks, objects = [attributes] * attributes.count, [first]
    if attributes.relation:
        looks.append(other_object(attributes))
        other = _build(attributes.other_category, attributes.other_style, rng)
        objects = arrange.pair(first, attributes.relation, other)
    elif attributes.count > 1:
        objects = arrange.copies(first, attributes.count, rng)
    scene = []
    for i, (look, solids) in enumerate(zip(looks, fitted(objects, SUBJECT_RADIUS))):
        period = max(PATTERN_PERIOD * arrange.size(solids) / SUBJECT_RADIUS, FINEST_PERIOD)
        rows = np.stack([_row(solid, look, period) for solid in solids])
        if i == 1 and attributes.relation:
            rows[:, sdf.PART] = 3
        scene.append(rows)
    return np.concatenate(scene)


def _build(category: str, style: str, rng: np.random.Generator) -> list[Solid]:
    form = Form(rng)
    CATEGORIES[category].build(form, style)
    return form.solids


def _row(solid: Solid, look: Attributes, period: float) -> np.ndarray:
    row = geometry_row(solid)
    slots = {MAIN: look.color, SECOND: look.second_color}
    row[sdf.COLOR : sdf.PATTERN_COLOR] = COLORS[slots.get(solid.slot, solid.slot)]
    row[sdf.GLOW] = solid.glow
    row[sdf.PART] = {MAIN: 0, SECOND: 1}.get(solid.slot, 2)
    if solid.slot in slots:
        row[sdf.GLOSS], row[sdf.METAL], glow = MATERIALS[look.material]
        row[sdf.GLOW] += glow if solid.slot == MAIN else 0.0
    if solid.slot == MAIN and not solid.plain:
        row[sdf.PATTERN] = PATTERNS.index(look.pattern)
        row[sdf.PATTERN_COLOR : sdf.PATTERN] = COLORS[pattern_color(look.color, look.pattern)]
        row[sdf.WRAP] = wrap_of(solid)
        row[sdf.PERIOD] = period
        if row[sdf.WRAP] != WRAP_FLAT:
            radius = np.linalg.norm(local_points(solid)[:, :2], axis=1).max()
            row[sdf.AROUND] = max(round(2 * np.pi * radius / period), 4)
    return row
