"""Matches between the frames of a small textured orbit lie on the true epipolar lines, at the pixels they name."""

import numpy as np
import pytest
import torch

from recon.camera import Cameras
from recon.poses.features import find_matches, joined, subject_greys, subject_masks
from recon.poses.flow import flow_matches
from recon.poses.types import Matches


def scene(num: int = 4, height: int = 96, width: int = 128) -> torch.Tensor:
    """Smooth noise [F,H,W,3], shifted by three pixels to the right and one down a frame."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 24, 32, generator=generator)
    big = torch.nn.functional.interpolate(coarse, size=(height + 40, width + 40), mode="bicubic").clamp(0, 1)[0]
    frames = [big[:, 20 - n : 20 - n + height, 20 - 3 * n : 20 - 3 * n + width] for n in range(num)]
    return torch.stack(frames).permute(0, 2, 3, 1).contiguous()


def shifts(matches: Matches) -> np.ndarray:
    """Offset of each match in units of the frames between."""
    return (matches.xy_second - matches.xy_first) / (matches.second - matches.first)[:, None]


@pytest.mark.parametrize("find", [find_matches, flow_matches])
def test_matches_follow_a_shift_to_a_fraction_of_a_pixel(find):
    matches = find(scene(), None)
    assert len(matches) > 100
    assert (matches.first < matches.second).all()
    error = np.linalg.norm(shifts(matches) - [3, 1], axis=1)
    assert np.median(error) < 0.1
    assert (error < 0.5).mean() > 0.95


@pytest.mark.parametrize("find", [find_matches, flow_matches])
def test_nothing_outside_the_subject_or_on_its_outline_is_matched(find):
    alphas = torch.zeros(4, 96, 128)
    alphas[:, 20:76, 30:100] = 1
    matches = find(scene(), alphas)
    assert len(matches) > 20
    for xy in (matches.xy_first, matches.xy_second):
        assert (xy > [30, 20]).all()
        assert (xy < [100, 76]).all()


@pytest.mark.parametrize("find", [find_matches, flow_matches])
def test_a_blank_picture_or_an_empty_mask_gives_no_matches(find):
    assert len(find(torch.full((3, 64, 64, 3), 0.5), None)) == 0
    assert len(find(torch.rand(3, 64, 64, 3), torch.zeros(3, 64, 64))) == 0


@pytest.mark.parametrize("find", [find_matches, flow_matches])
def test_the_same_pictures_give_the_same_matches(find):
    one, two = find(scene(), None), find(scene(), None)
    assert np.array_equal(one.xy_second, two.xy_second)
    assert np.array_equal(one.second, two.second)


def test_a_window_leaves_far_pairs_out():
    matches = find_matches(scene(), None, window=1)
    assert set(np.unique(matches.second - matches.first)) == {1}


def test_flow_goes_round_a_loop():
    there = scene()
    loop = torch.cat([there, there.flip(0)[1:-1]])  # ... and back again
    wrapped = flow_matches(loop, None, reach=1, is_loop=True)
    round_the_end = (wrapped.first == 0) & (wrapped.second == len(loop) - 1)
    assert round_the_end.sum() > 20
    shift = np.median(wrapped.xy_second[round_the_end] - wrapped.xy_first[round_the_end], axis=0)
    assert shift == pytest.approx([3, 1], abs=0.1)
    assert ((wrapped.second - wrapped.first) > 1).sum() == round_the_end.sum()


def test_outside_the_subject_its_own_edge_colors_go_on():
    images = torch.full((1, 40, 60, 3), 1.0)
    alphas = torch.zeros(1, 40, 60)
    images[0, 10:30, 20:40], alphas[0, 10:30, 20:40] = 0.25, 1
    assert subject_greys(images, alphas) == pytest.approx(0.25, abs=1e-5)


def test_the_margin_is_kept_from_the_outline_but_not_from_the_border():
    alphas = torch.zeros(1, 100, 50)
    alphas[0, :, 20:] = 1  # runs out of the picture on three sides
    masks = subject_masks(alphas, 0.05)
    assert masks is not None
    assert masks[0, :, 25:].all()
    assert not masks[0, :, :25].any()


def test_joined_keeps_every_match():
    assert len(joined([])) == 0
    parts = [find_matches(scene(), None, window=1), flow_matches(scene(), None)]
    assert len(joined(parts)) == len(parts[0]) + len(parts[1])


def epipolar_distances(matches: Matches, cameras: Cameras) -> np.ndarray:
    """Pixels between each second point and the line of the first one, under true cameras."""
    w2c, K = cameras.w2c.double().numpy(), cameras.K.double().numpy()
    between = w2c[matches.second] @ np.linalg.inv(w2c)[matches.first]
    inverse = np.linalg.inv(K)
    first = np.concatenate([matches.xy_first, np.ones((len(matches), 1))], axis=1)
    rays = np.einsum("mij,mjk,mk->mi", between[:, :3, :3], inverse[matches.first], first)
    lines = np.cross(between[:, :3, 3], rays)
    lines = np.einsum("mji,mj->mi", inverse[matches.second], lines)
    second = np.concatenate([matches.xy_second, np.ones((len(matches), 1))], axis=1)
    return np.abs((lines * second).sum(axis=1)) / np.hypot(lines[:, 0], lines[:, 1])


@pytest.mark.parametrize(("find", "share"), [(find_matches, 0.9), (flow_matches, 0.98)])
def test_matches_of_near_frames_of_an_orbit_lie_on_the_true_epipolar_lines(shared_data, find, share):
    from vid2three.capture import load_views

    views = load_views(shared_data / "orbits" / "fuze" / "transforms_train.json")[:6]
    matches = find(views.images, views.alphas)
    near = matches.second - matches.first <= 2
    distances = epipolar_distances(matches, views.cameras)[near]
    assert len(distances) > 150
    assert (distances < 2).mean() > share
