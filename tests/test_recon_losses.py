"""The loss: zero where it should be, by hand, and its written-out gradient against autograd."""

import numpy as np
import pytest
import torch

from recon.cpu_ssim import structural_gradient
from recon.losses import EPSILON, QUADRATIC, photometric, photometric_gradient, structural

HEIGHT, WIDTH = 5, 7


def make_pictures(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A picture over black, its transmittance, a premultiplied RGBA target and a background, float64."""
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    target = torch.rand(HEIGHT, WIDTH, 4, **draw)
    target[..., :3] *= target[..., 3:]
    return torch.rand(HEIGHT, WIDTH, 3, **draw), torch.rand(HEIGHT, WIDTH, **draw), target, torch.rand(3, **draw)


def test_the_target_itself_has_no_loss():
    _, _, target, background = make_pictures()
    loss = photometric(target[..., :3], 1 - target[..., 3], target, background, 0.7)
    assert loss.item() == pytest.approx(0, abs=1e-12)


def test_one_wrong_pixel_by_hand():
    target = torch.zeros(HEIGHT, WIDTH, 4, dtype=torch.float64)
    rgb, left = target[..., :3].clone(), torch.ones(HEIGHT, WIDTH, dtype=torch.float64)
    rgb[2, 3, 1], left[2, 3] = 0.3, 0.5  # half covered by green, over a white background: 1 + 0.3 - 0.5
    errors = torch.tensor([-0.5, -0.2, -0.5], dtype=torch.float64)
    rho = (errors**2 + EPSILON**2).sqrt() - EPSILON + 0.5 * QUADRATIC * errors**2
    expected = (rho.sum() / 3 + 0.7 * 0.5**2) / (HEIGHT * WIDTH)
    loss = photometric(rgb, left, target, torch.ones(3, dtype=torch.float64), 0.7)
    assert loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize(("alpha_weight", "quadratic"), [(0.0, QUADRATIC), (0.7, QUADRATIC), (0.7, 0.0)])
def test_twin_gradient_is_autograds(alpha_weight, quadratic):
    rgb, left, target, background = make_pictures()
    rgb, left = rgb.requires_grad_(), left.requires_grad_()
    loss = photometric(rgb, left, target, background, alpha_weight, quadratic)
    loss.backward()
    arrays = [tensor.detach().float().numpy() for tensor in (rgb, left, target, background)]
    value, square, grad_rgb, grad_left = photometric_gradient(*arrays, alpha_weight, quadratic)
    assert value == pytest.approx(loss.item(), rel=1e-5)
    assert np.abs(grad_rgb - rgb.grad.numpy()).max() < 1e-6
    assert np.abs(grad_left - left.grad.numpy()).max() < 1e-6
    error = rgb + left[..., None] * background - target[..., :3] - (1 - target[..., 3:]) * background
    assert square == pytest.approx(error.square().mean().item(), rel=1e-5)


def test_structure_is_lost_by_blur_and_not_seen_outside_the_target():
    generator = torch.Generator().manual_seed(0)
    target = torch.zeros(24, 30, 4)
    target[4:16, 6:20] = torch.cat([torch.rand(12, 14, 3, generator=generator), torch.ones(12, 14, 1)], dim=-1)
    rgb, left, white = target[..., :3].clone(), 1 - target[..., 3], torch.ones(3)
    assert structural(rgb, left, target, white).item() == pytest.approx(0, abs=1e-5)
    flat = rgb.clone()
    flat[4:16, 6:20] = rgb[4:16, 6:20].mean(dim=(0, 1))
    share = 12 * 14 / (24 * 30)
    assert 0.5 * share < structural(flat, left, target, white).item() < 1.2 * share
    rgb[20:] = 0.9
    assert structural(rgb, left, target, white).item() == pytest.approx(0, abs=1e-5)
    assert structural(rgb, left, torch.zeros_like(target), white).item() == 0


@pytest.mark.parametrize("empty", [False, True])
def test_structures_twin_has_its_value_and_gradient(empty):
    rgb, left, target, background = (tensor.float() for tensor in make_pictures())
    rgb, left, target = (t.repeat_interleave(5, 0).repeat_interleave(4, 1) for t in (rgb, left, target))
    target[:3], target[:, 25:] = 0, 0  # the term sees the rest alone
    if empty:
        target *= 0
    rgb, left = rgb.contiguous().requires_grad_(), left.contiguous().requires_grad_()
    loss = structural(rgb, left, target, background)
    loss.backward()
    arrays = [tensor.detach().numpy() for tensor in (rgb, left, target, background)]
    value, grad_rgb, grad_left = structural_gradient(*arrays)
    assert value == pytest.approx(loss.item(), rel=1e-4)
    assert np.abs(grad_rgb - rgb.grad.numpy()).max() <= 2e-3 * np.abs(grad_rgb).max()
    left_grad = np.zeros_like(grad_left) if left.grad is None else left.grad.numpy()
    assert np.abs(grad_left - left_grad).max() <= 2e-3 * np.abs(grad_left).max()
