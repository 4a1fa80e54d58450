"""Where the cameras of a clip stood: several answers, one judge.

An orbit found from matches and outlines (epipolar.py), both its directions, and structure from motion (sfm.py) each
give cameras in their own way and fail in their own way. A short fit that leaves frames out scores all of them alike
(judge.py); the best are learned on together with splats (joint.py), the judge decides again, and what is left of doubt
is said (confidence.py).

Shapes: F frames of H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import Cameras
from recon.config import PosesConfig
from recon.poses import blob, joint, orbit, sfm
from recon.poses import rig as rigs
from recon.poses.closure import closure, looks_closed
from recon.poses.confidence import Evidence, believe
from recon.poses.epipolar import INLIER, REFERENCE, OrbitFit, Prior, fit_orbits, sampson_px
from recon.poses.features import find_matches, joined
from recon.poses.flow import flow_matches
from recon.poses.gauge import settle, sweep
from recon.poses.judge import JudgeScore, held_out_score
from recon.poses.learned import learned_matches
from recon.poses.silhouettes import outermost_points
from recon.poses.symmetry import symmetry
from recon.poses.types import Candidate, Matches, PoseEstimate
from recon.views import Views

FEWEST_FRAMES = 8
FOLLOWED = 30  # matches from each frame to the next from which on optical flow alone is believed
GIVEN_FOV_SPREAD = 1.0  # degrees, of a field of view that was given
RIVAL_DB = 1.5  # a runner-up no farther behind is refined too,
RIVAL_DEG = 5.0  # where its relative rotations differ by this much
SURE_INLIERS, SURE_IOU, SURE_DB = 0.7, 0.92, 5.0  # of an orbit, and its lead over the other way: no other is asked then
HOPELESS_DB = 6.0  # by which one way of structure from motion is behind an orbit: the other way is not asked then
SYMMETRY_SIZE = 32  # pixels at which frames are compared for it
OTHER_WAY = "other way"
STEPS = ("matches", "orbit", "judge", "structure from motion", "refine", "done")

Progress = Callable[[int, int, dict], None]


@dataclass(frozen=True, eq=False)
class _Scored:
    candidate: Candidate
    score: JudgeScore
    params: np.ndarray | None
    """Of the orbit, where it is one."""

    @property
    def rating(self) -> float:
        """dB of frames held out; frames without a camera count as 0."""
        return self.score.held_out_psnr * float(self.candidate.registered.float().mean())


def estimate(
    images: Float[Tensor, "f h w 3"],
    alphas: Float[Tensor, "f h w"] | None,
    config: PosesConfig | None = None,
    *,
    times_s: np.ndarray | None = None,
    is_closed: bool | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> PoseEstimate:
    """Estimate the camera of every frame of a clip that goes round one subject, or of photos of a scene.

    Images are sRGB in [0,1], with the subject's alphas where they are known (without, structure from motion does most
    of the work). Frames in order help, since neighbours are followed from one to the next; `times_s` [F] say when each
    was taken in seconds (evenly unless given), `is_closed` whether the last is followed by the first (found unless
    given). 30 to 60 CPU seconds for 32 frames of 256 pixels. The same seed gives the same cameras.
    `progress(step, total, facts)` is called at each step.
    Raises ValueError for fewer than 8 frames or frames in which nothing can be matched.
    """
    config = config or PosesConfig()
    num, height, width = images.shape[:3]
    if num < FEWEST_FRAMES:
        raise ValueError(f"{num} frames are too few to find their cameras; give {FEWEST_FRAMES} or more.")
    tell = _reporter(progress)
    tell("matches")
    times = _times(times_s, num)
    if is_closed is None:
        is_closed = looks_closed(images, alphas)
    followed = flow_matches(images, alphas, is_loop=is_closed)
    spots = find_matches(images, alphas)
    matches = followed if _is_followed(followed, num) else joined([followed, spots])
    learned = None
    if config.matcher:
        report = lambda pair, total: tell("matches", pair=pair, pairs=total)  # noqa: E731
        learned = learned_matches(images, alphas, Path(config.matcher), is_loop=is_closed, progress=report)

    tell("orbit", matches=len(matches), closed=is_closed)
    prior = _prior(config, is_closed, height, width)
    fits = _orbits(matches, alphas, times, height, width, prior, seed)
    found = [_orbit_candidate(fit, times, height, width, name) for fit, name in zip(fits, ("orbit", OTHER_WAY))]
    if learned is not None:
        others = _orbits(joined([matches, learned]), alphas, times, height, width, prior, seed)
        found += [_orbit_candidate(fit, times, height, width, "orbit, learned") for fit in others[:1]]
        spots = joined([spots, learned])
    tell("judge", candidates=[candidate.name for candidate, _ in found])
    scored = [_judged(images, alphas, *pair, seed) for pair in found]
    if not _is_sure(scored):
        tell("structure from motion")
        fov = sfm.FOV_DEG if config.fov_deg is None else prior.fov_deg[0]
        points = sfm.sources(spots, followed, num)
        with closing(sfm.reconstruct(points, num, height, width, fov_deg=fov, seed=seed)) as others:
            for candidate in others:
                if int(candidate.registered.sum()) < FEWEST_FRAMES:
                    continue
                scored.append(_judged(images, alphas, candidate, None, seed))
                if max(entry.rating for entry in scored) - scored[-1].rating > HOPELESS_DB:
                    break
    if not scored:
        raise ValueError(
            f"Nothing can be followed through the {num} frames, so their cameras cannot be found. Film slowly around a "
            "subject that fills the picture, in even light."
        )
    scored.sort(key=lambda entry: -entry.rating)
    tell("refine", best=scored[0].candidate.name)
    refined = [_refined(images, alphas, times, entry, matches, seed) for entry in _worth_refining(scored)]
    best = max(refined, key=lambda entry: entry.rating)
    estimated = _settled(images, alphas, best, scored, refined, matches, fits)
    tell("done")
    return estimated


def _times(times_s: np.ndarray | None, num: int) -> np.ndarray:
    """Return times from 0 to below 1: the frame after the last would be at 1."""
    if times_s is None:
        return orbit.frame_times(num)
    since = np.asarray(times_s, float) - times_s[0]
    steps = np.diff(since)
    if not bool((steps > 0).all()):
        raise ValueError("The frames' times do not grow; leave them out where they are not known.")
    return since / (since[-1] + np.median(steps))


def _prior(config: PosesConfig, is_closed: bool, height: int, width: int) -> Prior:
    prior = Prior(span=1.0 if is_closed else None)
    if config.fov_deg is None:
        return prior
    across = config.fov_deg  # horizontal
    if height > width:
        across = float(np.rad2deg(2 * np.arctan(np.tan(np.deg2rad(across) / 2) * height / width)))
    return replace(prior, fov_deg=(across, GIVEN_FOV_SPREAD))


def _is_followed(matches: Matches, num: int) -> bool:
    """Return whether nearly every frame has enough matches with the next."""
    counts = np.zeros(num, int)
    np.add.at(counts, matches.first[matches.second == matches.first + 1], 1)
    return float(np.quantile(counts[:-1], 0.1)) >= FOLLOWED


def _orbits(
    matches: Matches, alphas: Tensor | None, times: np.ndarray, height: int, width: int, prior: Prior, seed: int
) -> list[OrbitFit]:
    outlines = None if alphas is None else outermost_points(alphas)
    try:
        return fit_orbits(matches, outlines, times, height, width, prior, seed=seed)
    except ValueError:  # too little to go by; structure from motion may still place some
        return []


def _orbit_candidate(
    fit: OrbitFit, times: np.ndarray, height: int, width: int, name: str
) -> tuple[Candidate, np.ndarray]:
    facts = {
        "cost": round(fit.cost, 4),
        "inliers": round(fit.inliers, 3),
        "elevation_deg": round(float(np.rad2deg(fit.params[0])), 2),
        "turns": round(float(fit.params[2]), 3),
        "in_front": round(fit.in_front, 3),
    }
    cameras = rigs.to_cameras(rigs.from_orbit(fit.params, times, height, width))
    return Candidate(name, cameras, torch.ones(len(times), dtype=torch.bool), None, facts), fit.params


def _judged(
    images: Tensor, alphas: Tensor | None, candidate: Candidate, params: np.ndarray | None, seed: int
) -> _Scored:
    placed = candidate.registered
    some = None if alphas is None else alphas[placed]
    score = held_out_score(images[placed], some, candidate.cameras[placed], points=candidate.points, seed=seed)
    return _Scored(candidate, score, params)


def _is_sure(scored: list[_Scored]) -> bool:
    """Return whether an orbit explains matches, outlines and frames so well that structure from motion adds nothing."""
    if len(scored) < 2 or not scored[0].score.has_hull:
        return False
    best, rest = scored[0], [entry for entry in scored[1:] if entry.candidate.name == OTHER_WAY]
    explains = best.candidate.facts["inliers"] >= SURE_INLIERS and best.score.silhouette_iou >= SURE_IOU
    return explains and all(best.rating - entry.rating >= SURE_DB for entry in rest)


def _worth_refining(scored: list[_Scored]) -> list[_Scored]:
    """Return the best, and the runner-up where that is nearly as good and says something else."""
    best, *others = scored
    rivals = [entry for entry in others if entry.rating > best.rating - RIVAL_DB]
    if not rivals:
        return [best]
    angle = _disagreement(best.candidate, rivals[0].candidate)
    return [best] if angle is not None and angle < RIVAL_DEG else [best, rivals[0]]


def _refined(
    images: Tensor, alphas: Tensor | None, times: np.ndarray, entry: _Scored, matches: Matches, seed: int
) -> _Scored:
    """Return the candidate with cameras that were learned on, where the judge likes them better."""
    candidate, placed = entry.candidate, entry.candidate.registered
    some = None if alphas is None else alphas[placed]
    result = joint.refine(
        images[placed],
        some,
        candidate.cameras[placed],
        params=entry.params,
        times=times,
        points=candidate.points,
        matches=_among(matches, placed),
        seed=seed,
    )
    K, w2c = candidate.cameras.K.clone(), candidate.cameras.w2c.clone()
    K[placed], w2c[placed] = result.cameras.K, result.cameras.w2c
    cameras = Cameras(K, w2c, candidate.cameras.height, candidate.cameras.width)
    facts = {**candidate.facts, "refined": {"kept": result.kept, **result.facts}}
    return _Scored(replace(candidate, cameras=cameras, facts=facts), result.after, result.params)


def _among(matches: Matches, placed: Tensor) -> Matches:
    """Return the matches between placed frames, counted among those."""
    known = placed.numpy()
    number = np.cumsum(known) - 1
    kept = known[matches.first] & known[matches.second]
    first, second = number[matches.first[kept]], number[matches.second[kept]]
    return Matches(first, second, matches.xy_first[kept], matches.xy_second[kept])


def _settled(
    images: Tensor,
    alphas: Tensor | None,
    best: _Scored,
    scored: list[_Scored],
    refined: list[_Scored],
    matches: Matches,
    fits: list[OrbitFit],
) -> PoseEstimate:
    """Put the best cameras into the frame of the estimate and say how far to believe them."""
    candidate, placed = best.candidate, best.candidate.registered
    cameras, points = settle(candidate.cameras, placed, images, alphas, candidate.points)
    round_it = sweep(cameras[placed])
    some = _among(matches, placed)
    K = cameras.K[placed].double()
    distance = (
        sampson_px(some, cameras.w2c[placed].double().numpy(), K.mean(dim=0).numpy()) if len(some) else np.ones(0)
    )
    pixel = max(cameras.height, cameras.width) / REFERENCE
    focal_share = float(K[:, 0, 0].median()) / max(cameras.height, cameras.width)
    others = [entry for entry in scored if entry.candidate.name != candidate.name]
    some_alphas = None if alphas is None else alphas[placed]
    evidence = Evidence(
        held_out_psnr=best.score.held_out_psnr,
        drop=best.score.drop,
        silhouette_iou=None if alphas is None else best.score.silhouette_iou,
        inliers=float((np.abs(distance) < INLIER * pixel).mean()) if len(distance) else None,
        mirror_margin_db=_mirror_margin(best, scored),
        mirror_cost_ratio=None
        if best.params is None or len(fits) < 2
        else float(fits[1].cost / max(fits[0].cost, 1e-9)),
        agreement_deg=_agreement(candidate, others),
        fov_deg=orbit.fov_deg(np.log(focal_share)),
        registered=float(placed.float().mean()),
        span_deg=round_it.span_deg,
        largest_gap_deg=round_it.largest_gap_deg,
        closure=closure(images[placed], some_alphas, cameras.w2c[placed]),
        **_sides(images, alphas, cameras, placed, round_it.span_deg),
    )
    confidence, reasons = believe(evidence)
    facts: dict[str, Any] = {
        **evidence.as_facts(),
        "elevation_deg": round(round_it.elevation_deg, 2),
        "elevation_range_deg": [round(value, 2) for value in round_it.elevation_range_deg],
        "candidates": {entry.candidate.name: _facts(entry) for entry in [*scored, *refined]},
    }
    return PoseEstimate(cameras, placed, points, candidate.name, confidence, reasons, facts)


def _sides(images: Tensor, alphas: Tensor | None, cameras: Cameras, placed: Tensor, span_deg: float) -> dict[str, Any]:
    """Return from how many sides the subject looks the same, as evidence; nothing where that cannot be told."""
    if alphas is None:
        return {}
    small = blob.shrunk(Views(images[placed], alphas[placed], None, cameras[placed]), SYMMETRY_SIZE)
    x, y, _ = cameras[placed].centers.double().numpy().T
    found = symmetry(blob.targets(small), np.rad2deg(np.arctan2(y, x)), span_deg)
    return {} if found is None else {"num_sides": found.num_sides, "likeness": found.likeness}


def _facts(entry: _Scored) -> dict[str, Any]:
    iou = entry.score.silhouette_iou
    return {
        **entry.candidate.facts,
        "registered": int(entry.candidate.registered.sum()),
        "held_out_psnr": round(entry.score.held_out_psnr, 2),
        "drop": round(entry.score.drop, 2),
        "silhouette_iou": None if np.isnan(iou) else round(iou, 4),
    }


def _mirror_margin(best: _Scored, scored: list[_Scored]) -> float | None:
    """Return how many dB an orbit in the other direction is behind, where the best is one."""
    if best.params is None:
        return None
    rivals = [e.rating for e in scored if e.params is not None and e.params[2] * best.params[2] < 0]
    return best.rating - max(rivals) if rivals else None


def _agreement(candidate: Candidate, others: list[_Scored]) -> float | None:
    """Return how far the best answer of another kind is from this one, in degrees."""
    is_sfm = candidate.name.startswith("sfm")
    angles = [_disagreement(candidate, o.candidate) for o in others if o.candidate.name.startswith("sfm") != is_sfm]
    return next((angle for angle in angles if angle is not None), None)


def _disagreement(one: Candidate, two: Candidate) -> float | None:
    """Return the median angle, in degrees, between relative rotations of two answers; None with few frames in both."""
    both = one.registered & two.registered
    if int(both.sum()) < FEWEST_FRAMES:
        return None
    first, second = torch.triu_indices(int(both.sum()), int(both.sum()), offset=1)
    turns = [some.cameras.w2c[both, :3, :3] for some in (one, two)]
    a, b = (turn[second] @ turn[first].transpose(1, 2) for turn in turns)
    cosine = (torch.einsum("pij,pij->p", a, b) - 1) / 2
    return float(torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).median())


def _reporter(progress: Progress | None) -> Callable[..., None]:
    def tell(step: str, **facts: Any) -> None:
        if progress is not None:
            progress(STEPS.index(step), len(STEPS) - 1, {"step": step, **facts})

    return tell
