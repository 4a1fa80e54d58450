"""Rectified flow: times and their inverse, the straight path, and the order of the integration."""

import math

import pytest
import torch

from generator.flow import integrate, interpolate, sample_times, schedule, shift_time, unshift_time


@pytest.mark.parametrize("shift", [0.5, 1.0, 1.5, 4.0])
def test_unshift_undoes_shift(shift):
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(unshift_time(shift_time(t, shift), shift), t)
    assert shift_time(t[[0, -1]], shift).tolist() == [0, 1]
    assert (shift_time(t, shift).diff() > 0).all()


def test_a_shift_above_one_moves_times_to_noise():
    assert shift_time(torch.tensor(0.5), 3.0).item() == pytest.approx(0.75)
    assert sample_times(torch.randn(4000, generator=torch.Generator().manual_seed(0)), 2.0).mean() > 0.6


def test_training_times_are_logit_normal():
    t = sample_times(torch.randn(20000, generator=torch.Generator().manual_seed(0)))
    logits = torch.log(t / (1 - t))
    assert logits.mean().item() == pytest.approx(0, abs=0.03)
    assert logits.std().item() == pytest.approx(1, abs=0.03)


def test_schedule_goes_from_noise_to_data():
    times = schedule(7, 1.5)
    assert len(times) == 8
    assert times[[0, -1]].tolist() == [1, 0]
    assert (times.diff() < 0).all()
    assert times[0] - times[1] < times[-2] - times[-1]  # smaller steps near noise


def test_the_path_is_straight_and_ends_in_data_and_noise():
    z, eps = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).split(1)
    z, eps = z[0][:, None], eps[0][:, None]
    assert torch.equal(interpolate(z, eps, torch.zeros(3)), z)
    assert torch.equal(interpolate(z, eps, torch.ones(3)), eps)
    times = torch.tensor([0.2, 0.5, 0.9])
    mixed = interpolate(z, eps, times)
    for i, t in enumerate(times):  # each item has its own time
        torch.testing.assert_close(mixed[i], z[i] + t * (eps - z)[i])


@pytest.mark.parametrize("shift", [1.0, 1.7])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_straight_flow_is_followed_exactly(steps, shift):
    generator = torch.Generator().manual_seed(0)
    data, noise = (torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    end = integrate(lambda z, t: (z - data) / t, noise, steps, shift=shift)  # v = eps - z along the path
    torch.testing.assert_close(end, data)


@pytest.mark.parametrize("shift", [1.0, 1.7])
def test_a_velocity_linear_in_time_costs_only_the_first_step(shift):
    """The two-step rule is exact for it on uneven steps; Euler's first step of length h is off by slope h^2 / 2."""
    slope, start = 3.0, torch.tensor([1.0], dtype=torch.float64)
    end = integrate(lambda z, t: torch.full_like(z, slope * t), start, 6, shift=shift)
    first_step = float(schedule(6, shift)[0] - schedule(6, shift)[1])
    assert end.item() == pytest.approx(1 - slope / 2 - slope * first_step**2 / 2, abs=1e-6)


@pytest.mark.parametrize("shift", [1.0, 1.7])
def test_halving_the_steps_divides_the_error_by_four(shift):
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)
    exact = start * math.exp(-math.sin(2) / 2)  # of dz/dt = z cos(2 t)
    errors = [
        (integrate(lambda z, t: z * math.cos(2 * t), start, steps, shift=shift) - exact).abs().max().item()
        for steps in (20, 40, 80)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.9)
    assert errors[1] / errors[2] == pytest.approx(4, abs=0.5)


def test_one_evaluation_a_step_and_progress_to_the_end():
    seen, told = [], []

    def velocity(z: torch.Tensor, t: float) -> torch.Tensor:
        seen.append(t)
        return torch.zeros_like(z)

    integrate(velocity, torch.zeros(1), 5, shift=1.5, progress=lambda step, total: told.append((step, total)))
    assert seen == schedule(5, 1.5)[:-1].tolist()
    assert told == [(i + 1, 5) for i in range(5)]


def test_rows_that_are_given_up_change_nothing_for_the_others():
    """At the first time at or below the sieve's it is told where all rows are bound for, once."""
    data, noise = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1))
    told, seen, kept = [], [], torch.tensor([3, 1])

    def choose(bound_for):
        told.append(bound_for)
        return kept

    def velocity(z, t):
        seen.append((len(z), t))
        to = data if len(z) == 4 else data[kept]
        return (z - to) / t

    end = integrate(velocity, noise, 6, shift=1.5, sift=(0.6, choose))
    torch.testing.assert_close(end, data[kept], rtol=0, atol=1e-5)
    torch.testing.assert_close(told[0], data, rtol=0, atol=1e-5)
    assert len(told) == 1
    times = schedule(6, 1.5)[:-1].tolist()
    assert seen == [(4 if t > 0.6 else 2, t) for t in times]


@pytest.mark.parametrize("shift", [1.0, 1.5])
def test_a_flow_begun_on_its_way_ends_where_the_whole_one_does(shift):
    """On the straight path every start leads to the data, and only the steps below it are taken."""
    data, noise = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(1))
    told = []
    count = lambda step, total: told.append((step, total))  # noqa: E731
    begun = 0.3 * noise + 0.7 * data
    end = integrate(lambda z, t: (z - data) / t, begun, 24, shift=shift, start=0.3, progress=count)
    torch.testing.assert_close(end, data, rtol=0, atol=1e-5)
    below = int((schedule(24, shift) < 0.3).sum())
    assert told[-1] == (below, below)
    assert below < 12
