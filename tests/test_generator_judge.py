"""The judge: what it is asked, what it may not care about, and that it learns."""

from dataclasses import fields

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from generator.config import GenerateConfig
from generator.grammar import CATEGORIES, Attributes, is_held_out
from generator.judge import (
    NUM_VIEWS,
    SIZE,
    VALUES,
    Judge,
    accuracy,
    judge_views,
    labels,
    load_judge,
    save_judge,
    train_judge,
)
from generator.judged import JUDGED_SEED, generate_views, render_examples
from generator.text import load_text_encoder
from generator_parts import tiny_dit, tiny_vae


@pytest.fixture(scope="module")
def examples() -> tuple[torch.Tensor, list[Attributes]]:
    return render_examples(12, seed=0, held_out=None)


@pytest.fixture(scope="module")
def judge() -> Judge:
    torch.manual_seed(0)
    return Judge(width=8).eval()


def test_it_is_asked_for_every_attribute_and_every_value():
    assert set(VALUES) | {"other_style"} == {field.name for field in fields(Attributes)}
    assert set(VALUES["category"]) == set(CATEGORIES)
    assert {style for known in CATEGORIES.values() for style in known.styles} == set(VALUES["style"])


def test_labels_name_the_attributes(examples):
    _, attributes = examples
    wanted = labels(attributes)
    for i, item in enumerate(attributes):
        assert {name: VALUES[name][int(wanted[name][i])] for name in VALUES} == {
            name: str(getattr(item, name)) for name in VALUES
        }


def test_examples_are_drawn_by_seed_and_kind(examples):
    views, attributes = examples
    assert views.shape == (12, NUM_VIEWS, 3, SIZE, SIZE)
    assert views.dtype == torch.uint8
    again, same = render_examples(3, seed=0, held_out=None)
    assert torch.equal(again, views[:3])
    assert same == attributes[:3]
    assert all(map(is_held_out, render_examples(3, seed=1, held_out=True)[1]))


@torch.no_grad()
def test_the_order_of_the_views_does_not_count(judge, examples):
    views = examples[0][:4].float() / 255
    logits, turned = judge(views), judge(views.roll(1, 1))
    for name, values in VALUES.items():
        assert logits[name].shape == (4, len(values))
        torch.testing.assert_close(turned[name], logits[name], rtol=1e-4, atol=1e-5)


def test_judging_is_the_largest_logit(judge, examples):
    views = examples[0]
    named = judge_views(judge, views)
    with torch.no_grad():
        logits = judge(views.float() / 255)
    assert all(torch.equal(named[name], logits[name].argmax(1)) for name in VALUES)


def test_accuracy_by_hand():
    wanted = {name: torch.arange(1, 5) for name in VALUES}
    named = {name: torch.arange(1, 5) for name in VALUES} | {"color": torch.tensor([1, 2, 0, 0])}
    assert accuracy(named, wanted) == {**dict.fromkeys(VALUES, 1.0), "color": 0.5}


def test_it_learns(examples):
    views, attributes = examples
    wanted = labels(attributes)

    def loss(judge: Judge) -> float:
        with torch.no_grad():
            logits = judge.train()(views.float() / 255)  # by the batch's own statistics: the running ones come late
        return sum(float(F.cross_entropy(logits[name], wanted[name])) for name in VALUES)

    told: list[str] = []
    torch.manual_seed(0)
    before = loss(Judge())
    trained = train_judge(views, attributes, epochs=4, seed=0, log=told.append)  # fewer clips than one batch
    assert told
    assert not trained.training
    assert loss(trained) < 0.8 * before


def test_a_judge_comes_back_as_bf16(tmp_path):
    torch.manual_seed(0)
    judge = Judge()
    save_judge(tmp_path / "judge.safetensors", judge)
    read = load_judge(tmp_path / "judge.safetensors")
    for name, value in judge.state_dict().items():
        assert torch.equal(read.state_dict()[name], value.bfloat16().float())


@pytest.mark.parametrize(("num_frames", "coarsest"), [(4, 32), (6, 32), (4, 16)])
def test_views_of_a_model_are_a_quarter_turn_apart(num_frames, coarsest):
    vae, dit, size = tiny_vae(), tiny_dit(), 32

    def views() -> torch.Tensor:
        shape, config = (num_frames, size, coarsest), GenerateConfig(steps=1)
        return generate_views(vae, dit, load_text_encoder(), ["a red mug"] * 3, *shape, 0, config, batch=2)

    assert views().shape == (3, NUM_VIEWS, 3, size, size)
    assert torch.equal(views(), views())
    assert len({view.numpy().tobytes() for view in views().flatten(0, 1)}) == 3 * NUM_VIEWS
    assert np.ptp(views().numpy()) > 0


def test_views_of_any_size_are_judged(judge, examples):
    small = examples[0]
    large = small.repeat_interleave(2, -1).repeat_interleave(2, -2)
    same = [
        (judge_views(judge, large)[name] == value).float().mean() for name, value in judge_views(judge, small).items()
    ]
    assert min(same) > 0.8


def test_what_only_two_objects_have_is_asked_of_those():
    wanted = {name: torch.zeros(4, dtype=torch.long) for name in VALUES}
    wanted["relation"] = torch.tensor([0, 0, 1, 2])
    wanted["other_category"] = torch.tensor([0, 0, 3, 4])
    wanted["count"] = torch.tensor([0, 2, 0, 0])
    named = {name: torch.zeros(4, dtype=torch.long) for name in VALUES} | {"relation": torch.tensor([1, 1, 1, 1])}
    shares = accuracy(named, wanted)
    assert shares["relation"] == 0.5
    assert shares["other_category"] == 0
    assert shares["count"] == 0
    assert shares["color"] == 1
    single = {name: torch.zeros(4, dtype=torch.long) for name in VALUES}
    assert np.isnan(accuracy(single, single)["relation"])


def test_the_judge_of_the_benchmarks_knows_the_grammar_of_now(root):
    judge = load_judge(root / "benchmarks" / "judge.safetensors")
    views, attributes = render_examples(24, JUDGED_SEED, True)
    right = accuracy(judge_views(judge, views), labels(attributes))
    assert right["category"] >= 0.8
    assert min(right[name] for name in ("color", "second_color", "pattern")) >= 0.7
