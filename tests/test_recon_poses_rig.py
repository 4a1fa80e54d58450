"""The rig: its gradients are those of finite differences, and cameras come out as they went in."""

import numpy as np
import pytest
import torch

from recon.camera import Cameras
from recon.poses import match_pull, orbit
from recon.poses import rig as rigs
from recon.poses.rig import Rig
from recon.poses.types import Matches

NUM, HEIGHT, WIDTH = 7, 60, 80


def some_orbit() -> np.ndarray:
    params = orbit.level_orbit(0.3, orbit.log_focal(40), 0.8)
    params[3:] = 0.05 * np.random.default_rng(0).normal(size=len(params) - 3)
    return params


def some_rig() -> Rig:
    rig = rigs.from_orbit(some_orbit(), orbit.frame_times(NUM), HEIGHT, WIDTH)
    rig.zoom = 0.2
    rig.twists[:] = 0.04 * np.random.default_rng(1).normal(size=(NUM, 6))
    return rig


def row_of(rig: Rig, k: int) -> np.ndarray:
    """Frame k's camera row in float64."""
    w2c, focal = rigs.matrices(rig)[k], np.exp(rig.zoom) * rig.K[k, 0, 0]
    return np.concatenate([[focal, focal, *rig.K[k, :2, 2]], w2c[:3, :3].ravel(), w2c[:3, 3]])


def numeric(rig: Rig, cost) -> np.ndarray:
    """Central differences of a cost of the rig by all that moves."""
    start, step, slopes = rigs.vector(rig), 1e-6, []
    for index in range(len(start)):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[index] += sign * step
            rigs.set_vector(rig, moved)
            ends.append(cost(rig))
        slopes.append((ends[0] - ends[1]) / (2 * step))
    rigs.set_vector(rig, start)
    return np.array(slopes)


def test_camera_rows_gradient_becomes_the_rigs():
    rig, k = some_rig(), 3
    weights = np.random.default_rng(2).normal(size=16)
    weights[2:4] = 0
    expected = numeric(rig, lambda r: float(weights @ row_of(r, k)))
    found = rigs.pull_back(rig, k, *rigs.twist_gradient(row_of(rig, k), weights))
    keep = np.arange(orbit.NUM) != orbit.INDEX["log_focal"]  # the zoom's business
    np.testing.assert_allclose(found.params[keep], expected[: orbit.NUM][keep], rtol=1e-5, atol=1e-5)
    assert found.zoom == pytest.approx(expected[orbit.NUM], rel=1e-5)
    rig.twists[:] = 0
    expected = numeric(rig, lambda r: float(weights @ row_of(r, k)))[orbit.NUM + 1 :].reshape(NUM, 6)
    found = rigs.pull_back(rig, k, *rigs.twist_gradient(row_of(rig, k), weights))
    np.testing.assert_allclose(found.twist, expected[k], rtol=1e-5, atol=1e-5)
    assert not expected[np.arange(NUM) != k].any()


def test_zoom_keeps_the_point_looked_at_in_size():
    rig = rigs.from_orbit(some_orbit(), orbit.frame_times(NUM), HEIGHT, WIDTH)
    before = row_of(rig, 2)
    rig.zoom = 0.3
    after = row_of(rig, 2)
    np.testing.assert_allclose(after[0] / after[15], before[0] / before[15])  # focal length by distance
    cameras = rigs.to_cameras(rig)
    settled = rigs.to_cameras(rigs.from_orbit(rigs.settled_params(rig), orbit.frame_times(NUM), HEIGHT, WIDTH))
    torch.testing.assert_close(cameras.w2c, settled.w2c)
    torch.testing.assert_close(cameras.K, settled.K)


def test_cameras_come_out_as_they_went_in():
    orbiting = rigs.to_cameras(some_rig())
    moved = orbiting.w2c.clone()
    moved[:, :3, 3] = 3 * moved[:, :3, 3] + moved[:, :3, :3] @ torch.tensor([4.0, 5.0, -6.0])
    cameras = Cameras(orbiting.K, moved, HEIGHT, WIDTH)
    rig, origin, unit = rigs.from_cameras(cameras)
    out = rigs.to_cameras(rig)
    back = out.w2c.double()
    back[:, :3, 3] = unit * back[:, :3, 3] - back[:, :3, :3] @ torch.from_numpy(origin)
    torch.testing.assert_close(back.float(), moved, rtol=1e-4, atol=1e-4)
    assert np.median(np.linalg.norm(rigs.matrices(rig)[:, :3, 3], axis=1)) == pytest.approx(1)


def matched(rig: Rig, noise_px: float) -> Matches:
    """Points near the origin as all pairs of neighbours see them."""
    rng = np.random.default_rng(4)
    w2c, focal = rigs.matrices(rig), np.exp(rig.zoom) * rig.K[0, 0, 0]
    points = 0.2 * rng.normal(size=(40, 3))
    local = np.einsum("fij,pj->fpi", w2c[:, :3, :3], points) + w2c[:, None, :3, 3]
    xy = focal * local[..., :2] / local[..., 2:] + rig.K[0, :2, 2]
    xy = xy + noise_px * rng.normal(size=xy.shape)
    first = np.repeat(np.arange(NUM - 1), len(points))
    return Matches(first, first + 1, xy[:-1].reshape(-1, 2), xy[1:].reshape(-1, 2))


def test_true_matches_pull_nowhere():
    rig = some_rig()
    pulled = match_pull.pull(matched(rig, 0.0), rig)
    assert pulled.median_px < 1e-6
    assert np.abs(pulled.twists).max() < 1e-6 * pulled.typical


def test_matches_pull_is_the_slope_of_their_cost(monkeypatch):
    rig = rigs.from_orbit(some_orbit(), orbit.frame_times(NUM), HEIGHT, WIDTH)
    matches = matched(rig, 0.0)
    rig.twists[:] = 1e-4 * np.random.default_rng(5).normal(size=(NUM, 6))  # near enough for Sampson's size to be fixed
    monkeypatch.setattr(match_pull, "LEAST", match_pull.MOST)  # one scale, whatever the median
    scale = match_pull.MOST * WIDTH

    def cost(r: Rig) -> float:
        w2c, K = rigs.matrices(r), r.K[0] * np.array([[np.exp(r.zoom)], [np.exp(r.zoom)], [1]])
        K[:2, 2] = r.K[0, :2, 2]
        total = []
        for m in range(len(matches)):
            relative = w2c[matches.second[m]] @ np.linalg.inv(w2c[matches.first[m]])
            t = relative[:3, 3]
            cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
            fundamental = np.linalg.inv(K).T @ cross @ relative[:3, :3] @ np.linalg.inv(K)
            a, b = np.append(matches.xy_first[m], 1), np.append(matches.xy_second[m], 1)
            size = np.hypot(*(fundamental @ a)[:2]) ** 2 + np.hypot(*(fundamental.T @ b)[:2]) ** 2
            square = (b @ fundamental @ a) ** 2 / size
            total.append(square / (square + scale**2))
        return NUM * float(np.mean(total))

    slopes = numeric(rig, cost)
    pulled = match_pull.pull(matches, rig)
    np.testing.assert_allclose(pulled.twists.ravel(), slopes[orbit.NUM + 1 :], atol=0.02 * np.abs(slopes).max())
