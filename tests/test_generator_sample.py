"""From prompt to clip with a model of random weights: seeds, guidance, sizes, and refusals before any work."""

from dataclasses import replace

import pytest
import torch

from generator import cpu_blocks
from generator.caption import expand
from generator.clip import Clip
from generator.condition import Condition
from generator.config import GenerateConfig
from generator.data import Orbit
from generator.latents import Guide, sample_latents
from generator.rays import intrinsics
from generator.sample import check, from_clip, generate, load_networks, regenerate, to_clip
from generator.weights import save_model
from generator_parts import DIT, tiny_dit, tiny_vae


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> GenerateConfig:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, tiny_vae(), tiny_dit(), {"num_frames": 4, "size": 16, "steps": 0})
    return GenerateConfig(model=str(path), steps=3, num_frames=4, height=16, width=32, fov_deg=35.0, elevation_deg=10.0)


@pytest.fixture(scope="module")
def clip(config) -> Clip:
    return generate("a red mug", config, seed=5)


def same(a: Clip, b: Clip) -> bool:
    return torch.equal(a.frames, b.frames) and torch.equal(a.alpha, b.alpha) and torch.equal(a.depth, b.depth)


def test_the_same_seed_gives_the_same_bytes(config, clip):
    assert same(generate("a red mug", config, seed=5), clip)
    assert not same(generate("a red mug", config, seed=6), clip)


@pytest.mark.parametrize(
    ("dtype", "has_units", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("float32", True, torch.float32),
        ("bfloat16", False, torch.bfloat16),
    ],
)
def test_the_transformer_computes_in_the_numbers_that_are_asked_for(dtype, has_units, expected, config, monkeypatch):
    """Bfloat16 by itself where the processor has units for it; noise, decoder and clip stay as they are."""
    monkeypatch.setattr("generator.sample.cpu_multiplies_bf16", lambda: has_units)
    _, dit = load_networks(config.model)
    seen, drawn, times = set(), [], cpu_blocks._times
    monkeypatch.setattr(cpu_blocks, "_times", lambda x, layer: [seen.add(x.dtype), times(x, layer)][1])
    hook = dit.register_forward_pre_hook(lambda _, args: drawn.append(args[0][:1]))
    made = generate("a red mug", replace(config, dtype=dtype), seed=5)
    again = regenerate(made, [2], replace(config, dtype=dtype), seed=9)
    hook.remove()
    assert seen == {expected}
    noise = torch.randn(drawn[0].shape, generator=torch.Generator().manual_seed(5))
    assert torch.equal(drawn[0], noise)
    assert torch.equal(again.frames[:2], made.frames[:2])
    other = generate("a red mug", replace(config, dtype="float32"), seed=5)
    assert (made.frames.float() - other.frames.float()).abs().mean() < 3


def test_an_orbit_begins_where_it_is_told(config, clip):
    turned = generate("a red mug", replace(config, start_deg=90.0), seed=5)
    assert torch.allclose(turned.c2w[0], clip.c2w[1], atol=1e-5)  # four frames: the second is a quarter turn on
    assert not torch.equal(turned.frames, clip.frames)


def test_a_part_of_a_turn_has_both_ends(config):
    part = generate("a red mug", replace(config, span_deg=90.0), seed=5)
    whole = generate("a red mug", config, seed=5)
    assert torch.allclose(part.c2w[0], whole.c2w[0], atol=1e-5)
    assert torch.allclose(part.c2w[3], whole.c2w[1], atol=1e-5)  # a quarter turn on
    angle = torch.arccos((part.c2w[0, :3, 2] * part.c2w[1, :3, 2]).sum())
    assert float(torch.rad2deg(angle)) == pytest.approx(30 * 0.985, abs=0.5)  # seen from 10 degrees up
    again = regenerate(part, [2], replace(config, span_deg=90.0), seed=9)
    assert torch.equal(again.frames[:2], part.frames[:2])


def test_the_clip_says_what_it_is(config, clip):
    assert clip.frames.shape == (4, 16, 32, 3)
    assert clip.alpha.shape == clip.depth.shape == (4, 16, 32)
    assert (clip.prompt, clip.seed, clip.fps) == ("a red mug", 5, config.fps)
    assert clip.caption == expand("a red mug").text
    K = torch.from_numpy(intrinsics(35, 16, 32)).float()
    assert torch.equal(clip.K, K.expand(4, 3, 3))
    assert torch.allclose(clip.c2w, torch.from_numpy(Orbit(10.0, 35.0).c2w(4)).float())
    assert (clip.alpha > 0).float().mean() > 0


def test_frames_made_anew_leave_the_others_as_they_are(config, clip):
    again = regenerate(clip, [2], config, seed=9)
    assert torch.equal(again.frames[:2], clip.frames[:2])
    assert torch.equal(again.alpha[:2], clip.alpha[:2])
    assert not torch.equal(again.frames[2:], clip.frames[2:])
    assert same(regenerate(clip, [2], config, seed=9), again)
    assert not same(regenerate(clip, [2], config, seed=10), again)


@torch.no_grad()
def test_latents_that_are_held_come_out_as_they_went_in():
    noise, condition = some_condition()
    known, stays = torch.randn_like(noise), torch.tensor([True, False])
    z = sample_latents(tiny_dit(), noise, condition, Guide(3.0, 0.1, 0.9), 5, 1.5, held=(known, stays))
    torch.testing.assert_close(z[:, 0], known[:, 0])
    assert not torch.allclose(z[:, 1], known[:, 1], atol=0.1)


def test_a_clip_and_its_channels_are_inverse(config, clip):
    orbit = Orbit(10.0, 35.0)
    back = to_clip(from_clip(clip, orbit), orbit, clip.fps, clip.prompt, clip.caption, clip.seed)
    covered = (clip.alpha == 1) & (back.alpha == 1)
    assert torch.equal(back.frames[covered], clip.frames[covered])
    torch.testing.assert_close(
        back.depth[covered], clip.depth[covered].clamp(back.depth[covered].min()), atol=0.02, rtol=0
    )


def test_frames_that_are_not_there_cannot_be_made_anew(config, clip):
    with pytest.raises(ValueError, match="no frame 4"):
        regenerate(clip, [4], config, seed=1)
    with pytest.raises(ValueError, match="another seed"):
        regenerate(clip, [0, 3], config, seed=1)


def test_prompts_are_heard_by_what_they_mean(config, clip):
    assert same(replace_prompt(generate("crimson CUP!", config, seed=5)), clip)
    assert not same(generate("a blue mug", config, seed=5), clip)


def replace_prompt(clip: Clip) -> Clip:
    return replace(clip, prompt="a red mug")


def test_guidance_steers_away_from_the_negative_prompt(config, clip):
    assert not same(generate("a red mug", replace(config, guidance=1.0), seed=5), clip)
    assert not same(generate("a red mug", replace(config, negative_prompt="a blue mug"), seed=5), clip)
    deaf = replace(config, guidance=1.0)
    assert same(
        generate("a red mug", replace(deaf, negative_prompt="a blue mug"), seed=5),
        generate("a red mug", deaf, seed=5),
    )
    outside = replace(config, guidance_from=0.0, guidance_to=0.0)  # never reached: the last time is above 0
    assert same(generate("a red mug", outside, seed=5), generate("a red mug", deaf, seed=5))


def test_progress_counts_the_steps(config):
    told = []
    generate("a red mug", config, progress=lambda step, total: told.append((step, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def some_condition() -> tuple[torch.Tensor, Condition]:
    """Return noise for three clips of two latent frames, and what they are to show."""
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 2, DIT.latent_channels, 4, 2, generator=g)
    text, null = torch.randn(3, 6, DIT.text_width, generator=g), torch.randn(1, 6, DIT.text_width, generator=g)
    mask, null_mask = torch.ones(3, 6, dtype=torch.bool), torch.tensor([[True, True] + [False] * 4])
    rays, angles = torch.randn(1, 2, 2, 1, 12, generator=g), torch.tensor([[0.5, 2.0]])
    return noise, Condition(text, mask, null, null_mask, rays, angles)


@torch.no_grad()
def test_guidance_is_the_line_through_both_velocities():
    """One Euler step from t = 1: z - v_null - s (v - v_null), for every clip of a batch."""
    dit, (noise, condition) = tiny_dit(), some_condition()
    text, mask, rays, angles = condition.text, condition.text_mask, condition.rays, condition.angles
    null, null_mask = condition.null_text.expand(3, -1, -1), condition.null_mask.expand(3, -1)
    v = dit(noise, torch.ones(3), text, mask, rays, angles)
    v_null = dit(noise, torch.ones(3), null, null_mask, rays, angles)
    for scale in (1.0, 0.0, 4.0):
        z = sample_latents(dit, noise, condition, Guide(scale, 0, 1), 1, 1.0)
        torch.testing.assert_close(z, noise - v_null - scale * (v - v_null), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("guide", [Guide(1.0, 0.0, 1.0), Guide(4.0, 0.1, 0.9, emphasis=2.0)])
@torch.no_grad()
def test_clips_that_go_on_are_what_they_would_have_been(guide):
    """Texts, contrasts and what guidance found so far stay with their clips."""
    noise, condition = some_condition()
    less = condition.text.flip(1), condition.text_mask
    condition = replace(condition, contrasts=(less, less), is_less=torch.tensor([True, False, True]))
    whole = sample_latents(tiny_dit(), noise, condition, guide, 8, 1.5)
    kept = torch.tensor([2, 0])
    some = sample_latents(tiny_dit(), noise, condition, guide, 8, 1.5, sift=(0.5, lambda _: kept))
    torch.testing.assert_close(some, whole[kept], rtol=1e-4, atol=1e-4)


def test_a_guide_is_on_within_its_times():
    guide = Guide(4.0, 0.1, 0.9)
    assert [guide.is_on(t) for t in (1.0, 0.9, 0.5, 0.1, 0.05)] == [False, True, True, True, False]
    assert not Guide(1.0, 0.0, 1.0).is_on(0.5)


REFUSED = {
    "num_frames": (7, "even number of frames, not 7: try 8"),
    "height": (100, "multiples of 16, not 100 and 32: try 96 and 32"),
    "width": (8, "multiples of 16, not 16 and 8: try 16 and 16"),
    "steps": (0, "at least one step, not 0: try 24"),
    "shift": (0.0, "above 0, not 0.0"),
    "fine_from": (1.5, "above 0 and up to 1, not 1.5: try 0.85"),
    "laid_from": (0.0, "above 0 and up to 1, not 0.0: try 0.5"),
    "fps": (0, "one frame a second, not 0: try 8"),
    "candidates": (0, "1 to 64 clips, not 0"),
    "drafts": (0, "1 to 64 small clips, not 0: try 16"),
    "finished": (0, "At least one draft is finished, not 0: try 3"),
    "mends": (-1, "0 times or more, not -1"),
    "fov_deg": (120.0, "between 10 and 90 degrees, not at 120.0"),
    "start_deg": (400.0, "between -360 and 360 degrees, not at 400.0"),
    "span_deg": (5.0, "between 10 and 360 degrees, not at 5.0"),
    "elevation_deg": (85.0, "between -80 and 80 degrees, not at 85.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_cannot_be_are_refused_with_the_cure(config, name):
    value, words = REFUSED[name]
    for refuse in (check, lambda bad: generate("a red mug", bad)):
        with pytest.raises(ValueError, match=words):
            refuse(replace(config, **{name: value}))


@pytest.mark.parametrize("name", ["num_frames", "height", "width"])
@pytest.mark.parametrize("value", [0, -16])
def test_no_size_is_no_size(config, name, value):
    with pytest.raises(ValueError, match="try"):
        check(replace(config, **{name: value}))


@pytest.mark.parametrize("name", ["fov_deg", "elevation_deg", "span_deg", "shift", "fine_from", "laid_from"])
def test_not_a_number_is_refused(config, name):
    with pytest.raises(ValueError, match="not"):
        check(replace(config, **{name: float("nan")}))


def test_a_model_that_is_not_there_is_refused(config):
    with pytest.raises(FileNotFoundError, match="no model 'orbit-xxl'"):
        generate("a red mug", replace(config, model="orbit-xxl"))


def test_a_model_that_was_written_anew_is_read_anew(config, clip, tmp_path):
    path = tmp_path / "model.safetensors"
    settings = {"num_frames": 4, "size": 16, "steps": 0}
    save_model(path, tiny_vae(), tiny_dit(), settings)
    config = replace(config, model=str(path))
    assert same(generate("a red mug", config, seed=5), clip)
    save_model(path, tiny_vae(1), tiny_dit(1), settings)
    assert not same(generate("a red mug", config, seed=5), clip)
