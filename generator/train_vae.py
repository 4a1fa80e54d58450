"""The autoencoder's phase of training: loss, step, score."""

from __future__ import annotations

import torch
from einops import rearrange, reduce
from jaxtyping import Float, UInt8
from torch import Tensor

from .flow import noise_like
from .vae import VideoAutoencoder

LATENT_NOISE = 0.05  # of raw latents, in half of the clips: the decoder must bear what a sampler gets slightly wrong
FOREGROUND_WEIGHT = 3.0  # the subject covers about a quarter of the frame
COVERED = 0.375  # alpha of a covered pixel: true ones come in quarters, and between two of them no rounding decides


def to_model(clips: UInt8[Tensor, "b f h w 5"], device: torch.device) -> Float[Tensor, "b f 5 h w"]:
    """Turn stored clips into the autoencoder's input in [0,1]."""
    return rearrange(clips.to(device), "b f h w c -> b f c h w").float() / 255


def halve(x: Tensor) -> Tensor:
    """Return clips [b,f,c,h,w] at half the height and width."""
    return reduce(x, "b f c (h p) (w q) -> b f c h w", "mean", p=2, q=2)


def channel_weights(x: Float[Tensor, "b f 5 h w"]) -> Float[Tensor, "b f 5 h w"]:
    """Weigh colour higher on the subject and depth only there."""
    alpha = x[:, :, 3:4]
    color = (1 + FOREGROUND_WEIGHT * alpha).expand(-1, -1, 3, -1, -1)
    return torch.cat([color, torch.full_like(alpha, 1.5), 2 * (alpha > 0).to(x)], dim=2)


def reconstruction_loss(y: Tensor, x: Tensor) -> Tensor:
    """L1 + half the L1 of gradients + eight times the MSE + the L1 of a half-size copy, weighted; y, x [b,f,5,h,w]."""
    weight = channel_weights(x)
    error = y - x
    half = reduce(error * weight, "b f c (h p) (w q) -> b f c h w", "mean", p=2, q=2)
    rows = error[..., 1:, :] - error[..., :-1, :]
    columns = error[..., 1:] - error[..., :-1]
    gradient = (rows.abs() * weight[..., 1:, :]).mean() + (columns.abs() * weight[..., 1:]).mean()
    return (error.abs() * weight).mean() + 0.5 * gradient + 8 * (error.square() * weight).mean() + half.abs().mean()


def vae_loss(vae: VideoAutoencoder, x: Tensor, generator: torch.Generator) -> Tensor:
    """Loss of one batch of clips [b,f,5,h,w]. Trains on raw latents: the statistics are measured afterwards."""
    z = vae.encoder(2 * x - 1)
    noisy = (noise_like(z[:, :1, :1, :1, :1], generator) < 0).to(z) * LATENT_NOISE
    noise = noise_like(z, generator)
    y = vae.decoder(z + noisy * noise) / 2 + 0.5
    return reconstruction_loss(y.float(), x) + 1e-4 * z.float().square().mean()


@torch.no_grad()
def vae_scores(vae: VideoAutoencoder, x: Float[Tensor, "b f 5 h w"]) -> dict[str, float]:
    """Return what the round trip keeps: PSNR of colour (all, and on the subject alone), alpha IoU, PSNR of depth."""
    y = vae.decode(vae.encode(x)).float().clamp(0, 1)
    error = (y - x).square()
    subject, covered = x[:, :, 3:4] > COVERED, y[:, :, 3:4] > COVERED
    return {
        "rgb_psnr": _psnr(error[:, :, :3].mean()),
        "subject_psnr": _psnr(error[:, :, :3][subject.expand(-1, -1, 3, -1, -1)].mean()),
        "alpha_iou": float((subject & covered).sum() / (subject | covered).sum()),
        "depth_psnr": _psnr(error[:, :, 4:][subject].mean()),
    }


def _psnr(mse: Tensor) -> float:
    return float(-10 * torch.log10(mse))


@torch.no_grad()
def measure_latents(vae: VideoAutoencoder, batches: list[Tensor]) -> None:
    """Store the per-channel mean and deviation of the latents, so that `encode` gives unit variance."""
    vae.latent_mean.zero_()
    vae.latent_std.fill_(1)
    z = torch.cat([vae.encode(x).float() for x in batches])
    vae.latent_mean.copy_(z.mean((0, 1, 3, 4)))
    vae.latent_std.copy_(z.std((0, 1, 3, 4)))
