"""Long lives: growth, drift, periods, and Lyapunov exponents that are known."""

import math

import numpy as np
import pytest
import torch
from helpers.bodies import LAYOUT, SIZE, disc, grown, linear, still

from planaria.evaluate.health.grows import grow
from planaria.evaluate.health.keeps import decades, keep, lyapunov, motion, period
from planaria.evaluate.health.organism import Organism


def under(rule) -> Organism:
    return Organism("body", rule, LAYOUT, SIZE, lambda n, size: LAYOUT.embed(disc(size), n), disc(), "a disc")


@pytest.mark.parametrize("growth", [-0.5, -0.01, 0.02])
def test_the_exponent_of_a_linear_rule_is_the_logarithm_of_its_factor(growth):
    mine = under(linear(growth, life="none", fire_rate=1.0))
    found = lyapunov(mine, grown(1), 4, t=0, seed=3)
    assert found == pytest.approx(math.log(1 + growth), rel=1e-6)


def test_cells_that_fire_are_the_same_in_both_lives():
    """A disturbance of a linear rule shrinks in the cells that fire alone: the one that fires least decides."""
    mine = under(linear(-0.5, life="none"))
    found = lyapunov(mine, grown(1), 8, t=0, seed=3)
    assert math.log(0.5) / 2 < found < 0
    assert found == lyapunov(mine, grown(1), 8, t=0, seed=3)
    assert found != lyapunov(mine, grown(1), 8, t=0, seed=4)


def test_nothing_is_left_of_a_disturbance():
    assert lyapunov(under(linear(-1.0, fire_rate=1.0)), grown(1), 4, t=0, seed=0) == -math.inf
    assert lyapunov(still(), torch.zeros(1, 8, *SIZE), 4, t=0, seed=0) == -math.inf


@pytest.mark.parametrize("steps", [5, 12, 40])
def test_a_period_is_found(steps):
    lag = np.arange(1, 129)
    assert period(np.abs(np.sin(np.pi * lag / steps))) == steps


def test_no_period_is_made_up():
    lag = np.arange(1, 129)
    assert period(np.zeros(128)) is None
    assert period(1 - np.exp(-lag / 20)) is None  # it goes away and stays away
    assert period(np.full(128, 0.3)) is None  # noise
    assert period(lag / 128.0) is None  # drift


def test_a_disc_stands_still():
    assert motion(still(), grown(1), t=0, seed=0) == (0, None)
    kept = keep(still(), grown(2), (1000, 1003), 2, seed=0, tick=lambda _: None)
    assert kept.still
    assert kept.period is None
    assert kept.errors == ((0, 0), (0, 0))
    assert kept.drift == 0
    assert kept.exponent == pytest.approx(0, abs=1e-9)
    assert kept.to_dict()["lyapunov exponent"] == pytest.approx(0, abs=1e-9)


def test_drift_is_that_of_the_worst_body():
    mine = under(linear(-0.02, life="none", fire_rate=1.0))
    kept = keep(mine, grown(1), (1001, 1011), 2, seed=0, tick=lambda _: None)
    first, last = kept.errors[0][0], kept.errors[1][0]
    assert kept.drift == pytest.approx(math.log10(last / first))
    assert kept.drift > 0.5


def test_decades():
    assert decades(1e-4, 1e-3) == pytest.approx(1)
    assert decades(0, 0) == 0
    assert decades(1e-4, 0) == -math.inf
    for burst in (math.nan, math.inf):
        assert decades(1e-4, burst) == math.inf
    assert decades(0, 1e-9) == math.inf


def test_growth_counts_steps_and_runs():
    ticks: list[int] = []
    growth, homes = grow(still(), 3, seed=1, tick=ticks.append)
    assert sum(ticks) == 3000
    assert homes.shape == (3, 8, *SIZE)
    assert (growth.runs, growth.extinct, growth.burst, growth.overgrown) == (3, 0, 0, 0)
    assert growth.settles == 10, "the seed stays what it is"
    assert growth.steps == tuple(range(10, 1001, 10))
    gone, _ = grow(under(linear(-0.5)), 2, seed=1, tick=lambda _: None)
    assert gone.extinct == 2
    assert gone.settled == pytest.approx(float(disc().square().mean()))
