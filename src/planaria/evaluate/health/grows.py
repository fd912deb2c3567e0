"""Grows: the error along a life from the seed, and when it settles."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from planaria.evaluate.health.organism import AGE, Organism, Tick, follow
from planaria.evaluate.health.trial import numbers, quantile
from planaria.types import State

EVERY = 10
"""Steps between two errors."""


@dataclass(frozen=True)
class Growth:
    """Lives from the seed."""

    runs: int
    extinct: int
    burst: int
    overgrown: int
    """Runs with more than twice as many living cells as the target, at step 1,000."""
    settled: float
    """Median error at step 1,000."""
    settles: int
    """Median step from which on the error of a run stays below twice its last."""
    steps: tuple[int, ...]
    """Steps of the three curves."""
    lower: tuple[float, ...]
    median: tuple[float, ...]
    upper: tuple[float, ...]
    """Error that a tenth, half and nine tenths of the runs stay below, by step."""

    def to_dict(self) -> dict[str, Any]:
        """All numbers, ready for JSON."""
        return {
            "runs": self.runs, "extinct": self.extinct, "burst": self.burst, "overgrown": self.overgrown,
            "settled": numbers((self.settled,))[0], "settles at step": self.settles, "steps": list(self.steps),
            "lower": numbers(self.lower), "median": numbers(self.median), "upper": numbers(self.upper),
        }  # fmt: skip


def grow(organism: Organism, runs: int, *, seed: int, tick: Tick) -> tuple[Growth, State]:
    """Lives of `runs` bodies, and their states at step 1,000: all at once, so that body k fires alike ever after."""
    assert organism.target is not None
    steps = tuple(range(EVERY, AGE + 1, EVERY))
    x = organism.seeds(runs, organism.size)
    x, error = follow(organism, x, steps, organism.target, t=0, seed=seed, tick=tick)
    below = error < 2 * error[-1]
    since = [int(np.flatnonzero(~run)[-1]) + 1 if not run.all() else 0 for run in below.T]
    settles = sorted(steps[min(k, len(steps) - 1)] for k in since)[len(since) // 2]
    middle = quantile(error, 0.5)
    growth = Growth(
        runs, int(organism.faded(x).sum()), int((~organism.bounded(x)).sum()),
        int(organism.overgrown(x, organism.target).sum()), middle[-1], settles, steps,
        quantile(error, 0.1), middle, quantile(error, 0.9),
    )  # fmt: skip
    return growth, x
