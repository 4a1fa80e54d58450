"""Light taken out: what shading added goes, what paint is stays as far as it can, and the brightness stays."""

import numpy as np
import pytest

from recon.delight import delighted
from vid2three.formats.glb import linear_to_srgb, srgb_to_linear


@pytest.fixture
def normals() -> np.ndarray:
    random = np.random.default_rng(0).normal(size=(4000, 3))
    return random / np.linalg.norm(random, axis=1, keepdims=True)


def spread(colors: np.ndarray) -> float:
    linear = srgb_to_linear(colors)
    return float((linear.std(axis=0) / linear.mean(axis=0)).max())


def test_a_lamp_from_above_goes(normals):
    lit = linear_to_srgb(np.array([0.5, 0.3, 0.2]) * (0.7 + 0.3 * normals[:, 2:]))
    assert spread(lit) > 0.2
    assert spread(delighted(lit, normals)) < 0.03


def test_paint_that_has_nothing_to_do_with_direction_stays(normals):
    paint = np.where(np.arange(len(normals))[:, None] % 2, [[0.8, 0.2, 0.1]], [[0.1, 0.2, 0.7]])
    off = np.abs(delighted(paint, normals) - paint)
    assert np.quantile(off, 0.95) < 0.04


def test_the_correction_is_bounded(normals):
    black_and_white = np.where(normals[:, 2:] > 0, [[0.9, 0.9, 0.9]], [[0.02, 0.02, 0.02]])
    gain = srgb_to_linear(delighted(black_and_white, normals)) / srgb_to_linear(black_and_white)
    assert gain.max() < 2.01
    assert gain.min() > 0.49
