"""The vocabulary of the embedded generator: what things there are, what they may look like, and how they are built.

Attributes are drawn, turned into a scene of solids (`make_scene`) and into captions (`words.py`). Every choice that
changes the silhouette is a style, and every style has a word, so that a caption can say all that is seen.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from generator import sdf
from generator.shading import WRAP_FLAT
from generator.shapes import buildings, characters, food, furniture, nature, objects, vehicles, vessels
from generator.shapes.category import Category
from generator.shapes.form import MAIN, SECOND, Form, Solid, local_points, wrap_of

CATEGORIES: dict[str, Category] = {
    **furniture.CATEGORIES,
    **vessels.CATEGORIES,
    **buildings.CATEGORIES,
    **nature.CATEGORIES,
    **vehicles.CATEGORIES,
    **characters.CATEGORIES,
    **food.CATEGORIES,
    **objects.CATEGORIES,
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
}
LIGHT_COLORS = ("white", "yellow", "pink", "grey")  # see `pattern_color`

PATTERNS = ("plain", "horizontal stripes", "vertical stripes", "checks", "polka dots")  # indices as in shading.py
PATTERN_PERIOD = 0.36  # of the subject's radius: eleven pixels in a clip of 64x64

MATERIALS: dict[str, tuple[float, float]] = {"matte": (0.0, 0.0), "glossy": (0.55, 0.0), "metallic": (0.35, 1.0)}
"""Strength of the highlight, and whether the surface is metal."""

SUBJECT_RADIUS = 0.95

# Pairs that no training clip shows, so that scores on them tell composition from memory: one in so many, by hash.
HELD_OUT_COLOR, HELD_OUT_PATTERN = 12, 14


@dataclass(frozen=True)
class Attributes:
    """All that a caption can say of a scene."""

    category: str
    style: str
    color: str
    second_color: str
    pattern: str
    material: str


def is_held_out(attributes: Attributes) -> bool:
    """Tell whether a scene's colour or pattern belongs to a pair with its category that training never shows."""
    color = zlib.crc32(f"{attributes.category}/{attributes.color}".encode()) % HELD_OUT_COLOR == 0
    pattern = zlib.crc32(f"{attributes.category}:{attributes.pattern}".encode()) % HELD_OUT_PATTERN == 0
    return color or (pattern and attributes.pattern != "plain")


def sample_attributes(rng: np.random.Generator, held_out: bool | None = False) -> Attributes:
    """Draw attributes: of the pairs for training (False), of the held-out ones (True), or of all (None)."""
    while True:
        category = str(rng.choice(list(CATEGORIES)))
        color, second_color = rng.choice(list(COLORS), 2, replace=False)
        attributes = Attributes(
            category=category,
            style=str(rng.choice(CATEGORIES[category].styles)),
            color=str(color),
            second_color=str(second_color),
            pattern=str(rng.choice(PATTERNS, p=[0.48, 0.13, 0.13, 0.13, 0.13])),
            material=str(rng.choice(list(MATERIALS))),
        )
        if held_out is None or is_held_out(attributes) == held_out:
            return attributes


def pattern_color(color: str, pattern: str) -> str:
    """Return the colour of a pattern on a main colour: black on light ones, white on the others.

    Stripes and checks cover half of the body, so white on black and black on white would be one picture of two names;
    on white they are grey.
    """
    if color == "white" and pattern != "polka dots":
        return "grey"
    return "black" if color in LIGHT_COLORS else "white"


def make_scene(attributes: Attributes, rng: np.random.Generator) -> np.ndarray:
    """Build the scene of some attributes: rows [P, sdf.NUM_COLUMNS] for the tracer. `rng` draws the dimensions."""
    form = Form(rng)
    CATEGORIES[attributes.category].build(form, attributes.style)
    return np.stack([_row(solid, attributes) for solid in form.normalized(SUBJECT_RADIUS)])


def _row(solid: Solid, attributes: Attributes) -> np.ndarray:
    row = np.zeros(sdf.NUM_COLUMNS)
    points = local_points(solid)
    size = (*solid.lengths, *solid.ratios)
    row[sdf.KIND] = solid.kind
    row[sdf.CENTER : sdf.ROTATION] = solid.center
    row[sdf.ROTATION : sdf.SIZE] = solid.rotation.T.ravel()
    row[sdf.SIZE : sdf.SIZE + len(size)] = size
    row[sdf.BOUND] = 1.03 * np.linalg.norm(points, axis=1).max() + 0.005
    slots = {MAIN: attributes.color, SECOND: attributes.second_color}
    row[sdf.COLOR : sdf.PATTERN_COLOR] = COLORS[slots.get(solid.slot, solid.slot)]
    row[sdf.GLOW] = solid.glow
    row[sdf.PART] = {MAIN: 0, SECOND: 1}.get(solid.slot, 2)
    if solid.slot in slots:
        row[sdf.GLOSS], row[sdf.METAL] = MATERIALS[attributes.material]
    if solid.slot == MAIN and not solid.plain:
        row[sdf.PATTERN] = PATTERNS.index(attributes.pattern)
        row[sdf.PATTERN_COLOR : sdf.PATTERN] = COLORS[pattern_color(attributes.color, attributes.pattern)]
        row[sdf.WRAP] = wrap_of(solid)
        row[sdf.PERIOD] = PATTERN_PERIOD
        if row[sdf.WRAP] != WRAP_FLAT:
            radius = np.linalg.norm(points[:, :2], axis=1).max()
            row[sdf.AROUND] = max(round(2 * np.pi * radius / PATTERN_PERIOD), 4)
    return row
