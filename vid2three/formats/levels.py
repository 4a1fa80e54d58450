"""Few values for many: codebooks by k-means, palettes by halving; and an order in which neighbours follow."""

from __future__ import annotations

import numpy as np

NUM_LEVELS = 256
MOST_SETS = 65536  # of a palette, whose labels have 16 bits
ROUNDS = 20  # of Lloyd's algorithm; the levels hardly move after ten


def codebook(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 256 rising levels for values of any shape, and which level each is, as bytes of that shape.

    Up to 256 different values are kept as they are; more go through k-means that starts from quantiles.
    """
    flat = np.sort(values, axis=None)
    distinct = np.unique(flat)
    if len(distinct) <= NUM_LEVELS:
        levels = np.concatenate([distinct, np.full(NUM_LEVELS - len(distinct), distinct[-1])])
        return levels, nearest(distinct, values)
    half = np.linspace(0, 1, NUM_LEVELS // 2)
    levels = np.sort(np.concatenate([np.quantile(flat, half), flat[0] + (flat[-1] - flat[0]) * half]))
    sums = np.concatenate([[0.0], np.cumsum(flat)])
    for _ in range(ROUNDS):
        edges = np.searchsorted(flat, (levels[1:] + levels[:-1]) / 2)
        starts, stops = np.concatenate([[0], edges]), np.concatenate([edges, [len(flat)]])
        counts = stops - starts
        levels = np.where(counts > 0, (sums[stops] - sums[starts]) / np.maximum(counts, 1), levels)
        levels = np.sort(levels)
    return levels, nearest(levels, values)


def nearest(levels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the index of the nearest of up to 256 rising levels, as bytes of the values' shape."""
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values).astype(np.uint8)


def palette(rows: np.ndarray, most: int = MOST_SETS) -> tuple[np.ndarray, np.ndarray]:
    """Return up to `most` rows [P,D] for many rows [N,D], and which of them stands for each [N].

    Where there are no more than that, they are kept. Else groups are halved at the median of their widest column until
    there are enough; each is then its mean.
    """
    if len(rows) <= most:
        return rows, np.arange(len(rows))
    groups = [np.arange(len(rows))]
    while 2 * len(groups) <= most:
        groups = [half for group in groups for half in _halves(rows, group)]
    labels = np.empty(len(rows), np.int64)
    for index, group in enumerate(groups):
        labels[group] = index
    return np.stack([rows[group].mean(axis=0) for group in groups]), labels


def _halves(rows: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    part = rows[group]
    column = part[:, (part.max(axis=0) - part.min(axis=0)).argmax()]
    order = np.argpartition(column, len(group) // 2)
    return group[order[: len(group) // 2]], group[order[len(group) // 2 :]]


def morton_order(points: np.ndarray) -> np.ndarray:
    """Return the indices that sort points [N,3] along a Morton curve of 1024 steps an axis."""
    low, high = points.min(axis=0), points.max(axis=0)
    cells = (1023 * (points - low) / np.where(high > low, high - low, 1)).astype(np.uint64)
    for shift, mask in ((16, 0x30000FF), (8, 0x300F00F), (4, 0x30C30C3), (2, 0x9249249)):
        cells = (cells | cells << np.uint64(shift)) & np.uint64(mask)
    return np.argsort(cells @ np.array([1, 2, 4], np.uint64), kind="stable")
