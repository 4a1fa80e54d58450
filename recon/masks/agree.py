"""Holes in masks that the other frames' masks deny.

A dark eye before a black curtain is cut out of the frames that look into it; from all other sides it is covered. A
hole that is a hole, such as a handle's, is seen through from several sides, and the hull has it too; where it only just
opens, the frames beside show something else there than the background.

Shapes: F frames of H x W pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import Tensor

from recon.camera import Cameras, project
from recon.consistency.motion import spacing_deg
from recon.consistency.silhouettes import MOST, covered_by_others
from recon.hull import Hull, NoSolidError, carve
from recon.masks.edges import enlarged
from recon.poses.blob import shrunk
from recon.views import Views

SIZE = 128  # pixels of the longer side at which hulls are looked at
FEWEST = 8  # frames that can outvote one
WIDEST_DEG = 16.0  # between neighbours: the hull of views farther apart is too large to take its word
RESOLUTION = 80  # voxels of the hull along a side
SAMPLES = 200  # pixels of a hole whose colours are compared
RIM = 0.015  # width of what is looked at around a hole, in longer sides
ALIKE = 0.1  # largest difference of a channel, in the middle of them
COVERED = 0.9  # of a hole that the hull of the others must cover
SLIT = 0.008  # of the longer side: a gap no wider does not open a hole to the outside


def fill_denied_holes(views: Views) -> tuple[Views, tuple[int, ...]]:
    """Return views whose masks are covered where all other frames say so, and which frames were changed.

    Only holes are filled, places that the mask surrounds, and only where the frames before and after show the same as
    is seen in the hole. Images must be as they were taken, with their background. Without alphas, with fewer than 8
    frames or more than 64, or with frames more than 16 degrees apart, views come back as they are. Costs 1 CPU-second
    for 32 frames.
    """
    if views.alphas is None or not FEWEST <= len(views) <= MOST or spacing_deg(views.cameras) > WIDEST_DEG:
        return views, ()
    height, width = views.cameras.height, views.cameras.width
    small = shrunk(views, SIZE)
    covered = covered_by_others(small)
    try:
        hull = carve(small, RESOLUTION)
    except NoSolidError:
        return views, ()
    alphas, changed = views.alphas.clone(), []
    for f, alpha in enumerate(views.alphas.numpy()):
        solid, holes = _holes(alpha > 0.5, max(1, round(SLIT * max(height, width))))
        if not holes.any():
            continue
        agreed = enlarged(covered[f].astype(np.float32), height, width) > 0.5
        parts, num = ndimage.label(holes)  # type: ignore[misc]
        shares = ndimage.mean(agreed, parts, np.arange(1, num + 1))
        doubtful = 1 + np.flatnonzero(np.asarray(shares) >= COVERED)
        denied = np.isin(parts, [part for part in doubtful if _shows_the_same(views, hull, f, parts == part)])
        if denied.any():
            alphas[f][torch.from_numpy(ndimage.binary_dilation(denied, iterations=2) & solid)] = 1.0
            changed.append(f)
    return replace(views, alphas=alphas), tuple(changed)


def _shows_the_same(views: Views, hull: Hull, frame: int, hole: np.ndarray) -> bool:
    """Return whether the frames before and after show, where a hole [H,W] would be closed, the colours that it has.

    It is closed by the plane, in inverse depth, through the hull around it: behind it the hull is hollow.
    """
    cameras = views.cameras[frame : frame + 1]
    around = ndimage.binary_dilation(hole, iterations=max(2, round(RIM * max(hole.shape)))) & ~hole
    rim = _some_pixels(around)
    depth = _depths(hull, cameras, rim)
    found = torch.isfinite(depth)
    if int(found.sum()) < 3:
        return False
    inside = _some_pixels(hole)
    plane = torch.linalg.lstsq(_homogeneous(rim[found]), 1 / depth[found, None]).solution
    near = (_homogeneous(inside) @ plane).clamp(min=0.5 / float(depth[found].max()))
    local = _homogeneous(inside) / near @ torch.linalg.inv(cameras.K[0]).T
    c2w = cameras.c2w[0]
    points = local @ c2w[:3, :3].T + c2w[:3, 3]
    own = views.images[frame][inside[:, 1].long(), inside[:, 0].long()]
    for other in ((frame - 1) % len(views), (frame + 1) % len(views)):
        column, row = project(points, views.cameras[other : other + 1])[0][0].nan_to_num(0).long().unbind(-1)
        column, row = column.clamp(0, views.cameras.width - 1), row.clamp(0, views.cameras.height - 1)
        if float((views.images[other][row, column] - own).abs().amax(dim=-1).median()) > ALIKE:
            return False
    return True


def _some_pixels(mask: np.ndarray) -> Float[Tensor, "s 2"]:
    """Return the centres, (u, v), of up to SAMPLES pixels of a mask."""
    rows, columns = np.nonzero(mask)
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), SAMPLES)).round().astype(int)
    return torch.from_numpy(np.stack([columns[chosen] + 0.5, rows[chosen] + 0.5], axis=1)).float()


def _homogeneous(uv: Float[Tensor, "s 2"]) -> Float[Tensor, "s 3"]:
    return torch.cat([uv, torch.ones(len(uv), 1)], dim=1)


def _depths(hull: Hull, cameras: Cameras, uv: Float[Tensor, "s 2"]) -> Float[Tensor, " s"]:
    """Return z of the first voxel on each pixel's line of sight from one camera; infinite where there is none."""
    cells = hull.origin + hull.voxel * (hull.occupancy.nonzero().float() + 0.5)
    place, z = (part[0] for part in project(cells, cameras))
    reach = 0.87 * hull.voxel * cameras.K[0, 0, 0] / z.clamp(min=1e-6)
    on_line = (torch.cdist(place.nan_to_num(-1e6), uv) < reach[:, None]) & (z > 0)[:, None]  # P S
    return torch.where(on_line, z[:, None], torch.inf).min(dim=0).values


def _holes(mask: np.ndarray, slit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask without holes and the holes, wider than slits, that it surrounds but for slits: bool [H,W]."""
    y, x = np.ogrid[-slit : slit + 1, -slit : slit + 1]
    disk = x * x + y * y <= slit * slit + 0.5
    closed = ndimage.binary_closing(np.pad(mask, slit), disk)[slit:-slit, slit:-slit] | mask
    solid = np.asarray(ndimage.binary_fill_holes(closed))
    inner = ndimage.binary_opening(solid & ~mask, disk)
    return solid, np.asarray(ndimage.binary_propagation(inner, mask=solid & ~mask))
