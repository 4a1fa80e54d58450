"""The video autoencoder: RGB + alpha + depth of two frames of 8x8 pixels become one vector of 32 channels.

2D convolutions frame by frame, with a mixing of neighbouring frames that wraps around the closed orbit. Deterministic
with latent noise in training (no KL term), per-channel latent statistics stored with the weights.
Shapes: b clips, f frames, t = f/2 latent frames, channels first inside.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from .config import VaeConfig

SPACE = 8  # pixels a latent cell covers, each way
TIME = 2  # frames a latent frame covers
UNIT = 2 * SPACE  # pixels that a token of the transformer covers, each way


class ResBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.conv_in = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_out(F.silu(self.conv_in(F.silu(self.norm(x)))))


class FrameMix(nn.Module):
    """Mix each frame with the one before and the one after; the orbit is closed, so the ends are neighbours."""

    def __init__(self, channels: int):
        super().__init__()
        self.mix = nn.Conv2d(3 * channels, channels, 1)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, num_clips: int) -> Tensor:
        y = F.silu(rearrange(x, "(b f) c h w -> b f c h w", b=num_clips))
        y = torch.cat([y.roll(1, dims=1), y, y.roll(-1, dims=1)], dim=2)
        return x + self.mix(rearrange(y, "b f c h w -> (b f) c h w").contiguous(memory_format=torch.channels_last))


class Encoder(nn.Module):
    def __init__(self, config: VaeConfig):
        super().__init__()
        _, mid, low = config.widths
        self.stem = nn.Conv2d(config.channels * 16, mid, 3, padding=1)
        self.res_mid = ResBlock(mid)
        self.mix_mid = FrameMix(mid)
        self.down = nn.Conv2d(4 * mid, low, 1)
        self.res_low = ResBlock(low)
        self.pair = nn.Conv2d(TIME * low, low, 1)
        self.res_pair = ResBlock(low)
        self.head = nn.Conv2d(low, config.latent_channels, 1)

    def forward(self, x: Float[Tensor, "b f c h w"]) -> Float[Tensor, "b f//2 z h//8 w//8"]:
        b = len(x)
        x = F.pixel_unshuffle(rearrange(x, "b f c h w -> (b f) c h w"), 4)
        x = self.stem(x.contiguous(memory_format=torch.channels_last))  # bf mid h/4 w/4
        x = self.mix_mid(self.res_mid(x), b)
        x = self.res_low(self.down(F.pixel_unshuffle(x, 2)))  # bf low h/8 w/8
        x = rearrange(x, "(b t two) c h w -> (b t) (two c) h w", b=b, two=TIME)
        x = self.head(self.res_pair(self.pair(x)))  # bt z h/8 w/8
        return rearrange(x, "(b t) c h w -> b t c h w", b=b)


class Decoder(nn.Module):
    def __init__(self, config: VaeConfig):
        super().__init__()
        high, mid, low = config.widths
        self.stem = nn.Conv2d(config.latent_channels, low, 3, padding=1)
        self.res_pair = ResBlock(low)
        self.mix_pair = FrameMix(low)
        self.unpair = nn.Conv2d(low, TIME * low, 1)
        self.res_low = ResBlock(low)
        self.mix_low = FrameMix(low)
        self.up_mid = nn.Conv2d(low, 4 * mid, 1)
        self.res_mid = ResBlock(mid)
        self.mix_mid = FrameMix(mid)
        self.res_mid_2 = ResBlock(mid)
        self.up_high = nn.Conv2d(mid, 4 * high, 1)
        self.res_high = ResBlock(high)
        self.head = nn.Conv2d(high, 4 * config.channels, 3, padding=1)

    def forward(self, z: Float[Tensor, "b t z h w"]) -> Float[Tensor, "b 2*t c 8*h 8*w"]:
        b = len(z)
        x = rearrange(z, "b t c h w -> (b t) c h w").contiguous(memory_format=torch.channels_last)
        x = self.mix_pair(self.res_pair(self.stem(x)), b)  # bt low h w
        x = rearrange(self.unpair(x), "bt (two c) h w -> (bt two) c h w", two=TIME)  # bf low h w
        x = self.mix_low(self.res_low(x.contiguous(memory_format=torch.channels_last)), b)
        x = F.pixel_shuffle(self.up_mid(x), 2)  # bf mid 2h 2w
        x = self.res_mid_2(self.mix_mid(self.res_mid(x), b))
        x = self.res_high(F.pixel_shuffle(self.up_high(x), 2))  # bf high 4h 4w
        x = F.pixel_shuffle(self.head(x), 2)  # bf c 8h 8w
        return rearrange(x, "(b f) c h w -> b f c h w", b=b)


class VideoAutoencoder(nn.Module):
    """`encode` gives unit-variance latents; `decode` gives RGB, alpha, depth in [0, 1] (not clamped)."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: VaeConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, x: Float[Tensor, "b f c h w"], is_closed: bool = True) -> Float[Tensor, "b f//2 z h//8 w//8"]:
        """Return latents; where the orbit is not closed, its ends are held instead of being each other's neighbours."""
        if not is_closed:
            return self.encode(torch.cat([x[:, :1], x[:, :1], x, x[:, -1:], x[:, -1:]], dim=1))[:, 1:-1]
        z = self.encoder(2 * x - 1)
        return (z - self.latent_mean.to(z)[:, None, None]) / self.latent_std.to(z)[:, None, None]

    def decode(self, z: Float[Tensor, "b t z h w"], is_closed: bool = True) -> Float[Tensor, "b 2*t c 8*h 8*w"]:
        """Undo `encode`."""
        if not is_closed:
            held = [z[:, :1]] * 2 + [z] + [z[:, -1:]] * 2  # three mixings reach so far
            return self.decode(torch.cat(held, dim=1))[:, 2 * TIME : -2 * TIME]
        z = z * self.latent_std.to(z)[:, None, None] + self.latent_mean.to(z)[:, None, None]
        return self.decoder(z) / 2 + 0.5


def encode_picture(vae: VideoAutoencoder, picture: Float[Tensor, "b 4 h w"]) -> Float[Tensor, "b c h8 w8"]:
    """Return the latent of colour and alpha as a clip that stands still and whose depth says nothing."""
    frame = torch.cat([picture, torch.full_like(picture[:, :1], 0.5)], dim=1)
    return vae.encode(frame[:, None].expand(-1, TIME, -1, -1, -1))[:, 0]
