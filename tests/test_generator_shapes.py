"""Every category in every style: whole, inside the frame, in both of its colours, and unlike its other styles."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from scipy.ndimage import label

from generator import sdf
from generator.grammar import CATEGORIES, COLORS, SUBJECT_RADIUS, Attributes, make_scene
from generator.rays import intrinsics, orbit_c2w, orbit_radius
from generator.shapes.form import (
    FORWARD,
    MAIN,
    SECOND,
    SIDEWAYS,
    Form,
    Solid,
    axis_rotation,
    euler_rotation,
    local_points,
)
from generator.tracer import Trace, trace_clip

SIZE, FOV = 40, 40.0
STYLES = [(category, style) for category, known in CATEGORIES.items() for style in known.styles]


@dataclass
class Build:
    """A style's solids, and what four cameras around it see."""

    solids: list[Solid]
    trace: Trace


@cache
def build(category: str, style: str) -> Build:
    form = Form(np.random.default_rng(0))
    CATEGORIES[category].build(form, style)
    scene = make_scene(Attributes(category, style, "red", "blue", "plain", "matte"), np.random.default_rng(0))
    trace = trace_clip(scene, orbit_c2w(4, 15, orbit_radius(FOV)), intrinsics(FOV, SIZE, SIZE), SIZE, SIZE)
    return Build(form.solids, trace)


def test_there_are_categories_and_styles_enough():
    assert len(CATEGORIES) >= 88
    assert all(len(category.styles) >= 2 for category in CATEGORIES.values())
    assert all(len(set(category.styles)) == len(category.styles) for category in CATEGORIES.values())


@pytest.mark.parametrize(("category", "style"), STYLES)
def test_a_style_is_whole_and_fits(category, style):
    built = build(category, style)
    alpha = built.trace.alpha
    assert not alpha[:, [0, -1]].any()
    assert not alpha[:, :, [0, -1]].any()
    assert [label(frame > 0, np.ones((3, 3)))[1] for frame in alpha] == [1] * 4  # nothing floats beside it
    assert len(built.solids) <= 64
    assert {solid.slot for solid in built.solids} <= {MAIN, SECOND, *COLORS}
    shares = [np.mean(built.trace.part[alpha > 0] == part) for part in (0, 1)]
    assert shares[0] > 0.1
    assert shares[1] > 0.05


@pytest.mark.parametrize("category", CATEGORIES)
def test_styles_differ_in_their_silhouettes(category):
    for one, other in combinations(CATEGORIES[category].styles, 2):
        a, b = build(category, one).trace.alpha > 0.5, build(category, other).trace.alpha > 0.5
        assert np.sum(a & b) / np.sum(a | b) < 0.95, (one, other)


@pytest.mark.parametrize("category", CATEGORIES)
def test_dimensions_are_drawn(category):
    attributes = Attributes(category, CATEGORIES[category].styles[0], "red", "blue", "plain", "matte")
    one, same, other = (make_scene(attributes, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert one.shape == other.shape
    assert not np.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_words_of_a_category_fit_the_grammar(category):
    known = CATEGORIES[category]
    assert known.main != known.second
    assert set(known.natural) <= set(COLORS)
    assert known.natural[0] != known.natural[1]
    nouns = (category, *known.synonyms)
    assert len(set(nouns)) == len(nouns)


def test_no_noun_belongs_to_two_categories():
    nouns = [noun for name, category in CATEGORIES.items() for noun in (name, *category.synonyms)]
    assert len(set(nouns)) == len(nouns)


# The form


@pytest.mark.parametrize(("category", "style"), STYLES[::7])
def test_a_normalized_form_touches_its_sphere(category, style):
    form = Form(np.random.default_rng(3))
    CATEGORIES[category].build(form, style)
    solids = form.normalized(SUBJECT_RADIUS)
    points = np.concatenate([solid.points() for solid in solids])
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(SUBJECT_RADIUS)
    assert points.min(0) + points.max(0) == pytest.approx(0, abs=1e-9)
    again = Form(np.random.default_rng(0))
    again.solids = solids
    assert np.allclose(np.concatenate([s.points() for s in again.normalized(SUBJECT_RADIUS)]), points)


def test_the_hull_of_local_points_is_the_solids():
    form = Form(np.random.default_rng(0))
    form.ellipsoid(MAIN, (0, 0, 0), (0.5, 0.4, 0.3))
    form.box(MAIN, (0, 0, 0), (0.5, 0.4, 0.3), 0.0)
    form.cone(MAIN, (0, 0, 0), 0.5, 0.4, 0.2, 0.0)
    form.ring(MAIN, (0, 0, 0), 0.5, 0.1, half_angle_deg=70)
    form.rod(MAIN, (0, 0, -0.3), (0, 0, 0.3), 0.1)
    form.cup(MAIN, (0, 0, 0), 0.4, 0.3, 0.4, 0.03)
    form.frustum(MAIN, (0, 0, 0), 0.4, (0.5, 0.4), (0.2, 0.1))
    form.dome(MAIN, (0, 0, 0), (0.5, 0.4, 0.3))
    form.shell(MAIN, (0, 0, 0), (0.5, 0.5, 0.5), 0.03)
    assert {solid.kind for solid in form.solids} == set(range(9))
    rng = np.random.default_rng(0)
    samples, directions = rng.uniform(-0.7, 0.7, (4000, 3)), rng.normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for solid in form.solids:
        size = np.array([*solid.lengths, *solid.ratios, *[0.0] * 6])[:6]
        points = local_points(solid)
        assert max(sdf.solid_distance(solid.kind, size, *point) for point in points) < 0.035, solid.kind
        inside = samples[[sdf.solid_distance(solid.kind, size, *point) < 0 for point in samples]]
        assert len(inside) > 20
        assert ((points @ directions.T).max(0) - (inside @ directions.T).max(0)).min() > -0.02, solid.kind


def test_rotations_turn_the_axis_where_they_say():
    up = np.array([0.0, 0.0, 1.0])
    assert euler_rotation(FORWARD) @ up == pytest.approx([0, -1, 0])
    assert euler_rotation(SIDEWAYS) @ up == pytest.approx([1, 0, 0])
    for axis in np.random.default_rng(0).normal(size=(20, 3)):
        rotation = axis_rotation(axis / np.linalg.norm(axis))
        assert rotation @ rotation.T == pytest.approx(np.eye(3))
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert rotation @ up == pytest.approx(axis / np.linalg.norm(axis))


def test_a_rod_reaches_from_end_to_end():
    form = Form(np.random.default_rng(0))
    form.rod(MAIN, (0.1, -0.2, 0.3), (0.5, 0.6, 0.2), 0.1)
    (rod,) = form.solids
    ends = [rod.center + sign * rod.lengths[0] * rod.rotation[:, 2] for sign in (-1, 1)]
    assert ends[0] == pytest.approx([0.1, -0.2, 0.3])
    assert ends[1] == pytest.approx([0.5, 0.6, 0.2])
