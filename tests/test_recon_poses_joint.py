"""Cameras learned together with splats: wrong ones come near the truth, right ones stay."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.camera import Cameras
from recon.poses import joint, orbit
from recon.poses import rig as rigs
from recon.poses.compare import compare
from recon.poses.judge import JudgeScore
from recon.poses.types import Matches
from recon.render import render
from recon.sh import rgb_to_dc
from recon.splats import Splats
from recon.views import Views

NUM, HEIGHT, WIDTH = 16, 56, 64


def solid(seed: int = 0) -> Splats:
    """Opaque splats of all colours, in a lopsided heap."""
    generator = torch.Generator().manual_seed(seed)
    num = 150
    means = 0.12 * torch.randn(num, 3, generator=generator) * torch.tensor([1.4, 0.8, 1.0])
    return Splats(
        means=means,
        log_scales=torch.full((num, 3), -3.2),
        quats=torch.tensor([[1.0, 0, 0, 0]]).repeat(num, 1),
        opacity_logits=torch.full((num,), 4.0),
        sh=rgb_to_dc(torch.rand(num, 3, generator=generator))[:, None],
    )


def ball() -> Splats:
    scales, quats = torch.full((1, 3), -1.6), torch.tensor([[1.0, 0, 0, 0]])
    return Splats(torch.zeros(1, 3), scales, quats, torch.tensor([9.0]), torch.zeros(1, 1, 3))


def pictures(cameras: Cameras, subject: Splats | None = None) -> Views:
    drawn = render(solid() if subject is None else subject, cameras)
    straight = drawn.rgb / drawn.alpha.clamp(min=1e-3)[..., None]
    return Views(straight.clamp(0, 1), drawn.alpha, None, cameras)


def true_orbit() -> np.ndarray:
    params = orbit.level_orbit(np.deg2rad(15), orbit.log_focal(40), 1.0)
    params[orbit.INDEX["pace_sin_1"]] = 0.05
    return params


def on(params: np.ndarray) -> Cameras:
    return rigs.to_cameras(rigs.from_orbit(params, orbit.frame_times(NUM), HEIGHT, WIDTH))


def rotation_error(cameras: Cameras, truth: Cameras) -> float:
    return compare(cameras, truth).rotation_deg


@pytest.fixture(scope="module")
def views() -> Views:
    return pictures(on(true_orbit()))


def shaken(cameras: Cameras, deg: float) -> Cameras:
    """Turn every camera about itself by about so much, and move it by as many hundredths."""
    rig, _, _ = rigs.from_cameras(cameras)
    rig.twists[:] = np.random.default_rng(6).normal(size=rig.twists.shape) * [*[np.deg2rad(deg)] * 3, *[deg / 100] * 3]
    return rigs.to_cameras(rig)


def test_wrong_orbit_comes_near_the_true_one(views):
    wrong = true_orbit()
    wrong[[orbit.INDEX["elevation"], orbit.INDEX["pace_sin_1"]]] += 0.1, -0.08
    wrong[orbit.INDEX["log_focal"]] += 0.1
    refined = joint.refine(views.images, views.alphas, on(wrong), params=wrong, iterations=800)
    assert refined.kept != "start"
    assert refined.after.held_out_psnr > refined.before.held_out_psnr + 0.5
    assert rotation_error(refined.cameras, views.cameras) < rotation_error(on(wrong), views.cameras) / 5
    assert refined.params is not None
    elevation = orbit.INDEX["elevation"]
    assert abs(refined.params[elevation] - true_orbit()[elevation]) < 0.015
    assert abs(refined.facts["focal_ratio"] - np.exp(-0.1)) < 0.06


def test_shaken_cameras_on_no_orbit_come_near_the_true_ones(views):
    start = shaken(views.cameras, 1.5)
    refined = joint.refine(views.images, views.alphas, start, iterations=800)
    assert refined.params is None
    assert refined.kept == "frames"
    before, after = compare(start, views.cameras), compare(refined.cameras, views.cameras)
    assert after.rotation_deg < before.rotation_deg / 2
    assert after.auc_5 > before.auc_5 + 20


def test_matches_mend_what_pictures_of_a_grey_ball_cannot(views):
    alphas = pictures(views.cameras[:1], ball()).alphas
    assert alphas is not None
    grey = Views(torch.full_like(views.images, 0.5), alphas.expand(NUM, -1, -1), None, views.cameras)
    wrong = true_orbit()
    wrong[orbit.INDEX["elevation"]] += 0.12
    rig = rigs.from_orbit(wrong, orbit.frame_times(NUM), HEIGHT, WIDTH)
    joint.learn(rig, replace(grey, cameras=rigs.to_cameras(rig)), matches=true_matches(views.cameras), iterations=500)
    assert rotation_error(rigs.to_cameras(rig), views.cameras) < rotation_error(on(wrong), views.cameras) / 2


def true_matches(cameras: Cameras) -> Matches:
    points = 0.15 * torch.randn(30, 3, generator=torch.Generator().manual_seed(2))
    local = torch.einsum("fij,pj->fpi", cameras.w2c[:, :3, :3], points) + cameras.w2c[:, None, :3, 3]
    xy = torch.einsum("fij,fpj->fpi", cameras.K, local)
    xy = (xy[..., :2] / xy[..., 2:]).double().numpy()
    first = np.repeat(np.arange(NUM - 2), len(points))
    return Matches(first, first + 2, xy[:-2].reshape(-1, 2), xy[2:].reshape(-1, 2))


def test_worse_cameras_are_not_kept(views):
    refined = joint.refine(views.images, views.alphas, views.cameras, params=true_orbit(), iterations=40)
    assert refined.kept == "start"
    assert refined.cameras is views.cameras
    np.testing.assert_array_equal(refined.params, true_orbit())
    assert refined.after is refined.before


def test_flat_valleys_are_decided_by_matches_and_twists_must_win_clearly(views):
    def score(psnr: float) -> JudgeScore:
        return JudgeScore(psnr, psnr, 1.0, np.zeros(NUM), True)

    wrong = true_orbit()
    wrong[orbit.INDEX["elevation"]] += 0.1
    matches, tried = true_matches(views.cameras), {"start": on(wrong), "orbit": views.cameras, "frames": views.cameras}

    def chosen(start: float, on_orbit: float, twisted: float, some: Matches | None = None) -> str:
        scores = {"start": score(start), "orbit": score(on_orbit), "frames": score(twisted)}
        return joint._chosen(tried, scores, some, joint.FRAMES_MARGIN)

    assert chosen(20, 21, 22) == "orbit"
    assert chosen(20, 21, 24) == "frames"
    assert chosen(20, 20.1, 20) == "start"
    assert chosen(20, 20.1, 20, matches) == "orbit"
    tried["start"], tried["orbit"] = tried["orbit"], tried["start"]
    assert chosen(20, 20.1, 20, matches) == "start"


def test_the_same_seed_gives_the_same_cameras(views):
    ends = []
    for _ in range(2):
        rig = rigs.from_orbit(true_orbit(), orbit.frame_times(NUM), HEIGHT, WIDTH)
        joint.learn(rig, views, iterations=60, seed=4)
        ends.append(rigs.vector(rig))
    np.testing.assert_array_equal(*ends)


def test_anchoring_undoes_a_move_of_the_whole(views):
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))[0]
    turn = turn * torch.det(turn)
    w2c = views.cameras.w2c.clone()
    w2c[:, :3, :3] = w2c[:, :3, :3] @ turn.T
    w2c[:, :3, 3] = 7 * w2c[:, :3, 3] - w2c[:, :3, :3] @ torch.tensor([5.0, -3.0, 2.0])
    back = joint.anchored(replace(views.cameras, w2c=w2c), views.cameras)
    torch.testing.assert_close(back.w2c, views.cameras.w2c, rtol=1e-4, atol=1e-4)
