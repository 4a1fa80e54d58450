"""Orbits from matches and outlines, against orbits made up here."""

import numpy as np
import pytest
import torch

from recon.poses import orbit
from recon.poses.epipolar import Prior, fit_orbits, sampson_px
from recon.poses.silhouettes import frame_pairs, outermost_points, tangency_px
from recon.poses.types import Matches

NUM_FRAMES, HEIGHT, WIDTH = 24, 192, 256
CUBE = 0.15 * np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3) * [1.0, 0.6, 1.2]
NO_MATCHES = Matches(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 2)))


def orbit_like(elevation_deg: float, fov: float, span: float, **more_deg: float) -> np.ndarray:
    params = orbit.level_orbit(np.deg2rad(elevation_deg), orbit.log_focal(fov), span)
    for name, value in more_deg.items():
        params[orbit.INDEX[name]] = np.deg2rad(value)
    return params


def projected(params: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return where points [P,3] fall, [F,P,2] in pixels."""
    w2c = orbit.poses(params, orbit.frame_times(NUM_FRAMES))
    local = np.einsum("fij,pj->fpi", w2c[:, :3, :3], points) + w2c[:, None, :3, 3]
    return local[..., :2] / local[..., 2:] * orbit.focal_px(params, HEIGHT, WIDTH) + [WIDTH / 2, HEIGHT / 2]


def matched(params: np.ndarray, noise_px: float, share_wrong: float, seed: int = 0) -> Matches:
    """Match points on an egg, seen from one side only, between frames up to five apart, round the end."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(120, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = 0.25 * normals * [1.0, 0.7, 1.2]
    xy = projected(params, points)
    w2c = orbit.poses(params, orbit.frame_times(NUM_FRAMES))
    centers = -np.einsum("fji,fj->fi", w2c[:, :3, :3], w2c[:, :3, 3])
    seen = np.einsum("fpi,pi->fp", centers[:, None] - points, normals) > 0.2
    first, second, one, two = [], [], [], []
    for i in range(NUM_FRAMES):
        for j in range(i + 1, NUM_FRAMES):
            if min(j - i, NUM_FRAMES - j + i) > 5:
                continue
            both = np.flatnonzero(seen[i] & seen[j])
            a, b = (xy[k][both] + noise_px * rng.normal(size=(len(both), 2)) for k in (i, j))
            wrong = rng.random(len(both)) < share_wrong
            b[wrong] += 15 * rng.normal(size=(int(wrong.sum()), 2))
            first += [i] * len(both)
            second += [j] * len(both)
            one.append(a)
            two.append(b)
    return Matches(np.array(first), np.array(second), np.concatenate(one), np.concatenate(two))


def outlines_of(params: np.ndarray) -> np.ndarray:
    """Return the cube's outermost corners [F,V,2]: its outline, exactly."""
    xy = projected(params, CUBE)
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    at = (xy @ np.stack([np.cos(angles), np.sin(angles)])).argmax(axis=1)
    return np.take_along_axis(xy, at[..., None], axis=1)


@pytest.mark.parametrize(("elevation", "fov", "span"), [(15, 36, 1.0), (28, 50, -1.0), (-4, 40, 1.0)])
def test_matches_tell_elevation_focal_length_and_direction(elevation: float, fov: float, span: float):
    truth = orbit_like(elevation, fov, span, pace_sin_1=4, roll=1)
    best, other = fit_orbits(matched(truth, 0.2, 0.1), None, orbit.frame_times(NUM_FRAMES), HEIGHT, WIDTH)
    assert np.rad2deg(best.params[0]) == pytest.approx(elevation, abs=1.5)
    assert orbit.fov_deg(best.params[1]) == pytest.approx(fov, abs=4)
    assert best.params[2] == pytest.approx(span, abs=0.02)
    assert np.rad2deg(best.params[orbit.INDEX["pace_sin_1"]]) == pytest.approx(4, abs=1.5)
    assert other.params[2] * span < 0
    assert best.cost < 0.8 * other.cost
    assert best.inliers > 0.85
    assert best.in_front > 0.99


def test_outlines_alone_tell_an_orbit():
    truth = orbit_like(20, 45, -1.0, pace_sin_1=3)
    prior = Prior(span=1.0)
    best, _ = fit_orbits(NO_MATCHES, outlines_of(truth), orbit.frame_times(NUM_FRAMES), HEIGHT, WIDTH, prior)
    assert np.rad2deg(best.params[0]) == pytest.approx(20, abs=1.5)
    assert best.params[2] == pytest.approx(-1, abs=0.03)
    assert np.rad2deg(best.params[orbit.INDEX["pace_sin_1"]]) == pytest.approx(3, abs=1)


def test_touching_planes_meet_under_the_true_cameras_and_miss_under_others():
    truth = orbit_like(20, 45, 1.0)
    outlines, times = outlines_of(truth), orbit.frame_times(NUM_FRAMES)
    pairs, center = frame_pairs(outlines), np.array([WIDTH / 2, HEIGHT / 2])
    for params, low, high in ((truth, 0, 0.05), (orbit_like(25, 45, 1.0), 0.1, 20), (orbit_like(20, 45, 0.9), 0.1, 20)):
        focal = np.array([orbit.focal_px(params, HEIGHT, WIDTH)])
        misses = tangency_px(outlines, pairs, orbit.poses(params, times)[None], focal, center)
        assert low <= np.median(np.abs(misses)) <= high


def test_sampson_distance_of_true_matches_is_zero_and_of_shifted_ones_the_shift():
    truth = orbit_like(10, 40, 1.0)
    matches = matched(truth, 0.0, 0.0)
    focal = orbit.focal_px(truth, HEIGHT, WIDTH)
    K = np.array([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]])
    w2c = orbit.poses(truth, orbit.frame_times(NUM_FRAMES))
    assert np.abs(sampson_px(matches, w2c, K)).max() < 1e-6
    up = Matches(matches.first, matches.second, matches.xy_first, matches.xy_second + [0, 1.0])
    # Half of a shift across the lines: either end may be wrong.
    assert np.median(np.abs(sampson_px(up, w2c, K))) == pytest.approx(np.sqrt(0.5), abs=0.1)


def test_outline_of_a_disc_is_found_to_a_fraction_of_a_pixel():
    y, x = np.mgrid[:60, :80] + 0.5
    alpha = np.clip(20.3 - np.hypot(x - 41.2, y - 30.7) + 0.5, 0, 1)
    points = outermost_points(torch.from_numpy(alpha[None]).float())[0]
    np.testing.assert_allclose(np.hypot(points[:, 0] - 41.2, points[:, 1] - 30.7), 20.3, atol=0.1)


def test_frames_that_are_cut_off_or_empty_have_no_outline():
    alphas = torch.zeros(3, 20, 30)
    alphas[0, 5:15, 8:22] = 1
    alphas[1, 5:15, :22] = 1
    found = np.isfinite(outermost_points(alphas)[:, 0, 0])
    assert found.tolist() == [True, False, False]


def test_an_orbit_from_nothing_is_refused():
    with pytest.raises(ValueError, match="0 points were matched"):
        fit_orbits(NO_MATCHES, None, orbit.frame_times(8), HEIGHT, WIDTH)
