"""What a model has learnt to make, where that is less than the grammar holds; and prompts cut down to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .caption import Expansion, expand
from .grammar import CATEGORIES, PATTERNS, Attributes
from .spelling import nearest, split
from .words import COUNTS, long_caption

NEAREST_COLOR = {"beige": "white", "lime": "green"}


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model's training data used, as its card lists them."""

    categories: tuple[str, ...]
    colors: tuple[str, ...]
    patterns: tuple[str, ...]
    materials: tuple[str, ...]
    several: bool = False
    """Whether it makes several equal things, or two in a relation."""
    free: bool = False
    """Whether it was shown captions in anybody's words."""


def understand(prompt: str, vocabulary: Vocabulary | None) -> Expansion:
    """Expand a prompt to the caption that a model understands; None stands for one that knows all of the grammar.

    Raises ValueError where the prompt names nothing that could be made.
    """
    expansion = expand(prompt)
    if vocabulary is None or (expansion.attributes is None and vocabulary.free):
        return expansion
    notes: list[str] = []
    attributes = expansion.attributes
    if attributes is None or attributes.category not in vocabulary.categories:
        strange = attributes.category if attributes else expansion.noun
        made = nearest(strange, vocabulary.categories)
        notes = [f"The model knows no {strange}; it makes the nearest thing that it knows, a {made}."]
        expansion = expand(" ".join(split(prompt)).replace(expansion.noun, made, 1))
        attributes = expansion.attributes
        if attributes is None or attributes.category != made:  # its words are not to be had apart
            attributes = replace(plain(made), **{} if attributes is None else {"color": attributes.color})
    attributes, cuts = _restrict(attributes, vocabulary)
    return Expansion(long_caption(attributes), attributes, (*notes, *expansion.notes, *cuts), expansion.noun)


def plain(category: str) -> Attributes:
    """Return what a category looks like where nothing more is said."""
    known = CATEGORIES[category]
    return Attributes(category, known.styles[0], *known.natural, PATTERNS[0], "matte")


def _restrict(attributes: Attributes, vocabulary: Vocabulary) -> tuple[Attributes, list[str]]:
    """Put what a model does not know back to what it knows; return a note for each."""
    changes, notes = {}, []
    if not vocabulary.several and attributes.relation:
        notes.append(f"The model makes one thing at a time: the {attributes.other_category} is left out.")
        changes |= {"relation": "", "other_category": "", "other_style": "", "other_color": ""}
    if not vocabulary.several and attributes.count > 1:
        notes.append(f"The model makes one thing at a time, not {COUNTS[attributes.count]}.")
        changes["count"] = 1
    taken = {attributes.color, attributes.second_color}
    for name in ("color", "second_color"):
        color = getattr(attributes, name)
        if color not in vocabulary.colors:
            made = NEAREST_COLOR[color] if NEAREST_COLOR[color] not in taken else "grey"
            changes[name] = made
            notes.append(f"The model knows no {color}; {made} is made.")
    if attributes.pattern not in vocabulary.patterns:
        changes["pattern"] = "horizontal stripes"
        notes.append(f"The model knows no {attributes.pattern}; horizontal stripes are made.")
    if attributes.material not in vocabulary.materials:
        changes["material"] = "matte"
        notes.append(f"The model knows nothing {attributes.material}; it is made matte.")
    return replace(attributes, **changes), notes
