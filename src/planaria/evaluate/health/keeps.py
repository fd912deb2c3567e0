"""Keeps: the error of bodies left alone for long, and the motion that they settle into."""

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from planaria.core.noise import Stream, derive, uniform
from planaria.engine import run
from planaria.evaluate.health.organism import AGE, Organism, Tick, errors
from planaria.evaluate.health.trial import numbers
from planaria.types import State

BLOCK = 1000
"""Steps between two reports of progress."""
WINDOW = 256
"""Steps that are looked at for a period; one of up to half of them is found."""
STILL = 1 / 510
"""Root mean squared change of the picture below which it stands still: half a level of 8 bits."""
FAR, NEAR = 0.5, 0.1
"""Shares of the largest distance that a body must go away and come back to, so that its motion has a period."""
TINY = 1e-6
"""Length of the disturbance whose growth is the Lyapunov exponent."""
STRETCH = 20
"""Steps after which the disturbance is shortened to that length again."""


@dataclass(frozen=True)
class Keeping:
    """A long life."""

    steps: tuple[int, ...]
    errors: tuple[tuple[float, ...], ...]
    """Error of each body after so many steps."""
    drift: float
    """Decades that the error of a body has risen by, from the first of `steps` to the last; of the worst body."""
    change: float
    """Root mean squared change of the picture's living cells from step to step."""
    still: bool
    """True if the picture stands still."""
    period: int | None
    """Steps after which the picture comes back; None where it stands still or never comes back."""
    exponent: float
    """Largest Lyapunov exponent per step, of the map that the firing cells drive; -inf where nothing is left of it."""

    def to_dict(self) -> dict[str, Any]:
        """All numbers, ready for JSON."""
        return {
            "steps": list(self.steps), "errors": [numbers(one) for one in self.errors],
            "drift": numbers((self.drift,))[0], "change": numbers((self.change,))[0], "still": self.still,
            "period": self.period, "lyapunov exponent": numbers((self.exponent,))[0],
        }  # fmt: skip


def keep(organism: Organism, homes: State, steps: tuple[int, ...], stretches: int, *, seed: int, tick: Tick) -> Keeping:
    """Go on with bodies `homes` from step 1,000 to each of `steps`; then look at the first for its motion.

    `stretches` are those of 20 steps that the Lyapunov exponent is the mean of; `seed` is that of their growth.
    """
    assert organism.target is not None
    x, t, found = homes, AGE, []
    for stop in steps:
        while t < stop:
            length = min(BLOCK, stop - t)
            x = organism.after(x, length, t=t, seed=seed)
            tick(length * len(x))
            t += length
        found.append(tuple(errors(organism, x, organism.target).tolist()))
    change, lag = motion(organism, x[:1], t=t, seed=seed)
    tick(WINDOW)
    exponent = lyapunov(organism, x[:1], stretches, t=t, seed=seed)
    tick(2 * STRETCH * stretches)
    drift = max(decades(a, b) for a, b in zip(found[0], found[-1], strict=True))
    still = change < STILL and lag is None
    return Keeping(steps, tuple(found), drift, change, still, lag, exponent)


def decades(early: float, late: float) -> float:
    """Decades by which an error has risen; infinite where the body has burst, or was without error before."""
    if early == late:
        return 0.0
    if early > 0 and 0 < late < math.inf:
        return math.log10(late / early)
    return -math.inf if late == 0 else math.inf


def motion(organism: Organism, x: State, *, t: int, seed: int) -> tuple[float, int | None]:
    """Root mean squared change of one body's living cells in a step, and the period of its picture over 256 steps.

    The distance `r(p)` is the root mean squared difference of pictures `p` steps apart. The body goes away when it
    first exceeds half its largest value; the period is the first lag after that where it is below a tenth of it.
    """
    shown = []
    for k in range(WINDOW):
        x = organism.after(x, 1, t=t + k, seed=seed)
        shown.append(organism.layout.picture(x)[0])
    pictures = torch.stack(shown).double()
    lives = (pictures[:, 3] > organism.threshold).any(0)
    if not bool(lives.any()) or not bool(pictures.isfinite().all()):
        return 0.0, None
    series = pictures[:, :, lives].flatten(1).numpy()
    series = series - series.mean(0)
    apart = np.array([math.sqrt(np.square(series[p:] - series[:-p]).mean()) for p in range(1, WINDOW // 2 + 1)])
    return float(apart[0]), period(apart)


def period(apart: np.ndarray) -> int | None:
    """Period of a body whose pictures 1, 2, ... steps apart differ by `apart`; None where it has none."""
    most = float(apart.max())
    if most < STILL:
        return None
    away = int(np.argmax(apart >= FAR * most))
    back = np.flatnonzero(apart[away:] <= NEAR * most)
    if not len(back):
        return None
    first = away + int(back[0])
    while first + 1 < len(apart) and apart[first + 1] < apart[first]:
        first += 1
    return first + 1


@torch.no_grad()
def lyapunov(organism: Organism, x: State, stretches: int, *, t: int, seed: int) -> float:
    """Largest Lyapunov exponent per step of one body: the mean growth of a tiny disturbance, in natural logarithms.

    Both lives run in float64, and the same cells fire in both, so it is that of the driven map: below 0 they come
    together, above 0 they part. After every 20 steps the disturbance is shortened to its first length, 1e-6; the first
    quarter of the stretches only turns it into the direction that grows most. Benettin et al., 1980.
    """
    double = replace(organism, rule=copy.deepcopy(organism.rule).double())
    body, x = organism.layout.body, x.double()
    noise = uniform(derive(seed, Stream.NOISE), 0, (body, x.shape[2], x.shape[3])).double() - 0.5
    away = torch.where(organism.alive(x), noise, 0.0)
    if not _length(away):
        return -math.inf
    away = away * (TINY / _length(away))
    grown, counted = 0.0, 0
    for k in range(stretches):
        other = torch.cat([x[:, :body] + away, x[:, body:]], 1)
        now = {"t": t + k * STRETCH, "seed": seed, "engine": double.engine}
        x, other = (run(double.rule, one, STRETCH, **now) for one in (x, other))
        away = (other - x)[:, :body]
        length = _length(away)
        if not 0 < length < math.inf:
            return -math.inf if length == 0 else math.inf
        if k >= stretches // 4:
            grown, counted = grown + math.log(length / TINY), counted + STRETCH
        away = away * (TINY / length)
    return grown / max(1, counted)


def _length(away: Tensor) -> float:
    return float(np.sqrt(np.square(away.contiguous().numpy()).sum()))
