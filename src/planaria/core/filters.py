"""Perception filters: kernels by which a cell perceives its neighbourhood.

A filter is one or more kernels, applied to every channel alone (cross-correlation, as torch does it; x grows to the
right, y downwards). Most are 3x3, and `name@N` is the same kernel with its eight outer taps N cells away: a dilated
kernel (Holschneider et al., 1989). `ring@N` is as wide as its reach. Settings name filters; engines only ever see the
numbers.
"""

import math
import re
from functools import reduce
from operator import add

import torch
from torch import Tensor

from planaria.errors import UserError, unknown

FARTHEST = 16
"""Largest reach of a filter, in cells."""

Kernel = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


def _kernel(rows: list[list[int]], scale: float = 1.0) -> Kernel:
    a, b, c = (tuple(v / scale for v in row) for row in rows)
    return a, b, c  # type: ignore[return-value]


def _transposed(kernel: Kernel) -> Kernel:
    a, b, c = zip(*kernel, strict=True)
    return a, b, c


_SOBEL = _kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 8)
_SCHARR = _kernel([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]], 16)

FILTERS: dict[str, tuple[Kernel, ...]] = {
    "identity": (_kernel([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),),
    "sobel": (_SOBEL, _transposed(_SOBEL)),
    "scharr": (_SCHARR, _transposed(_SCHARR)),
    "gaussian": (_kernel([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16),),
    "laplacian": (_kernel([[1, 2, 1], [2, -12, 2], [1, 2, 1]], 8),),
    "laplacian5": (_kernel([[0, 1, 0], [1, -4, 1], [0, 1, 0]], 8),),
    "mean": (_kernel([[1, 1, 1], [1, 1, 1], [1, 1, 1]], 9),),
    "learned": tuple(
        _kernel([[int((i, j) == (a, b)) for j in range(3)] for i in range(3)]) for a in range(3) for b in range(3)
    ),
}
"""Name -> 3x3 kernels, scaled as published."""

RING = "ring"
"""The filter that is no 3x3 kernel: the average of the cells around this one at a distance of its reach."""

MEANINGS: dict[str, str] = {
    "identity": "the cell's own state",
    "sobel": "slope to the right and downwards, answers 1 on a unit ramp, from afar too (Mordvintsev et al., 2020)",
    "scharr": "slope, rounder than sobel, answers 2 on a unit ramp, as published, from afar too",
    "gaussian": "blurred neighbourhood, weights sum to 1; no direction",
    "laplacian": "difference from all eight neighbours, 9-point (Niklasson et al., 2021); no direction",
    "laplacian5": "difference from the four nearest neighbours, 5-point; no direction",
    "mean": "average of the 3x3 block; no direction",
    "learned": "all nine cells one by one: the first layer becomes a learned 3x3 convolution",
    RING: "average of the cells around this one: the neighbours, or in ring@N those about N cells away; no direction",
}
"""Name -> description."""


SLOPES = frozenset({"sobel", "scharr"})
"""Filters that measure a slope, which is a difference over a distance: dilated, they are divided by their reach."""


def split(name: str) -> tuple[str, int]:
    """Split a filter's name from its reach in cells: `("sobel", 2)` of `sobel@2`; the reach is 1 by default.

    Raises `UserError` for an unknown name, and for a reach outside 1..16.
    """
    base, at, reach = name.partition("@")
    if base not in MEANINGS:
        raise unknown("filter", base, MEANINGS)
    if at and not (re.fullmatch("[1-9][0-9]?", reach) and int(reach) <= FARTHEST):
        raise UserError(
            f"filter {name!r}: after @ comes how many cells away its outer taps lie, 1 to {FARTHEST}, as in {base}@2"
        )
    return base, int(reach) if at else 1


def bank(names: tuple[str, ...]) -> tuple[Tensor, ...]:
    """Kernels of named filters, in order: `(n, n)` float32 each, n odd. Raises `UserError` for unknown names.

    The outermost taps lie as far away as `reaches` says, and the others evenly between: `n // 2` to a side.
    """
    if not names:
        raise UserError("a rule needs at least one filter; the usual choice is: identity, sobel")
    kernels = []
    for base, reach in map(split, names):
        if base == RING:
            kernels.append(_ring(reach))
            continue
        scale = reach if base in SLOPES else 1
        kernels += [torch.tensor([[v / scale for v in row] for row in kernel]) for kernel in FILTERS[base]]
    return tuple(kernels)


def reaches(names: tuple[str, ...]) -> tuple[int, ...]:
    """Distance in cells to the outermost taps of every kernel of `bank(names)`; 1 for the direct neighbours."""
    return tuple(reach for base, reach in map(split, names) for _ in FILTERS.get(base, (RING,)))


def caveats(names: tuple[str, ...], *, directed: bool = True) -> list[str]:
    """Reasons why a choice of filters cannot work, as sentences; empty if it can.

    `directed` if what is to be learned tells left from right and up from down, as a law of nature doesn't.
    """
    kernels = bank(names)
    steps = [reach // (len(k) // 2) for k, reach in zip(kernels, reaches(names), strict=True)]
    beside = [
        step * abs(place - len(k) // 2)
        for k, step in zip(kernels, steps, strict=True)
        for place in k.nonzero().flatten().tolist()
    ]
    if not any(beside):
        return [
            f"filters {', '.join(names)}: cells see only themselves, so all become alike in any training; add sobel"
        ]
    if directed and all(torch.equal(k, other) for k in kernels for other in (k.flip(0), k.flip(1), k.T)):
        return [
            f"filters {', '.join(names)}: all symmetric, so cells can't tell left from right or up from down; "
            "only pictures with the same symmetry can be learned; add sobel"
        ]
    apart = math.gcd(*beside)
    if apart > 1:
        return [
            f"filters {', '.join(names)}: cells feel only those a multiple of {apart} away, so the grid falls apart "
            f"into {apart * apart} that know nothing of each other; add sobel"
        ]
    return []


def _ring(reach: int) -> Tensor:
    """Kernel `(2 * reach + 1, 2 * reach + 1)`: weights 1 - |distance - reach| where that is above 0, of sum 1."""
    line = range(-reach, reach + 1)
    weights = [max(0.0, 1 - abs(math.sqrt(i * i + j * j) - reach)) for i in line for j in line]
    weights[len(weights) // 2] = 0.0  # the middle of ring@1, which is identity's
    whole = reduce(add, weights)  # one after the other, as JavaScript adds them
    return torch.tensor([w / whole for w in weights]).view(len(line), len(line))
