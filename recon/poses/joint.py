"""Refine cameras by learning them together with a few thousand splats, coarse to fine.

The idea is BARF's (Lin et al., arXiv:2104.06405) on splats: whatever the start, splats and cameras learn from the same
pictures, first small ones, and the judge has the last word. An orbit's few numbers move from early on, since all frames
speak for them; the frames' own twists only in the second half, held back to zero. Cameras on no orbit have their twists
alone. A photometric valley is flat where frames disagree, so the result is kept only where it explains frames that a
fit left out better than the start does, and matches may take part.

Shapes: F frames of H x W pixels, P parameters of an orbit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import Cameras
from recon.poses import blob, match_pull, orbit
from recon.poses import rig as rigs
from recon.poses.blob import Blob
from recon.poses.judge import OPEN_SHARE, JudgeScore, held_out_score
from recon.poses.rig import Rig, RigGradient
from recon.poses.types import Matches
from recon.views import Views

ITERATIONS = 1500
SIZES = ((64, 0.0), (128, 0.35))  # pixels along the longer side, from which share of the steps
NUM_SPLATS = 2500
WARM_UP = 0.08  # share of the steps in which the splats learn alone
REVIVE_AT = (0.08, 0.16, 0.24, 0.32, 0.4, 0.5, 0.6, 0.7)  # shares
AVERAGE = 0.2  # last share of the steps over which the cameras are averaged
TWISTS_FROM = 0.45  # share of the steps after which frames of an orbit move alone: sooner, they bear its errors

# What all frames share. Adam divides by the spread of the frames' gradients, which is far above their mean: so long
# memories, and rates many times the steps that come of them.
SHARED_RATE = 1e-2  # radians, or shares of the distance
SHARED_DECAY = 0.01  # of the rate, over all steps
SHARED_MEMORY = (0.98, 0.998)
TWIST_RATE = 6e-3
PATH_RATE = 8e-3  # the same for cameras on no orbit, which have nothing else
TWIST_DECAY = 0.3
TWIST_MEMORY = (0.8, 0.95)
TWIST_PULL = 0.002  # share of a twist that is lost each time its frame is seen
MOST_ZOOM = 0.35  # largest change of the logarithm of the focal length
ZOOM_PULL = 0.001  # share of it that is lost in a step: where the pictures say nothing it stays
MATCHES_WEIGHT = 0.5  # of matches all off by one scale, against what pictures say; 1 spoils shiny subjects
FRAMES_MARGIN = 2.0  # dB: smooth warps of 1.5 px of 256 give 1.1, a shake of 1 degree 15
TIE = 0.3  # dB that mean nothing: flat valleys give as much by chance
MATCHES_EVERY = 10  # steps after which the matches' gradient is taken anew

Progress = Callable[[int, int, dict], None]
Kept = Literal["start", "orbit", "frames"]


@dataclass(frozen=True, eq=False)
class Refined:
    """Cameras after the refinement, or as they came where it did not help."""

    cameras: Cameras
    """In the frame of the start; those of an orbit with the orbit's frame."""
    params: np.ndarray | None
    """[P] of the orbit that they stand on or next to; None where there is none."""
    kept: Kept
    """Which cameras were best: as they came, the refined orbit, or with every frame's own correction."""
    before: JudgeScore
    """Of the start."""
    after: JudgeScore
    """Of `cameras`."""
    facts: dict[str, Any] = field(default_factory=dict)
    """JSON-able: PSNR of the pictures learned from, scores, how far the cameras moved."""


@dataclass(eq=False)
class _Motion:
    """Adam's memory of the rig: of what is shared [P+1] (the zoom comes last), and of twists [F,6]."""

    shared: np.ndarray
    shared_squares: np.ndarray
    twists: np.ndarray
    twist_squares: np.ndarray
    visits: np.ndarray


def refine(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    cameras: Cameras,
    *,
    params: np.ndarray | None = None,
    times: np.ndarray | None = None,
    points: Float[Tensor, "p 3"] | None = None,
    matches: Matches | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Refined:
    """Learn cameras and splats together, and keep the cameras that the judge believes most.

    `params` [P] say that the cameras stand on that orbit, in its frame, at `times` [F] (evenly unless given); the orbit
    is refined first. Without them every
    camera moves on its own, beside one change of all focal lengths. `matches` hold the cameras where the pictures say
    little. About 15 CPU seconds for 32 frames. The same seed gives the same cameras. Raises ValueError for fewer than
    four frames.
    """
    before = held_out_score(images, alphas, cameras, points=points, seed=seed)
    num, height, width = images.shape[:3]
    if params is None:
        rig, origin, unit = rigs.from_cameras(cameras)
    else:
        rig, origin, unit = (
            rigs.from_orbit(params, orbit.frame_times(num) if times is None else times, height, width),
            np.zeros(3),
            1.0,
        )
    local = None if points is None else (points - torch.from_numpy(origin).to(points)) / unit
    views = Views(images, alphas, None, rigs.to_cameras(rig), local)
    psnr = learn(rig, views, matches=matches, iterations=iterations, seed=seed, progress=progress)

    tried: dict[Kept, Cameras] = {"frames": rigs.to_cameras(rig)}
    if params is None:
        tried["frames"] = anchored(tried["frames"], cameras)
    else:
        tried["orbit"] = rigs.to_cameras(replace(rig, twists=np.zeros_like(rig.twists)))
    scores: dict[Kept, JudgeScore] = {"start": before}
    for name, some in tried.items():
        scores[name] = held_out_score(images, alphas, some, points=points, seed=seed)
    tried["start"] = cameras
    kept = _chosen(tried, scores, matches, FRAMES_MARGIN if params is not None else 0.0)
    best = tried[kept]
    turned, focal = _moved(best, cameras)
    facts = {
        "psnr": round(psnr, 2),
        "held_out_psnr": {name: round(score.held_out_psnr, 2) for name, score in scores.items()},
        "turned_deg": round(turned, 2),
        "focal_ratio": round(focal, 3),
        "twists_deg": round(float(np.rad2deg(np.sqrt((rig.twists[:, :3] ** 2).mean()))), 3),
    }
    new_params = params if params is None or kept == "start" else rigs.settled_params(rig)
    return Refined(best, new_params, kept, before, scores[kept], facts)


def _chosen(
    tried: dict[Kept, Cameras], scores: dict[Kept, JudgeScore], matches: Matches | None, frames_margin: float
) -> Kept:
    """Return which cameras to keep: the judge's, or in a tie with the start those that the matches fit better."""
    # A frame that is held out has had its twist learned from it: to be kept, twists must win clearly.
    handicap: dict[Kept, float] = {"start": 0.0, "orbit": 0.0, "frames": frames_margin}
    best: Kept = max(scores, key=lambda name: scores[name].held_out_psnr - handicap[name])
    ahead = scores[best].held_out_psnr - handicap[best] - scores["start"].held_out_psnr
    if ahead > TIE:
        return best
    if best == "start" or matches is None or len(matches) == 0:
        return "start"
    off = {name: match_pull.pull(matches, rigs.from_cameras(tried[name])[0]).median_px for name in ("start", best)}
    return best if off[best] < off["start"] else "start"


def learn(
    rig: Rig,
    views: Views,
    *,
    matches: Matches | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> float:
    """Move the rig, in place, until new splats explain the views; return the PSNR at the end in dB.

    The views' cameras are those of the rig, for their first look at the scene.
    `progress(step, total, {"psnr": ...})` is called once for every pass over the frames.
    """
    rng, num = np.random.default_rng(seed), len(views)
    levels = [blob.shrunk(views, size) for size, _ in SIZES]
    pyramid = [blob.targets(level) for level in levels]
    splats = _grey(views, seed)
    motion = _Motion(*np.zeros((2, orbit.NUM + 1)), *np.zeros((2, num, 6)), visits=np.zeros(num))
    first_move, revive_at = int(WARM_UP * iterations), [int(share * iterations) for share in REVIVE_AT]
    order: list[int] = []
    squares: list[float] = []
    held, loudness = None, 0.0
    average, num_averaged = rigs.vector(rig), 0
    for step in range(iterations):
        done = step / iterations
        rgba = next(p for p, (_, start) in zip(pyramid[::-1], SIZES[::-1], strict=True) if start <= done)
        if not order:
            order = rng.permutation(num).tolist()
            if progress is not None and squares:
                progress(step, iterations, {"psnr": round(-10 * float(np.log10(np.mean(squares[-num:]))), 2)})
        k, moves = order.pop(), step >= first_move
        row = rigs.camera_row(rig, k, *rgba.shape[1:3])
        background = rng.random(3).astype(np.float32)
        square, gradient, row_gradient = blob.gradient(splats, row, rgba[k], background, with_camera=moves)
        squares.append(square)
        blob.learn(splats, gradient, blob.rates(done, splats.radius), step + 1)
        if moves:
            twist, focal = rigs.twist_gradient(row, row_gradient)
            if matches is not None and len(matches) > 0:
                if held is None or step % MATCHES_EVERY == 0:
                    held = match_pull.pull(matches, rig)
                loudness = 0.98 * loudness + 0.02 * float(twist @ twist)
                weight = MATCHES_WEIGHT * np.sqrt(loudness) / held.typical
                twist, focal = twist + weight * held.twists[k], focal + weight * held.focal
            warmth = min((step - first_move) / max(first_move, 1), 1.0)
            _move(rig, motion, k, rigs.pull_back(rig, k, twist, focal), done, warmth)
        if step in revive_at:
            blob.revive(splats, rng)
        if done >= 1 - AVERAGE:
            num_averaged += 1
            average += (rigs.vector(rig) - average) / num_averaged if num_averaged > 1 else rigs.vector(rig) - average
    rigs.set_vector(rig, average)
    return -10 * float(np.log10(np.mean(squares[-2 * num :])))


def anchored(cameras: Cameras, like: Cameras) -> Cameras:
    """Move cameras, as a whole, back to where they came from: mean rotation, point looked at, distance from it."""
    old, old_center, old_unit = rigs.from_cameras(like)
    new, _, _ = rigs.from_cameras(cameras)
    u, _, vt = np.linalg.svd(np.einsum("fji,fjk->ik", new.path[:, :3, :3], old.path[:, :3, :3]))
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    w2c = new.path
    w2c[:, :3, :3] = w2c[:, :3, :3] @ turn
    w2c[:, :3, 3] = old_unit * w2c[:, :3, 3] - w2c[:, :3, :3] @ old_center
    return replace(cameras, w2c=torch.from_numpy(w2c).float())


def _grey(views: Views, seed: int) -> Blob:
    """Return the splats to begin with: grey, since a hull or colours from wrong cameras would hold them in place."""
    generator = torch.Generator().manual_seed(seed)
    if views.alphas is not None:
        return blob.in_ball(views.cameras, NUM_SPLATS, generator)
    if views.points is not None and len(views.points) >= 4:
        return blob.on_points(views, NUM_SPLATS, generator)
    return blob.in_ball(views.cameras, NUM_SPLATS, generator, OPEN_SHARE)


def _move(rig: Rig, motion: _Motion, k: int, gradient: RigGradient, done: float, warmth: float) -> None:
    """Take one step of Adam with what frame k said, in place."""
    shared = np.append(gradient.params, gradient.zoom)
    keep, keep_squares = SHARED_MEMORY
    motion.shared[:] = keep * motion.shared + (1 - keep) * shared
    motion.shared_squares[:] = keep_squares * motion.shared_squares + (1 - keep_squares) * shared**2
    step = SHARED_RATE * SHARED_DECAY**done * warmth * motion.shared / (np.sqrt(motion.shared_squares) + 1e-12)
    if rig.params is not None:
        step[orbit.INDEX["span"]] /= 2 * np.pi  # turns
        rig.params -= step[:-1]
    zoom = (1 - ZOOM_PULL * SHARED_DECAY**done * warmth) * rig.zoom - step[-1]
    rig.zoom = float(np.clip(zoom, -MOST_ZOOM, MOST_ZOOM))
    if rig.params is None or done >= TWISTS_FROM:
        rate = (PATH_RATE if rig.params is None else TWIST_RATE) * TWIST_DECAY**done
        motion.visits[k] += 1
        keep, keep_squares = TWIST_MEMORY
        motion.twists[k] = keep * motion.twists[k] + (1 - keep) * gradient.twist
        motion.twist_squares[k] = keep_squares * motion.twist_squares[k] + (1 - keep_squares) * gradient.twist**2
        mean = motion.twists[k] / (1 - keep ** motion.visits[k])
        scale = np.sqrt(motion.twist_squares[k] / (1 - keep_squares ** motion.visits[k])) + 1e-12
        rig.twists[k] = (1 - TWIST_PULL) * rig.twists[k] - rate * warmth * mean / scale


def _moved(new: Cameras, old: Cameras) -> tuple[float, float]:
    """Return how far cameras turned against each other: the median angle in degrees; and the ratio of focal lengths."""
    turn = anchored(new, old).w2c[:, :3, :3] @ old.w2c[:, :3, :3].transpose(1, 2)
    cosine = (turn.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2
    angle = float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).median())
    return angle, float((new.K[:, 0, 0] / old.K[:, 0, 0]).median())
