"""Preprocessing of every frame of a source: lay over a background, crop, make grey, resize."""

from typing import final

import numpy as np
from PIL import Image

from planaria.data.sources import Source, tint
from planaria.errors import UserError

TOP = {np.uint8: 255, np.uint16: 65535, np.float32: 1}
"""Value that stands for 1, by data type."""
_REC601 = np.array([0.299, 0.587, 0.114], np.float32)


@final
class Cut:
    """Preprocessing of every frame of a source: lay over a background, crop, make grey, resize."""

    def __init__(
        self, source: Source, whole: tuple[int, int], box: tuple[int, int, int, int], size: int, grey: bool,
        guessed: bool, background: float,
    ) -> None:  # fmt: skip
        self._source, self._whole, self._box, self._background = source, whole, box, background
        self.grey, self._guessed = grey, guessed
        h, w = box[2:]
        scale = size / max(h, w) if size else 1
        self.shape = max(1, round(h * scale)), max(1, round(w * scale))
        """Rows and columns of the result."""

    def __call__(self, image: np.ndarray, place: int) -> np.ndarray:
        """Turn a picture `(h, w, 1|3|4)` into a frame `(h, w, 1|3)` of its source's data type, rounded once."""
        if image.shape[:2] != self._whole:
            raise UserError(f"{self._source.name}: frames have one size, but frame {place} has another")
        top, left, h, w = self._box
        image = image[top : top + h, left : left + w]
        if self.grey and self._guessed and tint(image) > self._source.tint[1]:
            raise UserError(
                f"{self._source.name} looked grey, but frame {place} is in colour: say colour=rgb (or colour=grey)"
            )
        kind, scale = self._source.kind, 257 if self._source.kind is np.uint16 and image.dtype == np.uint8 else 1
        if image.shape[2] == 4:
            image = _laid(image, self._background)
        if self.grey and image.shape[2] == 3:
            image = (image @ _REC601)[..., None]
        if not self.grey and image.shape[2] == 1:
            image = image.repeat(3, 2)
        if image.shape[:2] != self.shape:
            image = _resized(image, self.shape)
        if kind is np.float32 or (image.dtype == kind and scale == 1):
            return np.ascontiguousarray(image, kind)
        return np.rint(image * np.float32(scale)).clip(0, TOP[kind]).astype(kind)


def region(crop: str, h: int, w: int, name: str) -> tuple[int, int, int, int]:
    """Top, left, height and width of the region that `crop` keeps of `h` rows and `w` columns."""
    if crop == "none":
        return 0, 0, h, w
    if crop == "square":
        side = min(h, w)
        return (h - side) // 2, (w - side) // 2, side, side
    numbers = [part.strip() for part in crop.split(",")]
    if len(numbers) != 4 or not all(part.isdecimal() for part in numbers):
        raise UserError(f"crop is none, square, auto, or x,y,width,height in pixels, not {crop!r}")
    left, top, wide, high = map(int, numbers)
    if not (wide and high and left + wide <= w and top + high <= h):
        raise UserError(f"crop {crop!r} is not within the {w}x{h} pixels of {name}")
    return top, left, high, wide


def _laid(image: np.ndarray, background: float) -> np.ndarray:
    """Lay RGBA with straight alpha over a background as RGB; unchanged where nothing is transparent."""
    if image[..., 3].min() == 255:
        return image[..., :3]
    cover = image[..., 3:].astype(np.float32) / 255
    return image[..., :3] * cover + np.float32(255 * background) * (1 - cover)


def _resized(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize a picture `(h, w, c)`, float32: the mean over each cell when reducing, repeated pixels when enlarging."""
    h, w = shape
    planes = [Image.fromarray(image[..., k].astype(np.float32)) for k in range(image.shape[2])]
    return np.stack([np.asarray(plane.resize((w, h), Image.Resampling.BOX)) for plane in planes], 2)
