"""Checks of arguments from the user's own program, once, with one line that says what is wrong and what fits.

Whole numbers are Python's, NumPy's or torch's, no booleans and no fractions; they come back as Python's own.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from planaria import ranges
from planaria.core.moment import Moment
from planaria.core.rule import Rule
from planaria.core.solve import Solver
from planaria.errors import UserError

MOST = 2**31
"""Upper bound, exclusive, of the steps of one call and of the cells of a grid."""


def whole(name: str, value: object, least: int | None = None, below: int | None = None) -> int:
    """Convert `value` to a whole number, at least `least` and less than `below` if these are given."""
    number = ranges.whole(value)
    if number is None:
        raise UserError(f"{name} must be a whole number, got {_brief(value)}")
    if least is not None and number < least:
        bound = f"{name} can't be negative" if least == 0 else f"{name} must be {least} or more"
        raise UserError(f"{bound}, got {number}")
    if below is not None and number >= below:
        raise UserError(f"{name} must be less than {below:,}, got {number:,}")
    return number


def pair(name: str, value: object) -> tuple[int, int]:
    """Convert `value` to a row and a column, or to rows and columns."""
    try:
        first, second = () if isinstance(value, str | bytes | dict | set) else value  # type: ignore[misc]
    except (TypeError, ValueError):
        raise UserError(f"{name} must be two whole numbers, as (3, 4), got {_brief(value)}") from None
    return whole(f"{name}'s row", first), whole(f"{name}'s column", second)


def grid(size: object) -> tuple[int, int]:
    """Convert `value` to rows and columns of a grid: two numbers, or one for a square."""
    h, w = pair("size", size) if isinstance(size, Sequence) or getattr(size, "ndim", 0) else [whole("size", size)] * 2
    if min(h, w) < 1 or h * w >= MOST:
        raise UserError(f"a grid has at least one sample and one cell, and fewer than {MOST:,} cells, got {h}x{w}")
    return h, w


def length(dt: object, dtype: torch.dtype) -> float | None:
    """Convert `dt` to a number that states of `dtype` can hold, or None."""
    if dt is None:
        return None
    if getattr(dt, "requires_grad", False):
        raise UserError("dt is a plain number: no gradient goes to it; pass dt.item()")
    try:
        number = math.nan if isinstance(dt, bool | str | bytes) else float(dt)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = math.nan
    if not abs(number) <= torch.finfo(dtype).max:
        raise UserError(f"dt must be a finite number, got {_brief(dt)}")
    return number


def state(x: object, what: str = "a state") -> Tensor:
    """Check that `x` is a state `(b, c, h, w)` of some floating type, with cells."""
    if not isinstance(x, Tensor):
        raise UserError(f"{what} is a torch tensor (b, c, h, w), not {_kind(x)}")
    if x.ndim != 4:
        hint = "; did you mean x[None]?" if x.ndim == 3 else ""
        raise UserError(f"{what} has the shape (b, c, h, w), not {tuple(x.shape)}{hint}")
    if not x.is_floating_point():
        raise UserError(f"{what} holds floating numbers, not {_type(x)}; did you mean x.float()?")
    if x.layout != torch.strided:
        raise UserError(f"{what} is a dense tensor, not one of layout {_type(x.layout)}; did you mean x.to_dense()?")
    if 0 in x.shape[2:]:
        raise UserError(f"{what} needs cells; this one has {x.shape[2]} rows and {x.shape[3]} columns")
    return x


def entered(
    rule: object, x: object, steps: object, t: object, seed: object, cond: object, dt: object, origin: object
) -> tuple[int, Moment]:
    """Check all arguments of a call; gives its steps and the moment of the first."""
    count, step, key, corner = (
        whole("steps", steps, 0, MOST),
        whole("t", t),
        whole("seed", seed),
        pair("origin", origin),
    )
    return count, Moment(step, key, length(dt, fits(rule, x, cond).dtype), corner)


def fits(rule: object, x: object, cond: object) -> Tensor:
    """Check that `rule` is a module that takes the state `x` and this condition; gives the state."""
    if not isinstance(rule, nn.Module):
        hint = "; did you mean rule, layout = ...?" if isinstance(rule, tuple) else ""
        raise UserError(f"a rule is a torch module, not {_kind(rule)}{hint}")
    x = state(x)
    inner = rule.rule if isinstance(rule, Solver) else rule
    if not isinstance(inner, Rule):
        return x
    config = inner.config
    if x.shape[1] != config.channels:
        raise UserError(f"the state has {x.shape[1]} channels, the rule {config.channels}")
    for p in inner.parameters():
        _alike(x, p, "the state", "the rule", "x")
    if cond is None:
        return x
    if not config.cond:
        raise UserError("this rule has no condition (rule.cond=0), so it takes no cond")
    wanted = (len(x), config.cond)
    if not isinstance(cond, Tensor):
        raise UserError(f"cond is a torch tensor (b, k) = {wanted}, not {_kind(cond)}")
    if tuple(cond.shape) != wanted:
        raise UserError(f"cond has the shape (b, k) = {wanted}, not {tuple(cond.shape)}")
    _alike(cond, x, "cond", "the state", "cond")
    return x


def _alike(a: Tensor, b: Tensor, first: str, second: str, name: str) -> None:
    """Raise `UserError` unless both are of one type, but under autocast, and on one device."""
    if a.device != b.device:
        raise UserError(f"{first} is on {a.device}, {second} on {b.device}; did you mean {name}.to({str(b.device)!r})?")
    if a.dtype != b.dtype and not torch.is_autocast_enabled(a.device.type):
        raise UserError(f"{first} holds {_type(a)}, {second} {_type(b)}; did you mean {name}.to({b.dtype})?")


def _type(v: Tensor | torch.layout) -> str:
    return str(v.dtype if isinstance(v, Tensor) else v).removeprefix("torch.")


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _brief(value: object) -> str:
    """Short text of a value, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
