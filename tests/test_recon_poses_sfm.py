"""Cameras from matches by COLMAP: right on exact matches, quiet, tidy, the same twice, and empty where nothing is."""

import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import torch

from recon.camera import Cameras, project
from recon.poses.compare import compare
from recon.poses.sfm import Kind, global_, incremental, reconstruct, sources, verified
from recon.poses.types import Matches

HEIGHT, WIDTH = 192, 256


def orbit(num: int, fov_deg: float = 40.0) -> Cameras:
    """Cameras on a ring of radius 4, 15 degrees up, z up, looking at the origin."""
    angles = 2 * torch.pi * torch.arange(num, dtype=torch.float64) / num
    elevation = torch.full_like(angles, 0.26)
    out = torch.stack([elevation.cos() * angles.sin(), -elevation.cos() * angles.cos(), elevation.sin()], dim=1)
    right = torch.stack([angles.cos(), angles.sin(), torch.zeros_like(angles)], dim=1)
    w2c = torch.eye(4, dtype=torch.float64).repeat(num, 1, 1)
    w2c[:, :3, :3] = torch.stack([right, torch.linalg.cross(-out, right), -out], dim=1)
    w2c[:, 2, 3] = 4.0
    focal = WIDTH / 2 / float(np.tan(np.deg2rad(fov_deg) / 2))
    K = torch.tensor([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]], dtype=torch.float64)
    return Cameras(K.repeat(num, 1, 1), w2c, HEIGHT, WIDTH)


def seen_points(cameras: Cameras, num_points: int, wrong: float = 0.0, noise: float = 0.05) -> Matches:
    """What neighbours up to three apart both see of points on a bumpy ball; a share of the second points is random."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(num_points, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = torch.from_numpy(direction * rng.uniform(0.7, 1.0, (num_points, 1)))
    pixels = project(points, cameras)[0].numpy() + noise * rng.normal(size=(len(cameras), num_points, 2))
    faces = (cameras.centers.numpy() @ direction.T) > 1.5
    parts = []
    for n in range(len(cameras)):
        for m in range(n + 1, len(cameras)):
            if min(m - n, len(cameras) - m + n) <= 3:
                both = np.flatnonzero(faces[n] & faces[m])
                second = pixels[m, both].copy()
                spoiled = rng.random(len(both)) < wrong
                second[spoiled] = rng.uniform([60, 30], [200, 160], (int(spoiled.sum()), 2))
                parts.append((np.full(len(both), n), np.full(len(both), m), pixels[n, both], second))
    return Matches(*(np.concatenate(column) for column in zip(*parts)))


@pytest.mark.parametrize("kind", ["incremental", "global"])
def test_exact_matches_give_the_cameras_and_the_focal_length(kind: Kind):
    truth = orbit(16)
    found = next(reconstruct(seen_points(truth, 250), 16, HEIGHT, WIDTH, kinds=[kind], fov_deg=50.0))
    errors = compare(found.cameras, truth, found.registered)
    assert errors.num_registered == found.facts["num_registered"] == 16
    assert errors.auc_5 > 95
    assert errors.focal_ratio == pytest.approx(1, abs=0.02)
    assert not found.facts["is_focal_fixed"]


def test_points_lie_where_the_cameras_see_them():
    truth = orbit(16)
    matches = seen_points(truth, 250)
    found = incremental(matches, 16, HEIGHT, WIDTH)
    assert found.points is not None
    assert len(found.points) > 150
    pixels, z = project(found.points, found.cameras)
    assert (z > 0).all()
    seen = torch.from_numpy(matches.xy_first[matches.first == 0]).float()
    nearest = torch.cdist(seen, pixels[0]).min(dim=1).values
    assert float(nearest.median()) < 0.3


def test_a_third_of_wrong_matches_is_borne_and_taken_out():
    truth = orbit(16)
    matches = seen_points(truth, 250, wrong=0.33)
    found = incremental(matches, 16, HEIGHT, WIDTH)
    assert compare(found.cameras, truth, found.registered).auc_5 > 90
    kept = verified(matches, 16, HEIGHT, WIDTH)
    assert 0.6 * len(matches) < len(kept) < 0.75 * len(matches)


def test_a_focal_length_beyond_the_limits_is_held_at_its_start():
    found = incremental(seen_points(orbit(16, fov_deg=110.0), 250), 16, HEIGHT, WIDTH, fov_deg=60.0)
    assert found.facts["is_focal_fixed"]
    assert found.facts["fov_deg"] == pytest.approx(60)


def test_the_same_seed_gives_the_same_cameras():
    matches = seen_points(orbit(12), 150, wrong=0.2)
    one, two = (list(reconstruct(matches, 12, HEIGHT, WIDTH, seed=3)) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a.cameras.w2c, b.cameras.w2c)
        assert torch.equal(a.cameras.K, b.cameras.K)


@pytest.mark.parametrize("num", [0, 3])
def test_nothing_to_go_by_registers_nothing(num):
    matches = seen_points(orbit(12), 150)
    few = Matches(matches.first[:num], matches.second[:num], matches.xy_first[:num], matches.xy_second[:num])
    for candidate in reconstruct(few, 12, HEIGHT, WIDTH):
        assert not candidate.registered.any()
        assert candidate.points is None
        assert len(candidate.cameras) == 12
    assert len(verified(few, 12, HEIGHT, WIDTH)) == 0


def test_no_word_and_no_file_is_left(capfd, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    matches = seen_points(orbit(12), 150)
    capfd.readouterr()
    assert global_(matches, 12, HEIGHT, WIDTH).registered.all()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_told_to_end_does_so_without_a_word(root):
    code = """
import os, signal
from recon.poses.sfm import incremental
from recon.poses.types import Matches
import numpy as np
none = np.zeros(0, np.int64)
assert not incremental(Matches(none, none, np.zeros((0, 2)), np.zeros((0, 2))), 8, 64, 64).registered.any()
os.kill(os.getpid(), signal.SIGTERM)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert ended.returncode == -signal.SIGTERM
    assert ended.stderr == ""


def test_what_was_followed_helps_out_only_where_keypoints_are_few():
    def between_neighbours(count: int) -> Matches:
        frames = np.repeat(np.arange(7), count)
        return Matches(frames, frames + 1, np.zeros((7 * count, 2)), np.zeros((7 * count, 2)))

    followed = between_neighbours(50)
    assert len(sources(between_neighbours(200), followed, 8)) == 7 * 200
    assert len(sources(between_neighbours(60), followed, 8)) == 7 * 110
    assert len(sources(between_neighbours(0), followed, 8)) == 7 * 50
