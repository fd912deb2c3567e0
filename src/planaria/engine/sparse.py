"""Pure torch: step only the cells that can change. The same result as the reference, for less work and memory.

Cells are rows of a table `(b*h*w + 1, c)`; the last row is the nothing beyond a zero edge. A step gathers the rows
that fire within reach of life, and a cell just outside life may still save a neighbour in the after-step test, so
reach is the 3x3 dilation of the alive mask. A roll-out is one autograd node: it keeps the overwritten rows as an
undo log, and the backward pass walks back through it, recomputing perception and hidden layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from planaria.core.filters import bank, reaches
from planaria.core.moment import Moment
from planaria.core.noise import fire
from planaria.core.rule import ACTIVATIONS, Rule
from planaria.engine.node import Gradients, Walk, roll
from planaria.types import Cond, State

Offset = tuple[int, int]
"""Rows down and columns to the right."""
Taps = tuple[tuple[tuple[Offset, float], ...], ...]
"""Taps of each kernel other than zero: how far away the cell lies, and its weight."""
HERE: Offset = (0, 0)
MOST_TAPS = 100
"""Most taps for which this engine is chosen: its tables name as many places for every cell, twice."""


def declines(rule: nn.Module, x: State) -> str:
    """Reason why this engine can't run `rule` on `x`; empty if it can."""
    if type(rule) is not Rule:
        return f"{type(rule).__name__} is not a plain Rule"
    if rule.config.blurs:
        return "it blurs no channels"
    if x.device.type != "cpu":
        return f"gathering single cells is slow on {x.device.type}"
    if x.numel() >= 2**31:
        return "the grid has more numbers than 32-bit places can name"
    return ""


def slower(rule: nn.Module, x: State) -> str:  # noqa: ARG001
    """Reason why the reference would be faster; empty if it would not."""
    if isinstance(rule, Rule) and rule.config.fire_rate > 0.75 and rule.config.life in ("none", "after"):
        return "nearly every cell changes in every step"
    if isinstance(rule, Rule) and (count := sum(map(len, _taps(rule.config.filters)))) > MOST_TAPS:
        return f"it would keep tables of {count} places for every cell"
    return ""


def rollout(
    rule: Rule,
    x: State,
    steps: int,
    moment: Moment,
    cond: Cond | None,
) -> State:
    """Run `steps` steps of `rule` from `x`; arguments as for `planaria.run`."""
    return roll(_Walk(rule, steps, moment, _taps(rule.config.filters)), x, cond)


@dataclass(frozen=True)
class _Walk(Walk):
    """Roll-out by this engine."""

    taps: Taps

    def forward(
        self, x: State, cond: Cond | None, parameters: Sequence[Tensor], keep: bool
    ) -> tuple[State, tuple[Tensor, ...], Any]:
        """Last state; the same as a table, and the rows that each step overwrote."""
        config, moment = self.config, self.moment
        b, c, h, w = x.shape
        n, own = b * h * w, c - config.frozen
        circular = config.edge == "circular" and config.life_edge == "same"
        stencil = _stencil(b, h, w, self.taps, config.edge, x.dtype)
        layers = len(config.hidden) + 1
        weights, biases = list(parameters[:layers]), list(parameters[layers:])
        cur = torch.cat([x.permute(0, 2, 3, 1).reshape(n, c), x.new_zeros(1, c)])
        occupied = (cur[:n, :own] != 0).any(1)
        log: list[_Change] = []

        def living(a: Tensor) -> Tensor:
            return _dilate((a > config.life_threshold).view(b, h, w), circular)

        for k in range(self.steps):
            act = fire(config.fire_rate, moment.seed, moment.t + k, (b, h, w), origin=moment.origin)[:, 0]
            life = None
            if config.life != "none":
                life_value = cur[:n, config.life_channel]
                life = living(life_value) if config.life in ("before", "both") else torch.ones_like(act)
                if config.life != "after":
                    act = act & (_dilate(life, circular) if config.life == "both" else life)
            rows = act.view(-1).nonzero()[:, 0]
            dx = _update(self, stencil.perceive(cur, rows), rows // (h * w), cond, weights, biases).to(cur.dtype)
            if life is None:
                if keep:
                    log.append(_Change(rows, rows, cur.index_select(0, rows), None))
                cur[:, :own].index_add_(0, rows, dx)
                continue
            if config.life in ("after", "both"):
                tried = cur[:n, config.life_channel].index_add(0, rows, dx[:, config.life_channel])
                life = life & living(tried)
            alive = life.view(-1)
            if keep:
                changed = ((act.view(-1) & alive) | (occupied & ~alive)).nonzero()[:, 0]
                log.append(_Change(rows[alive[rows]], changed, cur.index_select(0, changed), alive))
            cur[:, :own].index_add_(0, rows, dx)
            cur[:n, :own].masked_fill_(~alive[:, None], 0.0)
            occupied = alive
        y = cur[:n].reshape(b, h, w, c).permute(0, 3, 1, 2).contiguous()
        return y, (cur,) if keep else (), log

    def backward(
        self,
        gy: State,
        cond: Cond | None,
        parameters: Sequence[Tensor],
        kept: tuple[Tensor, ...],
        rest: Any,
        needed: tuple[bool, ...],  # noqa: ARG002
    ) -> Gradients:
        """Gradients of all inputs, the hidden layers computed again."""
        b, c, h, w = gy.shape
        cur, log = kept[0].clone(), list(rest)  # so that a graph kept by the caller can be walked again
        config, layers = self.config, len(self.config.hidden) + 1
        n, own, f = b * h * w, c - config.frozen, len(self.taps)
        stencil = _stencil(b, h, w, self.taps, config.edge, cur.dtype)
        conds = [] if cond is None else [cond.detach().requires_grad_()]
        leaves = [*conds, *(p.detach().requires_grad_() for p in parameters)]
        cond = conds[0] if conds else None
        weights, biases = leaves[len(conds) :][:layers], leaves[len(conds) + layers :]
        total = [torch.zeros_like(p) for p in leaves]
        g = gy.permute(0, 2, 3, 1).reshape(n, c).clone()
        gp = g.new_zeros(n + 1, f * c)
        everyone = torch.arange(n)
        while log:
            change = log.pop()
            cur.index_copy_(0, change.rows, change.old)
            if change.life is not None:
                g[:, :own].masked_fill_(~change.life[:, None], 0.0)
            rows = change.acted
            with torch.enable_grad():
                p = stencil.perceive(cur, rows).requires_grad_()
                dx = _update(self, p, rows // (h * w), cond, weights, biases)
                got = torch.autograd.grad(dx, [p, *leaves], g[:, :own].index_select(0, rows), allow_unused=True)
            for sum_, part in zip(total, got[1:], strict=True):
                if part is not None:
                    sum_ += part
            gp.index_copy_(0, rows, got[0])
            # where life rules, a cell that was dead before this step passes nothing further back
            before = log[-1].life if log and not config.frozen else None
            back = everyone if before is None else before.nonzero()[:, 0]
            g.index_add_(0, back, stencil.spread(gp.view(-1, c), back))
            stencil.spread_from_copies(gp.view(-1, c), g)
            gp.index_fill_(0, rows, 0.0)
        gx = g.reshape(b, h, w, c).permute(0, 3, 1, 2)
        return gx, (total[0] if conds else None), *total[len(conds) :]


@dataclass
class _Change:
    """Rows that one step overwrote, enough to undo it."""

    acted: Tensor
    """Rows whose flow was added, `(n,)`."""
    rows: Tensor
    """Rows that changed, `(m,)`; the acting ones are among them."""
    old: Tensor
    """Former content of these rows, `(m, c)`."""
    life: Tensor | None
    """Mask of the cells alive after the step, `(b*h*w,)`; None if no cell can die."""


@lru_cache(maxsize=64)
def _taps(names: tuple[str, ...]) -> Taps:
    taps = []
    for kernel, reach in zip(bank(names), reaches(names), strict=True):
        half = len(kernel) // 2
        apart = reach // half
        places = [((i - half) * apart, (j - half) * apart) for i, j in kernel.nonzero().tolist()]
        weights = kernel.double()[kernel != 0].tolist()
        taps.append(tuple(zip(places, weights, strict=True)) or ((HERE, 0.0),))
    return tuple(taps)


@lru_cache(maxsize=16)
def _neighbours(b: int, h: int, w: int, edge: str, offsets: tuple[Offset, ...], border: int = 0) -> Tensor:
    """Row numbers of the cells `offsets` away, `(b*(h + 2*border)*(w + 2*border) + 1, len(offsets))` int32.

    The cells are those of the grid and of `border` rings around it, row by row; the last is the nothing beyond.
    """
    n = b * h * w
    rows, cols = torch.arange(-border, h + border), torch.arange(-border, w + border)
    row, col = torch.meshgrid(rows, cols, indexing="ij")
    places = []
    for di, dj in offsets:
        i, j = row + di, col + dj
        inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
        if edge == "circular":
            place = (i % h) * w + j % w
        elif edge == "replicate":
            place = i.clamp(0, h - 1) * w + j.clamp(0, w - 1)
        else:
            place = torch.where(inside, i * w + j, -1)
        places.append(place.flatten())
    block = torch.stack(places, 1)
    table = block + (torch.arange(b) * h * w)[:, None, None]
    table = torch.where(block < 0, n, table).reshape(-1, len(offsets))
    return torch.cat([table, torch.full((1, len(offsets)), n)]).to(torch.int32)


class _Stencil:
    """Gather of perception rows, and scatter of their gradients to the cells they came from."""

    def __init__(self, b: int, h: int, w: int, taps: Taps, edge: str, dtype: torch.dtype):
        self.forward = [_neighbours(b, h, w, edge, tuple(offset for offset, _ in k)) for k in taps]
        self.weights = [torch.tensor([v for _, v in k], dtype=dtype) for k in taps]
        # Cell i was seen by the cell at the mirrored place, through kernel f: row (cell, f) of the gradient. That holds
        # of the copies of a rim too, which lie beyond a zero edge as it were.
        self.copied = edge == "replicate"
        border = max(max(map(abs, offset)) for k in taps for offset, _ in k) if self.copied else 0
        around = "zero" if self.copied else edge
        mirrored = [_neighbours(b, h, w, around, tuple((-di, -dj) for (di, dj), _ in k), border)[:-1] for k in taps]
        self.back = torch.cat([cells * len(taps) + f for f, cells in enumerate(mirrored)], 1)
        self.back_weights = torch.cat(self.weights)
        self.centred = [k == ((HERE, 1.0),) for k in taps]
        if self.copied:
            beyond = _neighbours(b, h, w, "zero", (HERE,), border)[:-1, 0] == b * h * w
            self.rim = _neighbours(b, h, w, "replicate", (HERE,), border)[:-1, 0][beyond]
            self.copies, self.back = self.back[beyond], self.back[~beyond]

    def perceive(self, x: Tensor, rows: Tensor) -> Tensor:
        """Perception of `rows`, filter-major `(n, f*c)`."""
        p = []
        for near, v, centred in zip(self.forward, self.weights, self.centred, strict=True):
            if centred:
                p.append(x.index_select(0, rows))
            else:
                p.append(_weighted(near.index_select(0, rows), x, v))
        return torch.cat(p, 1)

    def spread(self, gradient: Tensor, rows: Tensor) -> Tensor:
        """Gradient of the cells `rows`, from that of all perceptions, `((b*h*w + 1)*f, c)`; copies of a rim apart."""
        return _weighted(self.back.index_select(0, rows), gradient, self.back_weights)

    def spread_from_copies(self, gradient: Tensor, into: Tensor) -> None:
        """Add to the rim's cells the gradient of their copies beyond the grid, where there are any."""
        if self.copied:
            into.index_add_(0, self.rim, _weighted(self.copies, gradient, self.back_weights))


def _weighted(places: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(places, x, per_sample_weights=weights.expand(len(places), -1), mode="sum")


@lru_cache(maxsize=16)
def _stencil(b: int, h: int, w: int, taps: Taps, edge: str, dtype: torch.dtype) -> _Stencil:
    return _Stencil(b, h, w, taps, edge, dtype)


def _dilate(m: Tensor, circular: bool) -> Tensor:
    """Dilation, 3x3, of `(b, h, w)` bool. A copy of the rim lies in no block that the rim's own cell isn't in."""
    if circular:
        m = torch.cat([m[:, -1:], m, m[:, :1]], 1)
        m = torch.cat([m[..., -1:], m, m[..., :1]], 2)
    else:
        m = F.pad(m, (1, 1, 1, 1))
    m = m[:, :-2] | m[:, 1:-1] | m[:, 2:]
    return m[..., :-2] | m[..., 1:-1] | m[..., 2:]


def _update(walk: _Walk, p: Tensor, sample: Tensor, cond: Tensor | None, weights: list[Tensor], biases: list[Tensor]):
    """Output of the update network on perception rows `(n, f*c)`, filter-major; `sample` gives each row's condition."""
    config = walk.config
    activate = ACTIVATIONS[config.activation]
    seen = p.shape[1]
    for i, w in enumerate(weights):
        bias = biases[i] if i < len(biases) else None
        if i == 0:
            first = w[:, :seen].reshape(len(w), config.channels, -1).transpose(1, 2).reshape(len(w), seen)
            p = F.linear(p, first, bias)
            if cond is not None:
                p = p + F.linear(cond, w[:, seen:]).index_select(0, sample)
        else:
            p = F.linear(p, w, bias)
        if i < len(config.hidden):
            p = activate(p)
    return p * walk.dt if walk.dt != 1 else p
