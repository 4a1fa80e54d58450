"""High dynamic range to sRGB: the two transfer curves of ITU-R BT.2100 and a roll-off of what is brighter than white.

Light is relative to the reference white of BT.2408, 203 candela a square metre: 1 is a sheet of paper.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Transfer = Literal["pq", "hlg"]
TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}  # by the numbers of ITU-T H.273
REFERENCE_WHITE = 203.0
HLG_PEAK = 1000.0  # of the display that HLG's system gamma of 1.2 is meant for
KNEE = 0.8  # light up to here is kept; what is brighter is pressed between here and 1
SRGB_FROM_BT2020 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)  # of linear light, ITU-R BT.2087
LUMA = np.array([0.2627, 0.6780, 0.0593])  # of BT.2020


def tone_mapped(pixels: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Turn BT.2100 pixels, uint16 [H,W,3] full range, into sRGB uint8 [H,W,3]. Hues are kept, lights are pressed."""
    signal = pixels.astype(np.float32) / 65535
    light = light_of_pq(signal) if transfer == "pq" else light_of_hlg(signal)
    light = np.maximum(light @ SRGB_FROM_BT2020.T, 0)
    most = light.max(axis=-1, keepdims=True)
    above = np.maximum(most - KNEE, 0) / (1 - KNEE)
    pressed = KNEE + (1 - KNEE) * above / (1 + above)  # as steep as before the knee, 1 for the sun
    light = light * np.where(most > KNEE, pressed / np.maximum(most, KNEE), 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return (coded.clip(0, 1) * 255).round().astype(np.uint8)


def light_of_pq(signal: np.ndarray) -> np.ndarray:
    """Return the light of a PQ signal in [0,1]: the inverse of SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10000 / REFERENCE_WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def light_of_hlg(signal: np.ndarray) -> np.ndarray:
    """Return the light of an HLG signal [...,3] in [0,1] on its display: inverse OETF, then OOTF, of ARIB STD-B67."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    brightness = np.maximum(scene @ LUMA, 1e-9)[..., None]
    return HLG_PEAK / REFERENCE_WHITE * brightness**0.2 * scene
