"""Bears: burdens that no training prepared for, from another fire rate to a cell that holds no number."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.evaluate.health.organism import AGE, Organism
from planaria.evaluate.health.trial import Begin, Check
from planaria.types import Picture, State

RATES = (0.3, 0.8)
"""Other fire rates."""
LEVELS = 127
"""Levels of a channel on each side of 0, in 8 bits."""
RIM = 2
"""Rows between the edge of the grid and a seed at the rim."""
FEW, SLOW = 8, 200
"""Bodies of each check; and steps that the reference, which is slow, runs one body for."""


def checks(organism: Organism, homes: State, *, quick: bool) -> Iterator[Check]:
    """All burdens for the grown bodies `homes`; `quick` leaves out all but the fire rates, and takes fewer bodies."""
    n = FEW // 2 if quick else FEW
    for rate in RATES:
        rule = _firing(organism.rule, rate)
        yield _grown(f"grown at a fire rate of {rate:g}", n, replace(organism, rule=rule))
    if quick:
        return
    yield Check("states in 8 bits", "bears", n, _same, between=rounding(organism.layout, homes))
    if organism.runs_on != "reference":
        reference = replace(organism, engine="reference")
        yield Check("the reference engine", "bears", 1, _same, reference, steps=SLOW)
    h, w = organism.size
    if h == w:
        turned = replace(organism, target=_target(organism).rot90(1, (1, 2)))
        yield Check("turned by 90 degrees", "bears", n, lambda x, _, __: x.rot90(1, (2, 3)).contiguous(), turned)
    yield _touching(organism, n)
    tall, wide = h // 4, w // 4
    shown = F.pad(_target(organism), (wide, wide, tall, tall))
    larger = replace(organism, size=(h + 2 * tall, w + 2 * wide), target=shown)
    yield _grown("grown on a grid half as large again", n, larger)
    up = max(0, h // 2 - RIM)
    risen = F.pad(_target(organism)[:, up:], (0, 0, 0, up))
    yield _grown("grown from a seed at the rim", n, replace(organism, target=risen), lambda x: x.roll(-up, 2))
    yield Check("no number in one cell", "bears", n, _poisoned(organism))


def rounding(layout: Layout, homes: State) -> Callable[[State], State]:
    """Function that rounds every channel to 8 bits: 127 levels on either side of 0, to the largest value of `homes`."""
    own = homes.shape[1] - layout.frozen
    scale = homes[:, :own].abs().amax((0, 2, 3))[:, None, None].clamp(min=1e-6) / LEVELS

    def rounded(x: State) -> State:
        levels = (x[:, :own] / scale).round().clamp(-LEVELS, LEVELS)
        return torch.cat([levels * scale, x[:, own:]], 1)

    return rounded


def _same(x: State, first: int, seed: int) -> State:  # noqa: ARG001
    return x


def _target(organism: Organism) -> Picture:
    assert organism.target is not None
    return organism.target


def _firing(rule: Rule, rate: float) -> Rule:
    """Copy of a rule with another fire rate."""
    other = copy.deepcopy(rule)
    other.config = replace(rule.config, fire_rate=rate)
    return other


def _grown(name: str, n: int, organism: Organism, placed: Callable[[State], State] = lambda x: x) -> Check:
    """Check with bodies that grow from the seed, `placed` elsewhere maybe."""

    def begin(x: State, first: int, seed: int) -> Float[Tensor, "b c _ _"]:  # noqa: ARG001
        return placed(organism.seeds(len(x), organism.size))

    return Check(name, "bears", n, begin, organism, age=0, steps=AGE)


def _touching(organism: Organism, n: int) -> Check:
    """Check with two bodies side by side, the first cells of the one next to the last ones of the other."""
    target, alpha = _target(organism), organism.layout.alpha or 0
    columns = (target[3] > organism.threshold).any(0).nonzero()
    apart = int(columns.max() - columns.min()) + 1 if len(columns) else 1

    def both(x: Tensor, life: int) -> Tensor:
        left, right = F.pad(x, (0, apart)), F.pad(x, (apart, 0))
        return torch.where(left[..., life, None, :, :] >= right[..., life, None, :, :], left, right)

    size = organism.size[0], organism.size[1] + apart
    pair = replace(organism, size=size, target=both(target, 3))
    return Check("two bodies that touch", "bears", n, lambda x, _, __: both(x, alpha), pair)


def _poisoned(organism: Organism) -> Begin:
    """Function that puts what is no number into the living cell nearest to the middle of a body."""

    def begin(x: State, first: int, seed: int) -> State:  # noqa: ARG001
        y = x.clone()
        for k, alive in enumerate(organism.alive(x)):
            cells = alive.nonzero().float()
            if len(cells):
                row, column = cells[int((cells - cells.mean(0)).square().sum(1).argmin())].int().tolist()
                y[k, : organism.layout.body, row, column] = torch.nan
        return y

    return begin
