"""Statistics: metrics of a video of any content, and its likeness to another film."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from planaria.losses.quality import spectrum

LOWEST, HIGHEST = -0.5, 1.5
"""Limits beyond which a value counts as outside: not rounding of black or white, but divergence."""
LEAST = 1e-12
"""Smallest divisor."""

Frame = Float[Tensor, "1 v h w"]
"""One picture, unclamped."""


@dataclass(frozen=True)
class Stats:
    """Statistics of a film. Every one is a mean over its frames; not a number where it has none."""

    frames: int
    """Number of frames measured: those before the first that holds a value that is not a number."""
    mean: float
    """Mean of all values."""
    variance: float
    """Variance of a channel's values over the grid, about their mean in that frame."""
    motion: float
    """Mean squared change from one frame to the next; 0 for a still."""
    outside: float
    """Share of values outside -0.5..1.5; 1 for a frame that holds a value that is not a number."""
    spectrum: tuple[float, ...]
    """log10 of the power at each ring of frequencies, from coarse to fine; see `losses.quality.spectrum`."""
    finite: bool
    """True if every value was finite."""


@dataclass(frozen=True)
class Likeness:
    """Likeness of a run to the data: ratios, 1 where they are the same."""

    mean: float
    """Ratio of the run's mean to the data's."""
    variance: float
    """Ratio of the run's variance to the data's."""
    motion: float
    """Ratio of the run's mean squared change from frame to frame to the data's."""
    spectrum: float
    """Root mean squared difference of the log10 power of all rings: 0 the same, 1 a factor of ten."""
    outside: float
    """Share of the run's values outside -0.5..1.5."""
    finite: bool
    """True if every value of the run was finite."""


def measure(pictures: Iterable[Frame], before: Frame | None = None) -> Stats:
    """Measure a film, one frame at a time; `before` is the frame before its first, which `motion` looks back at.

    A frame that holds a value that is not a number ends it.
    """
    count = changes = 0
    mean = variance = motion = outside = 0.0
    rings: Tensor | float = 0.0
    finite = True
    for picture in pictures:
        p = picture.cpu().double()
        if not p.isfinite().all():
            finite, outside = False, outside + 1
            break
        count += 1
        mean += float(p.mean())
        variance += float(p.var((2, 3), correction=0).mean())
        outside += float(((p < LOWEST) | (p > HIGHEST)).double().mean())
        rings = rings + spectrum(p)[0]
        if before is not None:
            changes += 1
            motion += float((p - before.cpu().double()).square().mean())
        before = picture
    n = count or math.nan
    return Stats(
        count, mean / n, variance / n, motion / (changes or math.nan), outside / (count + (not finite) or math.nan),
        tuple((rings / count).tolist()) if isinstance(rings, Tensor) else (), finite,
    )  # fmt: skip


def compare(run: Stats, data: Stats) -> Likeness:
    """Likeness of a run to the data."""
    apart = torch.tensor(run.spectrum) - torch.tensor(data.spectrum) if run.spectrum else torch.tensor(math.nan)
    return Likeness(
        _ratio(run.mean, data.mean), _ratio(run.variance, data.variance), _ratio(run.motion, data.motion),
        float(apart.square().mean().sqrt()), run.outside, run.finite,
    )  # fmt: skip


def _ratio(a: float, b: float) -> float:
    return 1.0 if a == b else a / max(b, LEAST)
