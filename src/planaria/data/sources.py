"""Sources of frames: folders of pictures, animations, simulators."""

import json
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image, UnidentifiedImageError

from planaria.data.images import open_image
from planaria.data.raster import FORMATS, MOST_PIXELS, first_frame, frames_of, seen
from planaria.data.sound import Sound
from planaria.errors import UserError

STILLS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif")
"""Suffixes of the pictures in a folder of frames; other files there are ignored."""
MOVING = (".gif", ".webp", ".png", ".apng", ".tif", ".tiff", ".avif")
NOTE = ".planaria-frames.json"
"""Name of the note in a folder of frames: their origin, and the frames per second."""
FPS = 30.0
MOST_FRAMES = 1_000_000
LOOKS = 12
"""Number of places of a source that are examined for colour."""
_GREY_MODES = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"}


class Source(ABC):
    """Frames in order. A picture is `(h, w, 1|3|4)`: uint8 or uint16, or float32 in 0..1; 4 is straight alpha."""

    name: str
    """Name of the source, as the user typed it."""
    fps: float
    """Frames per second."""
    kind: type[np.generic] = np.uint8
    """Data type in which its pictures are kept."""
    tint: tuple[int, int] = (0, 0)
    """Largest difference of channels that counts as grey, and that in a later frame, where a codec blurs colours."""
    count: int | None = None
    """Number of frames; None where it is known only after reading."""
    expected: int | None = None
    """Number of frames that the file states."""
    sound: Sound | None = None
    """Sound that goes with its frames."""

    @abstractmethod
    def frames(self, start: int = 0, every: int = 1) -> Iterator[np.ndarray]:
        """Yield pictures from frame `start` on, each `every`-th."""

    @abstractmethod
    def grey(self) -> bool:
        """True if it looks grey."""


@final
class Pictures(Source):
    """Picture files, one per frame, that all have the same size; access to any of them is equally fast."""

    def __init__(self, name: str, paths: list[Path], fps: float = FPS) -> None:
        self.name, self.fps, self.count, self.expected, self.paths = name, fps, len(paths), len(paths), paths
        self._size: tuple[int, int] | None = None
        heads = [_head(path) for path in paths]
        for path, (_, size) in zip(paths, heads, strict=True):
            if sorted(size) != sorted(heads[0][1]):  # a picture may lie on its side until it is read
                raise self._uneven(path, size, heads[0][1])
        self._modes = {mode for mode, _ in heads}
        if any(mode.startswith("I") for mode in self._modes):
            self.kind = np.uint16
        h, w = self.at(0).shape[:2]
        self._size = w, h

    def at(self, k: int) -> np.ndarray:
        """Frame `k`."""
        image = open_image(self.paths[k])
        if image.size != (self._size or image.size):
            raise self._uneven(self.paths[k], image.size, self._size or image.size)
        return levels(image)

    def frames(self, start: int = 0, every: int = 1) -> Iterator[np.ndarray]:
        """Yield pictures from frame `start` on, each `every`-th."""
        return (self.at(k) for k in range(start, len(self.paths), every))

    def grey(self) -> bool:
        """True if the files are grey by their mode, or look grey."""
        return self._modes <= _GREY_MODES or all(tint(self.at(k)) == 0 for k in _spread(len(self.paths)))

    def _uneven(self, path: Path, size: tuple[int, int], first: tuple[int, int]) -> UserError:
        return UserError(
            f"{self.name}: frames have one size, but {path.name} is {size[0]}x{size[1]} pixels"
            f" and {self.paths[0].name} {first[0]}x{first[1]}"
        )


@final
class Animation(Source):
    """GIF, WebP, AVIF, APNG or TIFF; its frames are composed as displayed, each laid over the last as the file states.

    It is read once as a whole, for its frames and their durations: `fps` comes from the median duration.
    """

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        self._grey, lasting = True, []
        for image, milliseconds in self._read():
            self.kind = image.dtype.type
            self._grey = self._grey and tint(image) == 0
            lasting.append(milliseconds)
        self.count = self.expected = len(lasting)
        self.fps = 1000 / float(np.median(lasting))

    def frames(self, start: int = 0, every: int = 1) -> Iterator[np.ndarray]:
        """Yield pictures from frame `start` on, each `every`-th."""
        for k, (image, _) in enumerate(self._read()):
            if k >= start and (k - start) % every == 0:
                yield image

    def grey(self) -> bool:
        """True if all frames are grey."""
        return self._grey

    def _read(self) -> Iterator[tuple[np.ndarray, float]]:
        """Every frame, and its duration in milliseconds."""
        k = 0
        try:
            with warnings.catch_warnings(action="ignore"):  # remarks on odd files: what matters is raised
                image = Image.open(self._path, formats=FORMATS)
            with image:
                size = image.size
                hidden = first_frame(image)
                with warnings.catch_warnings(action="ignore"):
                    count = min(frames_of(image), MOST_FRAMES)
                for k in range(count):
                    with warnings.catch_warnings(action="ignore"):
                        made = self._frame(image, hidden + k, size)
                    yield made
        except UserError:
            raise
        except Exception as error:  # a decoder at work on a file that cannot be trusted may raise anything
            raise UserError(f"{self.name} is broken or cut short at frame {k}") from error

    def _frame(self, image: Image.Image, k: int, size: tuple[int, int]) -> tuple[np.ndarray, float]:
        image.seek(k)
        if image.width * image.height > MOST_PIXELS:
            raise UserError(f"{self.name}: frames of {image.width}x{image.height} pixels are too large")
        if image.size != size:
            raise UserError(f"{self.name}: frames have one size, but frame {k} has another")
        stands = float(image.info.get("duration") or 0)
        upright = levels(seen(image, self.name))
        stands = float(image.info.get("duration") or stands)  # some readers know it only now
        return upright, stands if stands > 10 else 100.0  # as browsers take it


@final
class Simulated(Source):
    """Run of a simulator from its initial state up to frame `stop`."""

    fps = FPS
    kind = np.float32

    def __init__(self, spec: str, stop: int) -> None:
        self.name, self._spec = f"sim:{spec}", spec
        self.count = self.expected = self._stop = stop

    def frames(self, start: int = 0, every: int = 1) -> Iterator[np.ndarray]:
        """Yield pictures from frame `start` on, each `every`-th, counted after the frames that its settings skip."""
        from planaria.data import simulate

        simulator = simulate.load(self._spec)
        own = simulator.settings
        n = len(range(start, self._stop, every))
        for picture in simulator.film(n, skip=own.skip + start * own.every, every=own.every * every):
            yield picture.permute(1, 2, 0).contiguous().numpy()

    def grey(self) -> bool:
        """True if it is grey: one that shows one value per cell is, without a look at its frames."""
        return False


def stills(folder: Path) -> Pictures:
    """List the pictures of a folder, in the order of the numbers in their names; other files are ignored."""
    try:
        paths = [p for p in folder.iterdir() if p.suffix.lower() in STILLS and not p.name.startswith(".")]
    except OSError as error:
        raise UserError(f"can't read {folder}: {error.strerror or error}") from error
    if not paths:
        raise UserError(f"{str(folder)!r} holds no frames: pictures ending in {', '.join(STILLS)}")
    return Pictures(str(folder), sorted(paths, key=natural), _noted_fps(folder))


def natural(path: Path) -> tuple[list[str | int], str]:
    """Key that sorts names in natural order: `frame2` before `frame10`."""
    parts = re.split("([0-9]+)", path.name.lower())
    return [int(part) if k % 2 else part for k, part in enumerate(parts)], path.name


def tint(image: np.ndarray) -> int:
    """Largest difference between the channels of any pixel, 0 to 255; 0 is grey. Invisible pixels count as grey."""
    if image.shape[2] == 1:
        return 0
    seen = image[..., :3] if image.shape[2] == 3 or image[..., 3].all() else image[..., :3] * (image[..., 3:] > 0)
    red, green, blue = seen[..., 0], seen[..., 1], seen[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return 0
    apart = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return max(1, int(apart.max() * (255 if image.dtype == np.float32 else 1)))


def moves(path: Path) -> bool:
    """True if a picture file holds more than one animation frame, or is a GIF too broken to count its frames."""
    with warnings.catch_warnings(action="ignore"):
        try:
            with Image.open(path, formats=FORMATS) as image:
                return frames_of(image) > 1 or first_frame(image) > 0
        except UnidentifiedImageError:  # what is wrong with it, its reader says
            return False
        except Exception:
            return path.suffix.lower() == ".gif"


def levels(image: Image.Image) -> np.ndarray:
    """Convert a picture from `seen` to an array: RGBA `(h, w, 4)` uint8, or grey `(h, w, 1)` uint16."""
    if image.mode == "F":
        return np.rint(np.asarray(image) * 65535).astype(np.uint16)[..., None]
    return np.asarray(image)


def _spread(count: int) -> list[int]:
    """Positions of `LOOKS` or fewer samples, spread evenly over `count` frames, including both ends."""
    return sorted({round(k * (count - 1) / (LOOKS - 1)) for k in range(LOOKS)})


def _head(path: Path) -> tuple[str, tuple[int, int]]:
    """Mode and size (width, height) of a picture file, from its first bytes."""
    with warnings.catch_warnings(action="ignore"):
        try:
            with Image.open(path, formats=FORMATS) as image:
                return image.mode, image.size
        except Exception:  # the reader of pictures tells what is wrong, in words
            image = open_image(path)
            return image.mode, image.size


def _noted_fps(folder: Path) -> float:
    """Frames per second, as stated in the folder's note."""
    try:
        note = json.loads((folder / NOTE).read_text())
    except (OSError, ValueError, RecursionError):
        return FPS
    fps = note.get("fps") if isinstance(note, dict) else None
    return float(fps) if isinstance(fps, int | float) and 0.01 <= fps <= 1000 else FPS
