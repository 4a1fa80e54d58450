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
from .words import COLOR_SYNONYMS, IRREGULAR, MATERIAL_SYNONYMS, PATTERN_SYNONYMS, RELATION_SYNONYMS, plural

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
    "potion": ("bottle", "round"),
    "potion bottle": ("bottle", "round"),
    "potion flask": ("bottle", "round"),
    "hut": ("house", "round"),
    "skyscraper": ("house", "tall"),
    "barn": ("house", "wide"),
    "log cabin": ("house", "wide"),
    "igloo": ("tent", "dome"),
    "castle": ("tower", "twin"),
    "fortress": ("tower", "twin"),
    "castle tower": ("tower", "round"),
    "watchtower": ("tower", "square"),
    "watch tower": ("tower", "square"),
    "light house": ("lighthouse", ""),
    "fir": ("tree", "pine"),
    "pine": ("tree", "pine"),
    "spruce": ("tree", "pine"),
    "palm": ("tree", "palm"),
    "christmas tree": ("tree", "pine"),
    "apple tree": ("tree", "round"),
    "cherry tree": ("tree", "round"),
    "oak": ("tree", "round"),
    "tulip": ("flower", "tulip"),
    "daisy": ("flower", "daisy"),
    "sunflower": ("flower", "daisy"),
    "fly agaric": ("mushroom", "round"),
    "houseplant": ("flower", "potted"),
    "house plant": ("flower", "potted"),
    "potted plant": ("flower", "potted"),
    "sportscar": ("car", "sports"),
    "sport car": ("car", "sports"),
    "race car": ("car", "sports"),
    "racing car": ("car", "sports"),
    "police car": ("car", "compact"),
    "taxi": ("car", "compact"),
    "cab": ("car", "compact"),
    "oldtimer": ("car", "vintage"),
    "dump truck": ("truck", "dump"),
    "tanker": ("truck", "tanker"),
    "fire truck": ("truck", "tanker"),
    "fire engine": ("truck", "tanker"),
    "ambulance": ("truck", "delivery"),
    "garbage truck": ("truck", "dump"),
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
    "four poster bed": ("bed", "canopy"),
    "four poster": ("bed", "canopy"),
    "bunk": ("bed", "bunk"),
    "book shelf": ("bookshelf", ""),
    "book case": ("bookshelf", ""),
    "teepee": ("tent", "pointed"),
    "tipi": ("tent", "pointed"),
    "wigwam": ("tent", "pointed"),
    "yurt": ("tent", "dome"),
    "water well": ("well", ""),
    "viaduct": ("bridge", "arched"),
    "jack o lantern": ("pumpkin", "carved"),
    "diamond": ("crystal", "cut"),
    "jewel": ("crystal", "cut"),
    "gem": ("crystal", "cut"),
    "geode": ("crystal", "clustered"),
    "steam engine": ("train", "steam"),
    "subway": ("train", "bullet"),
    "double decker": ("bus", "double-decker"),
    "minibus": ("bus", "city"),
    "school bus": ("bus", "school"),
    "gunship": ("helicopter", "slender"),
    "airship": ("balloon", "long"),
    "blimp": ("balloon", "long"),
    "zeppelin": ("balloon", "long"),
    "dachshund": ("dog", "long"),
    "sausage dog": ("dog", "long"),
    "dalmatian": ("dog", "standing"),
    "wolf": ("dog", "standing"),
    "leopard": ("cat", "standing"),
    "cheetah": ("cat", "standing"),
    "shark": ("fish", "long"),
    "angelfish": ("fish", "tall"),
    "pufferfish": ("fish", "round"),
    "penguin chick": ("penguin", "baby"),
    "candelabra": ("candle", "branched"),
    "candlestick": ("candle", "tall"),
    "hatbox": ("gift", "round"),
    "sledgehammer": ("hammer", "sledge"),
    "mallet": ("hammer", "round"),
    "banjo": ("guitar", "round"),
    "ukulele": ("guitar", "acoustic"),
    "bass guitar": ("guitar", "electric"),
    "berliner": ("donut", "filled"),
    "fox cub": ("fox", "curled"),
    "teddy bear": ("bear", "sitting"),
    "teddy": ("bear", "sitting"),
    "grizzly bear": ("bear", "walking"),
    "polar bear": ("bear", "walking"),
    "panda": ("bear", "sitting"),
    "koala": ("bear", "sitting"),
    "t rex": ("dinosaur", "upright"),
    "tyrannosaurus": ("dinosaur", "upright"),
    "raptor": ("dinosaur", "upright"),
    "velociraptor": ("dinosaur", "upright"),
    "stegosaurus": ("dinosaur", "plated"),
    "ankylosaurus": ("dinosaur", "plated"),
    "brontosaurus": ("dinosaur", "long-necked"),
    "brachiosaurus": ("dinosaur", "long-necked"),
    "diplodocus": ("dinosaur", "long-necked"),
    "mammoth": ("elephant", "standing"),
    "piggy bank": ("pig", "round"),
    "boar": ("pig", "standing"),
    "rocking horse": ("horse", "rocking"),
    "foal": ("horse", "standing"),
    "zebra": ("horse", "standing"),
    "donkey": ("horse", "standing"),
    "owl": ("bird", "round"),
    "parrot": ("bird", "perched"),
    "canary": ("bird", "perched"),
    "robin": ("bird", "perched"),
    "sparrow": ("bird", "perched"),
    "pigeon": ("bird", "perched"),
    "dove": ("bird", "flying"),
    "seagull": ("bird", "flying"),
    "eagle": ("bird", "flying"),
    "hawk": ("bird", "flying"),
    "crow": ("bird", "perched"),
    "raven": ("bird", "perched"),
    "knight": ("person", "armoured"),
    "warrior": ("person", "armoured"),
    "soldier": ("person", "armoured"),
    "wizard": ("person", "robed"),
    "mage": ("person", "robed"),
    "sorcerer": ("person", "robed"),
    "witch": ("person", "robed"),
    "villager": ("person", "waving"),
    "farmer": ("person", "waving"),
    "peasant": ("person", "waving"),
    "woman": ("person", "waving"),
    "demon skull": ("skull", "horned"),
    "jolly roger": ("skull", "pirate"),
    "wraith": ("ghost", "tall"),
    "poltergeist": ("ghost", "floating"),
    "street light": ("street lamp", ""),
    "lamp post": ("street lamp", ""),
    "gas lamp": ("street lamp", "vintage"),
    "street lantern": ("street lamp", "vintage"),
    "fire hydrant": ("hydrant", ""),
    "sign post": ("sign", "pointed"),
    "billboard": ("sign", "square"),
    "stop sign": ("sign", "square"),
    "notice board": ("sign", "square"),
    "pub sign": ("sign", "hanging"),
    "tavern sign": ("sign", "hanging"),
    "camp fire": ("campfire", ""),
    "cairn": ("rock", "stacked"),
    "rock pile": ("rock", "stacked"),
    "stone pile": ("rock", "stacked"),
    "pebble": ("rock", "round"),
    "park bench": ("bench", "backed"),
    "garden bench": ("bench", "backed"),
    "battle axe": ("axe", "double"),
    "battleaxe": ("axe", "double"),
    "hatchet": ("axe", "short"),
    "tomahawk": ("axe", "short"),
    "ballista": ("crossbow", "heavy"),
    "skeleton key": ("key", "ornate"),
    "house key": ("key", "modern"),
    "door key": ("key", "round"),
    "witch hat": ("hat", "pointed"),
    "wizard hat": ("hat", "pointed"),
    "top hat": ("hat", "tall"),
    "stetson": ("hat", "brimmed"),
    "cowboy hat": ("hat", "brimmed"),
    "santa hat": ("hat", "pointed"),
    "party hat": ("hat", "pointed"),
    "spell book": ("book", ""),
    "notebook": ("book", "lying"),
    "coin stack": ("coin", "stacked"),
    "coin pile": ("coin", "piled"),
    "money": ("coin", "piled"),
    "medal": ("coin", "single"),
    "silver coin": ("coin", "single"),
    "pizza slice": ("pizza", "triangular"),
    "banana bunch": ("banana", "bunched"),
    "ufo": ("spaceship", "round"),
    "flying saucer": ("spaceship", "round"),
    "starfighter": ("spaceship", "winged"),
    "space shuttle": ("spaceship", "bulky"),
    "space ship": ("spaceship", ""),
    "battle tank": ("tank", "battle"),
    "army tank": ("tank", "battle"),
    "mortar": ("cannon", "short"),
    "covered wagon": ("cart", "covered"),
    "mine cart": ("cart", "mining"),
    "minecart": ("cart", "mining"),
    "handcart": ("cart", "open"),
    "motor bike": ("motorbike", ""),
    "scooter": ("motorbike", "city"),
    "moped": ("motorbike", "city"),
    "bulldozer": ("digger", "bladed"),
    "wheel loader": ("digger", "wheeled"),
}
# Nouns that name a look as well: main colour, second colour and, of some, a pattern, where the prompt says no other.
LOOKS: dict[str, tuple[str, ...]] = {
    "police car": ("black", "white"),
    "taxi": ("yellow", "black"),
    "cab": ("yellow", "black"),
    "school bus": ("yellow", "black"),
    "fire truck": ("red", "white"),
    "fire engine": ("red", "white"),
    "ambulance": ("white", "red"),
    "garbage truck": ("green", "grey"),
    "barn": ("red", "white"),
    "log cabin": ("brown", "grey"),
    "igloo": ("white", "grey"),
    "cherry tree": ("pink", "brown"),
    "fly agaric": ("red", "white", "polka dots"),
    "sunflower": ("yellow", "green"),
    "daisy": ("white", "green"),
    "dalmatian": ("white", "black", "polka dots"),
    "wolf": ("grey", "black"),
    "leopard": ("yellow", "white", "polka dots"),
    "cheetah": ("yellow", "white", "polka dots"),
    "zebra": ("black", "white", "vertical stripes"),
    "donkey": ("grey", "black"),
    "polar bear": ("white", "grey"),
    "panda": ("white", "black"),
    "koala": ("grey", "white"),
    "mammoth": ("brown", "beige"),
    "boar": ("brown", "black"),
    "swan": ("white", "grey"),
    "goose": ("white", "grey"),
    "shark": ("grey", "white"),
    "owl": ("brown", "beige"),
    "parrot": ("green", "red"),
    "canary": ("yellow", "orange"),
    "sparrow": ("brown", "beige"),
    "pigeon": ("grey", "white"),
    "dove": ("white", "grey"),
    "seagull": ("white", "grey"),
    "eagle": ("brown", "black"),
    "hawk": ("brown", "beige"),
    "crow": ("black", "grey"),
    "raven": ("black", "grey"),
    "knight": ("grey", "red"),
    "soldier": ("green", "brown"),
    "wizard": ("purple", "blue"),
    "witch": ("black", "purple"),
    "farmer": ("brown", "beige"),
    "potion": ("purple", "brown"),
    "cowboy hat": ("brown", "black"),
    "santa hat": ("red", "white"),
    "stop sign": ("red", "grey"),
    "silver coin": ("grey", "white"),
}
BY_SECOND = frozenset({"donut"})  # a pink one is pink in its second part
COLOR_NOUNS = {
    "rose": ("flower", "tulip"),
    "stone": ("rock", "round"),
}  # colours before a noun; things where there is none

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
def category_nouns() -> dict[str, tuple[str, str, bool]]:
    """Map nouns to a category, a style ("" where the noun names none), and whether the noun is plural."""
    nouns = {noun: (name, "") for name, category in CATEGORIES.items() for noun in (name, *category.synonyms)} | KINDS
    plurals = {plural(noun): (*value, True) for noun, value in (nouns | COLOR_NOUNS).items()}
    return plurals | {noun: (*value, False) for noun, value in nouns.items()}


@cache
def look(noun: str, category: str) -> tuple[str, str, str]:
    """Return the main colour, the second and the pattern that one would expect of what a noun names."""
    named = LOOKS | {plural(name): colors for name, colors in LOOKS.items()}
    main, second, *pattern = named.get(noun, CATEGORIES[category].natural)
    return main, second, pattern[0] if pattern else PATTERNS[0]


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
