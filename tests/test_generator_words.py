"""Captions: every word is one that prompts may hold, grammar is English, and what is dropped is dropped."""

from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from generator.caption import expand
from generator.grammar import (
    COLORS,
    MATERIALS,
    PATTERNS,
    RELATIONS,
    Attributes,
    is_held_out,
    make_scene,
    pattern_color,
    sample_attributes,
)
from generator.text import MAX_TOKENS, load_text_encoder
from generator.words import (
    ALL,
    COLOR_SYNONYMS,
    MATERIAL_SYNONYMS,
    PATTERN_SYNONYMS,
    RELATION_SYNONYMS,
    SYNONYM_SHARE,
    article,
    long_caption,
    phrase,
    plural,
    sample_caption,
    sample_edit,
)

MUG = Attributes("mug", "round", "red", "blue", "polka dots", "glossy")
CHAIR = Attributes("chair", "office", "orange", "black", "plain", "matte")
MUGS = replace(MUG, count=3)
PAIR = replace(MUG, relation="on", other_category="chest", other_style="flat", other_color="yellow")


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


def test_captions_of_several_by_hand():
    assert long_caption(MUGS) == (
        "A 3D model of three round mugs, glossy. The bodies are red with white polka dots. The handles are blue."
    )
    assert phrase(MUGS, ALL) == "three glossy red round mugs with white polka dots and blue handles"
    assert phrase(replace(CHAIR, count=2), {"second"}) == "two chairs with black legs"
    assert long_caption(replace(MUGS, count=4), set()) == "A 3D model of four mugs."
    cats = Attributes("cat", "sitting", "grey", "white", "plain", "matte", count=2)
    assert long_caption(cats, {"color"}) == "A 3D model of two cats. The fur is grey."


def test_captions_of_two_in_a_relation_by_hand():
    assert long_caption(PAIR) == (
        "A 3D model of a round mug on a flat chest, glossy. "
        "The body is red with white polka dots. The handle is blue. The chest is yellow."
    )
    assert phrase(PAIR, ALL) == (
        "a glossy red round mug with white polka dots and a blue handle, on a yellow flat chest"
    )
    assert phrase(PAIR, {"color", "other_color"}) == "a red mug on a yellow chest"
    assert phrase(replace(PAIR, relation="in front of"), set()) == "a mug in front of a chest"
    assert long_caption(PAIR, {"other_style"}) == "A 3D model of a mug on a flat chest."


def test_plurals():
    plurals = {"mug": "mugs", "box": "boxes", "body": "bodies", "ice cream": "ice creams", "bus": "buses"}
    plurals |= {"leaf": "leaves", "bookshelf": "bookshelves", "knife": "knives", "goose": "geese", "cactus": "cacti"}
    plurals |= {"snowman": "snowmen", "aircraft": "aircraft", "goldfish": "goldfish", "lorry": "lorries"}
    assert {noun: plural(noun) for noun in plurals} == plurals


def test_articles():
    for words in ("mug", "blue glass", "cactus", "fish", "bus"):
        assert article(words) == f"a {words}"
    assert (article("office chair"), article("orange lid")) == ("an office chair", "an orange lid")
    assert (article("blue legs"), article("red feet"), article("pink icing")) == ("blue legs", "red feet", "pink icing")


def test_synonyms_belong_to_one_value_each():
    for synonyms, values in (
        (COLOR_SYNONYMS, COLORS),
        (MATERIAL_SYNONYMS, MATERIALS),
        (PATTERN_SYNONYMS, PATTERNS[1:]),
    ):
        assert set(synonyms) == set(values)
        words = [*values, *(word for others in synonyms.values() for word in others)]
        assert len(set(words)) == len(words)
    assert set(RELATION_SYNONYMS) < set(RELATIONS)


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
    names = {name: name for name in ALL} | {"second": "second_color"}
    for said in ({"color"}, {"style", "material"}, {"second"}, {"pattern", "color"}, set()):
        same = replace(others, **{names[name]: getattr(MUG, names[name]) for name in said})
        for write in (phrase, long_caption):
            assert write(MUG, said) == write(same, said)
            assert all(
                write(MUG, said) != write(replace(same, **{names[n]: getattr(others, names[n])}), said) for n in said
            )


def test_count_and_relation_are_always_said():
    rng = np.random.default_rng(4)
    for _ in range(100):
        assert "three" in sample_caption(MUGS, rng)
        caption = sample_caption(PAIR, rng)
        assert any(f" {word} " in caption for word in ("on", *RELATION_SYNONYMS["on"]))
        assert any(f" {word}" in caption for word in ("chest", "strongbox", "coffer"))


def test_every_word_of_a_caption_is_known_to_prompts():
    rng = np.random.default_rng(1)
    for attributes in drawn(1500):
        caption = sample_caption(attributes, rng)
        expansion = expand(caption)
        assert expansion.notes == (), caption
        for name in ("category", "count", "relation", "other_category"):
            assert getattr(expansion.attributes, name) == getattr(attributes, name), caption


def test_captions_fit_the_text_encoder():
    rng = np.random.default_rng(2)
    tokenizer = load_text_encoder().tokenizer
    captions = [long_caption(attributes, ALL, rng) for attributes in drawn(4000)]
    lengths = Counter(map(len, tokenizer.encode_batch(captions)))
    assert max(lengths) <= MAX_TOKENS


# Edits


def edits(num: int, seed: int) -> list[tuple[Attributes, Attributes, str]]:
    rng = np.random.default_rng(seed)
    return [(attributes, *sample_edit(attributes, rng)) for attributes in drawn(num, seed)]


def changed(old: Attributes, new: Attributes) -> set[str]:
    before, after = asdict(old), asdict(new)
    return {name for name in before if before[name] != after[name]}


def test_an_edit_changes_one_thing_and_says_it():
    seen = Counter()
    for old, new, instruction in edits(1500, 6):
        [name] = changed(old, new)
        seen[name] += 1
        value = getattr(new, name)
        synonyms = {"pattern": PATTERN_SYNONYMS, "material": MATERIAL_SYNONYMS}.get(name, COLOR_SYNONYMS)
        words = [word.removeprefix("a ") for word in (value, *synonyms.get(value, ()))]
        assert value == "plain" or any(word in instruction for word in words), instruction
        assert not set("{}") & set(instruction)
    assert set(seen) == {"color", "second_color", "pattern", "material", "other_color"}


def test_an_edit_brings_in_no_held_out_pair():
    for old, new, _ in edits(1500, 7):
        assert is_held_out(old) or not is_held_out(new)
        assert new.color not in (new.second_color, new.other_color)


def test_an_edit_leaves_the_shape_alone():
    for old, new, _ in edits(20, 8):
        before, after = (make_scene(attributes, np.random.default_rng(3)) for attributes in (old, new))
        assert np.array_equal(before[:, :20], after[:, :20])


def test_an_instruction_names_the_color_that_the_pattern_gets():
    for old, new, instruction in edits(1500, 9):
        named = [color for color in COLORS if f" {color} " in f" {instruction} "]
        if changed(old, new) == {"pattern"} and named:
            assert named == [pattern_color(new.color, new.pattern)]


def test_instructions_of_two_objects_never_say_it():
    for _, new, instruction in edits(1500, 10):
        words = instruction.split()
        assert not (new.relation and "it" in words)
        assert not (new.count > 1 and "it" in words)
        assert not (new.count == 1 and "them" in words)
