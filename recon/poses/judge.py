"""How well cameras explain a clip: fit splats to most frames, and look how the others come out.

Cameras that are wrong make a scene that no new view confirms, however small their reprojection errors: the mirror image
of an orbit, a focal length that went astray and frames out of order all fall behind here. The figure needs no truth, is
the same for all candidates, and does not depend on the frame or the scale that the cameras are given in.

Shapes: F frames of H x W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import Cameras
from recon.poses import blob
from recon.poses.blob import Blob
from recon.views import Views

SIZE = 64  # pixels along the longer side: 96 tells no more apart and costs twice as much
NUM_SPLATS = 2000
ITERATIONS = 300
EVERY = 4  # each of the folds holds out every fourth frame, so that half of the frames are judged
FOLDS = (0, 2)
REVIVE_AT = (0.25, 0.5)  # shares of the fit
OPEN_SHARE = 1.5  # radius of the ball of a start without masks, by half the picture at the point looked at


@dataclass(frozen=True, eq=False)
class JudgeScore:
    """What a short fit that left frames out says about its cameras."""

    held_out_psnr: float
    """dB, mean over the frames held out, where the frame or the render shows something."""
    train_psnr: float
    """The same over the frames that were fitted."""
    silhouette_iou: float
    """Of held-out renders with the masks; NaN without masks."""
    frame_psnr: np.ndarray
    """float64 [F], dB of each frame that was held out; NaN of the others."""
    has_hull: bool
    """Whether the masks share a solid as seen from these cameras; False without masks."""

    @property
    def drop(self) -> float:
        """How many dB the frames held out lie below those fitted."""
        return self.train_psnr - self.held_out_psnr


def held_out_score(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    cameras: Cameras,
    *,
    points: Float[Tensor, "p 3"] | None = None,
    seed: int = 0,
) -> JudgeScore:
    """Fit 2,000 splats to three quarters of the frames at 64 px, twice, and score the renders of the rest.

    With alphas the fit starts on the visual hull, or in a ball where the masks share no solid; without, on sparse
    `points` or in a ball. Costs 1.2 CPU seconds for any number of frames up to about 100. The same seed gives the same
    figures. Needs at least four frames; raises ValueError otherwise.
    """
    if len(images) < EVERY:
        raise ValueError(f"{len(images)} frames cannot be judged; at least {EVERY} are needed.")
    views = blob.shrunk(Views(images, alphas, None, cameras, points), SIZE)
    rgba, rows = blob.targets(views), blob.camera_rows(views.cameras)
    frames = np.arange(len(views))
    held_out, fitted = np.full((2, len(views)), np.nan), []
    has_hull = alphas is not None
    for fold in FOLDS:
        is_held = frames % EVERY == fold
        train = frames[~is_held]
        splats, on_hull = start_short(views[torch.from_numpy(~is_held)], seed)
        has_hull &= on_hull
        fit_short(splats, rows, rgba, train, seed)
        for k in frames[is_held]:
            held_out[:, k] = _compare(splats, rows[k], rgba[k])
        fitted += [_compare(splats, rows[k], rgba[k])[0] for k in train[:: EVERY - 1]]
    return JudgeScore(
        held_out_psnr=float(np.nanmean(held_out[0])),
        train_psnr=float(np.mean(fitted)),
        silhouette_iou=float("nan") if alphas is None else float(np.nanmean(held_out[1])),
        frame_psnr=held_out[0],
        has_hull=has_hull,
    )


def start_short(views: Views, seed: int) -> tuple[Blob, bool]:
    """Return splats to begin with, and whether they lie on the hull."""
    generator = torch.Generator().manual_seed(seed)
    if views.alphas is not None:
        splats = blob.on_hull(views, NUM_SPLATS, generator)
        if splats is not None:
            return splats, True
        return blob.in_ball(views.cameras, NUM_SPLATS, generator), False
    if views.points is not None and len(views.points) >= 4:
        return blob.on_points(views, NUM_SPLATS, generator), False
    return blob.in_ball(views.cameras, NUM_SPLATS, generator, OPEN_SHARE), False


def fit_short(splats: Blob, rows: list[np.ndarray], rgba: np.ndarray, train: np.ndarray, seed: int) -> None:
    """Fit splats, in place, to the frames `train` of premultiplied pictures [F,h,w,4] with their camera rows."""
    generator = np.random.default_rng(seed)
    order: list[int] = []
    for step in range(ITERATIONS):
        order = order or generator.permutation(train).tolist()
        k = order.pop()
        background = generator.random(3).astype(np.float32)
        _, gradient, _ = blob.gradient(splats, rows[k], rgba[k], background)
        blob.learn(splats, gradient, blob.rates(step / ITERATIONS, splats.radius), step + 1)
        if step in [int(share * ITERATIONS) for share in REVIVE_AT]:
            blob.revive(splats, generator)


def _compare(splats: Blob, row: np.ndarray, rgba: np.ndarray) -> tuple[float, float]:
    """Return PSNR, over the pixels that show the subject in either picture, and the silhouettes' IoU.

    The squared error is the mean of those before black and before white, weighted by the larger of the two alphas: an
    outline in the wrong place counts as much as a wrong colour.
    """
    drawn = blob.draw(splats, row, *rgba.shape[:2])
    difference, alpha, covered = drawn.rgb - rgba[..., :3], rgba[..., 3], 1 - drawn.left
    on_white = difference + (alpha - covered)[..., None]
    square = (difference**2 + on_white**2).mean(axis=-1) / 2
    weight = np.maximum(alpha, covered)
    error = (square * weight).sum() / max(float(weight.sum()), 1e-6)
    inside, drawn_inside = alpha > 0.5, covered > 0.5
    either = int((inside | drawn_inside).sum())
    return float(-10 * np.log10(error + 1e-10)), float((inside & drawn_inside).sum()) / max(either, 1)
