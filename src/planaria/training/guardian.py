"""The guardian: detects failures of the training, and recommends a response."""

import math
from collections.abc import Sequence

from torch import Tensor

from planaria.core.layout import Layout
from planaria.types import State

MEMORY = 32
"""Number of losses that are remembered."""
JUMP = 10.0
"""Ratio to the remembered median above which a loss is unusual."""
PATIENCE = 3
"""Unusual losses in a row that make a jump. One alone is a hard sample, damage that hardly heals: the most useful."""
BOUND = 1e4
"""Bound of a state; one beyond it has exploded."""


def trouble(x: State, loss: float, recent: Sequence[float], layout: Layout) -> str:
    """Fault in the states `x` at the end of a roll-out or in their loss; empty where there is none.

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
