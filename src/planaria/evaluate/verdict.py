"""Verdict on a model in one line: of a video model, for how long it follows its film, and stays like it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from planaria import tasks
from planaria.store.cards import Card

FOLLOWED, FILM, ALIKE, RUN = "frames followed", "frames to follow", "frames alike", "frames run"
"""Names of a course's metrics in a model's card."""
METRICS = (FOLLOWED, FILM, ALIKE, RUN)
MOST = 1e15
"""Largest metric that a verdict speaks of."""


@dataclass(frozen=True)
class Course:
    """Course of one free run beside the film, in frames."""

    follows: int
    """Frames until its error passes half of copying's."""
    of: int
    """Frames of the film that there were to follow."""
    alike: int
    """Frames until a window of the run is no longer like the film."""
    run: int
    """Length of the run; 0 where its likeness was not measured."""

    def __str__(self) -> str:
        followed = f"follows the film for {self.follows:,} of {_frames(self.of)}"
        return f"{followed}; stays alike for {self.alike:,} of {self.run:,}" if self.run else followed

    def metrics(self) -> dict[str, float]:
        """Metrics for a model's card."""
        return dict(zip(METRICS, map(float, (self.follows, self.of, self.alike, self.run)), strict=True))

    @classmethod
    def read(cls, metrics: Mapping[str, float]) -> "Course | None":
        """Course in a card's metrics; None where they hold none, or an impossible one."""
        values = [metrics.get(name) for name in METRICS]
        counts = [int(value) for value in values if value is not None and 0 <= value <= 1e9]
        return cls(*counts) if len(counts) == len(METRICS) else None


@dataclass(frozen=True)
class Verdict:
    """Verdict on a video model: its course from the film's first frames, and from worse and other starts."""

    course: Course
    """Course from the first frames."""
    starts: tuple[int, ...]
    """Frames followed from each of several places in the film's first half."""
    reach: int
    """Frames that there were to follow from each of those places."""
    alone: Course | None
    """Course from the first frame alone, its first frames not counted; None where a model is shown one frame anyway."""
    noisy: Course
    """Course from first frames with noise, its own first frames not counted."""

    @property
    def middle(self) -> int:
        """Median of the frames followed from several places, the lower of two."""
        return sorted(self.starts)[(len(self.starts) - 1) // 2]

    def lines(self) -> list[str]:
        """The verdict, a line each: the first says it."""
        several = (
            f"from {len(self.starts)} places in the film: {self.middle:,} of {_frames(self.reach)} in the median, "
            f"{min(self.starts):,} at worst"
        )
        alone = [] if self.alone is None else [f"from one frame alone: {self.alone}"]
        return [str(self.course), *([several] if len(self.starts) > 1 else []), *alone, f"with noise 0.1: {self.noisy}"]


def verdict_on(card: Card) -> str:
    """Verdict on a model in a line, from the metrics in its card; empty where they hold none.

    That of a video model is its course; of others it is what their task says.
    """
    if (course := Course.read(card.metrics)) is not None:
        return str(course)
    if card.task not in tasks.names():
        return ""
    usable = {name: value for name, value in card.metrics.items() if abs(value) <= MOST and math.isfinite(value)}
    return tasks.load(card.task).Task.verdict(usable)


def _frames(n: int) -> str:
    return f"{n:,} frame{'' if n == 1 else 's'}"
