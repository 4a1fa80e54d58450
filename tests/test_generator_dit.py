"""The diffusion transformer and its blocks: silent at the start, deaf to padding, blind to where the orbit begins."""

import math
from dataclasses import replace

import pytest
import torch

from generator.dit import RAY_CHANNELS, OrbitDiT
from generator.layers import Block, CrossAttention, SelfAttention, TimeEmbedding, modulate
from generator.rope import orbit_rope
from generator_parts import DIT, awake, tiny_dit

BATCH, TIMES, ROWS, COLS, WORDS = 2, 3, 4, 6, 5
P = DIT.patch


def inputs(seed: int = 0) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    mask = torch.ones(BATCH, WORDS, dtype=torch.bool)
    mask[0, 3:] = False
    return {
        "z": torch.randn(BATCH, TIMES, DIT.latent_channels, ROWS, COLS, generator=g),
        "time": torch.rand(BATCH, generator=g),
        "text": torch.randn(BATCH, WORDS, DIT.text_width, generator=g),
        "text_mask": mask,
        "rays": torch.randn(BATCH, TIMES, ROWS // P, COLS // P, RAY_CHANNELS, generator=g),
        "angles": torch.arange(TIMES)[None] * 2 * math.pi / TIMES,
    }


@pytest.fixture(scope="module")
def dit() -> OrbitDiT:
    return tiny_dit()


@torch.no_grad()
def test_a_new_model_says_nothing():
    torch.manual_seed(0)
    assert not OrbitDiT(DIT)(**inputs()).any()


@torch.no_grad()
def test_output_has_the_shape_of_the_latents(dit):
    v = dit(**inputs())
    assert v.shape == inputs()["z"].shape
    assert v.std() > 0.05


@torch.no_grad()
def test_padding_is_not_heard(dit):
    known = inputs()
    changed = {**known, "text": known["text"].masked_fill(~known["text_mask"][..., None], 7.0)}
    torch.testing.assert_close(dit(**changed), dit(**known))
    longer = {
        **known,
        "text": torch.nn.functional.pad(known["text"], (0, 0, 0, 4), value=3.0),
        "text_mask": torch.nn.functional.pad(known["text_mask"], (0, 4)),
    }
    torch.testing.assert_close(dit(**longer), dit(**known), rtol=1e-4, atol=1e-5)
    heard = {**known, "text": known["text"].masked_fill(known["text_mask"][..., None], 7.0)}
    assert not torch.allclose(dit(**heard), dit(**known), atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("name", ["z", "time", "text", "rays"])
def test_every_input_is_heard_and_only_in_its_own_clip(dit, name):
    known, other = inputs(), inputs(1)
    mixed = known[name].clone()
    mixed[0] = other[name][0]
    before, after = dit(**known), dit(**{**known, name: mixed})
    assert not torch.allclose(after[0], before[0], atol=1e-3)
    torch.testing.assert_close(after[1], before[1])


@torch.no_grad()
def test_turning_the_whole_orbit_turns_the_output(dit):
    """Frames have no order but their angles: rolled latents, rays and angles give the rolled velocity."""
    known = inputs()
    rolled = {
        **known,
        "z": known["z"].roll(1, 1),
        "rays": known["rays"].roll(1, 1),
        "angles": known["angles"].roll(1, 1),
    }
    torch.testing.assert_close(dit(**rolled), dit(**known).roll(1, 1), rtol=1e-4, atol=1e-5)
    later = {**known, "angles": known["angles"] + 2 * math.pi}
    torch.testing.assert_close(dit(**later), dit(**known), rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_one_orbits_rays_serve_the_whole_batch(dit):
    known = inputs()
    shared = {**known, "rays": known["rays"][:1]}
    repeated = {**known, "rays": known["rays"][:1].expand(BATCH, -1, -1, -1, -1)}
    assert torch.equal(dit(**shared), dit(**repeated))


@torch.no_grad()
def test_positions_do_not_change_with_the_resolution(dit):
    """The corners of a picture stay where they are; finer cells lie between them."""
    angles = torch.zeros(1, 1)
    coarse, fine = (dit.rope(angles, rows, rows, torch.float32)[1][0, 0] for rows in (4, 8))
    coarse, fine = coarse.view(4, 4, -1), fine.view(8, 8, -1)
    turns = [torch.asin(x[0, 0, -1]) / torch.asin(x[-1, -1, -1]) for x in (coarse, fine)]
    assert torch.allclose(torch.stack(turns), torch.tensor(-1.0))  # symmetric about the centre
    step = [torch.asin(x[0, 1, -1]) - torch.asin(x[0, 0, -1]) for x in (coarse, fine)]
    assert torch.allclose(step[0], 2 * step[1], atol=1e-4)


def referring() -> tuple[OrbitDiT, torch.Tensor]:
    torch.manual_seed(0)
    return awake(OrbitDiT(replace(DIT, has_reference=True))).eval(), torch.randn(inputs()["z"].shape)


@torch.no_grad()
def test_a_reference_is_heard_where_it_is_given():
    dit, reference = referring()
    known, given = inputs(), torch.zeros(BATCH, TIMES, dtype=torch.bool)
    nothing = dit(**known)
    assert torch.equal(dit(**known, reference=reference, given=given), nothing)
    given[0, 1] = True
    heard = dit(**known, reference=reference, given=given)
    assert not torch.allclose(heard[0], nothing[0], atol=1e-3)
    torch.testing.assert_close(heard[1], nothing[1])
    elsewhere = reference.clone()
    elsewhere[:, [0, 2]] += 1
    assert torch.equal(dit(**known, reference=elsewhere, given=given), heard)


@torch.no_grad()
def test_each_token_writes_its_own_patch():
    """With blocks that pass nothing on, the output of a patch depends on the input of that patch alone."""
    dit = tiny_dit()
    for block in dit.blocks:
        for name in ("attention", "text_attention", "mlp"):
            for parameter in getattr(block, name).parameters() if getattr(block, name) is not None else ():
                parameter.zero_()
    known = inputs()
    z = known["z"].clone()
    z[0, 1, :, 2:4, 4:6] += 1  # one patch
    changed = (dit(**{**known, "z": z}) - dit(**known)).abs().amax((0, 2)) > 1e-6
    expected = torch.zeros(TIMES, ROWS, COLS, dtype=torch.bool)
    expected[1, 2:4, 4:6] = True
    assert torch.equal(changed, expected)


def test_every_weight_is_trained():
    torch.manual_seed(0)
    dit = awake(OrbitDiT(DIT))
    dit(**inputs()).square().mean().backward()
    assert [name for name, p in dit.named_parameters() if p.grad is None or not p.grad.any()] == []


# Layers


@torch.no_grad()
def test_self_attention_is_softmax_over_all_tokens():
    torch.manual_seed(0)
    layer, x = SelfAttention(32, 2), torch.randn(1, 5, 32)
    cos, sin = orbit_rope(torch.zeros(1, 1), torch.zeros(1), torch.zeros(5), 16)  # no positions
    q, k, v = layer.qkv(x).view(1, 5, 3, 2, 16).permute(2, 0, 3, 1, 4)
    q, k = (y / y.square().mean(-1, keepdim=True).sqrt() for y in (q, k))
    expected = ((q @ k.mT / 4).softmax(-1) @ v).transpose(1, 2).reshape(1, 5, 32)
    torch.testing.assert_close(layer(x, (cos, sin)), layer.out(expected), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_cross_attention_starts_silent_and_takes_words_in_any_order():
    torch.manual_seed(0)
    layer, x, text = CrossAttention(32, 2), torch.randn(2, 4, 32), torch.randn(2, 6, 32)
    mask = torch.tensor([[True] * 6, [True, False, True, True, False, True]])
    assert not layer(x, text, mask).any()
    awake(layer)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(layer(x, text[:, order], mask[:, order]), layer(x, text, mask), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_closed_gate_passes_tokens_on():
    torch.manual_seed(0)
    block = Block(32, 2, 24, has_text=False)
    block.table.zero_()
    rope = orbit_rope(torch.zeros(1, 1), torch.zeros(1), torch.zeros(5), 16)
    x, condition = torch.randn(2, 5, 32), torch.zeros(2, 6, 32)
    assert torch.equal(block(x, condition, torch.zeros(2, 1, 32), torch.ones(2, 1, dtype=torch.bool), rope), x)
    condition[1, 5] = 1  # opens the gate of the MLP in the second clip
    y = block(x, condition, torch.zeros(2, 1, 32), torch.ones(2, 1, dtype=torch.bool), rope)
    assert torch.equal(y[0], x[0])
    assert not torch.allclose(y[1], x[1])


def test_modulation_by_hand():
    x, shift, scale = torch.ones(1, 2, 3), torch.full((1, 3), 0.5), torch.full((1, 3), 2.0)
    assert torch.equal(modulate(x, shift, scale), torch.full((1, 2, 3), 3.5))


@torch.no_grad()
def test_times_are_told_apart():
    torch.manual_seed(0)
    embedded = TimeEmbedding(32)(torch.linspace(0, 1, 11))
    assert torch.pdist(embedded).min() > 1e-2
