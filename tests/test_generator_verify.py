"""The verifier: it tells what is shown from what differs in one attribute."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from generator.grammar import CATEGORIES, COLORS, PATTERNS
from generator.judge import VALUES, resize_views
from generator.judged import JUDGED_SEED, render_examples
from generator.verify import FLOOR, load_verifier, missing, sureness


@pytest.fixture(scope="module")
def examples():
    """Renders of scenes with held-out pairs, which it has never seen, as fine as drafts are, and what they show."""
    views, attributes = render_examples(40, JUDGED_SEED + 1, True)
    small = F.interpolate(views.flatten(0, 1).float() / 255, size=(64, 64), mode="bilinear", antialias=True)
    return resize_views(small.unflatten(0, views.shape[:2])), attributes


@pytest.mark.parametrize(
    ("name", "values", "least"),  # patterns on kinds that it never saw with them are what it tells least
    [
        ("category", CATEGORIES, 0.85),
        ("color", COLORS, 0.85),
        ("second_color", COLORS, 0.85),
        ("pattern", PATTERNS, 0.7),
    ],
)
@torch.no_grad()
def test_it_prefers_what_is_shown_to_what_differs_in_one_thing(examples, name, values, least):
    rng, right = np.random.default_rng(0), 0
    for views, shown in zip(*examples):
        other = str(rng.choice([value for value in values if value != getattr(shown, name)]))
        right += bool(sureness(views[None], shown) > sureness(views[None], replace(shown, **{name: other})))
    assert right >= least * len(examples[1])


@torch.no_grad()
def test_it_is_the_mean_of_log_probabilities_none_below_the_floor(examples):
    views, shown = examples[0][:3], examples[1][0]
    logits = load_verifier()(views)
    by_hand = [logits[name][:, VALUES[name].index(str(getattr(shown, name)))] for name in VALUES]
    by_hand = [value - logits[name].exp().sum(1).log() for name, value in zip(VALUES, by_hand)]
    wanted = torch.stack([value.clamp(min=FLOOR) for value in by_hand]).mean(0)
    torch.testing.assert_close(sureness(views, shown), wanted)
    assert any(float(value.min()) < FLOOR for value in by_hand)


def test_of_two_things_nothing_is_said_to_be_missing(examples):
    views, shown = examples[0][0], examples[1][0]
    two = replace(shown, relation="next to", other_category="mug", other_style="round", other_color="red")
    wrong = replace(two, category="house" if shown.category != "house" else "boat", style="round")
    assert missing(views[None], wrong, frozenset(("category",))) == []
    assert missing(views[None], replace(wrong, relation=""), frozenset(("category",))) != []


def test_what_is_missing_is_named_where_it_was_said(examples):
    told, wrongly, rng = 0, 0, np.random.default_rng(1)
    everything = frozenset(("category", "style", "color", "second_color", "pattern"))
    alone = [(views, shown) for views, shown in zip(*examples) if not shown.relation]
    for views, shown in alone:
        other = str(rng.choice([color for color in COLORS if color not in (shown.color, shown.second_color)]))
        wanted, main = replace(shown, color=other), CATEGORIES[shown.category].main
        told += missing(views[None], wanted, frozenset(("color",))) == [f"{other} as the colour of the {main}"]
        wrongly += len(missing(views[None], shown, everything))
        assert missing(views[None], wanted, frozenset()) == []
    assert told >= 0.6 * len(alone)
    assert wrongly <= 0.1 * len(everything) * len(alone)
