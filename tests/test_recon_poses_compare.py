"""Figures for estimated cameras: blind to frame and scale, right where they can be worked out by hand."""

import math

import pytest
import torch

from recon.camera import Cameras
from recon.poses.compare import auc, compare


def orbit(num: int = 12, elevation_deg: float = 15.0, sign: float = 1.0, focal: float = 300.0) -> Cameras:
    """Cameras on a full ring of radius 4 around the origin, z up."""
    angles = sign * 2 * math.pi * torch.arange(num, dtype=torch.float64) / num
    elevation = torch.full_like(angles, math.radians(elevation_deg))
    centers = 4 * torch.stack([elevation.cos() * angles.sin(), -elevation.cos() * angles.cos(), elevation.sin()], dim=1)
    forward = -centers / 4
    right = torch.linalg.cross(forward, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand_as(forward))
    right = right / right.norm(dim=1, keepdim=True)
    w2c = torch.eye(4, dtype=torch.float64).repeat(num, 1, 1)
    w2c[:, :3, :3] = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
    w2c[:, :3, 3] = -torch.einsum("nij,nj->ni", w2c[:, :3, :3], centers)
    K = torch.tensor([[focal, 0, 128], [0, focal, 96], [0, 0, 1]], dtype=torch.float64).repeat(num, 1, 1)
    return Cameras(K, w2c, 192, 256)


def moved(cameras: Cameras, rotation: torch.Tensor, translation: torch.Tensor, scale: float) -> Cameras:
    """The same cameras in a world that is turned, shifted and scaled: x -> scale R x + t."""
    w2c = cameras.w2c.clone()
    w2c[:, :3, :3] = cameras.w2c[:, :3, :3] @ rotation.T
    w2c[:, :3, 3] = scale * cameras.w2c[:, :3, 3] - torch.einsum("nij,j->ni", w2c[:, :3, :3], translation)
    return Cameras(cameras.K, w2c, cameras.height, cameras.width)


def turned_about_z(cameras: Cameras, frame: int, angle_deg: float) -> Cameras:
    """One camera carried along the ring by an angle."""
    angle = math.radians(angle_deg)
    turn = torch.eye(4, dtype=torch.float64)
    turn[:2, :2] = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    w2c = cameras.w2c.clone()
    w2c[frame] = w2c[frame] @ turn.T
    return Cameras(cameras.K, w2c, cameras.height, cameras.width)


def test_another_frame_and_scale_is_no_error():
    truth = orbit()
    random = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
    rotation = random * torch.linalg.det(random)
    errors = compare(moved(truth, rotation, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), 2.5), truth)
    assert errors.auc_5 == pytest.approx(100, abs=1e-4)
    assert errors.ate == pytest.approx(0, abs=1e-9)
    assert errors.rotation_deg == pytest.approx(0, abs=1e-6)
    assert not errors.is_mirrored


def test_auc_is_the_area_under_the_curve_of_errors():
    errors = torch.tensor([0.0, 2.5, 5.0, 180.0])
    assert auc(errors, 5.0) == pytest.approx(100 * (1 + 0.5) / 4)
    assert auc(errors, 10.0) == pytest.approx(100 * (1 + 0.75 + 0.5) / 4)


def test_a_camera_off_by_two_degrees_spoils_its_pairs_only():
    truth = orbit(num=8, elevation_deg=0.0)
    errors = compare(turned_about_z(truth, 3, 2.0), truth)
    # Its 7 of 28 pairs: the chord's direction turns by half of what the ring turns, the camera itself by all of it.
    assert errors.auc_5 == pytest.approx(100 * (21 + 7 * (1 - 2 / 5)) / 28, abs=1e-4)
    assert errors.rotation_deg == pytest.approx(0, abs=1e-6)


def test_pairs_of_unregistered_frames_count_as_wrong():
    truth = orbit(num=10)
    registered = torch.arange(10) >= 5
    errors = compare(truth, truth, registered)
    assert errors.auc_30 == pytest.approx(100 * 10 / 45, abs=1e-3)
    assert errors.num_registered == 5
    assert errors.ate == pytest.approx(0, abs=1e-9)


def test_nothing_registered_is_zero_not_an_error():
    truth = orbit(num=4)
    errors = compare(truth, truth, torch.zeros(4, dtype=torch.bool))
    assert (errors.auc_30, errors.num_registered, errors.is_mirrored) == (0.0, 0, False)
    assert math.isnan(errors.ate)


def test_the_other_direction_from_below_is_the_mirror():
    truth = orbit(elevation_deg=15.0)
    assert compare(orbit(elevation_deg=-15.0, sign=-1.0), truth).is_mirrored
    assert compare(orbit(elevation_deg=-15.0, sign=-1.0), truth).auc_5 < 5
    assert not compare(orbit(elevation_deg=10.0), truth).is_mirrored


def test_ate_is_in_radii_and_focal_in_true_ones():
    truth = orbit(num=16, elevation_deg=0.0)
    w2c = truth.w2c.clone()
    w2c[:, 1, 3] += 0.4 * torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(8)  # a tenth of the radius, up and down
    errors = compare(Cameras(truth.K * 0.9, w2c, truth.height, truth.width), truth)
    # A similarity can only shrink the ring a little to ease it: scale 1 / (1 + 0.01), so 0.1 / sqrt(1.01).
    assert errors.ate == pytest.approx(0.1 / math.sqrt(1.01), rel=1e-6)
    assert errors.focal_ratio == pytest.approx(0.9)


def test_counts_that_differ_are_refused():
    with pytest.raises(ValueError, match="3 estimated and 4 true"):
        compare(orbit(num=3), orbit(num=4))
