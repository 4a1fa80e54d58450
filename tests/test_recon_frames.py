"""The frames' own colours and weights: identities, gradients, and what they undo."""

import pytest
import torch

from recon.frames import TOLERANCE, learn_error, learn_map, new_frames, recoloured, weight

HEIGHT, WIDTH = 5, 7


def test_new_maps_change_nothing():
    rgb, left = torch.rand(HEIGHT, WIDTH, 3), torch.rand(HEIGHT, WIDTH)
    assert torch.equal(recoloured(rgb, left, new_frames(4).maps[2]), rgb)


def test_the_shift_is_as_strong_as_the_cover():
    matrix = torch.eye(3, 4)
    matrix[1, 3] = 0.2
    left = torch.tensor([[1.0, 0.0, 0.5]])
    mapped = recoloured(torch.zeros(1, 3, 3), left, matrix)
    assert torch.allclose(mapped[0, :, 1], torch.tensor([0.0, 0.2, 0.1]))
    assert not mapped[0, :, [0, 2]].any()


def test_a_map_learns_the_tint_of_its_frame_and_no_other():
    frames = new_frames(3)
    generator = torch.Generator().manual_seed(0)
    rgb, left = torch.rand(HEIGHT, WIDTH, 3, generator=generator), torch.zeros(HEIGHT, WIDTH)
    target = 0.8 * rgb + torch.tensor([0.1, 0.0, -0.05])
    for _ in range(400):
        matrix = frames.maps[1].clone().requires_grad_()
        (10 * (recoloured(rgb, left, matrix) - target).square().mean()).backward()
        learn_map(frames, 1, matrix.grad)
        learn_error(frames, 1, 0.1)
    error = (recoloured(rgb, left, frames.maps[1]) - target).abs().mean()
    assert error < 0.2 * (rgb - target).abs().mean()
    assert torch.equal(frames.maps[0], torch.eye(3, 4))


def test_without_a_gradient_maps_return_to_the_identity():
    frames = new_frames(1)
    frames.maps[0, 0, 0] = 1.3
    for _ in range(300):
        learn_map(frames, 0, torch.zeros(3, 4))
        learn_error(frames, 0, 0.1)
    assert frames.maps[0, 0, 0].item() == pytest.approx(1.0, abs=0.02)


def test_a_frame_that_stays_bad_counts_less_and_all_others_count_in_full():
    frames = new_frames(5)
    for _ in range(3):
        assert weight(frames, 4) == 1.0 or frames.visits.min() >= 2
        for k, error in enumerate((1.0, 1.1, 0.9, 1.2, 4.4)):
            learn_error(frames, k, 1e-3 * error)
    assert [weight(frames, k) for k in range(4)] == [1.0] * 4
    assert weight(frames, 4) == pytest.approx((TOLERANCE * 1.1 / 4.4) ** 2)
