"""One step, several machines. `run` and `unroll` are the only doors; the choice changes the time, not the life."""

from collections.abc import Iterator

import torch
from torch import nn

from planaria.core.rule import Rule
from planaria.engine import sparse
from planaria.errors import UserError, unknown
from planaria.types import Cond, State

ENGINES: dict[str, str] = {
    "reference": "every cell, step by step: the specification",
    "sparse": "only cells that can change, in pure torch; hidden layers are recomputed in the backward pass",
}
"""Name -> what it does."""


def choose(rule: nn.Module, x: State, engine: str = "auto") -> tuple[str, str]:
    """The engine that will run `rule` on `x`, and why. Depends on the rule, device and grid, never on the state."""
    if engine not in (*ENGINES, "auto"):
        raise unknown("engine", engine, [*ENGINES, "auto"])
    if engine == "reference":
        return engine, "asked for"
    why_not = sparse.declines(rule, x)
    if engine == "sparse":
        if why_not:
            raise UserError(f"engine sparse can't run this: {why_not}")
        return engine, "asked for"
    if why_not or not isinstance(rule, Rule):
        return "reference", why_not
    if rule.config.fire_rate > 0.75 and rule.config.life in ("none", "after"):
        return "reference", "nearly every cell changes in every step"
    return "sparse", "cells that rest or can't be reached by life need no work"


def run(
    rule: nn.Module,
    x: State,
    steps: int,
    *,
    t: int = 0,
    seed: int = 0,
    cond: Cond | None = None,
    dt: float | None = None,
    engine: str = "auto",
) -> State:
    """The state `steps` steps after `x`, which stands at step `t`. Differentiable.

    `seed` with `t` decides which cells fire, so running 100 steps is running 60 and then 40 with `t=60`.
    `cond` `(b, k)` is told to every cell; `dt` is the rule's own where None.
    """
    if steps < 0:
        raise UserError(f"steps can't be negative, got {steps}")
    name, _ = choose(rule, x, engine)
    if name == "sparse" and isinstance(rule, Rule):
        return sparse.rollout(rule, x, steps, t=t, seed=seed, cond=cond, dt=dt)
    for k in range(steps):
        x = rule(x, t + k, seed=seed, cond=cond, dt=dt)
    return x


def unroll(
    rule: nn.Module,
    x: State,
    steps: int,
    *,
    every: int = 1,
    t: int = 0,
    seed: int = 0,
    cond: Cond | None = None,
    dt: float | None = None,
    engine: str = "auto",
) -> Iterator[State]:
    """Yield the state after each `every` steps, up to `steps`; arguments as for `run`."""
    for k in range(0, steps - every + 1, every):
        x = run(rule, x, every, t=t + k, seed=seed, cond=cond, dt=dt, engine=engine)
        yield x


def device_of(name: str) -> torch.device:
    """`auto` (CUDA, then Apple's MPS, then the CPU) or a torch device by name; `UserError` where there is none."""
    if name == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(kind)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as e:
        reason = str(e).splitlines()[0]
        raise UserError(f"device {name!r} can't be used here ({reason}); try: auto, cpu") from None
    return device
