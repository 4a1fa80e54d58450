"""The cases of the pose benchmark are what their names say, and its table keeps the page around it."""

import os
import sys

import numpy as np
import pytest
import torch

from recon.camera import Cameras
from recon.views import Views


@pytest.fixture(scope="module")
def cases(root):
    sys.path.insert(0, str(root / "benchmarks"))
    import pose_cases

    return pose_cases


@pytest.fixture(scope="module")
def poses(cases):
    before = dict(os.environ)
    import poses

    assert dict(os.environ) == before  # Numba refuses to compile once its number of threads has changed there
    return poses


def checkered(size: int = 64, square: int = 24) -> Views:
    """One frame: a bright square with an alpha of its own, in the middle of nothing."""
    alphas = torch.zeros(1, size, size)
    low = (size - square) // 2
    alphas[:, low : low + square, low : low + square] = 1
    cameras = Cameras(torch.eye(3)[None], torch.eye(4)[None], size, size)
    return Views(alphas[..., None] * torch.tensor([0.8, 0.4, 0.2]), alphas, None, cameras)


def test_a_warp_moves_the_picture_but_not_the_color_of_the_subject(cases):
    views = checkered()
    bent = cases.warp(views, 2.0, np.random.default_rng(0))
    solid = bent.alphas > 0.1
    assert bent.images[solid] == pytest.approx(torch.tensor([0.8, 0.4, 0.2]).expand(int(solid.sum()), 3), abs=1e-4)
    changed = (bent.alphas - views.alphas).abs().sum()  # in pixels of area; the outline is 96 long
    assert 30 < float(changed) < 300
    assert torch.equal(cases.warp(views, 0.0, np.random.default_rng(0)).alphas, views.alphas)


def test_a_warp_is_as_large_as_it_says(cases):
    columns = torch.linspace(0, 1, 128).expand(1, 128, 128)
    cameras = Cameras(torch.eye(3)[None], torch.eye(4)[None], 128, 128)
    ramp = Views(columns[..., None].repeat(1, 1, 1, 3).contiguous(), torch.ones(1, 128, 128), None, cameras)
    bent = cases.warp(ramp, 3.0, np.random.default_rng(1))
    shift = (bent.images - ramp.images)[0, 16:-16, 16:-16, 0] * 127  # how far along the ramp each pixel reads
    assert 2.0 < float(shift.square().mean().sqrt()) < 4.0


def test_an_unknown_case_is_named_with_those_there_are(cases, tmp_path):
    with pytest.raises(ValueError, match=r"no case 'spat'; the cases are spot, .*fox"):
        cases.load_case("spat", tmp_path)


def test_the_plain_case_keeps_cameras_and_outline_and_has_one_hue(cases, shared_data):
    textured, plain = (cases.load_case(name, shared_data) for name in ("spot", "spot plain"))
    assert torch.equal(plain.cameras.w2c, textured.cameras.w2c)
    inside, was_inside = plain.alphas > 0.5, textured.alphas > 0.5
    assert float((inside & was_inside).sum() / (inside | was_inside).sum()) > 0.97
    colors = plain.images[plain.alphas > 0.99]
    assert float((colors[:, 2] / colors[:, 0]).std()) < 0.02
    assert float(colors[:, 0].std()) > 0.05


def test_the_page_changes_between_the_markers_only(poses):
    page = "a\n<!-- poses -->\nold\n<!-- end -->\nb\n<!-- orbits high -->\nkept\n<!-- end -->\n"
    assert poses.placed(page, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="poses"):
        poses.placed("no marker", "new")


def test_every_row_has_a_cell_for_each_column(poses):
    lines = poses.table([["spot", *["-"] * (len(poses.COLUMNS) - 1)]]).splitlines()
    assert {line.count("|") for line in lines} == {len(poses.COLUMNS) + 1}


def test_a_mapper_that_found_nothing_has_no_frame_registered(poses):
    truth = Cameras(torch.eye(3).repeat(4, 1, 1), torch.eye(4).repeat(4, 1, 1), 8, 8)
    assert poses.figures(poses.compare(*poses.placed_cameras([], truth))) == "0: 0/0/0"
