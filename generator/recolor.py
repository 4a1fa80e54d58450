"""Give a captioned model another colour, and change the word for it; only where word and colour are clearly a pair.

Each colour of a model gets the name of the grammar's nearest one. A word of the caption can change if a fair share of
the surface has that name, and no other word could mean that share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from generator.grammar import COLORS

SMALLEST_SHARE = 0.08  # of the surface: a smaller part is not what the word means
SMALL_SHARE = 0.03  # less than this of the surface may have a new colour already
JITTER = 0.05  # of a new colour's channels
GREY_JITTER = 0.012  # of those that a little more would give a hue
# Words before a colour that keep their meaning under another one, and what they do to it: towards white or black.
_SHADES = {"light": 0.35, "pale": 0.4, "bright": 0.0, "dark": -0.4, "deep": -0.3}
# Words that say a colour without its name, and the names that they may stand for.
_HINTS = {
    "brown": r"wood\w*|timber|log|logs|bark|trunk|leather|tan|bronze|copper|rust\w*|soil|earth|chocolate|tree|palm",
    "green": r"gr[ae]ss\w*|lea\w+|foliage|moss\w*|olive|plants?|bush\w*|shrub|cactus|tree|palm|vines?|mint",
    "yellow": r"gold\w*|mustard|brass|amber|straw|hay|wheat|lemon|corn|sand\w*|flames?",
    "grey": r"silver\w*|stone\w*|metal\w*|steel|iron|concrete|rock\w*|gr[ae]yish|slate|gunmetal|chrome|tyres?|tires?",
    "beige": r"cream\w*|tan|sand\w*|skin|ivory|bone|parchment|bald|man|woman|face|hands?|peach",
    "red": r"maroon|crimson|brick|bricks|terracotta|burgundy|scarlet|salmon|flames?|reddish",
    "blue": r"navy|cyan|azure|turquoise|water|glass|windows?|bluish|denim|ice",
    "teal": r"cyan|turquoise|aqua|water|glass|windows?|mint",
    "white": r"cream\w*|ivory|snow\w*|bone|pale|marble|paper",
    "black": r"dark|charcoal|ebony|tyres?|tires?|wheels?|rubber",
    "pink": r"magenta|salmon|peach|rose|skin|flesh",
    "purple": r"violet|magenta|plum|lavender|lilac",
    "orange": r"amber|copper|rust\w*|terracotta|peach|salmon|flames?|autumn",
    "lime": r"gr[ae]ss\w*|lea\w+|foliage",
}
# Names that people give to each other's colours: a word is no clear pair while the caption says one of these too.
_NEIGHBOURS = {
    "brown": ("orange", "beige", "red"),
    "beige": ("brown", "white", "yellow", "orange", "pink"),
    "grey": ("white", "black", "blue"),
    "white": ("grey", "beige"),
    "black": ("grey",),
    "red": ("orange", "pink", "brown"),
    "orange": ("brown", "yellow", "red", "beige"),
    "yellow": ("orange", "beige", "lime"),
    "green": ("teal", "lime"),
    "lime": ("green", "yellow"),
    "teal": ("blue", "green"),
    "blue": ("teal", "purple", "grey"),
    "purple": ("pink", "blue"),
    "pink": ("purple", "red", "beige"),
}
_UNSHADED = ("white", "black", "beige", "lime")  # nothing is dark white
# Where names end on OKLCh's circle of hues, in degrees. What is dull, light or dark goes by other names: `color_names`.
_HUE_NAMES = ("pink", "red", "orange", "yellow", "lime", "green", "teal", "blue", "purple", "pink")
_HUE_ENDS = (18, 36, 75, 104, 135, 180, 222, 285, 335)

_TO_CONES = np.array(
    [
        [0.4122214708, 0.2119034982, 0.0883024619],
        [0.5363325363, 0.6806995451, 0.2817188376],
        [0.0514459929, 0.1073969566, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ]
)


@dataclass(frozen=True)
class Paint:
    """The colours of a model's surface, and the words that can change with them. P colours of T triangles."""

    words: list[str]
    """Names of colours that the captions say and the surface shows."""
    palette: np.ndarray
    """float [P,3], sRGB in [0,1]."""
    names: np.ndarray
    """The name of each, [P]."""
    areas: np.ndarray
    """How much of the surface each covers, [P]; their sum is 1."""
    place: np.ndarray
    """uint16 [T,3], the colour of each corner."""


def study(positions: np.ndarray, colors: np.ndarray, noun: str, short: str, long: str) -> Paint | None:
    """Find the words of the captions that are clearly a pair with colours uint8 [T,3,3]; None if there are none."""
    words = [name for name in COLORS if name in long and _is_plain(name, noun, short, long)]
    if not words:
        return None
    palette, place = np.unique(_as_key(colors), return_inverse=True)
    if len(palette) > np.iinfo(np.uint16).max:
        return None
    palette = np.stack([palette >> 16, palette >> 8 & 255, palette & 255], axis=-1) / 255.0
    edges = np.cross(positions[:, 1] - positions[:, 0], positions[:, 2] - positions[:, 0])
    areas = np.bincount(place.ravel(), np.repeat(np.linalg.norm(edges, axis=1), 3), len(palette))
    paint = Paint(words, palette, color_names(palette), areas / areas.sum(), place.reshape(-1, 3).astype(np.uint16))
    words = [word for word in words if _is_pair(word, f"{noun} {short} {long}", paint)]
    return replace(paint, words=words) if words else None


def recolor(paint: Paint, short: str, long: str, rng: np.random.Generator) -> tuple[np.ndarray, str, str]:
    """Change one colour of a model and its word in both captions: colours uint8 [T,3,3] and the captions."""
    old = str(rng.choice(paint.words))
    said = f"{short} ; {long}"
    shaded = re.search(rf"\b({'|'.join(_SHADES)}) {old}\b", said)
    free = [name for name in COLORS if name not in said and _share(paint, name) < SMALL_SHARE]
    free = [name for name in free if name not in _NEIGHBOURS[old] and not (shaded and name in _UNSHADED)]
    palette = paint.palette.copy()
    if free:
        new = str(rng.choice(free))
        jitter = GREY_JITTER if new in ("white", "grey", "black") else JITTER
        target = np.clip(np.array(COLORS[new]) + rng.uniform(-jitter, jitter, 3), 0, 1)
        if color_names(target[None])[0] != new:
            target = np.array(COLORS[new])
        if shaded:
            target = _shade(target, _SHADES[shaded[1]])
        chosen = paint.names == old
        palette[chosen] = _shifted(palette[chosen], paint.areas[chosen], target)
        short, long = _say(short, old, new), _say(long, old, new)
    return (255 * palette).round().astype(np.uint8)[paint.place], short, long


def _share(paint: Paint, name: str) -> float:
    """Return how much of the surface has a name."""
    return float(paint.areas[paint.names == name].sum())


def _is_plain(name: str, noun: str, short: str, long: str) -> bool:
    """Tell whether a colour is said, each time by itself or after a shade: no "blue-grey", no "orange slice"."""
    told = f"{short} ; {long}"
    whole = rf"(?<![\w-]){name}(?![\w-])"
    plain = re.findall(whole, told)
    if not re.search(whole, long) or len(plain) != told.count(name) or name in noun:
        return False
    other = "|".join(COLORS)
    beside = rf"\b(?:{other}|\w+ish|faded|muted|dusty|lighter|darker) {name}\b|\b{name} (?:{other})\b"
    shades = set(re.findall(rf"(?:\b({'|'.join(_SHADES)}) )?{name}\b", told))
    return not re.search(beside, told) and len(shades) == 1


def _is_pair(word: str, said: str, paint: Paint) -> bool:
    """Tell whether a said colour is a fair share of the surface, and alone in its range of names."""
    if _share(paint, word) < SMALLEST_SHARE or re.search(rf"\b({_HINTS[word]})\b", said.replace(f"dark {word}", word)):
        return False
    near = _NEIGHBOURS[word]
    return not any(re.search(rf"\b{name}", said) for name in near) and sum(_share(paint, name) for name in near) < 0.06


def _say(text: str, old: str, new: str) -> str:
    text = re.sub(rf"\b{old}\b", new, text)
    return re.sub(rf"\b(a|an) (?={new}\b)", "an " if new[0] in "aeiou" else "a ", text)


def _shade(color: np.ndarray, amount: float) -> np.ndarray:
    """Mix a colour with white (above 0) or black (below)."""
    return color + amount * (1 - color) if amount > 0 else color * (1 + amount)


def _shifted(colors: np.ndarray, areas: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn colours [P,3] into shades of a target: its own where they are as bright as they are on average."""
    brightness = colors @ (0.3, 0.59, 0.11)
    ratio = ((brightness + 0.05) / ((brightness * areas).sum() / areas.sum() + 0.05)).clip(0.5, 1.6)[:, None]
    return np.where(ratio < 1, target * ratio, target + (1 - target) * 0.6 * (ratio - 1))


def color_names(colors: np.ndarray) -> np.ndarray:
    """Name colours [P,3], sRGB in [0,1], as people do: by lightness where there is no hue to speak of, else by hue."""
    lightness, chroma, hue = _lightness_chroma_hue(colors)
    names = np.array(_HUE_NAMES)[np.searchsorted(_HUE_ENDS, hue)]
    dull = (chroma < 0.035) | ((lightness < 0.27) & (chroma < 0.06))
    warm, reddish = (hue >= 36) & (hue < 104), (hue < 36) | (hue >= 350)
    names[warm & (lightness < 0.58)] = "brown"
    names[warm & (lightness >= 0.58) & (chroma < 0.1)] = "beige"
    names[warm & (lightness < 0.66) & (chroma < 0.13)] = "brown"
    names[reddish & (lightness > 0.68)] = "pink"
    names[reddish & (lightness < 0.68) & (chroma > 0.1)] = "red"
    names[(names == "lime") & ((lightness < 0.72) | (chroma < 0.13))] = "green"
    names[(names == "purple") & (lightness > 0.72)] = "pink"
    names[dull] = "grey"
    names[dull & (lightness > 0.86)] = "white"
    names[dull & (lightness < 0.36)] = "black"
    return names


def _lightness_chroma_hue(colors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convert sRGB [P,3] to OKLCh, the hue in degrees (Ottosson, "A perceptual color space", 2020)."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(linear @ _TO_CONES)
    lab = cones @ _TO_LAB
    return lab[:, 0], np.hypot(lab[:, 1], lab[:, 2]), np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360


def _as_key(colors: np.ndarray) -> np.ndarray:
    wide = colors.reshape(-1, 3).astype(np.int64)
    return wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2]
