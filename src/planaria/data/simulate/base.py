"""Simulator: a known automaton with Rule's call signature, so that anything that runs a rule runs it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.errors import UserError, unknown
from planaria.types import Cond, Picture, State

MOST_SIDE = 16384
"""Most cells on a side of a grid."""
MOST_CELLS = 2**26
"""Most cells of all grids of a state."""


@dataclass(frozen=True)
class Preset:
    """Named settings."""

    about: str
    """Description in one line."""
    settings: Mapping[str, object]
    """Settings that differ from the defaults."""


@dataclass(frozen=True)
class Settings:
    """Settings of a film of any simulator."""

    size: str = "96"
    """Cells on a side, or ROWSxCOLUMNS."""
    seed: int = 0
    """Seed of the initial state: the same seed, the same film."""
    skip: int = 0
    """Frames to drop before the first one kept."""
    every: int = 1
    """Keep every n-th frame."""

    def __post_init__(self) -> None:
        grid(self.size)
        if self.skip < 0 or self.every < 1:
            raise UserError(f"a video needs skip >= 0 and every >= 1, got {self.skip} and {self.every}")


def named(kind: str, text: str, presets: Mapping[str, Preset]) -> Mapping[str, object]:
    """Settings of a preset. Raises `UserError` for an unknown one."""
    if text.lower() not in presets:
        raise unknown(kind, text, presets)
    return presets[text.lower()].settings


class Simulator(nn.Module, ABC):
    """Known automaton on states `(b, c, h, w)`: a module called like a Rule, with its initial states."""

    def __init__(self, name: str, layout: Layout, settings: Settings, *, frame: int = 1):
        super().__init__()
        self.name, self.layout, self.settings, self.frame = name, layout, settings, frame
        self.size = grid(settings.size)

    @abstractmethod
    def forward(
        self, x: State, t: int = 0, *, seed: int = 0, cond: Cond | None = None, dt: float | None = None
    ) -> State:
        """Make one cell step. It is deterministic: `t`, `seed` and `cond` change nothing; `dt` is time."""

    @abstractmethod
    def start(self, n: int = 1, size: int | tuple[int, int] | None = None, seed: int = 0) -> State:
        """`n` initial states `(n, c, h, w)` from `seed` plus that of the settings; `size` is the settings' if None."""

    def as_rule(self) -> tuple[Rule, Layout]:
        """Convert the automaton to a `Rule` with weights. Raises `UserError` where that is impossible."""
        raise UserError(
            f"sim:{self.name} has no weights, and pages and graphs run nothing else; write an animation (.webp), "
            f"or let a model learn it: planaria train video frames=sim:{self.name}"
        )

    @torch.no_grad()
    def film(
        self,
        count: int,
        *,
        size: int | tuple[int, int] | None = None,
        seed: int = 0,
        skip: int | None = None,
        every: int | None = None,
    ) -> Iterator[Picture]:
        """Yield `count` frames `(visible, h, w)` in 0..1, each `self.frame * every` cell steps after the one before.

        `skip` and `every` are those of the settings where None.
        """
        skip = self.settings.skip if skip is None else skip
        every = self.settings.every if every is None else every
        if count < 1 or skip < 0 or every < 1:
            raise UserError(f"a video needs count >= 1, skip >= 0, every >= 1; got {count}, {skip}, {every}")
        x, t = self.start(1, size, seed), 0
        for k in range(count):
            for _ in range((every if k else skip) * self.frame):
                x, t = self(x, t, seed=seed), t + 1
            yield self.layout.picture(x)[0].clamp(0, 1)

    def room(self, n: int, size: int | tuple[int, int] | None, seed: int) -> tuple[int, int, int]:
        """Rows, columns and seed of an initial state, checked before memory is allocated."""
        h, w = self.size if size is None else (size, size) if isinstance(size, int) else size
        if n < 1 or min(h, w) < 1 or max(h, w) > MOST_SIDE or n * h * w > MOST_CELLS:
            raise UserError(f"{n} grids of {h}x{w} cells are too many; a side has 1 to {MOST_SIDE}, all {MOST_CELLS:,}")
        return h, w, self.settings.seed + seed

    def extra_repr(self) -> str:
        """Name to display."""
        return self.name


def grid(text: str) -> tuple[int, int]:
    """Parse `96` or `54x96` as rows and columns. Raises `UserError` for anything else."""
    found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text.strip().lower())
    h, w = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not (1 <= h <= MOST_SIDE and 1 <= w <= MOST_SIDE):
        raise UserError(f"size={text!r}: write 96 or ROWSxCOLUMNS, as in 54x96; a side has 1 to {MOST_SIDE} cells")
    return h, w


def padded(x: Tensor, edge: str, reach: int = 1) -> Tensor:
    """Pad `(..., h, w)` by `reach` cells, at most the grid's: empty ones, or those of the other side of a torus."""
    if edge == "zero":
        return nn.functional.pad(x, (reach, reach, reach, reach))
    x = torch.cat([x[..., -reach:, :], x, x[..., :reach, :]], -2)
    return torch.cat([x[..., -reach:], x, x[..., :reach]], -1)
