"""The words of prompts: what each of them means, for each category.

Captions are written with the few words of words.py; people type many more. The tables stand first, `lexicon` lays them
together. A meaning is a pair (kind, value), where kind is one of
    category, main, second       nouns: a thing, and the two parts of the subject that take a colour
    color, material, style       adjectives
    pattern, patterned           a pattern as a noun ("stripes") and as an adjective ("striped")
    and, of, with, a, is, not    words that hold a sentence together
    number, silent               "two", and words that change nothing
Hyphens are spaces here: "long necked".
"""

# ruff: noqa: SIM905 (tables of words are easier to read and to extend as text)

from __future__ import annotations

from functools import cache

from .grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS
from .words import COLOR_SYNONYMS, MATERIAL_SYNONYMS, PATTERN_SYNONYMS

Meaning = tuple[str, str]

# Nouns that name a category and often a style of it at once.
KINDS: dict[str, tuple[str, str]] = {
    "rocking chair": ("chair", "rocking"),
    "swivel chair": ("chair", "office"),
    "dining table": ("table", "long"),
    "coffee table": ("table", "square"),
    "armchair": ("sofa", "small"),
    "loveseat": ("sofa", "small"),
    "floor lamp": ("lamp", "standing"),
    "desk lamp": ("lamp", "reading"),
    "table lamp": ("lamp", "bedside"),
    "coffee mug": ("mug", ""),
    "coffee cup": ("mug", ""),
    "beer mug": ("mug", "tall"),
    "teacup": ("mug", "round"),
    "tea cup": ("mug", "round"),
    "flower vase": ("vase", ""),
    "tea pot": ("teapot", ""),
    "hut": ("house", "round"),
    "skyscraper": ("house", "tall"),
    "castle": ("tower", "twin"),
    "fortress": ("tower", "twin"),
    "light house": ("lighthouse", ""),
    "fir": ("tree", "pine"),
    "pine": ("tree", "pine"),
    "spruce": ("tree", "pine"),
    "palm": ("tree", "palm"),
    "christmas tree": ("tree", "pine"),
    "apple tree": ("tree", "round"),
    "oak": ("tree", "round"),
    "tulip": ("flower", "tulip"),
    "daisy": ("flower", "daisy"),
    "sunflower": ("flower", "daisy"),
    "houseplant": ("flower", "potted"),
    "house plant": ("flower", "potted"),
    "potted plant": ("flower", "potted"),
    "sportscar": ("car", "sports"),
    "sport car": ("car", "sports"),
    "race car": ("car", "sports"),
    "racing car": ("car", "sports"),
    "oldtimer": ("car", "vintage"),
    "dump truck": ("truck", "dump"),
    "tanker": ("truck", "tanker"),
    "sailboat": ("boat", "sailing"),
    "sailing boat": ("boat", "sailing"),
    "pirate ship": ("boat", "pirate"),
    "galleon": ("boat", "pirate"),
    "longship": ("boat", "viking"),
    "jet": ("plane", "jet"),
    "airliner": ("plane", "passenger"),
    "biplane": ("plane", "propeller"),
    "snow man": ("snowman", ""),
    "goose": ("duck", "long-necked"),
    "swan": ("duck", "long-necked"),
    "chick": ("duck", "baby"),
    "sandwich": ("burger", "square"),
    "katana": ("sword", "curved"),
    "scimitar": ("sword", "curved"),
    "longsword": ("sword", "broad"),
    "broadsword": ("sword", "broad"),
    "knife": ("sword", "short"),
    "shortsword": ("sword", "short"),
}
COLOR_NOUNS = {"rose": ("flower", "tulip")}  # colours before a noun; things where there is none

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
}
PATTERN_NOUNS: dict[str, str] = {
    "bands": "horizontal stripes",
    "vertical bands": "vertical stripes",
    "stripe": "vertical stripes",
    "checkerboard": "checks",
    "chequers": "checks",
    "squares": "checks",
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
}
# Words that are read as others; the user is told.
READ_AS: dict[str, str] = {
    **dict.fromkeys(("maroon", "burgundy", "ruby", "cherry", "vermilion"), "red"),
    **dict.fromkeys(("cobalt", "sapphire", "indigo", "denim"), "blue"),
    **dict.fromkeys(("lime", "olive", "mint", "jade", "khaki"), "green"),
    **dict.fromkeys(("gold", "mustard", "blonde", "banana"), "yellow"),
    **dict.fromkeys(("copper", "peach", "apricot", "terracotta", "ginger"), "orange"),
    **dict.fromkeys(("lavender", "lilac", "plum", "mauve"), "purple"),
    **dict.fromkeys(("fuchsia", "salmon", "coral", "strawberry"), "pink"),
    **dict.fromkeys(("cream", "creme", "beige", "vanilla", "pearly", "snowy"), "white"),
    **dict.fromkeys(("charcoal", "anthracite"), "grey"),
    **dict.fromkeys(("bronze", "tan", "chocolate", "caramel", "mahogany", "wood", "oaken"), "brown"),
    **dict.fromkeys(("aqua", "aquamarine"), "teal"),
    **dict.fromkeys(("steel", "iron", "aluminium", "aluminum", "tin"), "metallic"),
    **dict.fromkeys(("polished", "glazed", "lacquered", "porcelain", "plastic", "gleaming"), "glossy"),
    **dict.fromkeys(("mat", "unglazed", "rough"), "matte"),
    **dict.fromkeys(("spherical", "circular", "cylindrical"), "round"),
    **dict.fromkeys(("rectangular", "cubic", "boxlike"), "square"),
    **dict.fromkeys(("old fashioned", "classic"), "vintage"),
}
# Before a colour these name a shade of it, and the model knows one shade of each.
SHADES = frozenset(
    "dark darker light lighter bright pale deep pastel neon soft vivid muted sky royal baby hot forest jet snow".split()
)
# Words that change nothing, so that nobody need be told of them.
SILENT = (
    "to for it which have has having made from by as very quite so my your please make create generate give me show i "
    "want need there painted coloured colored colour color tone toned hued patterned pattern design style styled 3d "
    "model render rendering object asset prop game mesh lowpoly stylized stylised cartoon cartoonish cute simple "
    "toy single nice beautiful pretty big large small little tiny huge giant detailed background camera orbits around "
    "orbit turntable view video clip shot one some something anything thing"
).split() + ["low poly", "high poly", "game ready", "high quality", "white background", "two tone", "two toned"]
SENTENCE: dict[str, str] = {
    **dict.fromkeys("a an the its his her their this that these those".split(), "a"),
    **dict.fromkeys("is are in of was were :".split(), "is"),
    **dict.fromkeys(
        "with whose on at near beside under behind above over holding wearing carrying plus but".split(), "with"
    ),
    **dict.fromkeys(". , ; ! ?".split(), "with"),
    **dict.fromkeys("without no not except never non".split(), "not"),
    **dict.fromkeys("and or".split(), "and"),
}
NUMBERS = "two three four five six seven eight nine ten dozen pair couple several many few".split()
_IRREGULAR = {"leaf": "leaves", "knife": "knives", "goose": "geese", "foot": "feet", "cactus": "cacti"}


@cache
def category_nouns() -> dict[str, tuple[str, str, bool]]:
    """Map nouns to a category, a style ("" where the noun names none), and whether the noun is plural."""
    nouns = {noun: (name, "") for name, category in CATEGORIES.items() for noun in (name, *category.synonyms)} | KINDS
    plurals = {_plural(noun): (*value, True) for noun, value in nouns.items()}
    return plurals | {noun: (*value, False) for noun, value in nouns.items()}


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
    words |= {word: ("number", word) for word in NUMBERS}
    words |= {word: (kind, word) for word, kind in SENTENCE.items()}
    words |= {style.replace("-", " "): ("style", style) for style in known.styles}
    return words | {known.main: ("main", known.main), known.second: ("second", known.second)}


@cache
def all_words() -> dict[str, bool]:
    """Map every single word of every category's lexicon to whether it says anything."""
    words: dict[str, bool] = {}
    for category in CATEGORIES:
        for phrase, (kind, _) in lexicon(category).items():
            words |= {word: words.get(word, False) or kind != "silent" for word in phrase.split()}
    return words | {word: True for phrase in (*READ_AS, *SHADES) for word in phrase.split()}


def _forms(noun: str) -> set[str]:
    """Return the singular, the plural and the adjective of a part: roof, roofs, roofed."""
    singular = {plural: one for one, plural in _IRREGULAR.items()}.get(noun) or noun
    if singular == noun and noun.endswith("s") and not noun.endswith("ss"):
        singular = noun[:-1]
    worn = {f"{singular}d"} if singular.endswith("e") else {f"{singular}ed", f"{singular}{singular[-1]}ed"}
    return {noun, singular, _plural(singular), *worn}


def _plural(noun: str) -> str:
    *before, last = noun.split()
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith("man"):
        last = f"{last[:-2]}en"
    elif last.endswith("y") and last[-2] not in "aeiou":
        last = f"{last[:-1]}ies"
    else:
        last += "es" if last.endswith(("s", "sh", "ch", "x")) else "s"
    return " ".join((*before, last))
