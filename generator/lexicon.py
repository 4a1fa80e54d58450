"""The words of prompts: what each of them means, for each category.

Captions are written with the few words of words.py; people type many more. The tables stand first, `lexicon` lays them
together. A meaning is a pair (kind, value), where kind is one of
    category, main, second       nouns: a thing, and the two parts of the subject that take a colour
    color, material, style       adjectives
    pattern, patterned           a pattern as a noun ("stripes") and as an adjective ("striped")
    and, of, with, a, is, not    words that hold a sentence together
    number, silent               "two" and words that change nothing
Things in a relation ("on top of") and their count are found first, by subjects.py.
Hyphens are spaces here: "long necked".
"""

# ruff: noqa: SIM905 (tables of words are easier to read and to extend as text)

from __future__ import annotations

from functools import cache

from .grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS, RELATIONS
from .nouns import category_nouns
from .words import COLOR_SYNONYMS, IRREGULAR, MATERIAL_SYNONYMS, PATTERN_SYNONYMS, RELATION_SYNONYMS, plural

Meaning = tuple[str, str]

# Other words for the two parts of a category that take a colour, as the shapes are built.
PART_WORDS: dict[str, tuple[str, str]] = {
    "chair": ("cushion back backrest", "foot frame rocker armrest"),
    "table": ("tabletop surface", "base foot"),
    "sofa": ("cushion back backrest upholstery", "armrest"),
    "lamp": ("lampshade head", "stand foot pole"),
    "mug": ("", "rim"),
    "vase": ("", "neck foot base lip"),
    "teapot": ("", "knob"),
    "bottle": ("neck glass", "cork stopper lid"),
    "house": ("facade", "rooftop"),
    "tower": ("", "battlement"),
    "windmill": ("", "blade vane roof"),
    "lighthouse": ("", "dome gallery"),
    "tree": ("foliage needle canopy frond crown", "bark stem"),
    "mushroom": ("hat", "stalk"),
    "flower": ("bloom head", "stalk leaf"),
    "cactus": ("arm", "planter flowerpot"),
    "car": ("bodywork paint", "roof top spoiler"),
    "truck": ("tank bed trailer box", "cabin bumper"),
    "boat": ("", ""),
    "plane": ("fuselage", "tail rudder"),
    "rocket": ("hull fuselage", "nose tip"),
    "snowman": ("head belly", "scarf"),
    "robot": ("torso head", "arm leg foot track"),
    "duck": ("head feather", "tail"),
    "cat": ("body coat", "tail ear foot"),
    "cake": ("layer", "frosting glaze cream topping"),
    "ice cream": ("ice ball", "waffle wafer"),
    "burger": ("bread", "meat"),
    "sword": ("", "handle grip guard pommel"),
    "shield": ("front", "border edge boss"),
    "chest": ("body", "cover"),
    "barrel": ("body plank", "strap band"),
    "crown": ("circlet", "gem stone pearl"),
    "bed": ("bedspread duvet quilt bedding cover", "headboard footboard bedframe post"),
    "bookshelf": ("shelf board plank", "book"),
    "tent": ("canvas cloth tarp", "pole border edge"),
    "well": ("stone wall", "bucket"),
    "bridge": ("road walkway pier", "rail cable parapet tower"),
    "pumpkin": ("skin shell", "stalk leaf vine"),
    "crystal": ("shard gem jewel", "base stone"),
    "train": ("engine boiler carriage wagon", "chimney funnel bumper"),
    "bus": ("bodywork paint", "top bumper"),
    "helicopter": ("fuselage cabin", "blade propeller tail skid"),
    "balloon": ("bag", "gondola fin cap"),
    "dog": ("body head coat", "paw muzzle snout tail collar"),
    "rabbit": ("body head coat", "tail paw"),
    "fish": ("scale skin", "tail"),
    "penguin": ("body head wing flipper", "shawl"),
    "candle": ("", "stand base candleholder"),
    "gift": ("wrapping wrapper paper", "bow band"),
    "hammer": ("", "shaft grip"),
    "guitar": ("front", "fretboard headstock pickguard"),
    "donut": ("pastry", "glaze frosting topping"),
    "pineapple": ("skin body", "crown top"),
    "fox": ("body head coat leg", "cheek chest belly tail muzzle"),
    "bear": ("body head coat arm leg", "foot muzzle snout belly tail ear"),
    "dinosaur": ("body head scale hide neck tail", "plate spine crest belly foot"),
    "elephant": ("body head hide trunk leg", "foot toe tail"),
    "pig": ("body head hide leg", "snout nose trotter hoof tail"),
    "horse": ("body head fur hide leg", "tail hoof forelock rocker"),
    "cow": ("body head fur hide leg", "patch ear tail"),
    "bird": ("body head plumage", "tail belly breast"),
    "person": ("armour armor robe shirt coat tunic dress outfit", "helmet helm cap"),
    "skull": ("head", "horn crossbone mandible chin"),
    "ghost": ("body cloth shroud", "border edge trim fringe"),
    "street lamp": ("post mast arm base", "globe lantern glass"),
    "hydrant": ("barrel pillar", "bonnet nozzle top lid valve"),
    "sign": ("plate panel face", "pole frame stake stand"),
    "campfire": ("fire flame blaze", "log firewood timber"),
    "rock": ("stone face side", "lichen snow grass"),
    "bench": ("slat plank board back backrest", "foot frame armrest"),
    "axe": ("blade axehead bit edge", "shaft haft grip"),
    "crossbow": ("body tiller butt", "limb prod arm"),
    "key": ("handle grip", "tooth bit stem blade"),
    "hat": ("brim fabric cloth", "ribbon hatband strap"),
    "book": ("binding spine", "paper"),
    "coin": ("disc center middle", "edge border relief emblem star"),
    "pizza": ("topping", "edge base dough"),
    "banana": ("skin", "stem end"),
    "apple": ("peel", "leaf"),
    "tractor": ("hood bonnet cab cabin chassis fender", "rim hub seat"),
    "spaceship": ("body fuselage saucer disc wing", "dome canopy engine thruster fin tail"),
    "tank": ("body armour armor chassis", "gun barrel"),
    "cannon": ("tube muzzle", "mount base wheel"),
    "cart": ("box cover canvas tub side", "spoke rim"),
    "submarine": ("body", "tower porthole rudder"),
    "motorbike": ("fairing frame fender bodywork paint", "rim saddle seat"),
    "digger": ("cab cabin chassis hood", "arm boom bucket blade scoop"),
}
PATTERN_NOUNS: dict[str, str] = {
    "bands": "horizontal stripes",
    "vertical bands": "vertical stripes",
    "stripe": "vertical stripes",
    "checkerboard": "checks",
    "chequers": "checks",
    "squares": "checks",
    "zig zags": "zigzags",
    "zig zag pattern": "zigzags",
    "chevron pattern": "zigzags",
}
PATTERN_ADJECTIVES: dict[str, str] = {
    "unpatterned": "plain",
    "striped": "horizontal stripes",
    "stripy": "horizontal stripes",
    "horizontally striped": "horizontal stripes",
    "horizontal striped": "horizontal stripes",
    "banded": "horizontal stripes",
    "vertically striped": "vertical stripes",
    "vertical striped": "vertical stripes",
    "checkered": "checks",
    "checked": "checks",
    "chequered": "checks",
    "dotted": "polka dots",
    "spotted": "polka dots",
    "polka dot": "polka dots",
    "polka dotted": "polka dots",
    "zigzag": "zigzags",
    "zig zag": "zigzags",
    "zigzagged": "zigzags",
    "chevron": "zigzags",
}
# Words that are read as others; the user is told.
READ_AS: dict[str, str] = {
    **dict.fromkeys(("maroon", "burgundy", "ruby", "cherry", "vermilion", "brick"), "red"),
    **dict.fromkeys(("cobalt", "sapphire", "indigo", "denim"), "blue"),
    **dict.fromkeys(("olive", "mint", "jade"), "green"),
    **dict.fromkeys(("gold", "mustard", "blonde"), "yellow"),
    **dict.fromkeys(("copper", "peach", "apricot", "terracotta", "ginger"), "orange"),
    **dict.fromkeys(("lavender", "lilac", "plum", "mauve"), "purple"),
    **dict.fromkeys(("fuchsia", "salmon", "coral", "strawberry"), "pink"),
    **dict.fromkeys(("pearly", "snowy", "marble"), "white"),
    **dict.fromkeys(("charcoal", "anthracite", "stone", "concrete"), "grey"),
    **dict.fromkeys(("bronze", "chocolate", "caramel", "mahogany", "wood", "oaken", "leather", "rusty"), "brown"),
    **dict.fromkeys(("aqua", "aquamarine"), "teal"),
    **dict.fromkeys(("cream", "creme", "vanilla", "sand", "khaki", "ecru", "straw"), "beige"),
    **dict.fromkeys(("chartreuse",), "lime"),
    **dict.fromkeys(("steel", "iron", "aluminium", "aluminum", "tin"), "metallic"),
    **dict.fromkeys(("polished", "glazed", "lacquered", "porcelain", "plastic", "gleaming"), "glossy"),
    **dict.fromkeys(("mat", "unglazed", "rough"), "matte"),
    **dict.fromkeys(("shining", "radiant", "luminescent", "fluorescent", "lit"), "glowing"),
    **dict.fromkeys(("spherical", "circular", "cylindrical"), "round"),
    **dict.fromkeys(("rectangular", "cubic", "boxlike"), "square"),
    **dict.fromkeys(("old fashioned", "classic"), "vintage"),
}
# Before a colour these name a shade of it, and the model knows one shade of each.
SHADES = frozenset(
    "dark darker light lighter bright pale deep pastel soft vivid muted sky royal baby hot forest jet snow".split()
)
# Words that change nothing, so that nobody need be told of them.
SILENT = (
    "to for it which have has having made from by as very quite so my your please make create generate give me show i "
    "want need there painted coloured colored colour color tone toned hued patterned pattern design style styled 3d "
    "model render rendering object asset prop game mesh lowpoly stylized stylised cartoon cartoonish cute simple "
    "toy single set group collection bunch row image picture photo illustration drawing nice beautiful pretty big "
    "large small little tiny huge giant detailed background camera orbits around orbit turntable view video clip shot "
    "one some something anything thing"
).split() + [
    *("low poly", "high poly", "game ready", "high quality", "white background", "sci fi", "two tone", "two toned"),
    *("well made", "as well"),
]
SENTENCE: dict[str, str] = {
    **dict.fromkeys("a an the its his her their this that these those".split(), "a"),
    **dict.fromkeys("is are in of was were :".split(), "is"),
    **dict.fromkeys(
        "with whose on upon onto atop at near beside alongside under underneath below beneath behind above over "
        "holding wearing carrying plus but".split(),
        "with",
    ),
    **dict.fromkeys(". , ; ! ?".split(), "with"),
    **dict.fromkeys("without no not except never non".split(), "not"),
    **dict.fromkeys("and or".split(), "and"),
}
NUMBERS: dict[str, int] = {
    "two": 2, "pair": 2, "couple": 2, "three": 3, "trio": 3, "four": 4, "quartet": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "dozen": 12,
}  # fmt: skip
SEVERAL = "several many few".split()
# How one thing stands to another, and whether the two change places: "a chest under a duck" is a duck on a chest.
RELATION_WORDS: dict[str, tuple[str, bool]] = {
    **{relation: (relation, False) for relation in RELATIONS[1:]},
    **{word: (relation, False) for relation, synonyms in RELATION_SYNONYMS.items() for word in synonyms},
    **dict.fromkeys(("upon", "onto"), ("on", False)),
    **dict.fromkeys(("under", "underneath", "below", "beneath"), ("on", True)),
    **dict.fromkeys(("near", "alongside", "to the left of", "left of"), ("next to", False)),
    **dict.fromkeys(("to the right of", "right of"), ("next to", True)),
    **dict.fromkeys(("before", "ahead of"), ("in front of", False)),
    "behind": ("in front of", True),
    "and": ("next to", False),
}
POSTURES = frozenset("standing sitting seated lying resting perched perching parked placed set stacked put".split())


@cache
def lexicon(category: str) -> dict[str, Meaning]:
    """Map words and phrases of at most three words to what they mean in a prompt about a category."""
    known = CATEGORIES[category]
    words: dict[str, Meaning] = {word: ("silent", word) for word in SILENT}
    words |= {
        style.replace("-", " "): ("style", style)
        for other in CATEGORIES.values()
        for style in other.styles
        if style not in words
    }
    words |= {noun: ("category", name) for noun, (name, _, _) in category_nouns().items()}
    words |= {word: ("pattern", pattern) for word, pattern in PATTERN_NOUNS.items()}
    for kind, (part, others) in {
        "main": (known.main, PART_WORDS[category][0]),
        "second": (known.second, PART_WORDS[category][1]),
    }.items():
        for noun in (*others.split(), part):
            words |= dict.fromkeys(_forms(noun), (kind, part))
    for kind, values, synonyms in (
        ("color", COLORS, COLOR_SYNONYMS),
        ("material", MATERIALS, MATERIAL_SYNONYMS),
        ("pattern", PATTERNS[1:], PATTERN_SYNONYMS),
    ):
        for value in values:
            words |= {word.removeprefix("a "): (kind, value) for word in (value, *synonyms.get(value, ()))}
    words |= {word: ("patterned", pattern) for word, pattern in PATTERN_ADJECTIVES.items()}
    words[PATTERNS[0]] = ("patterned", PATTERNS[0])
    words |= {word: ("number", word) for word in (*NUMBERS, *SEVERAL)}
    words |= {word: (kind, word) for word, kind in SENTENCE.items()}
    words |= {style.replace("-", " "): ("style", style) for style in known.styles}
    return words | {known.main: ("main", known.main), known.second: ("second", known.second)}


@cache
def all_words() -> dict[str, bool]:
    """Map every single word of every category's lexicon to whether it says anything."""
    words = dict.fromkeys((word for phrase in RELATION_WORDS for word in phrase.split()), True)
    for category in CATEGORIES:
        for phrase, (kind, _) in lexicon(category).items():
            words |= {word: words.get(word, False) or kind != "silent" for word in phrase.split()}
    return words | {word: True for phrase in (*READ_AS, *SHADES) for word in phrase.split()}


def _forms(noun: str) -> set[str]:
    """Return the singular, the plural and the adjective of a part: roof, roofs, roofed."""
    singular = {many: one for one, many in IRREGULAR.items()}.get(noun, noun)
    if singular == noun and noun.endswith("s") and not noun.endswith("ss"):
        singular = noun[:-1]
    worn = {f"{singular}d"} if singular.endswith("e") else {f"{singular}ed", f"{singular}{singular[-1]}ed"}
    return {noun, singular, plural(singular), *worn}
