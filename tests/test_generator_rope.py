"""Rotary positions: only differences count, and a whole turn of the orbit is no difference."""

import math

import torch

from generator.rope import apply_rope, orbit_rope

HEAD_DIM = 48
ANGLES, ROWS, COLS = torch.tensor([[0.3, 1.4]]), torch.tensor([-2.0, 0.0, 2.0]), torch.arange(5.0)
NUM = 2 * 3 * 5


def rotated(x: torch.Tensor, angles=ANGLES, rows=ROWS, cols=COLS) -> torch.Tensor:
    return apply_rope(x, *orbit_rope(angles, rows, cols, HEAD_DIM))


def queries(seed: int) -> torch.Tensor:
    return torch.randn(2, 4, NUM, HEAD_DIM, generator=torch.Generator().manual_seed(seed))


def test_shapes_and_axes():
    cos, sin = orbit_rope(ANGLES, ROWS, COLS, HEAD_DIM)
    assert cos.shape == sin.shape == (1, 1, NUM, HEAD_DIM // 2)
    torch.testing.assert_close(cos**2 + sin**2, torch.ones_like(cos))
    grid = torch.atan2(sin, cos).view(2, 3, 5, -1)
    time, row, col = grid.split([6, 9, 9], dim=-1)  # a quarter for the angle, the rest for rows and columns
    assert torch.allclose(time[:, :1, :1].expand_as(time), time)
    assert torch.allclose(row[:1, :, :1].expand_as(row), row)
    assert torch.allclose(col[:1, :1].expand_as(col), col)
    assert torch.allclose(time[0, 0, 0, 0], ANGLES[0, 0])  # the first harmonic is the angle itself


def test_a_full_turn_is_the_identity():
    torch.testing.assert_close(rotated(queries(0), ANGLES + 2 * math.pi), rotated(queries(0)), rtol=0, atol=1e-5)
    assert not torch.allclose(rotated(queries(0), ANGLES + math.pi), rotated(queries(0)), atol=1e-2)


def test_only_differences_of_positions_count():
    q, k = queries(1), queries(2)
    scores = rotated(q) @ rotated(k).mT
    moved = rotated(q, ANGLES + 0.7, ROWS - 3, COLS + 11) @ rotated(k, ANGLES + 0.7, ROWS - 3, COLS + 11).mT
    torch.testing.assert_close(moved, scores, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(rotated(q, ANGLES + 0.7) @ rotated(k).mT, scores, atol=1e-1)


def test_lengths_are_kept():
    torch.testing.assert_close(rotated(queries(3)).norm(dim=-1), queries(3).norm(dim=-1))


def test_positions_of_zero_change_nothing():
    still = rotated(queries(4), torch.zeros(1, 2), torch.zeros(3), torch.zeros(5))
    assert torch.equal(still, queries(4))
