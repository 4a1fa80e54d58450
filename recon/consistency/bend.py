"""How far a picture must be bent and tinted to become another: an 8 x 8 grid of shifts and an affine map of colours.

What a flexible fit would absorb, measured without one: Gauss-Newton on the shifts (Lucas and Kanade, IJCAI 1981, on a
grid of bilinear nodes that are kept small and smooth), from blurred pictures to sharp ones, in turn with least squares
for the colours.

Shapes: h x w pixels of premultiplied RGBA, G x G nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

NODES = 8  # a side
BLURS = (3.0, 1.5, 1.5, 0.7, 0.7)  # standard deviations in pixels at 96 pixels, one a step
SMALL, SMOOTH = 2e-4, 2e-3  # weights of the shifts' squares and of those of their differences between nodes
IDENTITY = 0.02  # weight of the colour map's distance to the identity, by that of the pixels
MARGIN = 0.06  # around the subject, in longer sides
SPOT = 2.0  # standard deviation in pixels at 96 pixels of what counts as a spot
THIN = 3  # pixels
REFERENCE = 96.0  # pixels
WHITE = 0.5  # least of what a gleam adds to a channel by the most: light is added in linear colours, or in encoded ones
FAINT = 0.03  # light below which nothing gleams
HALF = 0.5  # of a brighter patch that must be white, for all of it to gleam
COLORED = 0.15  # saturation from which on white light can be told from another colour of the surface


@dataclass(frozen=True)
class Bend:
    """What turns one picture into another."""

    squares: tuple[float, float, float]
    """Mean squared error of the colours over the subject: as it is, bent, and bent and tinted."""
    shift: float
    """Mean length of the shifts over the subject, in pixels."""
    tint: float
    """How far the three colours are shifted apart, in sRGB: the largest over left, middle and right third."""
    gain: float
    """How far the brightness' gain lies from 1: the largest over the same thirds."""
    worst: float
    """The largest difference of colour or coverage, averaged over a spot, that bending and tinting leave."""
    gleam: float
    """Share of the subject that gleams in the target alone, which counts as no difference."""


def bend(picture: np.ndarray, target: np.ndarray, *, has_ghosts: bool = False) -> Bend:
    """Bend and tint `picture` towards `target`, both premultiplied RGBA [h,w,4] in float32; costs 12 ms at 64 px.

    Pixels count by the larger of the two alphas; where both are empty everywhere, nothing differs. White light on a
    coloured surface of the target is a lamp's reflection, which another view need not have, and is taken off first;
    with `has_ghosts` that of the picture is too.
    """
    window = _window(np.maximum(picture[..., 3], target[..., 3]))
    if window is None:
        return Bend((0.0, 0.0, 0.0), 0.0, 0.0, 0.0, 0.0, 0.0)
    a, b = (np.ascontiguousarray(p[window].astype(np.float64).transpose(2, 0, 1)) for p in (picture, target))
    height, width = a.shape[1:]
    weight = np.maximum(a[3], b[3])
    light = _gleam(a, b)
    if has_ghosts:
        a[:3] -= _gleam(b, a)
    b[:3] -= light
    gleaming = float((light > 0).sum() / weight.sum())
    down, across = _tents(height), _tents(width)  # h G, w G
    nodes, matrix = np.zeros((2, NODES, NODES)), np.eye(3, 4)
    for blur in BLURS:
        sigma = (0, *([blur * max(picture.shape[:2]) / REFERENCE] * 2))
        soft_a, soft_b = ndimage.gaussian_filter(a, sigma), ndimage.gaussian_filter(b, sigma)
        moved = _read(soft_a, down @ nodes @ across.T)
        slopes = np.stack([ndimage.sobel(moved, axis=axis, mode="nearest") / 8 for axis in (1, 2)])  # 2 4 h w
        slopes[:, :3] = np.einsum("ij,ajhw->aihw", matrix[:, :3], slopes[:, :3])
        error = soft_b - _tinted(moved, matrix)
        nodes = _step(nodes, slopes, error, down, across)
        moved = _read(soft_a, down @ nodes @ across.T)
        matrix = _color_map(moved, soft_b, weight)
    shifts = down @ nodes @ across.T  # 2 h w
    moved = _read(a, shifts)
    matrix = _color_map(moved, b, np.maximum(moved[3], b[3]))
    tinted = _tinted(moved, matrix)
    squares = tuple(_square(p, b) for p in (a, moved, tinted))
    shift = (weight * np.hypot(*shifts)).sum() / weight.sum()
    worst = _worst_spot(tinted, b, picture.shape)
    return Bend(squares, float(shift), *_gains(moved, b), worst, gleaming)  # type: ignore[arg-type]


def _gleam(dull: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Return the light [h,w] that one window [4,h,w] has more than the other, where it is white on coloured surfaces.

    Its patches are three pixels thick at least, as edges that lie elsewhere are no gleam, and white in half of
    their area or more.
    """
    more = bright[:3] - dull[:3]
    least, is_brighter = more.min(axis=0), (more.mean(axis=0) > FAINT) & (np.minimum(dull[3], bright[3]) > 0.5)
    whiter = (_saturation(dull) > COLORED) & (_saturation(bright) < _saturation(dull))
    is_white = is_brighter & whiter & (least > FAINT) & (least > WHITE * more.max(axis=0))
    cores = ndimage.binary_opening(is_white, np.ones((THIN, THIN)))
    patches = np.asarray(ndimage.label(is_brighter)[0], int)  # type: ignore[index]
    white = np.asarray(ndimage.mean(cores, patches, np.arange(patches.max() + 1)))
    return np.where(is_brighter & (white[patches] >= HALF), more.mean(axis=0), 0.0)


def _saturation(picture: np.ndarray) -> np.ndarray:
    return np.ptp(picture[:3], axis=0) / np.maximum(picture[:3].max(axis=0), 1e-6)


def _worst_spot(picture: np.ndarray, target: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return the largest difference of two windows [4,h,w] of pictures of a shape, averaged over a spot.

    Parts thinner than three pixels do not count: a short fit loses them.
    """
    sigma = SPOT * max(shape[:2]) / REFERENCE
    thick = ndimage.binary_opening(np.maximum(picture[3], target[3]) > 0.5, np.ones((THIN, THIN)))
    difference = (picture - target) * thick
    return float(np.abs(ndimage.gaussian_filter(difference, (0, sigma, sigma), mode="constant")).max())


def _gains(picture: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Return the largest spread of the colours' shifts, and deviation of the gain from 1, over three bands.

    A tint that drifts with the camera leaves a splat in the mean of the tints that it was seen under, so that a frame
    differs from its render to opposite sides on its left and on its right: one gain for all of it would be 1.
    """
    covered = picture[3] * target[3]
    share = np.cumsum(covered.sum(axis=0)) / max(covered.sum(), 1e-9)
    tint = gain = 0.0
    for band in range(3):
        inside = covered * ((share > band / 3) & (share <= (band + 1) / 3))
        pull = IDENTITY * (inside.sum() + 1)
        energy = (inside * picture[:3] ** 2).sum()
        grey = ((inside * picture[:3] * target[:3]).sum() + pull) / (energy + pull)
        shift = (inside * (target[:3] - grey * picture[:3])).sum(axis=(1, 2))
        tint = max(tint, float(np.ptp(shift) / (inside.sum() + pull)))
        gain = max(gain, float(abs(grey - 1)))
    return tint, gain


def _window(alpha: np.ndarray) -> tuple[slice, slice] | None:
    """Return the box around what is covered, a margin wider."""
    if alpha.max() < 0.05:
        return None
    margin = round(MARGIN * max(alpha.shape))
    sides = []
    for axis in (1, 0):
        inside = np.flatnonzero((alpha > 0.05).any(axis=axis))
        sides.append(slice(max(inside[0] - margin, 0), min(inside[-1] + margin + 1, alpha.shape[1 - axis])))
    return sides[0], sides[1]


def _tents(size: int) -> np.ndarray:
    """Return the weight of every node for every row or column of pixels, [size,G]."""
    place = (np.arange(size) + 0.5) / size * (NODES - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(NODES)), 0)


def _read(picture: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Read a picture [4,h,w] at pixels shifted by [2,h,w], down and right."""
    places = np.indices(shifts.shape[1:]) + shifts
    return np.stack([ndimage.map_coordinates(channel, places, order=1, mode="nearest") for channel in picture])


def _step(nodes: np.ndarray, slopes: np.ndarray, error: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Take one step of Gauss-Newton on the nodes [2,G,G]; slopes are [2,4,h,w], the error is [4,h,w].

    The basis is a product of rows and columns, so sums over pixels are taken along one and then along the other.
    """
    num = NODES * NODES
    pairs_down, pairs_across = (np.einsum("pi,pk->pik", t, t).reshape(len(t), num) for t in (down, across))
    pull = error[0].size / num * (SMALL * np.eye(num) + SMOOTH * _LAPLACIAN)
    normal, right = np.zeros((2, num, 2, num)), np.zeros((2, num))
    for i in range(2):
        right[i] = (down.T @ (slopes[i] * error).sum(axis=0) @ across).ravel() - pull @ nodes[i].ravel()
        for j in range(2):
            product = (slopes[i] * slopes[j]).sum(axis=0)
            sums = (pairs_down.T @ product @ pairs_across).reshape(NODES, NODES, NODES, NODES)  # rows, columns of nodes
            normal[i, :, j] = sums.transpose(0, 2, 1, 3).reshape(num, num)
        normal[i, :, i] += pull
    return nodes + np.linalg.solve(normal.reshape(2 * num, 2 * num), right.ravel()).reshape(nodes.shape)


def _grid_laplacian() -> np.ndarray:
    """Return the matrix of the sum of squared differences between neighbouring nodes."""
    index = np.arange(NODES * NODES).reshape(NODES, NODES)
    pairs = np.concatenate(
        [np.stack([a.ravel(), b.ravel()], 1) for a, b in ((index[1:], index[:-1]), (index[:, 1:], index[:, :-1]))]
    )
    difference = np.zeros((len(pairs), NODES * NODES))
    difference[np.arange(len(pairs)), pairs[:, 0]], difference[np.arange(len(pairs)), pairs[:, 1]] = 1, -1
    return difference.T @ difference


_LAPLACIAN = _grid_laplacian()


def _color_map(picture: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the affine map [3,4] of premultiplied colours that is best, drawn to the identity."""
    inputs, w = picture.reshape(4, -1), weight.ravel()  # the shift is in proportion to alpha
    pull = IDENTITY * max(w.sum(), 1.0) * np.eye(4)
    normal = (inputs * w) @ inputs.T + pull
    right = target[:3].reshape(3, -1) @ (inputs * w).T + np.eye(3, 4) @ pull
    return np.linalg.solve(normal, right.T).T


def _tinted(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.concatenate([np.einsum("ij,jhw->ihw", matrix, picture), picture[3:]])


def _square(a: np.ndarray, b: np.ndarray) -> float:
    weight = np.maximum(a[3], b[3])
    return float((weight * ((a[:3] - b[:3]) ** 2).mean(axis=0)).sum() / weight.sum())
