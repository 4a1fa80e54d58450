"""Cutting a subject out of a plain background: against exact masks, and refused where the background is not plain."""

import numpy as np
import pytest
import torch
from PIL import Image

from recon.masks import background_colors, foreground, unmixed

BACKGROUNDS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0), "green": (0.1, 0.7, 0.2)}


@pytest.fixture(scope="module")
def ball() -> tuple[torch.Tensor, torch.Tensor]:
    """Two pictures [2,60,80,3] of a coloured ring with a hole, straight colour, and their alphas, antialiased."""
    v, u = torch.meshgrid(torch.arange(60) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    alphas = []
    for shift in (-8.0, 6.0):
        radius = ((u - 40 - shift) ** 2 + (v - 30) ** 2).sqrt()
        alphas.append(((22 - radius).clamp(-0.5, 0.5) + 0.5) * ((radius - 9).clamp(-0.5, 0.5) + 0.5))
    colors = torch.stack([0.75 + 0.2 * (u / 80), 0.25 + 0.2 * (v / 60), 0.5 + 0 * u], dim=-1)
    return colors.expand(2, -1, -1, -1), torch.stack(alphas)


def over(colors, alphas, background):
    return colors * alphas[..., None] + (1 - alphas[..., None]) * torch.tensor(background)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_exact_masks_are_found_up_to_their_soft_edge(ball, name):
    colors, alphas = ball
    found = foreground(over(colors, alphas, BACKGROUNDS[name]))
    assert found is not None
    assert float((found - alphas).abs().max()) < 0.25
    assert float((found - alphas).abs().mean()) < 0.003


def test_a_little_noise_does_no_harm(ball):
    colors, alphas = ball
    pictures = over(colors, alphas, (1.0, 1.0, 1.0))
    noise = 0.02 * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    found = foreground((pictures + noise).clamp(0, 1))
    assert found is not None
    assert float((found - alphas).abs().mean()) < 0.01


def test_unmixed_undoes_the_mixing(ball):
    colors, alphas = ball
    background = torch.tensor([[1.0, 0.9, 0.8], [0.2, 0.1, 0.0]])
    mixed = colors * alphas[..., None] + (1 - alphas[..., None]) * background[:, None, None]
    straight = unmixed(mixed, alphas, background)
    seen = alphas > 0.05
    torch.testing.assert_close(straight[seen], colors[seen], rtol=0, atol=1e-4)
    torch.testing.assert_close(background_colors(mixed), background)


def test_each_picture_may_have_its_own_background(ball):
    colors, alphas = ball
    pictures = torch.cat([over(colors[:1], alphas[:1], (1.0, 1.0, 1.0)), over(colors[1:], alphas[1:], (0.0, 0.0, 0.0))])
    found = foreground(pictures)
    assert found is not None
    assert float((found - alphas).abs().mean()) < 0.003


def test_dust_is_dropped_and_a_large_hole_is_kept(ball):
    colors, alphas = ball
    pictures = over(colors, alphas, (1.0, 1.0, 1.0))
    pictures[:, 2:4, 2:4] = 0.0
    found = foreground(pictures)
    assert found is not None
    assert float(found[:, :6, :6].max()) == 0
    assert float(found[0, 30, 32]) == 0


def test_a_background_of_two_colors_is_refused(ball):
    colors, alphas = ball
    pictures = over(colors, alphas, (1.0, 1.0, 1.0))
    pictures[1, :, :30] = 0.2
    assert foreground(pictures) is None


def test_a_photograph_of_a_room_is_refused(shared_data):
    files = sorted((shared_data / "captures/fox/images").glob("*.jpg"))[:3]
    photos = torch.from_numpy(np.stack([np.asarray(Image.open(file)) for file in files])).float() / 255
    assert foreground(photos) is None


def test_renders_on_white_give_back_their_alpha(shared_data):
    files = sorted((shared_data / "orbits/spot/train").glob("*.png"))[::8]
    rgba = torch.from_numpy(np.stack([np.asarray(Image.open(file)) for file in files])).float() / 255
    found = foreground(over(rgba[..., :3], rgba[..., 3], (1.0, 1.0, 1.0)))
    assert found is not None
    inside, truth = found > 0.5, rgba[..., 3] > 0.5
    assert float((inside & truth).sum() / (inside | truth).sum()) > 0.985
