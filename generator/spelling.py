"""From the letters of a prompt to words: cut, without accents, typing errors corrected; and the nearest known word."""

from __future__ import annotations

import difflib
import re
import unicodedata
from functools import cache

from jaxtyping import Float
from torch import Tensor

from .grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS
from .lexicon import all_words
from .text import load_text_encoder

# A neighbour by meaning that is farther than this is no help (cosine; "rusty" lies 0.46 from "orange").
NEAR = 0.45


def split(prompt: str) -> list[str]:
    """Cut a prompt into lower-case words and stops. Hyphens are spaces; accents go where Latin letters stay."""
    text = unicodedata.normalize("NFKC", prompt).casefold().replace("\u2019", "'")
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)*|[.,;:!?]", text)
    return [_without_accents(word.removesuffix("'s")) for word in words]


def _without_accents(word: str) -> str:
    folded = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return folded if folded.isascii() else word


@cache
def meant(word: str) -> str:
    """Return the known word that a typing error stands for; a known word, or an English word unknown here, stays."""
    if len(word) < 3 or not word.isalpha() or word in all_words() or word in _english():
        return word
    known = sorted(other for other, says in all_words().items() if says and len(other) > 2 and other[0] == word[0])
    swapped = [other for other in known if sorted(other) == sorted(word)]
    near = [other for other in known if _is_one_edit(word, other)]
    return (swapped or difflib.get_close_matches(word, near, 1) or [word])[0]


def _is_one_edit(word: str, other: str) -> bool:
    """Tell whether one letter more, less or other makes one word of the other."""
    start = next((i for i, (a, b) in enumerate(zip(word, other)) if a != b), min(len(word), len(other)))
    ends = {(0, 1), (1, 0), (1, 1)}
    return any(word[start + skip :] == other[start + jump :] for skip, jump in ends)


@cache
def _english() -> frozenset[str]:
    """Return the words that the text encoder holds whole: a coat is no cat with a typing error."""
    return frozenset(load_text_encoder().tokenizer.get_vocab())


@cache
def nearest_word(word: str, category: str) -> str:
    """Return the word nearest in meaning that says something about a category; "" where none is near."""
    words, vectors = _word_vectors(category)
    likeness = vectors @ load_text_encoder().embed([word])[0]
    return words[int(likeness.argmax())] if float(likeness.max()) > NEAR else ""


@cache
def _word_vectors(category: str) -> tuple[tuple[str, ...], Float[Tensor, "n 384"]]:
    known = CATEGORIES[category]
    words = (known.main, known.second, *known.styles, *COLORS, *MATERIALS, *PATTERNS)
    return words, load_text_encoder().embed(list(words))
