"""Captions: every word is one that prompts may hold, grammar is English, and what is dropped is dropped."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from generator.caption import expand
from generator.grammar import COLORS, MATERIALS, PATTERNS, Attributes, sample_attributes
from generator.text import MAX_TOKENS, load_text_encoder
from generator.words import (
    COLOR_SYNONYMS,
    MATERIAL_SYNONYMS,
    PATTERN_SYNONYMS,
    article,
    long_caption,
    phrase,
    sample_caption,
)

ALL = {"style", "color", "second", "pattern", "material"}
MUG = Attributes("mug", "round", "red", "blue", "polka dots", "glossy")
CHAIR = Attributes("chair", "office", "orange", "black", "plain", "matte")


def drawn(num: int, seed: int = 0) -> list[Attributes]:
    rng = np.random.default_rng(seed)
    return [sample_attributes(rng, None) for _ in range(num)]


def test_captions_by_hand():
    assert long_caption(MUG) == (
        "A 3D model of a round mug, glossy. The body is red with white polka dots. The handle is blue."
    )
    assert long_caption(CHAIR) == "A 3D model of an office chair, matte. The seat is plain orange. The legs are black."
    assert phrase(MUG, ALL) == "a glossy red round mug with white polka dots and a blue handle"
    assert phrase(CHAIR, {"color", "second"}) == "an orange chair with black legs"
    assert phrase(CHAIR, set()) == "a chair"
    assert long_caption(CHAIR, set()) == "A 3D model of a chair."


def test_articles():
    assert [article(words) for words in ("mug", "office chair", "blue legs", "glass", "cactus", "orange lid")] == [
        "a mug",
        "an office chair",
        "blue legs",
        "a glass",
        "a cactus",
        "an orange lid",
    ]


def test_synonyms_belong_to_one_value_each():
    for synonyms, values in (
        (COLOR_SYNONYMS, COLORS),
        (MATERIAL_SYNONYMS, MATERIALS),
        (PATTERN_SYNONYMS, PATTERNS[1:]),
    ):
        assert set(synonyms) == set(values)
        words = [*values, *(word for others in synonyms.values() for word in others)]
        assert len(set(words)) == len(words)


def test_each_level_comes_in_its_share():
    rng = np.random.default_rng(0)
    captions = [sample_caption(MUG, rng) for _ in range(2000)]
    long = np.mean([caption.startswith("A 3D model") for caption in captions])
    assert long == pytest.approx(0.5, abs=0.04)
    assert len(set(captions)) > 200
    silent = np.mean([" with " not in caption and "body" not in caption for caption in captions])
    assert 0.02 < silent < 0.4  # short captions say little


def test_the_same_generator_writes_the_same():
    one, other = ([sample_caption(MUG, rng) for _ in range(30)] for rng in map(np.random.default_rng, (5, 5)))
    assert one == other


def test_said_is_all_that_is_said():
    """Attributes that are left out do not shine through: captions of different values are equal."""
    others = replace(MUG, style="tall", color="green", second_color="white", pattern="checks", material="metallic")
    names = {"style": "style", "color": "color", "second": "second_color", "pattern": "pattern", "material": "material"}
    for said in ({"color"}, {"style", "material"}, {"second"}, {"pattern", "color"}, set()):
        same = replace(others, **{names[name]: getattr(MUG, names[name]) for name in said})
        for write in (phrase, long_caption):
            assert write(MUG, said) == write(same, said)
            assert all(
                write(MUG, said) != write(replace(same, **{names[n]: getattr(others, names[n])}), said) for n in said
            )


def test_every_word_of_a_caption_is_known_to_prompts():
    rng = np.random.default_rng(1)
    for attributes in drawn(2500):
        caption = sample_caption(attributes, rng)
        expansion = expand(caption)
        assert expansion.notes == (), caption
        assert expansion.attributes.category == attributes.category, caption


def test_captions_fit_the_text_encoder():
    rng = np.random.default_rng(2)
    tokenizer = load_text_encoder().tokenizer
    captions = [long_caption(attributes, None, rng) for attributes in drawn(2500)]
    lengths = Counter(map(len, tokenizer(captions).input_ids))
    assert max(lengths) <= MAX_TOKENS
