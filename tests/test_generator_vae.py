"""The video autoencoder: a closed orbit has no first frame, and latents have unit variance once measured."""

import pytest
import torch

from generator.train_vae import measure_latents
from generator.vae import SPACE, TIME, FrameMix, ResBlock, VideoAutoencoder
from generator_parts import VAE, awake, tiny_vae

BATCH, FRAMES, HEIGHT, WIDTH = 2, 6, 16, 24


@pytest.fixture(scope="module")
def vae() -> VideoAutoencoder:
    return tiny_vae()


def clips(seed: int = 0) -> torch.Tensor:
    return torch.rand(BATCH, FRAMES, VAE.channels, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_shapes(vae):
    z = vae.encode(clips())
    assert z.shape == (BATCH, FRAMES // TIME, VAE.latent_channels, HEIGHT // SPACE, WIDTH // SPACE)
    assert vae.decode(z).shape == clips().shape


@torch.no_grad()
def test_rolling_the_orbit_by_two_frames_rolls_the_latents(vae):
    z = vae.encode(clips())
    torch.testing.assert_close(vae.encode(clips().roll(TIME, 1)), z.roll(1, 1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vae.decode(z.roll(1, 1)), vae.decode(z).roll(TIME, 1), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(vae.encode(clips().roll(1, 1)), z, atol=1e-2)


@torch.no_grad()
def test_the_first_and_the_last_frame_are_neighbours(vae):
    x = clips()
    x[0, -1] += 0.5
    changed = (vae.encode(x) - vae.encode(clips())).abs().amax((2, 3, 4)) > 1e-5
    assert changed.tolist() == [[True, False, True], [False] * 3]


@torch.no_grad()
def test_the_ends_of_an_open_orbit_do_not_mix(vae):
    clip = torch.rand(1, 16, vae.config.channels, 16, 16, generator=torch.Generator().manual_seed(0))
    other = clip.clone()
    other[:, -2:] = 0
    closed, opened = (
        (vae.encode(clip, is_closed) - vae.encode(other, is_closed)).abs().amax((0, 2, 3, 4))
        for is_closed in (True, False)
    )
    assert float(closed[0]) > 0
    assert float(opened[0]) == 0
    z = vae.encode(clip)
    swapped = torch.cat([z[:, :-1], z[:, :1]], dim=1)
    assert torch.equal(vae.decode(z, False)[:, 0], vae.decode(swapped, False)[:, 0])
    assert vae.decode(z, False).shape == clip.shape


@torch.no_grad()
def test_clips_of_a_batch_do_not_mix(vae):
    both = vae.decode(vae.encode(clips()))
    for i in range(BATCH):
        one = vae.decode(vae.encode(clips()[i : i + 1]))
        torch.testing.assert_close(one[0], both[i], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_measured_latents_have_unit_variance():
    vae = tiny_vae(1)
    raw = vae.encode(clips())
    measure_latents(vae, [clips(), clips(1)])
    z = torch.cat([vae.encode(clips(seed)) for seed in (0, 1)])
    torch.testing.assert_close(z.mean((0, 1, 3, 4)), torch.zeros(VAE.latent_channels), rtol=0, atol=1e-4)
    torch.testing.assert_close(z.std((0, 1, 3, 4)), torch.ones(VAE.latent_channels), rtol=1e-3, atol=0)
    assert not torch.allclose(z[:BATCH], raw, atol=0.1)
    torch.testing.assert_close(vae.decode(vae.encode(clips())), tiny_vae(1).decode(raw), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_new_blocks_pass_frames_on():
    torch.manual_seed(0)
    x = torch.randn(6, 8, 4, 4)
    assert torch.equal(ResBlock(8)(x), x)
    assert torch.equal(FrameMix(8)(x, 2), x)
    assert not torch.allclose(awake(FrameMix(8))(x, 2), x)


def test_every_weight_is_trained():
    torch.manual_seed(0)
    vae = awake(VideoAutoencoder(VAE))
    vae.decode(vae.encode(clips())).square().mean().backward()
    assert [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.any()] == []
