"""InfectionSite: place where an infection begins."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from planaria.core.noise import uniform
from planaria.errors import UserError
from planaria.types import Cells

FORMS = "ROW,COLUMN, ROW,COLUMN,RADIUS, middle, all, or a share of all cells, as 10%"
"""Formats of a site, as the user types it."""
RADIUS = 1.0
"""Default radius of a site, in cells."""


@dataclass(frozen=True)
class InfectionSite:
    """Site of an infection: a place, the middle of the body, all of it, or a share of the grid's cells."""

    kind: str
    numbers: tuple[float, ...] = ()

    @staticmethod
    def parse(text: str) -> "InfectionSite":
        """Parse `20,20`, `20,20,3`, `middle`, `all`, `10%`. Raises `UserError` that lists the formats."""
        text = text.strip()
        if text in ("middle", "all"):
            return InfectionSite(text)
        if share := re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", text):
            if 0 < float(share[1]) <= 100:
                return InfectionSite("share", (float(share[1]) / 100,))
        elif re.fullmatch(r"[-+.\de]+(,\s*[-+.\de]+){1,2}", text):
            try:
                numbers = tuple(float(n) for n in text.split(","))
            except ValueError:
                numbers = ()
            if numbers and all(abs(n) < 1e6 for n in numbers) and min(numbers[2:], default=0) >= 0:
                return InfectionSite("disc", numbers)
        raise UserError(f"{text!r} is no place where an infection begins: {FORMS}")

    def misses(self, size: tuple[int, int]) -> bool:
        """True if no cell of a grid of `size` (h, w) lies there, living or not."""
        if self.kind != "disc":
            return False
        *place, radius = (*self.numbers, RADIUS)[:3]
        return any(at + radius < 0 or at - radius > side - 1 for at, side in zip(place, size, strict=True))

    def mask(self, living: Cells, *, seed: int = 0) -> Cells:
        """Mask of the infected cells among `living` `(h, w)`; for a share, among all cells, chosen by `seed`."""
        h, w = living.shape
        if self.kind == "share":
            return uniform(seed, 0, (1, h, w), living.device)[0] < self.numbers[0]
        if self.kind == "all" or not bool(living.any()):
            return living
        if self.kind == "middle":
            far = _squares(living, h // 2, w // 2)
            nearest = int(torch.where(living, far, 4 * (h + w) ** 2).argmin())
            row, column, radius = nearest // w, nearest % w, RADIUS
        else:
            row, column, radius = (*self.numbers, RADIUS)[:3]
        return living & disc(living, row, column, radius)


def disc(grid: Cells, row: float, column: float, radius: float) -> Cells:
    """Mask of the cells of `grid` `(h, w)` at most `radius` from a place, `(h, w)` of bool."""
    return _squares(grid, row, column) <= radius**2


def _squares(grid: Cells, row: float, column: float) -> Tensor:
    """Squared distance of every cell from a place."""
    h, w = grid.shape
    y, x = torch.arange(h, device=grid.device)[:, None], torch.arange(w, device=grid.device)
    return (y - row) ** 2 + (x - column) ** 2
