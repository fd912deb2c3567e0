"""C++ on the CPU: only the cells that can change, a block at a time while it is in cache.

A roll-out is one autograd node. The kernel keeps the rows each step overwrote, undoes them in the backward pass and
computes the hidden layers again, so memory is states and places only. Sums are taken in a fixed order: the bytes do
not depend on the number of threads. The kernel is built with the package where there is a C++ compiler, once for each
instruction set, and picks the best that the processor has.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from planaria.core.filters import bank, reaches
from planaria.core.moment import Moment
from planaria.core.rule import Rule, spread
from planaria.core.solve import Solver
from planaria.engine.node import Gradients, Walk, condition_gradients, roll
from planaria.types import Cond, State

kernel: ModuleType | None
"""Compiled module; None if it was not built."""
try:
    import planaria.engine._native as kernel
except ImportError:
    kernel = None

ACTIVATIONS: dict[str, int] = {"relu": 0, "leaky_relu": 1, "elu": 2, "gelu": 3, "silu": 4, "tanh": 5}
"""Activation -> the kernel's number for it."""
LIVES: dict[str, int] = {"none": 0, "before": 1, "after": 2, "both": 3}
"""Time of the life test -> the kernel's bits for it."""
EDGES: dict[str, int] = {"zero": 0, "circular": 1, "replicate": 2}
"""Boundary condition -> the kernel's number for it."""
WIDEST = 4096
"""Largest width of a layer: a block of 48 cells should stay in cache."""


def status() -> str:
    """One sentence on the compiled kernel here."""
    if kernel is None:
        return "the native kernel was not built with this installation; the sparse engine takes its place"
    return f"native kernel, {', '.join(kernel.isas())} (the first is used), {torch.get_num_threads()} threads"


def lacking(device: torch.device) -> str:
    """Warning for a training on `device` that this installation has no kernel; empty if it has."""
    if kernel is not None or device.type != "cpu":
        return ""
    return (
        "this installation has no native kernel, so training takes some times longer: with a C++ compiler and Python's "
        "headers (Debian: g++ python3-dev) install planaria again"
    )


def declines(rule: nn.Module, x: State) -> str:
    """Reason why this engine can't run `rule` on `x`; empty if it can."""
    if kernel is None:
        return "the native kernel was not built with this installation"
    if isinstance(rule, Solver):
        return "solver euler takes the reference's own steps" if rule.method == "euler" else declines(rule.rule, x)
    if type(rule) is not Rule:
        return f"{type(rule).__name__} is not a plain Rule"
    if x.device.type != "cpu":
        return f"the state is on {x.device.type}"
    if x.dtype not in (torch.float32, torch.float64) or any(p.dtype != x.dtype for p in rule.parameters()):
        return "it takes float32 or float64, the same for state and weights"
    config = rule.config
    if x.shape[1] != config.channels:
        return f"the state has {x.shape[1]} channels, the rule {config.channels}"
    if max(*config.hidden, config.channels * len(rule.kernels), 1) > WIDEST:
        return f"a layer is wider than {WIDEST}"
    if config.life != "none" and config.life_threshold < 0:
        return "life below zero reaches every cell"
    border = 2 * rule.farthest
    if (x.shape[2] + border) * (x.shape[3] + border) >= 2**31:
        return "the grid has more cells than 31 bits can count"
    return ""


def slower(rule: nn.Module, x: State) -> str:  # noqa: ARG001
    """Reason why another engine would be faster: always empty."""
    return ""


def rollout(
    rule: Rule,
    x: State,
    steps: int,
    moment: Moment,
    cond: Cond | None,
    *,
    isa: str = "",
) -> State:
    """Run `steps` steps of `rule` from `x`; arguments as for `planaria.run`. `isa` is an instruction set, for tests."""
    return roll(_Walk(rule, steps, moment, isa), x, cond)


def flow(rule: Rule, x: State, cond: Cond | None = None) -> State:
    """Flow dx/dt of a rule without death that fires everywhere, as `Rule.flow` gives it. Differentiable."""
    return roll(_Flow(rule, 1, Moment(dt=1.0), ""), x, cond)


@dataclass(frozen=True)
class _Walk(Walk):
    """Roll-out by this engine."""

    isa: str

    def job(self) -> Any:
        """Settings of the roll-out in the kernel's format; the state's shape it reads itself."""
        assert kernel is not None
        config, moment, job = self.config, self.moment, kernel.Job()
        job.own = config.channels - config.frozen
        job.life, job.life_channel, job.life_threshold = LIVES[config.life], config.life_channel, config.life_threshold
        job.edge, job.open = EDGES[config.edge], config.life_edge == "zero"
        job.activation, job.length = ACTIVATIONS[config.activation], self.dt
        job.seed, job.t = moment.seed % 2**32, moment.t % 2**32
        job.first_row, job.first_column = moment.origin[0] % 2**32, moment.origin[1] % 2**32
        job.fire, job.steps = round(config.fire_rate * 2**32), self.steps
        return job

    @property
    def perceived(self) -> int:
        """Length of a cell's perception: so many of the first layer's inputs come before the condition."""
        return self.config.channels * len(self.rule.kernels)

    @property
    def blurs(self) -> tuple[list[int], list[Tensor]]:
        """Blurred channels, and the weights of each blur along rows as along columns, `(n,)`."""
        found = spread(self.config.blurs)
        lines = [kernel[len(kernel) // 2] for _, kernel in found]
        return [channel for channel, _ in found], [line / line.sum() for line in lines]

    def forward(
        self, x: State, cond: Cond | None, parameters: Sequence[Tensor], keep: bool
    ) -> tuple[State, tuple[Tensor, ...], Any]:
        """Last state, and the kernel's log. A condition is a bias of each sample's own."""
        assert kernel is not None
        (first, *rest), biases = self._layers(parameters)
        first_bias = biases[0].expand(len(x), -1) if biases else x.new_zeros(len(x), len(first))
        if cond is not None:
            first_bias = first_bias + F.linear(cond, first[:, self.perceived :]).to(x.dtype)  # autocast rounds it
        blurred, blurs = self.blurs
        y = torch.empty(x.shape, dtype=x.dtype)
        log = kernel.forward(
            self.job(),
            _array(x),
            y.numpy(),
            *_taps(self.config.filters, x.dtype),
            _array(first_bias),
            [_array(w) for w in (first[:, : self.perceived], *rest)],
            [_array(b) for b in biases[1:]],
            blurred,
            [_array(line.to(x.dtype)) for line in blurs],
            keep=keep,
            threads=torch.get_num_threads(),
            obeys=_obeys(),
            isa=self.isa,
        )
        return y, (), log

    def backward(
        self,
        gy: State,
        cond: Cond | None,
        parameters: Sequence[Tensor],
        kept: tuple[Tensor, ...],  # noqa: ARG002
        rest: Any,
        needed: tuple[bool, ...],  # noqa: ARG002
    ) -> Gradients:
        """Gradients of all inputs; the log undoes the steps, and may be replayed."""
        weights, biases = self._layers(parameters)
        first = weights[0]
        gx, gfirst = torch.empty(gy.shape, dtype=gy.dtype), gy.new_empty(len(gy), len(first))
        gweights = [gy.new_zeros(len(first), self.perceived), *(torch.zeros_like(w) for w in weights[1:])]
        gbiases = [torch.zeros_like(b) for b in biases[1:]]
        rest.backward(
            _array(gy),
            gx.numpy(),
            gfirst.numpy(),
            [g.numpy() for g in gweights],
            [g.numpy() for g in gbiases],
            torch.get_num_threads(),
            _obeys(),
        )
        gcond, gweight = condition_gradients(gfirst, cond, first[:, self.perceived :])
        gweights[0] = torch.cat([gweights[0], gweight], 1)
        return gx, gcond, *gweights, *([gfirst.sum(0)] if biases else []), *gbiases

    def _layers(self, parameters: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Weights and biases."""
        count = len(self.config.hidden) + 1
        return list(parameters[:count]), list(parameters[count:])


@lru_cache(maxsize=64)
def _taps(names: tuple[str, ...], dtype: torch.dtype) -> tuple[Any, ...]:
    """Filters in the kernel's format.

    First the nine taps of each and its reach; then, of those that are wider than 3x3, whose nine are zero, the numbers,
    the places of the taps other than zero (rows down and columns to the right, in turn), and their weights.
    """
    kernels = bank(names)
    nine = torch.stack([k if k.shape == (3, 3) else torch.zeros(3, 3) for k in kernels])
    wide = [i for i, k in enumerate(kernels) if k.shape != (3, 3)]
    places = [(kernels[i].nonzero() - len(kernels[i]) // 2).flatten().tolist() for i in wide]
    weights = [_array(kernels[i][kernels[i] != 0].to(dtype)) for i in wide]
    return _array(nine.to(dtype).flatten(1)), reaches(names), wide, places, weights


@dataclass(frozen=True)
class _Flow(_Walk):
    """What one step of length 1 adds. Only the state is kept for the backward pass, as a checkpoint would keep it."""

    def job(self) -> Any:
        """Settings of the step in the kernel's format."""
        job = super().job()
        job.flow = True
        return job

    def forward(
        self, x: State, cond: Cond | None, parameters: Sequence[Tensor], keep: bool
    ) -> tuple[State, tuple[Tensor, ...], Any]:
        """Flow, zero in frozen channels."""
        y, _, _ = super().forward(x, cond, parameters, False)
        y[:, self.config.channels - self.config.frozen :] = 0
        return y, (x,) if keep else (), None

    def backward(
        self,
        gy: State,
        cond: Cond | None,
        parameters: Sequence[Tensor],
        kept: tuple[Tensor, ...],
        rest: Any,  # noqa: ARG002
        needed: tuple[bool, ...],
    ) -> Gradients:
        """Gradients of all inputs."""
        _, _, log = super().forward(kept[0], cond, parameters, True)
        return super().backward(gy, cond, parameters, (), log, needed)

    def again(self, x: State, cond: Cond | None, parameters: Sequence[Tensor]) -> State:
        """Flow by the reference, with `parameters` in place of the rule's own."""
        named = {f"rule.{name}": p for (name, _), p in zip(self.rule.named_parameters(), parameters, strict=True)}
        return functional_call(_Reference(self.rule), named, (x, cond))


class _Reference(nn.Module):
    """Flow of a rule as a module's output."""

    def __init__(self, rule: Rule):
        super().__init__()
        self.rule = rule

    def forward(self, x: State, cond: Cond | None) -> State:
        """Flow of a state."""
        return self.rule.flow(x, cond)


def _obeys() -> bool:
    """True if signals reach this thread: Python handles them in the main one, and the kernel asks it now and then."""
    return threading.get_ident() == threading.main_thread().ident


def _array(v: Tensor) -> Any:
    return v.detach().resolve_neg().contiguous().numpy()
