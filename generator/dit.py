"""The video diffusion transformer: latents of a whole orbit in, their velocity out.

Space-time patches as in Sora's report and DiT (arXiv:2212.09748), full 3D attention, rays of the commanded cameras at
every token, text by cross-attention.
Shapes: b batch, t latent frames, c latent channels, h w latent cells, p patch, n = t (h/p) (w/p) tokens, d width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .config import DitConfig
from .cpu_blocks import fits, run_blocks
from .layers import Block, TimeEmbedding, modulate
from .rope import orbit_rope

RAY_CHANNELS = 12  # Plücker direction and moment (6) of the two frames that one latent frame holds


class OrbitDiT(nn.Module):
    """Predict v = eps - z for noisy latents, given time, text and cameras."""

    def __init__(self, config: DitConfig):
        super().__init__()
        self.config = config
        d, patch_dim = config.width, config.latent_channels * config.patch**2
        reference_dim = patch_dim + 1 if config.has_reference else 0
        self.embed = nn.Linear(patch_dim + RAY_CHANNELS + reference_dim, d)
        self.time = TimeEmbedding(d)
        self.text = nn.Sequential(nn.LayerNorm(config.text_width), nn.Linear(config.text_width, d))
        self.text_pooled = nn.Linear(d, d)
        self.modulation = nn.Linear(d, 6 * d)
        self.blocks = nn.ModuleList(
            Block(d, config.heads, config.mlp_hidden, has_text=i % config.text_every == 0) for i in range(config.depth)
        )
        self.norm = nn.LayerNorm(d, elementwise_affine=False)
        self.modulation_out = nn.Linear(d, 2 * d)
        self.out = nn.Linear(d, patch_dim)
        for layer in (self.modulation, self.modulation_out, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        z: Float[Tensor, "b t c h w"],
        time: Float[Tensor, " b"],
        text: Float[Tensor, "b l e"],
        text_mask: Bool[Tensor, "b l"],
        rays: Float[Tensor, "#b t rows cols 12"],
        angles: Float[Tensor, "#b t"],
        reference: Float[Tensor, "b t c h w"] | None = None,
        given: Bool[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b t c h w"]:
        """`given` tells at which latent frames `reference` says something; without them nothing is given."""
        p = self.config.patch
        _, t, _, h, w = z.shape
        rope = self.rope(angles, h // p, w // p, z.dtype)

        x = rearrange(z, "b t c (h p) (w q) -> b (t h w) (c p q)", p=p, q=p)  # b n patch_dim
        r = rearrange(rays, "b t h w r -> b (t h w) r").expand(len(x), -1, -1).to(x)
        parts = [x, r]
        if self.config.has_reference:
            parts.append(self._reference(z, reference, given))
        x = self.embed(torch.cat(parts, dim=-1))  # b n d

        text = self.text(text)  # b l d
        weight = text_mask.to(text)[..., None]
        pooled = (text * weight).sum(1) / weight.sum(1)  # b d
        condition = F.silu(self.time(time) + self.text_pooled(pooled))
        shared = rearrange(self.modulation(condition), "b (six d) -> b six d", six=6)

        if fits(x):
            x = run_blocks(self.blocks, x, shared, text, text_mask, rope)
        else:
            for block in self.blocks:
                x = block(x, shared, text, text_mask, rope)
        shift, scale = self.modulation_out(condition).chunk(2, dim=1)
        x = self.out(modulate(self.norm(x), shift, scale))  # b n patch_dim
        return rearrange(x, "b (t h w) (c p q) -> b t c (h p) (w q)", t=t, h=h // p, w=w // p, p=p, q=p)

    def _reference(self, z: Tensor, reference: Tensor | None, given: Tensor | None) -> Float[Tensor, "b n c"]:
        """Lay out the reference by tokens: its patch and whether it is given, zeros where it is not."""
        b, t, c, h, w = z.shape
        p = self.config.patch
        if reference is None or given is None:
            return z.new_zeros(b, t * (h // p) * (w // p), c * p * p + 1)
        seen = given.to(z)[:, :, None, None, None]
        patches = rearrange(reference * seen, "b t c (h p) (w q) -> b (t h w) (c p q)", p=p, q=p)
        told = given.to(z)[:, :, None].expand(b, t, (h // p) * (w // p)).reshape(b, -1, 1)
        return torch.cat([patches, told], dim=-1)

    def rope(self, angles: Tensor, rows: int, cols: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Turns of every token: its place about the image's centre, in units that do not change with the resolution."""
        unit = self.config.rope_height / rows
        row = (torch.arange(rows, device=angles.device) - (rows - 1) / 2) * unit
        col = (torch.arange(cols, device=angles.device) - (cols - 1) / 2) * unit
        cos, sin = orbit_rope(angles, row, col, self.config.width // self.config.heads)
        return cos.to(angles.device, dtype), sin.to(angles.device, dtype)
