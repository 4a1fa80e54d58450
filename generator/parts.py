"""What a scene of several things is made of: its parts, each of which a model can be asked for alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .grammar import Attributes, other_object
from .words import long_caption


@dataclass(frozen=True)
class Part:
    """What is sampled alone: an object of a scene, which may stand there several times."""

    caption: str
    attributes: Attributes | None
    """The caption's; None where it is in words that the grammar does not hold."""
    count: int = 1


@dataclass(frozen=True)
class Scene:
    """Several objects beside each other; or these in a relation of grammar.RELATIONS to others."""

    things: tuple[Part, ...]
    relation: str = ""
    others: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them, in the order of the clips that `compose.lay_together` takes."""
        return self.things + self.others


def scene_of(attributes: Attributes | None) -> Scene | None:
    """Return the parts of what a scene of the grammar shows; None where that is one object."""
    if attributes is None or not (attributes.count > 1 or attributes.relation):
        return None
    alone = replace(attributes, count=1, relation="", other_category="", other_style="", other_color="")
    others = (part_of(other_object(attributes)),) if attributes.relation else ()
    return Scene((part_of(alone, attributes.count),), attributes.relation, others)


def part_of(attributes: Attributes, count: int = 1) -> Part:
    """Return what is sampled of an object that the grammar holds."""
    return Part(long_caption(attributes), attributes, count)
