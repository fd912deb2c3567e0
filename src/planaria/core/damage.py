"""Damage: shapes that can be cut out of a living pattern, and noise."""

import math
import re
from dataclasses import dataclass

import torch
from torch import Tensor

from planaria.core.noise import Stream, derive, uniform
from planaria.errors import UserError, unknown
from planaria.types import Mask, State

KINDS: dict[str, str] = {
    "left": "the left half",
    "right": "the right half",
    "top": "the upper half",
    "bottom": "the lower half",
    "centre": "a square hole in the middle: centre or centre(SIDE); SIDE is 16 cells where not given",
    "circle": "a disc: circle(X,Y,R), in cells from the upper left corner",
    "speckle": "a random share of all cells: speckle or speckle(SHARE); SHARE is 0.3 where not given",
    "noise": "normal noise added to every living cell: noise or noise(STRENGTH); STRENGTH is 0.3 where not given",
}
"""Kind of damage -> description of what it removes or disturbs."""

MOST_STROKES, WIDEST = 5, 1 / 3
"""Largest number of strokes of a brush, and largest width of one, in lengths of the body."""
DRAWN = 1 + 3 * MOST_STROKES
"""Random numbers that the strokes on one body are drawn from."""
LEFT = 12
"""Fewest living cells that strokes must leave: from fewer no body is expected to heal."""

_ARGUMENTS = {"centre": ((0, 1), (16.0,)), "circle": ((3,), ()), "speckle": ((0, 1), (0.3,)), "noise": ((0, 1), (0.3,))}


@dataclass(frozen=True)
class Damage:
    """Kind of damage and its parameters."""

    kind: str
    numbers: tuple[float, ...] = ()

    @staticmethod
    def parse(text: str) -> "Damage":
        """Parse `left`, `circle(36,36,10)`, `centre(16)`, ... Raises `UserError` that lists the kinds."""
        match = re.fullmatch(r"\s*([a-z]+)\s*(?:\(([^()]*)\))?\s*", text)
        kind = match[1] if match else text.partition("(")[0].strip()
        if match is None or kind not in KINDS:
            raise unknown("damage", kind, KINDS)
        try:
            numbers = tuple(float(n) for n in match[2].split(",")) if match[2] else ()
        except ValueError:
            raise UserError(f"damage {text!r}: the numbers in brackets can't be read") from None
        counts, default = _ARGUMENTS.get(kind, ((0,), ()))
        if len(numbers) not in counts or not all(abs(n) < 1e6 for n in numbers):
            raise UserError(f"damage {text!r}: {kind} is {KINDS[kind]}")
        return Damage(kind, numbers or default)

    def mask(self, size: tuple[int, int], *, seed: int = 0) -> Tensor:
        """Mask of the cells that this damage removes: `(h, w)` bool; all false for noise."""
        h, w = size
        row, col = torch.arange(h)[:, None], torch.arange(w)[None, :]
        if self.kind in ("left", "right", "top", "bottom"):
            side = {"left": col < w // 2, "right": col >= w - w // 2, "top": row < h // 2, "bottom": row >= h - h // 2}
            return side[self.kind].expand(h, w)
        if self.kind == "centre":
            side = self.numbers[0]
            return ((row + 0.5 - h / 2).abs() < side / 2) & ((col + 0.5 - w / 2).abs() < side / 2)
        if self.kind == "circle":
            x, y, r = self.numbers
            return (col - x) ** 2 + (row - y) ** 2 <= r * r
        if self.kind == "speckle":
            return uniform(seed, 0, (1, h, w))[0] < self.numbers[0]
        return torch.zeros(h, w, dtype=torch.bool)

    def apply(self, x: State, *, seed: int = 0, frozen: int = 0, alive: Mask | None = None) -> State:
        """Damaged copy of `x`; `frozen` trailing channels stay. Noise falls on cells of `alive`, everywhere if None.

        A pure function: the same `seed` gives the same damage, here and in the browser's player.
        """
        own = x.shape[1] - frozen
        if self.kind == "noise":
            shape = (2 * own, x.shape[2], x.shape[3])
            u = torch.stack([uniform(derive(seed, Stream.NOISE), sample, shape) for sample in range(len(x))])
            normal = (-2 * (1 - u[:, ::2]).log()).sqrt() * (2 * torch.pi * u[:, 1::2]).cos()  # Box and Muller, 1958
            added = normal.to(x) * self.numbers[0]
            damaged = x[:, :own] + (added if alive is None else torch.where(alive, added, 0.0))
        else:
            gone = self.mask((x.shape[2], x.shape[3]), seed=seed).to(x.device)
            damaged = torch.where(gone, 0.0, x[:, :own])
        return torch.cat([damaged, x[:, own:]], 1)


def discs(n: int, size: tuple[int, int], rng: torch.Generator, radius: tuple[float, float] = (0.1, 0.4)) -> Mask:
    """Masks of `n` random discs for training, `(n, 1, h, w)`: the regenerating regime of Mordvintsev et al., 2020.

    The centre lies in the middle half of the grid; `radius` is in half-grids.
    """
    h, w = size
    centre = torch.rand(n, 2, generator=rng) - 0.5
    r = radius[0] + (radius[1] - radius[0]) * torch.rand(n, 1, 1, generator=rng)
    y = torch.linspace(-1, 1, h)[None, :, None] - centre[:, 0, None, None]
    x = torch.linspace(-1, 1, w)[None, None, :] - centre[:, 1, None, None]
    return ((x * x + y * y) < r * r)[:, None]


def cuts(n: int, size: tuple[int, int], rng: torch.Generator, offset: float = 0.3) -> Mask:
    """Masks of `n` random half-planes: all cells on one side of a line, `(n, 1, h, w)`.

    The line has any direction and passes the grid's middle within `offset` half-grids.
    """
    h, w = size
    angle = 2 * torch.pi * torch.rand(n, 1, 1, generator=rng)
    shift = offset * (2 * torch.rand(n, 1, 1, generator=rng) - 1)
    y = torch.linspace(-1, 1, h)[None, :, None]
    x = torch.linspace(-1, 1, w)[None, None, :]
    return (x * torch.cos(angle) + y * torch.sin(angle) > shift)[:, None]


def holes(n: int, size: tuple[int, int], rng: torch.Generator, side: tuple[float, float] = (0.2, 0.7)) -> Mask:
    """Masks of `n` random rectangles, `(n, 1, h, w)`; `side` is in half-grids, the centre within 0.3 of the grid's."""
    h, w = size
    half = (side[0] + (side[1] - side[0]) * torch.rand(n, 2, generator=rng))[..., None, None] / 2
    centre = 0.3 * (2 * torch.rand(n, 2, generator=rng) - 1)[..., None, None]
    y = torch.linspace(-1, 1, h)[None, :, None] - centre[:, 0]
    x = torch.linspace(-1, 1, w)[None, None, :] - centre[:, 1]
    return ((y.abs() < half[:, 0]) & (x.abs() < half[:, 1]))[:, None]


def strokes(alive: Tensor, u: Tensor) -> Mask:
    """Masks of what a brush erases from `n` bodies `alive` `(n, h, w)`: one to five strokes on each, `(n, 1, h, w)`.

    A stroke goes straight from one random living cell to another; its width lies between one cell and a third of the
    body's longer side. `u` `(n, 16)` in [0, 1) decides: the number of strokes, their widths, first and last cells.
    Nothing is erased where nobody lives.
    """
    n, h, w = alive.shape
    row, column = torch.arange(h, dtype=torch.float32)[:, None], torch.arange(w, dtype=torch.float32)
    gone = torch.zeros(n, 1, h, w, dtype=torch.bool)
    for k in range(n):
        cells = alive[k].nonzero()
        if not len(cells):
            continue
        longest = int((cells.amax(0) - cells.amin(0)).max()) + 1
        count = 1 + int(u[k, 0] * MOST_STROKES)
        width = 1 + u[k, 1 : 1 + count] * max(0.0, longest * WIDEST - 1)
        first, last = (
            cells[(u[k, begin : begin + count] * len(cells)).long()].float()[..., None, None]
            for begin in (1 + MOST_STROKES, 1 + 2 * MOST_STROKES)
        )
        (y, x), (down, right) = first.unbind(1), (last - first).unbind(1)
        along = ((row - y) * down + (column - x) * right) / (down**2 + right**2).clamp(min=1)
        along = along.clamp(0, 1)
        away = (row - y - along * down) ** 2 + (column - x - along * right) ** 2
        gone[k, 0] = (away <= (width[:, None, None] / 2) ** 2).any(0)
    return gone


def fragment(alive: Tensor, share: float, u: float) -> Tensor:
    """Mask `(h, w)` of the living cells nearest to one of them, `share` of all, rounded up; `u` in [0, 1) picks."""
    cells = alive.nonzero()
    kept = torch.zeros_like(alive)
    if len(cells):
        middle = cells[int(u * len(cells))]
        order = (cells - middle).square().sum(1).argsort(stable=True)[: math.ceil(share * len(cells))]
        kept[cells[order, 0], cells[order, 1]] = True
    return kept
