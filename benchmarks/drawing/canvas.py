"""A canvas for pictures drawn by code: outlines, tubes, shading."""

from collections.abc import Sequence
from typing import final

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter


@final
class Canvas:
    """A transparent square to paint on, `side` pixels wide; 0 to 1 is its middle, x right, y down."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.unit = side * 0.75
        self.image = Image.new("RGBA", (side, side))
        self.ink = ImageDraw.Draw(self.image)

    def place(self, points: Sequence[float] | np.ndarray) -> np.ndarray:
        """Where points (..., 2) lie, in pixels."""
        return np.asarray(points)[..., :2] * self.unit + (self.side - self.unit) / 2

    def fill(self, outline: np.ndarray, colour: str) -> None:
        """Paint the inside of a closed outline (n, 2)."""
        self.ink.polygon(self.place(outline).ravel().tolist(), colour)

    def disc(self, centre: Sequence[float] | np.ndarray, radius: float, colour: str) -> None:
        """Paint a round spot."""
        (x, y), r = self.place(centre).tolist(), radius * self.unit
        self.ink.ellipse((x - r, y - r, x + r, y + r), colour)

    def tube(self, path: np.ndarray, *stops: str) -> None:
        """Paint along a path of x, y, radius (n, 3), shaded from the rim's colour to the ridge's."""
        spots = np.column_stack([self.place(path), path[:, 2] * self.unit]).tolist()
        levels = 1 if len(stops) == 1 else 20
        for depth in (np.arange(levels) / levels).tolist():
            colour, part = blend(stops, depth), 1 - depth
            for x, y, r in spots:
                self.ink.ellipse((x - r * part, y - r * part, x + r * part, y + r * part), colour)

    def shade(self, outline: np.ndarray, centre: Sequence[float], *stops: str) -> None:
        """Paint the inside of an outline (n, 2), shaded from the rim's colour to the colour at `centre`."""
        for depth in np.arange(96) / 96:
            self.fill(np.asarray(centre) + (outline - np.asarray(centre)) * (1 - depth), blend(stops, depth))

    def wash(self, other: "Canvas", strength: float = 1.0, blur: float = 0.0) -> None:
        """Lay another canvas over this one, softened and faint, only where there is paint already."""
        layer = other.image.convert("RGBa").filter(ImageFilter.GaussianBlur(blur * self.unit)).convert("RGBA")
        alpha = ImageChops.multiply(layer.getchannel("A"), self.image.getchannel("A"))
        layer.putalpha(alpha.point([round(a * strength) for a in range(256)]))
        self.image.alpha_composite(layer)


def blend(stops: Sequence[str], at: float) -> str:
    """The colour a part `at` (0 to 1) of the way along evenly spaced colour stops."""
    table = np.array([ImageColor.getrgb(s)[:3] for s in stops], float)
    place = np.linspace(0, 1, len(stops))
    red, green, blue = (round(float(np.interp(at, place, table[:, i]))) for i in range(3))
    return f"#{red:02x}{green:02x}{blue:02x}"


def spline(
    knots: Sequence[Sequence[float]] | Sequence[np.ndarray] | np.ndarray, closed: bool = False, n: int = 360
) -> np.ndarray:
    """A smooth Catmull-Rom curve through all knots (k, d), as n points (n, d)."""
    k = np.asarray(knots, float)
    k = np.vstack([k[-1:], k, k[:2]]) if closed else np.vstack([2 * k[0] - k[1], k, 2 * k[-1] - k[-2]])
    t = np.linspace(0, len(k) - 3, n, endpoint=not closed)
    i = np.minimum(t.astype(int), len(k) - 4)
    t = (t - i)[:, None]
    a, b, c, d = k[i], k[i + 1], k[i + 2], k[i + 3]
    return b + t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a))) / 2
