"""Gray-Scott: a substance that makes more of itself from a feed, and spreads more slowly than the feed does.

Gray and Scott, 1984; Pearson, "Complex patterns in a simple system", Science, 1993.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import torch
from torch import Tensor

from planaria.core.layout import Layout
from planaria.core.noise import derive, uniform
from planaria.data.simulate.base import Preset, Settings, Simulator, named, padded
from planaria.errors import UserError
from planaria.types import Cond, State

ABOUT = "a substance that feeds, spreads and dies: spots that divide, worms, coral, waves"

PRESETS: dict[str, Preset] = {
    "mitosis": Preset("spots that divide until they fill the grid", {"feed": 0.0367, "kill": 0.0649}),
    "chaos": Preset("rings that break up, never at rest", {"feed": 0.018, "kill": 0.051}),
    "coral": Preset("branches that grow apart", {"feed": 0.0545, "kill": 0.062}),
    "holes": Preset("dark holes in a bright sheet", {"feed": 0.039, "kill": 0.058}),
    "mazes": Preset("stripes that meet in a labyrinth", {"feed": 0.029, "kill": 0.057}),
    "spots": Preset("spots that settle in rows", {"feed": 0.03, "kill": 0.062}),
    "swarm": Preset("spots that are born and die, never at rest", {"feed": 0.02, "kill": 0.058}),
    "waves": Preset("crescents that run and put each other out", {"feed": 0.014, "kill": 0.051}),
    "worms": Preset("filaments that grow at their ends", {"feed": 0.05, "kill": 0.065}),
}
"""Feed and kill rates of known patterns; the first is the default."""

LONGEST = 1.0
"""Largest time of one explicit step inside a cell step, for stability."""
BRIGHT = 2.5
"""Brightness per concentration of the substance, which seldom exceeds 0.4."""


class _Stream(IntEnum):
    """Purposes of the seed of an initial state."""

    PLACES = 1
    LEVELS = 2


@dataclass(frozen=True)
class Config(Settings):
    """Rates of the reaction, in Pearson's units: the grid's cells are 0.01 apart."""

    feed: float = 0.0367
    """Rate at which the feed flows in."""
    kill: float = 0.0649
    """Rate at which the substance decays, in addition to being washed out at the feed rate."""
    du: float = 0.2097
    """Diffusion rate of the feed, in cells squared per unit of time."""
    dv: float = 0.105
    """Diffusion rate of the substance, in the same unit."""
    dt: float = 8.0
    """Time of a cell step; it is divided into explicit steps of at most 1."""
    patches: int = 0
    """Number of initial patches of the substance; 0 is one for every 400 cells."""
    show: Literal["substance", "both"] = "substance"
    """Channels of a picture: the substance, in grey; or both as they are, in red and green: all that a cell holds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.feed <= 1 and 0 <= self.kill <= 1):
            raise UserError(f"gray-scott needs feed and kill in 0..1, got {self.feed} and {self.kill}")
        if not (0 <= self.du <= 0.35 and 0 <= self.dv <= 0.35):
            raise UserError(f"gray-scott is stable with du and dv in 0..0.35, got {self.du} and {self.dv}")
        if not (0 < self.dt <= 1000 and 0 <= self.patches <= 65536):
            raise UserError(f"gray-scott needs dt in 0..1000 and patches in 0..65536, got {self.dt}, {self.patches}")


def build(preset: str, config: Config) -> "GrayScott":
    """Build the automaton of `config`."""
    return GrayScott(preset, config)


def preset(text: str) -> Mapping[str, object]:
    """Settings of a preset. Raises `UserError` for an unknown one."""
    return named("pattern of gray-scott", text, PRESETS)


class GrayScott(Simulator):
    """Two channels on a torus: 2.5 v, which is visible, and 1 - u, hidden: the feed that has been consumed.

    With `show=both` v and 1 - u are visible, and so is a third channel that stays as it is. Zero is the medium at rest,
    so cells that are erased or embedded from a picture behave correctly.
    """

    def __init__(self, name: str, config: Config):
        both = config.show == "both"
        super().__init__(f"gray-scott/{name}", Layout(3 if both else 1, alpha=None, hidden=0 if both else 1), config)
        self.config, self.bright = config, 1.0 if both else BRIGHT

    def forward(
        self,
        x: State,
        t: int = 0,  # noqa: ARG002
        *,
        seed: int = 0,  # noqa: ARG002
        cond: Cond | None = None,  # noqa: ARG002
        dt: float | None = None,
    ) -> State:
        """Advance by `dt`: du/dt = Du lap u - u v^2 + F (1 - u), dv/dt = Dvlap v + u v^2 - (F + k) v, both in 0..1."""
        config, time = self.config, self.config.dt if dt is None else dt
        steps = max(1, math.ceil(time / LONGEST - 1e-9))
        v, eaten = (x[:, :1] / self.bright).clamp(0, 1), x[:, 1:2].clamp(0, 1)
        for _ in range(steps):
            made = (1 - eaten) * v * v
            lap_v, lap_eaten = laplacian(torch.cat([v, eaten], 1)).split(1, 1)
            v = v + time / steps * (config.dv * lap_v + made - (config.feed + config.kill) * v)
            eaten = eaten + time / steps * (config.du * lap_eaten + made - config.feed * eaten)
            v, eaten = v.clamp(0, 1), eaten.clamp(0, 1)
        return torch.cat([v * self.bright, eaten, x[:, 2:]], 1)

    def start(self, n: int = 1, size: int | tuple[int, int] | None = None, seed: int = 0) -> State:
        """Squares of substance at random places, with a little noise so that no two grow alike."""
        h, w, seed = self.room(n, size, seed)
        count = self.config.patches or max(1, h * w // 400)
        place = uniform(derive(seed, _Stream.PLACES), 0, (n, count, 3))
        side = 3 + (place[..., 2] * 4).int()  # 3 to 6 cells
        row, column = (place[..., 0] * h).int(), (place[..., 1] * w).int()
        down = (torch.arange(h) - row[..., None]) % h < side[..., None]  # (n, count, h)
        across = (torch.arange(w) - column[..., None]) % w < side[..., None]
        there = torch.einsum("nkh,nkw->nhw", down.float(), across.float()) > 0
        level = torch.where(there, 0.25 + 0.1 * (uniform(derive(seed, _Stream.LEVELS), 0, (n, h, w)) - 0.5), 0.0)
        fields = [self.bright * level, torch.where(there, 0.5, 0.0)]
        return torch.stack(fields + [torch.zeros_like(level)] * (self.layout.channels - 2), 1)


def laplacian(x: Tensor) -> Tensor:
    """Second differences in all directions on a torus, `(b, c, h, w)`: [1 4 1; 4 -20 4; 1 4 1] / 6."""
    around = padded(x, "circular")
    rows = around[:, :, :-2] + around[:, :, 2:]  # above and below
    corners, beside = rows[..., :-2] + rows[..., 2:], around[:, :, 1:-1, :-2] + around[:, :, 1:-1, 2:]
    return (corners + 4 * (rows[..., 1:-1] + beside) - 20 * x) / 6
