"""Health of a growing pattern: whether it grows, keeps, heals and bears, in numbers.

Everything random is derived from one seed by the hash of the cells, and sums are taken in an order that knows no
threads: the same organism on the same engine gets the same certificate, to the bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from planaria.core.noise import derive
from planaria.evaluate.health import bears, heals, keeps
from planaria.evaluate.health.certificate import Certificate
from planaria.evaluate.health.grows import grow
from planaria.evaluate.health.organism import AGE, Organism, mean_picture, with_target
from planaria.evaluate.health.trial import Case, Trial, perform

__all__ = ["Case", "Certificate", "Organism", "Trial", "examine"]

STANDS_IN = "its own settled mean picture stands in for a target"
"""Note on a certificate of an organism whose target nobody knows."""

Progress = Callable[[str, int, int], None]
"""`progress(what, done, of)`: reports the steps of one body that are done, of how many in all."""


@dataclass(frozen=True)
class Extent:
    """Extent of an examination."""

    runs: int
    """Bodies that grow."""
    old: int
    """Of these, bodies that are left alone for long."""
    steps: tuple[int, ...]
    """Steps after which they are looked at."""
    stretches: int
    """Stretches of 20 steps that the Lyapunov exponent is the mean of."""


FULL = Extent(16, 2, (1000, 10_000, 100_000), 160)
QUICK = Extent(8, 1, (1000, 5000), 40)


@torch.no_grad()
def examine(organism: Organism, *, quick: bool = False, seed: int = 0, progress: Progress | None = None) -> Certificate:
    """Examine an organism. `quick` takes a tenth of the time; `seed` decides the damage and which cells fire.

    An organism without a target is compared with the mean picture of its own bodies at step 1,000, which shows whether
    a body comes back to itself, not what it looks like.
    """
    extent = QUICK if quick else FULL
    count = _Count(progress)
    fires, damage = derive(seed, 1), derive(seed, 2)
    if organism.target is None:
        count.expect("growing", 2 * extent.runs * AGE)
        x = organism.after(organism.seeds(extent.runs, organism.size), AGE, t=0, seed=fires)
        count.tick(extent.runs * AGE)
        organism = with_target(organism, mean_picture(organism, x), STANDS_IN)
    else:
        count.expect("growing", extent.runs * AGE)
    growth, homes = grow(organism, extent.runs, seed=fires, tick=count.tick)
    planned = [*heals.checks(organism, quick=quick), *bears.checks(organism, homes, quick=quick)]
    long = extent.old * (extent.steps[-1] - AGE) + keeps.WINDOW + 2 * keeps.STRETCH * extent.stretches
    count.expect("keeping", long + sum(check.bodies * check.steps for check in planned))
    kept = keeps.keep(organism, homes[: extent.old], extent.steps, extent.stretches, seed=fires, tick=count.tick)
    trials = []
    for number, check in enumerate(planned):
        count.what = check.name
        trials.append(perform(organism, homes, check, growth.settled, seed=derive(damage, number), tick=count.tick))
    return Certificate(
        organism.name, organism.size, organism.target_name, organism.runs_on, seed, quick, growth, kept, tuple(trials)
    )


class _Count:
    """Steps of one body that are done, of those that are to come."""

    def __init__(self, progress: Progress | None):
        self._progress, self._done, self._of, self.what = progress, 0, 0, ""

    def expect(self, what: str, steps: int) -> None:
        self.what = what
        self._of += steps

    def tick(self, steps: int) -> None:
        self._done += steps
        if self._progress is not None:
            self._progress(self.what, self._done, self._of)
