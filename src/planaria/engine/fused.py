"""GPU: one Triton kernel a step perceives, updates, draws randomness and adds; a second, light one clears the dead.

Both skip tiles of cells that rest. The backward pass recomputes perception and hidden layer from the saved states and
adds up weight gradients in a fixed order, so the same input gives the same bytes. The kernels live in `kernels`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import Tensor, nn

from planaria.core.moment import Moment
from planaria.core.noise import derive
from planaria.core.rule import Rule
from planaria.engine import node
from planaria.engine.node import Gradients, Walk, roll
from planaria.types import Cond, State

Precision = Literal["float32", "tf32", "bf16"]
"""Precision of products: exact, with 10 bits, or with 7; sums and states are float32 in all."""

WIDEST = {"channels": 64, "hidden": 1024, "perception": 512}
"""Largest sizes for a multiprocessor: channels, neurons, filters times channels (rounded up to a power of two)."""
EDGES: dict[str, int] = {"zero": 0, "circular": 1, "replicate": 2}
"""Boundary condition -> the kernels' number for it."""


def declines(rule: nn.Module, x: State) -> str:
    """Reason why this engine can't run `rule` on `x`; empty if it can."""
    if type(rule) is not Rule:
        return f"{type(rule).__name__} is not a plain Rule"
    if not _interpreted() and x.device.type != "cuda":
        return f"it runs on NVIDIA and AMD GPUs, not on {x.device.type}"
    if find_spec("triton") is None:
        return "Triton is not installed"
    if x.dtype != torch.float32 and not (_interpreted() and x.dtype == torch.float64):
        return f"it runs in float32, not in {str(x.dtype).removeprefix('torch.')}"
    if any(kernel.shape != (3, 3) for kernel in rule.kernels):
        return "it runs no filter wider than 3x3"
    config = rule.config
    if config.blurs:
        return "it blurs no channels"
    if len(config.hidden) != 1:
        return f"it runs one hidden layer, not {len(config.hidden)}"
    if config.activation != "relu":
        return f"its hidden layer takes the activation relu, not {config.activation}"
    if config.life != "none" and config.life_threshold < 0:
        return "empty cells are alive below a negative life threshold"
    if any(p.dtype != x.dtype or p.device != x.device for p in rule.parameters()):
        return "the weights are of another type or on another device than the state"
    if x.numel() == 0:
        return "the state is empty"
    if x.shape[1] != config.channels:
        return f"the state has {x.shape[1]} channels, the rule {config.channels}"
    wide = {
        "channels": config.channels,
        "hidden": config.hidden[0],
        "perception": len(rule.kernels) * _padded(config.channels),
    }
    for name, n in wide.items():
        if n > WIDEST[name]:
            return f"{name} {n} wide does not fit a multiprocessor; at most {WIDEST[name]}"
    b, _, h, w = x.shape
    smallest_tiles = b * -(-h // 2) * -(-w // 8)
    border = 2 * max(rule.reaches) if config.edge == "replicate" else 0
    copied = b * (h + border) * (w + border) * config.channels
    if max(x.numel() * len(rule.kernels), smallest_tiles * config.hidden[0], copied) >= 2**31:
        return "the grid has more numbers than 32-bit places can name"
    return ""


def slower(rule: nn.Module, x: State) -> str:  # noqa: ARG001
    """Reason why another engine would be faster; empty if none would."""
    return "" if x.device.type == "cuda" else "Triton's interpreter is for tests"


def rollout(
    rule: Rule,
    x: State,
    steps: int,
    moment: Moment,
    cond: Cond | None,
    *,
    precision: Precision = "float32",
) -> State:
    """Run `steps` steps of `rule` from `x`; arguments as for `planaria.run`."""
    keys = [derive(moment.seed, moment.t + k) for k in range(steps)]
    signed = torch.tensor([_signed(k) for k in keys], dtype=torch.int32).to(x.device)
    taps = tuple(torch.stack(rule.kernels).detach().double().flatten().tolist())
    apart = tuple(n if n != before else 0 for n, before in zip(rule.reaches, (0, *rule.reaches), strict=False))
    return roll(_Walk(rule, steps, moment, taps, apart, signed, precision), x, cond)


@dataclass(frozen=True)
class Rounded:
    """Engine with rounded products: not exact, so only used on request."""

    precision: Precision

    def declines(self, rule: nn.Module, x: State) -> str:
        """See the exact engine."""
        return declines(rule, x)

    def slower(self, rule: nn.Module, x: State) -> str:  # noqa: ARG002
        """Reason why it is never chosen automatically."""
        return f"its products are rounded to {self.precision}, so it runs only where asked for"

    def rollout(self, rule: Rule, x: State, steps: int, moment: Moment, cond: Cond | None) -> State:
        """See the exact engine."""
        return rollout(rule, x, steps, moment, cond, precision=self.precision)


@dataclass(frozen=True)
class _Walk(Walk):
    """Roll-out by this engine."""

    taps: tuple[float, ...]
    """Taps of each filter: nine, row by row."""
    apart: tuple[int, ...]
    """Distance in cells between a filter's taps; 0 if it is that of the filter before."""
    keys: Tensor
    """Keys of the steps: the seed folded with each, `(steps,)` int32."""
    precision: Precision

    @property
    def corner(self) -> tuple[int, int]:
        """First row and column in a larger grid, as int32 holds them."""
        return _signed(self.moment.origin[0]), _signed(self.moment.origin[1])

    @property
    def filters(self) -> int:
        return len(self.taps) // 9

    def tiles(self, b: int, h: int, w: int) -> int:
        side = self.grid["TH"], self.grid["TW"]
        return b * -(-h // side[0]) * -(-w // side[1])

    @property
    def grid(self) -> dict[str, Any]:
        """Constants of every kernel: 64 cells make a tile, or fewer where each is large."""
        edge, high = EDGES[self.config.edge], 8 if self.perceived <= 64 else 4 if self.perceived <= 256 else 2
        padded = _padded(self.config.channels)
        return {"C": self.config.channels, "CP": padded, "EDGE": edge, "TH": high, "TW": 8}

    @property
    def border(self) -> int:
        """Width of the border of copies of the rim around the grid."""
        return max(self.apart) if self.config.edge == "replicate" else 0

    @property
    def perceived(self) -> int:
        """Length of a cell's perception, its channels padded."""
        return self.filters * _padded(self.config.channels)

    @property
    def own(self) -> int:
        return self.config.channels - self.config.frozen

    @property
    def stencil(self) -> dict[str, Any]:
        """Constants of kernels that gather or spread perception."""
        return {"TAPS": self.taps, "APART": self.apart, "F": self.filters}

    @property
    def net(self) -> dict[str, Any]:
        """Constants of kernels that run the update network: 32 neurons at a time, or 16 where cells are large."""
        width = self.config.hidden[0]
        chunk, stages = (32, 3) if self.perceived <= 64 else (16, 1)
        return {
            **self.stencil,
            "RATE": round(self.config.fire_rate * 2**32),
            "LIFE": self.config.life != "none",
            "OWN": self.own,
            "HIDDEN": width,
            "HC": min(chunk, _padded(width)),
            "num_stages": stages,
            "PRECISION": self.precision,
        }

    def forward(
        self, x: State, cond: Cond | None, parameters: Sequence[Tensor], keep: bool
    ) -> tuple[State, tuple[Tensor, ...], Any]:
        """Last state; every state and who lived, and the parameters as the kernels take them."""
        weights = self._weights(x, cond, parameters)
        with torch.cuda.device_of(x):
            states, lives = _walk(self, x, weights, self.steps + 1 if keep else 2)
        y = states[self.steps % len(states)].permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
        return y, (states, lives, *weights) if keep else (), None

    def backward(
        self,
        gy: State,
        cond: Cond | None,
        parameters: Sequence[Tensor],
        kept: tuple[Tensor, ...],
        rest: Any,  # noqa: ARG002
        needed: tuple[bool, ...],
    ) -> Gradients:
        """Gradient of the first state, and of all else if any of it is `needed`."""
        with torch.cuda.device_of(gy):
            dx, dfirst, d1, d2, db2 = _walk_back(self, gy, any(needed[1:]), *kept)
        if dfirst is None or d1 is None or d2 is None or db2 is None:
            return dx, *([None] * (1 + len(parameters)))
        seen = self.config.channels * self.filters
        gcond, gweight = node.condition_gradients(dfirst, cond, parameters[0][:, seen:])
        g1 = torch.cat([d1.permute(2, 1, 0).reshape(len(parameters[0]), seen), gweight], 1)
        return dx, gcond, g1, (d2 * self.dt).T, *[dfirst.sum(0), db2 * self.dt][: len(parameters) - 2]

    def _weights(self, x: State, cond: Cond | None, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Bias of the first layer of each sample; weights as the kernels read them; the last bias, or none."""
        first, last, *biases = parameters
        c, width = self.config.channels, self.config.hidden[0]
        seen = c * self.filters
        added = x.new_zeros(len(x), width)
        if biases:
            added = added + biases[0]
        if cond is not None:
            added = added + cond @ first[:, seen:].T
        w1 = first[:, :seen].reshape(width, c, self.filters).permute(2, 1, 0)
        w2, b2 = last.T * self.dt, biases[1] * self.dt if len(biases) > 1 else x.new_zeros(0)
        return tuple(v.contiguous() for v in (added, w1, w2, b2))


def _walk(job: _Walk, x: Tensor, weights: tuple[Tensor, ...], room: int) -> tuple[Tensor, Tensor]:
    """Last `room` states, `(room, b, h, w, c)`, in turn; masks of the cells that lived through the steps between."""
    kernels, config = _kernels(), job.config
    (first, w1, w2, b2), (b, c, h, w) = weights, x.shape
    states = x.new_empty(room, b, h, w, c)
    states[0] = x.permute(0, 2, 3, 1)
    lives = x.new_empty(max(room - 1, 1), b, h, w, dtype=torch.uint8)
    mature, tried, left = x.new_empty(3, b, h, w, dtype=torch.uint8)
    before, after = config.life in ("before", "both"), config.life in ("after", "both")
    if config.life != "none":
        mature.copy_(x[:, config.life_channel] > config.life_threshold)
    grid, net = (job.tiles(b, h, w),), job.grid | job.net | {"num_warps": 8}
    rim = EDGES["zero" if config.life_edge == "zero" else config.edge]
    life = {"REACH": before + (before and after), "LIFE_CHANNEL": config.life_channel, "RIM": rim, "BIAS": len(b2) > 0}
    for t in range(job.steps):
        a, z = states[t % room], states[(t + 1) % room]
        alive = lives[t % len(lives)]
        kernels.step[grid](
            a, z, mature, tried, w1, first, w2, b2, job.keys, t, *job.corner, h, w, **net, **life,
            THRESHOLD=config.life_threshold,
        )  # fmt: skip
        if config.life != "none":
            kernels.death[grid](
                z,
                mature,
                tried,
                left,
                alive,
                h,
                w,
                **{**job.grid, "EDGE": rim},
                OWN=job.own,
                BEFORE=before,
                AFTER=after,
            )
            mature, left = left, mature
    return states, lives


def _walk_back(
    job: _Walk,
    gradient: Tensor,
    learns: bool,
    states: Tensor,
    lives: Tensor,
    first: Tensor,
    w1: Tensor,
    w2: Tensor,
    b2: Tensor,
) -> tuple[Tensor | None, ...]:
    """Gradients of the first state and of the four tensors of weights; only the first unless it `learns`."""
    kernels = _kernels()
    b, c, h, w = gradient.shape
    g = gradient.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
    kept, dp = torch.empty_like(g), g.new_empty(b, h, w, job.filters, c)
    border = job.border
    tiles, spreading = job.tiles(b, h, w), (job.tiles(b, h + 2 * border, w + 2 * border),)
    net = job.grid | job.net
    bordered = g.new_empty(b, h + 2 * border, w + 2 * border, c) if border else g
    chunks = -(-w2.shape[0] // net["HC"])
    n = min(tiles, _programs(g.device, chunks))
    d1, d2, db2 = w1.new_zeros(n, *w1.shape), w2.new_zeros(n, *w2.shape), w2.new_zeros(n, job.own)
    dfirst = first.new_zeros(tiles, first.shape[1])
    for t in reversed(range(job.steps)):
        x, life = states[t], lives[t]
        corner = job.corner
        kernels.back[(tiles,)](x, g, life, kept, dp, w1, first, w2, job.keys, t, *corner, h, w, **net, num_warps=8)
        if learns:
            kernels.learn[(n, chunks)](
                x, g, life, d1, dfirst, d2, db2, w1, first, w2, job.keys, t, *corner, tiles, h, w, **net
            )
        kernels.spread[spreading](kept, dp, bordered, h, w, **job.grid, **job.stencil, BORDER=border)
        if border:
            g.copy_(_folded(bordered, border))
    dx = g.permute(0, 3, 1, 2)
    if not learns:
        return dx, None, None, None, None
    each = dfirst.view(b, tiles // b, -1).sum(1)
    return dx, each, d1.sum(0), d2.sum(0), db2.sum(0)[: len(b2)]


def _folded(g: Tensor, n: int) -> Tensor:
    """Fold a border of `n` copies of the rim off `(b, h, w, c)`: the rim's cells take its gradient."""
    for axis in (1, 2):
        inner = g.narrow(axis, n, g.shape[axis] - 2 * n)
        inner.select(axis, 0).add_(g.narrow(axis, 0, n).sum(axis))
        inner.select(axis, -1).add_(g.narrow(axis, g.shape[axis] - n, n).sum(axis))
        g = inner
    return g


def _signed(n: int) -> int:
    """Convert `n` modulo 2**32 to int32."""
    return (n + 2**31) % 2**32 - 2**31


def _programs(device: torch.device, chunks: int) -> int:
    """Number of programs that share the cells in the gradient of the weights, for each chunk of neurons."""
    if device.type != "cuda":
        return 3
    return max(1, 2 * torch.cuda.get_device_properties(device).multi_processor_count // chunks)


def _padded(n: int) -> int:
    return max(16, 1 << (n - 1).bit_length())


def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def _kernels() -> Any:
    from planaria.engine import kernels

    return kernels
