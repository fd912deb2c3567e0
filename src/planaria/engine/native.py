"""C++ on the processor: only the cells that can change, a block at a time while it is in cache.

A roll-out is one autograd node. The kernel keeps the rows that each step overwrote, undoes them on the way back and
computes the hidden layers again, so memory is states and places only. Sums are taken in a fixed order: the bytes do
not depend on the number of threads. The kernel is built with the package where there is a C++ compiler, once for each
instruction set, and picks the best that the processor has.
"""

import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from planaria.core.filters import reaches
from planaria.core.rule import Rule, RuleConfig
from planaria.types import Cond, State

kernel: ModuleType | None
"""The compiled module; None where it was not built."""
try:
    import planaria.engine._native as kernel
except ImportError:
    kernel = None

SLOPES: dict[str, float] = {"relu": 0.0, "leaky_relu": 0.01}
"""Activation -> its slope below zero."""
LIVES: dict[str, int] = {"none": 0, "before": 1, "after": 2, "both": 3}
"""When life is judged -> the kernel's bits for it."""
EDGES: dict[str, int] = {"zero": 0, "circular": 1, "replicate": 2}
"""What lies beyond the grid -> the kernel's number for it."""
WIDEST = 4096
"""Numbers in a layer at most: a block of 48 cells should stay in cache."""


def status() -> str:
    """One sentence on the compiled kernel here."""
    if kernel is None:
        return "the native kernel was not built with this installation; the sparse engine takes its place"
    return f"native kernel, {', '.join(kernel.isas())} (the first is used), {torch.get_num_threads()} threads"


def declines(rule: nn.Module, x: State) -> str:
    """Why this engine can't run `rule` on `x`; empty where it can."""
    if kernel is None:
        return "the native kernel was not built with this installation"
    if type(rule) is not Rule:
        return f"{type(rule).__name__} is not a plain Rule"
    if x.device.type != "cpu":
        return f"the state is on {x.device.type}"
    if x.dtype not in (torch.float32, torch.float64) or any(p.dtype != x.dtype for p in rule.parameters()):
        return "it takes float32 or float64, the same for state and weights"
    config = rule.config
    if x.shape[1] != config.channels:
        return f"the state has {x.shape[1]} channels, the rule {config.channels}"
    if config.activation not in SLOPES:
        return f"it has no {config.activation}, only {', '.join(SLOPES)}"
    if max(*config.hidden, config.channels * len(rule.kernels), 1) > WIDEST:
        return f"a layer is wider than {WIDEST}"
    if config.blurs:
        return "it blurs no channels"
    if config.life != "none" and config.life_threshold < 0:
        return "life below zero reaches every cell"
    border = 2 * max(rule.reaches)
    if (x.shape[2] + border) * (x.shape[3] + border) >= 2**31:
        return "the grid has more cells than 31 bits can count"
    return ""


def slower(rule: nn.Module, x: State) -> str:  # noqa: ARG001
    """Nothing else here is faster."""
    return ""


def rollout(
    rule: Rule,
    x: State,
    steps: int,
    *,
    t: int = 0,
    seed: int = 0,
    cond: Cond | None = None,
    dt: float | None = None,
    origin: tuple[int, int] = (0, 0),
    isa: str = "",
) -> State:
    """`steps` steps of `rule` from `x`; arguments as for `planaria.run`. `isa` names an instruction set, for tests."""
    config = rule.config
    felt = config.channels * len(rule.kernels)
    first, *rest = rule.weights
    width = len(first)
    heard = x.new_zeros(len(x), width) if not len(rule.biases) else rule.biases[0].expand(len(x), width)
    if cond is not None and config.cond:
        heard = heard + F.linear(cond, first[:, felt:])
    learns = torch.is_grad_enabled()
    job = _Job(config, steps, t, seed, origin, config.dt if dt is None else dt, rule.kernels, isa, learns)
    return _Rollout.apply(job, x, heard, 1 + len(rest), first[:, :felt], *rest, *list(rule.biases)[1:])


@dataclass(frozen=True)
class _Job:
    config: RuleConfig
    steps: int
    t: int
    seed: int
    origin: tuple[int, int]
    dt: float
    kernels: Tensor
    isa: str
    learns: bool

    def settings(self) -> dict[str, Any]:
        """What the kernel is told besides numbers."""
        config = self.config
        return {
            "own": config.channels - config.frozen,
            "slope": SLOPES[config.activation],
            "life": LIVES[config.life],
            "life_channel": config.life_channel,
            "threshold": config.life_threshold,
            "edge": EDGES[config.edge],
            "open": config.life_edge == "zero",
            "dt": self.dt,
            "seed": self.seed % 2**32,
            "t": self.t % 2**32,
            "row": self.origin[0] % 2**32,
            "column": self.origin[1] % 2**32,
            "steps": self.steps,
            "fire": round(config.fire_rate * 2**32),
            "threads": torch.get_num_threads(),
            "obeys": _obeys(),
            "isa": self.isa,
            "reaches": reaches(self.config.filters),
        }


def _obeys() -> bool:
    """Whether signals reach this thread: Python handles them in the main one, and the kernel asks it now and then."""
    return threading.get_ident() == threading.main_thread().ident


def _array(v: Tensor) -> Any:
    return v.detach().contiguous().numpy()


class _Rollout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, job: _Job, x: Tensor, heard: Tensor, layers: int, *parameters: Tensor) -> Tensor:
        assert kernel is not None
        y = torch.empty(x.shape, dtype=x.dtype)
        keep = job.learns and any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        weights, biases = parameters[:layers], parameters[layers:]
        log = kernel.forward(
            _array(x),
            y.numpy(),
            _array(job.kernels.to(x.dtype).reshape(-1, 9)),
            _array(heard),
            [_array(w) for w in weights],
            [_array(b) for b in biases],
            keep=keep,
            **job.settings(),
        )
        if keep:
            ctx.rest = (log, x.shape, heard.shape, [w.shape for w in weights], [b.shape for b in biases])  # type: ignore[attr-defined]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *grads: Tensor):  # type: ignore[override]
        log, state, heard, weights, biases = ctx.rest  # type: ignore[attr-defined]
        gy = grads[0]
        gx, gheard = gy.new_empty(state), gy.new_empty(heard)
        gweights, gbiases = [gy.new_zeros(s) for s in weights], [gy.new_zeros(s) for s in biases]
        log.backward(
            _array(gy),
            gx.numpy(),
            gheard.numpy(),
            [g.numpy() for g in gweights],
            [g.numpy() for g in gbiases],
            torch.get_num_threads(),
            _obeys(),
        )
        return None, gx, gheard, None, *gweights, *gbiases
