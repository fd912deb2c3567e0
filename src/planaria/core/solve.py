"""Solve: a rule's flow as an ordinary differential equation, `dx/dt = flow(x)`, integrated by the method one chooses.

Chen, Rubanova, Bettencourt and Duvenaud, "Neural ordinary differential equations", NeurIPS, 2018.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from planaria.core.rule import Rule
from planaria.errors import UserError, missing_extra, unknown
from planaria.types import Cond, State

METHODS: dict[str, str] = {
    "euler": "the rule's own step: one flow, error falls with dt; needs no extra",
    "midpoint": "two flows a step, error falls with dt squared",
    "rk4": "four flows a step, error falls with the fourth power of dt",
    "dopri5": "as many flows a step as rtol and atol ask for, seven at least: Dormand and Prince's order 5",
}
"""Name -> cost and accuracy of a step."""

GRADIENTS: dict[str, str] = {
    "plain": "keeps every number of every flow: fastest, most memory",
    "checkpoint": "keeps a state a step, and computes one step at a time once more: the same gradient",
    "adjoint": "keeps two states a step, and one flow at a time on a second equation backwards: as exact as the method",
}
"""Name -> trade-off between memory and time in the backward pass."""

Flow = Callable[..., State]
"""Function that gives the flow of a state, and of a state under a condition."""

MOST_STEPS = 10_000
"""Inner steps that dopri5 may take from one time to the next."""
NEAR = 1e-9
"""Tolerance, as a share of a step, within which a time counts as a whole step."""


class Solver(nn.Module):
    """Rule whose steps follow its flow more exactly; it runs wherever a rule runs.

    `euler` is the rule's own step, to the bit, for every rule. The other methods want the extra `ode` and a flow
    without noise and death: fire rate 1, life none. `rtol` and `atol` bound the error of each number of the state in
    one inner step of dopri5, `atol + rtol * |x|`. Raises `UserError` for a rule that the method can't integrate.
    """

    def __init__(
        self, rule: nn.Module, method: str = "rk4", *, rtol: float = 1e-3, atol: float = 1e-4, gradient: str = "plain"
    ):
        super().__init__()
        if method not in METHODS:
            raise unknown("solver", method, METHODS)
        if gradient not in GRADIENTS:
            raise unknown("gradient", gradient, GRADIENTS)
        if not isinstance(rule, Rule):
            raise UserError(f"solver {method} integrates the flow of a rule; {type(rule).__name__} has none")
        config = rule.config
        if method != "euler" and (config.fire_rate != 1 or config.life != "none"):
            raise UserError(
                f"solver {method} needs rule.fire_rate=1 and rule.life=none, as random firing and death are no flow; "
                f"this rule has fire_rate={config.fire_rate:g} and life={config.life}: take solver euler, "
                "or train without"
            )
        if config.dt <= 0:
            raise UserError(f"a solver goes forward: rule.dt must be more than 0, got {config.dt:g}")
        if method == "euler" and gradient == "adjoint":
            raise UserError("gradient adjoint goes back along the exact flow, which euler leaves; take checkpoint")
        if not (0 <= rtol < math.inf and 0 <= atol < math.inf and rtol + atol > 0):
            raise UserError(f"rtol={rtol:g} and atol={atol:g} can't be negative, nor both 0")
        self.rule, self.method, self.rtol, self.atol, self.gradient = rule, method, rtol, atol, gradient

    @property
    def dt(self) -> float:
        """Default length of a step: the rule's own."""
        return self.rule.config.dt

    def forward(
        self,
        x: State,
        t: int = 0,
        *,
        seed: int = 0,
        cond: Cond | None = None,
        dt: float | None = None,
        origin: tuple[int, int] = (0, 0),
        flow: Flow | None = None,
    ) -> State:
        """State `dt` later, the rule's own `dt` if None. `t`, `seed` and `origin` matter only to rules that fire at
        random. `flow` computes the rule's flow in its place; euler needs none."""
        dt = self.dt if dt is None else dt
        if self.method != "euler":
            return self._integrate(x, [dt], cond, flow or self.rule.flow)[0] if dt else x

        def step(x: Tensor, cond: Tensor | None) -> Tensor:
            return self.rule(x, t, seed=seed, cond=cond, dt=dt, origin=origin)

        return _again(step, x, cond) if self._learns("checkpoint") else step(x, cond)

    def trajectory(
        self, x: State, times: Sequence[float], *, t: int = 0, seed: int = 0, cond: Cond | None = None
    ) -> Float[Tensor, "n b c h w"]:
        """States at `times`, in one integration that begins with `x` at time 0.

        `times` grow, in the flow's own time, of which a step takes the rule's `dt`. `dopri5` chooses its steps and
        reads the times off its interpolant; the others take whole steps, and a shorter one to a time between two, so
        that whole steps are the same with and without it. Raises `UserError` for times that don't grow.
        """
        if not times or times[0] < 0 or not all(a < b for a, b in pairwise([*times, math.inf])):
            raise UserError("the times of a trajectory begin at 0 or later, grow, and end")
        states, steps = [], 0
        if self.method == "dopri5":
            states = [x] if times[0] == 0 else []
            later = list(times[len(states) :])
            return torch.stack([*states, *(self._integrate(x, later, cond, self.rule.flow) if later else [])])
        for time in times:
            while (steps + 1) * self.dt <= time + NEAR * self.dt:
                x = self(x, t + steps, seed=seed, cond=cond)
                steps += 1
            rest = time - steps * self.dt
            states.append(self(x, t + steps, seed=seed, cond=cond, dt=rest) if rest > NEAR * self.dt else x)
        return torch.stack(states)

    def _integrate(self, x: Tensor, times: Sequence[float], cond: Tensor | None, flow: Flow) -> Tensor:
        """States at `times`, all after 0, `(n, b, c, h, w)`; frozen channels stay to the bit."""
        try:
            from torchdiffeq import odeint, odeint_adjoint
        except ImportError:
            raise missing_extra(f"solver {self.method}", "ode") from None
        clock = torch.float32 if x.device.type == "mps" else torch.float64
        settings: dict[str, Any] = {"method": self.method, "rtol": self.rtol, "atol": self.atol}
        if self.method == "dopri5":
            first = min(abs(times[0]), self.dt)
            settings["options"] = {"norm": _largest, "first_step": first, "max_num_steps": MOST_STEPS, "dtype": clock}
        when = torch.tensor([0.0, *times], dtype=clock, device=x.device)
        own = x.shape[1] - self.rule.config.frozen

        def solve(x: Tensor, cond: Tensor | None) -> Tensor:
            if self._learns("adjoint"):  # the condition stands in the state, at rest: so it gets its gradient
                joined = (x,) if cond is None else (x, cond)
                weights = tuple(self.rule.parameters())
                y: Any = odeint_adjoint(partial(_at_rest, flow), joined, when, adjoint_params=weights, **settings)
                y = y[0]
            else:
                y = odeint(lambda _, x: flow(x, cond), x, when, **settings)
            return torch.cat([y[1:, :, :own], x[:, own:].expand(len(times), -1, -1, -1, -1)], 2)

        try:
            return _again(solve, x, cond) if self._learns("checkpoint") else solve(x, cond)
        except AssertionError as e:
            raise UserError(
                f"solver {self.method} can't follow the flow ({str(e).split(':')[0]:.60}): it is too steep for rtol="
                f"{self.rtol:g} and atol={self.atol:g}, or the state isn't finite; take rk4, or larger tolerances"
            ) from None

    def _learns(self, gradient: str) -> bool:
        """True if a gradient is to be computed in this way."""
        return self.gradient == gradient and torch.is_grad_enabled()


def trajectory(
    rule: nn.Module,
    x: State,
    times: Sequence[float],
    method: str = "rk4",
    *,
    cond: Cond | None = None,
    rtol: float = 1e-3,
    atol: float = 1e-4,
    gradient: str = "plain",
) -> Float[Tensor, "n b c h w"]:
    """States of `rule` at several `times` after `x`, as `Solver.trajectory` gives them."""
    return Solver(rule, method, rtol=rtol, atol=atol, gradient=gradient).trajectory(x, times, cond=cond)


def _at_rest(flow: Flow, _: Tensor, joined: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Flow of a state, and a zero flow of its condition."""
    return flow(*joined), *(torch.zeros_like(v) for v in joined[1:])


def _again(step: Callable[..., Tensor], *inputs: Tensor | None) -> Tensor:
    """Output of `step` on `inputs`, checkpointed: its intermediate values are recomputed in the backward pass."""
    return checkpoint(step, *inputs, use_reentrant=False, preserve_rng_state=False)


def _largest(v: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Norm of an error that a large world, quiet elsewhere, doesn't dilute."""
    return v.abs().max() if isinstance(v, Tensor) else torch.stack([_largest(part) for part in v]).max()
