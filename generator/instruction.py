"""From an instruction to a target caption, by rules: "make the handle blue", said of the caption of a mug.

The caption of an asset is read back into attributes (caption.py), the instruction changes some of them, and what comes
out is the caption of the edited asset. An instruction replaces the thing, takes something away, adds a second thing or
more of the same, or changes the look; they are tried in this order. What cannot be understood raises ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .caption import Look, expand, read_look
from .grammar import CATEGORIES, COLORS, MATERIALS, MAX_COUNT, PATTERNS, Attributes, pattern_color
from .lexicon import NUMBERS, RELATION_WORDS, SENTENCE, lexicon
from .nouns import category_nouns, looks
from .spelling import meant, nearest_word, split
from .words import ALL, article, long_caption, phrase

EXAMPLES = (
    'Say "make the handle green", "paint it red", "with white stripes", "make it metallic", "remove the stripes", '
    '"put it on a table", "three of them", "turn it into a vase", or a whole new prompt after "->".'
)
ARROW = "->"
SHAPE = ("category", "style", "count", "relation", "other_category", "other_style")
"""Attributes that change the silhouette; all others change colours alone."""

_VERBS = frozenset(
    ("make", "paint", "turn", "change", "color", "colour", "recolor", "recolour", "repaint", "dye", "tint", "cover")
    + ("put", "add", "set", "give", "let", "keep", "have")
)
_REMOVE = re.compile(
    r"(?:remove|delete|drop|erase|take away|take off|take|get rid of|without|no) (.+?)(?: away| off)?$"
)
_INTO = re.compile(
    r"(?:(?:replace|swap|exchange) (.+?) (?:with|by|for)|"
    r"(?:change|turn|transform|convert|make) (.+?) (?:into|to)) (.+)$"
)
_A_THING = re.compile(r"(?:make|turn) (it|this|that|them|the \w+) (?:in)?(?:to )?((?:a|an) .+)$")
_MORE = re.compile(r"\b(?:another(?: one)?|one more)$")
_ONE = re.compile(r"\b(?:only|just|a single) one\b|\bsingle$")
_SWAP = re.compile(r"\b(?:swap|switch|exchange|invert) (?:the |its |their )?(?:two )?colou?rs\b")
_FILLERS = frozenset(
    ("whole", "entire", "completely", "entirely", "fully", "instead", "now", "rather", "more", "bit", "also", "too")
    + ("just", "only")
)
_WHOLE = frozenset(("it", "this", "that", "them", "everything", "all"))


@dataclass(frozen=True)
class Change:
    """What an edit goes from, and to."""

    source: str
    """Caption of the asset as it is."""
    target: str
    """Caption of the asset as it shall be."""
    keeps_shape: bool
    """Whether colours alone change."""
    recolors: bool
    """Whether each changed part goes from one colour to another: no pattern comes or goes."""
    notes: tuple[str, ...] = ()
    """One sentence for each thing that was not taken as it stood."""


def read_instruction(caption: str, instruction: str) -> Change:
    """Return the change that an instruction asks of what a caption says. Raises ValueError where there is none."""
    _, arrow, prompt = instruction.partition(ARROW)
    if arrow:
        return whole_prompt(caption, prompt)
    words = [meant(word) for word in split(instruction) if word not in ("!", "?")]
    while words and words[-1] == ".":
        words.pop()
    if not any(word.isalpha() for word in words):
        raise ValueError(f"The instruction holds no words. {EXAMPLES}")
    before = expand(caption).attributes
    if before is None:
        return _own_words(caption, words, instruction)
    for step in (_replaced, _without, _several, _beside, _looking, _itself):
        found = step(before, words)
        if found is not None:
            after, notes = found
            break
    else:
        raise ValueError(f"{instruction.strip()!r} is not understood. {EXAMPLES}")
    if after == before:
        said = f" ({notes[0]})" if notes else ""
        raise ValueError(f"{instruction.strip()!r} changes nothing here{said}: {caption!r} says so already.")
    return Change(caption, long_caption(after), *_kind(before, after), notes)


def whole_prompt(caption: str, prompt: str) -> Change:
    """Return the change from a caption to a prompt of its own."""
    expansion = expand(prompt)
    before, after = expand(caption).attributes, expansion.attributes
    if expansion.text == caption:
        raise ValueError(f"{prompt.strip()!r} changes nothing: the asset's caption is {caption!r} already.")
    kind = (False, False) if before is None or after is None else _kind(before, after)
    return Change(caption, expansion.text, *kind, expansion.notes)


Found = tuple[Attributes, tuple[str, ...]]


def _kind(before: Attributes, after: Attributes) -> tuple[bool, bool]:
    """Tell whether a change keeps the shape, and whether it only recolours."""
    keeps_shape = all(getattr(before, name) == getattr(after, name) for name in SHAPE)
    is_same_pattern = before.pattern == after.pattern and (
        before.pattern == PATTERNS[0]
        or pattern_color(before.color, before.pattern) == pattern_color(after.color, after.pattern)
    )
    parts = [(getattr(before, name), getattr(after, name)) for name in ("color", "second_color", "other_color")]
    is_map = all(new == other for old, new in parts for same, other in parts if old == same)
    return keeps_shape, keeps_shape and is_same_pattern and is_map


def _replaced(before: Attributes, words: list[str]) -> Found | None:
    """Read "turn it into a chair", "replace the table with a barrel", "change the stripes to dots"."""
    text = " ".join(words)
    if _SWAP.search(text):
        return replace(before, color=before.second_color, second_color=before.color), ()
    for read in (_exchanged, _from_to):
        for old, new in _exchanges(text):
            if found := read(before, old.split(), new.split()):
                return found
    return None


def _exchanges(text: str) -> list[tuple[str, str]]:
    """Return what shall go and what shall come, in each way that a text may be read."""
    thing, into = _A_THING.match(text), _INTO.match(text)
    found = [(thing[1], thing[2])] if thing else []
    return [*found, (into[1] or into[2], into[3])] if into else found


def _itself(before: Attributes, words: list[str]) -> Found | None:
    """Read "turn it into a mug", said of a mug."""
    names = {*_names(before.category), *_names(before.other_category)}
    news = {new for _, new in _exchanges(" ".join(words))}
    return (before, ()) if news & {*names, *map(article, names)} else None


def _exchanged(before: Attributes, old: list[str], new: list[str]) -> Found | None:
    """Put what `new` names in the place of the first or of the second thing, whichever `old` names, if that is another
    thing or another kind of the same: of horses a zebra, of cars a taxi.

    It takes over the look, but for what is said and for the colours of a noun that names some: a zebra is striped.
    """
    kind = _last_category(new)
    if not kind:
        return None
    is_second = bool(before.relation) and _last_category(old) == before.other_category
    named = expand(" ".join(new))
    found = named.attributes
    assert found is not None
    is_same = kind == (before.other_category if is_second else before.category)
    if is_same and not category_nouns().get(named.noun, ("", ""))[1]:
        return None
    if is_second:
        return replace(before, other_category=found.category, other_style=found.style), named.notes
    said = read_look(found.category, new).said
    if named.noun in looks():
        said = {name: getattr(found, name) for name in ("color", "second_color", "pattern")} | said
    return replace(before, **said, category=found.category, style=found.style), named.notes


def _from_to(before: Attributes, old: list[str], new: list[str]) -> Found | None:
    """Read "change the red to blue": every part that is red; and "replace the stripes with dots"."""
    meanings = lexicon(before.category)
    gone = {meanings[word] for word in old if word in meanings}
    come = [meanings[word][1] for word in new if meanings.get(word, ("",))[0] == "color"]
    is_part = any(kind in ("main", "second", "category") for kind, _ in gone)
    colors = [value for kind, value in gone if kind == "color"]
    if colors and len(come) == 1 and not is_part:
        slots = [name for name in ("color", "second_color", "other_color") if getattr(before, name) in colors]
        return (replace(before, **dict.fromkeys(slots, come[0])), ()) if slots else None
    if any(kind in ("pattern", "patterned", "material", "color") for kind, _ in gone):
        return _looking(before, new if not is_part else [*old, *new])
    return None


def _without(before: Attributes, words: list[str]) -> Found | None:
    """Read "remove the stripes", "without the table"; a part of the thing itself cannot be left out."""
    match = _REMOVE.match(" ".join(words))
    if not match:
        return None
    gone = match[1].split()
    meanings = lexicon(before.category)
    kinds = {meanings.get(word, ("unknown",))[0] for word in gone}
    if before.relation and _last_category(gone) == before.other_category:
        return replace(before, relation="", other_category="", other_style="", other_color=""), ()
    if kinds & {"pattern", "patterned"} or gone[-1] == "pattern":
        return replace(before, pattern=PATTERNS[0]), ()
    if before.count > 1 and kinds & {"category", "number"}:
        return replace(before, count=before.count - 1), ()
    if kinds & {"main", "second"}:
        raise ValueError(f"The model makes no {before.category} without its {gone[-1]}. {EXAMPLES}")
    return None


def _several(before: Attributes, words: list[str]) -> Found | None:
    """Read "three of them", "make it two mugs", "one more"."""
    text = " ".join(words)
    numbers = [NUMBERS.get(word) or (int(word) if word.isdecimal() else 0) for word in words]
    count = next((number for number in numbers if number), 0)
    if before.relation:
        return None
    if _ONE.search(text):
        return replace(before, count=1), ()
    if _MORE.search(text) or (words[-1] in _names(before.category) and "another" in words):
        count = before.count + 1
    others = [word for word, number in zip(words, numbers) if not number and word not in _VERBS]
    harmless = {*_WHOLE, *_names(before.category), "of", "there", "be", "another", "one", "more", "a", "the"}
    if not count or not harmless.issuperset(others):
        return None
    note = () if count <= MAX_COUNT else (f"The model counts to {MAX_COUNT}.",)
    return replace(before, count=min(count, MAX_COUNT)), note


def _names(category: str) -> tuple[str, ...]:
    return tuple(noun for noun, (name, _, _) in category_nouns().items() if name == category)


def _beside(before: Attributes, words: list[str]) -> Found | None:
    """Read "put it on a table", "add a red chair next to it", "with a duck on top"."""
    own = {*_names(before.category), *_parts_meant(before.category, words)}
    kind = _last_category([word for word in words if word not in own])
    if not kind or kind in (before.category, before.other_category):
        return None
    if before.relation:
        raise ValueError(f"The model makes two things at most, and the {before.other_category} is there already.")
    words = words[1:] if words[0] in (*_VERBS, "place", "with", "stand") else words
    text = " ".join(words)
    subject = phrase(replace(before, count=1), ALL)
    relation = max(
        (word for word in RELATION_WORDS if word != "and" and f" {word} " in f" {text} "), key=len, default=""
    )
    left, _, right = (f" {text} ".partition(f" {relation} ")) if relation else (text, "", "")
    left, right = left.strip(), right.strip()
    if _last_category(right.split()) == kind:
        prompt = f"{subject}, {relation} {_counted(right)}"
    elif relation and RELATION_WORDS[relation][0] == "next to":
        prompt = f"{subject}, next to {_counted(left)}"
    elif relation:
        prompt = f"{_counted(left)} {relation} {subject}"
    elif text.endswith(" on top"):
        prompt = f"{_counted(text.removesuffix(' on top'))} on {subject}"
    else:
        prompt = f"{subject}, next to {_counted(left)}"
    expansion = expand(prompt)
    if expansion.attributes is None or not expansion.attributes.relation:
        return None
    return expansion.attributes, expansion.notes


def _parts_meant(category: str, words: list[str]) -> list[str]:
    """Return the words that mean a part of the thing, though they may name another: "paint the hat", of a snowman."""
    meanings = lexicon(category)
    return [
        word
        for before, word in pairwise(words)
        if before in ("the", "its") and meanings.get(word, ("",))[0] in ("main", "second")
    ]


def _counted(words: str) -> str:
    return words if SENTENCE.get(words.split()[0]) == "a" else article(words)


def _looking(before: Attributes, words: list[str]) -> Found | None:
    """Read a change of colours, pattern, material or style, of the thing or of the one beside it."""
    words = words[1:] if words[0] in _VERBS else words
    words = ["is" if word in ("be", "become", "becomes") else word for word in words if word not in ("should", "look")]
    words = [_positive(word, before.category) for word in words]
    nouns = category_nouns()
    if before.relation and any(nouns.get(word, ("",))[0] == before.other_category for word in words):
        look = _known(read_look(before.other_category, words), before.other_category)
        of_other = {"color": "other_color", "style": "other_style"}
        said = {of_other[name]: value for name, value in look.said.items() if name in of_other}
    else:
        look = _known(read_look(before.category, words, before), before.category)
        said = look.said
        kinds = {lexicon(before.category).get(word, ("",))[0] for word in words}
        if before.color == before.second_color and "color" in said and "main" not in kinds:  # "paint the mug blue"
            said = {"second_color": said["color"], **said}
    return (replace(before, **said), look.notes) if said else None


def _known(look: Look, category: str) -> Look:
    """Return a look if all its words are known: a change of something else than was meant is none."""
    unknown = [word for word in look.unknown if word not in _FILLERS | _WHOLE]
    if look.said and unknown:
        near = nearest_word(unknown[0], category)
        hint = f"; the nearest word it knows is {near!r}" if near else ""
        known = CATEGORIES[category]
        raise ValueError(
            f"The model knows no {unknown[0]!r} of a {category}{hint}. {known.main.capitalize()} and {known.second} "
            f"take colours; a whole new prompt may follow '{ARROW}'."
        )
    return replace(look, notes=() if look.unknown else look.notes)


def _positive(word: str, category: str) -> str:
    """Turn "taller" into "tall" where that is a style."""
    for style in CATEGORIES[category].styles:
        if word in (f"{style}er", f"{style}r", f"{style}{style[-1]}er"):
            return style
    return word


def _last_category(words: Sequence[str]) -> str:
    """Return the category of the last noun that names one, or ""."""
    nouns = category_nouns()
    runs = (" ".join(words[end - n : end]) for end in range(len(words), 0, -1) for n in (3, 2, 1) if n <= end)
    return next((nouns[text][0] for text in runs if text in nouns), "")


# Captions in the user's own words


def _own_words(caption: str, words: list[str], instruction: str) -> Change:
    """Change a caption that lies outside the vocabulary: one colour or material, of the thing or a part, a pattern."""
    thing = expand(caption).noun
    meanings = {**lexicon(next(iter(CATEGORIES)))}
    kinds = {"color": COLORS, "material": MATERIALS, "pattern": PATTERNS, "patterned": PATTERNS}
    said = [(i, *meanings[word]) for i, word in enumerate(words) if meanings.get(word, ("",))[0] in kinds]
    silent = {"silent", "a", "of", "is", "with", "and"}
    parts = [
        word
        for i, word in enumerate(words)
        if word not in _VERBS | _WHOLE | {"be", "should", thing}
        and i not in {place for place, _, _ in said}
        and meanings.get(word, ("unknown",))[0] not in silent
    ]
    if len(said) != 1 or len(parts) > 1:
        raise ValueError(
            f"{instruction.strip()!r} is not understood of {caption!r}: give a whole new prompt after '->'."
        )
    _, kind, value = said[0]
    if kind in ("pattern", "patterned"):
        target = f"{caption} {'and' if ' with ' in caption else 'with'} {value}"
    else:
        target = _said_of(caption, parts[0] if parts else thing, value, kinds[kind])
    if target == caption:
        raise ValueError(f"{instruction.strip()!r} changes nothing here: {caption!r} says so already.")
    return Change(caption, target, keeps_shape=True, recolors=kind in ("color", "material"))


def _said_of(caption: str, noun: str, value: str, others: Sequence[str] | dict) -> str:
    """Put an adjective before a noun of a caption, in the place of another of its kind; append what is not there."""
    known = "|".join(others)
    pattern = re.compile(rf"\b(?:(a|an) )?(?:({known}) )?((?:\w+ )?{re.escape(noun)})\b")
    found = pattern.search(caption)
    if not found:
        return f"{caption} with {article(f'{value} {noun}')}"
    inner = re.sub(rf"^(?:{known}) ", "", found[3]) if not found[2] else found[3]
    words = f"{value} {inner}"
    return caption[: found.start()] + (article(words) if found[1] else words) + caption[found.end() :]
