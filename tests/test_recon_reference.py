"""The reference rasteriser against numbers worked out by hand."""

import math

import pytest
import torch

from recon import reference
from recon.camera import Cameras
from recon.sh import rgb_to_dc
from recon.splats import Splats

HEIGHT, WIDTH = 9, 13
CENTER = (4, 6)  # the pixel (row, column) whose centre the axis pierces
FOCAL_X, FOCAL_Y = 20.0, 30.0


def camera() -> Cameras:
    """A camera at the origin looking along +z, its axis through the middle of pixel CENTER."""
    K = torch.tensor([[[FOCAL_X, 0.0, 6.5], [0.0, FOCAL_Y, 4.5], [0.0, 0.0, 1.0]]], dtype=torch.float64)
    return Cameras(K, torch.eye(4, dtype=torch.float64)[None], HEIGHT, WIDTH)


def splats(means, opacities, colors, scale=0.1) -> Splats:
    num = len(means)
    opacities = torch.tensor(opacities, dtype=torch.float64)
    return Splats(
        means=torch.tensor(means, dtype=torch.float64),
        log_scales=torch.full((num, 3), math.log(scale), dtype=torch.float64),
        quats=torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64).repeat(num, 1),
        opacity_logits=torch.logit(opacities),
        sh=rgb_to_dc(torch.tensor(colors, dtype=torch.float64))[:, None],
    )


def test_one_splat_falls_off_as_its_projected_gaussian():
    rgb, left, _ = reference.rasterize(splats([[0, 0, 2]], [0.6], [[1.0, 0.5, 0.25]]), camera())
    row, column = CENTER
    assert left[0, row, column].item() == pytest.approx(0.4)
    assert rgb[0, row, column].tolist() == pytest.approx([0.6, 0.3, 0.15])
    variance_x, variance_y = (
        (FOCAL_X * 0.1 / 2) ** 2 + reference.LOW_PASS,
        (FOCAL_Y * 0.1 / 2) ** 2 + reference.LOW_PASS,
    )
    expected = 0.6 * math.exp(-0.5 * (2**2 / variance_x + 1**2 / variance_y))
    assert (1 - left[0, row + 1, column + 2]).item() == pytest.approx(expected)


def test_the_nearer_splat_covers_the_farther_whatever_their_order():
    red, green = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    for means, colors in ([[0, 0, 2], [0, 0, 3]], [red, green]), ([[0, 0, 3], [0, 0, 2]], [green, red]):
        opacities = [0.6, 0.9] if colors[0] == red else [0.9, 0.6]
        rgb, left, _ = reference.rasterize(splats(means, opacities, colors), camera())
        assert rgb[0, CENTER[0], CENTER[1]].tolist() == pytest.approx([0.6, 0.4 * 0.9, 0.0])
        assert left[0, CENTER[0], CENTER[1]].item() == pytest.approx(0.04)


def test_median_is_the_splat_that_halves_the_light():
    scene = splats([[0, 0, 4], [0, 0, 2], [0, 0, 3]], [0.9, 0.3, 0.4], [[1.0, 1.0, 1.0]] * 3)
    _, _, median = reference.rasterize(scene, camera())
    assert median[0, CENTER[0], CENTER[1]].item() == 2  # 0.7 of the light passes the first, 0.42 the second
    faint = reference.rasterize(splats([[0, 0, 2]], [0.4], [[1.0, 1.0, 1.0]]), camera())[2]
    assert bool((faint == -1).all())


def test_cut_offs_drop_what_is_faint_and_what_is_hidden():
    faint = splats([[0, 0, 2]], [0.003], [[1.0, 1.0, 1.0]])
    assert reference.rasterize(faint, camera())[0].max().item() == 0
    assert reference.rasterize(faint, camera(), min_alpha=0.0)[0].max().item() == pytest.approx(0.003)
    wall = splats([[0, 0, 2], [0, 0, 3], [0, 0, 4]], [0.99, 0.95, 0.5], [[0.0, 0.0, 0.0]] * 2 + [[1.0, 1.0, 1.0]])
    at = (0, *CENTER, 0)
    assert reference.rasterize(wall, camera())[0][at].item() == 0
    assert reference.rasterize(wall, camera(), min_transmittance=0.0)[0][at].item() == pytest.approx(0.01 * 0.05 * 0.5)


def test_splats_behind_the_camera_are_not_seen():
    scene = splats([[0, 0, -2], [0, 0, 0.005]], [0.9, 0.9], [[1.0, 1.0, 1.0]] * 2)
    rgb, left, median = reference.rasterize(scene, camera())
    assert rgb.abs().max().item() == 0
    assert left.min().item() == 1
    assert median.max().item() == -1


def test_no_splats_give_an_empty_picture():
    rgb, left, median = reference.rasterize(splats([[0, 0, 2]], [0.5], [[1.0, 1.0, 1.0]])[:0], camera())
    assert rgb.shape == (1, HEIGHT, WIDTH, 3)
    assert left.min().item() == 1
    assert median.max().item() == -1


def test_projected_covariance_is_that_of_projected_samples():
    generator = torch.Generator().manual_seed(0)
    scene = splats([[0.2, -0.1, 2.0]], [0.5], [[1.0, 1.0, 1.0]])
    scene = Splats(
        scene.means,
        torch.tensor([[0.03, 0.01, 0.02]], dtype=torch.float64).log(),
        torch.randn(1, 4, generator=generator, dtype=torch.float64),
        scene.opacity_logits,
        scene.sh,
    )
    axes = reference.quats_to_rotations(scene.quats)[0] * scene.scales[0]
    samples = scene.means + torch.randn(200000, 3, generator=generator, dtype=torch.float64) @ axes.T
    pixels = samples[:, :2] / samples[:, 2:] * torch.tensor([FOCAL_X, FOCAL_Y], dtype=torch.float64)
    covariance = torch.linalg.inv(reference.project(scene, camera()).conics[0]) - reference.LOW_PASS * torch.eye(2)
    assert torch.allclose(torch.cov(pixels.T), covariance, rtol=0.02, atol=0.02 * covariance.max().item())


def test_antialiasing_weakens_a_small_splat_by_its_share_of_the_blurred_area():
    """Light is conserved: opacity times area is the same with the low-pass as without it."""
    tiny = splats([[0, 0, 2]], [0.5], [[1.0, 1.0, 1.0]], scale=0.01)
    left = reference.rasterize(tiny, camera(), antialiased=True, min_alpha=0.0)[1]
    variances = torch.tensor([(FOCAL_X * 0.01 / 2) ** 2, (FOCAL_Y * 0.01 / 2) ** 2])
    share = (variances / (variances + reference.LOW_PASS)).prod().sqrt().item()
    assert share < 0.2
    assert 1 - left[0, CENTER[0], CENTER[1]].item() == pytest.approx(0.5 * share)


def test_rotations_from_quaternions():
    half = math.sqrt(0.5)
    rotation = reference.quats_to_rotations(2.0 * torch.tensor([[half, 0.0, 0.0, half]]))[0]  # 90 degrees about z
    assert torch.allclose(rotation, torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), atol=1e-6)
