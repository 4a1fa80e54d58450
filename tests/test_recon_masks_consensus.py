"""One mask that lacks a part and one that has too much are put right by all the others."""

from dataclasses import replace

import pytest
import torch

from recon.masks.consensus import settle_by_consensus
from recon.views import Views
from subjects import mug, orbit_views

LACKS, HAS_MORE = 5, 11


@pytest.fixture(scope="module")
def views() -> Views:
    return orbit_views(mug(), num=24, size=(96, 112))


@pytest.fixture(scope="module")
def wrong(views) -> Views:
    """The upper third of the mug is missing in one frame, a block stands beside it in another."""
    alphas = views.alphas.clone()
    rows = (alphas[LACKS] > 0.5).any(1).nonzero()[:, 0]
    alphas[LACKS, : int(rows[0]) + len(rows) // 3] = 0
    alphas[HAS_MORE, 40:60, 2:18] = 1
    return replace(views, alphas=alphas)


def iou(ours: torch.Tensor, truth: torch.Tensor) -> float:
    a, b = ours > 0.5, truth > 0.5
    return float((a & b).sum() / (a | b).sum())


def test_masks_in_the_minority_are_put_right(views, wrong):
    found, changed = settle_by_consensus(wrong)
    assert {LACKS, HAS_MORE} <= set(changed)
    for frame, before in ((LACKS, 0.8), (HAS_MORE, 0.95)):
        assert iou(wrong.alphas[frame], views.alphas[frame]) < before  # canary
        assert iou(found.alphas[frame], views.alphas[frame]) > 0.95
    others = [f for f in range(24) if f not in (LACKS, HAS_MORE)]
    assert min(iou(found.alphas[f], views.alphas[f]) for f in others) > 0.97


def test_right_masks_stay(views):
    found, changed = settle_by_consensus(views)
    assert len(changed) <= 2
    assert min(iou(a, b) for a, b in zip(found.alphas, views.alphas, strict=True)) > 0.97


def test_the_same_seed_gives_the_same_masks(wrong):
    one, two = (settle_by_consensus(wrong, seed=3)[0].alphas for _ in range(2))
    assert torch.equal(one, two)


def test_few_frames_are_left_alone(wrong):
    few = wrong[torch.arange(7)]
    assert settle_by_consensus(few) == (few, ())
