"""Light and patterns: what a point looks like depends on the point, and patterns repeat as they say."""

import math

import numpy as np
import pytest

from generator import sdf
from generator.shading import (
    BANDS,
    CHECKS,
    DOTS,
    NUM_BALL_DOTS,
    PLAIN,
    STRIPES,
    SUN_X,
    SUN_Y,
    SUN_Z,
    WRAP_BALL,
    WRAP_FLAT,
    WRAP_ROUND,
    normal,
    pattern_weight,
    shade,
)
from generator_parts import solid

FLOOR = solid(sdf.BOX, (1, 1, 0.1, 0), (0, 0, -0.1), (0.5, 0.4, 0.3))  # its top is z = 0


def color_at(scene: np.ndarray, k: int, point, eye=(0.0, 1.0, -0.5)) -> np.ndarray:
    color, direction = np.empty(3), np.array(eye) / np.linalg.norm(eye)
    shade(scene, k, *map(float, point), *direction, np.empty(len(scene), np.int32), color)
    return color


def test_normal_of_a_sphere_is_radial():
    scene = solid(sdf.ELLIPSOID, (0.5, 0.5, 0.5), (0.1, 0.2, 0.3))[None]
    for out in np.random.default_rng(0).normal(size=(20, 3)):
        out /= np.linalg.norm(out)
        assert normal(scene, 0, *(scene[0, sdf.CENTER : sdf.CENTER + 3] + 0.5 * out)) == pytest.approx(out, abs=2e-3)


def test_a_block_in_the_sun_casts_a_shadow():
    block = solid(sdf.BOX, (0.2, 0.2, 0.4, 0), (-0.45, -0.6, 0.4), bound=0.5)  # towards the sun from the origin
    open_scene, scene = FLOOR[None], np.stack([FLOOR, block])
    lit, shadowed = color_at(open_scene, 0, (0, 0, 0)), color_at(scene, 0, (0, 0, 0))
    assert (shadowed < 0.75 * lit).all()
    assert color_at(scene, 0, (0.8, 0.8, 0)) == pytest.approx(color_at(open_scene, 0, (0.8, 0.8, 0)), abs=0.02)


def test_corners_are_darker_than_open_floor():
    wall = solid(sdf.BOX, (0.1, 1, 1, 0), (0.5, 0, 1), bound=1.5)  # away from the sun: it casts no shadow here
    scene = np.stack([FLOOR, wall])
    assert (color_at(scene, 0, (0.38, 0, 0)) < 0.9 * color_at(scene, 0, (-0.5, 0, 0))).all()


def test_matte_looks_the_same_from_everywhere_and_gloss_does_not():
    matte, glossy = FLOOR.copy(), FLOOR.copy()
    glossy[sdf.GLOSS] = 0.55
    eyes = np.random.default_rng(1).normal(size=(30, 3))
    eyes[:, 2] = -np.abs(eyes[:, 2])
    seen = [np.array([color_at(row[None], 0, (0.2, 0.1, 0), eye) for eye in eyes]) for row in (matte, glossy)]
    assert np.ptp(seen[0], axis=0).max() == 0
    assert np.ptp(seen[1], axis=0).max() > 0.1


def test_there_is_no_highlight_in_the_shadow():
    block = solid(sdf.BOX, (0.2, 0.2, 0.4, 0), (-0.45, -0.6, 0.4), bound=0.5)
    glossy = FLOOR.copy()
    glossy[sdf.GLOSS] = 0.55
    mirrored = (SUN_X, SUN_Y, -SUN_Z)  # the eye where the sun's mirror image shines
    lit = [color_at(row[None], 0, (0, 0, 0), mirrored) for row in (FLOOR, glossy)]
    shadowed = [color_at(np.stack([row, block]), 0, (0, 0, 0), mirrored) for row in (FLOOR, glossy)]
    assert (lit[1] > lit[0] + 0.1).all()
    assert shadowed[1] == pytest.approx(shadowed[0], abs=1e-6)


def test_colors_stay_in_range():
    row = solid(sdf.ELLIPSOID, (0.5, 0.5, 0.5), color=(1, 1, 1), gloss=0.55, metal=1, glow=0.6)
    for out in np.random.default_rng(2).normal(size=(50, 3)):
        color = color_at(row[None], 0, 0.5 * out / np.linalg.norm(out))
        assert ((color >= 0) & (color <= 1)).all()


def weight(row: np.ndarray, x: float, y: float, z: float, out=(1.0, 0.0, 0.0)) -> float:
    return pattern_weight(row, x, y, z, *out)


def patterned(pattern: int, wrap: int, **columns) -> np.ndarray:
    return solid(sdf.CONE, (1, 0.5, 0.5, 0), pattern=pattern, wrap=wrap, period=0.4, around=8, **columns)


@pytest.mark.parametrize(
    ("pattern", "share"), [(PLAIN, 0.0), (BANDS, 0.5), (STRIPES, 0.5), (CHECKS, 0.5), (DOTS, math.pi * 0.085)]
)
@pytest.mark.parametrize("wrap", [WRAP_FLAT, WRAP_ROUND])
def test_patterns_cover_their_share(pattern, share, wrap):
    row = patterned(pattern, wrap)
    angles, heights = np.random.default_rng(0).uniform(0, (2 * math.pi, 0.4), (4000, 2)).T
    seen = [weight(row, math.cos(a), math.sin(a), z) for a, z in zip(angles, heights)]
    if wrap == WRAP_FLAT:  # on a face that looks to +x: y and z count
        seen = [weight(row, 1.0, a / (2 * math.pi) * 0.4, z) for a, z in zip(angles, heights)]
    assert np.mean(seen) == pytest.approx(share, abs=0.03)


def test_horizontal_stripes_go_around_and_repeat_in_height():
    row = patterned(BANDS, WRAP_ROUND)
    for z in np.random.default_rng(0).uniform(-1, 1, 50):
        around = {weight(row, math.cos(a), math.sin(a), z) for a in np.arange(12)}
        assert len(around) == 1
        assert weight(row, 1.0, 0.0, z) == weight(row, 1.0, 0.0, z + 0.4)
        assert weight(row, 1.0, 0.0, z) != weight(row, 1.0, 0.0, z + 0.2)


def test_vertical_stripes_stand_upright_and_count_as_told():
    row = patterned(STRIPES, WRAP_ROUND)
    angles = np.linspace(0, 2 * math.pi, 1000, endpoint=False)
    low, high = ([weight(row, math.cos(a), math.sin(a), z) for a in angles] for z in (-0.7, 0.33))
    assert low == high
    assert np.abs(np.diff([*low, low[0]])).sum() == 2 * 8  # each of 8 stripes has two edges


def test_checks_are_stripes_across_bands():
    rng = np.random.default_rng(0)
    for x, y, z in rng.uniform(-1, 1, (200, 3)):
        bands, stripes, checks = (weight(patterned(p, WRAP_ROUND), x, y, z) for p in (BANDS, STRIPES, CHECKS))
        assert checks == (bands != stripes)


def test_the_top_of_a_round_solid_is_patterned_across():
    row, up, aside = patterned(BANDS, WRAP_ROUND), (0.0, 0.0, 1.0), (0.87, 0.0, 0.5)
    assert weight(row, 0.3, 0.0, 0.5, up) != weight(row, 0.3, 0.2, 0.5, up)  # half a period along y
    assert weight(row, 0.3, 0.0, 0.5, aside) == weight(row, 0.3, 0.2, 0.5, aside)


def test_a_ball_has_its_number_of_dots():
    row = solid(sdf.ELLIPSOID, (1, 1, 1), pattern=DOTS, wrap=WRAP_BALL)
    points = np.random.default_rng(0).normal(size=(6000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cap = (1 - 0.955) / 2  # the share of the sphere within acos(0.955) of a point
    assert np.mean([weight(row, *p, tuple(p)) for p in points]) == pytest.approx(NUM_BALL_DOTS * cap, abs=0.02)
