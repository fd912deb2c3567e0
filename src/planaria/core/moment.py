"""Moment: time and place of a step, which with the rule and the state determine it entirely."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Moment:
    """Time of a step, seed of its noise, and origin of its grid."""

    t: int = 0
    """Number of the step, modulo 2**32."""
    seed: int = 0
    """Seed of the hash that decides which cells fire, modulo 2**32."""
    dt: float | None = None
    """Length of the step; the rule's own if None."""
    origin: tuple[int, int] = (0, 0)
    """Row and column of the first cell in a larger grid, modulo 2**32."""

    def later(self, steps: int) -> "Moment":
        """Moment `steps` steps later."""
        return replace(self, t=self.t + steps)

    def length(self, own: float) -> float:
        """Length of the step for a rule whose own is `own`."""
        return own if self.dt is None else self.dt

    @property
    def keywords(self) -> dict[str, Any]:
        """Keyword arguments but `t` for a module with `Rule`'s call signature; no origin if it is the default."""
        elsewhere = {} if self.origin == (0, 0) else {"origin": self.origin}
        return {"seed": self.seed, "dt": self.dt, **elsewhere}
