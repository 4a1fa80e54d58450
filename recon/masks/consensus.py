"""Masks that err here and there, settled by what all frames together take for the subject.

Masks cut from busy pictures lack a part in one frame and have one too many in the next. Splats fitted to all of them
average that out: where the solid that they make differs from a frame's own mask by more than its outline can, the solid
is right. Silhouettes that agree in space: Campbell et al., "Automatic 3D object segmentation in multiple views using
volumetric graph-cuts", Image and Vision Computing 2010, with splats instead of a volume.

Shapes: F frames of H x W pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage

from recon.consistency.held_out import held_out
from recon.masks.edges import enlarged, refined
from recon.poses.blob import shrunk
from recon.views import Views

SIZE = 96  # pixels of the longer side at which splats are fitted
FEWEST = 8  # frames
APART = 1.0  # pixels at SIZE from the solid's outline within which a mask may keep its own
THICK = 1.5  # pixels at SIZE: thinner differences are the fit's, which loses thin parts
NEAR = 2.0  # pixels at SIZE around a change in which the soft edge is found anew


def settle_by_consensus(views: Views, *, seed: int = 0) -> tuple[Views, tuple[int, ...]]:
    """Return views whose masks agree with the solid that all of them make, and which frames were changed.

    For masks in doubt: of right ones it may take parts thinner than two pixels of 96. Images must be as they were
    taken, with their background. Without alphas or with fewer than 8 frames views come back as they are. Costs 5
    CPU-seconds for 32 frames; the same seed gives the same masks.
    """
    if views.alphas is None or len(views) < FEWEST:
        return views, ()
    left_out, taken = held_out(shrunk(views, SIZE), seed=seed)
    solid = 0.5 * (left_out[..., 3] + taken[..., 3])
    height, width = views.images.shape[1:3]
    scale = max(height, width) / SIZE
    alphas, changed = views.alphas.clone(), []
    for f, (alpha, image) in enumerate(zip(views.alphas.numpy(), views.images.numpy(), strict=True)):
        own, shared = alpha > 0.5, enlarged(solid[f], height, width) > 0.5
        wrong = _clearly_apart(own, shared, scale)
        if wrong.any():
            found = refined(np.where(wrong, shared, own), image)
            near = ndimage.binary_dilation(wrong, iterations=round(NEAR * scale))
            alphas[f] = torch.from_numpy(np.where(near, found, alpha).astype(np.float32))
            changed.append(f)
    return replace(views, alphas=alphas), tuple(changed)


def _clearly_apart(own: np.ndarray, shared: np.ndarray, scale: float) -> np.ndarray:
    """Return the parts in which two masks differ that are thick, and too far from the shared one's outline."""
    depth = np.asarray(ndimage.distance_transform_edt(shared)) + ndimage.distance_transform_edt(~shared)
    radius = max(1, round(THICK * scale / 2))
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = x * x + y * y <= radius * radius + 0.5
    wrong = np.zeros_like(own)
    for part in (shared & ~own, own & ~shared):
        core = np.asarray(ndimage.binary_opening(part, disk), bool) & (depth > APART * scale)
        wrong |= np.asarray(ndimage.binary_propagation(core, mask=part))
    return wrong
