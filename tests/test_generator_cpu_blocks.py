"""The blocks without gradients on a CPU give what the plain ones give, for any shape, numbers and threads."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from generator import cpu_blocks, dit
from generator.cpu_blocks import array, norm_and_turn, run, swiglu
from generator.dit import OrbitDiT
from generator.layers import RMSNorm, SwiGLU
from generator.rope import apply_rope
from generator_parts import DIT, tiny_dit

SIZES = {"tiny": DIT, "wide": replace(DIT, width=96, heads=3, depth=3, mlp_hidden=200, text_width=24)}
BF16 = torch.bfloat16


def some(config: dict, *, batch: int = 3, times: int = 3, rows: int = 4, cols: int = 6, turned: bool = True) -> dict:
    g, p = torch.Generator().manual_seed(1), config["patch"]
    mask = torch.rand(batch, 7, generator=g) < 0.7
    mask[:, 0] = True
    return {
        "z": torch.randn(batch, times, config["latent_channels"], rows * p, cols * p, generator=g),
        "time": torch.rand(batch, generator=g),
        "text": torch.randn(batch, 7, config["text_width"], generator=g),
        "text_mask": mask,
        "rays": torch.randn(batch, times, rows, cols, 12, generator=g),
        "angles": 6 * torch.rand(batch if turned else 1, times, generator=g),
    }


@pytest.fixture(params=SIZES)
def model(request) -> OrbitDiT:
    return tiny_dit(config=SIZES[request.param])


def velocities(model: OrbitDiT, monkeypatch, *, short: bool = False, **inputs) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the plain blocks make of inputs, and the fused ones."""
    made = []
    for fits in (lambda _: False, cpu_blocks.fits):
        monkeypatch.setattr(dit, "fits", fits)
        with torch.inference_mode(), torch.autocast("cpu", BF16) if short else nullcontext():
            made.append(model(**inputs).float())
    return made[0], made[1]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("batch", "times", "rows"), [(1, 1, 1), (3, 3, 4), (2, 5, 3)])
def test_they_give_what_the_plain_blocks_give(model, monkeypatch, batch, times, rows, turned):
    inputs = some(vars(model.config), batch=batch, times=times, rows=rows, turned=turned)
    plain, fused = velocities(model, monkeypatch, **inputs)
    torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-5)


def test_in_bf16_they_are_as_near_to_float32_as_the_plain_ones(model, monkeypatch):
    inputs = some(vars(model.config))
    true, _ = velocities(model, monkeypatch, **inputs)
    plain, fused = (
        (each - true).square().mean().sqrt() for each in velocities(model, monkeypatch, short=True, **inputs)
    )
    assert 0 < fused < 1.2 * plain


@torch.inference_mode()
def test_the_number_of_threads_changes_nothing(model):
    inputs, threads = some(vars(model.config)), torch.get_num_threads()
    made = []
    try:
        for num in (1, 2, 3):
            torch.set_num_threads(num)
            made.append(cpu_blocks.run_blocks(model.blocks, *parts(model, inputs)))
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(made[1], made[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(made[2], made[0], rtol=1e-5, atol=1e-6)


def parts(model: OrbitDiT, inputs: dict) -> tuple:
    """Return what run_blocks takes, of random numbers."""
    batch, d = 3, model.config.width
    g = torch.Generator().manual_seed(2)
    x, changes, text = (torch.randn(batch, each, d, generator=g) for each in (10, 6, 7))
    turns = torch.rand(1, 1, 10, d // model.config.heads // 2, generator=g)
    return x, changes, text, inputs["text_mask"], (turns.cos(), turns.sin())


@torch.inference_mode()
def test_what_goes_in_stays_as_it_is(model):
    given = parts(model, some(vars(model.config)))
    before = [each.clone() for each in given[:4]]
    cpu_blocks.run_blocks(model.blocks, *given)
    assert all(torch.equal(a, b) for a, b in zip(given, before))


def test_weights_that_changed_are_read_anew():
    model = tiny_dit()
    inputs, weight = some(vars(model.config)), dict(model.named_parameters())["blocks.0.mlp.down.weight"]
    with torch.no_grad(), torch.autocast("cpu", BF16):
        before = model(**inputs)
        weight.mul_(-1)
        assert not torch.equal(model(**inputs), before)
        weight.mul_(-1)
        assert torch.equal(model(**inputs), before)


def test_gradients_take_the_plain_blocks():
    model = tiny_dit()
    model(**some(vars(model.config))).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.blocks.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_swiglu_is_torchs_for_numbers_of_any_size(dtype):
    gates = torch.cat([torch.linspace(-120, 120, 4001), torch.linspace(-3, 3, 999)]).to(dtype)
    both = torch.stack([gates, torch.full_like(gates, 1.5)], dim=1)
    out = both.new_empty(len(both), 1)
    run(swiglu, array(both), array(out))
    true = F.silu(both[:, :1].double()) * both[:, 1:].double()
    error = (out.double() - true).abs() / true.abs().clamp(min=1e-3)
    assert error.max() < (1e-6 if dtype == torch.float32 else 2**-8)


def test_bf16_is_rounded_to_the_nearest_ties_to_even():
    torch.manual_seed(0)
    x = torch.randn(64, 16)
    x[0] = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 0.0] * 4)  # ties
    out = torch.empty(64, 16, dtype=BF16)
    arrays = (array(each) for each in (x, torch.zeros_like(x), *torch.ones(2, 1, 16), torch.zeros(1, 16), out))
    run(cpu_blocks.add_and_norm, *arrays, 64, False, np.float32(0))
    plain = torch.empty(64, 16)
    arrays = (array(each) for each in (x, torch.zeros_like(x), *torch.ones(2, 1, 16), torch.zeros(1, 16), plain))
    run(cpu_blocks.add_and_norm, *arrays, 64, False, np.float32(0))
    assert torch.equal(out, plain.to(BF16))


def test_only_the_first_heads_are_normed_and_turned():
    torch.manual_seed(0)
    rows, heads, size = 12, 2, 8
    qkv, turns = torch.randn(rows, 3 * heads * size), torch.rand(4, size // 2)
    weights, before = torch.rand(2 * heads, size) + 0.5, qkv.clone()
    run(norm_and_turn, *(array(each) for each in (qkv, weights, turns.cos(), turns.sin())), cpu_blocks.RMS_NORM_EPS)
    assert torch.equal(qkv[:, 2 * heads * size :], before[:, 2 * heads * size :])
    x = before[:, : 2 * heads * size].view(3, 4, 2 * heads, size).movedim(2, 1)  # turns repeat every four rows
    normed = torch.nn.functional.rms_norm(x, (size,), eps=float(cpu_blocks.RMS_NORM_EPS)) * weights[:, None]
    true = apply_rope(normed, turns.cos(), turns.sin()).movedim(1, 2).reshape(rows, -1)
    torch.testing.assert_close(qkv[:, : 2 * heads * size], true, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_the_modules_that_they_stand_for_say_the_same():
    torch.manual_seed(0)
    layer, norm, h = SwiGLU(16, 24), RMSNorm(16), torch.randn(5, 16)
    torch.testing.assert_close(cpu_blocks._mlp(layer, h), layer(h))
    stream = cpu_blocks._Stream(h[None], torch.float32)
    torch.testing.assert_close(stream.normed(norm.weight[None], torch.zeros(1, 16), centred=False), norm(h))


def test_numbers_are_read_and_written_in_plain_python_too():
    torch.manual_seed(0)
    x = torch.cat([torch.randn(200), torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, 0.0])])
    bits = np.zeros(len(x), np.uint16)
    for i, value in enumerate(x.numpy()):
        cpu_blocks._put(bits, i, value)
    assert np.array_equal(bits, array(x.to(BF16)))
    assert [float(cpu_blocks._wide(each)) for each in bits] == x.to(BF16).tolist()
