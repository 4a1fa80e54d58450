"""An instruction becomes the caption of what is wanted, or is refused with a sentence that helps."""

import contextlib

import numpy as np
import pytest

from generator.caption import expand
from generator.grammar import sample_attributes
from generator.instruction import read_instruction, whole_prompt
from generator.words import long_caption, sample_edit

MUG = expand("a red mug with a blue handle").text
STRIPED = expand("a red mug with white vertical stripes and a blue handle").text
ON_TABLE = expand("a red mug with a blue handle on a brown table").text
HELMET = expand("a glossy viking helmet with red horns").text


def said(caption: str, instruction: str) -> str:
    return read_instruction(caption, instruction).target.removeprefix("A 3D model of ")


@pytest.mark.parametrize(
    ("instruction", "target"),
    [
        ("turn the handle green", "a tall mug, matte. The body is plain red. The handle is green."),
        ("the handle should be green", "a tall mug, matte. The body is plain red. The handle is green."),
        ("green handle!", "a tall mug, matte. The body is plain red. The handle is green."),
        ("Change the handle to green.", "a tall mug, matte. The body is plain red. The handle is green."),
        ("paint it yellow", "a tall mug, matte. The body is plain yellow. The handle is blue."),
        ("make the whole thing teal", "a tall mug, matte. The body is plain teal. The handle is blue."),
        ("make it blue with checks", "a tall mug, matte. The body is blue with white checks. The handle is blue."),
        ("make it wooden", "a tall mug, matte. The body is plain brown. The handle is blue."),
        ("make it metallic", "a tall mug, metallic. The body is plain red. The handle is blue."),
        ("give it polka dots", "a tall mug, matte. The body is red with white polka dots. The handle is blue."),
        ("change the red to blue", "a tall mug, matte. The body is plain blue. The handle is blue."),
        ("swap the colours", "a tall mug, matte. The body is plain blue. The handle is red."),
        (
            "make the body green and the handle yellow",
            "a tall mug, matte. The body is plain green. The handle is yellow.",
        ),
    ],
)
def test_a_look_changes_and_the_shape_stays(instruction, target):
    change = read_instruction(MUG, instruction)
    assert change.target == f"A 3D model of {target}"
    assert change.source == MUG
    assert change.keeps_shape
    assert change.recolors == (" with " not in target)


@pytest.mark.parametrize(
    ("caption", "instruction", "target"),
    [
        (MUG, "make it wider", "a wide mug, matte. The body is plain red. The handle is blue."),
        (MUG, "turn it into a chair", "a dining chair, matte. The seat is plain red. The legs are blue."),
        (
            MUG,
            "turn it into a zebra",
            "a standing horse, matte. The coat is black with white vertical stripes. The mane is white.",
        ),
        (
            MUG,
            "turn it into a lime zebra",
            "a standing horse, matte. The coat is lime with black vertical stripes. The mane is white.",
        ),
        (MUG, "turn it into a yellow chair", "a dining chair, matte. The seat is plain yellow. The legs are blue."),
        (MUG, "replace the mug with a teapot", "a round teapot, matte. The body is plain red. The lid is blue."),
        (MUG, "three of them", "three tall mugs, matte. The bodies are plain red. The handles are blue."),
        (MUG, "add another mug", "two tall mugs, matte. The bodies are plain red. The handles are blue."),
        (
            MUG,
            "put it on a wooden table",
            "a tall mug on a square table, matte. The body is plain red. The handle is blue. The table is brown.",
        ),
        (
            MUG,
            "with a yellow duck next to it",
            "a tall mug next to a rubber duck, matte. The body is plain red. The handle is blue. The duck is yellow.",
        ),
        (ON_TABLE, "remove the table", "a tall mug, matte. The body is plain red. The handle is blue."),
        (MUG, "-> a green cactus", "a tall cactus, matte. The body is plain green. The pot is orange."),
    ],
)
def test_things_are_replaced_added_and_taken_away(caption, instruction, target):
    assert said(caption, instruction) == target
    assert not read_instruction(caption, instruction).keeps_shape


@pytest.mark.parametrize(
    ("prompt", "instruction", "target"),
    [
        (
            "a rearing brown horse",
            "turn the horse into a zebra",
            "a standing horse, matte. The coat is black with white vertical stripes. The mane is white.",
        ),
        (
            "a red sports car",
            "turn it into a taxi",
            "a compact car, matte. The body is plain yellow. The cabin is black.",
        ),
        (
            "a tall red mug",
            "replace the mug with a teacup",
            "a round mug, matte. The body is plain red. The handle is red.",
        ),
    ],
)
def test_a_thing_becomes_another_of_its_kind(prompt, instruction, target):
    assert said(expand(prompt).text, instruction) == target


@pytest.mark.parametrize(
    ("instruction", "body", "handle", "recolors"),
    [
        ("paint it blue", "blue", "blue", True),
        ("make the mug blue", "blue", "blue", True),
        ("make the body blue", "blue", "red", False),
        ("make the handle blue", "red", "blue", False),
        ("paint it blue with a red handle", "blue", "red", False),
    ],
)
def test_what_is_of_one_colour_changes_as_a_whole_or_in_part(instruction, body, handle, recolors):
    """A map of colours cannot tell two parts of one colour."""
    change = read_instruction(expand("a red mug").text, instruction)
    assert change.target == f"A 3D model of a tall mug, matte. The body is plain {body}. The handle is {handle}."
    assert (change.keeps_shape, change.recolors) == (True, recolors)


def test_patterns_go_and_change():
    assert read_instruction(STRIPED, "remove the stripes").target == MUG
    assert read_instruction(STRIPED, "make it plain").target == MUG
    assert "white polka dots" in said(STRIPED, "replace the stripes with dots")


def test_a_pattern_that_takes_another_colour_is_no_recolouring():
    """Stripes are white on red and on blue, black on yellow."""
    assert read_instruction(STRIPED, "paint it blue").recolors
    assert not read_instruction(STRIPED, "paint it yellow").recolors
    assert read_instruction(STRIPED, "paint it yellow").keeps_shape


def test_of_two_things_the_one_that_is_named_changes():
    assert said(ON_TABLE, "make the table green").endswith("The handle is blue. The table is green.")
    assert said(ON_TABLE, "turn the table into a barrel").startswith("a tall mug on a bulging barrel, matte.")
    assert said(ON_TABLE, "turn the mug into a vase").startswith("a round vase on a square table, matte.")
    assert said(ON_TABLE, "turn the handle yellow").endswith("The handle is yellow. The table is brown.")


@pytest.mark.parametrize(
    ("instruction", "sentence"),
    [
        ("make it flurbish", "is not understood. Say"),
        ("turn it into a mug", "changes nothing here"),
        ("make this a cup", "changes nothing here"),
        ("bigger please", "is not understood. Say"),
        ("add a wheel", "is not understood. Say"),
        ("without the handle", "makes no mug without its handle"),
        ("make the wings blue", "knows no 'wings' of a mug. Body and handle take colours"),
        ("make the handel green", "the nearest word it knows is 'handle'"),
        ("make it red", "changes nothing here"),
        ("...", "holds no words"),
        ("->", "holds no words"),
    ],
)
def test_what_cannot_be_said_is_refused_with_what_can(instruction, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_instruction(MUG, instruction)


def test_captions_in_own_words_are_edited_word_by_word():
    assert said(HELMET, "make it blue") == "a glossy blue viking helmet with red horns"
    assert said(HELMET, "make the horns yellow") == "a glossy viking helmet with yellow horns"
    assert said(HELMET, "make it metallic") == "a metallic viking helmet with red horns"
    assert said(HELMET, "add stripes") == "a glossy viking helmet with red horns and vertical stripes"
    with pytest.raises(ValueError, match="whole new prompt"):
        read_instruction(HELMET, "remove the horns")


def test_a_prompt_that_says_the_same_is_refused():
    with pytest.raises(ValueError, match="changes nothing"):
        whole_prompt(MUG, "a red mug with a blue handle")


def test_the_instructions_that_training_writes_are_read():
    """The grammar writes an instruction for each change of one attribute: its own words must mean that change."""
    rng, right, num = np.random.default_rng(3), 0, 120
    for _ in range(num):
        before = sample_attributes(rng, None)
        after, instruction = sample_edit(before, rng)
        with contextlib.suppress(ValueError):
            right += read_instruction(long_caption(before), instruction).target == long_caption(after)
    assert right == num
