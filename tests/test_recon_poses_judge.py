"""The judge: cameras that are wrong score lower, whatever frame and scale they are given in."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.camera import Cameras, invert_rigid
from recon.poses.judge import held_out_score
from recon.views import Views
from subjects import mug, orbit_views


@pytest.fixture(scope="module")
def views() -> Views:
    return orbit_views(mug(), num=16, size=(56, 64))


def on_circle(views: Views, azimuths: np.ndarray, elevation_deg: float) -> Cameras:
    """Put the cameras at these azimuths (radians) of a level circle; the views have 15 degrees and even steps."""
    like = views.cameras
    elevation, radius = math.radians(elevation_deg), float(like.centers.norm(dim=1).mean())
    across, along = np.cos(elevation) * np.cos(azimuths), np.cos(elevation) * np.sin(azimuths)
    back = np.stack([across, along, np.full_like(across, np.sin(elevation))], axis=1)
    right = np.stack([-np.sin(azimuths), np.cos(azimuths), np.zeros_like(azimuths)], axis=1)
    c2w = np.tile(np.eye(4), (len(azimuths), 1, 1))
    c2w[:, :3, :3] = np.stack([right, np.cross(-back, right), -back], axis=-1)
    c2w[:, :3, 3] = radius * back
    return replace(like, w2c=invert_rigid(torch.from_numpy(c2w)).float())


def azimuths(views: Views) -> np.ndarray:
    centers = views.cameras.centers.numpy()
    return np.arctan2(centers[:, 1], centers[:, 0])


def score(views: Views, cameras: Cameras) -> float:
    return held_out_score(views.images, views.alphas, cameras).held_out_psnr


def test_right_cameras_beat_their_mirror_image_and_small_errors(views):
    angles = azimuths(views)
    steps = np.arange(len(views)) / len(views)
    right = score(views, on_circle(views, angles, 15))
    assert right == pytest.approx(score(views, views.cameras), abs=0.3)  # the helper above makes the true orbit
    assert right > 25
    assert score(views, on_circle(views, -angles, -15)) < right - 3
    assert score(views, on_circle(views, angles, 20)) < right - 0.5
    assert score(views, on_circle(views, angles + 0.15 * np.sin(2 * np.pi * steps), 15)) < right - 0.5
    assert score(views, views.cameras[torch.randperm(len(views))]) < right - 8


def test_score_does_not_depend_on_the_frame_or_the_scale(views):
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))[0]
    turn = turn * torch.det(turn)
    w2c = views.cameras.w2c.clone()
    w2c[:, :3, :3] = w2c[:, :3, :3] @ turn.T
    w2c[:, :3, 3] = 7 * w2c[:, :3, 3] - w2c[:, :3, :3] @ torch.tensor([5.0, -3.0, 2.0])
    moved = replace(views.cameras, w2c=w2c)
    assert score(views, moved) == pytest.approx(score(views, views.cameras), abs=0.5)


def test_half_of_the_frames_are_judged_and_the_seed_decides(views):
    first, again = (held_out_score(views.images, views.alphas, views.cameras, seed=3) for _ in range(2))
    assert np.flatnonzero(np.isfinite(first.frame_psnr)).tolist() == list(range(0, 16, 2))
    assert first.held_out_psnr == pytest.approx(np.nanmean(first.frame_psnr))
    np.testing.assert_array_equal(first.frame_psnr, again.frame_psnr)
    assert first.drop == pytest.approx(first.train_psnr - first.held_out_psnr)
    assert first.silhouette_iou > 0.9
    assert first.has_hull


def test_masks_that_share_no_solid_are_judged_without_a_hull(views):
    w2c = views.cameras.w2c.clone()
    w2c[:, :2, 3] += 3 * torch.randn(16, 2, generator=torch.Generator().manual_seed(0))  # looks past the subject
    judged = held_out_score(views.images, views.alphas, replace(views.cameras, w2c=w2c))
    assert not judged.has_hull
    assert judged.held_out_psnr < score(views, views.cameras) - 8


def test_pictures_without_masks_are_judged_as_they_are(views):
    judged = held_out_score(views.images, None, views.cameras, points=0.5 * torch.randn(300, 3))
    assert math.isnan(judged.silhouette_iou)
    assert not judged.has_hull
    assert np.isfinite(judged.held_out_psnr)


def test_three_frames_cannot_be_judged(views):
    with pytest.raises(ValueError, match="at least 4"):
        held_out_score(views.images[:3], None, views.cameras[:3])
