"""Turn: a rule with its sense of direction rotated, so that all it does goes another way.

A slope is measured by two filters, across and down, which answer like the two coordinates of an arrow. To read their
answers turned is to have other weights in the first layer, so every engine runs a turned rule as it is.
"""

import copy
import math
from typing import TypeVar

import torch
from torch import nn

from planaria.core.filters import SLOPES, bank, split
from planaria.core.rule import Rule
from planaria.core.solve import Solver
from planaria.errors import UserError

R = TypeVar("R", bound=nn.Module)

RIGHT_ANGLES = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
"""Cosine and sine of 0, 90, 180 and 270 degrees, exactly."""


def turned(rule: R, degrees: float) -> R:
    """Copy of a rule, or of a solver's, that does all turned by `degrees`, counter-clockwise as seen on a screen.

    By right angles it is exactly the rotated life, where every cell fires; at others it is as close as the filters are
    round. At 0 it is the same bytes. Raises `UserError` for one that has no filters to turn.
    """
    other = copy.deepcopy(rule)
    if degrees % 360 == 0:
        return other
    plain = other.rule if isinstance(other, Solver) else other
    if not isinstance(plain, Rule):
        raise UserError("a simulator can't be turned: it has no filters of a rule")
    firsts, channels = pairs(plain.config.filters), plain.config.channels
    quarters, rest = divmod(degrees % 360, 90)
    angle = math.radians(degrees % 360)
    cosine, sine = (math.cos(angle), math.sin(angle)) if rest else RIGHT_ANGLES[int(quarters)]
    with torch.no_grad():
        answers = plain.weights[0][:, : channels * len(plain.reaches)]
        by_filter = answers.unflatten(1, (channels, -1)).double()
        for at in firsts:
            across, down = by_filter[..., at].clone(), by_filter[..., at + 1].clone()
            by_filter[..., at] = cosine * across + sine * down
            by_filter[..., at + 1] = cosine * down - sine * across
        answers.copy_(by_filter.flatten(1))
    return other


def turnable(filters: tuple[str, ...]) -> bool:
    """True if a rule with these filters knows a direction that can be turned."""
    names = {split(name)[0] for name in filters}
    return "learned" not in names and not SLOPES.isdisjoint(names)


def pairs(filters: tuple[str, ...]) -> tuple[int, ...]:
    """Places of the filters that measure a slope across, each followed by that down.

    Raises `UserError` where there are none, and for `learned`, whose nine cells can't be turned between the grid's
    directions.
    """
    if not turnable(filters):
        learned = any(split(name)[0] == "learned" for name in filters)
        why = "learned reads single cells, whatever the angle" if learned else "none knows a direction, as sobel does"
        raise UserError(f"a rule with filters {', '.join(filters)} can't be turned: {why}")
    counts = [len(bank((name,))) for name in filters]
    return tuple(sum(counts[:k]) for k, name in enumerate(filters) if split(name)[0] in SLOPES)
