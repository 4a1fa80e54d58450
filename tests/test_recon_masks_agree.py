"""Holes in masks that the other frames deny are filled; those that are holes stay."""

from dataclasses import replace

import pytest
import torch

from recon.masks.agree import fill_denied_holes
from recon.views import Views
from subjects import mug, orbit_views


@pytest.fixture(scope="module")
def views() -> Views:
    return orbit_views(mug(), num=24, size=(96, 112))


def centre_of_body(views: Views, frame: int) -> tuple[int, int]:
    """The middle of the mug's body: its upper half, where no handle is."""
    rows, columns = (views.alphas[frame] > 0.5).nonzero(as_tuple=True)
    row = int(rows.min() + 0.5 * (rows.max() - rows.min()))
    return row, int(columns[rows == rows.max() - 2].float().mean())


def test_a_hole_in_one_frame_is_filled(views):
    alphas = views.alphas.clone()
    row, column = centre_of_body(views, 5)
    alphas[5, row - 5 : row + 5, column - 5 : column + 5] = 0
    found, changed = fill_denied_holes(replace(views, alphas=alphas))
    assert changed == (5,)
    assert (found.alphas[5] - views.alphas[5]).abs().max() < 0.5
    assert torch.equal(found.alphas[4], views.alphas[4])


def test_the_hole_in_the_handle_stays(views):
    seen_through = [(f, row, column) for f in range(24) for row, column in _holes(views.alphas[f])]
    assert len(seen_through) > 50  # canary: there is one to look through
    found, changed = fill_denied_holes(views)
    assert changed == ()
    assert torch.equal(found.alphas, views.alphas)


def _holes(alpha: torch.Tensor) -> list[tuple[int, int]]:
    from scipy import ndimage

    mask = alpha.numpy() > 0.5
    return list(zip(*(ndimage.binary_fill_holes(mask) & ~mask).nonzero(), strict=True))


def test_few_or_far_apart_views_are_left_alone(views):
    alphas = views.alphas.clone()
    row, column = centre_of_body(views, 4)
    alphas[4, row - 5 : row + 5, column - 5 : column + 5] = 0
    holed = replace(views, alphas=alphas)
    for some in (holed[torch.arange(0, 7)], holed[torch.arange(0, 24, 2)], replace(holed, alphas=None)):
        found, changed = fill_denied_holes(some)
        assert changed == ()
        assert found is some
