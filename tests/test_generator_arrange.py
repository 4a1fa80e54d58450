"""Arrangements: equal objects stand apart on one ground, and two stand to each other as the relation says."""

import numpy as np
import pytest

from generator.arrange import GAP, LEVEL, copies, pair, size, top_height
from generator.grammar import CATEGORIES, SUPPORTS
from generator.shapes.form import MAIN, Form, Solid, geometry_row


def built(category: str, style: str, seed: int = 0) -> list[Solid]:
    form = Form(np.random.default_rng(seed))
    CATEGORIES[category].build(form, style)
    return form.solids


def box(solids: list[Solid]) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([solid.points() for solid in solids])
    return points.min(0), points.max(0)


def rows(solids: list[Solid]) -> np.ndarray:
    return np.stack([geometry_row(solid) for solid in solids])


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_copies_stand_apart_on_one_ground(count, seed):
    boxes = [box(solids) for solids in copies(built("mug", "wide"), count, np.random.default_rng(seed))]
    assert len(boxes) == count
    assert np.ptp([low[2] for low, _ in boxes]) < 1e-9
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            assert max(low[0] - other_high[0], other_low[0] - high[0], low[1] - other_high[1]) > GAP - 1e-6


def test_three_stand_in_a_row_or_a_triangle_and_wide_ones_never_in_a_row():
    depths = {
        category: {
            round(float(np.ptp([box(solids)[0][1] for solids in copies(built(category, style), 3, rng)])), 3)
            for rng in map(np.random.default_rng, range(10))
        }
        for category, style in (("mug", "round"), ("sofa", "long"))
    }
    assert len(depths["mug"]) == 2
    assert len(depths["sofa"]) == 1
    assert min(depths["sofa"]) > GAP


def test_the_first_stands_left_of_the_other():
    first, other = pair(built("duck", "rubber"), "next to", built("house", "tall"))
    (low, high), (other_low, _) = box(first), box(other)
    assert other_low[0] - high[0] == pytest.approx(GAP)
    assert low[2] == pytest.approx(other_low[2])
    assert size(first) == pytest.approx(size(other))


def test_the_first_stands_before_the_other():
    first, other = pair(built("duck", "rubber"), "in front of", built("house", "tall"))
    (low, high), (other_low, _) = box(first), box(other)
    assert other_low[1] - high[1] == pytest.approx(GAP)
    assert low[2] == pytest.approx(other_low[2])
    assert size(first) < size(other)


@pytest.mark.parametrize(("category", "style"), [(c, s) for c, known in SUPPORTS.items() for s in known])
def test_what_stands_on_something_neither_floats_nor_sinks(category, style):
    for seed in range(5):
        first, other = pair(built("duck", "baby", seed), "on", built(category, style, seed))
        (low, high), (other_low, _) = box(first), box(other)
        x, y = (low[:2] + high[:2]) / 2
        ground = rows(other)
        around = [(x + dx, y + dy) for dx in (-0.15, 0, 0.15) for dy in (-0.15, 0, 0.15)]
        for place in around:
            assert low[2] == pytest.approx(top_height(ground, *place), abs=LEVEL + 0.005)
        assert low[2] > other_low[2] + 0.3
        assert 0.4 < size(first) / size(other) < 0.65


def test_an_unknown_relation_is_refused():
    with pytest.raises(ValueError, match="no relation 'inside'"):
        pair(built("duck", "baby"), "inside", built("house", "tall"))


def test_the_height_of_a_top_by_hand():
    form = Form(np.random.default_rng(0))
    form.box(MAIN, (0, 0, -0.2), (0.4, 0.4, 0.3))
    form.ball(MAIN, (0.3, 0, 0.1), 0.25)
    scene = rows(form.solids)
    assert top_height(scene, -0.2, 0.1) == pytest.approx(0.1, abs=2e-3)
    assert top_height(scene, 0.3, 0.0) == pytest.approx(0.35, abs=2e-3)
    assert top_height(scene, 0.9, 0.0) == -1
