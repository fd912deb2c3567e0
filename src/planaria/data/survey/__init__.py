"""Survey of a film before training: what in it no local law continues, and settings that follow from it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from planaria.data.bars import BLOCKY, Whole
from planaria.data.clips import SIMULATED, films_of
from planaria.data.frames import Frames, find_source, open_frames
from planaria.data.survey import cells, cuts, shifts
from planaria.data.survey.analogues import predictable

SIDE = 128
"""Longest side of the frames that are looked at, in cells."""
LOOKED = 300
"""Frames of a film that are looked at, in `RUNS` runs of consecutive ones; cuts are sought in all."""
RUNS = 3
SMALL = 32
"""Longest side of the frames in which cuts are sought, in cells."""
WATCHED = 20_000
"""Most frames in which cuts are sought."""
FEWEST, MOST = 2, 12
"""Cell steps from frame to frame, at least and at most."""
UNSEEN = 4
"""Cell steps from frame to frame where the film isn't looked at, as a simulator's."""
USUAL = 96
"""Longest side in cells to which the recipe film reduces a larger video."""
LARGE = 128 * 128
"""Cells of a frame above which a training takes long."""
SLIGHT = 0.2
"""Largest share of the frame that all that moves lies within, if one small part moves."""
LEFT = 0.5
"""Least share of the frame that is left without an overlay, if cutting that off is a cure."""
NOISY = 0.004
"""Least standard deviation of noise that is worth a line, in 0..1: about one level of 255."""
LINES = 6
"""Most lines before a training."""


@dataclass(frozen=True)
class Finding:
    """Something about a film that training should know."""

    name: str
    """Kind of finding: bars, overlay, cuts, camera, noise, still, part, repeats, size, short, texture."""
    text: str
    """Line for people, with the numbers of frames, and the cure as a setting where there is one."""
    settings: Mapping[str, str | int]
    """Settings that are the cure; none where there is none."""


@dataclass(frozen=True)
class Survey:
    """What a film is like."""

    name: str
    count: int
    """Number of frames that were read."""
    size: tuple[int, int]
    """Rows and columns of the frames, as training will see them."""
    side: int
    """Setting `size` for that; 0 as they are."""
    grey: bool
    fps: float
    scenes: tuple[tuple[int, int], ...]
    """First frame and end of each scene that is long enough to learn from."""
    moving: float
    """Mean share of cells that change from a frame to the next."""
    speed: float
    """Median speed of what moves, in cells of training a frame; 0 where it isn't known."""
    fast: float
    """Speed that 95 % of it doesn't exceed."""
    noise: float
    """Standard deviation of the noise in still places, in 0..1."""
    looked: int
    """Frames of the longest run of them that was looked at, without a cut."""
    predictable: int
    """Frames ahead that these are predictable, at least."""
    findings: tuple[Finding, ...]


def steps_for(fast: float, reach: int = 1) -> int:
    """Cell steps from frame to frame for speeds up to `fast` cells a frame; a signal travels `reach` cells a step."""
    return min(MOST, max(FEWEST, math.ceil(fast / reach)))


def size_for(longest: int, largest: int) -> int:
    """Setting `size` for a source whose longest side is `longest`: 0, as it is, unless that is much above `largest`.

    A source up to a third larger stays as it is; `largest` 0 is no limit.
    """
    return largest if largest and 3 * longest > 4 * largest else 0


def survey(
    source: str, *, size: int = 0, every: int = 1, crop: str = "none", count: int = 0, colour: str = "auto",
    largest: int = 0, least: int = 12,
) -> list[Survey]:  # fmt: skip
    """Survey of each film that `source` names; the options are those of `open_clips`, and `largest` of `size_for`.

    Scenes of fewer than `least` frames are left out. Raises `UserError` for what can't be opened. A film is read once;
    about 300 of its frames are looked at, at most 128 cells wide.
    """
    return [
        _survey(path, size=size, every=every, crop=crop, count=count, colour=colour, largest=largest, least=least)
        for path in ([source] if source.startswith(SIMULATED) else films_of(source))
    ]


def _survey(
    path: str, *, size: int, every: int, crop: str, count: int, colour: str, largest: int, least: int
) -> Survey:  # fmt: skip
    plain = open_frames(path, every=every, crop=crop, count=count, colour=colour)
    longest = max(plain.size)
    size = size or size_for(longest, largest)
    scale = size / longest if size else 1.0
    grid = (max(1, round(plain.size[0] * scale)), max(1, round(plain.size[1] * scale)))
    side = min(SIDE, max(grid))
    seen = plain if side == longest else open_frames(
        path, size=side, every=every, crop=crop, count=count, colour=colour
    )  # fmt: skip
    n, small, runs = _read(seen)
    at = cuts.cuts(small)
    faded = cuts.fades(small, at)
    parts = cuts.scenes(n, at, faded, least)
    shots = _within(runs, cuts.scenes(n, at, faded, 1)) or [runs[0][1][:1]]
    longest_shot = max(shots, key=len)
    sigma = cells.noise(shots)
    moved = shifts.motion(shots)
    wider = max(grid) / max(seen.size)
    film = _Film(path, plain, grid, n, at, faded, parts, shots, sigma, moved, wider, every)
    speed, fast = moved.median * wider, moved.fast * wider
    return Survey(
        path, n, grid, size, seen.visible == 1, seen.fps, tuple(parts), cells.moving(shots, sigma), speed, fast, sigma,
        len(longest_shot), predictable(longest_shot), tuple(film.findings(size, largest, crop)),
    )  # fmt: skip


def _read(frames: Frames) -> tuple[int, Tensor, list[tuple[int, Tensor]]]:
    """Number of frames, all of them in small, and the first numbers and frames of the runs that are looked at."""
    known = frames.expected or LOOKED
    length = LOOKED // RUNS if known > LOOKED else LOOKED
    firsts = [k * (known - length) // (RUNS - 1) for k in range(RUNS)] if known > LOOKED else [0]
    kept: list[list[Tensor]] = [[] for _ in firsts]
    small, n = [], 0
    part = max(1, -(-max(frames.size) // SMALL))
    for frame in frames:
        small.append(F.avg_pool2d(frame, part, ceil_mode=True).half() if part > 1 else frame.half())
        for first, run in zip(firsts, kept, strict=True):
            if first <= n < first + length:
                run.append(frame)
        n += 1
        if n == WATCHED:
            break
    return n, torch.stack(small).float(), [(k, torch.stack(r)) for k, r in zip(firsts, kept, strict=True) if r]


def _within(runs: list[tuple[int, Tensor]], parts: list[tuple[int, int]]) -> list[Tensor]:
    """Runs of frames without a cut in them, of two or more frames."""
    found = []
    for first, run in runs:
        for begin, end in parts:
            shot = run[max(0, begin - first) : max(0, end - first)]
            if len(shot) > 1:
                found.append(shot)
    return found


@dataclass(frozen=True)
class _Film:
    """Everything that findings are made from."""

    path: str
    plain: Frames
    grid: tuple[int, int]
    count: int
    at: list[int]
    faded: list[cuts.Fade]
    parts: list[tuple[int, int]]
    shots: list[Tensor]
    sigma: float
    moved: shifts.Motion
    wider: float
    every: int

    def findings(self, size: int, largest: int, crop: str) -> Iterator[Finding]:
        """All findings, the most important first."""
        still = not bool(cells.ever(self.shots, self.sigma).any())
        if still:
            yield Finding("still", f"nothing moves in its {self.count} frames: there is nothing to predict", {})
        yield from self._scenes()
        if not self.path.startswith(SIMULATED):
            yield from self._sides(crop)
        yield from self._camera()
        if not still:
            yield from self._parts(crop)
            yield from self._repeated()
        yield from self._sized(size, largest)
        yield from self._noise()
        if cells.textured(self.shots, self.sigma) and not self.path.startswith(SIMULATED):
            text = (
                "it looks like a moving texture, alike everywhere and all along: the task dynamic_texture learns that"
            )
            yield Finding("texture", text, {})

    def _scenes(self) -> Iterator[Finding]:
        if self.at or self.faded:
            where = [f"a cut before frame {cut}" for cut in self.at]
            where += [f"a fade in frames {fade.first} to {fade.end - 1}" for fade in self.faded]
            said = ", ".join(where[:4]) + (f" and {len(where) - 4} more" if len(where) > 4 else "")
            learned = f"{len(self.parts)} scenes are" if len(self.parts) > 1 else "one scene is"
            text = f"{said}: {learned} learned as films of their own (cuts=split)"
            yield Finding("cuts", text, {"cuts": "split"})

    def _sides(self, crop: str) -> Iterator[Finding]:
        if crop != "none":
            return
        whole = Whole(find_source(self.path))
        bars = whole.crop()
        if bars != "none":
            text = f"bars of one colour at its sides, in all frames: cut them off with crop={bars}, or crop=auto"
            yield Finding("bars", text, {"crop": bars})
            return
        logo = cells.overlay(self.shots, self.sigma)
        if logo is not None:
            left, top, wide, high = self._pixels(logo)
            where = f"at {left},{top} lies something of {wide}x{high} pixels that never changes, as a logo does"
            rest = self._without(left, top, wide, high)
            cure = f": leave it out with crop={rest}" if rest else ": no local law keeps it there"
            yield Finding("overlay", where + cure, {"crop": rest} if rest else {})
        if (ratio := whole.blockiness()) > BLOCKY:
            text = f"compression left blocks of 8x8 pixels ({ratio:.1f} times the usual steps between them)"
            yield Finding("blocks", f"{text}: a smaller size averages them away", {})

    def _camera(self) -> Iterator[Finding]:
        if self.moved.zoom:
            zoom = 100 * self.moved.zoom
            text = f"the camera zooms, by {zoom:+.1f} % a frame: no local law does that; take another part with count"
            yield Finding("camera", text, {})
        elif self.moved.whole is not None:
            down, right = (v * self.wider for v in self.moved.whole)
            across, along = "right" if right > 0 else "left", "down" if down > 0 else "up"
            speed = f"{abs(right):.1f} cells a frame to the {across} and {abs(down):.1f} {along}"
            if self.moved.steady:
                text = f"all of the picture moves alike, {speed}: what comes in at the edge can't be known before"
            else:
                text = f"the camera moves ({speed}, and it changes): no local law does that; take a still shot"
            yield Finding("camera", text, {})

    def _parts(self, crop: str) -> Iterator[Finding]:
        found = cells.box(cells.ever(self.shots, self.sigma))
        h, w = self.shots[0].shape[-2:]
        if found is None or found.height * found.width > SLIGHT * h * w or self.path.startswith(SIMULATED):
            return
        left, top, wide, high = self._pixels(found)
        share = 100 * found.height * found.width / (h * w)
        text = f"only {share:.0f} % of the frame ever moves, {wide}x{high} pixels at {left},{top}"
        if crop == "none":
            where = f"{left},{top},{wide},{high}"
            yield Finding("part", f"{text}: crop={where} shows just that", {"crop": where})
        else:
            yield Finding("part", text, {})

    def _repeated(self) -> Iterator[Finding]:
        again = cells.repeats(self.shots)
        if again is not None:
            text = f"{100 * again.share:.0f} % of its frames repeat the one before"
            if again.every:
                every = again.every * self.every
                yield Finding("repeats", f"{text}: every={every} leaves these out", {"every": every})
            else:
                text = f"{text}, in turns of different length: save it at its own frame rate first"
                yield Finding("repeats", text, {})

    def _sized(self, size: int, largest: int) -> Iterator[Finding]:
        h, w = self.grid
        longest = max(self.plain.size)
        if size and size == largest and longest != size:
            text = f"its {self.plain.size[1]}x{self.plain.size[0]} pixels are reduced to {w}x{h} cells"
            yield Finding("size", f"{text}; size={longest} keeps them all", {"size": longest})
        elif h * w > LARGE:
            text = f"its {w}x{h} cells make {h * w:,} a frame, which takes long: size=96 is usual"
            yield Finding("size", text, {"size": 96})
        fast = self.moved.fast * self.wider
        if fast + 1 > MOST:
            less = max(16, int(max(self.grid) * (MOST - 1) / fast))
            text = f"things move {fast:.0f} cells a frame, more than {MOST} cell steps carry: size={less} makes it less"
            yield Finding("fast", text, {"size": less})

    def _noise(self) -> Iterator[Finding]:
        if self.sigma >= NOISY:
            text = f"noise of standard deviation {self.sigma:.3f} in still places (compression, or the camera)"
            yield Finding("noise", f"{text}: a smaller size averages it away", {})

    def _pixels(self, found: cells.Box) -> tuple[int, int, int, int]:
        """Left, top, width and height of a box of the frames looked at, in pixels of the source, rounded outwards."""
        h, w = self.shots[0].shape[-2:]
        tall, wide = self.plain.size
        left, top = found.left * wide // w, found.top * tall // h
        right, bottom = -(-(found.left + found.width) * wide // w), -(-(found.top + found.height) * tall // h)
        return left, top, right - left, bottom - top

    def _without(self, left: int, top: int, wide: int, high: int) -> str:
        """Largest crop without a box, `x,y,w,h`; empty where that is less than `LEFT` of the frame."""
        h, w = self.plain.size
        rests = [
            (0, 0, w, top), (0, top + high, w, h - top - high), (0, 0, left, h), (left + wide, 0, w - left - wide, h),
        ]  # fmt: skip
        best = max(rests, key=lambda rest: rest[2] * rest[3])
        return ",".join(map(str, best)) if best[2] * best[3] >= LEFT * h * w else ""


def named(source: str) -> str:
    """Name of a film for a table: of a file its own."""
    return source if source.startswith(SIMULATED) else Path(source).name or source
