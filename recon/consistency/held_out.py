"""Every frame re-rendered from short fits that never saw it.

The frames are dealt into folds; splats are fitted to all folds but one and show what the left-out frames should be.
Where frames contradict each other no splats can show them, and a frame that contradicts all others stands out.

Shapes: F frames of h x w pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import max_pool2d

from recon.camera import Cameras, project
from recon.hull import Hull, NoSolidError, carve
from recon.poses import blob
from recon.poses.blob import HULL_RESOLUTION
from recon.poses.judge import fit_short, start_short
from recon.views import Views

FOLDS = 3  # more would leave less out at a time, and cost as much each
DUST = 0.1  # parts of a hull below this share of the largest are none


def held_out(views: Views, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two renders of every frame, premultiplied RGBA float32 [F,h,w,4]: left out of the fit, and part of it.

    Views are taken at the size they have: three short fits take 2 CPU-seconds at 64 px. The same seed gives the same
    pictures.
    """
    num, height, width = views.images.shape[:3]
    rows, rgba = blob.camera_rows(views.cameras), blob.targets(views)
    left_out, taken = np.zeros_like(rgba), np.zeros_like(rgba)
    fold = np.arange(num) % FOLDS
    for k in range(FOLDS):
        splats, _ = start_short(views[torch.from_numpy(fold != k)], seed)
        fit_short(splats, rows, rgba, np.flatnonzero(fold != k), seed)
        # Splats may hang in the air where no fitted frame sees them; they are no fault of the frame that does.
        outlines = _outlines(_carved(views[torch.from_numpy(fold != k)]), views.cameras)
        for pictures, frames in ((left_out, fold == k), (taken, fold == (k + 1) % FOLDS)):
            for f in np.flatnonzero(frames):
                drawn = blob.draw(splats, rows[f], height, width)
                pictures[f, ..., :3], pictures[f, ..., 3] = drawn.rgb, 1 - drawn.left
                pictures[f][~outlines[f]] = 0
    return left_out, taken


def _outlines(hull: Hull | None, cameras: Cameras) -> np.ndarray:
    """Return where a hull can be seen, a little wider, bool [F,h,w]; everywhere where there is none."""
    height, width = cameras.height, cameras.width
    if hull is None:
        return np.ones((len(cameras), height, width), bool)
    cells = hull.occupancy.nonzero().float()
    uv, z = project(hull.origin + hull.voxel * (cells + 0.5), cameras)  # F P 2, F P
    column, row = uv.nan_to_num(-1).clamp(-1, max(height, width)).floor().long().unbind(-1)
    inside = (z > 0) & (column >= 0) & (row >= 0) & (column < width) & (row < height)
    seen = torch.zeros(len(cameras), height, width)
    for f in range(len(cameras)):
        seen[f, row[f][inside[f]], column[f][inside[f]]] = 1
    reach = int(np.ceil(0.87 * hull.voxel * float((cameras.K[:, 0, 0] / z.median(dim=1).values).max()))) + 1
    return max_pool2d(seen[:, None], 2 * reach + 1, 1, reach)[:, 0].numpy() > 0


def _carved(views: Views) -> Hull | None:
    """Return the hull of views without its dust; None where they have no masks or their masks share no solid.

    Near the pictures' borders few views see a place, and none denies what hides behind the subject there.
    """
    try:
        hull = None if views.alphas is None else carve(views, HULL_RESOLUTION)
    except NoSolidError:
        hull = None
    if hull is None:
        return None
    parts = np.asarray(ndimage.label(hull.occupancy.numpy(), np.ones((3, 3, 3)))[0])  # type: ignore[index]
    sizes = np.bincount(parts.ravel())[1:]
    kept = np.isin(parts, 1 + np.flatnonzero(sizes >= DUST * sizes.max()))
    return replace(hull, occupancy=torch.from_numpy(kept))
