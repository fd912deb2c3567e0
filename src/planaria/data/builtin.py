"""Pictures drawn by code, so that there is always something to grow: no file, no network, no licence to mind."""

from collections.abc import Sequence
from math import ceil
from typing import final

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageOps

from planaria.errors import UserError, unknown

LEAST, MOST = 8, 2048


@final
class _Canvas:
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
            colour, part = _blend(stops, depth), 1 - depth
            for x, y, r in spots:
                self.ink.ellipse((x - r * part, y - r * part, x + r * part, y + r * part), colour)

    def shade(self, outline: np.ndarray, centre: Sequence[float], *stops: str) -> None:
        """Paint the inside of an outline (n, 2), shaded from the rim's colour to the colour at `centre`."""
        for depth in np.arange(96) / 96:
            self.fill(np.asarray(centre) + (outline - np.asarray(centre)) * (1 - depth), _blend(stops, depth))

    def wash(self, other: "_Canvas", strength: float = 1.0, blur: float = 0.0) -> None:
        """Lay another canvas over this one, softened and faint, only where there is paint already."""
        layer = other.image.convert("RGBa").filter(ImageFilter.GaussianBlur(blur * self.unit)).convert("RGBA")
        alpha = ImageChops.multiply(layer.getchannel("A"), self.image.getchannel("A"))
        layer.putalpha(alpha.point([round(a * strength) for a in range(256)]))
        self.image.alpha_composite(layer)


def _blend(stops: Sequence[str], at: float) -> str:
    """The colour a part `at` (0 to 1) of the way along evenly spaced colour stops."""
    table = np.array([ImageColor.getrgb(s)[:3] for s in stops], float)
    place = np.linspace(0, 1, len(stops))
    red, green, blue = (round(float(np.interp(at, place, table[:, i]))) for i in range(3))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _spline(knots: Sequence[Sequence[float]], closed: bool = False, n: int = 360) -> np.ndarray:
    """A smooth Catmull-Rom curve through all knots (k, d), as n points (n, d)."""
    k = np.asarray(knots, float)
    k = np.vstack([k[-1:], k, k[:2]]) if closed else np.vstack([2 * k[0] - k[1], k, 2 * k[-1] - k[-2]])
    t = np.linspace(0, len(k) - 3, n, endpoint=not closed)
    i = np.minimum(t.astype(int), len(k) - 4)
    t = (t - i)[:, None]
    a, b, c, d = k[i], k[i + 1], k[i + 2], k[i + 3]
    return b + t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a))) / 2


def _planarian(canvas: _Canvas) -> None:
    """The flatworm Dugesia from above, gliding: an arrow head with two lobes, crossed eyes, a gut of three branches."""
    spine = _spline(
        [(0.11, 0.02), (0.18, 0.17), (0.22, 0.34), (0.26, 0.51), (0.36, 0.67), (0.53, 0.76), (0.71, 0.72), (0.82, 0.58),
         (0.83, 0.42), (0.75, 0.30), (0.63, 0.25)], n=800)  # fmt: skip
    gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(spine, axis=0).T))])
    gone /= gone[-1]
    ahead = np.gradient(spine, gone, axis=0)
    ahead /= np.hypot(*ahead.T)[:, None]

    def bend(points: np.ndarray) -> np.ndarray:
        """From the straight worm (how far along its length, how far to its side, ...) to the bent one."""
        x, y, dx, dy = (np.interp(points[:, 0], gone, c) for c in (*spine.T, *ahead.T))
        return np.column_stack([x - points[:, 1] * dy, y + points[:, 1] * dx, points[:, 2:]])

    half = _spline(
        [(0.0, 0.0), (0.004, 0.027), (0.018, 0.054), (0.05, 0.09), (0.105, 0.152), (0.145, 0.205), (0.17, 0.203),
         (0.205, 0.127), (0.26, 0.11), (0.36, 0.12), (0.50, 0.137), (0.64, 0.13), (0.78, 0.10), (0.90, 0.055),
         (0.97, 0.022), (1.0, 0.0)], n=500)  # fmt: skip
    outline = np.vstack([half, half[::-1] * (1, -1)])
    for depth in np.arange(40) / 40:
        inner = outline * (1 - 0.1 * depth, 1 - depth) + (0.07 * depth, 0)
        canvas.fill(bend(inner), _blend(("#f4bf8e", "#de987a", "#b86c76", "#995077", "#8a4675", "#854272"), depth))
    gut = _Canvas(canvas.side)
    for flip in (-1, 1):
        branch = [(0.23, 0, 0.010), (0.40, 0, 0.02), (0.46, 0, 0.02), (0.51, 0.05, 0.019), (0.58, 0.066, 0.018)]
        branch += [(0.66, 0.055, 0.017), (0.80, 0.035, 0.014), (0.93, 0.01, 0.005)]
        gut.tube(bend(_spline(branch) * (1, flip, 1)), "#43184f")
        for at in np.linspace(0.25, 0.87, 14):
            root = float(np.interp(at, *np.array(branch).T[:2]))
            wide = float(np.interp(at, *half.T))
            twig = [(at, root, 0.1 * wide), (at + 0.007, root / 2 + 0.32 * wide, 0.1 * wide)]
            twig += [(at + 0.022, 0.64 * wide, 0.085 * wide)]
            gut.tube(bend(_spline(twig) * (1, flip, 1)), "#43184f")
    canvas.wash(gut, 0.6, 0.003)
    spots = _Canvas(canvas.side)
    for i, at in enumerate(np.linspace(0.2, 0.95, 70)):
        across = float(np.interp(at, *half.T)) * (i * 0.618 % 1 * 1.7 - 0.85)
        spots.disc(bend(np.array([(at, across)]))[0], 0.004 + 0.003 * (i * 0.755 % 1), "#ffe3b8")
    canvas.wash(spots, 0.6, 0.001)
    pharynx = _Canvas(canvas.side)
    pharynx.tube(bend(_spline([(0.54, 0, 0.022), (0.575, 0, 0.03), (0.62, 0, 0.02)])), "#ffc9a3")
    canvas.wash(pharynx, 0.95, 0.004)
    for flip in (-1, 1):
        white, pupil, glint = bend(np.array([(0.125, flip * 0.072), (0.118, flip * 0.052), (0.112, flip * 0.045)]))
        canvas.disc(white, 0.056, "#fffdf5")
        canvas.disc(pupil, 0.037, "#1d0f26")
        canvas.disc(glint, 0.009, "#ffffff")


def _lizard(canvas: _Canvas) -> None:
    """A night-blue gecko from above, climbing, with orange spots, a ringed and curling tail and padded toes."""
    skin = ("#093c5a", "#0f7a8c", "#1aa5a2", "#2fc4b2", "#56dcc4")
    spine = _spline(
        [(0.665, 0.035, 0.060), (0.635, 0.085, 0.088), (0.60, 0.135, 0.106), (0.565, 0.19, 0.104), (0.51, 0.275, 0.078),
         (0.46, 0.355, 0.090), (0.42, 0.46, 0.108), (0.42, 0.58, 0.102), (0.46, 0.69, 0.078), (0.53, 0.81, 0.072),
         (0.655, 0.90, 0.066), (0.80, 0.895, 0.058), (0.895, 0.80, 0.050), (0.895, 0.675, 0.042), (0.80, 0.61, 0.034),
         (0.715, 0.655, 0.027), (0.715, 0.74, 0.022), (0.775, 0.765, 0.017)], n=800)  # fmt: skip
    legs = [
        [(0.42, 0.34, 0.054), (0.27, 0.38, 0.044), (0.17, 0.27, 0.037)],
        [(0.50, 0.36, 0.054), (0.69, 0.345, 0.044), (0.82, 0.22, 0.037)],
        [(0.40, 0.66, 0.058), (0.24, 0.63, 0.050), (0.15, 0.76, 0.040)],
        [(0.46, 0.66, 0.058), (0.635, 0.63, 0.050), (0.70, 0.495, 0.040)],
    ]
    for leg in legs:
        wrist = np.array(leg[2][:2])
        heading = np.arctan2(*(wrist - leg[1][:2])[::-1])
        for turn in (-1.2, -0.4, 0.4, 1.2):
            pad = wrist + np.array([np.cos(heading + turn), np.sin(heading + turn)]) * 0.10
            canvas.tube(_spline([(*wrist, 0.026), (*pad, 0.018)], n=60), *skin[:3])
            canvas.tube(np.array([(*pad, 0.027)]), "#d9480f", "#ff9f1c", "#ffc46b")
        canvas.tube(_spline(leg), *skin[:4])
    canvas.tube(spine, *skin)
    ahead = np.gradient(spine[:, :2], axis=0)
    aside = ahead[:, ::-1] * (-1, 1) / np.hypot(*ahead.T)[:, None]
    marks = _Canvas(canvas.side)
    for at in range(470, 800, 44):
        middle, rim = spine[at : at + 20, :2], aside[at : at + 20] * spine[at : at + 20, 2:] * 1.03
        for depth in np.arange(20) / 20:
            ring = np.vstack([middle + rim * (1 - depth), (middle - rim * (1 - depth))[::-1]])
            marks.fill(ring, _blend(("#c2410c", "#f97316", "#ffb04d"), depth))
    for i, at in enumerate(range(185, 465, 32)):
        centre = spine[at, :2] + aside[at] * spine[at, 2] * (0.42 if i % 2 else -0.42)
        marks.tube(np.array([(*centre, 0.036)]), "#d9480f", "#ff8f1f", "#ffb84d")
    canvas.wash(marks)
    for flip in (-1, 1):
        eye = spine[118, :2] + aside[118] * flip * 0.088
        for radius, colour in ((0.065, "#093c5a"), (0.059, "#ffd84d"), (0.044, "#10131f")):
            canvas.disc(eye, radius, colour)
        canvas.disc(eye - np.array([0.013, 0.015]), 0.013, "#ffffff")
        canvas.disc(spine[22, :2] + aside[22] * flip * 0.028, 0.008, "#093c5a")


def _butterfly(canvas: _Canvas) -> None:
    """A morpho from above, wings spread, blue before and violet behind, with four peacock eyes."""
    fore = _spline(
        [(0.515, 0.42), (0.60, 0.25), (0.75, 0.11), (0.92, 0.04), (0.985, 0.09), (0.955, 0.25), (0.925, 0.40),
         (0.86, 0.51), (0.72, 0.555), (0.60, 0.53)], closed=True)  # fmt: skip
    hind = _spline(
        [(0.515, 0.45), (0.66, 0.49), (0.82, 0.53), (0.905, 0.63), (0.88, 0.77), (0.79, 0.855), (0.755, 0.96),
         (0.70, 0.94), (0.66, 0.865), (0.57, 0.79), (0.515, 0.64)], closed=True)  # fmt: skip
    dark, fur = "#331a7d", ("#1f1038", "#3b2160", "#7a4fa8")
    violet = ("#6a1fb5", "#9a35d9", "#d25be0", "#f58fd0", "#ffc6da", "#ffe0dd")
    blue = ("#1f3fd0", "#1873ee", "#18a4fa", "#3fd0ff", "#8cecff", "#d2fbff")
    wings = (
        (hind, (0.55, 0.53), violet, range(88, 172, 16), (0.745, 0.70, 0.09)),
        (fore, (0.52, 0.44), blue, range(117, 265, 18), (0.80, 0.265, 0.08)),
    )
    for wing, root, colours, rim, (x, y, r) in wings:
        canvas.shade(wing, root, dark, dark, *colours)
        veins = _Canvas(canvas.side)
        for at in rim:
            reach = wing[at] - root
            veins.tube(_spline([(*(root + reach * 0.3), 0.002), (*(root + reach * 0.85), 0.009)], n=120), dark)
        canvas.wash(veins, 0.4, 0.001)
        for at in rim:
            canvas.disc(root + (wing[at] - root) * 0.94, 0.014, "#fff4d6")
        for part, colour in ((1, dark), (0.86, "#ffc53d"), (0.62, "#f0386b"), (0.44, "#1b1040")):
            canvas.disc((x, y), r * part, colour)
        canvas.disc((x + r * 0.12, y - r * 0.14), r * 0.16, "#ffffff")
    antenna = _spline([(0.51, 0.28, 0.011), (0.545, 0.17, 0.011), (0.60, 0.09, 0.012), (0.665, 0.06, 0.013)])
    canvas.tube(antenna, "#4b2a9e")
    canvas.tube(antenna[-20:] + np.array([0, 0, 0.010]), "#e8590c", "#ffc53d")
    canvas.image.alpha_composite(ImageOps.mirror(canvas.image))
    body = _spline([(0.5, 0.33, 0.035), (0.5, 0.41, 0.052), (0.5, 0.48, 0.040), (0.5, 0.58, 0.040), (0.5, 0.76, 0.014)])
    canvas.tube(body, *fur)
    for x, y, r in body[np.searchsorted(body[:, 1], (0.49, 0.545, 0.60, 0.65, 0.695))]:
        w = 0.85 * r - 0.006
        canvas.tube(_spline([(x - w, y - 0.006, 0.006), (x, y + 0.006, 0.012), (x + w, y - 0.006, 0.006)]), "#ffc53d")
    canvas.tube(np.array([(0.5, 0.285, 0.050)]), *fur)
    for flip in (-1, 1):
        canvas.disc((0.5 + flip * 0.038, 0.268), 0.029, "#a98be0")
        canvas.disc((0.5 + flip * 0.038, 0.268), 0.024, "#0d0718")
        canvas.disc((0.5 + flip * 0.040, 0.260), 0.009, "#ffffff")


PAINTERS = {"butterfly": _butterfly, "lizard": _lizard, "planarian": _planarian}
PICTURES: tuple[str, ...] = tuple(PAINTERS)


def draw(name: str, pixels: int = 512) -> Image.Image:
    """One of `PICTURES`, a square of `pixels` (8 to 2048) a side, RGBA with straight alpha on a transparent ground.

    The picture fills the longer side and is centred on the other. Raises UserError for an unknown name or size.
    """
    if name not in PAINTERS:
        raise unknown("built-in picture", name, PICTURES)
    if not LEAST <= pixels <= MOST:
        raise UserError(f"a built-in picture is {LEAST} to {MOST} pixels a side, not {pixels}")
    canvas = _Canvas(pixels * max(2, ceil(1536 / pixels)))
    PAINTERS[name](canvas)
    image = canvas.image.crop(canvas.image.getbbox())
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((pixels, pixels), Image.Resampling.HAMMING)
