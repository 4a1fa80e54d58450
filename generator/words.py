"""The words for attributes: captions at three levels, with synonyms, in which what is dropped stays free; and edits.

Re-captioning at several lengths: Betker et al., "Improving Image Generation with Better Captions" (DALL-E 3).
Pairs of one scene with one attribute changed: InstructPix2Pix, arXiv:2211.09800.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generator.grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS, Attributes, is_held_out, pattern_color

COLOR_SYNONYMS: dict[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet"),
    "blue": ("navy", "azure"),
    "green": ("emerald",),
    "yellow": ("lemon", "golden"),
    "orange": ("tangerine", "amber"),
    "purple": ("violet",),
    "pink": ("rose", "magenta"),
    "white": ("ivory",),
    "black": ("ebony",),
    "grey": ("gray", "silver"),
    "brown": ("chestnut", "wooden"),
    "teal": ("turquoise", "cyan"),
    "beige": ("tan", "sandy"),
    "lime": ("lime green",),
}
MATERIAL_SYNONYMS: dict[str, tuple[str, ...]] = {
    "matte": ("dull", "clay"),
    "glossy": ("shiny", "ceramic"),
    "metallic": ("metal", "chrome"),
    "glowing": ("luminous", "neon"),
}
PATTERN_SYNONYMS: dict[str, tuple[str, ...]] = {
    "horizontal stripes": ("horizontal bands", "rings"),
    "vertical stripes": ("stripes",),
    "checks": ("a checkered pattern",),
    "polka dots": ("dots", "spots"),
    "zigzags": ("a zigzag pattern", "chevrons"),
}
RELATION_SYNONYMS: dict[str, tuple[str, ...]] = {
    "on": ("on top of", "atop"),
    "next to": ("beside", "by"),
}
SYNONYM_SHARE = 0.25
COUNTS = ("", "one", "two", "three", "four")

ALL = frozenset(("style", "color", "second", "pattern", "material", "other_style", "other_color"))
"""The attributes that a caption may leave out; count and relation are always said."""

# How often a caption of each level says each attribute.
_SAYS = {
    "short": {"style": 0.35, "color": 0.85, "second": 0.0, "pattern": 0.35, "material": 0.25},
    "medium": {"style": 0.6, "color": 0.95, "second": 0.8, "pattern": 0.85, "material": 0.6},
    "long": {"style": 0.9, "color": 1.0, "second": 0.95, "pattern": 1.0, "material": 0.9},
}
_LEVELS, _LEVEL_SHARES = ("short", "medium", "long"), (0.2, 0.3, 0.5)


def sample_caption(attributes: Attributes, rng: np.random.Generator) -> str:
    """Write a caption of a random level with random attributes left out and some words replaced by synonyms."""
    level = str(rng.choice(_LEVELS, p=_LEVEL_SHARES))
    shares = _SAYS[level]
    said = {name for name in sorted(ALL) if rng.random() < shares[name.removeprefix("other_")]}
    return long_caption(attributes, said, rng) if level == "long" else phrase(attributes, said, rng)


def phrase(attributes: Attributes, said: set[str] | frozenset[str], rng: np.random.Generator | None = None) -> str:
    """Write a noun phrase: "a glossy red round mug with white polka dots and a blue handle, on a wide yellow table".

    `said` names the attributes to mention, of ALL; no rng means no synonyms.
    """
    count, second = attributes.count, CATEGORIES[attributes.category].second
    words = [
        _one_of(attributes.material, MATERIAL_SYNONYMS, rng) if "material" in said else "",
        _one_of(attributes.color, COLOR_SYNONYMS, rng) if "color" in said else "",
        attributes.style if "style" in said else "",
        _noun(attributes.category, rng),
    ]
    details = []
    if "pattern" in said and attributes.pattern != PATTERNS[0]:
        details.append(_colored_pattern(attributes, rng))
    if "second" in said:
        part = f"{_one_of(attributes.second_color, COLOR_SYNONYMS, rng)} {second}"
        details.append(article(part) if count == 1 else _times(part, count))
    text = _numbered(" ".join(word for word in words if word), count)
    if details:
        text += f" with {' and '.join(details)}"
    if not attributes.relation:
        return text
    color = _one_of(attributes.other_color, COLOR_SYNONYMS, rng) if "other_color" in said else ""
    other = _other(attributes, said, _noun(attributes.other_category, rng), color)
    comma = "," if details else ""
    return f"{text}{comma} {_one_of(attributes.relation, RELATION_SYNONYMS, rng)} {other}"


def long_caption(
    attributes: Attributes,
    said: set[str] | frozenset[str] = ALL,
    rng: np.random.Generator | None = None,
    other_count: int = 1,
) -> str:
    """Write the long form: "A 3D model of a round mug, glossy. The body is red with white checks. The handle is blue."

    Several: "A 3D model of two round mugs, glossy. The bodies are red with white checks. The handles are blue." Two in
    a relation: "A 3D model of a round mug on a long table, glossy. ... The table is brown."
    Where everything is said this is the form in which the model is asked.
    """
    count, category = attributes.count, CATEGORIES[attributes.category]
    noun = _noun(attributes.category, rng)
    text = _numbered(f"{attributes.style} {noun}" if "style" in said else noun, count)
    other = _noun(attributes.other_category, rng) if attributes.relation else ""
    if other:
        others = _other(attributes, said, other, "", other_count)
        text += f" {_one_of(attributes.relation, RELATION_SYNONYMS, rng)} {others}"
    text = f"A 3D model of {text}"
    text += f", {_one_of(attributes.material, MATERIAL_SYNONYMS, rng)}." if "material" in said else "."
    main = [_one_of(attributes.color, COLOR_SYNONYMS, rng)] if "color" in said else []
    if "pattern" in said:
        if attributes.pattern == PATTERNS[0]:
            main.insert(0, "plain")
        else:
            main.append(f"with {_colored_pattern(attributes, rng)}")
    if main:
        text += f" The {_is(_times(category.main, count))} {' '.join(main)}."
    if "second" in said:
        text += f" The {_is(_times(category.second, count))} {_one_of(attributes.second_color, COLOR_SYNONYMS, rng)}."
    if other and "other_color" in said:
        text += f" The {_is(_times(other, other_count))} {_one_of(attributes.other_color, COLOR_SYNONYMS, rng)}."
    return text


def pair_caption(attributes: Attributes, other: Attributes, other_count: int = 1) -> str:
    """Write the long form of two in a relation of which the other one may be several or have a pattern, too."""
    text = long_caption(attributes, other_count=other_count)
    return text if other.pattern == PATTERNS[0] else f"{text[:-1]} with {_colored_pattern(other, None)}."


def _other(attributes: Attributes, said: set[str] | frozenset[str], noun: str, color: str, count: int = 1) -> str:
    style = attributes.other_style if "other_style" in said else ""
    return _numbered(" ".join(word for word in (color, style, noun) if word), count)


def _one_of(word: str, synonyms: dict[str, tuple[str, ...]], rng: np.random.Generator | None) -> str:
    if rng is None or word not in synonyms or rng.random() >= SYNONYM_SHARE:
        return word
    return str(rng.choice(synonyms[word]))


def _noun(category: str, rng: np.random.Generator | None) -> str:
    synonyms = CATEGORIES[category].synonyms
    if rng is None or not synonyms or rng.random() >= SYNONYM_SHARE:
        return category
    return str(rng.choice(synonyms))


def _pattern(attributes: Attributes, rng: np.random.Generator | None) -> str:
    return _one_of(attributes.pattern, PATTERN_SYNONYMS, rng).removeprefix("a ")


def _colored_pattern(attributes: Attributes, rng: np.random.Generator | None) -> str:
    return article(f"{pattern_color(attributes.color, attributes.pattern)} {_pattern(attributes, rng)}")


# Singular and plural

MASS_NOUNS = frozenset(
    ["fur", "icing", "wax", "dough", "trim", "foliage", "hair", "wool", "skin", "moss", "felt", "cheese", "bone"]
)
IRREGULAR = (
    {"leaf": "leaves", "knife": "knives", "shelf": "shelves", "wolf": "wolves", "scarf": "scarves"}
    | {"goose": "geese", "foot": "feet", "tooth": "teeth", "mouse": "mice", "cactus": "cacti"}
    | {word: word for word in ("aircraft", "spacecraft", "fish", "sheep", "deer")}
)
_PLURALS = frozenset(IRREGULAR.values()) - frozenset(IRREGULAR)


def plural(noun: str) -> str:
    """Return the plural of words whose last is a singular noun."""
    *before, last = noun.split()
    stem = next((stem for stem in IRREGULAR if last.endswith(stem)), "")
    if stem:
        last = last.removesuffix(stem) + IRREGULAR[stem]
    elif last.endswith("man"):
        last = f"{last[:-2]}en"
    elif last.endswith("y") and last[-2] not in "aeiou":
        last = f"{last[:-1]}ies"
    else:
        last += "es" if last.endswith(("s", "sh", "ch", "x")) else "s"
    return " ".join((*before, last))


def article(words: str) -> str:
    """Put "a" or "an" before words whose last is a noun that is counted and singular."""
    if _is_plural(words) or _last(words) in MASS_NOUNS:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _numbered(words: str, count: int) -> str:
    return article(words) if count == 1 else f"{COUNTS[count]} {_times(words, count)}"


def _times(words: str, count: int) -> str:
    """Return a thing or a part as it is called where there are so many."""
    is_kept = count == 1 or _is_plural(words) or _last(words) in MASS_NOUNS
    return words if is_kept else plural(words)


def _is(noun: str) -> str:
    return f"{noun} are" if _is_plural(noun) else f"{noun} is"


def _is_plural(words: str) -> bool:
    """Tell whether the last word, a noun of the vocabulary, is plural."""
    return _last(words) in _PLURALS or (words.endswith("s") and not words.endswith(("ss", "us")))


def _last(words: str) -> str:
    return words.split()[-1]


# Edits: one attribute changed, and what one would type to have it changed

_EDITS = {
    "color": (
        "make the {noun} {color}",
        "change the {noun} to {color}",
        "paint the {noun} {color}",
        "turn the {noun} {color}",
        "color the {noun} {color}",
        "the {noun} should be {color}",
        "make {it} {color}",
        "paint {it} {color}",
    ),
    "pattern": (
        "give {it} {pattern}",
        "add {pattern}",
        "add {pattern} to the {noun}",
        "cover the {noun} with {pattern}",
        "put {pattern} on the {noun}",
    ),
    "other pattern": ("change the {old} to {pattern}", "replace the {old} with {pattern}"),
    "plain": (
        "remove the pattern",
        "remove the {old}",
        "take the {old} away",
        "make the {noun} plain",
        "make {it} plain",
    ),
    "material": (
        "make {it} {material}",
        "turn {it} {material}",
        "give {it} a {material} look",
        "make the {subject} {material}",
        "turn the {subject} {material}",
    ),
}


def sample_edit(attributes: Attributes, rng: np.random.Generator) -> tuple[Attributes, str]:
    """Change one attribute that leaves the shape alone, and write the instruction: "paint the handle green".

    An edit brings in no pair that is held out.
    """
    names = ["color", "second_color", "pattern", "material"] + (["other_color"] if attributes.relation else [])
    values = {"pattern": PATTERNS, "material": tuple(MATERIALS)}
    while True:
        name = str(rng.choice(names))
        edited = replace(attributes, **{name: str(rng.choice(values.get(name, tuple(COLORS))))})
        is_told_apart = edited.color not in (edited.second_color, edited.other_color)
        if edited != attributes and is_told_apart and (is_held_out(attributes) or not is_held_out(edited)):
            return edited, _instruction(attributes, edited, name, rng)


def _instruction(old: Attributes, new: Attributes, name: str, rng: np.random.Generator) -> str:
    category, count = CATEGORIES[new.category], new.count
    noun, forms = category.main, _EDITS.get(name, _EDITS["color"])
    color = pattern = ""
    match name:
        case "pattern" if new.pattern == PATTERNS[0]:
            forms = _EDITS["plain"]
        case "pattern":
            forms = forms + (_EDITS["other pattern"] if old.pattern != PATTERNS[0] else ())
            pattern = _colored_pattern(new, rng) if rng.random() < 0.5 else _one_of(new.pattern, PATTERN_SYNONYMS, rng)
        case "color" | "second_color" | "other_color":
            color = _one_of(getattr(new, name), COLOR_SYNONYMS, rng)
            noun = {"second_color": category.second, "other_color": new.other_category}.get(name, noun)
    if new.relation or name == "second_color":  # "it" would be the wrong thing, or either of two
        forms = tuple(form for form in forms if "{it}" not in form)
    return str(rng.choice(forms)).format(
        it="it" if count == 1 else "them",
        noun=_times(noun, count),
        subject=_times(_noun(new.category, rng), count),
        old=_pattern(old, rng) if old.pattern != PATTERNS[0] else "",
        color=color,
        pattern=pattern,
        material=_one_of(new.material, MATERIAL_SYNONYMS, rng),
    )
