"""Attributes and scenes: what is drawn, what is held out, and what a scene shows of its attributes."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from generator import sdf
from generator.grammar import (
    CATEGORIES,
    COLORS,
    LIGHT_COLORS,
    MATERIALS,
    PATTERNS,
    SUBJECT_RADIUS,
    Attributes,
    is_held_out,
    make_scene,
    pattern_color,
    sample_attributes,
)
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import trace_clip

MUG = Attributes("mug", "tall", "red", "blue", "plain", "matte")


def rows(attributes: Attributes) -> np.ndarray:
    return make_scene(attributes, np.random.default_rng(0))


def test_the_vocabulary_has_its_size():
    assert (len(COLORS), len(PATTERNS), len(MATERIALS)) == (12, 5, 3)
    assert PATTERNS[0] == "plain"
    for one, other in combinations(COLORS.values(), 2):
        assert np.linalg.norm(np.subtract(one, other)) > 0.2  # told apart by eye


def test_training_never_draws_a_held_out_pair():
    rng = np.random.default_rng(0)
    drawn = [sample_attributes(rng) for _ in range(2000)]
    assert not any(map(is_held_out, drawn))
    colors = {(a.category, a.color) for a in drawn}
    patterns = {(a.category, a.pattern) for a in drawn}
    for _ in range(200):
        held_out = sample_attributes(rng, held_out=True)
        color, pattern = (held_out.category, held_out.color), (held_out.category, held_out.pattern)
        assert color not in colors or pattern not in patterns


def test_all_that_is_not_held_out_is_drawn():
    rng = np.random.default_rng(1)
    drawn = [sample_attributes(rng) for _ in range(6000)]
    pairs = {(a.category, a.color) for a in drawn}
    plain = [
        Attributes(c, CATEGORIES[c].styles[0], color, "", "plain", "matte") for c in CATEGORIES for color in COLORS
    ]
    assert pairs == {(a.category, a.color) for a in plain if not is_held_out(a)}
    counts = Counter(a.category for a in drawn)
    assert min(counts.values()) > 0.5 * len(drawn) / len(CATEGORIES)
    assert {(a.category, a.style) for a in drawn} == {(c, s) for c, known in CATEGORIES.items() for s in known.styles}
    assert all(a.color != a.second_color for a in drawn)


def test_held_out_pairs_stay_what_they_are():
    """The list is part of the trained weights: a model of today must be judged on the pairs it never saw."""
    colors = {(c, k) for c in CATEGORIES for k in COLORS if is_held_out(Attributes(c, "", k, "", "plain", "matte"))}
    free = {c: next(color for color in COLORS if (c, color) not in colors) for c in CATEGORIES}
    patterns = {
        (c, pattern)
        for c in CATEGORIES
        for pattern in PATTERNS
        if is_held_out(Attributes(c, "", free[c], "", pattern, "matte"))
    }
    assert len(colors) == 28
    assert {("chair", "red"), ("mug", "black"), ("crown", "yellow"), ("cactus", "green")} <= colors
    assert len(patterns) == 12
    assert {("chest", "checks"), ("cactus", "polka dots")} <= patterns
    assert not any(pattern == "plain" for _, pattern in patterns)


def test_the_same_generator_draws_the_same():
    one, other = ([sample_attributes(np.random.default_rng((7, i))) for i in range(20)] for _ in range(2))
    assert one == other
    assert len(set(one)) > 15


def test_pattern_color_stands_out():
    for color, value in COLORS.items():
        for pattern in PATTERNS[1:]:
            assert np.linalg.norm(np.subtract(COLORS[pattern_color(color, pattern)], value)) > 0.5
        assert (pattern_color(color, "polka dots") == "black") == (color in LIGHT_COLORS)


@pytest.mark.parametrize("pattern", ["horizontal stripes", "vertical stripes", "checks"])
def test_no_two_colors_with_a_pattern_of_halves_look_alike(pattern):
    assert len({frozenset((color, pattern_color(color, pattern))) for color in COLORS}) == len(COLORS)


def test_a_scene_has_the_colors_it_was_told():
    scene = rows(MUG)
    for part, color in ((0, "red"), (1, "blue")):
        assert np.allclose(scene[scene[:, sdf.PART] == part, sdf.COLOR : sdf.COLOR + 3], COLORS[color])
    swapped = rows(replace(MUG, color="blue", second_color="red"))
    assert np.array_equal(swapped[:, : sdf.COLOR], scene[:, : sdf.COLOR])  # the shape has no colour


@pytest.mark.parametrize("pattern", PATTERNS)
def test_only_the_main_part_is_patterned(pattern):
    scene = rows(replace(MUG, pattern=pattern))
    main = scene[:, sdf.PART] == 0
    assert (scene[~main, sdf.PATTERN] == 0).all()
    assert (scene[main, sdf.PATTERN] == PATTERNS.index(pattern)).any()
    if pattern != "plain":
        assert np.allclose(scene[main, sdf.PATTERN_COLOR : sdf.PATTERN_COLOR + 3], COLORS["white"])


def test_materials_reach_both_parts_and_nothing_else():
    scene = rows(replace(MUG, material="metallic"))
    for row in scene:
        assert (row[sdf.GLOSS], row[sdf.METAL]) == (MATERIALS["metallic"] if row[sdf.PART] < 2 else (0, 0))


def test_bounds_hold_their_solids():
    rng = np.random.default_rng(0)
    for _ in range(30):
        attributes = sample_attributes(rng, None)
        for row in make_scene(attributes, rng):
            out = rng.normal(size=(30, 3))
            out *= row[sdf.BOUND] / np.linalg.norm(out, axis=1, keepdims=True)
            size = np.ascontiguousarray(row[sdf.SIZE : sdf.BOUND])
            assert all(sdf.solid_distance(int(row[sdf.KIND]), size, *point) > 0 for point in out)


def test_every_scene_lies_in_the_sphere():
    rng = np.random.default_rng(2)
    size, c2w = 48, orbit_c2w(3, -10, orbit_radius(40), start_deg=20)
    for _ in range(20):
        trace = trace_clip(make_scene(sample_attributes(rng, None), rng), c2w, intrinsics(40, size, size), size, size)
        v, u = np.nonzero(trace.alpha.max(0))
        edge = SUBJECT_RADIUS * size / 2 * np.cos(np.radians(20)) / np.cos(np.arcsin(1 / orbit_radius(40)))
        assert np.hypot(v + 0.5 - size / 2, u + 0.5 - size / 2).max() < edge + 1
