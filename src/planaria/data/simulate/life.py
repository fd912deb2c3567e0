"""Life-like automata: cells that are dead or alive, eight neighbours, a rule such as B3/S23.

Gardner, "The fantastic combinations of John Conway's new solitaire game 'life'", Scientific American, 1970.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from planaria.core.layout import Layout
from planaria.core.noise import uniform
from planaria.core.rule import Rule, RuleConfig
from planaria.data.patterns import Pattern, open_pattern
from planaria.data.simulate.base import Preset, Settings, Simulator, grid, padded
from planaria.errors import UserError, unknown
from planaria.types import Cond, State

ABOUT = "cells that are born and survive by the count of their neighbours; any rule such as life/B36/S23"

PRESETS: dict[str, Preset] = {
    "conway": Preset("Conway's Game of Life, B3/S23: gliders, blinkers, still lifes", {"rule": "B3/S23"}),
    "2x2": Preset("B36/S125: blocks of four make blocks of four", {"rule": "B36/S125"}),
    "34life": Preset("B34/S34: little islands, some of which burst", {"rule": "B34/S34", "density": 0.15}),
    "amoeba": Preset(
        "B357/S1358: a restless body with a ragged rim", {"rule": "B357/S1358", "density": 0.4, "patch": 32}
    ),
    "anneal": Preset("B4678/S35678: the majority wins, slowly", {"rule": "B4678/S35678", "density": 0.5}),
    "assimilation": Preset(
        "B345/S4567: crystals that fill diamonds", {"rule": "B345/S4567", "density": 0.45, "patch": 24}
    ),
    "coral": Preset("B3/S45678: a growth with a spongy skeleton", {"rule": "B3/S45678", "density": 0.5, "patch": 12}),
    "daynight": Preset("B3678/S34678: dead and alive are alike", {"rule": "B3678/S34678", "density": 0.5}),
    "diamoeba": Preset(
        "B35678/S5678: great diamonds that come and go", {"rule": "B35678/S5678", "density": 0.7, "patch": 48}
    ),
    "highlife": Preset("B36/S23: Life with a replicator", {"rule": "B36/S23"}),
    "immortal": Preset(
        "B3/S012345678: Life without death, an ink stain", {"rule": "B3/S012345678", "density": 0.5, "patch": 12}
    ),
    "maze": Preset("B3/S12345: passages with dead ends", {"rule": "B3/S12345", "density": 0.5, "patch": 12}),
    "morley": Preset("B368/S245: puffers and fast gliders (Move)", {"rule": "B368/S245", "density": 0.3}),
    "replicator": Preset(
        "B1357/S1357: whatever there is makes copies of itself", {"rule": "B1357/S1357", "density": 0.5, "patch": 4}
    ),
    "seeds": Preset("B2/S: every cell dies at once, and yet it explodes", {"rule": "B2/S", "density": 0.3, "patch": 6}),
    "stains": Preset("B3678/S235678: blots that run into each other", {"rule": "B3678/S235678", "density": 0.12}),
    "walls": Preset(
        "B45678/S2345: a city whose wall holds (walled cities)", {"rule": "B45678/S2345", "density": 0.5, "patch": 32}
    ),
}
"""Known rules with suitable initial states; the first is the default."""

STEEP = 1024.0
"""Slope at 0.5 of a cell's change from dead to alive, in a rule with weights."""


@dataclass(frozen=True)
class Config(Settings):
    """Life-like rule and its initial soup."""

    rule: str = "B3/S23"
    """Numbers of neighbours for birth and for survival: B3/S23, S23/B3, or 23/3 (survival first, as MCell has it)."""
    edge: Literal["circular", "zero"] = "circular"
    """Cells beyond the grid: those of its other side, or dead ones."""
    density: float = 0.35
    """Fraction of living cells in the soup."""
    patch: int = 0
    """Side of the square in the middle that holds the soup; 0 is the whole grid."""
    start: str = ""
    """Pattern file (.rle, .cells) to place in the middle instead of a soup; its rule replaces B3/S23."""

    def __post_init__(self) -> None:
        super().__post_init__()
        neighbours(self.rule)
        if not 0 <= self.density <= 1 or self.patch < 0:
            raise UserError(f"life needs density in 0..1 and patch >= 0, got {self.density} and {self.patch}")


def build(preset: str, config: Config) -> "LifeLike":
    """Build the automaton of `config`."""
    pattern = open_pattern(config.start) if config.start else None
    if pattern is not None:
        config = _made_for(pattern, config)
    famous = preset in PRESETS and PRESETS[preset].settings["rule"] == config.rule
    return LifeLike(preset if famous else notation(*neighbours(config.rule)), config, pattern)


def _made_for(pattern: Pattern, config: Config) -> Config:
    """Settings that suit a pattern: its rule, where no other than Conway's was asked for, and a grid that holds it."""
    changed: dict[str, str] = {}
    if pattern.rule and neighbours(config.rule) == neighbours(Config.rule):
        changed["rule"] = notation(*neighbours(pattern.rule))
    h, w = pattern.cells.shape
    rows, columns = grid(config.size)
    if config.size == Config.size and (h > rows or w > columns):
        changed["size"] = f"{max(h, rows)}x{max(w, columns)}"
    return replace(config, **changed)


def preset(text: str) -> Mapping[str, object]:
    """Settings of a known rule, or of one that is written out. Raises `UserError` where `text` is neither."""
    if text.lower() in PRESETS:
        return PRESETS[text.lower()].settings
    if not re.search(r"[\d/]", text) or re.search(r"[^\dbs/]", text.lower()):
        raise unknown("rule of life", text, [*PRESETS, "B3/S23"])
    neighbours(text)
    return {"rule": text}


def neighbours(text: str) -> tuple[frozenset[int], frozenset[int]]:
    """Counts of living neighbours for birth and for survival. Raises `UserError` for an invalid rule."""
    plain = "".join(text.upper().split())
    for pattern in (r"B(?P<b>\d*)/?S(?P<s>\d*)", r"S(?P<s>\d*)/?B(?P<b>\d*)", r"(?P<s>\d*)/(?P<b>\d*)"):
        if found := re.fullmatch(pattern, plain):
            born, survives = (frozenset(map(int, found[key])) for key in "bs")
            if 9 in born | survives:
                raise UserError(f"rule {text!r}: a cell has at most 8 neighbours")
            return born, survives
    raise UserError(f"rule {text!r}: write B3/S23 (born with 3 neighbours, survives with 2 or 3), or S23/B3, or 23/3")


def notation(born: frozenset[int], survives: frozenset[int]) -> str:
    """Rule in the usual notation: `B3/S23`."""
    return f"B{''.join(map(str, sorted(born)))}/S{''.join(map(str, sorted(survives)))}"


class LifeLike(Simulator):
    """One channel: 1 alive, 0 dead; painted values count as alive above 0.5. Exact in every precision."""

    table: Tensor

    def __init__(self, name: str, config: Config, pattern: Pattern | None = None):
        super().__init__(f"life/{name}", Layout(visible=1, alpha=None, hidden=0), config)
        self.config, self.pattern = config, pattern
        born, survives = neighbours(config.rule)
        after = [float(n in born) for n in range(9)] + [float(n in survives) for n in range(9)]
        self.register_buffer("table", torch.tensor(after), persistent=False)  # (18,): dead by neighbours, then alive

    def forward(
        self,
        x: State,
        t: int = 0,  # noqa: ARG002
        *,
        seed: int = 0,  # noqa: ARG002
        cond: Cond | None = None,  # noqa: ARG002
        dt: float | None = None,  # noqa: ARG002
    ) -> State:
        """Make one generation. Generations are whole: `dt` changes nothing."""
        alive = (x > 0.5).to(torch.int32)
        around = padded(alive, self.config.edge)
        rows = around[:, :, :-2] + around[:, :, 1:-1] + around[:, :, 2:]
        block = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]  # the cell itself counted, too
        return self.table.to(x.dtype)[block + 8 * alive]

    def start(self, n: int = 1, size: int | tuple[int, int] | None = None, seed: int = 0) -> State:
        """Pattern in the middle; without one a soup, each cell alive with probability `density`."""
        h, w, seed = self.room(n, size, seed)
        if self.pattern is not None:
            return self._laid(n, h, w, self.pattern.cells)
        x = (uniform(seed, 0, (n, h, w)) < self.config.density).float()[:, None]
        if side := self.config.patch:
            soup, x = x, torch.zeros_like(x)
            top, left = max(0, (h - side) // 2), max(0, (w - side) // 2)
            x[:, :, top : top + side, left : left + side] = soup[:, :, top : top + side, left : left + side]
        return x

    def _laid(self, n: int, h: int, w: int, cells: Tensor) -> State:
        """Place a pattern in the middle of `n` grids."""
        rows, columns = cells.shape
        if rows > h or columns > w:
            raise UserError(f"{self.config.start!r} is a pattern of {columns}x{rows} cells; {w}x{h} are too few for it")
        x = torch.zeros(n, 1, h, w)
        top, left = (h - rows) // 2, (w - columns) // 2
        x[:, 0, top : top + rows, left : left + columns] = cells.float()
        return x

    def as_rule(self) -> tuple[Rule, Layout]:
        """Convert the automaton to an ordinary `Rule`: equal to the bit on states of 0 and 1, and as good on others.

        The first layer thresholds each of the nine cells, 1 above 0.5 and else 0 (a steep ramp between two bends), and
        passes the cell itself on. The second adds up `m = neighbours + 9 * cell`; the cell's next state is a function
        of `m` in 0..17, which is a sum of 18 bends. The last layer subtracts the cell's old state.
        """
        after = [0.0, *self.table.tolist()]  # of m = -1, 0 .. 17
        slopes = [0.0, *(b - a for a, b in pairwise(after))]
        ramps = torch.eye(9).repeat_interleave(2, 0)  # two bends for each cell, the second taken from the first
        count = torch.tensor([[1.0, -1.0]] * 4 + [[9.0, -9.0]] + [[1.0, -1.0]] * 4).flatten()
        itself = torch.tensor([[1.0], [-1.0]])
        config = RuleConfig(
            channels=1, filters=("learned",), hidden=(20, 20), fire_rate=1.0, edge=self.config.edge, life="none",
            life_channel=0,
        )  # fmt: skip
        rule = Rule(config)
        with torch.no_grad():
            rule.weights[0].copy_(torch.cat([STEEP * ramps, itself * torch.eye(9)[4]]))
            rule.biases[0].copy_(torch.tensor([0.5 - STEEP / 2, -0.5 - STEEP / 2] * 9 + [0.0, 0.0]))
            rule.weights[1].copy_(torch.block_diag(count.repeat(18, 1), torch.eye(2)))
            rule.biases[1].copy_(torch.tensor([1.0 - k for k in range(18)] + [0.0, 0.0]))
            rule.weights[2].copy_(torch.tensor([[b - a for a, b in pairwise(slopes)] + [-1.0, 1.0]]))
        return rule.requires_grad_(False).eval(), self.layout
