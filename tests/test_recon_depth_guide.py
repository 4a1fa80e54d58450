"""Depth supervision: its gradient by hand, and what it leaves alone."""

import math

import pytest
import torch

from recon.depth_guide import BEFORE, BEHIND, KNEE, pull
from recon.splats import LOG_SCALE, OPACITY, QUAT

HEIGHT, WIDTH, RADIUS = 20, 30, 0.8
K = torch.tensor([[40.0, 0, 15], [0, 44.0, 10], [0, 0, 1]])
W2C = torch.tensor([[0.0, 1, 0, 0], [0, 0, -1, 0], [-1, 0, 0, 2.0], [0, 0, 0, 1]])


def row(x: float) -> torch.Tensor:
    """A splat on the axis of the camera, which looks along -x and stands at x = 2."""
    rows = torch.zeros(1, 14)
    rows[0, 0], rows[0, LOG_SCALE:QUAT], rows[0, QUAT] = x, math.log(0.05), 1
    rows[0, LOG_SCALE + 2], rows[0, OPACITY] = math.log(0.001), 0.0
    return rows


def test_a_splat_is_pulled_onto_the_map_with_the_weight_of_its_pixels():
    depth = torch.full((HEIGHT, WIDTH), 2.01)
    gradient = pull(row(0.0), K, W2C, depth, RADIUS)  # at z = 2: 0.01 too near
    pixels = 2 * math.pi * 0.05**2 * 40 * 44 / 4 * 0.5
    slope = max(-0.01 / RADIUS / KNEE, -1) * pixels / (HEIGHT * WIDTH) / RADIUS
    assert gradient[0].tolist() == pytest.approx([-slope, 0, 0], abs=1e-6)  # z grows towards -x: descent moves there


def test_splats_far_from_the_map_beside_it_or_out_of_the_picture_are_left_alone():
    depth = torch.full((HEIGHT, WIDTH), 2.0)
    assert not pull(row(1.1 * BEFORE * RADIUS), K, W2C, depth, RADIUS).any()
    assert not pull(row(-1.1 * BEHIND * RADIUS), K, W2C, depth, RADIUS).any()
    assert not pull(row(0.01), K, W2C, torch.zeros(HEIGHT, WIDTH), RADIUS).any()
    outside, behind = row(0.01), row(3.0)
    outside[0, 1] = 5.0
    assert not pull(outside, K, W2C, depth, RADIUS).any()
    assert not pull(behind, K, W2C, depth, RADIUS).any()
