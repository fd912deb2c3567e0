"""Pixel losses: one number for each sample, `(b,)`, from `(b, v, h, w)` shown and `(v, h, w)` wanted."""

from collections.abc import Callable

from torch import Tensor

from planaria.errors import unknown

HINGE_MARGIN = 0.5
"""Largest difference without loss under `hinge`."""

TINY = 1e-5
"""Difference below which `rms` is smooth."""

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l2": lambda shown, wanted: (shown - wanted).square().mean((1, 2, 3)),
    "rms": lambda shown, wanted: ((shown - wanted).square().mean((1, 2, 3)) + TINY**2).sqrt() - TINY,
    "l1": lambda shown, wanted: (shown - wanted).abs().mean((1, 2, 3)),
    "manhattan": lambda shown, wanted: (shown - wanted).abs().sum((1, 2, 3)),
    "hinge": lambda shown, wanted: ((shown - wanted).abs() - HINGE_MARGIN).clamp(min=0).mean((1, 2, 3)),
}
"""Name -> loss."""

MEANINGS: dict[str, str] = {
    "l2": "mean squared difference: large errors first; the published choice",
    "rms": "root of the mean squared difference: every sample pulls alike, so that bodies which haven't healed yet "
    "don't drown the details of those that have",
    "l1": "mean absolute difference: every error pulls alike, large or small",
    "manhattan": "summed absolute difference: l1 times the number of values. With train.normalise the same steps as "
    "l1; without, a learning rate thousands of times higher",
    "hinge": f"mean of what a difference exceeds {HINGE_MARGIN} by: nothing within the margin has a gradient, so the "
    "picture stays a rough shape in wrong colours, by design of the loss",
}
"""Name -> effect on training."""


def pixel_loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Look up a loss by name. Raises `UserError` for an unknown one."""
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    return LOSSES[name]
