"""Prompts for a model that knows less than the grammar: what it makes instead, and that it says so."""

import pytest

from generator.caption import expand
from generator.grammar import CATEGORIES, COLORS
from generator.vocabulary import NEAREST_COLOR, Vocabulary, understand
from generator.weights import vocabulary

SMALL = Vocabulary(
    categories=("mug", "duck", "chest", "plane"),
    colors=tuple(color for color in COLORS if color not in NEAREST_COLOR),
    patterns=("plain", "horizontal stripes"),
    materials=("matte", "glossy"),
)

CUT = {  # prompt: what the model makes, words of the note
    "a red mug": ("a red mug", ""),
    "a glossy red helicopter": ("a glossy red plane", "knows no helicopter; it makes the nearest thing"),
    "a penguin": ("a duck", "knows no penguin; it makes the nearest thing that it knows, a duck"),
    "a jumbo dragon": ("", "knows no dragon"),
    "three red mugs": ("a red mug", "one thing at a time, not three"),
    "a red duck on a blue chest": ("a red duck", "the chest is left out"),
    "a lime mug": ("a green mug", "knows no lime; green"),
    "a white mug with a beige handle": ("a white mug with a grey handle", "knows no beige; grey"),
    "a red mug with zigzags": ("a red mug with horizontal stripes", "knows no zigzags"),
    "a red mug with polka dots": ("a red mug with horizontal stripes", "knows no polka dots"),
    "a glowing red mug": ("a red mug", "nothing glowing"),
}


@pytest.mark.parametrize("prompt", CUT)
def test_a_prompt_is_cut_down_to_what_the_model_knows(prompt):
    wanted, note = CUT[prompt]
    made = understand(prompt, SMALL)
    if wanted:
        assert made.text == expand(wanted).text
    assert made.attributes.category in SMALL.categories
    assert note in " ".join(made.notes)
    assert bool(made.notes) == bool(note)


def test_a_model_of_the_whole_grammar_takes_all():
    for prompt in CUT:
        assert understand(prompt, None) == expand(prompt)


def test_free_words_go_to_a_model_that_has_seen_some():
    free = Vocabulary(SMALL.categories, SMALL.colors, SMALL.patterns, SMALL.materials, free=True)
    assert understand("a dragon", free) == expand("a dragon")
    assert understand("a helicopter", free).attributes.category == "plane"


def test_the_embedded_model_says_what_it_knows():
    known = vocabulary("orbit-xs")
    assert set(known.categories) < set(CATEGORIES)
    assert set(known.colors) | set(NEAREST_COLOR) == set(COLORS)
    assert not known.several
    for category in CATEGORIES:
        assert understand(f"a red {category}", known).attributes.category in known.categories
