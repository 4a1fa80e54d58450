"""Light taken out of base colours, as far as the shape tells it.

Light from far away makes a matte white surface as bright as a polynomial of degree two in its normal: Ramamoorthi and
Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001. It is fitted to the brightness
of all texels, as if paint and direction had nothing to do with each other; where they have, the result is wrong, so
the correction is bounded. Shadows stay.
"""

from __future__ import annotations

import numpy as np
import torch

from recon.sh import basis

LIMIT = 2.0  # most by which a colour is made brighter or darker, in linear light
RIDGE = 1e-3  # holds the fit where few directions are seen


def delighted(colors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Divide sRGB colours [T,3] by the shading that their unit normals [T,3] explain; the mean brightness stays."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    brightness = linear @ np.array([0.2126, 0.7152, 0.0722])
    terms = basis(torch.from_numpy(np.ascontiguousarray(normals, np.float64)), 2).numpy()  # [T,9]
    gram = terms.T @ terms + RIDGE * len(terms) * np.eye(9)
    shading = terms @ np.linalg.solve(gram, terms.T @ brightness)
    gain = np.clip(shading.mean() / np.maximum(shading, 1e-6), 1.0 / LIMIT, LIMIT)
    linear = linear * gain[:, None]
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
    return np.clip(srgb, 0.0, 1.0).astype(np.float32)
