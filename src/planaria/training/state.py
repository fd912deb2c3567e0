"""State of a training besides its tensors, parsed once from a checkpoint's header."""

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from planaria.errors import UserError

MOST = 10**9
"""Largest count of anything; as many iterations as a training has at most."""
LONGEST = 10_000
"""Most characters of a line; most items of a list."""


@dataclass(frozen=True)
class TrainingState:
    """State of a training besides its tensors."""

    step: int
    """Iterations done."""
    recent: tuple[float, ...]
    """Losses of the last healthy iterations, newest last."""
    caution: float
    """Factor of the learning rate that rescues have left."""
    rescues: int
    """Rescues since the last safe point."""
    best_loss: float
    """The lowest smoothed or held-out loss; infinite before there is one."""
    ranks: int
    """Number of processes that train."""
    stale: int = 0
    """Validations without a new best."""
    falls: int = 0
    """Number of times that the learning rate was lowered for that."""
    reused: tuple[str, ...] = ()
    """Notes on what was reused from another model, a line each."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values for a header."""
        state = {**asdict(self), "recent": list(self.recent), "reused": list(self.reused)}
        return {**state, "best_loss": self.best_loss if math.isfinite(self.best_loss) else None}

    @classmethod
    def read(cls, state: object) -> "TrainingState":
        """Parse the values of `as_dict`, or of a damaged file. Raises `UserError` naming an invalid one."""
        if not isinstance(state, dict):
            raise UserError("damaged: its header has no [state]")
        best = state.get("best_loss", "")
        return cls(
            step=_count(state, "step"),
            recent=tuple(_number(loss, "recent") for loss in _list(state, "recent")),
            caution=_share(state, "caution"),
            rescues=_count(state, "rescues"),
            best_loss=math.inf if best is None else _number(best, "best_loss"),
            ranks=_count(state, "ranks"),
            stale=_count({"stale": 0, **state}, "stale"),
            falls=_count({"falls": 0, **state}, "falls"),
            reused=tuple(_line(line) for line in _list({"reused": [], **state}, "reused")),
        )


def _wrong(name: str, value: object, what: str) -> UserError:
    return UserError(f"damaged: {name} is {repr(value)[:60]}, not {what}")


def _count(state: Mapping[str, Any], name: str) -> int:
    value = state.get(name)
    if type(value) is not int or not 0 <= value <= MOST:
        raise _wrong(name, value, f"a count of 0 to {MOST:,}")
    return value


def _number(value: object, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
        raise _wrong(name, value, "a finite number")
    return float(value)


def _share(state: Mapping[str, Any], name: str) -> float:
    value = _number(state.get(name), name)
    if not 0 < value <= 1:
        raise _wrong(name, value, "a share above 0 and at most 1")
    return value


def _list(state: Mapping[str, Any], name: str) -> list[object]:
    value = state.get(name)
    if not isinstance(value, list) or len(value) > LONGEST:
        raise _wrong(name, value, f"a list of at most {LONGEST:,}")
    return value


def _line(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise _wrong("reused", value, "a line")
    return value
