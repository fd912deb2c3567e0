"""Keying: cut a drawing out of its plain background, un-mix its edges, and crop its empty margins."""

import contextlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageColor

from planaria.data.regions import regions, widened
from planaria.errors import UserError
from planaria.synonyms import nearest

SIDE = 512
"""Longest side, in pixels, of a picture that is keyed, unless its cells need more; a larger one is reduced."""
NEAR = 20
"""Largest difference of a channel from the background's, of 255: JPEG noise in a plain colour around a drawing."""
FAINT = 60
"""Largest difference of a speck's channels from the background's, of 255, at which it counts as noise."""
REACH = 3
"""Largest width of a soft edge, in pixels."""
MARGIN = 0.85
"""Fraction of the picture's longest side below which a drawing's margins are remarked on."""
_ENCLOSED = ("", "holes", "solid")


@dataclass(frozen=True)
class Background:
    """Background to remove from a picture."""

    colour: tuple[int, int, int] | None
    """Colour, 0 to 255; None is whatever plain colour the picture's border has."""
    enclosed: str = ""
    """Areas of that colour within the drawing: `holes` removes them, `solid` keeps them, "" lets `_holes` decide."""


@dataclass(frozen=True)
class Remark:
    """Remark on a picture before training."""

    text: str
    """Remark in one sentence, with the settings that help."""
    settings: dict[str, str] = field(default_factory=dict)
    """Settings that help, as they are typed."""


def parse(typed: str) -> Background | None:
    """Parse a background: `auto`, `white`, `#f0f0f0`, each optionally with `/holes` or `/solid`; None for `none`.

    Raises `UserError` for anything else.
    """
    name, _, enclosed = typed.strip().lower().partition("/")
    if name in ("none", "", "false") and not enclosed:
        return None
    if enclosed in _ENCLOSED and name == "auto":
        return Background(None, enclosed)
    colour = None
    with contextlib.suppress(ValueError):
        colour = ImageColor.getrgb(name)
    if colour is None or enclosed not in _ENCLOSED:
        near = nearest(name, ["auto", "none", *ImageColor.colormap])
        hint = f" Did you mean {near!r}?" if near and near != name else ""
        raise UserError(
            "background is none, auto, a colour by name or #rrggbb, with /holes or /solid if need be, "
            f"got {typed!r}.{hint}"
        )
    return Background((colour[0], colour[1], colour[2]), enclosed)


def prepared(
    image: Image.Image, background: str, trim: bool, *, cells: int = 0, shown: str = "the picture"
) -> Image.Image:
    """Remove the `background` of `image`, and its empty margins if `trim`: RGBA, or unchanged where there is neither.

    A picture that is keyed is at most `SIDE` pixels wide and high, or four to each of its `cells`. Raises `UserError`
    where nothing is left, or the given colour does not occur at the border.
    """
    wanted = parse(background)
    if wanted is not None:
        image = _keyed(image, wanted, max(SIDE, min(4096, 4 * cells)), shown)
    if trim and image.mode == "RGBA":
        image = image.crop(_box(image))
    return image


def remark(image: Image.Image, background: str, trim: bool, shown: str) -> Remark | None:
    """Remark on parts of `image`, called `shown`, not meant to be trained on, with a remedy; None where all is well.

    Raises `UserError` as `prepared` does.
    """
    wanted = parse(background)
    small = _reduced(image, SIDE)
    colour = plain(small)
    if wanted is not None and wanted.colour is None and colour is None and not _cut_out(small):
        return Remark(
            f"{shown}: background=auto finds no plain background, so all of it is learned; background=#rrggbb names one"
        )
    if wanted is not None or colour is not None:
        small = _keyed(small, wanted or Background(colour), SIDE, shown)
    left, top, right, bottom = _box(small)
    spans = max(right - left, bottom - top) / max(small.size)
    cut = {"trim": "true"} if spans < MARGIN and not trim else {}
    if wanted is None and colour is not None:
        kept = "background and its empty margins, which are" if cut else "background, which is"
        cure = {"background": "auto", **cut}
        settings = " ".join(f"{key}={value}" for key, value in cure.items())
        hue = _word(colour)
        return Remark(f"{shown} lies on a plain {hue} {kept} learned too; add {settings} to leave that out", cure)
    if cut:
        finding = f"{shown} spans {spans:.0%} of its picture, and the empty margins count as cells"
        return Remark(f"{finding}; add trim=true to cut them off", cut)
    return None


def plain(image: Image.Image) -> tuple[int, int, int] | None:
    """Colour of the plain background all around a picture; None for a photo, or a picture that is cut out already.

    A border is plain if three quarters of it are within a few levels of one colour, without the noise of a camera.
    """
    rgb, alpha = _arrays(image)
    if _cut_out(image):
        return None
    wide = max(1, min(alpha.shape) // 64)
    sides = rgb[:wide], rgb[-wide:], rgb[:, :wide], rgb[:, -wide:]
    ring = np.concatenate([side.reshape(-1, 3) for side in sides])
    middle = np.median(ring, 0)
    off = np.abs(ring - middle).max(1)
    alike = off <= NEAR / 2
    if alike.mean() < 0.75 or off[alike].mean() > 2.5:
        return None
    drawn = (np.abs(rgb - middle).max(2) > NEAR).mean()
    if not 0.002 < drawn < 0.97:
        return None
    red, green, blue = (round(float(level)) for level in middle)
    return red, green, blue


def _keyed(image: Image.Image, wanted: Background, side: int, shown: str) -> Image.Image:
    """Remove a picture's background, RGBA; unchanged where the background is to be found and there is none."""
    image = _reduced(image, side)
    colour = wanted.colour or plain(image)
    if colour is None or _cut_out(image):
        return image
    rgb, alpha = _arrays(image)
    background = np.array(colour, np.float32)
    away = np.abs(rgb - background).max(2)
    shade, soft = _shade(rgb, background)
    gone = _outside((away <= NEAR) | soft | (alpha < 128))
    if not gone.any():
        raise UserError(f"{shown}: background={_word(colour)} is nowhere at its border; background=auto looks for it")
    gone |= (shade > 0) & widened(gone & (away > NEAR), REACH)  # where a shadow meets what throws it
    gone |= _specks(~gone, away)
    gone |= _holes(rgb, (away <= NEAR) & ~gone, ~gone, wanted.enclosed)
    if gone.all():
        raise UserError(f"{shown}: nothing to grow: all of it is background")
    cover = np.where(gone, np.where(away > NEAR, shade, 0), 1).astype(np.float32)
    rows, columns = (widened(gone, REACH) & ~gone).nonzero()
    cover[rows, columns] = _cover(rgb, background, gone, rows, columns)
    cover[cover < 0.06] = 0
    seen = np.maximum(cover, 1e-6)[..., None]
    ink = ((rgb - (1 - seen) * background) / seen).clip(0, 255) * (cover > 0)[..., None]
    return Image.fromarray(np.dstack([ink, cover * alpha]).round().astype(np.uint8))


def _cover(
    rgb: np.ndarray, background: np.ndarray, gone: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Fraction of each pixel (rows, columns) at an edge that is ink, 0 to 1, the rest being `background`.

    The ink is the colour nearby that is farthest from the background. A pixel that has three neighbours like itself
    is no mixture but an area of its own.
    """
    h, w = gone.shape
    own = rgb[rows, columns]
    ink, farthest, alike = own.copy(), np.abs(own - background).sum(1), np.zeros(len(rows), int)
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            there = (rows + down).clip(0, h - 1), (columns + right).clip(0, w - 1)
            colour = np.where(gone[there][:, None], background, rgb[there])
            far = np.abs(colour - background).sum(1)
            ink[far > farthest] = colour[far > farthest]
            farthest = np.maximum(farthest, far)
            if max(abs(down), abs(right)) == 1:
                alike += (np.abs(colour - own).max(1) <= NEAR / 2) & ~gone[there]
    line = ink - background
    part = ((own - background) * line).sum(1) / np.maximum((line * line).sum(1), 1e-6)
    beside = np.abs(own - background - part[:, None] * line).max(1)
    part = np.where((alike >= 3) | (beside > 2 * NEAR), 1, part)
    more, less = (own - background) / np.maximum(255 - background, 1), (background - own) / np.maximum(background, 1)
    return np.maximum(part, np.maximum(more, less).max(1)).clip(0, 1)  # never less than what the colour itself asks for


def _shade(rgb: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Opacity of a shadow on `background` as black over it, 0 to 1, 0 for none; and a mask of soft shadow."""
    if background.max() < 96:
        return np.zeros(rgb.shape[:2], np.float32), np.zeros(rgb.shape[:2], bool)
    light = (rgb @ background) / float(background @ background)
    neutral = np.abs(rgb - light[..., None] * background).max(2) <= NEAR / 2
    shade = np.where(neutral & (light > 0.3) & (light < 1), 1 - light, 0)
    steps = np.zeros_like(light)
    for axis in (0, 1):
        step = np.abs(np.diff(rgb, axis=axis)).max(2)
        before, after = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
        before[axis], after[axis] = (1, 0), (0, 1)
        steps = np.maximum(steps, np.maximum(np.pad(step, before), np.pad(step, after)))
    return shade, (shade > 0) & (steps <= NEAR / 3)


def _outside(passable: np.ndarray) -> np.ndarray:
    """Mask of the pixels of `passable` that can be reached from the border."""
    labels = regions(passable)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, np.unique(rim[rim >= 0]))


def _specks(figure: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Mask of the small faint specks of `figure`: the noise that JPEG leaves around a drawing."""
    if not figure.any():
        return figure
    labels = regions(widened(figure, 1))
    count = int(labels.max()) + 1
    size = np.bincount(labels[figure], minlength=count)
    loudest = np.zeros(count, np.float32)
    np.maximum.at(loudest, labels[figure], away[figure])
    speck = (size <= max(4, figure.size // 2000)) & (loudest < FAINT)
    return figure & speck[labels]


def _holes(rgb: np.ndarray, enclosed: np.ndarray, figure: np.ndarray, wanted: str) -> np.ndarray:
    """Mask of the `enclosed` areas of the background's colour that are removed too.

    By default: all of it in a drawing of one ink in bold strokes (an O, a ring, a logo), of which it is less
    than twice the ink; else none, as eyes, teeth and the paper within an outline belong to the drawing.
    """
    if wanted or not enclosed.any():
        return enclosed & (wanted == "holes")
    ink = figure & ~enclosed
    core = next((core for by in (2, 1) if (core := ink & ~widened(~ink, by)).any()), ink)  # less its soft edges
    colours = rgb[core]
    one = (np.abs(colours - np.median(colours, 0)).max(1) <= FAINT).mean() > 0.99
    bold = enclosed.sum() <= 2 * ink.sum()
    return enclosed & bool(one and bold)


def _cut_out(image: Image.Image) -> bool:
    """True if a picture is transparent all around already."""
    if image.mode != "RGBA":
        return False
    alpha = np.asarray(image.getchannel("A"))
    rim = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    return bool((rim < 128).mean() > 0.5)


def _box(image: Image.Image) -> tuple[int, int, int, int]:
    """Bounding box of the visible pixels: left, top, right, bottom."""
    if image.mode != "RGBA":
        return (0, 0, *image.size)
    box = image.getchannel("A").point([255 * (level > 12) for level in range(256)]).getbbox()
    if box is None:
        raise UserError("nothing to grow: every pixel is transparent")
    return box


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """Reduce a picture to RGBA whose longest side is at most `side` pixels."""
    if image.mode == "F":
        image = image.point(lambda level: level * 255).convert("L")
    image = image.convert("RGBA")
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    shape = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("RGBa").resize(shape, Image.Resampling.BOX).convert("RGBA")


def _arrays(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Colours `(h, w, 3)` and alpha `(h, w)` of an RGBA picture, float32 in 0..255."""
    whole = np.asarray(image.convert("RGBA"), np.float32)
    return whole[..., :3], whole[..., 3]


def _word(colour: tuple[int, int, int]) -> str:
    if min(colour) >= 245:
        return "white"
    return "black" if max(colour) <= 10 else "#{:02x}{:02x}{:02x}".format(*colour)
