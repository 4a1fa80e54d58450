"""The verifier: how surely views show what the attributes of a prompt say.

A judge of three quarters of the width that learnt from scenes of the grammar at 64 px, with no held-out pair among
them. Where a prompt is in the grammar's words it chooses between drafts together with the matcher, which hears any
words but hardly tells patterns: the best of several samples by a verifier, as in Cobbe et al., arXiv:2110.14168. Models
are judged by another network (benchmarks/judge.safetensors), so that it can say whether the choice was right.
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from .grammar import CATEGORIES, Attributes
from .judge import Judge, labels, load_judge, resize_views
from .weights import FOLDER
from .words import article

FILE = FOLDER / "verifier.safetensors"
WEIGHT = 0.5  # of its mean log-probability against the matcher's cosine
UNLIKELY = 0.01  # probability below which what was asked is taken to be missing: four of five times it is
FLOOR = -4.0  # of an attribute's log-probability: one that it cannot see must not decide alone


@cache
def load_verifier() -> Judge:
    """Read the verifier that ships with the package."""
    return load_judge(FILE).requires_grad_(False)


def sureness(views: Float[Tensor, "b 4 3 h w"], wanted: Attributes) -> Float[Tensor, " b"]:
    """Return the mean log-probability over the attributes that each clip's views, in [0,1] on white, show `wanted`; 0
    at most."""
    return torch.stack([found.clamp(min=FLOOR) for found in _log_probabilities(views, wanted).values()]).mean(0)


def missing(views: Float[Tensor, "1 4 3 h w"], wanted: Attributes, said: frozenset[str]) -> list[str]:
    """Return in words what a clip hardly shows, of the attributes that were `said`; of two things in a relation
    nothing, for of these it denies the kind in 13 of 30 true renders."""
    if wanted.relation:
        return []
    category = CATEGORIES[wanted.category]
    words = {
        "category": article(wanted.category),
        "style": f"the {wanted.style} form",
        "color": f"{wanted.color} as the colour of the {category.main}",
        "second_color": f"{wanted.second_color} as the colour of the {category.second}",
        "pattern": wanted.pattern,
    }
    found = _log_probabilities(views, wanted)
    return [text for name, text in words.items() if name in said and float(found[name].exp()) < UNLIKELY]


def _log_probabilities(views: Float[Tensor, "b 4 3 h w"], wanted: Attributes) -> dict[str, Float[Tensor, " b"]]:
    logits = load_verifier()(resize_views(views))
    return {name: logits[name].log_softmax(1)[:, int(index)] for name, index in labels([wanted]).items()}
