"""From a user's words to the long caption the model was trained on, by rules that say what they did.

"a shiny crimson mug with a blue handle" becomes "A 3D model of a tall mug, glossy. The body is plain red. The handle is
blue." Words outside the vocabulary are named, each with the nearest word that the model knows. Where the thing itself
lies outside, the user's words stay as they are: the model has seen captions of other things too.

The prompt is corrected word by word, its subject is found (subjects.py), the words become items (kind, value) of
lexicon.py, and the items fall into phrases, each with the colours that stand in it and the noun that they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .grammar import CATEGORIES, COLORS, MATERIALS, PATTERNS, SUPPORTS, Attributes, pattern_color
from .lexicon import READ_AS, SHADES, Meaning, lexicon
from .nouns import NAMED_BY_SECOND, look
from .parts import Part, Scene, part_of, scene_of
from .spelling import meant, nearest_word, split
from .subjects import STOPS, Subject, Thing, find_subject
from .text import load_text_encoder
from .words import long_caption, pair_caption

EXAMPLE = 'Say what to make, as in "a red mug with a blue handle".'
NOUNS = ("category", "main", "second", "pattern")


@dataclass(frozen=True)
class Expansion:
    """What a prompt became."""

    text: str
    """The long caption, or the user's own words for a thing outside the vocabulary."""
    attributes: Attributes | None
    """The same, as attributes; None for the user's own words."""
    notes: tuple[str, ...]
    """One sentence for each thing that was not taken as it stood."""
    noun: str
    """The word or words of the prompt that name the thing."""
    said: frozenset[str] = frozenset()
    """The attributes of the thing that the prompt's words set; the others have what one would expect."""
    scene: Scene | None = None
    """The parts of what is more than one thing."""


@dataclass(frozen=True)
class Look:
    """What words say of how a thing looks."""

    said: dict[str, str]
    """By the names of attributes."""
    unknown: tuple[str, ...]
    """Words that say nothing to the model."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    kind: str
    value: str
    text: str


@dataclass
class _Phrase:
    """A run of adjectives and the noun that they stand before, or the noun before them, of which they are said."""

    subject: str = ""
    colors: list[str] = field(default_factory=list)
    pattern: str = ""
    is_denied: bool = False


@dataclass
class _Reading:
    """What has been understood of a thing so far."""

    category: str
    noun: str = ""
    """What the prompt calls it; empty where that is not known."""
    found: dict[str, str] = field(default_factory=dict)
    whole: str = ""
    """The colour that was said of the thing as a whole."""
    spare_colors: list[str] = field(default_factory=list)
    pattern_colors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def usual(self) -> tuple[str, str, str]:
        """Main colour, second colour and pattern where none is said, beside a main colour that is."""
        return look(self.noun, self.category, self.found.get("color", ""))

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def take(self, kind: str, value: str) -> None:
        """Take a style, a material or a pattern, unless another was taken before."""
        known = self.found.setdefault(kind, value)
        if (known, value) == ("glossy", "metallic"):
            self.found[kind] = value  # "shiny metal"
        elif known != value and (known, value) != ("metallic", "glossy"):
            self.note(f"One {kind} at a time: {known} is taken, {value} is left out.")

    def claim(self, slot: str, color: str) -> None:
        """Give a colour to a part, unless the part has another already."""
        known = self.found.setdefault(slot, color)
        if known != color:
            parts = {"color": CATEGORIES[self.category].main, "second_color": CATEGORIES[self.category].second}
            self.note(f"The colour of the {parts[slot]} is {known} already; {color} is left out.")


def expand(prompt: str) -> Expansion:
    """Expand a prompt to the long caption. Raises ValueError where it names nothing that could be made.

    The same prompt always gives the same caption: nothing is drawn, what is left open gets what one would expect.
    """
    words, notes = _corrected(split(prompt))
    subject = find_subject(words)
    if subject is None:
        raise ValueError(f"The prompt names no thing. {EXAMPLE}")
    if strange := next((thing for thing in subject.named if not thing.category), None):
        words, notes = _corrected(split(prompt), only_looks=True)
        subject = find_subject(words) or subject
        notes.append(f"{strange.noun!r} lies outside the words that the model knows best: the result may vary.")
    if strange or len(subject.named) > 2:
        return _in_own_words(words, subject, notes)
    [(thing, count)] = subject.things
    reading = _read(thing)
    notes += reading.notes + list(subject.notes)
    attributes = replace(_complete(reading), count=count)
    said = frozenset((*reading.found, "category"))
    if not subject.others:
        text, scene = long_caption(attributes), scene_of(attributes)
    else:
        other, other_count = subject.others[0]
        attributes, alone, other_notes = _with_other(attributes, subject.relation, other)
        notes += other_notes
        text, scene = pair_caption(attributes, alone, other_count), scene_of(attributes)
        assert scene is not None
        scene = replace(scene, others=(part_of(alone, other_count),))
    return Expansion(text, attributes, _unique(notes), thing.noun, said, scene)


def _in_own_words(words: list[str], subject: Subject, notes: list[str]) -> Expansion:
    """Leave the words as they are, of a thing outside the vocabulary or of many; each alone has its own caption."""
    text = _tidied(words)
    if unread := load_text_encoder().unread(text):
        notes.append(f"The prompt is longer than the model reads: {unread!r} is left out.")
    notes += subject.notes
    scene = None
    if len(subject.named) > 1:
        things, others = ([_part(*each, notes) for each in side] for side in (subject.things, subject.others))
        scene = Scene(tuple(things), subject.relation, tuple(others))
    return Expansion(text, None, _unique(notes), subject.things[0][0].noun, scene=scene)


def _part(thing: Thing, count: int, notes: list[str]) -> Part:
    """Return a thing as it is asked for alone; what is not understood of it is added to the notes."""
    if not thing.category:
        return Part(_tidied(list(thing.words)), None)
    reading = _read(thing)
    attributes = _complete(reading)
    notes += reading.notes
    return part_of(attributes, count)


def _unique(notes: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))


def _corrected(words: list[str], *, only_looks: bool = False) -> tuple[list[str], list[str]]:
    """Correct typing errors and drop what is not written in Latin letters; return the words and notes.

    With `only_looks` colours and materials alone are corrected: of other things any word may be said.
    """
    spelt = [word for word in words if any(letter.isalpha() for letter in word)]
    if not spelt:
        raise ValueError(f"The prompt holds no words. {EXAMPLE}")
    if not any(word.isascii() for word in spelt):
        raise ValueError(f"The model reads English only. {EXAMPLE}")
    corrected, notes = [], []
    for word in words:
        if not word.isascii():
            notes.append(f"The model reads English only and leaves out {word!r}.")
            continue
        read = meant(word)
        if only_looks and read not in (*COLORS, *MATERIALS):
            read = word
        if read != word:
            notes.append(f"Read {word!r} as {read!r}.")
        corrected.append(read)
    return corrected, notes


def _tidied(words: list[str]) -> str:
    """Return the words as a caption of the model's free ones: lower case, no stop at the end."""
    text = "".join(word if word in STOPS else f" {word}" for word in words)
    return text.strip(" .,;:!?")


def _read(thing: Thing) -> _Reading:
    """Read what is said of a thing of the vocabulary."""
    reading = _Reading(thing.category, thing.noun)
    items = _match(list(thing.words), reading)
    _note_unknown(items, reading)
    _read_colors(items, reading)
    _read_adjectives(items, thing.style, reading)
    _settle_pattern_color(reading)
    return reading


def read_look(category: str, words: list[str], now: Attributes | None = None) -> Look:
    """Read what words say of the look of a thing of a category; `now` is how it looks already."""
    reading = _Reading(category)
    items = _match(words, reading)
    _note_unknown(items, reading)
    _read_colors(items, reading)
    _read_adjectives(items, "", reading)
    if now is not None and reading.pattern_colors:  # they depend on the body's
        reading.found.setdefault("color", now.color)
    _settle_pattern_color(reading)
    unknown = tuple(item.text for item in items if item.kind in ("unknown", "other", "not"))
    return Look(reading.found, unknown, _unique(reading.notes))


def _with_other(attributes: Attributes, relation: str, other: Thing) -> tuple[Attributes, Attributes, list[str]]:
    """Add the second thing of a relation; return the scene, that thing alone with all that is said of it, and notes."""
    reading = _read(other)
    category, found, notes = reading.category, reading.found, list(reading.notes)
    known = CATEGORIES[category]
    styles = SUPPORTS.get(category, known.styles) if relation == "on" else known.styles
    if relation == "on" and found.get("style", styles[0]) not in SUPPORTS.get(category, ()):
        notes.append(f"The model has seen nothing stand on such a {category}: the result may vary.")
    usual = next(color for color in (*reading.usual[:2], "white") if color != attributes.color)
    scene = replace(
        attributes,
        relation=relation,
        other_category=category,
        other_style=found.get("style", styles[0]),
        other_color=found.get("color", usual),
    )
    return scene, replace(_complete(reading), style=scene.other_style, color=scene.other_color), notes


def _match(words: list[str], reading: _Reading) -> list[_Item]:
    """Cut the words into items, longest first."""
    meanings = lexicon(reading.category)
    items, i = [], 0
    while i < len(words):
        text = _longest(words[i : i + 3], meanings)
        kind, value = meanings.get(text) or meanings.get(READ_AS.get(text, "")) or ("unknown", text)
        if words[i] in SHADES and _is_color(words[i + 1 : i + 2], meanings):
            text, kind = words[i], "silent"
            reading.note(f"The model knows one shade of each colour; {text!r} is left out.")
        elif text in READ_AS and text not in meanings:
            reading.note(f"Read {text!r} as {READ_AS[text]!r}.")
        if kind == "number" or (kind == "unknown" and text.isdigit()):
            reading.note(f"The model counts things, not their parts; {text!r} is left out.")
        elif kind == "category" and value != reading.category:
            items.append(_Item("other", value, text))
        elif kind != "silent":
            items.append(_Item(kind, value, text))
        i += len(text.split())
    return items


def _longest(words: list[str], meanings: dict[str, Meaning]) -> str:
    """Return the longest run from the first word that means something, or the first word."""
    runs = [" ".join(words[:n]) for n in range(len(words), 0, -1)]
    return next((text for text in runs if text in meanings or text in READ_AS), words[0])


def _is_color(words: list[str], meanings: dict[str, Meaning]) -> bool:
    return any(meanings.get(READ_AS.get(word, word), ("", ""))[0] == "color" for word in words)


def _is_strange_noun(items: list[_Item], i: int) -> bool:
    """Tell whether item i is a thing that the model does not make: no word follows to which it could belong.

    "gold-rimmed" says it too where there is no rim: the colour is not the subject's.
    """
    is_last = i + 1 == len(items) or items[i + 1].kind in ("with", "is", "and", "a", "not")
    is_worn = items[i].text.endswith("ed") and i > 0 and items[i - 1].kind == "color"
    return items[i].kind in ("unknown", "other") and (is_last or is_worn)


def _has_color(items: list[_Item], i: int) -> bool:
    """Tell whether a colour is said of noun i: "golden wheels", "wheels are golden"."""
    if [item.kind for item in items[i + 1 : i + 3]] == ["is", "color"]:
        return True
    while i > 0 and items[i - 1].kind in ("patterned", "material", "style"):
        i -= 1
    return i > 0 and items[i - 1].kind == "color"


def _note_unknown(items: list[_Item], reading: _Reading) -> None:
    known = CATEGORIES[reading.category]
    for i, item in enumerate(items):
        if item.kind == "other":
            reading.note(f"The {item.value} is left out, the {reading.category} is made.")
        elif item.kind == "unknown" and _is_strange_noun(items, i) and _has_color(items, i):
            reading.note(
                f"The model does not know {item.text!r} and leaves it out, with its colour; "
                f"{known.main} and {known.second} take colours."
            )
        elif item.kind == "unknown":
            near = nearest_word(item.text, reading.category)
            ending = f"; the nearest word it knows is {near!r}." if near else "."
            reading.note(f"The model does not know {item.text!r} and leaves it out{ending}")


def _read_colors(items: list[_Item], reading: _Reading) -> None:
    """Give each colour to the noun that it stands before ("a blue handle") or that it is said of ("is blue")."""
    phrase, noun = _Phrase(), ""
    for i, item in enumerate(items):
        is_noun = item.kind in NOUNS or _is_strange_noun(items, i)
        if is_noun and phrase.colors and _begins_phrase(items, i, phrase):
            _bind(phrase, phrase.subject, reading)
            phrase = _Phrase()
        if is_noun:
            phrase.pattern = item.value if item.kind == "pattern" else phrase.pattern
            _bind(phrase, item.kind, reading)
            phrase, noun = _Phrase(), item.kind
        elif item.kind == "color":
            phrase.subject = phrase.subject or noun
            phrase.colors += [item.value] if item.value not in phrase.colors else []
        elif item.kind == "patterned":
            phrase.subject = phrase.subject or noun
            phrase.pattern = item.value
        elif item.kind in ("with", "not") or item.kind == ("a" if phrase.colors else "and"):
            _bind(phrase, phrase.subject, reading)
            phrase, noun = _Phrase(is_denied=item.kind == "not"), ""
        if item.kind == "not":
            reading.note(f"{item.text!r} is not understood: say what is to be seen instead.")
    _bind(phrase, phrase.subject, reading)


def _begins_phrase(items: list[_Item], i: int, phrase: _Phrase) -> bool:
    """Tell whether noun i is none of the colours before it: "the body is red and handle blue" has no red handle."""
    is_said_of = items[i + 1 : i + 2] and items[i + 1].kind == "is" and phrase.subject
    return items[i - 1].kind == "and" or bool(is_said_of)


def _bind(phrase: _Phrase, noun: str, reading: _Reading) -> None:
    """Give a phrase's pattern and colours to a kind of noun; "" where there is none."""
    if phrase.is_denied or noun in ("unknown", "other"):
        return
    known = CATEGORIES[reading.category]
    if phrase.pattern and noun == "second":
        reading.note(f"Patterns lie on {known.main} alone, not on {known.second}.")
    elif phrase.pattern:
        reading.take("pattern", phrase.pattern)
    if not phrase.colors:
        return
    first, *others = phrase.colors
    if noun == "pattern" or (noun == "" and phrase.pattern and "color" in reading.found):
        reading.pattern_colors += phrase.colors
    elif noun == "second":
        reading.claim("second_color", first)
        _note_left_out(others, reading)
    elif noun == "":
        reading.spare_colors += phrase.colors
    else:
        if noun == "main" != phrase.subject and first != reading.whole == reading.found.get("color"):
            reading.spare_colors.append(reading.found.pop("color"))  # "a wooden chair with a green seat"
        reading.claim("color", first)
        if noun == "category":
            reading.whole = first
        if phrase.pattern:
            reading.pattern_colors += others
        elif noun == "category":
            reading.spare_colors += others
        else:
            _note_left_out(others, reading)


def _note_left_out(colors: list[str], reading: _Reading) -> None:
    for color in colors:
        reading.note(f"Each part has one colour; {color} is left out.")


def _read_adjectives(items: list[_Item], style: str, reading: _Reading) -> None:
    """Take style and material, and the colours that no noun claimed."""
    category, found = reading.category, reading.found
    for item in items:
        if item.kind == "style" and item.value not in CATEGORIES[category].styles:
            styles = ", ".join(CATEGORIES[category].styles)
            reading.note(f"There is no {item.text} {category}; there are: {styles}.")
        elif item.kind in ("style", "material"):
            reading.take(item.kind, item.value)
    if style:
        found.setdefault("style", style)
    for color in reading.spare_colors:
        if color not in found.values():
            slot = "second_color" if "color" in found else "color"
            if slot in found:
                reading.note(f"Two colours at most; {color} is left out.")
            if slot == "color":
                reading.whole = color
            found.setdefault(slot, color)


def _settle_pattern_color(reading: _Reading) -> None:
    """Patterns have the colour of `pattern_color`; stripes or checks of another swap it with the body's."""
    found, pattern = reading.found, reading.found.get("pattern", PATTERNS[0])
    if not reading.pattern_colors or pattern == PATTERNS[0]:
        return
    if "color" not in found and len(reading.pattern_colors) > 1:
        found["color"] = reading.pattern_colors.pop(0)  # "with red and white stripes"
    wanted = reading.pattern_colors[-1]
    usual = (found["color"],) if "color" in found else (*reading.usual[:2], "white", "red")
    fitting = [color for color in usual if wanted == pattern_color(color, pattern)]
    if fitting:
        found["color"] = fitting[0]
    elif "color" not in found or (pattern != "polka dots" and pattern_color(wanted, pattern) == found["color"]):
        is_expected = "color" not in found and wanted == "black" and pattern != "polka dots"  # on white, as one thinks
        found["color"] = wanted
        if not is_expected:
            reading.note(f"Made {wanted} with {pattern_color(wanted, pattern)} {pattern}.")
    else:
        made = pattern_color(found["color"], pattern)
        reading.note(f"On {found['color']} the model makes {pattern} {made}, not {wanted}.")


def _complete(reading: _Reading) -> Attributes:
    """Fill in what the prompt left open with what one would expect."""
    category, found = CATEGORIES[reading.category], reading.found
    usual_color, usual_second, usual_pattern = reading.usual
    color = found.get("color", usual_color)
    second = found.get("second_color", usual_second)
    if "second_color" in found and "color" not in found and color == second:  # "a mug with a blue handle"
        color = next(other for other in (usual_second, "white", "black") if other != second)
    pattern = found.get("pattern", usual_pattern)
    is_whole = "second_color" not in found and pattern == PATTERNS[0] and color == reading.whole
    if reading.category in NAMED_BY_SECOND and is_whole and color != usual_color:
        color, second = usual_color, color
    return Attributes(
        category=reading.category,
        style=found.get("style", category.styles[0]),
        color=color,
        second_color=second,
        pattern=pattern,
        material=found.get("material", "matte"),
    )
