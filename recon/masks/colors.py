"""What colours say: histograms of subject and background, shared by frames, as a log-likelihood ratio a pixel."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

NUM_BINS = 16  # a channel
BLUR = 0.8  # of a histogram, in bins
UNSEEN = 0.02  # share of a histogram that is spread over all colours


def binned(images: np.ndarray) -> np.ndarray:
    """Return the bin of every pixel, int64 [...], for sRGB [...,3] in [0,1].

    Bins are of lightness and two differences of channels: hue and lightness fall apart, as in YCoCg.
    """
    red, green, blue = (images[..., index] for index in range(3))
    light = (red + 2 * green + blue) / 4
    orange, lime = (red - blue) / 2, (2 * green - red - blue) / 4
    total = np.zeros(images.shape[:-1], np.int64)
    for values in (light, 0.5 + 1.2 * orange, 0.5 + 1.6 * lime):  # most colours are nearer grey than the range allows
        total = total * NUM_BINS + np.clip(values * NUM_BINS, 0, NUM_BINS - 1).astype(np.int64)
    return total


def histogram(bins: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the density of colours [NUM_BINS^3], which sums to 1, of pixels with weights."""
    counts = np.bincount(bins.ravel(), weights.ravel(), NUM_BINS**3).reshape((NUM_BINS,) * 3)
    counts = ndimage.gaussian_filter(counts, BLUR, mode="constant").ravel()
    total = counts.sum()
    even = 1 / NUM_BINS**3
    return np.full(NUM_BINS**3, even) if total <= 0 else (1 - UNSEEN) * counts / total + UNSEEN * even


def log_ratio(bins: np.ndarray, subject: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return log(subject / background) at each pixel's colour, float32."""
    return np.log(subject / background)[bins].astype(np.float32)


def overlap(subject: np.ndarray, background: np.ndarray) -> float:
    """Return the Bhattacharyya coefficient of two densities: 0 apart, 1 alike."""
    return float(np.sqrt(subject * background).sum())
