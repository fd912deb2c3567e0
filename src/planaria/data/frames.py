"""Frames of a film as tensors, in order, from any kind of source; and frames written as numbered pictures."""

import contextlib
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import IO, final

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from planaria import files
from planaria.data.bars import Whole
from planaria.data.cut import TOP, Cut, region
from planaria.data.images import LARGEST, MOST_BYTES
from planaria.data.sources import (
    MOVING,
    STILLS,
    Animation,
    Pictures,
    Simulated,
    Source,
    moves,
    stills,
)  # fmt: skip
from planaria.data.video import FILMS, Film
from planaria.errors import UserError, unknown
from planaria.types import Picture

COLOURS = ("auto", "rgb", "grey")
KEEP = 1_000_000_000
"""Most bytes of frames kept in memory; the rest of a longer film is kept in a file."""
SIMULATED = 200
"""Default number of frames of a simulator."""
_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"


def open_frames(
    source: str | Path,
    *,
    size: int = 0,
    every: int = 1,
    crop: str = "none",
    count: int = 0,
    colour: str = "auto",
    start: int = 0,
    background: float = 0.0,
    keep: int = KEEP,
) -> "Frames":
    """Open the frames of a folder of pictures, an animated GIF, WebP or PNG, a film file, or a simulator `sim:NAME`.

    From frame `start` (0 is the first), each `every`-th, at most `count` (0: all; of a simulator 200). `crop` cuts
    every frame to `square`, its middle, to `x,y,w,h` in pixels of the source, or, where it is `auto`, to what lies
    between bars of one colour at its sides, if there are any; then the longest side is resized to
    `size` cells (1 to 4096; 0: as it is), its shape kept: every cell is the mean of the pixels whose middles it
    covers, and enlarging repeats pixels. `colour` is rgb, grey (Rec. 601), or auto: grey where the source is grey.
    Transparency lies over `background`, 0 black to 1 white. Up to `keep` bytes of frames are kept in memory.

    A folder is read in the order of the numbers in its names, `2` before `10`. Files are not trusted: sizes are
    checked before anything is decoded. Raises `UserError` for a source that cannot be read and an invalid setting.
    """
    for name, value, least in (("every", every, 1), ("count", count, 0), ("start", start, 0)):
        if value < least:
            raise UserError(f"{name} is at least {least}, not {value}")
    if not 0 <= size <= LARGEST:
        raise UserError(f"size is 1 to {LARGEST} cells, or 0 to keep it as it is, not {size}")
    if not 0 <= background <= 1:
        raise UserError(f"background is 0 (black) to 1 (white), not {background}")
    if colour not in COLOURS:
        raise unknown("colour", colour, COLOURS)
    found = find_source(source, start, every, count)
    if crop == "auto":
        crop = "none" if isinstance(found, Simulated) else Whole(found, start, every).crop()
    h, w, channels = next(found.frames()).shape
    grey = channels == 1 or found.grey() if colour == "auto" else colour == "grey"
    cut = Cut(found, (h, w), region(crop, h, w, found.name), size, grey, colour == "auto", background)
    return Frames(found, cut, start, every, count, keep)


@final
class Frames:
    """Frames in order, each `(visible, h, w)` float32 in 0..1, made on demand.

    `f[i]` is a frame, `f.stack(i, j)` those from `i` up to but excluding `j`; iterating reads them from the source
    without keeping any. Pictures of a folder are decoded one by one. Seeking into a film is unreliable, so it is
    decoded once, in order, as far as frames are asked for; finished frames (resized, in the 8 or 16 bits of their
    source) are kept, in memory up to a budget, then in an unnamed file that vanishes with this object.
    """

    def __init__(self, source: Source, cut: Cut, start: int, every: int, count: int, keep: int) -> None:
        self._source, self._cut, self._start, self._every = source, cut, start, every
        self._most = count or None
        self.name = source.name
        self.size: tuple[int, int] = cut.shape
        """Rows and columns."""
        self.visible = 1 if cut.grey else 3
        """Number of channels: 1 grey, 3 RGB."""
        self.fps = source.fps / every
        """Frames per second."""
        self.sound = source.sound and replace(source.sound, start=start / source.fps)
        """Sound of a film, from its first frame taken on."""
        self.depth = 8 * source.kind().itemsize
        """Bits per value in the source: 8, 16, or 32 for floating point."""
        self._length = None if source.count is None else self._after(source.count)
        self._kept = _Kept(keep, source)
        self._reader: Iterator[np.ndarray] | None = None
        if self._length == 0:
            raise self._nothing()

    @property
    def expected(self) -> int | None:
        """Number of frames, as far as it is known without reading them; None where it is not."""
        if self._length is not None:
            return self._length
        return self._after(self._source.expected) if self._source.expected else self._most

    def __len__(self) -> int:
        """Number of frames; of a film, found by reading it."""
        while self._length is None:
            self._read()
        return self._length

    def __getitem__(self, i: int) -> Picture:
        """Frame `i`; negative ones count from the end. Raises `IndexError` beyond."""
        return self._tensor(self._picture(i))

    def stack(self, i: int, j: int) -> Float[Tensor, "n v h w"]:
        """Frames `i` up to but excluding `j`. Raises `IndexError` where one of them is missing."""
        if not 0 <= i < j:
            raise IndexError(f"frames {i} up to {j} are none")
        return self._tensor(np.stack([self._picture(k) for k in range(i, j)]))

    def __iter__(self) -> Iterator[Picture]:
        return self.stream()

    def stream(self, first: int = 0) -> Iterator[Picture]:
        """Frames from `first` on, read from the source one at a time; none is kept."""
        return (self._tensor(picture) for picture in self._pictures(first))

    def _picture(self, i: int) -> np.ndarray:
        if i < 0:
            i += len(self)
        if i < 0 or (self._length is not None and i >= self._length):
            raise IndexError(f"{self.name} has {len(self)} frames; there is no frame {i}")
        if (there := self._kept.get(i)) is not None:
            return there
        if isinstance(self._source, Pictures):
            made = self._cut(self._source.at(self._place(i)), self._place(i))
            self._kept.put(i, made)
            return made
        while (there := self._kept.get(i)) is None:
            if not self._read():
                return self._picture(i)
        return there

    def _read(self) -> bool:
        """Read the next frame in order; True if there was one."""
        reader, self._reader = self._reader or self._pictures(len(self._kept)), None
        made = next(reader, None)
        self._reader = reader  # not where that was interrupted: then it goes on after what is kept
        if made is None:
            self._length = len(self._kept)
            return False
        self._kept.put(len(self._kept), made)
        return True

    def _pictures(self, first: int = 0) -> Iterator[np.ndarray]:
        """Finished frames from `first` on, in the format in which they are kept."""
        k, most = first, None if self._most is None else max(0, self._most - first)
        for picture in islice(self._source.frames(self._place(first), self._every), most):
            yield self._cut(picture, self._place(k))
            k += 1
        if not k:
            raise self._nothing()

    def _place(self, i: int) -> int:
        """Number of frame `i` in the source."""
        return self._start + i * self._every

    def _after(self, total: int) -> int:
        """Number of frames taken from `total` in the source."""
        n = len(range(self._start, total, self._every))
        return n if self._most is None else min(n, self._most)

    def _nothing(self) -> UserError:
        there = "no" if self._source.count is None else f"none of its {self._source.count}"
        return UserError(f"{self.name}: {there} frames are left after start={self._start}")

    def _tensor(self, picture: np.ndarray) -> Tensor:
        top = np.float32(TOP[self._source.kind])
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(picture, -1, -3), np.float32) / top)


@final
class _Kept:
    """Finished frames by number: in memory up to a budget; those of a film beyond it in an unnamed file."""

    def __init__(self, budget: int, source: Source) -> None:
        self._budget, self._source, self._bytes = budget, source, 0
        self._here: dict[int, np.ndarray] = {}
        self._file: IO[bytes] | None = None
        self._filed = 0
        self._like = np.empty(0)

    def __len__(self) -> int:
        return len(self._here) + self._filed

    def get(self, i: int) -> np.ndarray | None:
        """Frame `i`; None where it is not kept."""
        at = i - len(self._here)
        if self._file is None or not 0 <= at < self._filed:
            return self._here.get(i)
        self._file.seek(at * self._like.nbytes)
        return np.frombuffer(self._file.read(self._like.nbytes), self._like.dtype).reshape(self._like.shape)

    def put(self, i: int, frame: np.ndarray) -> None:
        """Keep frame `i`; those of a film come in order, those of a folder beyond the budget are not kept."""
        if self._bytes + frame.nbytes <= self._budget:
            self._here[i], self._bytes = frame, self._bytes + frame.nbytes
        elif not isinstance(self._source, Pictures):
            self._bytes = self._budget
            try:
                if self._file is None:
                    self._file, self._like = tempfile.TemporaryFile(), frame  # noqa: SIM115
                    weakref.finalize(self, self._file.close)
                self._file.seek(self._filed * frame.nbytes)
                self._file.write(frame.tobytes())
            except OSError as error:
                raise UserError(
                    f"no room in {tempfile.gettempdir()} for the frames of {self._source.name}: {error.strerror};"
                    " ask for fewer (every, count) or smaller ones (size)"
                ) from error
            self._filed += 1


def write_frames(frames: Iterable[Picture], folder: str | Path, *, first: int = 0, depth: int = 8) -> int:
    """Write frames `(1|3, h, w)` in 0..1 as PNGs `000000.png`, `000001.png` ..., from number `first` on.

    Gives their number. 8 bits are exact; `depth` 16 keeps as many of grey ones. Each file gets its name when it is
    whole. Raises `UserError` when the disk is full or the folder can't be written.
    """
    folder, k = Path(folder), first
    files.sweep(folder)
    for frame in frames:
        image = _image(frame, depth)
        path = _numbered(folder, k)
        spare = files.spare(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            image.save(spare, "PNG")
            spare.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                spare.unlink(missing_ok=True)
            raise UserError(f"can't write {path}: {error.strerror or error}") from error
        k += 1
    return k - first


def whole_frames(folder: Path) -> int:
    """Number of frames by `write_frames` in a folder, up to the first that is missing or incomplete."""
    k = 0
    while _is_whole(_numbered(folder, k)):
        k += 1
    return k


def _numbered(folder: Path, k: int) -> Path:
    return folder / f"{k:06d}.png"


def _is_whole(path: Path) -> bool:
    """True if a PNG is complete up to its end."""
    try:
        with path.open("rb") as file:
            file.seek(-len(_PNG_END), 2)
            return file.read() == _PNG_END
    except OSError:
        return False


def _image(frame: Picture, depth: int) -> Image.Image:
    """Convert a frame to an 8-bit picture, or a 16-bit one where it is grey and `depth` is 16."""
    if frame.shape[0] not in (1, 3):
        raise UserError(f"a frame has 1 channel (grey) or 3 (RGB), not {frame.shape[0]}")
    kind = np.uint16 if depth == 16 and frame.shape[0] == 1 else np.uint8
    levels = frame.detach().cpu().double().nan_to_num().clamp(0, 1).mul(TOP[kind]).round().numpy().astype(kind)
    return Image.fromarray(levels[0] if frame.shape[0] == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)))


def find_source(source: str | Path, start: int = 0, every: int = 1, count: int = 0) -> Source:
    """Find the source that `source` names. Raises `UserError` where there is none."""
    name = str(source)
    if name.startswith("sim:"):
        return Simulated(name.removeprefix("sim:"), start + every * ((count or SIMULATED) - 1) + 1)
    try:
        path = Path(name).expanduser()
        if name and path.is_dir():
            return stills(path)
        if not name or not path.exists():
            near = get_close_matches(path.name, [there.name for there in path.parent.glob("*")])
            hint = f" Did you mean {' or '.join(repr(str(path.parent / n)) for n in near)}?" if near else ""
            raise UserError(f"no frames {name!r}; give a folder of pictures, a video file, or sim:NAME.{hint}")
        if not path.is_file():
            raise UserError(f"{name!r} is no ordinary file; give a folder of pictures, or a video")
        size = path.stat().st_size
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"can't read {name!r}: {error}") from error
    suffix = path.suffix.lower()
    if suffix in FILMS:
        return Film(path)
    if suffix not in (*MOVING, *STILLS):
        raise UserError(f"{name!r} is no video: have {', '.join(sorted({*FILMS, *MOVING}))}, or a folder of pictures")
    if not size:
        raise UserError(f"{name!r} is empty")
    if size > MOST_BYTES:
        raise UserError(f"{name!r} is {size:,} bytes; the limit is {MOST_BYTES:,}: make it an .mp4")
    return Animation(path) if moves(path) else Pictures(name, [path])
