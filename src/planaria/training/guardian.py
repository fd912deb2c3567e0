"""The guardian: notices when learning has gone wrong, and says what to do about it."""

import math
from collections.abc import Sequence

from torch import Tensor

from planaria.core.layout import Layout
from planaria.types import State

MEMORY = 32
"""Losses that are remembered."""
JUMP = 10.0
"""A loss this many times the remembered median is no usual one."""
PATIENCE = 3
"""Unusual losses in a row that make a jump. One alone is a hard sample, a wound that hardly heals: the best teacher."""
BOUND = 1e4
"""A state beyond this has exploded."""


def trouble(x: State, loss: float, recent: Sequence[float], layout: Layout) -> str:
    """What is wrong with the states `x` at the end of a roll-out and their loss; empty where nothing is.

    `recent` are the losses of former healthy iterations, newest last.
    """
    if not math.isfinite(loss) or not _bounded(x):
        return "explosion"
    if layout.alpha is not None and not bool((x[:, layout.alpha] > 0).any()):
        return "extinction"
    usual = sorted(recent)[len(recent) // 2] if len(recent) >= MEMORY else math.inf
    if min([*recent[1 - PATIENCE :], loss]) > JUMP * usual:
        return "jump of the loss"
    return ""


def _bounded(x: Tensor) -> bool:
    return bool((x.abs() < BOUND).all())
