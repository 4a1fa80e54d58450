"""Prompts of several things: what stands where, and what each part is asked for alone."""

import pytest

from generator.caption import expand


def parts_of(prompt: str) -> tuple:
    scene = expand(prompt).scene
    assert scene is not None
    return scene.relation, [(part.count, part.attributes or part.caption) for part in scene.parts]


def test_the_parts_of_a_scene_have_all_that_is_said_of_each():
    assert expand("a red mug").scene is None
    relation, [(count, mug)] = parts_of("three striped mugs")
    assert (relation, count, mug) == ("", 3, expand("a striped mug").attributes)
    relation, [(first, duck), (second, table)] = parts_of("two ducks on a glossy blue table with dots and red legs")
    assert (relation, first, second) == ("on", 2, 1)
    assert duck == expand("a duck").attributes
    assert table == expand("a glossy square blue table with dots and red legs").attributes
    chairs = "a red table next to two blue chairs"
    assert parts_of(chairs)[1][1][0] == 2
    assert expand(chairs).text.endswith("The chairs are blue.")
    assert parts_of(expand(chairs).text) == parts_of(chairs)
    caption = expand("a duck on a blue table with dots").text
    assert caption.endswith("The table is blue with white polka dots.")


SCENES = {  # prompt: its relation, how many there are of which, and of which others; known ones by category
    "a red dragon on a rock": ("on", "1 a red dragon", "1 rock"),
    "a dragon sitting on a wooden barrel": ("on", "1 a dragon", "1 barrel"),
    "a dragon behind a white house": ("in front of", "1 house", "1 a dragon"),
    "a cat next to a dragon": ("next to", "1 cat", "1 a dragon"),
    "a cat and a dragon": ("next to", "1 cat", "1 a dragon"),
    "a gramophone next to a monkey": ("next to", "1 a gramophone", "1 a monkey"),
    "a fox, a bear and two rabbits on a bench": ("on", "1 fox 1 bear 2 rabbit", "1 bench"),
    "a mug and a teapot on a table": ("on", "1 mug 1 teapot", "1 table"),
    "a table under a mug and a book": ("on", "1 mug 1 book", "1 table"),
    "a fox next to a bear and a rabbit": ("next to", "1 fox", "1 bear 1 rabbit"),
    "a car, a bus and a truck with red wheels": ("", "1 car 1 bus 1 truck", ""),
    "a red mug and a blue mug and a green mug": ("", "1 mug 1 mug 1 mug", ""),
    "a house, a tree, a car, a dog and a cat": ("", "1 house 1 tree 1 car 1 dog", ""),
    "a knight, a dragon and a castle": ("", "1 person 1 a dragon 1 tower", ""),
}


@pytest.mark.parametrize("prompt", SCENES)
def test_one_of_two_may_be_any_thing_and_three_and_more_are_each_a_part(prompt):
    expansion = expand(prompt)
    assert (expansion.text, expansion.attributes) == (prompt, None)
    scene = expansion.scene
    assert scene is not None
    found = (
        " ".join(f"{part.count} {part.attributes.category if part.attributes else part.caption}" for part in side)
        for side in (scene.things, scene.others)
    )
    assert (scene.relation, *found) == SCENES[prompt]
    assert ("four at most" in " ".join(expansion.notes)) == ("a dog and a cat" in prompt)


@pytest.mark.parametrize(
    "prompt",
    ["a red, white and blue rocket", "a mug with a blue handle and a teapot", "a table with a lamp, a mug and a book"],
)
def test_words_of_one_thing_are_no_list(prompt):
    assert expand(prompt).scene is None


@pytest.mark.parametrize(
    "prompt",
    ["a gramophone by a child", "a dragon next to the river", "a dragon with a sword and a shield", "a dragon on legs"],
)
def test_words_that_name_no_second_thing_leave_it_one(prompt):
    expansion = expand(prompt)
    assert (expansion.text, expansion.scene) == (prompt, None)
