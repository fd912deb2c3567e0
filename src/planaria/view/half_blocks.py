"""Pictures in a terminal: two pixels to a character, by half blocks with a colour above and below."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style


class HalfBlocks:
    """A rich renderable of `(h, w, 3)` uint8, at most `columns` characters wide."""

    def __init__(self, image: np.ndarray, columns: int = 72):
        h, w = image.shape[:2]
        columns = max(1, columns)
        if w > columns:
            picture = Image.fromarray(image).resize((columns, max(1, h * columns // w)), Image.Resampling.BOX)
            image = np.asarray(picture)
        self.image = np.pad(image, ((0, image.shape[0] % 2), (0, 0), (0, 0)), "edge")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """One line of characters for two rows of pixels; runs of one colour are one segment."""
        for upper, lower in zip(self.image[::2], self.image[1::2], strict=True):
            yield from self._line(np.concatenate([upper, lower], 1))
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Width of the picture."""
        return Measurement(self.image.shape[1], self.image.shape[1])

    @staticmethod
    def _line(pairs: np.ndarray) -> Iterator[Segment]:
        for colours, run in groupby(map(tuple, pairs.tolist())):
            style = Style(color=Color.from_rgb(*colours[:3]), bgcolor=Color.from_rgb(*colours[3:]))
            yield Segment("▀" * len(list(run)), style)


def cropped(frames: np.ndarray) -> np.ndarray:
    """Crop frames `(n, h, w, 3)` of the rows and columns that are background in all of them, but for one."""
    drawn = (frames != frames[0, 0, 0]).any((0, 3))
    if not drawn.any():
        return frames
    rows, columns = drawn.any(1).nonzero()[0], drawn.any(0).nonzero()[0]
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    return frames[:, top : rows[-1] + 2, left : columns[-1] + 2]
