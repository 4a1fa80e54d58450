"""The blocks of the diffusion transformer.

Shapes: b batch, n video tokens, l text tokens, d width.
AdaLN-single: PixArt-alpha, arXiv:2310.00426; QK norm: arXiv:2302.05442; SwiGLU: arXiv:2002.05202.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .rope import apply_rope


class TimeEmbedding(nn.Module):
    """Sinusoids of t, then a two-layer MLP."""

    def __init__(self, width: int, num_frequencies: int = 128):
        super().__init__()
        self.num_frequencies = num_frequencies
        self.mlp = nn.Sequential(nn.Linear(2 * num_frequencies, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        exponent = torch.arange(self.num_frequencies, device=t.device) / self.num_frequencies
        phase = 1000 * t[:, None].float() * torch.exp(-math.log(1e4) * exponent)
        waves = torch.cat([phase.cos(), phase.sin()], dim=1)
        return self.mlp(waves.to(self.mlp[0].weight.dtype))  # type: ignore[call-overload]


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention of q [b,heads,n,c] to k and v [b,heads,m,c], where mask [b,1,1,m] is true.

    Training on a CPU takes plain matrix products: the backward pass of torch's own kernel there knows no matrix units,
    and costs a quarter of a step.
    """
    if q.device.type == "cpu" and q.requires_grad:
        return attend_by_products(q, k, v, mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def attend_by_products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention that stores all its weights; `compile_blocks` leaves it out."""
    weights = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
    if mask is not None:
        weights = weights.masked_fill(~mask, torch.finfo(weights.dtype).min)
    return weights.softmax(-1, dtype=torch.float32).to(v.dtype) @ v


class RMSNorm(nn.RMSNorm):
    """Its weight in the numbers of what it scales, as torch's fused kernel wants it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.norm_q = RMSNorm(width // heads)
        self.norm_k = RMSNorm(width // heads)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        q, k, v = rearrange(self.qkv(x), "b n (three heads c) -> three b heads n c", three=3, heads=self.heads)
        q, k = apply_rope(self.norm_q(q), *rope), apply_rope(self.norm_k(k), *rope)
        y = attend(q, k, v)
        return self.out(rearrange(y, "b heads n c -> b n (heads c)"))


class CrossAttention(nn.Module):
    """Video tokens ask the text tokens."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.norm_q = RMSNorm(width // heads)
        self.norm_k = RMSNorm(width // heads)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        q = rearrange(self.q(x), "b n (heads c) -> b heads n c", heads=self.heads)
        k, v = rearrange(self.kv(text), "b l (two heads c) -> two b heads l c", two=2, heads=self.heads)
        y = attend(self.norm_q(q), self.norm_k(k), v, text_mask[:, None, None, :])
        return self.out(rearrange(y, "b heads n c -> b n (heads c)"))


class SwiGLU(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Scale and shift each token by its clip's condition: x [b, n, d], shift and scale [b, d]."""
    return x * (1 + scale[:, None]) + shift[:, None]


class Block(nn.Module):
    """Self-attention over the whole clip, cross-attention to the text in some blocks, SwiGLU; AdaLN-single."""

    def __init__(self, width: int, heads: int, mlp_hidden: int, has_text: bool):
        super().__init__()
        self.table = nn.Parameter(torch.randn(6, width) / width**0.5)
        self.norm_attention = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = SelfAttention(width, heads)
        self.norm_text = RMSNorm(width) if has_text else None
        self.text_attention = CrossAttention(width, heads) if has_text else None
        self.norm_mlp = nn.LayerNorm(width, elementwise_affine=False)
        self.mlp = SwiGLU(width, mlp_hidden)

    def forward(
        self, x: Tensor, condition: Tensor, text: Tensor, text_mask: Tensor, rope: tuple[Tensor, Tensor]
    ) -> Tensor:
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (self.table + condition).unbind(1)  # each b d
        x = x + gate_a[:, None] * self.attention(modulate(self.norm_attention(x), shift_a, scale_a), rope)
        if self.text_attention is not None and self.norm_text is not None:
            x = x + self.text_attention(self.norm_text(x), text, text_mask)
        return x + gate_m[:, None] * self.mlp(modulate(self.norm_mlp(x), shift_m, scale_m))


def conv_tower(inputs: int, width: int) -> nn.Sequential:
    """Return convolutions that take pictures [b, inputs, h, w] to [b, 4 width, h/16, w/16]."""
    layers: list[nn.Module] = []
    for outputs in (width, 2 * width, 3 * width, 4 * width):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers)
