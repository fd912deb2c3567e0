"""GPU: the reference step under `torch.compile`, for rules and cards that `fused` does not take.

Random numbers are drawn outside, so the step number is not compiled in: one compilation serves a roll-out.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from planaria.core.moment import Moment
from planaria.core.noise import fire
from planaria.core.rule import Rule
from planaria.types import Cond, Mask, State


def declines(rule: nn.Module, x: State) -> str:
    """Reason why this engine can't run `rule` on `x`; empty if it can."""
    if type(rule) is not Rule:
        return f"{type(rule).__name__} is not a plain Rule"
    if x.device.type not in ("cuda", "mps"):
        return f"compiling pays on a GPU, not on {x.device.type}"
    if x.device.type == "cuda" and find_spec("triton") is None:
        return "PyTorch's own compiler needs Triton on this GPU, and it is not installed"
    return ""


def slower(rule: nn.Module, x: State) -> str:  # noqa: ARG001
    """Reason why the reference would be faster: none, wherever this engine runs."""
    return ""


def rollout(
    rule: Rule,
    x: State,
    steps: int,
    moment: Moment,
    cond: Cond | None,
) -> State:
    """Run `steps` steps of `rule` from `x`; arguments as for `planaria.run`."""
    return _rollout(_compiled("inductor"), rule, x, steps, moment, cond)


Step = Callable[[Rule, State, Mask, Cond | None, Tensor], State]


def _rollout(
    step: Step,
    rule: Rule,
    x: State,
    steps: int,
    moment: Moment,
    cond: Cond | None,
) -> State:
    b, _, h, w = x.shape
    dt = torch.full((), moment.length(rule.config.dt), dtype=x.dtype, device=x.device)
    for k in range(steps):
        act = fire(rule.config.fire_rate, moment.seed, moment.t + k, (b, h, w), x.device, moment.origin)
        x = step(rule, x, act, cond, dt)
    return x


def _step(rule: Rule, x: State, act: Mask, cond: Cond | None, dt: Tensor) -> State:
    return rule.die(x, x + dt * torch.where(act, rule.flow(x, cond), 0.0))


@lru_cache
def _compiled(backend: str) -> Step:
    """Compiled step, compiled anew for every rule configuration and shape that it meets."""
    return torch.compile(_step, backend=backend, fullgraph=True)
