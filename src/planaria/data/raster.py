"""Pictures made of pixels, normalised for display: upright, in sRGB, with the intended transparency."""

import contextlib
import io
import re
import warnings

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError, features

from planaria.console import hushed
from planaria.errors import UserError
from planaria.files import HEAD, instead, what_it_really_is

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", *(("AVIF",) if features.check("avif") else ()))
MOST_PIXELS = 50_000_000
"""Most pixels that a picture may declare."""
SAME = 1
"""Largest change of a colour by a profile, in levels of 255, at which the profile counts as sRGB."""

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DEPTHS = {"1": 1, "L;2": 2, "L;4": 4, "L": 8}
_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}
_WHITE_IS_ZERO = 0


def decode(file: io.BytesIO | io.BufferedReader, shown: str, frame: int | None = None) -> Image.Image:
    """Decode a picture file, called `shown` in errors, as `seen` gives it, after a check of its declared size.

    `frame` is one of its frames, counted from `first_frame`; None is the picture that a still viewer shows.
    """
    head = file.read(HEAD)
    file.seek(0)
    if head.startswith(b"\x89PNG") and head[12:16] == b"IHDR":  # Pillow looks on past a header that is all
        declared = int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big")
        if declared > MOST_PIXELS:
            raise too_large(declared, shown)
    with warnings.catch_warnings(action="ignore"):  # remarks on odd files: what matters is checked or raised below
        try:
            with Image.open(file, formats=FORMATS) as image:
                if frame and frame >= (count := frames_of(image)):
                    raise UserError(f"{shown!r} asks for a frame that is not there; it has 0 to {count - 1}")
                wanted = 0 if frame is None else frame + first_frame(image)
                for k in (0, wanted):  # a later frame of a GIF may be larger than the first
                    image.seek(k)
                    if image.width * image.height > MOST_PIXELS:
                        raise too_large(image.width * image.height, shown)
                return seen(image, shown)
        except UserError:
            raise
        except Image.DecompressionBombError as error:
            raise too_large(int(re.findall(r"\d+", str(error))[0]), shown) from error
        except UnidentifiedImageError as error:
            raise UserError(_unknown(shown, head)) from error
        except Exception as error:  # a decoder at work on a file that cannot be trusted may raise anything
            raise UserError(f"{shown!r} is broken or cut short") from error


def _unknown(shown: str, head: bytes) -> str:
    """Error message for a file that no decoder recognises."""
    line = instead(shown, head, f"picture in a format known here: {', '.join(FORMATS)}, SVG")
    begins = what_it_really_is(head)
    known = ":" not in begins and any(name in begins.upper() for name in FORMATS)
    return line.replace("; it is ", "; it begins like ") + ", but can't be read" if known else line


def too_large(pixels: int, shown: str) -> UserError:
    """Error for a picture that declares more pixels than are safe to decode."""
    limit = MOST_PIXELS // 1_000_000
    return UserError(f"{shown!r} has {pixels / 1e6:,.1f} million pixels; the limit is {limit} million: make it smaller")


def first_frame(image: Image.Image) -> int:
    """Index of Pillow's frame that begins the animation: an APNG may begin with a picture for other readers."""
    return 1 if image.info.get("default_image") else 0


def frames_of(image: Image.Image) -> int:
    """Number of animation frames of an opened file; 1 for a photo stored with smaller ones.

    A JPEG is one still, whatever a camera appended to it (MPO). The pages of a TIFF are frames where all have one size.
    """
    if image.format in ("JPEG", "MPO"):
        return 1
    count = getattr(image, "n_frames", 1) - first_frame(image)
    if image.format == "TIFF" and count > 1:
        size = image.size
        sizes = (_size(image, k) for k in range(1, count))
        count = count if all(there == size for there in sizes) else 1
        image.seek(0)
    return count


def _size(image: Image.Image, k: int) -> tuple[int, int]:
    image.seek(k)
    return image.size


def seen(image: Image.Image, shown: str) -> Image.Image:
    """Convert an opened picture of any mode to upright RGBA in sRGB, or mode F in 0..1 for grey of more than 8 bits.

    Raises `UserError` for values that are no levels; errors of the decoder are passed on.
    """
    _match_transparency(image)
    white_is_zero = getattr(image, "tag_v2", {}).get(262) == _WHITE_IS_ZERO
    with hushed() if image.format == "TIFF" else contextlib.nullcontext():
        image.load()
    try:
        turn = _TURN.get(image.getexif().get(0x0112, 1))
    except Exception:  # broken EXIF says nothing about the picture, which then lies as it lies
        turn = None
    flat = _levels(image, shown, white_is_zero) if image.mode[0] in "IF" else _colours(image)
    return flat if turn is None else flat.transpose(turn)


def _match_transparency(image: Image.Image) -> None:
    """Bring the transparent level of a PNG to the depth of its pixels: Pillow widens those to 8 bits, but not it.

    Only the lowest bits count. Doing it twice changes nothing, since a widened level ends in the same bits.
    """
    clear, tiles = image.info.get("transparency"), getattr(image, "tile", None)
    form = tiles[0].args if tiles else ""
    if image.format != "PNG" or clear is None:
        return
    if isinstance(clear, int) and (bits := _DEPTHS.get(str(form))) is not None:
        top = (1 << bits) - 1
        image.info["transparency"] = (clear & top) * (255 // top)
    elif isinstance(clear, tuple):
        image.info["transparency"] = tuple(level >> 8 if form == "RGB;16B" else level & 255 for level in clear)


def _levels(image: Image.Image, shown: str, white_is_zero: bool) -> Image.Image:
    """Convert grey of 16 bits, or in floating point, to mode F in 0..1; to RGBA where one level is transparent."""
    levels = np.asarray(image)
    least, most = float(levels.min()), float(levels.max())
    top = 1 if image.mode == "F" else 65535
    if not 0 <= least <= most <= top:
        raise UserError(f"{shown!r} has numbers from {least:g} to {most:g}; save it with levels of 8 or 16 bits")
    grey = (levels / top).clip(0, 1).astype(np.float32)
    grey = _toned(1 - grey if white_is_zero else grey, image.info.get("icc_profile"))
    flat = Image.fromarray(grey)
    if (clear := image.info.get("transparency")) is not None:
        eight = Image.fromarray((grey * 255).round().astype(np.uint8))
        flat = Image.merge("LA", (eight, Image.fromarray(np.uint8(255) * (levels != clear)))).convert("RGBA")
    return flat


def _colours(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode with up to 8 bits a channel to RGBA in sRGB."""
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply(image).convert("RGBA")
    flat = image.convert("RGBA")
    if image.format == "BMP" and not flat.getchannel("A").getextrema()[1]:
        flat.putalpha(255)  # the fourth byte of a BMP is unused where it is nowhere set
    base = "L" if image.mode in ("1", "L", "LA", "La") else "CMYK" if image.mode == "CMYK" else "RGB"
    inks = image.convert("L") if base == "L" else image if base == "CMYK" else flat.convert("RGB")
    managed = _in_srgb(inks, image.info.get("icc_profile"))
    if managed is None:
        return flat
    managed.putalpha(flat.getchannel("A"))
    return managed


def _toned(grey: np.ndarray, profile: object) -> np.ndarray:
    """Convert grey in 0..1 from a profile's tones to those of sRGB, along the curve of 256 of its levels."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    managed = _in_srgb(ramp, profile)
    if managed is None:
        return grey
    curve = np.asarray(managed.convert("L"), np.float32)[0] / 255
    return np.interp(grey, np.arange(256) / 255, curve).astype(np.float32)


def _in_srgb(inks: Image.Image, profile: object) -> Image.Image | None:
    """Convert a picture of mode L, RGB or CMYK to sRGB by its profile; None where it is missing, broken, or sRGB."""
    if not isinstance(profile, bytes) or not profile:
        return None
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if not isinstance(given.profile, ImageCms.core.CmsProfile) or given.profile.xcolor_space != _SPACES[inks.mode]:
            return None
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(given))
        transform = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), inks.mode, "RGB", intent)
        if inks.mode != "CMYK":
            tried = _samples(inks.mode)
            moved = np.asarray(transform.apply(tried), int) - np.asarray(tried.convert("RGB"), int)
            if np.abs(moved).max() <= SAME:
                return None
        return transform.apply(inks)
    except Exception:  # a broken profile says nothing about the picture, whose numbers then are those of sRGB
        return None


def _samples(mode: str) -> Image.Image:
    """Sample colours spread over all of mode L or RGB."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3))
