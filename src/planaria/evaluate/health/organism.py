"""Organism: a growing pattern to examine, its target, and how its bodies are run and compared."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from planaria.core.bounds import limits
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.engine import choose, run
from planaria.types import Picture, State

AGE = 1000
"""Steps after which a body counts as grown up."""
CHUNK, NUMBERS = 32, 2**25
"""Most bodies that are run at once, and most numbers in their states. The cells that fire depend on it."""
ALIVE = 0.1
"""Life value above which a cell counts as part of the body, where the rule has no life test of its own."""

Tick = Callable[[int], None]
"""`tick(steps)`: reports that so many steps of one body are done."""
Seeds = Callable[[int, tuple[int, int]], State]
"""`seeds(n, size)`: states of `n` worlds of so many rows and columns, in whose middle a body begins to grow."""


@dataclass(frozen=True)
class Organism:
    """A growing pattern, on the grid that it was trained on."""

    name: str
    rule: Rule
    layout: Layout
    size: tuple[int, int]
    """Rows and columns of the grid."""
    seeds: Seeds
    target: Picture | None = None
    """Picture `(4, h, w)` that it should show; None where nobody knows."""
    target_name: str = ""
    """Origin of the target, in a few words."""
    engine: str = "auto"

    @property
    def threshold(self) -> float:
        """Life value above which a cell is part of the body."""
        return self.rule.config.life_threshold if self.rule.config.life != "none" else ALIVE

    @property
    def runs_on(self) -> str:
        """Name of the engine that runs it."""
        return choose(self.rule, self.seeds(1, self.size), self.engine)[0]

    def alive(self, x: State) -> Tensor:
        """Living cells of each body, `(b, h, w)` bool; a cell that holds no number is none."""
        return x[:, self.layout.alpha or 0] > self.threshold

    def chunks(self, n: int) -> Iterator[range]:
        """Numbers of `n` bodies, in groups that are run at once."""
        cells = self.layout.channels * self.size[0] * self.size[1]
        most = max(1, min(CHUNK, NUMBERS // cells))
        return (range(first, min(n, first + most)) for first in range(0, n, most))

    def after(self, x: State, steps: int, *, t: int, seed: int) -> State:
        """State `steps` steps later."""
        return run(self.rule, x, steps, t=t, seed=seed, engine=self.engine)

    def faded(self, x: State) -> Tensor:
        """Bodies of which no cell is left, `(b,)` bool."""
        return ~self.alive(x).flatten(1).any(1) & self.bounded(x)

    def bounded(self, x: State) -> Tensor:
        """Bodies whose cells all hold numbers within the bounds of a working rule, `(b,)` bool."""
        visible, body = self.layout.visible, self.layout.body
        shown, hidden = limits(self.layout)
        within = x[:, :visible].flatten(1).abs().amax(1) <= shown
        return within & (x[:, visible:body].flatten(1).abs().amax(1) <= hidden) if body > visible else within

    def overgrown(self, x: State, target: Picture) -> Tensor:
        """Bodies of more than twice as many living cells as the target has, `(b,)` bool."""
        cells = int((target[3] > self.threshold).sum())
        return (self.alive(x).flatten(1).sum(1) > 2 * cells) & self.bounded(x)


def errors(organism: Organism, x: State, target: Picture) -> np.ndarray:
    """Mean squared error of each body's picture, `(b,)` float64: summed by NumPy, whose order knows no threads."""
    away = (organism.layout.picture(x).double() - target.double()).square().flatten(1)
    return away.contiguous().numpy().mean(1)


def mean_picture(organism: Organism, x: State) -> Picture:
    """Mean picture `(4, h, w)` of the bodies that live; of none, an empty one."""
    lives = organism.bounded(x) & ~organism.faded(x)
    shown = organism.layout.picture(x[lives]).double().numpy()
    mean = shown.mean(0) if len(shown) else np.zeros(organism.layout.picture(x).shape[1:])
    return torch.from_numpy(mean).float()


def follow(
    organism: Organism, x: State, stops: Sequence[int], target: Picture, *, t: int, seed: int, tick: Tick
) -> tuple[State, np.ndarray]:
    """Last state of bodies `x`, and their errors `(stops, b)` so many steps after step `t`; 0 may be the first stop."""
    found, done = [], 0
    for stop in stops:
        x = organism.after(x, stop - done, t=t + done, seed=seed) if stop > done else x
        tick((stop - done) * len(x))
        done = stop
        found.append(errors(organism, x, target))
    return x, np.stack(found)


def with_target(organism: Organism, target: Picture, name: str) -> Organism:
    """Copy with another target."""
    return replace(organism, target=target, target_name=name)
