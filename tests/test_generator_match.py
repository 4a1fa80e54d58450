"""The matcher: clips find their sentences, and training makes them."""

import numpy as np
import pytest
import torch
from einops import rearrange

from generator.data import Recipe, make_clip, sample_orbit, write_shard
from generator.flow import noise_like
from generator.grammar import make_scene, sample_attributes
from generator.match import (
    NUM_CAPTIONS,
    NUM_VIEWS,
    SIZE,
    Matcher,
    load_matcher,
    match,
    match_loss,
    quarters,
    read_examples,
    retrieval,
    save_matcher,
    text_features,
    train_matcher,
)
from generator.text import WIDTH, load_text_encoder
from generator.words import long_caption


@pytest.fixture(scope="module")
def shown() -> tuple[torch.Tensor, list[str]]:
    """Sixty renders of scenes whose pairs were held out of all training, and their captions."""
    rng, views, texts = np.random.default_rng(3), [], []
    for _ in range(60):
        attributes = sample_attributes(rng, held_out=True)
        clip, _ = make_clip(make_scene(attributes, rng), sample_orbit(rng), NUM_VIEWS, SIZE, SIZE)
        views.append(rearrange(torch.from_numpy(clip[..., :3]), "v h w c -> v c h w"))
        texts.append(long_caption(attributes))
    return torch.stack(views), texts


def test_held_out_renders_find_their_sentences(shown):
    views, texts = shown
    matcher = load_matcher()
    with torch.no_grad():
        seen, read = matcher.see(views.float() / 255), matcher.read(text_features(load_text_encoder(), texts))
    by_text, by_clip = retrieval(seen, read)
    assert by_text > 0.85
    assert by_clip > 0.85
    shuffled, _ = retrieval(seen, read.roll(7, dims=0))
    assert shuffled < 0.15


def test_a_match_is_the_cosine_of_the_two_vectors(shown):
    views, texts = shown
    clips = views[:2].repeat_interleave(6, dim=1)  # quarters are those four again
    frames = rearrange(clips[0], "f c h w -> f h w c")
    assert torch.allclose(quarters(clips.float() / 255), views[:2].float() / 255, atol=1e-6)
    with torch.no_grad():
        seen = load_matcher().see(views[:1].float() / 255)
        read = load_matcher().read(text_features(load_text_encoder(), texts[:2]))
    assert match(frames, texts[0]) == pytest.approx(float(seen @ read[0]), abs=1e-5)
    assert match(frames, texts[0]) > match(frames, "a blue cow") + 0.2


@pytest.mark.slow
def test_training_lowers_the_loss_and_its_weights_come_back(tmp_path):
    write_shard(tmp_path, 0, Recipe(seed=1), NUM_VIEWS, SIZE)
    views, features = read_examples(tmp_path, load_text_encoder())
    assert features.shape == (len(views), NUM_CAPTIONS, 2 * WIDTH)
    lines: list[str] = []
    matcher = train_matcher(views[:64], features[:64, :1], 101, 0, batch=16, log=lines.append)
    first, last = (float(line.split("loss ")[1].split(",")[0]) for line in (lines[0], lines[-1]))
    assert first > 2.4  # log 16 is a guess
    assert last < first - 0.5
    save_matcher(tmp_path / "matcher.safetensors", matcher)
    again = load_matcher(tmp_path / "matcher.safetensors")
    with torch.no_grad():
        assert torch.allclose(again.see(views[:2] / 255), matcher.see(views[:2] / 255), atol=0.02)  # kept in bf16


def test_sentences_that_say_the_same_are_no_counter_examples():
    matcher = Matcher().eval()
    generator = torch.Generator().manual_seed(0)
    views = torch.rand(2, NUM_VIEWS, 3, SIZE, SIZE, generator=generator)
    one = noise_like(torch.zeros(1, 2 * WIDTH), generator)
    assert float(match_loss(matcher, views, one.repeat(2, 1))) == pytest.approx(0, abs=1e-6)
    assert float(match_loss(matcher, views, torch.cat([one, -one]))) > 0.01
