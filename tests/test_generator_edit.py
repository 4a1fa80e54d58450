"""An edit follows the difference of two captions, and takes over from it what really changed."""

import torch

from generator.condition import Condition
from generator.config import EditConfig
from generator.data import Orbit
from generator.edit import flow_edit, merged, recolored
from generator.latents import make_condition
from generator.text import load_text_encoder
from generator_parts import tiny_dit

RED, BLUE, GREEN = (torch.tensor(color)[:, None, None] for color in ((0.8, 0.1, 0.1), (0.1, 0.2, 0.8), (0.1, 0.6, 0.2)))


def condition(source: str, target: str) -> Condition:
    return make_condition([source, target], "", Orbit(15.0, 40.0), (4, 32, 32), 2, load_text_encoder())


def run(source: str, target: str, guidance: float = 3.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.randn(1, 2, 4, 4, 4, generator=torch.Generator().manual_seed(9))
    settings = EditConfig(steps=4, guidance=guidance)
    with torch.inference_mode():
        return z, flow_edit(tiny_dit(), z, condition(source, target), settings, torch.Generator().manual_seed(seed))


def test_the_same_caption_twice_changes_nothing():
    z, edited = run("a red mug", "a red mug", guidance=1.0)
    torch.testing.assert_close(edited, z, rtol=0, atol=1e-5)


def test_another_caption_changes_it_the_same_way_for_the_same_seed():
    z, edited = run("a red mug", "a blue mug")
    assert float((edited - z).abs().max()) > 1e-3
    assert torch.equal(edited, run("a red mug", "a blue mug")[1])
    assert not torch.equal(edited, run("a red mug", "a blue mug", seed=1)[1])


def mug(handle: torch.Tensor) -> torch.Tensor:
    """Two frames [2,4,32,48] of a shaded red body beside a handle, with alpha."""
    shade = torch.linspace(0.6, 1.0, 24)[:, None]
    clip = torch.ones(2, 4, 32, 48)
    clip[:, 3] = 0
    clip[:, :3, 4:28, 6:28] = RED * shade
    clip[:, :3, 4:28, 28:42] = handle * shade
    clip[:, 3, 4:28, 6:42] = 1
    return clip


def test_a_part_is_recoloured_and_all_else_stays_to_the_pixel():
    source, wanted = mug(BLUE), mug(GREEN)
    noise = 0.03 * torch.randn(wanted.shape, generator=torch.Generator().manual_seed(0))
    after = (wanted + noise).clamp(0, 1)
    colors = recolored(source, source, after, is_map=True)
    assert torch.equal(colors[..., :26], source[:, :3, :, :26])  # the body, and the white beside it
    handle = (slice(None), slice(None), slice(4, 28), slice(31, 42))
    assert float((colors[handle] - wanted[:, :3][handle]).abs().max()) < 0.02  # less than the noise: one map for all


def test_a_pattern_comes_in_as_it_was_drawn():
    source = mug(BLUE)
    after = source.clone()
    after[:, :3, 12:20, 8:26] = 1.0  # a white band on the body
    colors = recolored(source, source, after, is_map=False)
    assert float((colors[:, :, 14:18, 11:23] - 1).abs().max()) < 1e-4
    assert torch.equal(colors[:, :, :, 32:], source[:, :3, :, 32:])


def test_what_stays_comes_from_the_source_where_shapes_change():
    source = torch.cat([mug(BLUE), torch.full((2, 1, 32, 48), 0.5)], dim=1)
    before = source + 0.01  # the autoencoder's error
    after = before.clone()
    after[:, :, :12, :12] = 0.2
    out = merged(source, before, after)
    torch.testing.assert_close(out[:, :, 2:10, 2:10], after[:, :, 2:10, 2:10])
    assert torch.equal(out[:, :, 20:, 20:], source[:, :, 20:, 20:])
