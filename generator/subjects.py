"""What a prompt is about: the things that it names, how many there are, and how two of them stand to each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from .grammar import CATEGORIES, COLORS, MAX_COUNT
from .lexicon import (
    NUMBERS,
    POSTURES,
    READ_AS,
    RELATION_WORDS,
    SENTENCE,
    SEVERAL,
    SHADES,
    SILENT,
    lexicon,
)
from .nouns import COLOR_NOUNS, category_nouns
from .words import COUNTS, plural

STOPS = (".", ",", ";", ":", "!", "?")
LARGEST_NUMBER = 12  # larger ones are years
SEVERAL_ARE = 3
MOST_THINGS = 4  # that differ: in a clip of 128 x 128 pixels more are too small
_ADJECTIVE_ENDINGS = ("y", "ed", "ing", "ish", "ful", "ous", "ic", "less", "like", "en", "full")


@dataclass(frozen=True)
class Thing:
    """A thing that a prompt names."""

    category: str
    """Empty where the vocabulary does not hold it."""
    style: str
    """The style that the noun names, or empty."""
    noun: str
    words: tuple[str, ...]
    """All that is said of it."""


Counted = tuple[Thing, int]


@dataclass(frozen=True)
class Subject:
    """What a prompt is about: things, each with how many there are, and how they stand to others."""

    things: tuple[Counted, ...]
    relation: str = ""
    others: tuple[Counted, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[Thing, ...]:
        return tuple(thing for thing, _ in self.things + self.others)


@dataclass(frozen=True)
class _Noun:
    text: str
    start: int
    category: str = ""
    style: str = ""
    is_plural: bool = False

    def thing(self, words: list[str]) -> Thing:
        if self.text in COLOR_NOUNS:
            words = [self.category if word == self.text else word for word in words]
        return Thing(self.category, self.style, self.text, tuple(words))


def find_subject(words: list[str]) -> Subject | None:
    """Return what the words are about; None where they name no thing.

    It is the first thing named, "a house with a tree" is a house; where two things stand to each other as the model
    knows it, both; and all of "a fox, a bear and two rabbits on a bench".
    """
    words = _turned(_without_of(words))
    noun = _find_noun(words)
    if noun is None:
        return None
    if listed := _find_list(words):
        return listed
    for start, end, text in _ties(words, noun.start + 1):
        subject = _find_pair(words, start, end, *RELATION_WORDS[text])
        if subject:
            return subject
    if not noun.category:
        return Subject(((noun.thing(words), 1),))
    words, count, note = _without_number(words, noun)
    return Subject(((noun.thing(words), count),), notes=(note,) if note else ())


def _ties(words: list[str], first: int) -> Iterator[tuple[int, int, str]]:
    """Yield where words say how one thing stands to another, from the index `first` on, the longest from each place."""
    for start in range(first, len(words)):
        for end in range(min(start + 4, len(words)), start, -1):
            if (text := " ".join(words[start:end])) in RELATION_WORDS:
                yield start, end, text
                break


def _find_list(words: list[str]) -> Subject | None:
    """Return the subject where words list three things or more, None where they do not: each is counted, "a fox" or
    "two foxes", and nothing more is said of any but the last, "a fox, a bear and a cart with red wheels"."""
    told = words[:-1] if words[-1] == "." else words
    none = (len(told), len(told), "")
    start, end, tie = next((found for found in _ties(told, 1) if found[2] != "and"), none)
    first, second = _counted_things(told[:start]), _counted_things(told[end:])
    if not first or (tie and not second) or len(first) + len(second) < 3:
        return None
    relation, is_swapped = RELATION_WORDS.get(tie, ("", False))
    first, second = (second, first) if is_swapped else (first, second)
    notes = ()
    if len(first) + len(second) > MOST_THINGS:
        notes = (f"Of things that differ {COUNTS[MOST_THINGS]} at most are made; the others are left out.",)
    second = second[: MOST_THINGS - 1]
    return Subject(tuple(first[: MOST_THINGS - len(second)]), relation, tuple(second), notes)


def _counted_things(words: list[str]) -> list[Counted]:
    """Return the things of "a fox, a bear and two rabbits"; none where the words are something else."""
    cuts = [-1, *(i for i, word in enumerate(words) if word in (",", "and")), len(words)]
    items = [words[low + 1 : high] for low, high in pairwise(cuts) if high > low + 1]
    found = []
    for i, item in enumerate(items):
        noun = _find_noun(item)
        is_last = i == len(items) - 1
        is_more = any(SENTENCE.get(word, "a") != "a" for word in item)
        if noun is None or item[0] not in ("a", "an", *NUMBERS) or (is_more and not (is_last and noun.category)):
            return []
        bare, count, _ = _without_number(item, noun)
        found.append((noun.thing(bare), count))
    return found


def _without_of(words: list[str]) -> list[str]:
    """Return the words with what is known by the shorter name called so: "a stack of gold coins", a gold coin stack."""
    nouns = category_nouns()
    for i in range(len(words) - 2):
        for j in range(i + 2, min(i + 5, len(words))):
            category = nouns.get(words[j], ("",))[0]
            if words[i + 1] == "of" and category and f"{category} {words[i]}" in nouns:
                return [*words[:i], *words[i + 2 : j], category, words[i], *words[j + 1 :]]
    return words


def _turned(words: list[str]) -> list[str]:
    """Return the words of "a table with a mug on it" as "a mug on a table"; others as they are."""
    told = words[:-1] if words[-1:] == ["."] else words
    if told[-1:] != ["it"]:
        return words
    for start in range(max(len(told) - 5, 0), len(told) - 1):
        text, before = " ".join(told[start:-1]), told[:start]
        if text in RELATION_WORDS and "with" in before:
            at = len(before) - 1 - before[::-1].index("with")
            whole, part = _find_noun(before[:at]), _find_noun(before[at + 1 :])
            if whole and part and whole.category and part.category and not _is_part(part.text, whole.category):
                return [*before[at + 1 :], *told[start:-1], *before[:at]]
    return words


def _find_pair(words: list[str], start: int, end: int, relation: str, is_swapped: bool) -> Subject | None:
    """Return the subject where words[start:end] tie two things, None where they do not.

    The right thing has the words up to the next stop, and the sentences that name it; all others are of the left one.
    """
    left, right = words[:start], words[end:]
    stop = next((i for i, word in enumerate(right) if word in STOPS), len(right))
    right, rest = right[:stop], right[stop:]
    noun, other = _find_noun(left), _find_noun(right)
    if not noun or not other:
        return None
    if not (noun.category and other.category):
        lower = noun if is_swapped else other
        if (relation == "on" and not lower.category) or not _are_apart(left, words[start], right, other):
            return None
    is_part = _is_part(other.text, noun.category)
    is_detail = any(SENTENCE.get(word) == "with" for word in left[noun.start :]) or is_part
    if words[start] == "and" and is_detail:  # "a table with plates and mugs"
        return None
    if any(word in SENTENCE and SENTENCE[word] != "a" for word in right[: other.start]):
        return None
    if left[-1] in POSTURES and not (noun.category and left[-1] in CATEGORIES[noun.category].styles):
        left = left[:-1]
    left, count, note = _without_number(left, noun)
    right, other_count, other_note = _without_number(right, other)
    for sentence in _sentences(rest):
        named = [text for _, text in _runs(sentence) if _names(text, other)]
        is_of_right = any(text == other.text or not _is_part(text, noun.category) for text in named)
        (right if is_of_right else left).extend([".", *sentence])
    first, second = (noun.thing(left), count), (other.thing(right), other_count)
    first, second = (second, first) if is_swapped else (first, second)
    return Subject((first,), relation, (second,), tuple(each for each in (note, other_note) if each))


def _are_apart(left: list[str], tie: str, right: list[str], other: _Noun) -> bool:
    """Tell whether words tie two things of which one may be any: "a dragon next to a house", not "a sign made by
    children" or "a dragon with a sword and a shield"."""
    is_counted = bool(other.category) or right[0] in ("a", "an", *NUMBERS)  # "next to the river"
    is_plain = not any(SENTENCE.get(word) in ("with", "is", "not") for word in left)
    return is_counted and is_plain and (tie != "by" or bool(other.category))


def _names(text: str, noun: _Noun) -> bool:
    """Tell whether words mean the same thing as a noun."""
    return text == noun.text or bool(noun.category and category_nouns().get(text, ("",))[0] == noun.category)


def _is_part(text: str, category: str) -> bool:
    """Tell whether a noun is a word for a part of a category: the bed of a truck."""
    return bool(category) and lexicon(category).get(text, ("",))[0] in ("main", "second")


def _without_number(words: list[str], noun: _Noun) -> tuple[list[str], int, str]:
    """Return the words without the number before the noun, the count of things, and a note or ""."""
    for i in range(noun.start - 1, -1, -1):
        word = words[i]
        if word in SENTENCE and word != "of":
            break
        number = NUMBERS.get(word) or (int(word) if word.isdecimal() and len(word) < 4 else 0)
        is_bare = (i == 0 or SENTENCE.get(words[i - 1]) != "a") and set(words[i + 1 : noun.start]) <= _adjectives()
        if not (noun.is_plural or is_bare) or " ".join(words[i : i + 2]) in SILENT:
            continue
        others = words[:i] + words[i + 1 :]
        if word in SEVERAL:
            return others, SEVERAL_ARE, f"{word!r} are read as {COUNTS[SEVERAL_ARE]}."
        if number > LARGEST_NUMBER or number == 0:
            continue
        note = f"The model counts to {COUNTS[MAX_COUNT]}; {word!r} is read so." if number > MAX_COUNT else ""
        return others, min(number, MAX_COUNT), note
    if noun.is_plural:
        return (
            list(words),
            SEVERAL_ARE,
            f"How many is not said: {COUNTS[SEVERAL_ARE]} {plural(noun.category)} are made.",
        )
    return list(words), 1, ""


def _find_noun(words: list[str]) -> _Noun | None:
    """Return the first thing named. Of nouns side by side the last counts: "an ice cream truck" is a truck."""
    nouns, clauses, doubtful = category_nouns(), _clauses(words), None
    for k, (start, clause, before, after) in enumerate(clauses):
        known = [(end, text) for end, text in _runs(clause) if text in nouns]
        if known:
            end, text = known[-1]
            if end < len(clause) and not _is_said_after(clause[end]):
                return _Noun(clause[-1], start)  # "a boat house"
            category, style, is_plural = nouns[text]
            styles = [nouns[other][1] for _, other in known if nouns[other][0] == category and nouns[other][1]]
            style = style or (styles[0] if styles else "")
            return _Noun(text, start + end - len(text.split()), category, style, is_plural)
        strange = _strange(clause)
        if not strange:
            continue
        is_part = before in ("the", "its") and strange[-1] in _parts()
        goes_on = any(
            other == start + len(clause) + 1 and _strange(follower) for other, follower, _, _ in clauses[k + 1 :]
        )
        is_adjective = after in (",", "and") and strange[-1].endswith(_ADJECTIVE_ENDINGS)
        if not (is_part or is_adjective or (after == "," and goes_on)):
            return _Noun(strange[-1], start)
        doubtful = doubtful or _Noun(strange[-1], start)
    found = next((word for word in words if word in COLOR_NOUNS), None)
    if found:
        category, style, *_ = COLOR_NOUNS[found]
        return _Noun(found, words.index(found), category, style)
    return doubtful or next(
        (_Noun(clause[-1], start) for start, clause, _, _ in clauses if clause[-1] in _likenesses()), None
    )


def _strange(clause: list[str]) -> list[str]:
    """Return the words that may be nouns for what the vocabulary does not hold; nouns that it holds are among them."""
    return [word for word in clause if word.isalpha() and word not in _adjectives()]


def _is_said_after(word: str) -> bool:
    """Tell whether a word after a noun says how the thing is, and is no noun itself: "a mug shaped as a barrel"."""
    return not word.isalpha() or word in _adjectives() or word in _parts() or word.endswith(_ADJECTIVE_ENDINGS)


def _clauses(words: list[str]) -> list[tuple[int, list[str], str, str]]:
    """Cut the words where those that hold a sentence together stand: (start, clause, word before it, word after it)."""
    tied = {
        i
        for start in range(len(words))
        for end in range(start + 2, start + 5)
        if " ".join(words[start:end]) in RELATION_WORDS
        for i in range(start, end)
    }
    cuts = [-1, *(i for i, word in enumerate(words) if word in SENTENCE or i in tied), len(words)]
    padded = [*words, ""]
    return [
        (low + 1, words[low + 1 : high], padded[low], padded[high]) for low, high in pairwise(cuts) if high > low + 1
    ]


def _sentences(words: list[str]) -> list[list[str]]:
    cuts = [-1, *(i for i, word in enumerate(words) if word in (".", "!", "?", ";")), len(words)]
    return [words[low + 1 : high] for low, high in pairwise(cuts) if high > low + 1]


def _runs(words: list[str]) -> list[tuple[int, str]]:
    """Return all runs of one to three words, each with its end, in the order of their ends, the longer ones last."""
    ends = range(1, len(words) + 1)
    return [(end, " ".join(words[end - n : end])) for end in ends for n in (1, 2, 3) if n <= end]


@cache
def _adjectives() -> frozenset[str]:
    """Return the words that say something about any thing, but name none."""
    meanings = lexicon(next(iter(CATEGORIES)))
    phrases = [phrase for phrase, (kind, _) in meanings.items() if kind not in ("category", "main", "second")]
    return frozenset(word for phrase in (*phrases, *READ_AS, *SHADES, *POSTURES) for word in phrase.split())


@cache
def _likenesses() -> frozenset[str]:
    """Return the words that say how a thing looks by another thing: "banana" is a yellow, "dome" a style of tents."""
    styles = {style for category in CATEGORIES.values() for style in category.styles}
    return frozenset(styles | {word for word, other in READ_AS.items() if other in COLORS})


@cache
def _parts() -> frozenset[str]:
    """Return the words for a part of any category."""
    return frozenset(
        phrase
        for category in CATEGORIES
        for phrase, (kind, _) in lexicon(category).items()
        if kind in ("main", "second")
    )
