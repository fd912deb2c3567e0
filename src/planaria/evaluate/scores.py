"""Scores: all measurements of a video model, and their form in JSON."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from planaria.evaluate.curve import Curve, Frames
from planaria.evaluate.statistics import Likeness, Stats
from planaria.evaluate.verdict import Verdict


@dataclass(frozen=True)
class Whole:
    """A free roll-out from the first frames of a film to its end."""

    first: int
    """The first frame that was predicted; those before it charged the state."""
    psnr: tuple[float, ...]
    """Peak signal-to-noise ratio in decibels of each predicted frame; the first is at horizon 1."""
    still: tuple[float, ...]
    """The same of the last frame shown, repeated."""


@dataclass(frozen=True)
class Scores:
    """Accuracy of a video model in numbers. Errors are of pictures in 0..1, as a viewer shows them."""

    frames: int
    """Frames of the film."""
    size: tuple[int, int]
    """Rows and columns."""
    start: int
    """The first held-out frame."""
    context: int
    """Frames that charge the state."""
    steps: int
    """Cell steps a frame."""
    left_out: tuple[int, ...]
    """Requested horizons that the held-out frames are too few for."""
    model: Curve
    """Free roll-out on the held-out frames."""
    still: Curve
    """Repetition of the last frame shown."""
    line: Curve
    """Linear extrapolation of the last two frames."""
    noise: dict[str, Curve]
    """Standard deviation of the noise on the frames that charge the state -> held-out frames; `alone` is one frame
    without noise and none before it."""
    whole: Whole
    """Roll-out from the first frames to the last."""
    alone: Whole
    """Roll-out from the first frame alone to the last."""
    data: Stats
    """Statistics of the film."""
    long: tuple[Likeness, ...]
    """Likeness of the long run to the film, by windows as long as the film."""
    late: Stats | None
    """Statistics of the last window of the long run; None where no long run was asked for."""
    unseen: dict[str, Likeness]
    """Likeness to the film of the later half of a run from starts not in the film."""
    sizes: dict[str, Likeness]
    """The same on other grids."""
    burst: int | None
    """Frames after which a free roll-out from the first frames was seen to have burst; None where none did."""
    verdict: Verdict
    """For how long it follows the film, and for how long it stays like it."""
    film: Frames = field(repr=False, compare=False)
    """The pictures of `whole`, `(n, visible, h, w)` in 0..1; those that charged the state come first."""

    def to_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON: one that is not a number is None."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "film"}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        plain = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {**plain, "psnr": _plain(value.psnr)} if isinstance(value, Curve) else plain
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
