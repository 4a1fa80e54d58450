"""Densification as sampling: copies look as the one did, faint splats move, and noise shakes only these."""

import math

import pytest
import torch

from recon.camera import Cameras
from recon.densify import FAINT, Population
from recon.mcmc import copied, explore, regularize, relocate, shared_out
from recon.render import render
from recon.splats import LOG_SCALE, MEAN, OPACITY, QUAT, from_rows

NUM, COLUMNS = 12, 14


def make_population() -> Population:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(NUM, COLUMNS, generator=generator)
    rows[:, MEAN:LOG_SCALE] *= 0.3
    rows[:, LOG_SCALE:QUAT] = rows[:, LOG_SCALE:QUAT] * 0.2 - 2
    rows[:, OPACITY] = 1.0
    moments = torch.rand(2, NUM, COLUMNS, generator=generator) + 0.1
    return Population(rows, moments[0], moments[1])


def drawn(rows: torch.Tensor) -> torch.Tensor:
    w2c = torch.eye(4)
    w2c[2, 3] = 3.0
    K = torch.tensor([[60.0, 0, 24], [0, 60.0, 20], [0, 0, 1]])
    return render(from_rows(rows), Cameras(K[None], w2c[None], 40, 48)).rgb[0]


def test_one_copy_is_the_splat_and_opacities_multiply_out():
    opacity = torch.tensor([0.3, 0.6, 0.9])
    same, scale = shared_out(opacity, torch.tensor([1, 1, 1]))
    assert torch.allclose(same, opacity)
    assert torch.allclose(scale, torch.ones(3))
    new, scale = shared_out(opacity, torch.tensor([2, 3, 8]))
    assert torch.allclose(1 - (1 - new) ** torch.tensor([2, 3, 8]), opacity, atol=1e-4)
    assert bool((scale > 0).all())


def test_the_scale_by_hand_for_two_copies():
    """Eq. 9 for N = 2: the sum is o + (o - o^2 / sqrt 2)."""
    old = 0.75
    new, scale = shared_out(torch.tensor([old]), torch.tensor([2]))
    assert new.item() == pytest.approx(0.5)
    assert scale.item() == pytest.approx(old / (0.5 + 0.5 - 0.25 / math.sqrt(2)))


def test_copies_look_as_the_one_did():
    before = make_population()
    after = copied(before, torch.tensor([3, 5, 5]), torch.tensor([], dtype=torch.long))
    assert len(after.rows) == NUM + 3
    change = (drawn(after.rows) - drawn(before.rows)).square().mean()
    twice = (drawn(torch.cat([before.rows, before.rows[[3, 5, 5]]])) - drawn(before.rows)).square().mean()
    assert change < 0.15 * twice
    assert not after.first[[3, 5, NUM]].any()
    assert torch.equal(after.second[NUM], before.second[3])


def test_faint_splats_move_onto_others_and_the_number_grows_to_the_cap():
    before = make_population()
    before.rows[:4, OPACITY] = math.log(0.5 * FAINT)
    after = relocate(before, NUM + 2, 0.5, torch.Generator().manual_seed(1))
    assert len(after.rows) == NUM + 2
    moved = after.rows[[0, 1, 2, 3, NUM, NUM + 1]]
    homes = before.rows[4:, MEAN:LOG_SCALE]
    assert torch.cdist(moved[:, MEAN:LOG_SCALE], homes).amin(dim=1).max() < 1e-6
    assert bool((after.rows[:, OPACITY].sigmoid() > FAINT).all())
    assert len(relocate(after, NUM + 2, 0.5, torch.Generator().manual_seed(1)).rows) == NUM + 2


def test_noise_shakes_faint_splats_along_their_axes_and_no_opaque_one():
    rows = make_population().rows
    rows[:6, OPACITY] = -6.0
    rows[:, LOG_SCALE + 2] = -20.0  # discs
    rows[:, QUAT:OPACITY] = torch.tensor([1.0, 0, 0, 0])
    before = rows.clone()
    explore(rows, 3e-3, torch.Generator().manual_seed(0), 1.0)
    step = rows - before
    assert bool((step[:6, :2].norm(dim=1) > 0).all())
    assert step[:, 2].abs().max() < 1e-6
    assert step[6:].abs().max() < 1e-6


def test_regularisers_are_the_gradients_of_mean_opacity_and_scale():
    rows = make_population().rows.double().requires_grad_()
    loss = 0.01 * (rows[:, OPACITY].sigmoid().mean() + rows[:, LOG_SCALE:QUAT].exp().mean() / 2.0)
    loss.backward()
    found = torch.zeros_like(rows)
    regularize(rows.detach(), found, 2.0)
    assert torch.allclose(found, rows.grad)
