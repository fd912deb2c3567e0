"""A photographic plate: light laid down layer by layer, noise like that of clouds and bark, and its development."""

from typing import final

import numpy as np
from PIL import Image, ImageColor

Plane = np.ndarray
"""A number for every place, `(h, w)` float32."""
Colour = np.ndarray
"""Linear light, red, green and blue: `(3,)` or `(h, w, 3)` float32."""
FINE = 2
"""Places of a plate to a pixel, each way."""
_TABLE = 256


def rgb(name: str) -> Colour:
    """A colour such as `#87a5c3` as linear light."""
    return (np.array(ImageColor.getrgb(name)[:3], np.float32) / 255) ** np.float32(2.2)


def smooth(low: float, high: float, x: Plane) -> Plane:
    """0 below `low`, 1 above `high` (or the other way round), smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blend(t: Plane, *stops: Colour) -> Colour:
    """The colour a part `t` (0 to 1) of the way along evenly spaced colour stops, `(..., 3)`."""
    place = np.linspace(0, 1, len(stops))
    planes = [np.interp(t, place, [stop[k] for stop in stops]) for k in range(3)]
    return np.stack(planes, -1).astype(np.float32)


def chances(seed: int, n: int) -> np.ndarray:
    """`n` numbers in 0..1, float32: the same on every machine and in every version of NumPy (Wellons' lowbias32)."""
    v = np.arange(n, dtype=np.uint32) + np.uint32((seed * 0x9E3779B9 + 0x7F4A7C15) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        v = (v ^ (v >> np.uint32(shift))) * np.uint32(factor)
    v ^= v >> np.uint32(16)
    return (v >> np.uint32(8)).astype(np.float32) / np.float32(2**24)


def noise(x: Plane, y: Plane, seed: int, octaves: int = 6, gain: float = 0.5) -> Plane:
    """Fractal noise, about 0..1 with a mean of 0.5; the coarsest bumps are 1 wide, each octave half of the last."""
    total, weight, whole = np.zeros(np.broadcast(x, y).shape, np.float32), 1.0, 0.0
    for k in range(octaves):
        total += np.float32(weight) * _bumps(x, y, seed * 31 + k)
        whole, weight = whole + weight, weight * gain
        x, y = 1.6 * x - 1.2 * y + 11.7, 1.2 * x + 1.6 * y + 5.3  # turned and twice as fine
    return total / np.float32(whole)


def ridges(x: Plane, y: Plane, seed: int, octaves: int = 6, gain: float = 0.55) -> Plane:
    """Noise with sharp crests, 0..1."""
    total, weight, whole = np.zeros(np.broadcast(x, y).shape, np.float32), 1.0, 0.0
    for k in range(octaves):
        total += np.float32(weight) * (1 - np.abs(2 * _bumps(x, y, seed * 37 + k) - 1))
        whole, weight = whole + weight, weight * gain
        x, y = 1.6 * x - 1.2 * y + 3.1, 1.2 * x + 1.6 * y + 8.9
    return total / np.float32(whole)


def _bumps(x: Plane, y: Plane, seed: int) -> Plane:
    """One octave: values by chance at whole places, smooth between."""
    table = np.pad(chances(seed, _TABLE * _TABLE).reshape(_TABLE, _TABLE), (0, 1), "wrap").ravel()
    left, top = np.floor(x), np.floor(y)
    u, v = _eased((x - left).astype(np.float32)), _eased((y - top).astype(np.float32))
    at = (top.astype(np.int32) & (_TABLE - 1)) * (_TABLE + 1) + (left.astype(np.int32) & (_TABLE - 1))
    upper, lower = table[at], table[at + (_TABLE + 1)]
    upper += u * (table[at + 1] - upper)
    lower += u * (table[at + (_TABLE + 2)] - lower)
    upper += v * (lower - upper)
    return upper


def _eased(t: Plane) -> Plane:
    return t * t * t * (t * (t * 6 - 15) + 10)


@final
class Plate:
    """A picture in the making: `light` `(h, w, 3)`, linear.

    It is `FINE` times as large as the photo of `size` rows and columns, each way. `y` runs from 0 (top) to 1, `x` from
    `-aspect / 2` to `aspect / 2`; `dot` is the side of one of its places. `seed` makes variants: `chance(k)` is a
    number of its own.
    """

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.h, self.w = FINE * size[0], FINE * size[1]
        self.seed, self.dot, self.aspect = seed, 1 / self.h, self.w / self.h
        y, x = np.mgrid[: self.h, : self.w].astype(np.float32)
        self.y, self.x = (y + 0.5) / self.h, (x + 0.5 - self.w / 2) / self.h
        self.light = np.zeros((self.h, self.w, 3), np.float32)

    def chance(self, k: int, low: float = 0.0, high: float = 1.0) -> float:
        """The `k`-th number of this variant, between two bounds."""
        return low + (high - low) * float(chances(self.seed * 1009 + 7, k + 1)[k])

    def lay(self, cover: Plane, colour: Colour, box: tuple[slice, slice] | None = None) -> None:
        """Lay a colour over what is there, or in a box of it, where `cover` is 1; in part where it is less."""
        there = self.light if box is None else self.light[box]
        there += cover[..., None] * (colour - there)

    def box(self, x: float, y: float, reach: float, high: float | None = None) -> tuple[slice, slice]:
        """Rows and columns of what lies within `reach` of a place, and within `high` of it up and down."""
        high = reach if high is None else high
        rows = (int(np.clip((y + s * high) * self.h, 0, self.h)) for s in (-1, 1))
        columns = (int(np.clip((x + self.aspect / 2 + s * reach) * self.h, 0, self.w)) for s in (-1, 1))
        return slice(*rows), slice(*columns)

    def under(self, line: Plane) -> Plane:
        """The cover of everything below the line `y = line`."""
        return np.clip((self.y - line) / self.dot + 0.5, 0, 1)

    def inside(self, distance: Plane) -> Plane:
        """The cover of a shape, from the distance to its rim, negative inside."""
        return np.clip(0.5 - distance / self.dot, 0, 1)

    def noise(self, scale: float, seed: int, *, stretch: float = 1.0, octaves: int = 6, gain: float = 0.5) -> Plane:
        """Fractal noise over the plate with bumps `scale` wide, `stretch` times as wide as high."""
        return noise(self.x / (scale * stretch), self.y / scale, self.seed * 101 + seed, octaves, gain)

    def developed(self, *, grain: float = 0.012, vignette: float = 0.25) -> Image.Image:
        """The plate as a photo, RGB: highlights rolled off, corners darker, a little grain."""
        light = np.maximum(self.light, 0)
        light = np.minimum(light, 4)  # a glint is no more than white
        h, w = self.h // FINE, self.w // FINE
        light = light.reshape(h, FINE, w, FINE, 3).mean((1, 3))
        y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j].astype(np.float32)
        far = x * x + y * y
        light = light * (1 - vignette * far / 2)[..., None]
        shoulder = np.float32(0.7)
        over = np.maximum(light - shoulder, 0)
        light = np.where(light > shoulder, shoulder + (1 - shoulder) * (1 - np.exp(-over / (1 - shoulder))), light)
        shown = light ** np.float32(1 / 2.2)
        a, b = chances(self.seed * 53 + 5, 2 * h * w).reshape(2, h, w, 1)
        shown += np.float32(grain) * (a + b - 1) * 2
        return Image.fromarray((shown.clip(0, 1) * 255).round().astype(np.uint8))
