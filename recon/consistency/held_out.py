"""Every frame re-rendered from short fits that never saw it.

The frames are dealt into folds; splats are fitted to all folds but one and show what the left-out frames should be.
Where frames contradict each other no splats can show them, and a frame that contradicts all others stands out.

Shapes: F frames of h x w pixels.
"""

from __future__ import annotations

import numpy as np
import torch

from recon.poses import blob
from recon.poses.judge import fit_short, start_short
from recon.views import Views

FOLDS = 3  # more would leave less out at a time, and cost as much each


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
        for pictures, frames in ((left_out, fold == k), (taken, fold == (k + 1) % FOLDS)):
            for f in np.flatnonzero(frames):
                drawn = blob.draw(splats, rows[f], height, width)
                pictures[f, ..., :3], pictures[f, ..., 3] = drawn.rgb, 1 - drawn.left
    return left_out, taken
