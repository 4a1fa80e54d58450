"""What a category of things is: how it is built, and the words for it and its parts."""

from collections.abc import Callable
from dataclasses import dataclass

from generator.shapes.form import Form


@dataclass(frozen=True)
class Category:
    """One row of the vocabulary."""

    build: Callable[[Form, str], None]
    """Adds the solids of one style to a form."""
    main: str
    """Noun of the part that carries the main colour and the pattern."""
    second: str
    """Noun of the part that carries the second colour."""
    styles: tuple[str, ...]
    """Words for the variants that change the silhouette."""
    natural: tuple[str, str]
    """Main and second colour that one would expect where a prompt says none."""
    synonyms: tuple[str, ...] = ()
    """Other words for the category."""
