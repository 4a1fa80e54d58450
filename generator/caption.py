"""From a user's words to the long caption the model was trained on, by rules that say what they did.

"a shiny crimson mug with a blue handle" becomes "A 3D model of a round mug, glossy. The body is plain red. The handle is
blue." Words outside the vocabulary are named, each with the nearest word that the model knows.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import cache

from .grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS, Attributes, pattern_color
from .words import COLOR_SYNONYMS, MATERIAL_SYNONYMS, PATTERN_SYNONYMS, long_caption

# Words that name a category and a style of it at once.
KINDS: dict[str, tuple[str, str]] = {
    "armchair": ("sofa", "small"),
    "castle": ("tower", "twin"),
    "fir": ("tree", "pine"),
    "pine": ("tree", "pine"),
    "palm": ("tree", "palm"),
    "christmas tree": ("tree", "pine"),
    "tulip": ("flower", "tulip"),
    "daisy": ("flower", "daisy"),
    "goose": ("duck", "long-necked"),
    "swan": ("duck", "long-necked"),
    "jet": ("plane", "jet"),
    "sailboat": ("boat", "sailing"),
    "pirate ship": ("boat", "pirate"),
    "dump truck": ("truck", "dump"),
    "tanker": ("truck", "tanker"),
    "sandwich": ("burger", "square"),
}
PATTERN_WORDS: dict[str, str] = {
    "striped": "horizontal stripes",
    "horizontally striped": "horizontal stripes",
    "banded": "horizontal stripes",
    "bands": "horizontal stripes",
    "vertically striped": "vertical stripes",
    "checkered": "checks",
    "checked": "checks",
    "chequered": "checks",
    "checkerboard": "checks",
    "dotted": "polka dots",
    "spotted": "polka dots",
    "polka dot": "polka dots",
}
# Words that change nothing, so that nobody need be told of them.
SILENT = frozenset(
    "a an the and or of with in on at to for its it that has have having is are made from by as very my your please make "
    "3d model render rendering object asset game game-ready low poly lowpoly low-poly stylized stylised cartoon cute "
    "simple toy single white-background background camera orbits around orbit turntable view video one some colour "
    "color coloured colored pattern patterned".split()
)
_JOINERS = ("is", "are")


@dataclass(frozen=True)
class Expansion:
    """What a prompt became."""

    text: str
    """The long caption."""
    attributes: Attributes
    """The same, as attributes."""
    notes: tuple[str, ...]
    """One sentence for each word that was not taken as it stood."""


@dataclass
class _Reading:
    """What has been understood so far."""

    found: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def expand(prompt: str) -> Expansion:
    """Expand a prompt to the long caption. Raises ValueError where it is empty."""
    words = re.findall(r"[a-z0-9][a-z0-9'-]*|[.,;]", prompt.lower())
    if not any(word[0].isalnum() for word in words):
        raise ValueError('The prompt is empty. Say what to make, as in "a red mug with a blue handle".')
    reading = _Reading()
    category, style = _find_category(words, reading)
    items = _match(words, _vocabulary(category), reading)
    _assign_colors(items, reading)
    _assign_rest(items, category, style, reading)
    attributes = _complete(category, reading.found)
    wanted = reading.found.get("pattern_color")
    if wanted and attributes.pattern != PATTERNS[0] and wanted != pattern_color(attributes.color):
        reading.notes.append(
            f"Patterns on {attributes.color} are {pattern_color(attributes.color)}; {wanted} ones were not learnt."
        )
    return Expansion(long_caption(attributes), attributes, tuple(reading.notes))


@cache
def _category_words() -> dict[str, tuple[str, str]]:
    """Map nouns to a category and a style ("" where the noun names none)."""
    nouns = {noun: (name, "") for name, category in CATEGORIES.items() for noun in (name, *category.synonyms)}
    nouns |= KINDS
    return nouns | {f"{noun}s": value for noun, value in nouns.items()}


def _vocabulary(category: str) -> dict[str, tuple[str, str]]:
    """Map the words that mean something for a category to (kind, value)."""
    known = CATEGORIES[category]
    words = {noun: ("category", name) for noun, (name, _) in _category_words().items()}
    words |= {style: ("style", style) for other in CATEGORIES.values() for style in other.styles if style not in words}
    words |= {style: ("style", style) for style in known.styles}
    for kind, values, synonyms in (
        ("color", COLORS, COLOR_SYNONYMS),
        ("material", MATERIALS, MATERIAL_SYNONYMS),
        ("pattern", PATTERNS, PATTERN_SYNONYMS),
    ):
        for value in values:
            for word in (value, *synonyms.get(value, ())):
                words[word.removeprefix("a ")] = (kind, value)
    words |= {word: ("pattern", pattern) for word, pattern in PATTERN_WORDS.items()}
    for part, kind in ((known.main, "main"), (known.second, "second")):
        for word in (part, part.removesuffix("s")):
            words[word] = (kind, part)
    return words


def _find_category(words: list[str], reading: _Reading) -> tuple[str, str]:
    nouns = _category_words()
    # The noun before "with" is the subject: "a house with a tree" is a house.
    head = words[: words.index("with")] if "with" in words else words
    for part in (head, words):
        matches = [(end, *nouns[text]) for _, end, text in _phrases(part) if text in nouns]
        if matches:
            named = [match for match in matches if match[2]]  # "pine tree": the style comes with the first noun
            _, category, _ = matches[-1]
            style = next((style for _, name, style in named if name == category), "")
            return category, style
    for word in (word for word in words if word[0].isalnum() and word not in SILENT):
        close = difflib.get_close_matches(word, nouns, 1, 0.8)
        if close:
            reading.notes.append(f"Read {word!r} as {close[0]!r}.")
            words[words.index(word)] = close[0]
            return nouns[close[0]]
    category = _nearest(" ".join(word for word in words if word not in SILENT), tuple(CATEGORIES))
    reading.notes.append(
        f"The model knows no such thing; it makes the nearest that it knows, a {category}. "
        f"It knows: {', '.join(sorted(CATEGORIES))}."
    )
    return category, ""


def _phrases(words: list[str]) -> list[tuple[int, int, str]]:
    """Return (start, end, text) of all runs of one to three words, in the order of their ends."""
    runs = [(end - n, end, " ".join(words[end - n : end])) for end in range(len(words) + 1) for n in (1, 2, 3)]
    return [run for run in runs if run[0] >= 0]


def _match(words: list[str], vocabulary: dict[str, tuple[str, str]], reading: _Reading) -> list[tuple[str, str]]:
    """Cut the words into items (kind, value), longest first; note the words that mean nothing to the model."""
    items, i = [], 0
    while i < len(words):
        for n in (3, 2, 1):
            text = " ".join(words[i : i + n])
            if text in vocabulary:
                items.append(vocabulary[text])
                break
        else:
            n, word = 1, words[i]
            if word in _JOINERS or not word[0].isalnum():
                items.append(("join" if word in _JOINERS else "stop", word))
            elif word not in SILENT:
                items += _unknown(word, vocabulary, reading)
        i += n
    return items


def _unknown(word: str, vocabulary: dict[str, tuple[str, str]], reading: _Reading) -> list[tuple[str, str]]:
    """Note an unknown word; where it is a typing error for a known one, take that."""
    close = difflib.get_close_matches(word, vocabulary, 1, 0.8)
    if close:
        reading.notes.append(f"Read {word!r} as {close[0]!r}.")
        return [vocabulary[close[0]]]
    if not any("knows no such thing" in note for note in reading.notes):
        reading.notes.append(
            f"The model does not know {word!r} and leaves it out; the nearest word it knows is "
            f"{_nearest(word, tuple(CATEGORIES) + tuple(COLORS) + tuple(MATERIALS) + PATTERNS)!r}."
        )
    return [("unknown", word)]


def _nearest(text: str, candidates: tuple[str, ...]) -> str:
    """Return the candidate whose meaning is nearest, by the text encoder."""
    from .text import load_text_encoder

    vectors = load_text_encoder().embed([text, *candidates])
    return candidates[int((vectors[1:] @ vectors[0]).argmax())]


def _assign_colors(items: list[tuple[str, str]], reading: _Reading) -> None:
    """Give each colour to the noun that it stands before ("a blue handle") or that it is said of ("is blue")."""
    slots = {"category": "color", "main": "color", "second": "second_color", "pattern": "pattern_color"}
    waiting: list[str] = []
    noun, said_of = "", ""
    for kind, value in items:
        if kind == "color" and said_of:
            reading.found.setdefault(slots[said_of], value)
            said_of = ""
        elif kind == "color":
            waiting.append(value)
        elif kind == "join":
            said_of = noun
        elif kind in slots:
            if waiting and kind == "pattern":
                reading.found.setdefault("pattern_color", waiting.pop())
            if waiting and kind == "second":
                reading.found.setdefault("second_color", waiting[-1])
            elif waiting:
                reading.found.setdefault("color", waiting[0])
                if kind == "category" and len(waiting) > 1:
                    reading.found.setdefault("second_color", waiting[1])
            waiting, noun, said_of = [], kind, ""
    if items and items[-1][0] == "unknown":
        waiting = waiting[:-1]  # "golden wheels": the colour of a thing that the model does not know
    for color in waiting:
        slot = "color" if "color" not in reading.found else "second_color"
        reading.found.setdefault(slot, color)
    if "color" not in reading.found and "pattern_color" in reading.found:
        reading.found["color"] = reading.found.pop("pattern_color")  # "a red striped mug"


def _assign_rest(items: list[tuple[str, str]], category: str, style: str, reading: _Reading) -> None:
    if style:
        reading.found["style"] = style
    for kind, value in items:
        if kind == "style" and value not in CATEGORIES[category].styles:
            reading.notes.append(f"There is no {value} {category}; there are: {', '.join(CATEGORIES[category].styles)}.")
        elif kind in ("style", "material", "pattern"):
            reading.found.setdefault(kind, value)
        elif kind == "category" and value != category:
            reading.notes.append(f"One thing at a time: the {value} is left out, the {category} is made.")


def _complete(category: str, found: dict[str, str]) -> Attributes:
    """Fill in what the prompt left open with what one would expect."""
    natural_color, natural_second = CATEGORIES[category].natural
    color = found.get("color", natural_color)
    second = found.get("second_color", natural_second)
    if second == color and "second_color" not in found:
        second = next(other for other in (natural_color, "white", "black") if other != color)
    return Attributes(
        category=category,
        style=found.get("style", CATEGORIES[category].styles[0]),
        color=color,
        second_color=second,
        pattern=found.get("pattern", PATTERNS[0]),
        material=found.get("material", "matte"),
    )
