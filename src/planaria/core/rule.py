"""Rule: update of a cell in one step. The reference that every engine must agree with.

Mordvintsev, Randazzo, Niklasson and Levin, "Growing Neural Cellular Automata", Distill, 2020.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le, MaxLen
from torch import Tensor, nn

from planaria import ranges
from planaria.core.filters import bank, reaches
from planaria.core.noise import fire
from planaria.errors import UserError, concerning, unknown
from planaria.ranges import Finite, Share
from planaria.types import Cond, Mask, State

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
}

SIGMA, WIDEST_BLUR = 2.0, 15
"""Standard deviation of a blur, and its largest side, in cells."""


@dataclass(frozen=True)
class RuleConfig:
    """Settings of a rule: everything but its weights."""

    channels: Annotated[int, Ge(1), Le(4096)] = 16
    """Number of channels of each cell."""
    filters: tuple[str, ...] = ("identity", "sobel")
    """Filters of a cell's perception; `name@N` reaches N cells away. See `planaria list filters`."""
    hidden: Annotated[tuple[Annotated[int, Ge(1), Le(65536)], ...], MaxLen(16)] = (128,)
    """Width of each hidden layer of the update network, first to last."""
    activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"] = "relu"
    """Activation after each hidden layer."""
    bias: Literal["none", "hidden", "all"] = "hidden"
    """Layers that have a bias."""
    fire_rate: Share = 0.5
    """Share of cells that fire in a step, in [0, 1]."""
    dt: Finite = 1.0
    """Length of a step: y = x + dt * fire * flow(x)."""
    edge: Literal["zero", "circular", "replicate"] = "zero"
    """Boundary condition beyond the grid: zero, its opposite side, or a copy of the nearest cell."""
    life: Literal["none", "before", "after", "both"] = "both"
    """Time of the test by which a cell without living neighbours dies: before the step, after it, both, or never."""
    life_channel: int = 3
    """Channel of a cell's life value."""
    life_threshold: Finite = 0.1
    """Threshold of life: a cell is alive if the strongest life channel of its 3x3 block exceeds it."""
    life_edge: Literal["same", "zero"] = "same"
    """Boundary condition of the life channel: that of the other channels, or zero."""
    blurs: tuple[str, ...] = ()
    """Channels blurred in every step, `CHANNEL@SIZE`: by a Gaussian of sigma 2, SIZE cells wide, SIZE odd."""
    frozen: Annotated[int, Ge(0)] = 0
    """Number of trailing channels that are read, never written, and never die."""
    cond: Annotated[int, Ge(0), Le(65536)] = 0
    """Length of the condition, a vector that every cell of a sample reads; 0 for none."""

    def __post_init__(self) -> None:
        ranges.check(self, "rule.")
        with concerning("rule.filters"):
            bank(self.filters)
        if self.channels - self.frozen < 1:
            raise UserError(
                f"rule.channels={self.channels} leaves no channel to write with rule.frozen={self.frozen}",
                "rule.channels",
            )
        if self.activation not in ACTIVATIONS:
            raise unknown("activation", self.activation, ACTIVATIONS, field="rule.activation")
        if self.life != "none" and not 0 <= self.life_channel < self.channels - self.frozen:
            raise UserError(
                f"rule.channels={self.channels} has no channel {self.life_channel} for life (rule.life_channel) that "
                "is not frozen; a picture needs at least 4 channels, or set rule.life=none",
                "rule.channels",
            )
        with concerning("rule.blurs"):
            blurred = [channel for channel, _ in spread(self.blurs)]
        if len(set(blurred)) < len(blurred) or any(c >= self.channels - self.frozen for c in blurred):
            listed = ", ".join(self.blurs)
            raise UserError(f"rule.blurs={listed} names a channel twice, or one that is not written", "rule.blurs")


def spread(blurs: tuple[str, ...]) -> list[tuple[int, Tensor]]:
    """Channels that are blurred, and the kernel of each, `(n, n)`. Raises `UserError` for an invalid blur."""
    found = []
    for text in blurs:
        match = re.fullmatch(r"(\d{1,4})@(\d{1,2})", text)
        size = int(match[2]) if match else 0
        if match is None or size % 2 == 0 or not 3 <= size <= WIDEST_BLUR:
            raise UserError(f"rule.blurs: {text!r} is no CHANNEL@SIZE with a size of 3, 5, ... {WIDEST_BLUR}, as 13@7")
        line = torch.exp(-((torch.arange(size, dtype=torch.float64) - size // 2) ** 2) / (2 * SIGMA**2))
        found.append((int(match[1]), torch.outer(line, line) / line.sum() ** 2))
    return found


def shapes(config: RuleConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of a rule, without making one."""
    filters = len(reaches(config.filters))
    widths = [config.channels * filters + config.cond, *config.hidden, config.channels - config.frozen]
    biased = {"none": 0, "hidden": len(config.hidden), "all": len(config.hidden) + 1}[config.bias]
    layers = list(zip(widths[1:], widths[:-1], strict=True))
    return {f"weights.{i}": layer for i, layer in enumerate(layers)} | {
        f"biases.{i}": (out,) for i, (out, _) in enumerate(layers[:biased])
    }


class Rule(nn.Module):
    """perceive -> update -> fire -> die.

    Weights: `weights[i]` is `(out, in)` and `biases[i]` `(out,)` or absent. The first layer reads the perception,
    channel-major (all filters of channel 0, then of channel 1, ...), then the condition. `seed` draws them all but the
    last, which starts at zero, so that a fresh rule is still.
    """

    reaches: tuple[int, ...]
    """Distance in cells to each kernel's outermost taps."""
    _taps: Tensor

    def __init__(self, config: RuleConfig | None = None, *, seed: int = 0):
        super().__init__()
        self.config = config = config or RuleConfig()
        kernels = bank(config.filters)
        self.register_buffer("_taps", torch.cat([k.flatten() for k in kernels]), persistent=False)
        self.reaches = reaches(config.filters)
        self._blurs = spread(config.blurs)
        self._sides = [len(k) for k in kernels]
        self._runs = [(*run, len(list(same))) for run, same in groupby(zip(self._sides, self.reaches, strict=True))]
        shape = shapes(config)
        self.weights = nn.ParameterList(torch.empty(s) for name, s in shape.items() if name.startswith("weights"))
        self.biases = nn.ParameterList(torch.zeros(s) for name, s in shape.items() if name.startswith("biases"))
        rng = torch.Generator().manual_seed(seed)
        for w in self.weights[:-1]:
            nn.init.xavier_uniform_(w, generator=rng)
        nn.init.zeros_(self.weights[-1])

    @property
    def kernels(self) -> list[Tensor]:
        """Kernels of the filters, `(n, n)` each, whose outermost taps lie `reaches` cells away."""
        parts = self._taps.split([side * side for side in self._sides])
        return [taps.view(side, side) for taps, side in zip(parts, self._sides, strict=True)]

    @property
    def farthest(self) -> int:
        """Largest distance in cells that a step reads, in any direction."""
        return max(*self.reaches, *(len(kernel) // 2 for _, kernel in self._blurs), 1)

    def perceive(self, x: State) -> Tensor:
        """Perception `(b, c*f, h, w)`: every filter of every channel, the filters of one channel next to each other."""
        c, first, parts = x.shape[1], 0, []
        for side, reach, count in self._runs:
            end = first + count * side * side
            kernels = self._taps[first:end].view(count, 1, side, side).repeat(c, 1, 1, 1).to(x.dtype)
            parts.append(F.conv2d(self.pad(x, reach), kernels, groups=c, dilation=reach // (side // 2)))
            first = end
        if len(parts) == 1:
            return parts[0]
        return torch.cat([p.unflatten(1, (c, -1)) for p in parts], 2).flatten(1, 2)

    def flow(self, x: State, cond: Cond | None = None) -> State:
        """Derivative dx/dt before firing and death: a step adds it, and an ODE solver integrates it."""
        p = self.perceive(x)
        if self.config.cond:
            cond = x.new_zeros(len(x), self.config.cond) if cond is None else cond
            p = torch.cat([p, cond[:, :, None, None].expand(-1, -1, *p.shape[2:])], 1)
        activate = ACTIVATIONS[self.config.activation]
        for i, w in enumerate(self.weights):
            p = F.conv2d(p, w[:, :, None, None], self.biases[i] if i < len(self.biases) else None)
            if i < len(self.config.hidden):
                p = activate(p)
        for channel, kernel in self._blurs:
            around = self.pad(x[:, channel : channel + 1], len(kernel) // 2)
            change = F.conv2d(around, kernel[None, None].to(x)) - x[:, channel : channel + 1]
            p = p + F.pad(change, (0, 0, 0, 0, channel, p.shape[1] - 1 - channel))
        return F.pad(p, (0, 0, 0, 0, 0, self.config.frozen))

    def alive(self, x: State) -> Mask:
        """Mask of the cells with a living cell in their 3x3 block (beyond the grid's edge, as `life_edge` says)."""
        k = self.config.life_channel
        living = (x[:, k : k + 1] > self.config.life_threshold).to(x.dtype)
        around = F.pad(living, (1, 1, 1, 1)) if self.config.life_edge == "zero" else self.pad(living)
        return F.max_pool2d(around, 3, 1) > 0

    def pad(self, x: Tensor, reach: int = 1) -> Tensor:
        """Pad the grid by `reach` rings of cells: zero, copies of the rim, or the torus, several times round."""
        if self.config.edge != "circular":
            return F.pad(x, (reach,) * 4, "constant" if self.config.edge == "zero" else "replicate")
        if reach == 1:
            x = torch.cat([x[:, :, -1:], x, x[:, :, :1]], 2)
            return torch.cat([x[..., -1:], x, x[..., :1]], 3)
        for axis in (2, 3):
            n = x.shape[axis]
            around = torch.arange(-reach, n + reach, device=x.device) % torch.full((1,), n, device=x.device)
            x = x.index_select(axis, around)
        return x

    def die(self, x: State, y: State) -> State:
        """State `y` without the cells that die in the step from `x`; frozen channels are exempt."""
        life = {
            "none": lambda: None,
            "before": lambda: self.alive(x),
            "after": lambda: self.alive(y),
            "both": lambda: self.alive(x) & self.alive(y),
        }[self.config.life]()
        if life is None:
            return y
        own = x.shape[1] - self.config.frozen
        return torch.cat([torch.where(life, y[:, :own], 0.0), y[:, own:]], 1)

    def forward(
        self,
        x: State,
        t: int = 0,
        *,
        seed: int = 0,
        cond: Cond | None = None,
        dt: float | None = None,
        origin: tuple[int, int] = (0, 0),
    ) -> State:
        """State after one step: `y = x + dt * fire * flow(x)`, then death. `dt` is the rule's own if None.

        `origin` is the row and column that the first cell has in a larger grid: it decides which cells fire.
        """
        b, _, h, w = x.shape
        act = fire(self.config.fire_rate, seed, t, (b, h, w), x.device, origin)
        dx = torch.where(act, self.flow(x, cond), 0.0)
        return self.die(x, x + (self.config.dt if dt is None else dt) * dx)
