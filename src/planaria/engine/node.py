"""Node of autograd's graph for a whole roll-out, whichever engine runs its steps.

The node saves the state it began with, the condition and the rule's parameters as autograd does, without copies: so one
that is changed in place before the backward pass is an error and no wrong gradient, and so is a second pass through a
graph that wasn't kept. Where the gradient is to have a gradient of its own, the reference runs the steps again.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call

from planaria.core.moment import Moment
from planaria.core.rule import Rule, RuleConfig
from planaria.types import Cond, State

Gradients = tuple[Tensor | None, ...]
"""Gradients of the state, the condition and every parameter; None if there is none."""


@dataclass(frozen=True)
class Walk(ABC):
    """Roll-out: its rule and steps, and an engine's forward and backward pass.

    `cond` is None for a rule without a condition.
    """

    rule: Rule
    steps: int
    moment: Moment
    """Moment of the first step."""
    learns: bool = field(default_factory=torch.is_grad_enabled, kw_only=True)
    """True if autograd was enabled when the roll-out was requested."""

    @property
    def config(self) -> RuleConfig:
        """Settings of the rule."""
        return self.rule.config

    @property
    def dt(self) -> float:
        """Length of a step."""
        return self.moment.length(self.rule.config.dt)

    @abstractmethod
    def forward(
        self, x: State, cond: Cond | None, parameters: Sequence[Tensor], keep: bool
    ) -> tuple[State, tuple[Tensor, ...], Any]:
        """Last state; then, if `keep`, tensors and whatever else the backward pass needs."""

    @abstractmethod
    def backward(
        self,
        gy: State,
        cond: Cond | None,
        parameters: Sequence[Tensor],
        kept: tuple[Tensor, ...],
        rest: Any,
        needed: tuple[bool, ...],
    ) -> Gradients:
        """Gradients, given that of the last state; at least those that are `needed`."""

    def again(self, x: State, cond: Cond | None, parameters: Sequence[Tensor]) -> State:
        """Last state by the reference, with `parameters` in place of the rule's own."""
        named = dict(zip((name for name, _ in self.rule.named_parameters()), parameters, strict=True))
        keywords = {"cond": cond, **self.moment.keywords}
        for k in range(self.steps):
            x = functional_call(self.rule, named, (x, self.moment.t + k), keywords)
        return x


def roll(walk: Walk, x: State, cond: Cond | None) -> State:
    """State after a walk, connected to `x`, `cond` and the rule's parameters if gradients are needed."""
    rule = walk.rule
    cond = cond if rule.config.cond else None
    parameters = (*rule.weights, *rule.biases)
    if not walk.learns:
        return walk.forward(x, cond, parameters, False)[0]
    return _Rollout.apply(walk, x, cond, *parameters)


def condition_gradients(gfirst: Tensor, cond: Cond | None, weight: Tensor) -> tuple[Tensor | None, Tensor]:
    """Gradients of a condition and of its weights `(n, k)`, given that of its term in the first layer, `(b, n)`."""
    if cond is None:
        return None, torch.zeros_like(weight)
    return gfirst @ weight, (cond.T @ gfirst).T


def transformed(*tensors: Tensor | None) -> bool:
    """True if the steps are traced or exported, or under `torch.func` or forward-mode differentiation of these."""
    traced = torch.compiler.is_exporting() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if traced or torch._C._are_functorch_transforms_active():
        return True
    if not torch.compiler.is_compiling() and torch._C._len_torch_dispatch_stack():  # torch.fx and fake tensors
        return True
    return any(v is not None and forward_ad.unpack_dual(v).tangent is not None for v in tensors)


@contextmanager
def memory(steps: int, x: State) -> Iterator[None]:
    """Turn out-of-memory errors of torch and the kernel into a `MemoryError` that names what needed the memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as e:
        if isinstance(e, RuntimeError) and "can't allocate memory" not in str(e):
            raise
        shape = "x".join(map(str, x.shape))
        raise MemoryError(
            f"memory ended in {steps} steps of a state of {shape}: take fewer samples, cells or steps"
        ) from None


class _Rollout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, walk: Walk, x: Tensor, cond: Tensor | None, *parameters: Tensor) -> Tensor:
        keep = any(ctx.needs_input_grad)
        y, kept, rest = walk.forward(x, cond, parameters, keep)
        if keep:
            ctx.save_for_backward(x, cond, *parameters, *kept)
            ctx.rest = (walk, len(parameters), rest)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        walk, count, rest = ctx.rest
        x, cond, *saved = ctx.saved_tensors
        parameters, kept = saved[:count], tuple(saved[count:])
        needed = ctx.needs_input_grad[1:]
        with memory(walk.steps, x):
            if torch.is_grad_enabled():
                inputs = [v for v, wanted in zip((x, cond, *parameters), needed, strict=True) if wanted]
                y = walk.again(x, cond, parameters)
                found = iter(torch.autograd.grad(y, inputs, grads[0], create_graph=True, allow_unused=True))
                return None, *(next(found) if wanted else None for wanted in needed)
            if not _batched(grads[0]):
                return None, *walk.backward(grads[0], cond, parameters, kept, rest, needed)
            there = [v for v in (x, cond) if v is not None]
            pulled: Any = torch.func.vjp(lambda v, p: walk.again(v[0], v[1] if v[1:] else None, p), there, parameters)
            back = pulled[1]
            (gx, *gcond), gparameters = back(grads[0])
            return None, gx, gcond[0] if gcond else None, *gparameters


def _batched(gradient: Tensor) -> bool:
    """True if it stands for many gradients at once, as under `vmap` and `is_grads_batched`."""
    functorch: Any = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    return functorch.is_batchedtensor(gradient) or functorch.is_legacy_batchedtensor(gradient)
