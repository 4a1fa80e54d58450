"""High dynamic range to sRGB: the curves against the standards' own numbers."""

import numpy as np
import pytest

from vid2three.hdr import light_of_hlg, light_of_pq, tone_mapped


def pq(light: np.ndarray) -> np.ndarray:
    """Code light, 1 being 203 candela a square metre, by the forward curve of SMPTE ST 2084."""
    y = (light * 203 / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def test_pq_is_the_inverse_of_its_forward_curve():
    light = np.array([0.01, 0.18, 1.0, 4.0, 49.0])
    np.testing.assert_allclose(light_of_pq(pq(light)), light, rtol=1e-6)


def test_reference_white_has_the_signal_that_bt2408_gives_it():
    assert pq(np.array(1.0)) == pytest.approx(0.58, abs=0.002)
    np.testing.assert_allclose(light_of_hlg(np.full(3, 0.75)), 1.0, rtol=0.01)


@pytest.mark.parametrize("light", [0.02, 0.18, 0.5, 0.75])
def test_greys_up_to_the_knee_come_out_as_srgb_would_code_them(light):
    signal = (np.full((2, 3, 3), pq(np.array(light))) * 65535).round().astype(np.uint16)
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(tone_mapped(signal, "pq"), expected, atol=1)


def test_lights_are_pressed_in_order_and_none_is_cut_off():
    signal = (pq(np.array([0.5, 0.9, 1.0, 2.0, 3.0, 45.0])) * 65535).round().astype(np.uint16)
    shown = tone_mapped(np.repeat(signal[None, :, None], 3, axis=2), "pq")[0, :, 0].astype(int)
    assert (np.diff(shown) > 0).all()
    assert shown[2] > 235
    assert shown[-1] >= 254


def test_a_red_of_bt709_stays_that_red():
    linear = np.array([[0.6274, 0.0691, 0.0164]]) * 0.5  # BT.709's red in BT.2020, BT.2087, at half of white
    signal = (pq(linear)[None] * 65535).round().astype(np.uint16)
    expected = 255 * (1.055 * 0.5 ** (1 / 2.4) - 0.055)
    shown = tone_mapped(signal, "pq")[0, 0]
    assert shown[0] == pytest.approx(expected, abs=2)
    assert shown[1:].max() < 12
