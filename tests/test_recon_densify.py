"""Densification: what it does to the splats, not that it was called."""

import math

import pytest
import torch

from recon.densify import FAINT, SHRINK, Population, densify, least_visible, split
from recon.reference import quats_to_rotations
from recon.splats import LOG_SCALE, MEAN, OPACITY, QUAT

NUM, COLUMNS = 30, 14


def make_population(opacity: float = 0.6) -> Population:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(NUM, COLUMNS, generator=generator)
    rows[:, LOG_SCALE:QUAT] = rows[:, LOG_SCALE:QUAT] * 0.2 - 2
    rows[:, OPACITY] = math.log(opacity / (1 - opacity))
    moments = torch.rand(2, NUM, COLUMNS, generator=generator) + 0.1
    return Population(rows, moments[0], moments[1])


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_split_makes_two_smaller_halves_of_one_splat():
    before = make_population()
    chosen, filled = torch.tensor([4, 11]), torch.tensor([20])
    after = split(before, chosen, filled, generator())
    assert len(after.rows) == NUM + 1  # one half took row 20, the other a new row
    for stayed, half in ((4, 20), (11, NUM)):
        whole = before.rows[stayed]
        for row in (after.rows[stayed], after.rows[half]):
            assert torch.allclose(row[LOG_SCALE:QUAT], whole[LOG_SCALE:QUAT] - math.log(SHRINK))
            assert torch.equal(row[QUAT:], whole[QUAT:])
        assert torch.equal(after.rows[stayed, MEAN:LOG_SCALE], whole[MEAN:LOG_SCALE])
        assert not torch.equal(after.rows[half, MEAN:LOG_SCALE], whole[MEAN:LOG_SCALE])
        assert not after.first[[stayed, half]].any()
        assert torch.equal(after.second[half], before.second[stayed])
    others = [i for i in range(NUM) if i not in (4, 11, 20)]
    assert torch.equal(after.rows[others], before.rows[others])
    assert torch.equal(after.first[others], before.first[others])


def test_split_leaves_its_input_alone():
    before = make_population()
    copy = before.rows.clone()
    split(before, torch.tensor([3]), torch.tensor([5]), generator())
    assert torch.equal(before.rows, copy)


def test_halves_are_drawn_from_the_splat_itself():
    """Offsets in the splat's own axes, by its scales, are standard normal."""
    num = 4000
    rows = make_population().rows[:1].repeat(num, 1)
    rows[:, LOG_SCALE:QUAT] = torch.tensor([0.5, 0.1, 0.02]).log()
    zeros = torch.zeros_like(rows)
    halves = split(Population(rows, zeros, zeros), torch.arange(num), torch.zeros(0, dtype=torch.long), generator())
    offsets = halves.rows[num:, MEAN:LOG_SCALE] - rows[:, MEAN:LOG_SCALE]
    axes = quats_to_rotations(rows[:, QUAT:OPACITY])
    own = torch.einsum("nij,ni->nj", axes, offsets) / torch.tensor([0.5, 0.1, 0.02])
    assert own.mean(dim=0).abs().max() < 0.06
    assert (own.std(dim=0) - 1).abs().max() < 0.05


def test_the_neediest_are_split_and_the_number_grows_by_the_share():
    before = make_population()
    need = torch.zeros(NUM)
    need[[7, 8, 9]] = torch.tensor([1.0, 2.0, 3.0])
    after = densify(before, need, cap=100, share=0.1, generator=generator())
    assert len(after.rows) == NUM + 3
    changed = (after.rows[:NUM] != before.rows).any(dim=1).nonzero()[:, 0].tolist()
    assert changed == [7, 8, 9]


def test_faint_splats_move_to_where_need_is():
    before = make_population()
    before.rows[[2, 5], OPACITY] = -6.0
    need = torch.zeros(NUM)
    need[10:14] = 1.0
    after = densify(before, need, cap=NUM, share=0.0, generator=generator())
    assert len(after.rows) == NUM
    opacities = after.rows[:, OPACITY].sigmoid()
    assert opacities.min() > FAINT
    distances = torch.cdist(after.rows[[2, 5], :LOG_SCALE], before.rows[10:14, :LOG_SCALE]).amin(dim=1)
    widest = before.rows[10:14, LOG_SCALE:QUAT].exp().max()
    assert distances.max() < 4 * widest


def test_the_cap_holds():
    population = make_population()
    for step in range(20):
        need = torch.rand(len(population.rows), generator=generator(step))
        population = densify(population, need, cap=47, share=0.2, generator=generator(step))
        assert len(population.rows) <= 47
    assert len(population.rows) == 47
    assert population.first.shape == population.second.shape == population.rows.shape


def test_at_the_cap_the_least_visible_move():
    before = make_population()
    before.rows[3, LOG_SCALE:QUAT] = -7.0  # too small to be seen
    need = torch.ones(NUM)
    after = densify(before, need, cap=NUM, share=0.04, generator=generator())
    assert after.rows[3, LOG_SCALE:QUAT].min() > -4


@pytest.mark.parametrize("at_least", [0, 1, 5])
def test_least_visible_puts_the_faint_first(at_least):
    rows = make_population().rows
    rows[[9, 17], OPACITY] = -8.0
    rows[21, LOG_SCALE:QUAT] = -9.0
    found = least_visible(rows, at_least)
    assert len(found) == max(2, at_least)
    assert set(found[:2].tolist()) == {9, 17}
    if at_least > 2:
        assert found[2].item() == 21


def test_no_need_changes_nothing():
    before = make_population()
    assert densify(before, torch.zeros(NUM), cap=100, share=0.1, generator=generator()) is before


def test_same_seed_same_splats():
    need = torch.rand(NUM, generator=generator(3))
    results = [densify(make_population(), need, 60, 0.5, generator()).rows for _ in range(2)]
    assert torch.equal(*results)
