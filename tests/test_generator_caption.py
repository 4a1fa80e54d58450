"""Prompts: captions read back to their attributes, typed prompts mean what an artist means, and notes say the rest."""

# ruff: noqa: C408 (tables of attributes are easier to read as keywords)

import numpy as np
import pytest

from generator.caption import expand
from generator.grammar import CATEGORIES, COLORS, PATTERNS, RELATIONS, Attributes, sample_attributes
from generator.lexicon import PART_WORDS, READ_AS, lexicon
from generator.nouns import KINDS, USUAL, category_nouns, look, looks
from generator.spelling import meant, split
from generator.words import ALL, long_caption, phrase, plural


def drawn(num: int, seed: int) -> list[Attributes]:
    rng = np.random.default_rng(seed)
    return [sample_attributes(rng, None) for _ in range(num)]


# Round trips


@pytest.mark.parametrize("has_synonyms", [False, True])
@pytest.mark.parametrize("write", [long_caption, phrase])
def test_a_caption_reads_back_to_its_attributes(write, has_synonyms):
    rng = np.random.default_rng(3) if has_synonyms else None
    for attributes in drawn(1500, 2):
        caption = write(attributes, ALL, rng)
        expansion = expand(caption)
        assert expansion.attributes == attributes, caption
        assert expansion.notes == (), caption


def test_what_the_words_set_is_told_from_what_one_would_expect():
    assert expand("a mug").said == {"category"}
    assert expand("a red mug with zigzags").said == {"category", "color", "pattern"}
    assert expand("a round shiny mug with a blue handle").said == {"category", "style", "material", "second_color"}
    assert expand("a griffin").said == set()


def test_an_expansion_expands_to_itself():
    for attributes in drawn(300, 4):
        text = expand(phrase(attributes, {"color", "pattern"})).text
        assert expand(text).text == text


def test_letters_case_and_dashes_do_not_matter():
    for attributes in drawn(200, 5):
        caption = phrase(attributes, ALL)
        for typed in (caption.upper(), caption.replace(" ", "-"), caption.replace(" ", "  "), f"«{caption}»!?"):
            assert expand(typed).attributes == attributes, typed


# What an artist types: the category, and of the rest what the prompt says

PROMPTS = {
    "red and white striped lighthouse": dict(category="lighthouse", color="red", pattern="horizontal stripes"),
    "a low-poly pine tree": dict(category="tree", style="pine"),
    "shiny metal robot with orange limbs": dict(category="robot", second_color="orange", material="metallic"),
    "blue sports car with black cabin": dict(category="car", style="sports", color="blue", second_color="black"),
    "blue and white vase": dict(category="vase", color="blue", second_color="white", pattern="plain"),
    "a polka-dotted teapot": dict(category="teapot", pattern="polka dots"),
    "a wooden chair with a green seat": dict(category="chair", color="green", second_color="brown"),
    "wooden table": dict(category="table", color="brown"),
    "Navy Blue MUG, glossy!": dict(category="mug", color="blue", material="glossy"),
    "a house with red roof and white walls": dict(category="house", color="white", second_color="red"),
    "a red-roofed white house": dict(category="house", color="white", second_color="red"),
    "house, walls: green, roof: black": dict(category="house", color="green", second_color="black"),
    "the body is red and the handle is blue. a mug": dict(category="mug", color="red", second_color="blue"),
    "robot with body red and limbs yellow": dict(category="robot", color="red", second_color="yellow"),
    "a sword whose blade is teal and hilt is purple": dict(category="sword", color="teal", second_color="purple"),
    "lamp with a green shade and a black base": dict(category="lamp", color="green", second_color="black"),
    "a car in green with its cabin in white": dict(category="car", color="green", second_color="white"),
    "car painted red with a white roof": dict(category="car", color="red", second_color="white"),
    "green cactus in an orange pot": dict(category="cactus", color="green", second_color="orange"),
    "an ice cream truck, pink and white": dict(category="truck", color="pink", second_color="white"),
    "black and white cat": dict(category="cat", color="black", second_color="white"),
    "a pirate ship with black sails": dict(category="boat", style="pirate", second_color="black"),
    "pine": dict(category="tree", style="pine"),
    "office chair": dict(category="chair", style="office"),
    "a castle": dict(category="tower", style="twin"),
    "teal swan": dict(category="duck", style="long-necked", color="teal"),
    "tower shield": dict(category="shield", style="tower"),
    "a red rose": dict(category="flower", color="red"),
    "a bottle of wine": dict(category="bottle", style="wine"),
    "a donut": dict(category="donut", color="beige", second_color="pink", pattern="plain"),
    "a purple donut": dict(category="donut", color="beige", second_color="purple", pattern="plain"),
    "a glazed donut, purple": dict(category="donut", color="beige", second_color="purple", pattern="plain"),
    "a donut with purple icing": dict(category="donut", color="beige", second_color="purple", pattern="plain"),
    "a purple donut with white icing": dict(category="donut", color="purple", second_color="white", pattern="plain"),
    "a purple donut with brown dough": dict(category="donut", color="brown", second_color="purple", pattern="plain"),
    "a purple donut with stripes": dict(
        category="donut", color="purple", second_color="pink", pattern="vertical stripes"
    ),
    "a beige donut": dict(category="donut", color="beige", second_color="pink", pattern="plain"),
    "horizontally striped blue mug": dict(category="mug", color="blue", pattern="horizontal stripes"),
    "a blue mug with a checkered pattern": dict(category="mug", color="blue", pattern="checks"),
    "a mug with red and white stripes": dict(category="mug", color="red", pattern="vertical stripes"),
    "a mug with black dots": dict(category="mug", pattern="polka dots", color="white"),
    "chequered purple snowman": dict(category="snowman", color="purple", pattern="checks"),
    "a table with dark legs, black": dict(category="table"),
    "barrel with black hoops": dict(category="barrel", second_color="black"),
    "burger": dict(category="burger", pattern="plain", material="matte"),
    "a red zigzag vase": dict(category="vase", color="red", pattern="zigzags"),
    "a vase with a chevron pattern": dict(category="vase", pattern="zigzags"),
    "a neon green robot": dict(category="robot", color="green", material="glowing"),
    "a luminous tan mushroom with a lime green stem": dict(color="beige", second_color="lime", material="glowing"),
    "a table with plates and mugs": dict(category="table", count=1, relation=""),
    "a lamp on its base": dict(category="lamp", count=1, relation=""),
    "a bus, and it is red and white": dict(category="bus", color="red", second_color="white", relation=""),
    "a truck with a blue bed and a red cab": dict(category="truck", relation="", color="blue", second_color="red"),
    # Counts
    "two red mugs": dict(category="mug", color="red", count=2),
    "a pair of red mugs with blue handles": dict(category="mug", color="red", second_color="blue", count=2),
    "3 barrels": dict(category="barrel", count=3),
    "a set of four glowing green cacti": dict(category="cactus", color="green", material="glowing", count=4),
    "three small pine trees": dict(category="tree", style="pine", count=3),
    "a couple of snowmen": dict(category="snowman", count=2),
    "two fish": dict(category="fish", count=2),
    "three red duck": dict(category="duck", color="red", count=3),
    "two tone car": dict(category="car", count=1),
    "one duck": dict(category="duck", count=1),
    # Relations
    "a red duck on a blue chest": dict(
        category="duck", color="red", relation="on", other_category="chest", other_style="flat", other_color="blue"
    ),
    "a white cat sitting on top of a red sofa": dict(
        category="cat", style="sitting", color="white", relation="on", other_category="sofa", other_color="red"
    ),
    "a robot standing atop the long table": dict(
        category="robot", relation="on", other_category="table", other_style="long", other_color="brown"
    ),
    "a wooden chest under a crown with teal jewels": dict(
        category="crown", second_color="teal", relation="on", other_category="chest", other_color="brown"
    ),
    "a dog beside a tent": dict(category="dog", relation="next to", other_category="tent"),
    "a teal mug by a teapot": dict(category="mug", color="teal", relation="next to", other_category="teapot"),
    "a rocket to the right of a lighthouse": dict(
        category="lighthouse", relation="next to", other_category="rocket", other_color="red"
    ),
    "a red mug and a blue teapot": dict(
        category="mug", color="red", relation="next to", other_category="teapot", other_color="blue"
    ),
    "a striped car in front of the house, metallic": dict(
        category="car",
        pattern="horizontal stripes",
        material="metallic",
        relation="in front of",
        other_category="house",
        other_color="white",
    ),
    "a robot behind a green chair": dict(
        category="chair", color="green", relation="in front of", other_category="robot", other_color="grey"
    ),
    "a mug next to a truck. The handle is pink. The truck is lime.": dict(
        category="mug", second_color="pink", relation="next to", other_category="truck", other_color="lime"
    ),
    "a brown table with a red striped mug on top of it": dict(
        category="mug", color="red", relation="on", other_category="table", other_color="brown"
    ),
    "a house with a tree next to it.": dict(category="tree", relation="next to", other_category="house"),
    "a red car with a white house behind it": dict(
        category="car", color="red", relation="in front of", other_category="house", other_color="white"
    ),
    "a house with a red roof on it": dict(category="house", second_color="red", relation=""),
    "a truck next to a bed. The bed is lime.": dict(category="truck", other_category="bed", other_color="lime"),
    "a red mug next to a blue mug": dict(
        category="mug", color="red", count=1, relation="next to", other_category="mug", other_color="blue"
    ),
    "two ducks on a table": dict(category="duck", count=2, relation="on", other_category="table"),
}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_means(prompt):
    attributes = expand(prompt).attributes
    assert {name: getattr(attributes, name) for name in PROMPTS[prompt]} == PROMPTS[prompt]


UNDERSTOOD = [prompt for prompt in PROMPTS if not any(word in prompt for word in ("dark", "ice cream", "plates"))]


@pytest.mark.parametrize("prompt", UNDERSTOOD)
def test_a_prompt_that_is_understood_has_no_note(prompt):
    assert expand(prompt).notes == ()


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_bare_noun_gets_what_one_expects(category):
    attributes = expand(f"a {category}").attributes
    assert (attributes.color, attributes.second_color) == USUAL.get(category, CATEGORIES[category].natural)
    assert attributes.style == CATEGORIES[category].styles[0]


@pytest.mark.parametrize(
    ("prompt", "color", "second"),
    [
        ("a red mug", "red", "red"),
        ("a red striped mug", "red", "red"),
        ("a red mug with a blue handle", "red", "blue"),
        ("a mug with a blue handle", "white", "blue"),
        ("a wooden bench", "brown", "brown"),
        ("a red fire hydrant", "red", "red"),
        ("a blue key", "blue", "blue"),
        ("a black cat", "black", "black"),
        ("an orange cat", "orange", "white"),
        ("a yellow school bus", "yellow", "yellow"),
        ("a red school bus", "red", "red"),
        ("a blue police car", "blue", "white"),
        ("a red car", "red", "black"),
        ("a black car", "black", "black"),
        ("a brown tree", "brown", "brown"),
        ("a white sailing boat", "white", "white"),
        ("a blue motorbike", "blue", "black"),
    ],
)
def test_what_is_of_one_colour_has_it_all_over(prompt, color, second):
    attributes = expand(prompt).attributes
    assert (attributes.color, attributes.second_color) == (color, second)
    assert expand(long_caption(attributes)).attributes == attributes


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_word_for_a_part_takes_a_colour(category):
    known = CATEGORIES[category]
    for slot, words in zip(("color", "second_color"), PART_WORDS[category]):
        for part in (*words.split(), known.main if slot == "color" else known.second):
            expansion = expand(f"a {category} with a purple {part}")
            assert getattr(expansion.attributes, slot) == "purple", part
            assert expansion.notes == (), part


@pytest.mark.parametrize("noun", KINDS)
def test_a_noun_with_a_style_makes_it(noun):
    category, style, *_ = KINDS[noun]
    attributes = expand(noun).attributes
    assert attributes.category == category
    assert attributes.style == (style or CATEGORIES[category].styles[0])


@pytest.mark.parametrize("noun", [noun for noun in KINDS if noun in looks()])
def test_a_noun_with_a_look_has_it_where_the_prompt_says_no_other(noun):
    category = category_nouns()[noun][0]
    color, second, pattern = look(noun, category)
    assert {color, second} <= set(COLORS)
    assert pattern in PATTERNS
    made = expand(f"a {noun}").attributes
    assert (made.color, made.second_color, made.pattern) == (color, second, pattern)
    many = expand(f"two {plural(noun)}").attributes
    assert (many.count, many.color, many.second_color, many.pattern) == (2, color, second, pattern)
    other = next(name for name in ("teal", "lime") if name not in (color, second))
    said = expand(f"a plain {other} {noun}").attributes
    assert (said.color, said.second_color, said.pattern) == (other, other if color == second else second, "plain")


@pytest.mark.parametrize(
    ("prompt", "style", "color"),
    [
        ("a slice of pizza", "triangular", "yellow"),
        ("a stack of red coins", "stacked", "red"),
        ("pile of mossy grey rocks", "stacked", "grey"),
        ("two bunches of bananas", "bunched", "yellow"),
    ],
)
def test_a_part_of_things_is_read_as_its_name(prompt, style, color):
    attributes = expand(prompt).attributes
    assert (attributes.style, attributes.color) == (style, color)


def test_a_said_style_beats_that_of_the_noun():
    assert expand("a rubber goose").attributes.style == "rubber"


# Notes: prompt, words of the note, and what is made nonetheless

NOTES = {
    "red mugs": ("How many is not said: three mugs", dict(category="mug", color="red", count=3)),
    "several chairs": ("'several' are read as three", dict(category="chair", count=3)),
    "six barrels": ("counts to four; 'six' is read so", dict(category="barrel", count=4)),
    "a mug with two handles": ("counts things, not their parts; 'two'", dict(category="mug", count=1)),
    "three-seat sofa": ("'three' is left out", dict(category="sofa", count=1)),
    "a two seater sofa": ("'two' is left out", dict(category="sofa", count=1)),
    "ducks on a table": ("How many is not said: three ducks", dict(category="duck", count=3, relation="on")),
    "a duck on a pumpkin": ("seen nothing stand on such a pumpkin", dict(relation="on", other_category="pumpkin")),
    "a cat on a sofa next to a lamp": ("The lamp is left out", dict(category="cat", other_category="sofa")),
    "a house with a tree": ("The tree is left out, the house is made", dict(category="house", relation="")),
    "yelow rubbr duck": ("Read 'rubbr' as 'rubber'", dict(category="duck", style="rubber", color="yellow")),
    "tabel with blak legs": ("Read 'tabel' as 'table'", dict(category="table", second_color="black")),
    "a maroon mug": ("Read 'maroon' as 'red'", dict(color="red")),
    "a dark green mug": ("one shade of each colour; 'dark'", dict(color="green")),
    "blue car with golden wheels": (
        "does not know 'wheels' and leaves it out, with its colour; body and cabin take colours",
        dict(color="blue", second_color="black"),
    ),
    "a blue car. The wheels are golden": ("'wheels' and leaves it out, with its colour", dict(second_color="black")),
    "robot with glowing red eyes": ("'eyes' and leaves it out, with its colour", dict(color="grey")),
    "a fluffy red cat": ("does not know 'fluffy'", dict(category="cat", color="red")),
    "an ice cream truck": ("The ice cream is left out", dict(category="truck")),
    "a vintage chair": ("no vintage chair; there are: dining, office, rocking", dict(style="dining")),
    "a tall round vase": ("One style at a time: tall is taken, round is left out", dict(style="tall")),
    "a red white and blue rocket": ("Two colours at most; blue", dict(color="red", second_color="white")),
    "a red mug with a green and blue handle": ("Each part has one colour; blue", dict(second_color="green")),
    "a red car, the body is blue": ("The colour of the body is red already; blue", dict(color="red")),
    "a white mug with red stripes": ("Made red with white vertical stripes", dict(color="red")),
    "a white mug with black stripes": ("Made black with white vertical stripes", dict(color="black")),
    "a black and yellow striped mug": ("Made yellow with black horizontal stripes", dict(color="yellow")),
    "a blue mug with green dots": ("On blue the model makes polka dots white, not green", dict(color="blue")),
    "a viking boat, red and white striped sails": (
        "Patterns lie on hull alone, not on sails",
        dict(pattern="plain", second_color="red"),
    ),
    "a mug, its handle is striped": ("Patterns lie on body alone, not on handle", dict(pattern="plain")),
    "a gold-rimmed blue teapot": ("'rimmed' and leaves it out, with its colour", dict(color="blue")),
    "a striped mug with dots": ("One pattern at a time: horizontal stripes is taken", dict(category="mug")),
    "a house without a roof": ("'without' is not understood", dict(category="house")),
    "a mug that is not red": ("'not' is not understood", dict(color="blue")),
    "красный mug": ("reads English only and leaves out 'красный'", dict(category="mug")),
    "红色的 mug": ("reads English only", dict(category="mug")),
}


@pytest.mark.parametrize("prompt", NOTES)
def test_a_note_says_what_was_not_taken(prompt):
    words, expected = NOTES[prompt]
    expansion = expand(prompt)
    assert any(words in note for note in expansion.notes), expansion.notes
    assert {name: getattr(expansion.attributes, name) for name in expected} == expected
    assert all(note[0].isupper() or note[0] == "'" for note in expansion.notes)
    assert all(note.endswith(".") for note in expansion.notes)
    assert len(set(expansion.notes)) == len(expansion.notes)


FREE = {  # prompt: the caption, and the noun that is not of the vocabulary
    "A thin, brown Wooden arrow with a grey metal tip!": ("a thin, brown wooden arrow with a grey metal tip", "arrow"),
    "  a dragon  ": ("a dragon", "dragon"),
    "a red lasagne with green stripes": ("a red lasagne with green stripes", "lasagne"),
    "a dragon on a chest": ("a dragon on a chest", "dragon"),
    "a dragon next to a table": ("a dragon next to a table", "dragon"),
    "a checkered flag on a boat": ("a checkered flag on a boat", "flag"),
    "a statue of a cat": ("a statue of a cat", "statue"),
    "mug rack": ("mug rack", "rack"),
    "a yelow ladder": ("a yellow ladder", "ladder"),
    "a gramophone": ("a gramophone", "gramophone"),
    "a monkey, big and red": ("a monkey, big and red", "monkey"),
    "the ladder": ("the ladder", "ladder"),
    "a ladder with seven rungs": ("a ladder with seven rungs", "ladder"),
    "yellow mango": ("yellow mango", "mango"),
    "a grey dome": ("a grey dome", "dome"),
}


@pytest.mark.parametrize("prompt", FREE)
def test_a_thing_outside_the_vocabulary_stays_in_the_users_words(prompt):
    expansion, (text, noun) = expand(prompt), FREE[prompt]
    assert expansion.text == text
    assert expansion.attributes is None
    assert f"{noun!r} lies outside the words that the model knows best: the result may vary." in expansion.notes
    assert expand(text).text == text


def test_colors_that_are_left_out_leave_no_trace():
    for color in COLORS:
        assert expand(f"a {color} mug with purple wheels").attributes == expand(f"a {color} mug").attributes


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "holds no words"),
        ("  \n", "holds no words"),
        ("!!! ...", "holds no words"),
        ("🍔", "holds no words"),
        ("42", "holds no words"),
        ("красная кружка", "reads English only"),
        ("赤いマグカップ", "reads English only"),
        ("orange", "names no thing"),
        ("something shiny and red", "names no thing"),
        ("with stripes", "names no thing"),
    ],
)
def test_a_prompt_without_a_thing_is_refused_with_the_cure(prompt, words):
    with pytest.raises(ValueError, match=words) as error:
        expand(prompt)
    assert 'as in "a red mug with a blue handle"' in str(error.value)


def test_the_same_prompt_gives_the_same_expansion():
    for prompt in (*NOTES, *PROMPTS):
        assert expand(prompt) == expand(prompt)


def test_any_words_in_any_order_give_a_possible_scene():
    """Whatever is typed, the result can be built."""
    rng = np.random.default_rng(6)
    words = sorted({word for category in CATEGORIES for word in lexicon(category)} | set(READ_AS) | {"muug", "qwrt"})
    for _ in range(60):
        prompt = " ".join(rng.choice(words, rng.integers(0, 9)))
        try:
            attributes = expand(f"a mug, {prompt}").attributes
        except ValueError as error:
            pytest.fail(f"{prompt}: {error}")
        assert "mug" in (attributes.category, attributes.other_category)
        assert attributes.style in CATEGORIES[attributes.category].styles
        assert attributes.relation in RELATIONS
        assert {attributes.color, attributes.second_color} <= set(COLORS)
        assert attributes.pattern in PATTERNS


def test_a_long_text_is_read_to_its_end():
    attributes = expand(f"A mug. {'It stands there. ' * 300} The handle is purple.").attributes
    assert attributes.second_color == "purple"


# The lexicon and the spelling


def test_every_plural_is_known():
    nouns = category_nouns()
    for many in ("mugs", "boxes of mugs", "ducks", "cacti", "snowmen", "geese", "knives", "lorries", "ice creams"):
        assert nouns.get(many.split(" of ")[-1], ("", "", False))[2], many


def test_words_that_are_read_as_others_are_not_known_themselves():
    everywhere = set.intersection(*(set(lexicon(category)) for category in CATEGORIES))
    assert set(READ_AS.values()) <= everywhere
    assert not set(READ_AS) & everywhere


def test_split_cuts_words_and_stops():
    assert split("A cat’s Low-Poly, crème/brûlée hat_3D!") == [
        *("a", "cat", "low", "poly", ",", "creme", "brulee", "hat", "3d", "!")
    ]
    assert split("Straße ЁЖ") == ["strasse", "ёж"]


def test_typing_errors_are_corrected_and_english_words_are_not():
    typed = {"vaze": "vase", "chiar": "chair", "rde": "red", "lihgthouse": "lighthouse", "metalic": "metallic"}
    assert {word: meant(word) for word in typed} == typed
    for word in ("horse", "coat", "bat", "cart", "crow", "towel", "plant", "mouse", "planet"):
        assert meant(word) == word
    for word in ("pinecone", "pallet", "gramophone", "hatchback"):  # two edits from all that begins as they do
        assert meant(word) == word
    for category in CATEGORIES:
        assert all(meant(word) == word for phrase in lexicon(category) for word in phrase.split())
