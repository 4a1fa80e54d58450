"""The words for attributes: captions at three levels, with synonyms, in which what is dropped stays free.

Re-captioning at several lengths: Betker et al., "Improving Image Generation with Better Captions" (DALL-E 3).
"""

from __future__ import annotations

import numpy as np

from generator.grammar import CATEGORIES, PATTERNS, Attributes, pattern_color

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
}
MATERIAL_SYNONYMS: dict[str, tuple[str, ...]] = {
    "matte": ("dull", "clay"),
    "glossy": ("shiny", "ceramic"),
    "metallic": ("metal", "chrome"),
}
PATTERN_SYNONYMS: dict[str, tuple[str, ...]] = {
    "horizontal stripes": ("horizontal bands", "rings"),
    "vertical stripes": ("stripes",),
    "checks": ("a checkered pattern",),
    "polka dots": ("dots", "spots"),
}
SYNONYM_SHARE = 0.25

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
    said = {name for name, share in _SAYS[level].items() if rng.random() < share}
    return long_caption(attributes, said, rng) if level == "long" else phrase(attributes, said, rng)


def phrase(attributes: Attributes, said: set[str], rng: np.random.Generator | None = None) -> str:
    """Write a noun phrase: "a glossy red round mug with white polka dots and a blue handle".

    `said` names the attributes to mention, of style, color, second, pattern, material; no rng means no synonyms.
    """
    category = CATEGORIES[attributes.category]
    words = [
        _one_of(attributes.material, MATERIAL_SYNONYMS, rng) if "material" in said else "",
        _one_of(attributes.color, COLOR_SYNONYMS, rng) if "color" in said else "",
        attributes.style if "style" in said else "",
        _noun(attributes.category, rng),
    ]
    details = []
    if "pattern" in said and attributes.pattern != PATTERNS[0]:
        details.append(f"{pattern_color(attributes.color, attributes.pattern)} {_pattern(attributes, rng)}")
    if "second" in said:
        details.append(article(f"{_one_of(attributes.second_color, COLOR_SYNONYMS, rng)} {category.second}"))
    text = article(" ".join(word for word in words if word))
    return f"{text} with {' and '.join(details)}" if details else text


def long_caption(attributes: Attributes, said: set[str] | None = None, rng: np.random.Generator | None = None) -> str:
    """Write the long form: "A 3D model of a round mug, glossy. The body is red with white checks. The handle is blue."

    Without `said` everything is said; this is the form in which the model is asked.
    """
    said = {"style", "color", "second", "pattern", "material"} if said is None else said
    category = CATEGORIES[attributes.category]
    noun = _noun(attributes.category, rng)
    text = f"A 3D model of {article(f'{attributes.style} {noun}' if 'style' in said else noun)}"
    text += f", {_one_of(attributes.material, MATERIAL_SYNONYMS, rng)}." if "material" in said else "."
    main = [_one_of(attributes.color, COLOR_SYNONYMS, rng)] if "color" in said else []
    if "pattern" in said:
        if attributes.pattern == PATTERNS[0]:
            main.insert(0, "plain")
        else:
            main.append(f"with {pattern_color(attributes.color, attributes.pattern)} {_pattern(attributes, rng)}")
    if main:
        text += f" The {category.main} {_verb(category.main)} {' '.join(main)}."
    if "second" in said:
        color = _one_of(attributes.second_color, COLOR_SYNONYMS, rng)
        text += f" The {category.second} {_verb(category.second)} {color}."
    return text


def _one_of(word: str, synonyms: dict[str, tuple[str, ...]], rng: np.random.Generator | None) -> str:
    if rng is None or rng.random() >= SYNONYM_SHARE:
        return word
    return str(rng.choice(synonyms[word]))


def _noun(category: str, rng: np.random.Generator | None) -> str:
    synonyms = CATEGORIES[category].synonyms
    if rng is None or not synonyms or rng.random() >= SYNONYM_SHARE:
        return category
    return str(rng.choice(synonyms))


def _pattern(attributes: Attributes, rng: np.random.Generator | None) -> str:
    return _one_of(attributes.pattern, PATTERN_SYNONYMS, rng).removeprefix("a ")


def article(words: str) -> str:
    """Put "a" or "an" before words whose last is singular."""
    if _is_plural(words):
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _verb(noun: str) -> str:
    return "are" if _is_plural(noun) else "is"


def _is_plural(noun: str) -> bool:
    """Tell whether a noun of the vocabulary is plural."""
    return noun.endswith("s") and not noun.endswith(("ss", "us"))
