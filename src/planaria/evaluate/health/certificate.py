"""Certificate: all measurements of an organism's health, and the line that sums them up."""

from dataclasses import dataclass
from typing import Any

from planaria.evaluate.health.grows import Growth
from planaria.evaluate.health.heals import BRUSH
from planaria.evaluate.health.keeps import Keeping
from planaria.evaluate.health.trial import Trial
from planaria.store.cards import CUT, HEALED, badge

FORMAT = 1
"""Version of the JSON."""


@dataclass(frozen=True)
class Certificate:
    """Health of an organism: it grows, keeps, heals and bears."""

    name: str
    size: tuple[int, int]
    """Rows and columns of the grid."""
    target: str
    """Origin of the target, in a few words."""
    engine: str
    """Engine that ran it: the same one gives the same numbers, to the bit."""
    seed: int
    quick: bool
    """True if fewer bodies were taken, and fewer checks."""
    grows: Growth
    keeps: Keeping
    trials: tuple[Trial, ...]

    @property
    def brush(self) -> Trial:
        """Trial by the brush."""
        return next(trial for trial in self.trials if trial.name == BRUSH)

    @property
    def badge(self) -> str:
        """Line that sums it up: `heals 987 of 1,000`."""
        return badge(self.metrics)

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics for a model's card."""
        return {CUT: float(self.brush.bodies), HEALED: float(self.brush.healed)}

    def to_dict(self) -> dict[str, Any]:
        """All numbers, ready for JSON."""
        return {
            "format": FORMAT, "name": self.name, "size": list(self.size), "target": self.target, "engine": self.engine,
            "seed": self.seed, "quick": self.quick, "badge": self.badge, "grows": self.grows.to_dict(),
            "keeps": self.keeps.to_dict(), "trials": [trial.to_dict() for trial in self.trials],
        }  # fmt: skip
