"""The transformer's blocks without gradients on a CPU: torch's matrix products, and Numba for all that lies between.

Norms, gates, rotations and SwiGLU are short sums over long arrays; each kernel reads and writes these once, where torch
takes an array more for every operation. layers.Block is the slow twin, for training and for other devices.

Shapes: b clips of n tokens, r = b n rows, d width, m hidden. Kernels get the share `first` of `parts` of the rows.
Numbers are float32 or, in autocast's bf16, the residual x alone; Numba sees bf16 as uint16.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Float
from numba import float32, njit, types, uint64
from numba.extending import overload, register_jitable
from torch import Tensor, nn

if TYPE_CHECKING:
    from .layers import Block, CrossAttention, SwiGLU

LAYER_NORM_EPS, RMS_NORM_EPS = np.float32(1e-5), np.finfo(np.float32).eps  # as torch's modules have them

kernel = njit(fastmath=True, nogil=True, error_model="numpy", cache=True)


def fits(x: Tensor) -> bool:
    """Tell whether blocks on x may go through `run_blocks`."""
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return x.dtype == torch.float32


def run_blocks(
    blocks: nn.ModuleList,
    x: Float[Tensor, "b n d"],
    condition: Float[Tensor, "b 6 d"],
    text: Float[Tensor, "b l d"],
    text_mask: Bool[Tensor, "b l"],
    rope: tuple[Tensor, Tensor],
) -> Float[Tensor, "b n d"]:
    """Return what the blocks make of x, in float32, one after the other."""
    numbers = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
    with torch.autocast("cpu", enabled=False):
        stream = _Stream(x, numbers)
        cos, sin = (turn.float().expand(len(x), -1, -1, -1).flatten(0, 2).contiguous() for turn in rope)
        still = torch.ones(1, cos.shape[1]), torch.zeros(1, cos.shape[1])
        for block in cast("Iterable[Block]", blocks):
            changes = (block.table + condition.float()).movedim(1, 0).contiguous()  # 6 b d
            shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = changes
            h = stream.normed(1 + scale_a, shift_a)
            stream.add(_attention(block, h, cos, sin, stream), gate_a)
            if block.text_attention is not None and block.norm_text is not None:
                h = stream.normed(block.norm_text.weight.expand_as(gate_a), torch.zeros_like(gate_a), centred=False)
                stream.add(_text_attention(block.text_attention, h, text, text_mask, still, stream))
            h = stream.normed(1 + scale_m, shift_m)
            stream.add(_mlp(block.mlp, h), gate_m)
        return stream.sum()


class _Stream:
    """The residual, and what is to be added to it when it is read next."""

    def __init__(self, x: Float[Tensor, "b n d"], numbers: torch.dtype):
        self.batch, self.tokens, width = x.shape
        self.x, self.numbers = x.float().reshape(-1, width).clone(), numbers
        self.add(torch.zeros_like(self.x, dtype=numbers))

    def add(self, y: Float[Tensor, "r d"], gate: Float[Tensor, "b d"] | None = None) -> None:
        self.y, self.gate = y, self.x.new_ones(self.batch, y.shape[1]) if gate is None else gate

    def normed(
        self, scale: Float[Tensor, "b d"], shift: Float[Tensor, "b d"], *, centred: bool = True
    ) -> Float[Tensor, "r d"]:
        """Add, and return the sum's layer norm, or with `centred` off its RMS norm, scaled and shifted by clip."""
        out = torch.empty_like(self.x, dtype=self.numbers)
        eps = LAYER_NORM_EPS if centred else RMS_NORM_EPS
        arrays = (array(each) for each in (self.x, self.y, self.gate, scale, shift, out))
        run(add_and_norm, *arrays, self.tokens, centred, eps)
        return out

    def sum(self) -> Float[Tensor, "b n d"]:
        x, y = (each.unflatten(0, (self.batch, -1)) for each in (self.x, self.y))
        return x + self.gate[:, None] * y


def _attention(block: Block, h: Tensor, cos: Tensor, sin: Tensor, stream: _Stream) -> Float[Tensor, "r d"]:
    own = block.attention
    qkv = _times(h, own.qkv)
    weights = torch.stack([own.norm_q.weight, own.norm_k.weight]).float().repeat_interleave(own.heads, 0)
    run(norm_and_turn, array(qkv), array(weights), array(cos), array(sin), RMS_NORM_EPS)
    q, k, v = qkv.view(stream.batch, stream.tokens, 3, own.heads, -1).permute(2, 0, 3, 1, 4)
    y = nn.functional.scaled_dot_product_attention(q, k, v)
    return _times(y.transpose(1, 2).reshape(h.shape), own.out)


def _text_attention(
    own: CrossAttention, h: Tensor, text: Tensor, mask: Tensor, still: tuple[Tensor, Tensor], stream: _Stream
) -> Float[Tensor, "r d"]:
    b, length = mask.shape
    q, kv = _times(h, own.q), _times(text.flatten(0, 1).to(h.dtype), own.kv)
    for heads, norm in ((q, own.norm_q), (kv, own.norm_k)):
        weights = norm.weight.float().expand(own.heads, -1)
        run(norm_and_turn, array(heads), array(weights), *map(array, still), RMS_NORM_EPS)
    q = q.view(b, stream.tokens, own.heads, -1).transpose(1, 2)
    k, v = kv.view(b, length, 2, own.heads, -1).permute(2, 0, 3, 1, 4)
    y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
    return _times(y.transpose(1, 2).reshape(h.shape), own.out)


def _mlp(own: SwiGLU, h: Float[Tensor, "r d"]) -> Float[Tensor, "r d"]:
    both = _times(h, own.gate_up)
    hidden = both.new_empty(len(both), both.shape[1] // 2)
    run(swiglu, array(both), array(hidden))
    return _times(hidden, own.down)


_cast: WeakKeyDictionary[nn.Module, tuple[object, Tensor]] = WeakKeyDictionary()


def _times(x: Float[Tensor, "r inner"], layer: nn.Linear) -> Float[Tensor, "r outer"]:
    """Multiply by a layer's weight in x's numbers; kept until the weight changes."""
    weight = layer.weight
    if weight.dtype != x.dtype:
        key = (x.dtype, weight.data_ptr(), None if weight.is_inference() else weight._version)
        if _cast.get(layer, (None,))[0] != key:
            _cast[layer] = key, weight.to(x.dtype)
        weight = _cast[layer][1]
    return x @ weight.T


def array(x: Tensor) -> np.ndarray:
    """Return a tensor's memory as Numba sees it."""
    x = x.detach().contiguous()
    return (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()


def run(work: Callable[..., None], *args: object) -> None:
    """Call a kernel on each of torch's threads with its share of the rows."""
    threads = torch.get_num_threads()
    if threads == 1:
        work(0, 1, *args)
    else:
        list(_pool(threads).map(lambda first: work(first, threads, *args), range(threads)))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="blocks")


@register_jitable(inline="always")
def _float_of(bits):
    """Return what bf16's bits say as float32."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@register_jitable(inline="always")
def _bits_of(x):
    """Return the bits of a float32 as bf16, rounded to the nearest, ties to even."""
    bits = np.float32(x).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


def _wide(x) -> Any:
    """Return a number of an array as float32."""
    return _float_of(x) if x.dtype == np.uint16 else x


def _put(to, i, x) -> None:
    """Write a float32 into an array, where that holds bf16 as its bits."""
    to[i] = _bits_of(x) if to.dtype == np.uint16 else x


@overload(_wide, inline="always")
def _typed_wide(x):
    return (lambda x: _float_of(x)) if x == types.uint16 else lambda x: x


@overload(_put, inline="always")
def _typed_put(to, i, x):
    def rounded(to, i, x):
        to[i] = _bits_of(x)

    def plain(to, i, x):
        to[i] = x

    return rounded if to.dtype == types.uint16 else plain


@kernel
def add_and_norm(first, parts, x, y, gate, scale, shift, out, tokens, centred, eps):
    """Add gate * y to x [r,d], and write its norm, times `scale`, plus `shift`; gate, scale and shift by clip [b,d]."""
    rows, width = x.shape
    for r in range(rows * first // parts, rows * (first + 1) // parts):
        to, more, row = x[r], y[r], out[r]
        g, s, h = gate[r // tokens], scale[r // tokens], shift[r // tokens]
        total = square = float32(0)
        for i in range(uint64(width)):
            value = to[i] + g[i] * _wide(more[i])
            to[i] = value
            total += value
            square += value * value
        mean = total / float32(width) if centred else float32(0)
        inverse = float32(1) / np.sqrt(square / float32(width) - mean * mean + eps)
        for i in range(uint64(width)):
            _put(row, i, (to[i] - mean) * inverse * s[i] + h[i])


@kernel
def norm_and_turn(first, parts, qk, weights, cos, sin, eps):
    """Norm the first heads of each row qk [r,_] by weights [heads, c] and rotate them, in place.

    Of the turns, cos and sin [_, c/2], a row's are at its number modulo theirs.
    """
    rows, (heads, size) = len(qk), weights.shape
    half, width, flat = uint64(size // 2), uint64(heads * size), weights.reshape(-1)
    wide, turned = np.empty(width, np.float32), np.empty(width, np.float32)
    for r in range(rows * first // parts, rows * (first + 1) // parts):
        row, c, s = qk[r], cos[r % len(cos)], sin[r % len(sin)]
        for i in range(width):
            wide[i] = _wide(row[i])
        for head in range(uint64(heads)):
            at = head * uint64(size)
            square = float32(0)
            for i in range(uint64(size)):
                square += wide[at + i] * wide[at + i]
            inverse = float32(1) / np.sqrt(square / float32(size) + eps)
            for i in range(half):
                a, b = wide[at + i] * inverse * flat[at + i], wide[at + half + i] * inverse * flat[at + half + i]
                turned[at + i], turned[at + half + i] = a * c[i] - b * s[i], a * s[i] + b * c[i]
        for i in range(width):
            _put(row, i, turned[i])


@kernel
def swiglu(first, parts, both, out):
    """Write silu(gate) * up, which lie side by side in both [r, 2 m].

    exp is 2 to the whole part by the float's bits, times a polynomial of the rest (relative error below 3e-7).
    """
    rows, hidden = out.shape
    made = np.empty(hidden, np.float32)
    for r in range(rows * first // parts, rows * (first + 1) // parts):
        row, to = both[r], out[r]
        for i in range(uint64(hidden)):
            gate = _wide(row[i])
            power = min(max(gate * float32(-1.4426950408889634), float32(-126)), float32(126))
            whole = np.floor(power + float32(0.5))
            rest = power - whole
            e = float32(1.3400432e-3)
            for factor in (9.6760371e-3, 5.5503272e-2, 2.4022107e-1, 6.9314721e-1, 1.0000001):
                e = e * rest + float32(factor)
            e *= np.int32(np.int32(np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
            made[i] = gate * _wide(row[uint64(hidden) + i]) / (float32(1) + e)
        for i in range(uint64(hidden)):
            _put(to, i, made[i])
