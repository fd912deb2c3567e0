"""Cuts and fades of a film: where it goes on with another scene, which no local law continues."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from planaria.data.survey.shifts import LOST, shifts

Frames = Float[Tensor, "n v h w"]

NEAR = 8
"""Frames on each side with which a change is compared."""
LEAP = 2.5
"""Factor by which the change at a cut exceeds the second largest near it."""
LEAST = 0.03
"""Least mean difference of two frames at a cut, in 0..1."""
OTHER, MOST = 0.3, 0.5
"""Least share of blocks that aren't found again after a cut; and that where all changes much from frame to frame."""
BINS, RECOLOURED = 8, 0.2
"""Bins of a histogram of each channel; and the least share of cells that change bins where all moves fast."""
AT_ONCE = 256
"""Pairs of frames that are compared at once."""
FLASH = 3
"""Frames after which the old scene is back, where it was a flash and no cut."""
REACH = 3
"""Farthest shift of a block that is sought, in cells of the small frames."""
HALVES = (4, 8, 16)
"""Halves of the fades that are sought, in frames."""
MIXED = 0.2
"""Largest difference of the frame in the middle of a fade from the mean of its ends, as a share of theirs;
elsewhere in the film it is twice that or more."""
LONGER = 1.15
"""Factor by which the ends of a longer fade differ more than those of a shorter one within it."""
FADED = 0.06
"""Least mean difference of the ends of a fade, in 0..1."""


@dataclass(frozen=True)
class Fade:
    """Gradual change from one scene to another, or from or to one colour."""

    first: int
    """First frame that is neither."""
    end: int
    """First frame that is wholly the next scene."""


def cuts(small: Frames) -> list[int]:
    """Numbers of the frames with which another scene begins, of a whole film in small, at most 32 cells a side."""
    change = (small[1:] - small[:-1]).abs().flatten(1).mean(1)
    likely = (change >= LEAST).nonzero()[:, 0]
    other, colours = torch.zeros_like(change), _recoloured(small)
    for some in likely.split(AT_ONCE):
        other[some] = _other(small[some], small[some + 1])
    found = []
    for t in likely.tolist():
        leaps = _leaps(change, t) or (other[t] >= MOST and _leaps(other, t))
        leaps = leaps or (colours[t] >= RECOLOURED and _leaps(colours, t))
        if leaps and other[t] >= OTHER and not _flashes(small, t, float(change[t])):
            found.append(t + 1)
    return found


def _recoloured(small: Frames) -> Float[Tensor, " m"]:
    """Share of the cells whose values fall into other bins from a frame to the next, by their histograms."""
    bins = (small * BINS).long().clamp(0, BINS - 1)
    shares = torch.stack([(bins == k).float().mean((2, 3)) for k in range(BINS)], 2)
    return (shares[1:] - shares[:-1]).abs().sum(2).mean(1) / 2


def _leaps(values: Float[Tensor, " m"], t: int) -> bool:
    """True if the value at `t` is far above all but one of those near it."""
    near = torch.cat([values[max(0, t - NEAR) : t], values[t + 1 : t + 1 + NEAR]]).sort(descending=True).values
    return len(near) > 1 and bool(values[t] >= LEAP * near[1])


def fades(small: Frames, at: list[int]) -> list[Fade]:
    """Fades of a whole film in small, `at` the cuts that are known: frames between two scenes, mixed of both."""
    found: list[tuple[float, Fade]] = []
    for half in HALVES:
        if len(small) < 3 * half:
            continue
        before, middle, after = small[: -2 * half], small[half:-half], small[2 * half :]
        apart = (after - before).abs().flatten(1).mean(1)
        off = (middle - (after + before) / 2).abs().flatten(1).mean(1) / apart.clamp(min=1e-6)
        likely = (off < MIXED) & (off < off.median() / 2) & (apart > FADED)
        while bool(likely.any()):
            t = int(torch.where(likely, apart, 0.0).argmax())
            likely[max(0, t - 2 * half) : t + 2 * half + 1] = False
            fade = Fade(t + 1, t + 2 * half)
            crossed = any(fade.first <= cut <= fade.end for cut in at)
            if not crossed and float(_other(small[t][None], small[t + 2 * half][None])) >= OTHER:
                lapping = [f for f in found if f[1].end > fade.first and f[1].first < fade.end]
                if float(apart[t]) > LONGER * max((strength for strength, _ in lapping), default=0.0):
                    found = [f for f in found if f not in lapping]
                    found.append((float(apart[t]), fade))
    return sorted((fade for _, fade in found), key=lambda fade: fade.first)


def scenes(count: int, at: list[int], faded: list[Fade], least: int) -> list[tuple[int, int]]:
    """First frame and end of each scene of `count` frames, without fades and scenes of fewer than `least` frames.

    Where all are shorter, the longest is left.
    """
    ends = sorted([(cut, cut) for cut in at] + [(fade.first, fade.end) for fade in faded])
    parts, first = [], 0
    for end, begin in [*ends, (count, count)]:
        parts.append((first, end))
        first = begin
    return [part for part in parts if part[1] - part[0] >= least] or [max(parts, key=lambda part: part[1] - part[0])]


def _flashes(small: Frames, t: int, change: float) -> bool:
    """True if the scene before frame `t + 1` is back soon after, or was there shortly before."""
    pairs = [(t, t + 1 + k) for k in range(1, FLASH + 1)] + [(t - k, t + 1) for k in range(1, FLASH + 1)]
    within = [(i, j) for i, j in pairs if i >= 0 and j < len(small)]
    return any(float((small[j] - small[i]).abs().mean()) < change / 2 for i, j in within)


def _other(here: Tensor, there: Tensor) -> Float[Tensor, " n"]:
    """Share of the blocks of each frame that aren't found in another."""
    return (shifts(here, there, REACH).after > LOST**2).float().mean((1, 2))
