"""Pictures to grow, from any kind of source, as premultiplied RGBA on a small grid."""

import hashlib
import re
import stat
import unicodedata
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from planaria.data import builtin, emoji, keying, medmnist, scenes, svg
from planaria.data.fetch import fetch
from planaria.data.raster import MOST_PIXELS as MOST_PIXELS
from planaria.data.raster import decode
from planaria.errors import UserError
from planaria.files import HEAD, what_it_really_is
from planaria.files import PICTURES as SUFFIXES
from planaria.types import Picture

LARGEST = 4096
"""Most cells on a side, or of its padding."""
MOST_BYTES = 200_000_000
MOST_WORDS = 200
INK = (24, 24, 32, 255)

_FRAME = re.compile(r"(.+\.(?:gif|png|apng|webp|avif|tiff?))#(\d{1,6})", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:svg|[?!][^\0]*?<svg)")


def picture(
    source: str | Path,
    size: int = 40,
    padding: int = 0,
    *,
    background: str = "none",
    trim: bool = False,
    cache: Path | None = None,
) -> Picture:
    """Load a picture as (4, h, w) float32 premultiplied RGBA in 0..1, from whatever `open_image` takes.

    Its longest side is `size` cells (1 to 4096), its shape kept, with `padding` empty cells (0 to 4096) on every
    side; colours are premultiplied before they are resized (Lanczos), so that edges keep their colour. `background`
    and `trim` are as in `keying.prepared`; `cache` is the folder of downloads. Raises UserError for a source that
    cannot be read, or with nothing visible in it.
    """
    if not 1 <= size <= LARGEST:
        raise UserError(f"size is 1 to {LARGEST} cells, not {size}")
    if not 0 <= padding <= LARGEST:
        raise UserError(f"padding is 0 to {LARGEST} cells, not {padding}")
    image = open_image(source, min(LARGEST, max(256, 4 * size)), cache=cache)
    planes = _resized(keying.prepared(image, background, trim, cells=size, shown=str(source)), size)
    margin = (padding, padding)
    return torch.from_numpy(np.pad(planes, ((0, 0), margin, margin)))


def remarks(source: str | Path, background: str = "none", trim: bool = False) -> list[keying.Remark]:
    """Remarks on a picture before training: a plain background, empty margins."""
    found = keying.remark(open_image(source), background, trim, str(source))
    return [] if found is None else [found]


def open_image(source: str | Path, pixels: int = 512, *, cache: Path | None = None) -> Image.Image:
    r"""Open the picture that `source` names, upright: RGBA with straight alpha, or mode F in 0..1 for 16-bit grey.

    The form of `source` decides, in this order; a Path is always a file:

    - `text:PLANARIA`: words in bold, `\n` (two characters) begins a new line
    - `emoji:🦎`, or the emoji alone: drawn with the colour font of the system
    - `scene:NAME` or `scene:NAME/VARIANT`: a photo that comes along, see `data.scenes`
    - `medmnist:FLAG/INDEX`, `medmnist:FLAG/SPLIT/INDEX`, `medmnist:FLAG@64/INDEX`: a sample, see `medmnist.sample`,
      or of a file `medmnist:FILE.npz/INDEX`, `medmnist:FILE.npz/SPLIT/INDEX`
    - `https://...` or `http://...`: downloaded once
    - a built-in name, see `planaria list pictures` (write `./lizard` for a file of that name)
    - anything else is a file: PNG, JPEG, WebP, BMP, GIF, TIFF, AVIF or SVG; of moving ones what shows first, or
      `cat.gif#3` for the fourth frame, counted as `open_frames` counts

    `pixels` is the longest side of what has no pixels of its own: words, drawings, outlines. Files are not trusted:
    size and format are checked before anything is decoded. Raises UserError.
    """
    if isinstance(source, Path):
        return _open_file(source, str(source), None, pixels)
    form, _, rest = source.partition(":")
    if form == "text":
        return _write(rest, pixels)
    if form == "emoji":
        return emoji.render(rest, pixels)
    if form == "scene":
        return scenes.photo(rest, pixels)
    if form == "medmnist":
        return Image.fromarray(medmnist.picture(rest, cache=cache)).convert("RGBA")
    if "://" in source:
        return _open_url(source, pixels, cache)
    if source in builtin.PICTURES:
        return builtin.load(source, min(pixels, builtin.MOST))
    if emoji.is_emoji(source):
        return emoji.render(source, pixels)
    if not source.strip():
        raise _missing(Path(), source)
    path, frame = _split_frame(source)
    return _open_file(Path(path), source, frame, pixels)


def name_of(source: str | Path) -> str:
    """Short name for a source, safe in a file system: lower-case letters, digits and dashes.

    `Cat.png` is cat, `text:HELLO` hello, `medmnist:chestmnist/17` chestmnist-17, `🦎` lizard, a web address the stem
    of its file. Where nothing is left, it is `picture-` and six digits derived from the source.
    """
    text = str(source)
    form, _, words = text.partition(":")
    if form in ("http", "https"):
        words = Path(unquote(re.split("[?#]", text)[0])).stem
    elif form not in ("text", "emoji", "medmnist", "scene"):
        name, frame = _split_frame(text)
        words = Path(name).stem + (f"-{frame}" if frame else "")
    if form == "medmnist" and (found := medmnist.FILE.fullmatch(words)):
        words = f"{Path(found[1]).stem}-{found[3]}"
    if emoji.is_emoji(words):
        words = emoji.spell(words)
    plain = unicodedata.normalize("NFKD", words.replace("\\n", " ")).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", plain)[:60].strip("-")
    return slug or f"picture-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _split_frame(source: str) -> tuple[str, int | None]:
    """Split `cat.gif#3` into file name and frame; None where no frame is given."""
    match = _FRAME.fullmatch(source)
    return (match[1], int(match[2])) if match else (source, None)


def _resized(image: Image.Image, size: int) -> np.ndarray:
    """Resize RGBA or grey in mode F to premultiplied RGBA planes (4, h, w) in 0..1 with a longest side of `size`."""
    scale = size / max(image.size)
    shape = max(1, round(image.width * scale)), max(1, round(image.height * scale))

    def resize(plane: np.ndarray) -> np.ndarray:
        small = Image.fromarray(plane.astype(np.float32, copy=False)).resize(shape, Image.Resampling.LANCZOS)
        return np.asarray(small).clip(0, 1)  # Lanczos overshoots

    if image.mode == "F":
        grey = resize(np.asarray(image))
        return np.stack([grey, grey, grey, np.ones_like(grey)])
    cover = np.asarray(image.getchannel("A"), np.float32) / 255
    if not cover.any():
        raise UserError("nothing to grow: every pixel is transparent")
    alpha = resize(cover) if cover.min() < 1 else np.ones(shape[::-1], np.float32)
    colours = [resize(np.asarray(image.getchannel(c), np.float32) / 255 * cover) for c in "RGB"]
    return np.stack([*(np.minimum(colour, alpha) for colour in colours), alpha])


def _open_url(url: str, pixels: int, cache: Path | None) -> Image.Image:
    """Download a picture; a file that is no picture is not kept."""
    address, frame = _split_frame(url)
    path = fetch(address, cache=cache)
    try:
        return _open_file(path, url, frame, pixels)
    except UserError:
        path.unlink(missing_ok=True)
        raise


def _open_file(path: Path, shown: str, frame: int | None, pixels: int) -> Image.Image:
    """Open a picture file, called `shown` in errors."""
    try:
        path = path.expanduser()
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path, shown) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"cannot read {shown!r}: {error}") from error
    if not stat.S_ISREG(about.st_mode):
        raise UserError(f"{shown!r} is {'a folder' if path.is_dir() else 'no ordinary file'}; name one picture file")
    if about.st_size > MOST_BYTES:
        raise UserError(f"{shown!r} is {about.st_size:,} bytes; the limit is {MOST_BYTES:,}")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            file.seek(0)
            really = what_it_really_is(head)
            drawing = _SVG.match(head) or path.suffix.lower() == ".svg"
            if really == "an SVG drawing" or (drawing and ":" not in really):
                return svg.draw(file.read(svg.MOST_BYTES + 1), shown, pixels)
            return decode(file, shown, frame)
    except OSError as error:
        raise UserError(f"cannot read {shown!r}: {error.strerror}") from error


def _missing(path: Path, shown: str) -> UserError:
    """Error for a missing file, with the nearest names of pictures that exist."""
    there = [file.name for file in path.parent.glob("*") if file.suffix.lower() in SUFFIXES]
    names = get_close_matches(path.name, [*there, *builtin.PICTURES])
    near = [name if name in builtin.PICTURES else str(path.parent / name) for name in names]
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return UserError(
        f"no picture {shown!r}; give a picture file, a web address, an emoji, text:WORDS, scene:NAME,"
        f" medmnist:FLAG/INDEX, medmnist:FILE.npz/INDEX or a built-in: {', '.join(builtin.PICTURES)}.{hint}"
    )


def _write(words: str, pixels: int) -> Image.Image:
    r"""Draw words in bold, dark on transparent, cropped tight: `pixels` on the longest side; `\n` begins a new line."""
    import matplotlib  # for DejaVu, which it brings along: the same letters on every machine

    lines = words.replace("\\n", "\n").strip("\n")
    if not lines.strip() or len(lines) > MOST_WORDS:
        raise UserError(f"text: takes 1 to {MOST_WORDS} letters, as in text:PLANARIA")
    face = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf")

    def ink(text: str, size: float) -> Image.Image:
        font = face.font_variant(size=size)
        box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font, align="center")
        image = Image.new("RGBA", (round(box[2] - box[0]) + 4, round(box[3] - box[1]) + 4), (*INK[:3], 0))
        ImageDraw.Draw(image).multiline_text((2 - box[0], 2 - box[1]), text, INK, font, align="center")
        return image.crop(image.getchannel("A").getbbox())

    if lacking := [c for c in sorted(set(lines) - {" ", "\n"}) if ink(c, 50) == ink("\U0010ffff", 50)]:
        raise UserError(f"text: has no letter {' '.join(map(repr, lacking))} in its font; draw it and pass the file")
    return ink(lines, 100 * pixels / max(ink(lines, 100).size))
