"""Clips: films that a rule is trained on, their held-out part, and the windows of frames in the rest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from planaria.data.frames import SIMULATED as USUAL
from planaria.data.frames import open_frames
from planaria.data.sources import MOVING, STILLS, natural
from planaria.data.video import FILMS
from planaria.errors import UserError

MOST_KEPT = 32_000_000
"""Most bytes of frames that a checkpoint keeps; with more, a training needs its source to continue."""
MOST_CLIPS = 10_000
SIMULATED = "sim:"
_SCENES = re.compile(r"\d{1,9}:\d{1,9}(?:[,;]\d{1,9}:\d{1,9}){0,9999}", re.ASCII)


@runtime_checkable
class Clip(Protocol):
    """One film: consecutive frames."""

    def __len__(self) -> int: ...

    def stack(self, i: int, j: int) -> Float[Tensor, "n v h w"]:
        """Frames `i` up to but excluding `j`, float32 in 0..1."""
        ...


@dataclass(frozen=True)
class Kept:
    """Film in memory, in 8 bits or in float32."""

    frames: Shaped[Tensor, "n v h w"]

    def __len__(self) -> int:
        return len(self.frames)

    def stack(self, i: int, j: int) -> Float[Tensor, "n v h w"]:
        """Frames `i` up to but excluding `j`."""
        frames = self.frames[i:j]
        return frames.clone() if frames.is_floating_point() else frames.float().div(255)


@dataclass(frozen=True)
class Scene:
    """Part of a film: its frames `first` up to but excluding `end`."""

    film: Clip
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first

    def stack(self, i: int, j: int) -> Float[Tensor, "n v h w"]:
        """Frames `i` up to but excluding `j` of the scene."""
        return self.film.stack(self.first + i, self.first + j)


@dataclass(frozen=True)
class Clips:
    """Films of one size. The last share is held out: the last films of several, the last frames of one."""

    clips: tuple[Clip, ...]
    visible: int
    """Number of channels: 1 grey, 3 RGB."""
    size: tuple[int, int]
    """Rows and columns."""
    fps: float
    held_out: float
    """Fraction of all frames that is not trained on."""

    @property
    def trained(self) -> list[tuple[int, int]]:
        """Number of each training clip, and the count of its first frames that are trained on."""
        if len(self.clips) == 1:
            return [(0, self.split)]
        return [(k, len(self.clips[k])) for k in range(len(self.clips) - self._whole())]

    @property
    def held(self) -> list[tuple[int, int]]:
        """Number of each held-out clip, and its first held-out frame."""
        if not self.held_out:
            return []
        if len(self.clips) == 1:
            return [(0, self.split)]
        return [(k, 1) for k in range(len(self.clips) - self._whole(), len(self.clips))]

    @property
    def split(self) -> int:
        """First held-out frame of the only film."""
        count = len(self.clips[0])
        return count - round(count * self.held_out)

    def _whole(self) -> int:
        """Number of whole clips held out."""
        return min(len(self.clips) - 1, max(1, round(len(self.clips) * self.held_out))) if self.held_out else 0

    def starts(self, length: int) -> list[tuple[int, int]]:
        """Clip and first frame of every window of `length` training frames."""
        return [(k, i) for k, count in self.trained for i in range(count - length + 1)]

    def pack(self) -> dict[str, Tensor]:
        """All frames and their number in each clip; nothing where they are too many to keep.

        They are `frames` in 8 bits, or `values` in float32 where a simulator made them.
        """
        lengths = [len(clip) for clip in self.clips]
        exact = any(isinstance(clip, Kept) and clip.frames.is_floating_point() for clip in self.clips)
        if sum(lengths) * self.visible * self.size[0] * self.size[1] * (4 if exact else 1) > MOST_KEPT:
            return {}
        films = [clip.stack(0, n) for clip, n in zip(self.clips, lengths, strict=True)]
        kept = {"values": torch.cat(films)} if exact else {"frames": torch.cat([_bytes(film) for film in films])}
        return {**kept, "lengths": torch.tensor(lengths), "fps": torch.tensor(self.fps, dtype=torch.float64)}


def unpacked(packed: dict[str, Tensor], held_out: float) -> Clips:
    """Read back the clips that `pack` packed. Raises `UserError` where they don't fit."""
    kept = packed.keys() - {"lengths", "fps"}
    if kept not in ({"frames"}, {"values"}) or not packed.keys() >= {"lengths", "fps"}:
        raise UserError("the checkpoint is damaged: it keeps a part of its video only")
    (frames,), lengths, fps = (packed[name] for name in kept), packed["lengths"].tolist(), float(packed["fps"])
    whole = sum(lengths) == len(frames) and min(lengths, default=0) > 0 and fps > 0
    if not whole or frames.shape[1] not in (1, 3) or min(frames.shape) < 1:
        raise UserError(f"the checkpoint is damaged: its video is {list(frames.shape)} in clips of {str(lengths)[:60]}")
    films = frames.split(lengths)
    size = (frames.shape[2], frames.shape[3])
    return Clips(tuple(map(Kept, films)), frames.shape[1], size, fps, held_out)


def open_clips(
    source: str, *, clips: int = 1, count: int = 0, held_out: float = 0.0, size: int = 0, seed: int = 0,
    cuts: str = "keep", **options: Any,
) -> Clips:  # fmt: skip
    """Open the films that `source` names: whatever `open_frames` takes, or a folder of such films.

    `sim:NAME` is simulated `clips` times on `size` cells, `count` frames each (200 where 0), from different initial
    states. `cuts` may give the scenes of the films, each to be a clip of its own: see `scenes`. `options` are those of
    `open_frames`; of a simulator, `every`. Raises `UserError` for films that can't be read or differ in size.
    """
    if not 1 <= clips <= MOST_CLIPS:
        raise UserError(f"clips must be in 1..{MOST_CLIPS}, got {clips}")
    films: Sequence[Clip]
    if source.startswith(SIMULATED):
        films = [_simulated(source, k + seed, count or USUAL, size, **options) for k in range(clips)]
        fps = 30.0 / options.get("every", 1)
    else:
        opened = [open_frames(path, size=size, count=count, **options) for path in films_of(source)]
        films, fps = opened, opened[0].fps
    shapes = {tuple(film.stack(0, 1).shape[1:]) for film in films}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{w}x{h} with {v} channels" for v, h, w in shapes))
        raise UserError(f"{source}: its videos differ: {sizes}; give them one size (size=64 crop=square) and colour")
    ((visible, h, w),) = shapes
    if parts := scenes(cuts):
        films = _cut(films, parts, source)
    return Clips(tuple(films), visible, (h, w), fps, held_out)


def scenes(cuts: str) -> list[list[tuple[int, int]]]:
    """First frame and end of each scene of each film, as the setting `cuts` has them: `0:40,52:120`, `;` between films.

    None for `keep`, and for `split`, which is still to be found. Raises `UserError` for anything else.
    """
    if cuts in ("keep", "split"):
        return []
    if not _SCENES.fullmatch(cuts):
        raise UserError(f"cuts is split, keep, or scenes as FIRST:END,FIRST:END, not {cuts[:60]!r}", "cuts")
    films = [[tuple(map(int, part.split(":"))) for part in film.split(",")] for film in cuts.split(";")]
    if wrong := next((part for film in films for part in film if part[0] >= part[1]), None):
        raise UserError(f"cuts: scene {wrong[0]}:{wrong[1]} has no frames; write FIRST:END, the end excluded", "cuts")
    return [[(first, end) for first, end in film] for film in films]


def spelled(films: Sequence[Sequence[tuple[int, int]]]) -> str:
    """Scenes as the setting `cuts` gives them."""
    return ";".join(",".join(f"{first}:{end}" for first, end in film) for film in films)


def _cut(films: Sequence[Clip], parts: list[list[tuple[int, int]]], source: str) -> list[Clip]:
    """Scenes of the films, in order."""
    if len(parts) != len(films):
        raise UserError(f"cuts: scenes of {len(parts)} films, but {source} has {len(films)}", "cuts")
    for film, within in zip(films, parts, strict=True):
        if (last := max(end for _, end in within)) > len(film):
            raise UserError(f"cuts: a scene ends at frame {last}, but {source} has {len(film)} frames", "cuts")
    return [Scene(film, first, end) for film, within in zip(films, parts, strict=True) for first, end in within]


def films_of(source: str) -> list[str]:
    """List the films in a folder that holds no pictures of its own, ignoring other files; else `source`."""
    folder = Path(source)
    if not folder.is_dir():
        return [source]
    inner = [p for p in folder.iterdir() if not p.name.startswith(".")]
    if any(p.suffix.lower() in STILLS and p.is_file() for p in inner):
        return [source]
    films = [p for p in inner if p.is_dir() or p.suffix.lower() in (*FILMS, *MOVING)]
    return [str(p) for p in sorted(films, key=natural)] or [source]


def _simulated(
    source: str, seed: int, count: int, size: int, *, every: int = 1, crop: str = "none", colour: str = "auto"
) -> Kept:
    from planaria.data import simulate

    if every < 1:
        raise UserError(f"every is at least 1, not {every}")
    if crop not in ("none", "auto") or colour == "rgb":
        raise UserError(f"{source} is made to measure and grey: leave out crop and colour")
    spec, taken = source.removeprefix(SIMULATED), every if every > 1 else None
    return _compact(simulate.frames(spec, count, size=size or None, seed=seed, every=taken))


def _compact(frames: Tensor) -> Kept:
    """Keep float32 frames in 8 bits where these hold them exactly, as those of Life."""
    small = Kept(_bytes(frames))
    return small if torch.equal(small.stack(0, len(frames)), frames) else Kept(frames)


def _bytes(frames: Tensor) -> Tensor:
    return frames.clamp(0, 1).mul(255).round().to(torch.uint8)
