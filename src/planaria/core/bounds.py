"""Bounds of the values in a working rule's cells, and tests of whether a run has left them or died out."""

import torch
from torch import Tensor, nn

from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.types import State

PICTURE, CELL = 10.0, 100.0
"""Bounds of the picture of cells without life, and of every other value in a cell: beyond them a run has exploded.

Pictures are 0..1. The largest that working rules reach is 22, in the first steps of a body that grows from one cell
(the octopus of the gallery; its picture reaches 9.8); without life it is 4 (a texture). A rule that explodes grows by a
constant factor, and goes from one bound to the next within a few steps. The browser's player has both in its model.
"""


def limits(layout: Layout) -> tuple[float, float]:
    """Bounds of the visible channels and of the other ones."""
    return (PICTURE if layout.alpha is None else CELL), CELL


def burst(x: State, layout: Layout) -> bool:
    """True if any cell holds a non-finite value, or one beyond the bounds.

    The channels of an infection, and frozen ones, don't count; the latter may be missing.
    """
    visible, body = layout.visible, layout.body
    parts = zip((x[:, :visible], x[:, visible:body]), limits(layout), strict=True)
    return any(not within(part, limit) for part, limit in parts if part.numel())


def within(x: Tensor, limit: float) -> bool:
    """True if all values of `x` are numbers of magnitude at most `limit`."""
    least, most = torch.aminmax(x.flatten())  # ten times as fast as over its four sides
    return bool((most <= limit) & (least >= -limit))


def extinct(x: State, rule: nn.Module) -> bool:
    """True if no cell is alive under a rule whose cells live and die; false for every other rule."""
    if not isinstance(rule, Rule) or rule.config.life == "none":
        return False
    return bool(x[:, rule.config.life_channel].flatten().max() <= rule.config.life_threshold)
