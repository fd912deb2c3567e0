"""Context: frames shown to a rule, one after the other, so that its hidden channels hold the motion."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from planaria.core.layout import Layout
from planaria.engine import run
from planaria.types import State

Film = Float[Tensor, "b n v h w"]
"""Consecutive frames of each sample, in 0..1."""


def charge(
    rule: nn.Module,
    layout: Layout,
    frames: Film,
    steps: int,
    *,
    seed: int = 0,
    dt: float | None = None,
    engine: str = "auto",
) -> State:
    """State that shows the last of `frames`, its hidden channels charged by the former ones. Differentiable.

    The first frame is embedded with hidden channels of zero; the rule runs `steps` cell steps from each frame to the
    next, whose picture then replaces the rule's prediction of it. The last frame is at step 0, so the
    steps before it have negative numbers.
    """
    return predictions(rule, layout, frames, steps, seed=seed, dt=dt, engine=engine)[0]


def predictions(
    rule: nn.Module,
    layout: Layout,
    frames: Film,
    steps: int,
    *,
    seed: int = 0,
    dt: float | None = None,
    engine: str = "auto",
) -> tuple[State, list[Tensor]]:
    """State that `charge` gives, and the rule's predictions of all frames but the first, `(b, v, h, w)` each."""
    count = frames.shape[1]
    x = shown(layout, frames[:, 0])
    made = []
    for k in range(1, count):
        x = run(rule, x, steps, t=(k - count) * steps, seed=seed, dt=dt, engine=engine)
        made.append(layout.picture(x))
        x = shown(layout, frames[:, k], x)
    return x, made


def shown(layout: Layout, picture: Float[Tensor, "b v h w"], x: State | None = None) -> State:
    """State `x`, or one of zeros, with `picture` in its visible channels."""
    if x is None:
        b, _, h, w = picture.shape
        rest = picture.new_zeros(b, layout.channels - layout.visible, h, w)
    else:
        rest = x[:, layout.visible :]
    return torch.cat([picture - layout.offset, rest], 1)
