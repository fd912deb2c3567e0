"""Trial: bodies that were damaged or burdened in one way, and what became of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from planaria.core.noise import derive
from planaria.evaluate.health.organism import AGE, Organism, Tick, errors, follow
from planaria.types import Picture, State

HEALED = 1e-3
"""Mean squared error below which a body is healed."""
STOPS = (0, 10, 20, 40, 60, 80, 100, 150, 200, 300, 400, 500)
"""Steps after the damage at which the error is taken; the last one decides."""
SHIFT = 4
"""Cells up to which a body that is whole may have moved, down or sideways, to count as moved."""
WORST = 6
"""Bodies that are kept as pictures, the worst ones."""

Group = Literal["heals", "fragment", "bears"]
Begin = Callable[[State, int, int], State]
"""`begin(bodies, first, seed)`: what the grown bodies become, of which the first has the number `first`."""


@dataclass(frozen=True)
class Check:
    """One way to damage or burden bodies."""

    name: str
    group: Group
    bodies: int
    """Number of bodies."""
    begin: Begin
    """Function that damages grown bodies, or puts others in their place."""
    organism: Organism | None = None
    """Organism that goes on from there, on its own grid and with its own target; None for the same one."""
    between: Callable[[State], State] | None = None
    """Function that changes the state after every step."""
    age: int = AGE
    """Step at which it goes on."""
    steps: int = STOPS[-1]
    """Steps after which it is judged."""


@dataclass(frozen=True)
class Case:
    """One body as pictures `(4, h, w)`."""

    error: float
    before: Float[Tensor, "v _ _"]
    damaged: Picture
    after: Picture


@dataclass(frozen=True)
class Trial:
    """Outcome of a check. Every body is healed, moved, extinct, burst, overgrown, or else has a second shape."""

    name: str
    group: Group
    bodies: int
    healed: int
    """Bodies whose error is below 1e-3."""
    as_before: int
    """Bodies whose error is below twice the settled error of the organism."""
    extinct: int
    burst: int
    overgrown: int
    moved: int
    """Bodies that are whole, but up to four cells from their place: their error there is below 1e-3."""
    second: int
    """Bodies in a second shape."""
    stops: tuple[int, ...]
    """Steps after the damage, of the three curves."""
    lower: tuple[float, ...]
    """Error that a tenth of the bodies stays below, by stop."""
    median: tuple[float, ...]
    upper: tuple[float, ...]
    """Error that nine tenths of the bodies stay below."""
    errors: tuple[float, ...]
    """Last error of each body."""
    worst: tuple[Case, ...] = field(default=(), repr=False, compare=False)

    @property
    def fates(self) -> tuple[tuple[str, int], ...]:
        """What became of the bodies that are not healed, in words, and of how many."""
        return (
            ("whole, but moved", self.moved), ("extinct", self.extinct), ("burst", self.burst),
            ("overgrown", self.overgrown), ("in a second shape", self.second),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """All numbers, ready for JSON: one that is not a number is None."""
        return {
            "name": self.name, "group": self.group, "bodies": self.bodies, "healed": self.healed,
            "as before": self.as_before, "extinct": self.extinct, "burst": self.burst, "overgrown": self.overgrown,
            "moved": self.moved, "second shape": self.second, "stops": list(self.stops), "lower": numbers(self.lower),
            "median": numbers(self.median), "upper": numbers(self.upper), "errors": numbers(self.errors),
        }  # fmt: skip


def numbers(values: tuple[float, ...]) -> list[float | None]:
    """Values for JSON: one that is not a number is None."""
    return [value if math.isfinite(value) else None for value in values]


def quantile(values: np.ndarray, share: float) -> tuple[float, ...]:
    """Value of the body at `share` of the order, by stop, of errors `(stops, b)`: one that was measured."""
    order = np.sort(np.nan_to_num(values, nan=math.inf, posinf=math.inf), axis=1)
    return tuple(order[:, round(share * (order.shape[1] - 1))].tolist())


def perform(organism: Organism, homes: State, check: Check, settled: float, *, seed: int, tick: Tick) -> Trial:
    """Perform one check on the grown bodies `homes` of `organism`, which it takes in turn.

    `settled` is the organism's own error; `seed` decides the damage and which cells fire.
    """
    later = check.organism or organism
    target = later.target
    assert target is not None
    curves, ends, worst = [], [], []
    stops = (*(stop for stop in STOPS if stop < check.steps), check.steps)
    for chunk in organism.chunks(check.bodies):
        before = homes[torch.arange(chunk.start, chunk.stop) % len(homes)]
        fires = derive(seed, chunk.start)
        x = check.begin(before, chunk.start, seed)
        if check.between is None:
            y, found = follow(later, x, stops, target, t=check.age, seed=fires, tick=tick)
        else:
            y, found = _step_by_step(later, x, stops, target, check, fires, tick)
        curves.append(found)
        whole = torch.from_numpy(_elsewhere(later, y, target, found[-1]) < HEALED)
        ends.append(torch.stack([later.faded(y), ~later.bounded(y), later.overgrown(y, target), whole]))
        worst = _worst([*worst, *_cases(organism, later, before, x, y, found[-1])])
    error, (extinct, burst, overgrown, whole) = np.concatenate(curves, 1), torch.cat(ends, 1).numpy()
    last = error[-1]
    healed = (last < HEALED) & ~extinct & ~burst
    moved = whole & ~healed & ~extinct & ~burst
    overgrown = overgrown & ~healed & ~moved
    lost = extinct | burst | overgrown | moved
    return Trial(
        check.name, check.group, check.bodies, healed=int(healed.sum()),
        as_before=int(((last < 2 * settled) & ~extinct & ~burst).sum()),
        extinct=int(extinct.sum()), burst=int(burst.sum()), overgrown=int(overgrown.sum()), moved=int(moved.sum()),
        second=int((~healed & ~lost).sum()), stops=stops, lower=quantile(error, 0.1), median=quantile(error, 0.5),
        upper=quantile(error, 0.9), errors=tuple(last.tolist()), worst=tuple(worst),
    )  # fmt: skip


def _elsewhere(organism: Organism, x: State, target: Picture, error: np.ndarray) -> np.ndarray:
    """Least error of each body that isn't healed where it is, over all places up to four cells away."""
    least = np.full(len(x), math.inf)
    ill = np.flatnonzero(~(error < HEALED))
    reach = range(-SHIFT, SHIFT + 1)
    for down, right in ((a, b) for a in reach for b in reach if len(ill)):
        moved = errors(organism, x[torch.from_numpy(ill)], target.roll((down, right), (1, 2)))
        least[ill] = np.fmin(least[ill], moved)
    return least


def _step_by_step(
    organism: Organism, x: State, stops: tuple[int, ...], target: Picture, check: Check, seed: int, tick: Tick
) -> tuple[State, np.ndarray]:
    assert check.between is not None
    found = [errors(organism, x, target)]
    for t in range(check.steps):
        x = check.between(organism.after(x, 1, t=check.age + t, seed=seed))
        tick(len(x))
        if t + 1 in stops:
            found.append(errors(organism, x, target))
    return x, np.stack(found)


def _cases(
    organism: Organism, later: Organism, before: Float[Tensor, "b c _ _"], x: State, y: State, error: np.ndarray
) -> list[Case]:
    """The worst bodies of a chunk as pictures."""
    order = sorted(range(len(error)), key=lambda k: -np.nan_to_num(error[k], nan=math.inf))[:WORST]
    shown, cut, after = organism.layout.picture(before), later.layout.picture(x), later.layout.picture(y)
    return [Case(float(error[k]), shown[k].clone(), cut[k].clone(), after[k].clone()) for k in order]


def _worst(cases: list[Case]) -> list[Case]:
    return sorted(cases, key=lambda case: -np.nan_to_num(case.error, nan=math.inf))[:WORST]
