"""Orbit from matches and outlines: the few numbers under which they obey the geometry of two views.

Every match has one residual, Sampson's distance to its epipolar line in pixels (Hartley and Zisserman, Eq. 11.9);
every pair of outlines has two (silhouettes.py). All share the orbit's parameters: frames with few or wobbly matches are
carried by the rest. The loss is Geman and McClure's with a scale that shrinks (graduated non-convexity,
arXiv:1909.08605), and the search starts from both directions, several elevations and spans, since the wrong direction
is a local minimum: a subject turned inside out (Necker's reversal) moves nearly the same way.

Shapes: F frames, M matches, R residuals, Q pairs of frames, P parameters of an orbit, B parameter sets at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np

from recon.poses import orbit
from recon.poses.silhouettes import frame_pairs, tangency_px
from recon.poses.types import Matches

SCALES = (8.0, 4.0, 2.0)  # pixels at a picture of 256: the loss's scale from stage to stage
LOOSENESS = 8.0  # by which scales of what makes an orbit uneven are wider while it is searched for
NUM_FINE = 3  # stages after those, each with the scale that the evidence itself shows
REFERENCE = 256.0  # pixels of the longer side for which distances are given
EVIDENCE = 200.0  # how many independent matches all of them together count as, against the prior
OUTLINE_EVIDENCE = 200.0  # the same for outlines
MIN_MATCHES, MIN_PAIRS = 50, 10  # fewer say nothing
TILTED = 1.5  # times that points move up or down by what they move across: the camera lies on its side
REACH = 0.7  # of the camera's distance: how far from the axis a subject may reach
NUM_FAST = 1500  # matches that the search from many starts looks at
NUM_EXACT = 8000  # and those that the last stages look at
STEPS = 12  # of Levenberg and Marquardt, most in a stage
STEP = 1e-6  # of the numeric derivative
INLIER = 2.0  # pixels at 256

# Where the search begins: degrees of elevation and field of view, turns, and quarter turns of roll.
START_LOOKS = ((5.0, 25.0), (5.0, 50.0), (30.0, 25.0), (30.0, 50.0), (15.0, 12.0))
START_SPANS = (1.0, 0.5)  # in both directions
UPRIGHT, ON_ITS_SIDE = (0.0,), (1.0, -1.0)
FREE = ("elevation", "log_focal", "span", "pace_sin_1", "pace_cos_1", "roll", "yaw")  # in the search


@dataclass(frozen=True)
class Prior:
    """What is believed of an orbit before a frame was looked at.

    The elevation is normally distributed. The field of view and all that makes an orbit uneven have Cauchy's
    distribution: most cameras on an orbit hold to it exactly, and those that do not may be far off.
    """

    elevation_deg: tuple[float, float] = (15.0, 25.0)
    """Mean and standard deviation."""
    fov_deg: tuple[float, float] = (38.0, 12.0)
    """Middle and scale, across the longer side of the picture."""
    span: float | None = None
    """Turns made, whichever the direction; None where nothing is known."""
    span_scale: float = 0.005
    """Scale of the distribution about that."""
    uneven_deg: float = 0.6
    """Scale of the azimuth's lead over an even pace, of changes of elevation, and of roll and yaw."""
    zoom: float = 0.01
    """Scale of changes of the distance, as a share."""


@dataclass(frozen=True, eq=False)
class OrbitFit:
    """An orbit found from matches."""

    params: np.ndarray
    """[P], as in recon.poses.orbit."""
    cost: float
    """Mean robust cost of the evidence, 0 to 1, and the prior's; smaller is better."""
    inliers: float
    """Share of the matches within 2 pixels (at 256) of their epipolar lines."""
    in_front: float
    """Share of the inliers that meet in front of both cameras and near the axis."""


@dataclass(frozen=True, eq=False)
class _Matched:
    """Matches, as what they say of parameters."""

    noise: ClassVar = (0.4, 4.0)  # least and most of the loss's scale in the last stages, in pixels at 256
    matches: Matches
    weights: np.ndarray
    """float64 [M], their sum is how many independent matches they count as."""
    pairs: np.ndarray
    """int64 [Q,2]."""
    pair_of: np.ndarray
    """int64 [M]."""

    def residuals(self, clip: _Clip, params: np.ndarray) -> np.ndarray:
        """Return Sampson's distances [B,M] in pixels for parameter sets [B,P]."""
        w2c, focal = orbit.poses(params, clip.times), clip.focal(params)
        essential = _essential(w2c[..., :3, :3], w2c[..., :3, 3], self.pairs)  # B Q 3 3
        a, b = ((xy - clip.center) / focal[:, None, None] for xy in (self.matches.xy_first, self.matches.xy_second))
        return _distance(essential[:, self.pair_of], a, b) * focal[:, None]


@dataclass(frozen=True, eq=False)
class _Outlined:
    """Outlines, as what they say of parameters."""

    noise: ClassVar = (0.1, 4.0)
    outlines: np.ndarray
    """[F,V,2] pixels."""
    pairs: np.ndarray
    """int64 [Q,2]."""
    weights: np.ndarray
    """float64 [2Q]."""

    def residuals(self, clip: _Clip, params: np.ndarray) -> np.ndarray:
        """Return how far touching planes miss each other, [B,2Q] in pixels."""
        return tangency_px(self.outlines, self.pairs, orbit.poses(params, clip.times), clip.focal(params), clip.center)


@dataclass(frozen=True, eq=False)
class _Clip:
    times: np.ndarray
    height: int
    width: int

    @property
    def pixel(self) -> float:
        """Pixels of the pictures for one at 256."""
        return max(self.height, self.width) / REFERENCE

    @property
    def center(self) -> np.ndarray:
        return np.array([self.width / 2, self.height / 2])

    def focal(self, params: np.ndarray) -> np.ndarray:
        """Return the focal lengths [B] in pixels."""
        return np.exp(params[:, 1]) * max(self.height, self.width)


def fit_orbits(
    matches: Matches,
    outlines: np.ndarray | None,
    times: np.ndarray,
    height: int,
    width: int,
    prior: Prior | None = None,
    *,
    seed: int = 0,
) -> list[OrbitFit]:
    """Return the orbits that explain matches and outlines, the best of each direction, the better one first.

    `outlines` [F,V,2] come from silhouettes.outermost_points; `times` [F] say when each frame was taken, 0 to below 1.
    Costs about 4 CPU-seconds. Raises ValueError where there are neither 50 matches nor 10 pairs of outlines.
    """
    prior, clip = prior or Prior(), _Clip(times, height, width)
    rng = np.random.default_rng(seed)
    evidence = _evidence(_thinned(matches, NUM_EXACT, rng), outlines)
    few = _evidence(_thinned(matches, NUM_FAST, rng), outlines)
    found = []
    for start in _starts(prior, _likely_rolls(matches)):
        params, cost = start, np.inf
        for scale in SCALES:
            params, cost = _descend(clip, few, params, prior, scale, FREE, is_loose=True)
        found.append((cost, params))
    found.sort(key=lambda entry: entry[0])
    fits = []
    for sign in (1, -1):
        same = [params for _, params in found if np.sign(params[2]) == sign]
        if same:
            # An uneven orbit and an even one: each may be the better of the two where the other is stuck.
            both = [_finished(clip, few, evidence, start, prior) for start in (same[0], _evened(same[0]))]
            params, cost = min(both, key=lambda entry: entry[1])
            inliers, in_front = _agreement(clip, matches, params)
            fits.append(OrbitFit(params, cost, inliers, in_front))
    return sorted(fits, key=lambda fit: fit.cost)


def sampson_px(matches: Matches, w2c: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return the matches' signed Sampson distances [M] in pixels under cameras w2c [F,4,4] with one K [3,3] for all."""
    pairs, pair_of = _pairs(matches)
    essential = _essential(w2c[:, :3, :3], w2c[:, :3, 3], pairs)
    focal, center = K[0, 0], K[:2, 2]
    a, b = ((xy - center) / focal for xy in (matches.xy_first, matches.xy_second))
    return _distance(essential[pair_of], a, b) * focal


def _evidence(matches: Matches, outlines: np.ndarray | None) -> list[_Matched | _Outlined]:
    """Return all there is, weighted so that the weights' sum is what it counts as against the prior."""
    evidence: list[_Matched | _Outlined] = []
    if len(matches) >= MIN_MATCHES:
        pairs, pair_of = _pairs(matches)
        counts = np.bincount(pair_of)
        weights = counts[pair_of] ** -0.5  # a pair of close frames has many matches that say the same
        evidence.append(_Matched(matches, EVIDENCE * weights / weights.sum(), pairs, pair_of))
    if outlines is not None:
        pairs = frame_pairs(outlines)
        if len(pairs) >= MIN_PAIRS:
            evidence.append(_Outlined(outlines, pairs, np.full(2 * len(pairs), OUTLINE_EVIDENCE / (2 * len(pairs)))))
    if not evidence:
        raise ValueError(f"{len(matches)} points were matched between the frames; an orbit needs {MIN_MATCHES}.")
    return evidence


def _thinned(matches: Matches, num: int, rng: np.random.Generator) -> Matches:
    if len(matches) <= num:
        return matches
    chosen = np.sort(rng.choice(len(matches), num, replace=False))
    return Matches(matches.first[chosen], matches.second[chosen], matches.xy_first[chosen], matches.xy_second[chosen])


def _pairs(matches: Matches) -> tuple[np.ndarray, np.ndarray]:
    keys = np.stack([matches.first, matches.second], axis=1)
    pairs, pair_of = np.unique(keys, axis=0, return_inverse=True)
    return pairs, pair_of.reshape(-1)


def _starts(prior: Prior, rolls: tuple[float, ...]) -> list[np.ndarray]:
    starts = []
    for span in START_SPANS if prior.span is None else (prior.span,):
        for roll, sign, (elevation, fov) in product(rolls, (1, -1), START_LOOKS):
            start = orbit.level_orbit(np.deg2rad(elevation), orbit.log_focal(fov), sign * span)
            start[orbit.INDEX["roll"]] = roll * np.pi / 2
            starts.append(start)
    return starts


def _likely_rolls(matches: Matches) -> tuple[float, ...]:
    """Return quarter turns of the camera: what goes round an upright axis moves across the picture, not up and down.

    A camera that stands on its head looks like one below the ground that goes the other way; it is taken for that.
    """
    moves = (matches.xy_second - matches.xy_first)[matches.second == matches.first + 1]
    if len(moves) < MIN_MATCHES:
        return UPRIGHT
    across, up = np.median(np.abs(moves), axis=0)
    return ON_ITS_SIDE if up > TILTED * across else UPRIGHT


def _essential(rotation: np.ndarray, translation: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the essential matrices [*,Q,3,3] of pairs of cameras, [*,F,3,3] and [*,F,3]."""
    first, second = pairs.T
    relative = rotation[..., second, :, :] @ np.swapaxes(rotation[..., first, :, :], -1, -2)
    shift = translation[..., second, :] - np.einsum("...ij,...j->...i", relative, translation[..., first, :])
    return np.cross(shift[..., None, :], np.swapaxes(relative, -1, -2)).swapaxes(-1, -2)  # [t]x R, column by column


def _distance(essential: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Sampson's distances [*,M] for matrices [*,M,3,3] and points [*,M,2] at depth 1."""
    line_b = essential[..., :, 0] * a[..., 0, None] + essential[..., :, 1] * a[..., 1, None] + essential[..., :, 2]
    line_a = essential[..., 0, :2] * b[..., 0, None] + essential[..., 1, :2] * b[..., 1, None] + essential[..., 2, :2]
    product = line_b[..., 0] * b[..., 0] + line_b[..., 1] * b[..., 1] + line_b[..., 2]
    size = np.square(line_b[..., :2]).sum(-1) + np.square(line_a).sum(-1)
    return product / np.sqrt(size + 1e-18)


def _descend(
    clip: _Clip,
    evidence: list[_Matched | _Outlined],
    params: np.ndarray,
    prior: Prior,
    scale: float | list[float],
    free: tuple[str, ...],
    *,
    is_loose: bool = False,
) -> tuple[np.ndarray, float]:
    """Take steps of Levenberg and Marquardt on the robust cost and the prior; return the parameters and the cost.

    `scale` is in pixels at 256, for all evidence or for each kind. The cost is a mean over the evidence, 0 to 1, and
    the prior's share.
    """
    columns = np.array([orbit.INDEX[name] for name in free])
    belief = _belief(prior, params, is_loose)
    scales = scale if isinstance(scale, list) else [scale] * len(evidence)
    damping = 1e-3
    shifts = STEP * np.eye(orbit.NUM)[columns]
    weights = np.concatenate([part.weights for part in evidence])
    total = weights.sum()

    def residuals_of(at: np.ndarray) -> np.ndarray:
        parts = zip(evidence, scales, strict=True)
        return np.concatenate([part.residuals(clip, at) / (scale * clip.pixel) for part, scale in parts], axis=1)  # B R

    def cost_of(residual: np.ndarray, at: np.ndarray) -> float:
        square = np.square(residual)
        data = (weights * square / (1 + square)).sum()
        return float(data + belief.cost(at)) / total

    residual = residuals_of(params[None])[0]
    cost = cost_of(residual, params)
    for _ in range(STEPS):
        slopes = (residuals_of(params + shifts) - residual) / STEP  # free R
        trust = 2 * weights / np.square(1 + np.square(residual))
        stiffness = belief.stiffness(params)[columns]
        normal = (slopes * trust) @ slopes.T + np.diag(stiffness)
        slope = stiffness * (belief.mean - params)[columns] - (slopes * trust) @ residual
        for _ in range(6):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), slope)
            ahead = params.copy()
            ahead[columns] = _bounded(ahead[columns] + step, columns)
            there = residuals_of(ahead[None])[0]
            new_cost = cost_of(there, ahead)
            if new_cost < cost:
                break
            damping *= 5
        else:
            break
        gain, damping = cost - new_cost, damping / 5
        params, residual, cost = ahead, there, new_cost
        if gain < 1e-5 * cost:
            break
    return params, cost


def _finished(
    clip: _Clip, few: list[_Matched | _Outlined], evidence: list[_Matched | _Outlined], params: np.ndarray, prior: Prior
) -> tuple[np.ndarray, float]:
    """Free all parameters, and let all evidence speak as exactly as it is; return the parameters and their cost."""
    params, _ = _descend(clip, few, params, prior, SCALES[-1], orbit.NAMES)
    params, cost = _descend(clip, evidence, params, prior, SCALES[-1], orbit.NAMES)
    for _ in range(NUM_FINE):
        fine = [_noise(part, clip, params) for part in evidence]
        params, _ = _descend(clip, evidence, params, prior, fine, orbit.NAMES)
    return params, cost


def _evened(params: np.ndarray) -> np.ndarray:
    """Return the even, level orbit nearest to another."""
    even = orbit.level_orbit(*params[:3])
    roll = orbit.INDEX["roll"]
    even[roll] = params[roll]
    return even


def _noise(part: _Matched | _Outlined, clip: _Clip, params: np.ndarray) -> float:
    """Return twice the standard deviation of a kind's residuals, in pixels at 256, as their middle shows it.

    The least is larger for matches: those of optical flow agree with their neighbours in what they have wrong.
    """
    middle = np.median(np.abs(part.residuals(clip, params[None])[0])) / clip.pixel
    return float(np.clip(2 * 1.4826 * middle, *part.noise))


def _bounded(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Keep elevations from -10 to 75 degrees and fields of view from 8 to 90 degrees: beyond, nothing is an orbit."""
    low, high = np.full(orbit.NUM, -np.inf), np.full(orbit.NUM, np.inf)
    low[0], high[0] = np.deg2rad(-10), np.deg2rad(75)
    low[1], high[1] = orbit.log_focal(90.0), orbit.log_focal(8.0)
    return np.clip(values, low[columns], high[columns])


@dataclass(frozen=True, eq=False)
class _Belief:
    """A prior as vectors [P]."""

    mean: np.ndarray
    scale: np.ndarray
    is_heavy: np.ndarray
    """Bool, whether Cauchy's."""

    def cost(self, params: np.ndarray) -> float:
        """Return minus the logarithm of the prior, up to a constant."""
        square = np.square((params - self.mean) / self.scale)
        return float(0.5 * np.where(self.is_heavy, np.log1p(square), square).sum())

    def stiffness(self, params: np.ndarray) -> np.ndarray:
        """Return [P]: the weight of each squared distance that has the cost's slope here."""
        square = np.square((params - self.mean) / self.scale)
        return np.where(self.is_heavy, 1 / (1 + square), 1.0) / np.square(self.scale)


def _belief(prior: Prior, params: np.ndarray, is_loose: bool) -> _Belief:
    """Lay a prior out; the span keeps the direction of the parameters.

    A loose one is normal all over and wide: it lets a search leave an even orbit.
    """
    fov, spread = prior.fov_deg
    elevation, slack = np.deg2rad(prior.elevation_deg)
    mean, scale = np.zeros(orbit.NUM), np.full(orbit.NUM, np.deg2rad(prior.uneven_deg))
    mean[:2] = elevation, orbit.log_focal(fov)
    scale[:2] = slack, orbit.log_focal(fov) - orbit.log_focal(fov + spread)
    scale[[name.startswith("zoom") for name in orbit.NAMES]] = prior.zoom
    roll = orbit.INDEX["roll"]
    mean[roll] = np.pi / 2 * np.round(params[roll] / (np.pi / 2))  # cameras stand upright or lie on their side
    if prior.span is None:
        mean[2], scale[2] = params[2], 10.0
    else:
        mean[2], scale[2] = np.copysign(prior.span, params[2]), prior.span_scale
    if is_loose:
        scale[2:] *= LOOSENESS
    return _Belief(mean, scale, (np.arange(orbit.NUM) >= 1) & (not is_loose))


def _agreement(clip: _Clip, matches: Matches, params: np.ndarray) -> tuple[float, float]:
    """Return the share of the matches on their epipolar lines, and of those the share that meets where it can.

    That is in front of both cameras, and no farther from the axis than a subject reaches that is seen whole.
    """
    if len(matches) == 0:
        return 0.0, 0.0
    w2c = orbit.poses(params, clip.times)
    focal = orbit.focal_px(params, clip.height, clip.width)
    K = np.array([[focal, 0, clip.center[0]], [0, focal, clip.center[1]], [0, 0, 1]])
    is_inlier = np.abs(sampson_px(matches, w2c, K)) < INLIER * clip.pixel
    if not is_inlier.any():
        return 0.0, 0.0
    ends = []
    for frame, xy in ((matches.first, matches.xy_first), (matches.second, matches.xy_second)):
        local = np.concatenate([(xy - clip.center) / focal, np.ones((len(xy), 1))], axis=1)[is_inlier]
        rotation, shift = w2c[frame[is_inlier], :3, :3], w2c[frame[is_inlier], :3, 3]
        ends.append((-np.einsum("mji,mj->mi", rotation, shift), np.einsum("mji,mj->mi", rotation, local)))
    (from_a, to_a), (from_b, to_b) = ends
    aa, ab, bb = (np.einsum("mi,mi->m", x, y) for x, y in ((to_a, to_a), (to_a, to_b), (to_b, to_b)))
    gap = from_b - from_a
    ga, gb = np.einsum("mi,mi->m", gap, to_a), np.einsum("mi,mi->m", gap, to_b)
    slack = aa * bb - ab * ab + 1e-12
    depth_a, depth_b = (ga * bb - gb * ab) / slack, (ga * ab - gb * aa) / slack
    point = 0.5 * (from_a + depth_a[:, None] * to_a + from_b + depth_b[:, None] * to_b)
    near = np.linalg.norm(point[:, :2], axis=1) < REACH
    return float(is_inlier.mean()), float(((depth_a > 0) & (depth_b > 0) & near).mean())
