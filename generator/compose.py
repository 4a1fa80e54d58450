"""Scenes of several objects, laid together from a clip of each.

What a thing looks like alone a model knows better than what it looks like beside another: there it is small, and of
pairs there are too many to have seen each. So each is sampled alone, and its frames are laid into those of the scene as
layers with depth, where a scene of the grammar has it (as in Po and Wetzstein, arXiv:2303.12218, a prompt a place). The
model samples on from there under the words for all, which brings them under one light.

Shapes: f frames, h w pixels, n objects, p points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .arrange import Box, in_rows, places, stand
from .data import Orbit, decode_depth, encode_depth
from .grammar import SUBJECT_RADIUS
from .parts import Scene
from .rays import intrinsics, orbit_radius

SOLID = 0.9  # coverage from which on a pixel's depth counts
OUTLIERS = 0.002  # share of the points that a box leaves out on each side
FREE = np.array([0.1, 0.1, 0.0])  # around an object besides, of its radius: what touches grows together in the surface
FEWEST = 100  # points that make a thing; of less it stands as large as a frame
CELL = 0.1  # of the grid in which heights are looked up, of an object's radius


def lay_together(
    clips: Sequence[Float[Tensor, "f 5 h w"]], scene: Scene, orbit: Orbit, size: tuple[int, int]
) -> Float[Tensor, "f 5 height width"]:
    """Return the clip of a scene from those of its parts; all seen on the same orbit.

    Clips hold colour on white, alpha and coded depth in [0,1], as the autoencoder decodes them.
    """
    spots = _spots([_points(clip, orbit) for clip in clips], scene)
    layers = [_layer(clips[spot.which], spot, orbit, size) for spot in spots]
    taken, alpha, depth = (torch.stack(each) for each in zip(*layers))  # n f ...
    order = depth.argsort(0)
    taken = taken.gather(0, order[:, :, None].expand_as(taken))
    alpha, depth = alpha.gather(0, order), depth.gather(0, order)
    through = torch.cumprod(torch.cat([torch.ones_like(alpha[:1]), 1 - alpha]), dim=0)
    colors = 1 - (through[:-1, :, None] * taken).sum(0)
    covered = 1 - through[-1]
    front = torch.where(alpha > 0.5, depth, torch.inf).amin(0)
    seen = front.isfinite()
    radius = orbit_radius(orbit.fov_deg)
    coded = encode_depth(torch.where(seen, front, radius).numpy(), seen.numpy(), radius)
    return torch.cat([colors, covered[:, None], torch.from_numpy(coded).float()[:, None]], dim=1).clamp(0, 1)


@dataclass(frozen=True)
class _Spot:
    """Where an object stands: a point p of its own clip at scale * p + shift."""

    which: int
    scale: float
    shift: np.ndarray

    def moved(self, scale: float, shift: np.ndarray) -> _Spot:
        """Return where it stands once all is scaled about the origin and shifted."""
        return _Spot(self.which, scale * self.scale, scale * self.shift + shift)


def _points(clip: Float[Tensor, "f 5 h w"], orbit: Orbit) -> np.ndarray:
    """Return the points of a clip's surface, [p,3]; those that stray are brought back to its box."""
    f, _, h, w = clip.shape
    depth = decode_depth(clip[:, 4].numpy(), orbit_radius(orbit.fov_deg))
    K, c2w = intrinsics(orbit.fov_deg, h, w), orbit.c2w(f)
    frame, v, u = np.nonzero(clip[:, 3].numpy() > SOLID)
    if len(frame) < FEWEST:
        return np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    z = depth[frame, v, u]
    local = np.stack([(u + 0.5 - K[0, 2]) / K[0, 0] * z, (v + 0.5 - K[1, 2]) / K[1, 1] * z, z], axis=1)
    points = np.einsum("pij,pj->pi", c2w[frame, :3, :3], local) + c2w[frame, :3, 3]
    return np.clip(points, *np.quantile(points, [OUTLIERS, 1 - OUTLIERS], axis=0))


def _spots(points: list[np.ndarray], scene: Scene) -> list[_Spot]:
    """Arrange objects as the grammar does, and the whole as large as a subject is."""
    counts = [part.count for part in scene.parts]
    num = len(scene.things)
    first = _Group.of(points, counts, range(num))
    stood = first.spots
    if scene.relation:
        other = _Group.of(points, counts, range(num, len(counts)))
        scale, shift = stand(first.box, scene.relation, other.box, _Heights(other.points))
        stood = [*(spot.moved(scale, shift) for spot in first.spots), *other.spots]
    middle, radius = _ball(np.concatenate([spot.scale * points[spot.which] + spot.shift for spot in stood]))
    fit = SUBJECT_RADIUS / radius
    return [spot.moved(fit, -fit * middle) for spot in stood]


@dataclass(frozen=True)
class _Group:
    """Objects beside each other on the ground, brought to radius 1 as one object."""

    points: np.ndarray
    spots: list[_Spot]

    @staticmethod
    def of(points: list[np.ndarray], counts: list[int], chosen: range) -> _Group:
        """Group the chosen objects, each as often as its count says and all of one size."""
        single, boxes = [], []
        for which in chosen:
            middle, radius = _ball(points[which])
            spot, unit = _Spot(which, 1 / radius, -middle / radius), (points[which] - middle) / radius
            single += [spot] * counts[which]
            boxes += [(unit.min(axis=0) - FREE, unit.max(axis=0) + FREE)] * counts[which]
        if len(chosen) == 1:
            low, high = boxes[0]
            shifts = places(len(boxes), high - low, prefers_triangle=False)
        else:
            shifts = in_rows(boxes)
        spots = [spot.moved(1.0, np.array(shift)) for spot, shift in zip(single, shifts)]
        whole = np.concatenate([spot.scale * points[spot.which] + spot.shift for spot in spots])
        middle, radius = _ball(whole)
        return _Group((whole - middle) / radius, [spot.moved(1 / radius, -middle / radius) for spot in spots])

    @property
    def box(self) -> Box:
        return self.points.min(axis=0) - FREE, self.points.max(axis=0) + FREE


def _ball(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the middle of the box of some points [p,3], and how far they reach from there."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return middle, float(np.linalg.norm(points - middle, axis=1).max())


class _Heights:
    """How high an object of radius 1 rises at a place, from points of its surface."""

    def __init__(self, points: np.ndarray):
        num = round(2 / CELL)
        cells = np.clip(((points[:, :2] + 1) / CELL).astype(int), 0, num - 1)
        grid = np.full((num, num), -np.inf)
        np.maximum.at(grid, (cells[:, 0], cells[:, 1]), points[:, 2])
        unseen = np.isinf(grid)  # as is a lid from below: as high as the nearest that is seen
        nearest = distance_transform_edt(unseen, return_distances=False, return_indices=True)
        self.grid = grid[tuple(np.asarray(nearest))]

    def __call__(self, x: float, y: float) -> float:
        i, j = (int(np.clip((at + 1) / CELL, 0, len(self.grid) - 1)) for at in (x, y))
        return float(self.grid[i, j])


def _layer(
    clip: Float[Tensor, "f 5 h w"], spot: _Spot, orbit: Orbit, size: tuple[int, int]
) -> tuple[Float[Tensor, "f 3 height width"], Float[Tensor, "f height width"], Float[Tensor, "f height width"]]:
    """Return what an object takes from the white, its alpha and its z, in the frames of the scene.

    Each takes the frame whose camera looks at the object from about there, shrunk and moved to where it stands.
    """
    f, _, h, w = clip.shape
    radius, c2w = orbit_radius(orbit.fov_deg), orbit.c2w(f)
    K, K_own = intrinsics(orbit.fov_deg, *size), intrinsics(orbit.fov_deg, h, w)
    at = np.einsum("fij,fi->fj", c2w[:, :3, :3], spot.shift - c2w[:, :3, 3])  # in the cameras' axes
    zoom = (K[0, 0] * spot.scale / at[:, 2]) / (K_own[0, 0] / radius)
    center = K[:2, :2].diagonal() * at[:, :2] / at[:, 2:] + K[:2, 2]

    v, u = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) + 0.5 for side in size), indexing="ij")
    x, y, z = (torch.from_numpy(each)[:, None, None] for each in (*center.T, zoom))
    grid = torch.stack([(u - x) / z / (w / 2), (v - y) / z / (h / 2)], dim=-1).float()  # f height width 2
    own = clip[torch.from_numpy(_nearest_frames(c2w[:, :3, 3] - spot.shift, c2w[:, :3, 3]))]
    taken = torch.cat([1 - own[:, :3], own[:, 3:4]], dim=1)  # from the white, so that outside there is nothing
    moved = F.grid_sample(taken, grid, mode="bicubic", align_corners=False).clamp(0, 1)
    depth = F.grid_sample(own[:, 4:], grid, mode="bilinear", padding_mode="border", align_corners=False)[:, 0]
    own_z = (depth - 0.5) * 2  # before or behind the object's origin
    return moved[:, :3], moved[:, 3], torch.from_numpy(at[:, 2]).float()[:, None, None] + spot.scale * own_z


def _nearest_frames(towards: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    """Return for each direction [f,3] the index of the camera that looks from about there, by azimuth."""
    azimuth, own = (np.arctan2(each[:, 0], -each[:, 1]) for each in (towards, cameras))
    apart = np.abs((azimuth[:, None] - own + np.pi) % (2 * np.pi) - np.pi)
    return apart.argmin(axis=1)
