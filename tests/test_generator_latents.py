"""Coarse to fine: through which sizes a clip goes, what the larger one keeps of the smaller one, and what is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from einops import reduce

from generator import latents, worth
from generator.config import GenerateConfig
from generator.data import Orbit
from generator.flow import schedule, visited
from generator.grammar import sample_attributes
from generator.latents import SIFTED_AT, Guide, sample_clips, sizes_of
from generator.match import Matcher
from generator.parts import Part, Scene, scene_of
from generator.sample import generate
from generator.text import load_text_encoder
from generator.vae import VideoAutoencoder, encode_picture
from generator.weights import load_model, model_path, save_model
from generator_parts import REFERRING, tiny_dit, tiny_vae

CONFIG = GenerateConfig(steps=4, num_frames=4, height=32, width=32, drafts=1, finished=64)


def sampled(config: GenerateConfig = CONFIG, coarsest: int = 16, *, dit=None, **more) -> torch.Tensor:
    generator, captions = torch.Generator().manual_seed(3), ["a red mug", "a blue car"]
    with torch.inference_mode():
        return sample_clips(
            tiny_vae(),
            dit or tiny_dit(),
            load_text_encoder(),
            captions,
            Orbit(15.0, 40.0),
            config,
            generator,
            coarsest=coarsest,
            **more,
        )


@pytest.mark.parametrize(
    ("size", "coarsest", "sizes"),
    [
        ((128, 128), 64, [(64, 64), (128, 128)]),
        ((64, 64), 64, [(64, 64)]),
        ((256, 256), 64, [(64, 64), (128, 128), (256, 256)]),
        ((96, 192), 64, [(96, 192)]),
        ((128, 192), 64, [(64, 96), (128, 192)]),
        ((144, 144), 64, [(144, 144)]),  # 72 is no multiple of 16
        ((128, 128), 128, [(128, 128)]),
    ],
)
def test_a_clip_is_begun_at_the_smallest_size_that_was_learnt(size, coarsest, sizes):
    assert sizes_of(*size, coarsest) == sizes


def test_from_time_one_on_the_full_size_is_all():
    assert torch.equal(sampled(replace(CONFIG, fine_from=1.0)), sampled(coarsest=32))
    assert not torch.equal(sampled(), sampled(coarsest=32))


def test_the_same_noise_gives_the_same_latents():
    assert torch.equal(sampled(), sampled())
    assert sampled().shape == (2, 2, tiny_dit().config.latent_channels, 4, 4)


def test_times_below_the_start_are_visited():
    assert visited(4, 1.0) == schedule(4, 1.0).tolist()
    assert visited(4, 1.0, 0.6) == [0.6, 0.5, 0.25, 0.0]


@pytest.mark.parametrize(("fine_from", "fine_steps"), [(0.6, 2), (0.9, 3), (1.0, None)])
def test_progress_counts_the_steps_of_all_sizes(fine_from, fine_steps):
    told, steps = [], []
    config = replace(CONFIG, fine_from=fine_from)
    dit = tiny_dit()
    dit.register_forward_pre_hook(lambda _, args: steps.append(args[0].shape[-1]))
    sampled(config, dit=dit, progress=lambda step, total: told.append((step, total)))
    assert told == [(i + 1, len(told)) for i in range(len(told))]
    assert len(steps) == len(told)
    small, large = steps.count(2), steps.count(4)
    assert (small, large) == ((4, len(visited(4, config.shift, fine_from)) - 1) if fine_steps else (0, 4))


@torch.inference_mode()
def test_what_the_model_has_learnt_decides_and_the_large_clip_shows_what_the_small_one_did():
    """With orbit-s: the large clip is the small one, sharper."""
    vae, dit, _ = load_model(model_path("orbit-s"))
    config = GenerateConfig(steps=8, num_frames=8, fine_from=0.5, drafts=1)
    made = {}
    for name, settings in (("small", replace(config, height=64, width=64)), ("large", config)):
        generator = torch.Generator().manual_seed(0)
        z = sample_clips(
            vae, dit, load_text_encoder(), ["a red mug"], Orbit(15.0, 40.0), settings, generator, coarsest=64
        )
        made[name] = vae.decode(z).clamp(0, 1)[0, :, :4]
    again = reduce(made["large"], "f c (h p) (w q) -> f c h w", "mean", p=2, q=2)
    assert (again - made["small"]).abs().mean() < 0.02
    assert made["small"][:, 3].mean() > 0.05


def matcher_that_likes_dark(monkeypatch) -> list[torch.Tensor]:
    """Let drafts be worth as much as they are dark; returns what the matcher will have seen."""
    views: list[torch.Tensor] = []

    def see(self, shown):
        views.append(shown)
        return torch.cat([1 - shown.mean(dim=(1, 2, 3, 4))[:, None], torch.zeros(len(shown), 127)], dim=1)

    monkeypatch.setattr(Matcher, "see", see)
    monkeypatch.setattr(Matcher, "read", lambda self, features: torch.eye(128)[:1].expand(len(features), -1))
    monkeypatch.setattr(worth, "apart", lambda alpha: torch.zeros(len(alpha)))
    return views


def test_the_draft_that_the_matcher_finds_nearest_goes_on(monkeypatch):
    """A matcher that likes dark views: of four drafts the darkest one is enlarged, of each caption."""
    clips, views = [], matcher_that_likes_dark(monkeypatch)
    encode = VideoAutoencoder.encode

    def watched(self, shown, *args):
        clips.append(shown)
        return encode(self, shown, *args)

    monkeypatch.setattr(VideoAutoencoder, "encode", watched)
    z = sampled(replace(CONFIG, drafts=4))
    assert z.shape[0] == 2
    assert views[0].shape == (8, 4, 3, 64, 64)
    darkness = -views[0].mean(dim=(1, 2, 3, 4)).view(2, 4)
    assert len(set(darkness.flatten().tolist())) == 8
    assert clips[0].shape == (2, 4, 5, 32, 32)
    shown = torch.nn.functional.interpolate(clips[0][:, :, :3].flatten(0, 1), size=(64, 64), mode="bilinear")
    others = (views[0].reshape(2, 4, -1) - shown.reshape(2, 1, -1)).abs().mean(-1)
    assert others.argmin(1).tolist() == darkness.argmax(1).tolist()
    assert torch.equal(sampled(replace(CONFIG, drafts=4)), z)


def test_drafts_that_promise_less_are_given_up_halfway(monkeypatch):
    """A matcher that likes dark views: of six drafts of each caption the two darkest are finished, each time."""
    views, batches = matcher_that_likes_dark(monkeypatch), []
    decode, decoded = VideoAutoencoder.decode, []
    monkeypatch.setattr(VideoAutoencoder, "decode", lambda self, *args: decoded.append(args[0]) or decode(self, *args))
    dit = tiny_dit()
    dit.register_forward_pre_hook(lambda _, args: batches.append((len(args[0]), args[0].shape[-1])))
    sampled(replace(CONFIG, drafts=6, finished=2, guidance=1.0), dit=dit)
    halfway = sum(t > SIFTED_AT for t in schedule(CONFIG.steps, CONFIG.shift)[:-1].tolist())
    small = [count for count, size in batches if size == 2]
    assert small == [12] * halfway + [4] * (CONFIG.steps - halfway)
    assert [tuple(z.shape[:2]) for z in decoded] == [(12 * 4, 1), (4, 2)]  # four frames of each, then all of few
    darkest = (-views[0].mean(dim=(1, 2, 3, 4))).view(2, 6).topk(2).indices.sort().values
    glanced = decoded[0].view(2, 6, 4, *decoded[0].shape[2:])[:, :, ::2]  # both latent frames
    kept = glanced[torch.arange(2)[:, None], darkest]
    ended = decoded[1].view(2, 2, *decoded[1].shape[1:])
    away = (kept[:, :, None] - ended[:, None]).flatten(3).norm(dim=-1)  # what a draft was bound for is near what it is
    assert away.argmin(1).tolist() == [[0, 1], [0, 1]]


def test_between_equal_matches_the_verifier_decides(monkeypatch):
    """A verifier that likes dark views, of the captions whose attributes are wanted."""
    monkeypatch.setattr(worth, "apart", lambda alpha: torch.zeros(len(alpha)))
    asked, views = [], []

    def see(self, shown):
        views.append(shown)
        return torch.eye(128)[:1].expand(len(shown), -1)

    def likes_dark(shown, wanted):
        asked.append(wanted)
        return -shown.mean(dim=(1, 2, 3, 4))

    monkeypatch.setattr(Matcher, "see", see)
    monkeypatch.setattr(Matcher, "read", lambda self, features: torch.eye(128)[:1].expand(len(features), -1))
    monkeypatch.setattr(worth, "sureness", likes_dark)
    clips = []
    encode = VideoAutoencoder.encode
    monkeypatch.setattr(VideoAutoencoder, "encode", lambda self, x, *args: clips.append(x) or encode(self, x, *args))
    wanted = sample_attributes(np.random.default_rng(0))
    sampled(replace(CONFIG, drafts=4), wanted=[None, wanted])
    assert asked == [wanted]
    brightness = views[0].mean(dim=(1, 2, 3, 4)).view(2, 4)
    shown = torch.nn.functional.interpolate(clips[0][:, :, :3].flatten(0, 1), size=(64, 64), mode="bilinear")
    others = (views[0].reshape(2, 4, -1) - shown.reshape(2, 1, -1)).abs().mean(-1)
    assert others.argmin(1).tolist() == [0, int(brightness[1].argmin())]
    assert brightness[1].argmin() != 0


def test_patterns_are_insisted_on_where_the_attributes_are_known():
    known = sample_attributes(np.random.default_rng(0))
    plain = sampled(wanted=[None, None])
    told = sampled(wanted=[known, None])
    insisted, left = (told - plain).abs().amax(dim=(1, 2, 3, 4)).tolist()
    assert left < 1e-4 * insisted  # texts that are read in another batch are rounded otherwise
    assert torch.equal(sampled(replace(CONFIG, emphasis=0.0), wanted=[known, None]), plain)
    assert torch.equal(
        sampled(replace(CONFIG, guidance=1.0), wanted=[known, None]), sampled(replace(CONFIG, guidance=1.0))
    )


def test_none_and_less_are_led_away_from_by_turns():
    known, heard, dit = sample_attributes(np.random.default_rng(0)), [], tiny_dit()

    def listen(_, args: tuple) -> None:
        if len(args[2]) == 4:  # guided: both clips twice
            heard.append((args[2] * args[3][..., None]).flatten(1).sum(1)[2:])

    dit.register_forward_pre_hook(listen)
    config = replace(CONFIG, steps=8, guidance_from=0.0, fine_from=1.0)
    sampled(config, dit=dit, wanted=[known, None])
    first, second, third = (torch.stack(heard[turn::3]) for turn in (0, 1, 2))
    assert (len(first), len(second), len(third)) == (3, 2, 2)
    for turn in (first, second, third):
        assert torch.equal(turn, turn[:1].expand(len(turn), 2))
        assert torch.isclose(turn[0, 1], first[0, 1])
    assert len({float(turn[0, 0]) for turn in (first, second, third)}) == 3


def test_what_a_turn_found_leads_on():
    """Constant contrasts of 1, 10 and 100: each counts from its turn on; without something left out the turn's alone,
    as the null text's."""
    guide, is_less = Guide(3.0, 0.0, 1.0, emphasis=3.0), torch.tensor([True, False])
    found: dict[int, torch.Tensor] = {}
    led = []
    for turn, size in enumerate((1.0, 10.0, 100.0)):
        found[turn] = torch.full((2, 1, 1, 1, 1), size)
        led.append(guide.lead(found, turn, is_less).flatten().tolist())
    pattern, colors = (3.0 * strength for _, strength in latents.INSISTED)
    assert [first for first, _ in led] == pytest.approx([2, 2 + 10 * pattern, 2 + 10 * pattern + 100 * colors])
    assert [second for _, second in led] == [2, 20, 200]
    assert guide.lead(found, 1, None).flatten().tolist() == [20, 20]


TWO = replace(
    sample_attributes(np.random.default_rng(0)),
    count=1,
    relation="next to",
    other_category="mug",
    other_style="round",
    other_color="red",
)


@pytest.mark.parametrize("drafts", [1, 2])
def test_of_several_objects_each_is_drafted_alone(drafts, monkeypatch):
    """The second caption's scene holds two: three objects at the small size, then a caption each at the large one."""
    heard, seen, laid = [], [], []
    make_condition, lay_together = latents.make_condition, latents.lay_together
    monkeypatch.setattr(
        latents, "make_condition", lambda told, *more: heard.append(told) or make_condition(told, *more)
    )
    monkeypatch.setattr(latents, "lay_together", lambda *args: laid.append(args) or lay_together(*args))
    dit = tiny_dit()
    dit.register_forward_pre_hook(lambda _, args: seen.append((len(args[0]), args[0].shape[-1])))
    config = replace(CONFIG, drafts=drafts, guidance=1.0)
    steps = []
    sampled(config, dit=dit, wanted=[None, TWO], progress=lambda step, total: steps.append((step, total)))
    small, alone, together = heard
    two = scene_of(TWO)
    assert two is not None
    expected = ["a red mug", *(part.caption for part in two.parts)]
    assert small == [text for text in expected for _ in range(drafts)]
    assert (alone, together) == (["a red mug"], ["a blue car"])
    assert set(seen) == {(3 * drafts, 2), (1, 4)}
    [(clips, scene, _, size)] = laid
    assert (len(clips), scene, size) == (2, two, (32, 32))
    assert steps == [(i + 1, len(steps)) for i in range(len(steps))]


def test_a_scene_in_any_words_is_laid_together_too():
    heard = []
    dragon = Part("a dragon", None)
    two = scene_of(TWO)
    assert two is not None
    scene = Scene((dragon,), "on", two.others)
    with pytest.MonkeyPatch.context() as patch:
        make_condition = latents.make_condition
        patch.setattr(latents, "make_condition", lambda told, *more: heard.append(told) or make_condition(told, *more))
        sampled(replace(CONFIG, drafts=1), wanted=[None, None], scenes=[None, scene])
    assert heard == [["a red mug", "a dragon", two.parts[1].caption], ["a red mug"], ["a blue car"]]


def test_a_scene_is_sampled_at_once_where_that_is_asked_for_or_a_picture_shows_it():
    at_once = replace(CONFIG, laid_from=1.0, emphasis=0.0)
    assert torch.equal(sampled(at_once, wanted=[None, TWO]), sampled(at_once))
    picture = torch.rand(4, 32, 32, generator=torch.Generator().manual_seed(1))
    shown = replace(CONFIG, emphasis=0.0)
    given = (sampled(shown, dit=tiny_dit(config=REFERRING), wanted=w, picture=picture) for w in ([None, TWO], None))
    assert torch.equal(*given)


def test_a_picture_is_given_at_every_size():
    seen = []
    dit = tiny_dit(config=REFERRING)
    dit.register_forward_pre_hook(lambda _, args: seen.append((args[0].shape[-1], args[6], args[7])))
    picture = torch.rand(4, 32, 32, generator=torch.Generator().manual_seed(1))
    sampled(replace(CONFIG, guidance=1.0), dit=dit, picture=picture)
    assert {size for size, _, _ in seen} == {2, 4}
    for size, reference, given in seen:
        assert given.tolist() == [[True, False]] * 2
        if size == 4:
            torch.testing.assert_close(reference[:1, 0], encode_picture(tiny_vae(), picture[None]).detach())


def test_in_bf16_it_goes_as_well():
    with torch.autocast("cpu", torch.bfloat16):
        z = sampled(replace(CONFIG, drafts=2))
    assert bool(z.isfinite().all())


@pytest.mark.parametrize(("formats", "sizes"), [([], {4}), (["4x16x16"], {2, 4})])
def test_the_header_says_where_a_clip_begins(formats, sizes, tmp_path, monkeypatch):
    path = tmp_path / "tiny.safetensors"
    save_model(path, tiny_vae(), tiny_dit(), {"num_frames": 4, "size": 32, "steps": 0, "formats": formats})
    seen = set()
    load = load_model

    def watched(path):
        vae, dit, settings = load(path)
        dit.register_forward_pre_hook(lambda _, args: seen.add(args[0].shape[-1]))
        return vae, dit, settings

    monkeypatch.setattr("generator.sample.load_model", watched)
    generate("a red mug", replace(CONFIG, model=str(path)))
    assert seen == sizes
