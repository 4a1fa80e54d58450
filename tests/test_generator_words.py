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
    SYNONYM_SHARE,
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


def test_attributes_are_said_in_their_shares():
    """What the model was trained on: half of the captions long, and of the others 2 short ones on 3 medium ones."""
    rng = np.random.default_rng(0)
    captions = [sample_caption(MUG, rng) for _ in range(6000)]
    long = [caption for caption in captions if caption.startswith("A 3D model")]
    others = [caption for caption in captions if not caption.startswith("A 3D model")]
    assert len(long) / len(captions) == pytest.approx(0.5, abs=0.02)
    reds, dots = ("red", "crimson", "scarlet"), ("dots", "spots")
    for words, share_long, share_other in (
        (("round",), 0.9, 0.4 * 0.35 + 0.6 * 0.6),
        (reds, 1.0, 0.4 * 0.85 + 0.6 * 0.95),
        (("handle",), 0.95, 0.6 * 0.8),
        (dots, 1.0, 0.4 * 0.35 + 0.6 * 0.85),
        (("glossy", "shiny", "ceramic"), 0.9, 0.4 * 0.25 + 0.6 * 0.6),
    ):
        for part, share in ((long, share_long), (others, share_other)):
            said = np.mean([any(word in caption for word in words) for caption in part])
            assert said == pytest.approx(share, abs=0.025), words
    assert np.mean(["cup" in caption for caption in captions]) == pytest.approx(SYNONYM_SHARE, abs=0.02)


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
