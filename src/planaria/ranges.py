"""Ranges of settings, as their types declare them: `size: Annotated[int, Ge(1), Le(4096)]`.

Read by the check of every config, by `--help` and by the studio's form. A bound of a tuple's type holds for each of its
values where it stands on them (`tuple[Annotated[int, Ge(1)], ...]`), and for their number as `MaxLen`. A setting of
type `int` takes whole numbers, also those of NumPy and torch, and None only where its type says so.
"""

import itertools
import math
import operator
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen

from planaria.errors import UserError

Share = Annotated[float, Ge(0), Le(1)]
"""Share of a whole."""
Weight = Annotated[float, Ge(0), Le(1e9)]
"""Weight of a term of a loss."""
Finite = Annotated[float, Gt(-math.inf), Lt(math.inf)]
"""Finite number."""
Cells = Annotated[int, Ge(1), Le(4096)]
"""Cells on a side."""
CellsOrNone = Annotated[int, Ge(0), Le(4096)]
"""Cells on a side; 0 if the number is set elsewhere."""


@dataclass(frozen=True)
class Range:
    """Values that a setting may have: `low` to `high`, which belong to it unless `above` or `below` says otherwise."""

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False
    most: int | None = None
    """Most values of a list."""
    whole: bool = False
    """True for whole numbers only."""
    optional: bool = False
    """True if the setting may be None."""

    def __contains__(self, value: Any) -> bool:
        """True if a number lies in it; NaN lies in no range, and nor does anything that is no number."""
        low, high = self.low, self.high
        if self.whole and whole(value) is None:
            return False
        try:
            over = low is None or bool(value > low if self.above else value >= low)
            return over and (high is None or bool(value < high if self.below else value <= high))
        except (TypeError, ValueError, RuntimeError):
            return False

    def __str__(self) -> str:
        """Text to follow "must be": `in 1..4096`, `at least 1`, `above 0 and below 100`, `a finite number`."""
        low, high = _number(self.low), _number(self.high)
        if low and high and not (self.above or self.below):
            return f"in {low}..{high}"
        if self.high == math.inf:
            return "a finite number"
        words = [f"{'above' if self.above else 'at least'} {low}"] if low else []
        words += [f"{'below' if self.below else 'at most'} {high}"] if high else []
        return " and ".join(words)


def whole(value: object) -> int | None:
    """Convert a whole number of Python, NumPy or torch to Python's own; None for anything else, booleans too."""
    if isinstance(value, bool) or str(getattr(value, "dtype", "")).removeprefix("torch.") == "bool":
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return None


def _number(value: float | None) -> str:
    """Short text of a bound; empty for none."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:g}".replace("e+0", "e").replace("e+", "e")


@lru_cache
def of(cls: type) -> dict[str, Range]:
    """Ranges of a dataclass's fields, of those that have one."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {name: _range(hint) for name, hint in hints.items()}
    return {name: one for name, one in found.items() if one.whole or str(one) or one.most is not None}


def check(config: Any, prefix: str = "") -> None:
    """Raise `UserError` for a field of a dataclass that is out of its range; it is called `prefix` and its name.

    With the prefix `--` the name is spelled as an option of the command line: `--fps-factor`.
    """
    for name, allowed in of(type(config)).items():
        value, field = getattr(config, name), f"{prefix}{name.replace('_', '-') if prefix == '--' else name}"
        values = value if isinstance(value, tuple) else () if value is None and allowed.optional else (value,)
        if allowed.most is not None and len(values) > allowed.most:
            raise UserError(f"{field} takes at most {allowed.most} values, got {len(values)}", field)
        for one in values:
            if allowed.whole and whole(one) is None:
                raise UserError(f"{field} must be a whole number, got {str(value)[:80]}", field)
            if one not in allowed:
                raise UserError(f"{field} must be {allowed}, got {str(value)[:80]}", field)


def parts(hint: Any) -> Iterator[Any]:
    """Types that a type is made of, and the metadata of `Annotated`, at any depth."""
    if typing.get_origin(hint) is Annotated:
        yield from hint.__metadata__
        yield from parts(hint.__origin__)
    elif inner := typing.get_args(hint):
        yield from itertools.chain.from_iterable(map(parts, inner))
    else:
        yield hint


def _range(hint: Any) -> Range:
    made_of = list(parts(hint))
    kinds = {part for part in made_of if isinstance(part, type)}
    bounds: dict[str, Any] = {"whole": kinds - {type(None)} == {int}, "optional": type(None) in kinds}
    for one in made_of:
        if isinstance(one, Ge | Gt):
            bounds |= {"low": one.gt, "above": True} if isinstance(one, Gt) else {"low": one.ge}
        elif isinstance(one, Le | Lt):
            bounds |= {"high": one.lt, "below": True} if isinstance(one, Lt) else {"high": one.le}
        elif isinstance(one, MaxLen):
            bounds["most"] = one.max_length
    return Range(**bounds)
