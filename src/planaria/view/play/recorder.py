"""Recorder of a player: frames in bounded memory, written as a film while the life goes on."""

import io
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from planaria.errors import UserError
from planaria.export.movie import SIDE, Film, check_suffix
from planaria.store import write_bytes

FPS = 30
MOST_SECONDS = 60
MOST_BYTES = 500_000_000
"""Memory that an enlarged film may take while it is written."""


class Recorder:
    """Collects at most a minute of frames of a `(rows, columns)` grid, thirty a second, and writes them to `path`."""

    def __init__(self, path: Path, size: tuple[int, int]):
        check_suffix(path)
        self.path = path
        self.on = False
        self.fit(size)
        self.events: dict[int, str] = {}
        self._frames: list[np.ndarray] = []
        self._at: list[int] = []
        self._owed = 0.0
        self._writer: ThreadPoolExecutor | None = None
        self._writing: list[Future[Path]] = []
        self._promised: set[Path] = set()
        self._full = ""

    def fit(self, size: tuple[int, int]) -> None:
        """Set the grid `size` of the next film."""
        scale = max(1, -(-SIDE // max(size)))
        self.most = max(2, min(FPS * MOST_SECONDS, MOST_BYTES // (size[0] * size[1] * 3 * scale**2)))

    @property
    def seconds(self) -> float:
        """Length of the film so far."""
        return len(self._frames) / FPS

    @property
    def busy(self) -> bool:
        """True if a film is still to be written."""
        return self.on or bool(self._writing)

    def start(self) -> None:
        """Begin an empty film."""
        self._frames, self._at, self.events = [], [], {}
        self._owed, self.on = 0.0, True

    def due(self, seconds: float) -> bool:
        """True if the next frame should be taken, `seconds` after the last call."""
        if not self.on:
            return False
        self._owed += seconds
        if self._owed < 1 / FPS - 1e-9:
            return False
        self._owed = min(self._owed - 1 / FPS, 1 / FPS)
        return True

    def shoot(self, image: np.ndarray, t: int) -> None:
        """Take frame `(h, w, 3)` uint8 of step `t`, unless it is the very one before; a full film is written."""
        if self._frames and self._at[-1] == t and np.array_equal(self._frames[-1], image):
            return
        self._frames.append(image)
        self._at.append(t)
        if len(self._frames) >= self.most:
            self._full = f"the animation is full; writing {self.stop().name} ..."

    def stop(self) -> Path:
        """End the film and write it, in a thread of its own; returns its path, a free one."""
        film = Film(np.stack(self._frames), tuple(self._at), self.events, FPS)
        self.on, self._frames, self._at, self.events = False, [], [], {}
        path = free(self.path, self._promised)
        self._promised.add(path)
        self._writer = self._writer or ThreadPoolExecutor(1)
        self._writing.append(self._writer.submit(film.save, path))
        return path

    def news(self) -> str:
        """Message on films that were finished meanwhile; mostly empty."""
        full, self._full = self._full, ""
        if full or not self._writing or not self._writing[0].done():
            return full
        done = self._writing.pop(0)
        error = done.exception()
        if error is not None and not isinstance(error, UserError):
            raise error
        return f"{error}" if error else f"wrote {done.result().name}"

    def close(self) -> None:
        """Write the film being recorded, and wait until all are written. Raises `UserError` where it can't be."""
        if self.on:
            self.stop()
        if self._writer is not None:
            self._writer.shutdown()
        writing, self._writing, self._writer = self._writing, [], None
        for done in writing:
            done.result()

    @staticmethod
    def write_picture(path: Path, image: Image.Image) -> None:
        """Write a `.png`, atomically."""
        out = io.BytesIO()
        image.save(out, "PNG")
        write_bytes(path, out.getvalue())


def free(path: Path, taken: Collection[Path] = ()) -> Path:
    """`path`, or the first of `NAME-2`, `NAME-3`, ... that isn't there yet, and isn't `taken`."""
    number, found = 2, path
    while found.exists() or found in taken:
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return found
