"""From frames alone to cameras: a speckled potato that turns once, its cameras hidden."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from recon.camera import Cameras
from recon.config import PosesConfig
from recon.mesh_render import render_mesh
from recon.poses import orbit
from recon.poses.compare import compare
from recon.poses.estimate import estimate
from recon.poses.types import PoseEstimate
from subjects import potato

NUM, HEIGHT, WIDTH = 20, 96, 112


@dataclass(frozen=True)
class Found:
    images: torch.Tensor
    alphas: torch.Tensor
    truth: Cameras
    estimate: PoseEstimate
    steps: list[str]


@pytest.fixture(scope="module")
def found() -> Found:
    params = orbit.level_orbit(np.deg2rad(18), orbit.log_focal(42), -1.0)  # clockwise
    focal = orbit.focal_px(params, HEIGHT, WIDTH)
    K = torch.tensor([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]]).repeat(NUM, 1, 1)
    truth = Cameras(K, torch.from_numpy(orbit.poses(params, orbit.frame_times(NUM))).float(), HEIGHT, WIDTH)
    drawn = render_mesh(potato(), truth)
    images = (drawn.rgb / drawn.alpha.clamp(min=1 / 8)[..., None]).clamp(0, 1).float()
    steps: list[str] = []
    result = estimate(images, drawn.alpha.float(), progress=lambda step, total, facts: steps.append(facts["step"]))
    return Found(images, drawn.alpha.float(), truth, result, steps)


def test_hidden_cameras_are_found_and_not_mirrored(found):
    errors = compare(found.estimate.cameras, found.truth, found.estimate.registered)
    assert errors.num_registered == NUM
    assert not errors.is_mirrored
    assert errors.auc_5 > 60
    assert errors.auc_15 > 85


def test_right_cameras_are_believed(found):
    assert found.estimate.confidence > 0.8
    assert found.estimate.facts["mirror_margin_db"] > 2


def test_the_frame_has_z_up_the_subject_at_the_origin_and_the_first_camera_in_front(found):
    centers = found.estimate.cameras.centers
    assert float(centers[0, 0].abs()) < 1e-3
    assert float(centers[0, 1]) < -2
    assert float(torch.rad2deg(torch.atan2(centers[0, 2], -centers[0, 1]))) == pytest.approx(18, abs=4)
    second = torch.atan2(centers[1, 0], -centers[1, 1])
    assert float(torch.rad2deg(second)) == pytest.approx(-18, abs=3)  # a twentieth of a turn, clockwise


def test_every_step_is_told(found):
    assert found.steps == ["matches", "orbit", "judge", "refine", "done"]  # this orbit is sure enough by itself


def test_too_few_frames_are_refused(found):
    with pytest.raises(ValueError, match="7 frames are too few"):
        estimate(found.images[:7], found.alphas[:7])


def test_times_that_do_not_grow_are_refused(found):
    with pytest.raises(ValueError, match="do not grow"):
        estimate(found.images, found.alphas, PosesConfig(), times_s=np.zeros(NUM))
