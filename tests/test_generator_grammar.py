"""Attributes and scenes: what is drawn, what is held out, and what a scene shows of its attributes."""

from collections import Counter
from dataclasses import asdict, replace
from itertools import combinations

import numpy as np
import pytest

from generator import sdf
from generator.grammar import (
    ARRANGEMENT_SHARES,
    CATEGORIES,
    COLORS,
    LIGHT_COLORS,
    MATERIALS,
    MAX_COUNT,
    MAX_SOLIDS,
    PATTERNS,
    RELATIONS,
    SUBJECT_RADIUS,
    SUPPORTS,
    Attributes,
    is_held_out,
    make_scene,
    num_solids,
    other_object,
    pattern_color,
    sample_attributes,
)
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.tracer import trace_clip

MUG = Attributes("mug", "tall", "red", "blue", "plain", "matte")
PAIR = replace(MUG, relation="on", other_category="table", other_style="round", other_color="green")


def rows(attributes: Attributes) -> np.ndarray:
    return make_scene(attributes, np.random.default_rng(0))


def test_the_vocabulary_has_its_size():
    assert (len(COLORS), len(PATTERNS), len(MATERIALS)) == (14, 6, 4)
    assert PATTERNS[0] == "plain"
    for one, other in combinations(COLORS.values(), 2):
        assert np.linalg.norm(np.subtract(one, other)) > 0.2  # told apart by eye


def test_training_never_draws_a_held_out_pair():
    rng = np.random.default_rng(0)
    drawn = [sample_attributes(rng) for _ in range(2000)]
    assert not any(map(is_held_out, drawn))
    seen = set.union(*map(pairs, drawn))
    assert all(pairs(sample_attributes(rng, held_out=True)) - seen for _ in range(200))


def pairs(attributes: Attributes) -> set[tuple[str, ...]]:
    a = attributes
    other = {(a.category, a.relation, a.other_category), (a.other_category, a.other_color)} if a.relation else set()
    return other | {(a.category, a.color), (a.category, a.pattern)}


def test_all_that_is_not_held_out_is_drawn():
    rng = np.random.default_rng(1)
    drawn = [sample_attributes(rng) for _ in range(15000)]
    drawn_pairs = {(a.category, a.color) for a in drawn}
    plain = [
        Attributes(c, CATEGORIES[c].styles[0], color, "", "plain", "matte") for c in CATEGORIES for color in COLORS
    ]
    assert drawn_pairs == {(a.category, a.color) for a in plain if not is_held_out(a)}
    counts = Counter(a.category for a in drawn)
    assert min(counts.values()) > 0.5 * len(drawn) / len(CATEGORIES)
    assert {(a.category, a.style) for a in drawn} == {(c, s) for c, known in CATEGORIES.items() for s in known.styles}
    assert all(a.color != a.second_color for a in drawn)


def test_things_are_drawn_alone_in_numbers_and_in_relations():
    rng = np.random.default_rng(2)
    drawn = [sample_attributes(rng) for _ in range(5000)]
    kinds = Counter("relation" if a.relation else "count" if a.count > 1 else "single" for a in drawn)
    assert {kind: kinds[kind] / len(drawn) for kind in kinds} == pytest.approx(ARRANGEMENT_SHARES, abs=0.02)
    assert {a.count for a in drawn if not a.relation} == set(range(1, MAX_COUNT + 1))
    assert all(a.count * num_solids(a.category, a.style) <= MAX_SOLIDS for a in drawn)
    related = [a for a in drawn if a.relation]
    assert {a.relation for a in related} == set(RELATIONS[1:])
    for a in related:
        assert a.count == 1
        assert a.other_category != a.category
        assert a.other_color != a.color
        assert a.other_style in (SUPPORTS if a.relation == "on" else styles())[a.other_category]
    assert not any(a.other_category or a.other_style or a.other_color for a in drawn if not a.relation)


def styles() -> dict[str, tuple[str, ...]]:
    return {name: category.styles for name, category in CATEGORIES.items()}


def test_what_things_stand_on_is_of_the_vocabulary():
    assert all(set(known) <= set(styles()[category]) for category, known in SUPPORTS.items())


def test_attributes_are_flat():
    assert Attributes(**asdict(PAIR)) == PAIR
    assert all(isinstance(value, str | int) for value in asdict(PAIR).values())


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
    assert {("chair", "red"), ("mug", "black"), ("crown", "yellow"), ("cactus", "green")} <= colors
    assert 1 / 16 < len(colors) / len(CATEGORIES) / len(COLORS) < 1 / 9
    assert {("chest", "checks"), ("cactus", "polka dots")} <= patterns
    assert 1 / 20 < len(patterns) / len(CATEGORIES) / (len(PATTERNS) - 1) < 1 / 9
    assert not any(pattern == "plain" for _, pattern in patterns)


def test_one_pair_in_ten_of_a_relation_is_held_out():
    free = {c: next(k for k in COLORS if not is_held_out(Attributes(c, "", k, "", "plain", ""))) for c in CATEGORIES}
    related = [
        Attributes(c, "", free[c], "", "plain", "", relation=relation, other_category=other, other_color=free[other])
        for c in CATEGORIES
        for relation in RELATIONS[1:]
        for other in CATEGORIES
    ]
    assert np.mean([is_held_out(a) for a in related]) == pytest.approx(0.1, abs=0.01)


def test_the_same_generator_draws_the_same():
    one, other = ([sample_attributes(np.random.default_rng((7, i))) for i in range(20)] for _ in range(2))
    assert one == other
    assert len(set(one)) > 15


def test_pattern_color_stands_out():
    for color, value in COLORS.items():
        for pattern in PATTERNS[1:]:
            assert np.linalg.norm(np.subtract(COLORS[pattern_color(color, pattern)], value)) > 0.5
        assert (pattern_color(color, "polka dots") == "black") == (color in LIGHT_COLORS)


@pytest.mark.parametrize("pattern", ["horizontal stripes", "vertical stripes", "checks", "zigzags"])
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
    for row in rows(replace(MUG, material="metallic")):
        assert (row[sdf.GLOSS], row[sdf.METAL]) == (MATERIALS["metallic"][:2] if row[sdf.PART] < 2 else (0, 0))


def test_only_the_main_part_glows():
    scene, lit = rows(MUG), rows(replace(MUG, material="glowing"))
    assert np.allclose(lit[:, sdf.GLOW] - scene[:, sdf.GLOW], np.where(scene[:, sdf.PART] == 0, 0.4, 0))


def test_copies_are_equal():
    single, several = rows(MUG), rows(replace(MUG, count=3))
    one, *others = np.split(several, 3)
    assert len(one) == len(single)
    for other in others:
        assert np.allclose(other[:, sdf.ROTATION : sdf.COLOR], one[:, sdf.ROTATION : sdf.COLOR])
        assert np.array_equal(other[:, sdf.COLOR : sdf.PATTERN], one[:, sdf.COLOR : sdf.PATTERN])
        steps = other[:, sdf.CENTER : sdf.ROTATION] - one[:, sdf.CENTER : sdf.ROTATION]
        assert np.allclose(steps, steps[0])
        assert np.linalg.norm(steps[0]) > 0.3


def test_the_second_object_has_colors_of_its_own():
    scene = rows(replace(PAIR, pattern="checks", material="metallic"))
    first, other = scene[scene[:, sdf.PART] < 3], scene[scene[:, sdf.PART] == 3]
    assert (other[:, [sdf.PATTERN, sdf.GLOSS, sdf.METAL]] == 0).all()
    assert np.allclose(other[0, sdf.COLOR : sdf.PATTERN_COLOR], COLORS["green"])
    assert np.allclose(first[first[:, sdf.PART] == 0, sdf.COLOR : sdf.PATTERN_COLOR], COLORS["red"])
    natural, natural_second = CATEGORIES["table"].natural
    assert other_object(PAIR).second_color == natural_second
    assert other_object(replace(PAIR, other_color=natural_second)).second_color == natural


def test_colors_do_not_change_the_shape_of_a_pair():
    other = replace(PAIR, color="white", second_color="pink", material="glossy", other_color="black")
    assert np.array_equal(rows(other)[:, : sdf.COLOR], rows(PAIR)[:, : sdf.COLOR])


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
