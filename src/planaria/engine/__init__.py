"""Engines that run a rule. `run` and `unroll` are the only entry points; the choice changes time, not results."""

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Protocol

import torch
from torch import nn

from planaria.core.moment import Moment
from planaria.core.rule import Rule
from planaria.core.solve import Solver
from planaria.engine import compiled, door, fused, native, node, sparse
from planaria.errors import UserError, unknown
from planaria.types import Cond, State

ENGINES: dict[str, str] = {
    "reference": "every cell, step by step: the specification",
    "native": "CPU: only cells that can change, in C++, compiled when planaria is installed",
    "fused": "GPU: one Triton kernel a step, tiles without life skipped",
    "fused-tf32": "GPU: the same with products of 10 bits and sums in float32; never chosen by itself",
    "fused-bf16": "GPU: the same with products of 7 bits and sums in float32; never chosen by itself",
    "sparse": "CPU: only cells that can change, in pure torch; hidden layers are recomputed in the backward pass",
    "compiled": "GPU: the reference step under torch.compile",
}
"""Name -> description."""


class _Engine(Protocol):
    """Module that runs whole roll-outs."""

    def declines(self, rule: nn.Module, x: State) -> str: ...
    def slower(self, rule: nn.Module, x: State) -> str: ...
    def rollout(self, rule: Rule, x: State, steps: int, moment: Moment, cond: Cond | None) -> State: ...


_FAST: dict[str, _Engine] = {
    "native": native,
    "fused": fused,
    "fused-tf32": fused.Rounded("tf32"),
    "fused-bf16": fused.Rounded("bf16"),
    "sparse": sparse,
    "compiled": compiled,
}
"""Fast engines, best first; the first that does not decline runs."""


def choose(rule: nn.Module, x: State, engine: str = "auto", *, cond: Cond | None = None) -> tuple[str, str]:
    """Engine that will run `rule` on `x`, and why. Depends on the rule, device and grid, never on the state.

    Of a solver it is the engine that computes its flows.

    Within `torch.func`, forward-mode differentiation of any of the three, tracing and exporting it is the reference.
    """
    if engine not in (*ENGINES, "auto"):
        raise unknown("engine", engine, [*ENGINES, "auto"])
    if engine == "reference":
        return engine, "asked for"
    changed = ""
    if node.transformed(x, cond, *rule.parameters()):
        changed = "torch.func, forward-mode differentiation and tracing are work for the reference"
    if engine != "auto":
        why_not = changed or _FAST[engine].declines(rule, x)
        if why_not:
            raise UserError(f"engine {engine} can't run this: {why_not}")
        return engine, "asked for"
    if changed:
        return "reference", changed
    refusals = []
    for name, fast in _FAST.items():
        why_not = fast.declines(rule, x) or fast.slower(rule, x)
        if not why_not:
            return name, ENGINES[name]
        refusals.append(f"{name}: {why_not}")
    return "reference", "; ".join(refusals)


def run(
    rule: nn.Module,
    x: State,
    steps: int,
    *,
    t: int = 0,
    seed: int = 0,
    cond: Cond | None = None,
    dt: float | None = None,
    origin: tuple[int, int] = (0, 0),
    engine: str = "auto",
) -> State:
    """State `steps` steps after `x`, which is at step `t`. Differentiable.

    `seed` with `t` decides which cells fire, so running 100 steps is running 60 and then 40 with `t=60`.
    `cond` `(b, k)` goes to every cell; `dt` is the rule's own if None. `origin` is the row and column that the
    first cell has in a larger grid, modulo 2**32: in a part the same cells fire as there. A part doesn't
    know its surroundings. Raises `UserError` for arguments that don't fit the rule or each other, and if `rule` is a
    module that takes no origin, and is given one; `MemoryError` if there is not enough.
    """
    steps, moment = door.entered(rule, x, steps, t, seed, cond, dt, origin)
    return _run(rule, x, steps, moment, cond, engine)


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
    origin: tuple[int, int] = (0, 0),
    engine: str = "auto",
) -> Iterator[State]:
    """States after each `every` steps, up to `steps`, one after the other; arguments as for `run`."""
    every = door.whole("every", every, 1, door.MOST)
    steps, moment = door.entered(rule, x, steps, t, seed, cond, dt, origin)
    choose(rule, x, engine, cond=cond)

    def states(x: State) -> Iterator[State]:
        for k in range(0, steps - every + 1, every):
            x = _run(rule, x, every, moment.later(k), cond, engine)
            yield x

    return states(x)


def _run(rule: nn.Module, x: State, steps: int, moment: Moment, cond: Cond | None, engine: str) -> State:
    """State after `steps` steps from `moment` on; the arguments have been checked."""
    name, _ = choose(rule, x, engine, cond=cond)
    if name in _FAST and isinstance(rule, Rule):
        with node.memory(steps, x):
            return _FAST[name].rollout(rule, x, steps, moment, cond)
    if "origin" in moment.keywords and "origin" not in inspect.signature(rule.forward).parameters:
        raise UserError(f"{type(rule).__name__} takes no origin: it can't be run as a part of a larger grid")
    flow = {"flow": partial(native.flow, rule.rule)} if name == "native" and isinstance(rule, Solver) else {}
    with node.memory(steps, x):
        for k in range(steps):
            x = rule(x, moment.t + k, cond=cond, **moment.keywords, **flow)
    return x


def device_of(name: str) -> torch.device:
    """Device by name: `auto` (CUDA, then Apple's MPS, then the CPU) or a torch device; `UserError` if it is missing."""
    if name == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(kind)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as e:
        reason = str(e).splitlines()[0]
        if "device string" in reason:  # which goes on with a list of devices that few people know
            reason = "no such device; they are called cpu, cuda, cuda:1, mps"
        raise UserError(f"device {name!r} can't be used here ({reason}); try: auto, cpu") from None
    return device
