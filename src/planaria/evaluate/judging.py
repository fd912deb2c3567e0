"""Measurement of the verdict: free runs beside the film's frames, and beside its looks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from planaria.evaluate.curve import Frames, as_seen
from planaria.evaluate.life import Life
from planaria.evaluate.statistics import Frame, Likeness, Stats, compare, measure
from planaria.evaluate.verdict import Course, Verdict

LONG = 1000
"""Frames of a long run at least."""
WINDOW = 20
"""Frames of a window at least; a quarter of the film where that is more."""
LOW, HIGH, SPECTRUM = 0.5, 2.0, 1.0
"""Limits of a window's likeness: of its ratios, and of its distance from the film's spectrum."""
EARLY = 5
"""Lag in frames, the error of which holds for shorter ones too."""
PAIRS = 32
"""Pairs of frames at most that a lag's error is a mean of."""
LEAST = (1 / 255) ** 2
"""Mean squared error of one level of 256 everywhere: less than a picture can show is never too much."""
NOISE = 0.1
"""Standard deviation of the noise on the frames shown."""
GRACE = 20
"""Frames at most in which a run from a worse start may recover; no more than a quarter of the film."""
STARTS = 8
"""Places in the film's first half that runs begin from."""


def judge(life: Life, frames: Frames, context: int, times: int, known: Course | None = None) -> Verdict:
    """Verdict on a model that is shown `context` of the `frames`; the long run lasts 1,000 frames or `times` films.

    With `times` 0 there is no long run. `known` is what `course` gave for the same, if that was measured before.
    """
    film = _Film.of(frames)
    grace = min(GRACE, len(frames) // 4)
    rng = torch.Generator().manual_seed(life.seed)
    first = frames[:context]
    noisy = first + NOISE * torch.randn(first.shape, generator=rng).to(first)
    starts, reach = _several(life, film, context)
    return Verdict(
        known or _course(life, film, first, context, times, "verdict"),
        starts,
        reach,
        _course(life, film, frames[:1], 1, times, "from one frame", grace) if context > 1 else None,
        _course(life, film, noisy, context, times, "with noise", grace),
    )


def course(life: Life, frames: Frames, context: int, times: int) -> Course:
    """Course of a model from the first `context` frames, as `judge` measures it."""
    return _course(life, _Film.of(frames), frames[:context], context, times, "verdict")


def bounds(frames: Frames) -> list[float]:
    """Half the error of copying by lag, 1 to n - 1: what a model that follows stays below.

    Copying's error is the mean squared error between the film's frames so far apart. It is taken as the greatest up to
    that lag, or to 5 frames, since a slow film's is small at first and a periodic film's returns to 0; and as no more
    than the mean over all pairs, half of which is the error of the film's mean picture.
    """
    n = len(frames)
    every = 2 * float(frames.var(0).mean())
    greatest, found = 0.0, []
    for lag in range(1, n):
        if lag <= max(EARLY, n // 2):
            at = torch.linspace(0, n - 1 - lag, min(PAIRS, n - lag)).round().long()
            greatest = max(greatest, float((frames[at + lag] - frames[at]).double().square().mean()))
        found.append(greatest)
    early = found[min(EARLY, len(found)) - 1]
    return [max(min(max(error, early), every) / 2, LEAST) for error in found]


@dataclass(frozen=True)
class _Film:
    """Film and what a run is compared with."""

    frames: Frames
    bounds: Sequence[float]
    data: Stats
    window: int
    """Frames of a window."""
    own: Sequence[Likeness]
    """Likeness of the film's own windows to the whole."""

    @classmethod
    def of(cls, frames: Frames) -> "_Film":
        """Measure a film."""
        window, data = max(WINDOW, len(frames) // 4), measure(frame[None] for frame in frames)
        pieces = [k * window for k in range(max(1, len(frames) // window))]
        own = [
            compare(measure((f[None] for f in frames[k : k + window]), frames[k - 1 : k] if k else None), data)
            for k in pieces
        ]
        return cls(frames, bounds(frames), data, window, own)

    def like(self, run: Stats) -> bool:
        """True if a window of a run is like the film: within the limits, or as far off as the film's own windows."""
        found = compare(run, self.data)
        ratios = all(
            LOW * min(1.0, *(getattr(own, what) for own in self.own))
            <= getattr(found, what)
            <= HIGH * max(1.0, *(getattr(own, what) for own in self.own))
            for what in ("mean", "variance", "motion")
        )
        return ratios and found.spectrum < max(SPECTRUM, HIGH * max(own.spectrum for own in self.own))


def _course(life: Life, film: _Film, clip: Frames, shown: int, times: int, what: str, grace: int = 0) -> Course:
    """Course of a run from `clip`, after which the film's frame `shown` comes; what is wrong in `grace` is forgiven."""
    truth = film.frames[shown:]
    length = max(LONG, times * len(film.frames)) if times else 0
    follows = alike = None
    begun, before, window = grace, clip[-1:], list[Frame]()
    for k, picture in enumerate(life.pictures(clip, max(len(truth), length), what)):
        if follows is None and grace <= k < len(truth) and _wrong(picture, truth[k : k + 1]) > film.bounds[k]:
            follows = k if k > grace else 0
        if alike is None and grace <= k < length:
            window.append(picture)
            if len(window) >= film.window and length - k > film.window:  # the last one takes what remains
                alike = None if film.like(measure(window, before)) else begun if begun > grace else 0
                begun, window, before = k + 1, [], picture
        elif k < grace:
            before = picture
        if (follows is not None or k + 1 >= len(truth)) and (alike is not None or k + 1 >= length):
            break
    if length and alike is None and not (window and film.like(measure(window, before))):
        alike = begun if begun > grace else 0
    return Course(len(truth) if follows is None else follows, len(truth), length if alike is None else alike, length)


def _several(life: Life, film: _Film, context: int) -> tuple[tuple[int, ...], int]:
    """Frames followed from several places in the film's first half, and the frames that there were for each."""
    n = len(film.frames)
    last = max(context - 1, n - 1 - n // 2)
    places = torch.linspace(context - 1, last, STARTS).round().long().unique().tolist()
    reach, found = n - 1 - last, []
    for place in places:
        clip, truth = film.frames[place + 1 - context : place + 1], film.frames[place + 1 :]
        made = life.pictures(clip, reach, f"from {len(places)} places")
        passed = (k for k, picture in enumerate(made) if _wrong(picture, truth[k : k + 1]) > film.bounds[k])
        found.append(next(passed, reach))
    return tuple(found), reach


def _wrong(picture: Frame, truth: Frame) -> float:
    """Mean squared error of a picture as a viewer shows it."""
    return float((as_seen(picture) - truth).double().square().mean())
