"""Bars at the sides of a film's picture (letterbox, pillarbox), and the 8x8 blocks that compression leaves."""

from collections.abc import Iterator
from itertools import islice
from typing import final

import numpy as np

from planaria.data.sources import Pictures, Source

LOOKED = 240
"""Frames from the first taken on among which pictures are looked at, in full size."""
PICTURES = 8
"""Pictures looked at."""
ACROSS = 512
"""Most pixels looked at along a bar."""
FLAT = 14
"""Largest difference from the bar's colour within a bar, in levels of 255: compression leaves some."""
LEAST = 0.02
"""Narrowest bar, as a share of its side; and 2 pixels."""
LEFT = 0.25
"""Least share of a side that is left between bars."""
EDGE = 0.5
"""Least share of the line within a bar's edge that differs from the bar, in a picture whose edge is seen."""
SEEN = 1 / 3
"""Least share of pictures in which the edge is seen: a thing that moves before an empty background has none."""
BLOCK = 8
BLOCKY = 1.25
"""Ratio of the steps between blocks of 8x8 pixels to those within them above which a film is blocky."""


@final
class Whole:
    """Some pictures of a source as they are, RGB or grey in 8 bits."""

    def __init__(self, source: Source, start: int = 0, every: int = 1) -> None:
        self.pictures = [_levels(picture) for picture in _some(source, start, every)]

    def crop(self) -> str:
        """Region without bars, as the setting `crop` says it: `x,y,w,h` in pixels; none where there are no bars."""
        if not self.pictures or len({picture.shape for picture in self.pictures}) > 1:
            return "none"
        h, w, _ = self.pictures[0].shape
        film = np.stack([picture[:, :: -(-w // ACROSS)] for picture in self.pictures]).astype(np.float32)
        top, bottom = _bar(film), _bar(film[:, ::-1])
        film = np.stack([picture[:: -(-h // ACROSS)].swapaxes(0, 1) for picture in self.pictures]).astype(np.float32)
        left, right = _bar(film), _bar(film[:, ::-1])
        if h - top - bottom < LEFT * h or w - left - right < LEFT * w or not (top or bottom or left or right):
            return "none"
        return f"{left},{top},{w - left - right},{h - top - bottom}"

    def blockiness(self) -> float:
        """Ratio of the mean step across the edges of 8x8 blocks to that elsewhere; 1 where there are no blocks."""
        ratios = []
        for picture in self.pictures:
            if min(picture.shape[:2]) < 8 * BLOCK:
                return 1.0
            grey = picture.mean(2, dtype=np.float32)
            for side in (grey, grey.T):
                steps = np.abs(np.diff(side, axis=1)).mean(0)
                edges = np.arange(len(steps)) % BLOCK == BLOCK - 1
                if steps[~edges].mean() > 0:
                    ratios.append(steps[edges].mean() / steps[~edges].mean())
        return float(np.median(ratios)) if ratios else 1.0


def _some(source: Source, start: int, every: int) -> Iterator[np.ndarray]:
    """Pictures spread over the first `LOOKED` frames taken."""
    known = source.count or source.expected
    taken = min(LOOKED, len(range(start, known, every))) if known else LOOKED
    apart = max(1, taken // PICTURES)
    if isinstance(source, Pictures):
        return (source.at(start + k * apart * every) for k in range(min(PICTURES, -(-taken // apart))))
    return islice(source.frames(start, every * apart), PICTURES)


def _levels(picture: np.ndarray) -> np.ndarray:
    """Convert a picture of any type to 8 bits, without its transparency."""
    shown = picture[..., :3]
    if shown.dtype == np.uint8:
        return shown
    return (shown >> 8 if shown.dtype == np.uint16 else shown * 255).astype(np.uint8)


def _bar(film: np.ndarray) -> int:
    """Rows of a bar at the top of pictures `(n, h, w, c)`: of one colour in all, up to an edge; 0 where none."""
    colour = np.median(film[:, 0], axis=(0, 1))
    off = np.abs(film - colour).max(3)
    flat = (off <= FLAT).all((0, 2))
    rows = len(flat) if flat.all() else int(flat.argmin())
    if rows < max(2, LEAST * len(flat)) or rows == len(flat):
        return 0
    beyond = off[:, rows : rows + 3].max(1) > FLAT
    return rows if ((beyond.mean(1) >= EDGE).mean() >= SEEN) else 0
