"""Files: large photos to read, and pictures to write."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from planaria.data import images
from planaria.errors import UserError, unknown
from planaria.files import unwritable
from planaria.store import write_bytes

PICTURES = (".jpeg", ".jpg", ".png", ".webp")
"""Suffixes of the formats in which a picture can be written."""
LONGEST = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}
"""Most pixels on a side of such a file."""
DRAWN = 1024
"""Default longest side of words, drawings and outlines, which have no pixels of their own."""
QUALITY = 92


def open_photo(source: str | Path, size: int | None = None, planes: int = 3) -> Tensor:
    """Open the picture that `source` names, `(planes, h, w)` uint8, for whatever `data.images.open_image` takes.

    Its longest side is `size` pixels (Lanczos), or as it is where None; transparent parts lie over white. `planes` is
    1 grey (Rec. 601), 3 RGB, or 4 RGB and an alpha of one. A photo of 12 million pixels takes about 150 MB temporarily.
    Raises `UserError` for a file that is no picture, or has more than 50 million pixels.
    """
    if size is not None and size < 1:
        raise UserError(f"the longer side of a photo has at least one pixel, not {size}")
    return planes_of(images.open_image(source, min(size or DRAWN, images.LARGEST)), planes, size)


def planes_of(image: Image.Image, planes: int = 3, size: int | None = None) -> Tensor:
    """Convert a picture to the planes that `open_photo` gives."""
    flat = _flat(image)
    if size is not None and size != max(flat.size):
        scale = size / max(flat.size)
        shape = max(1, round(flat.width * scale)), max(1, round(flat.height * scale))
        check_pixels(shape[1], shape[0])
        flat = flat.resize(shape, Image.Resampling.LANCZOS)
    levels = np.asarray(flat.convert("L"))[..., None] if planes == 1 else np.asarray(flat)
    photo = torch.from_numpy(np.array(levels.transpose(2, 0, 1), order="C"))
    return photo if planes != 4 else torch.cat([photo, torch.full_like(photo[:1], 255)])


def picture_of(seen: Tensor) -> Image.Image:
    """Convert `(3, h, w)` uint8 to a picture."""
    return Image.fromarray(np.ascontiguousarray(seen.cpu().numpy().transpose(1, 2, 0)))


def check_pixels(h: int, w: int) -> None:
    """Raise `UserError` for more pixels than a picture here may have."""
    if h * w > images.MOST_PIXELS:
        most = images.MOST_PIXELS // 1_000_000
        raise UserError(f"{w}x{h} are {h * w / 1e6:,.1f} million pixels; the limit is {most} million: say --size")


def check_picture(path: Path, size: tuple[int, int] | None = None) -> None:
    """Raise `UserError` unless a picture, of `size` rows and columns if that is known, can be written to `path`."""
    suffix = path.suffix.lower()
    if suffix not in PICTURES:
        raise unknown("picture format", path.suffix or path.name, PICTURES)
    if why := unwritable(path):
        raise UserError(f"{path} {why}")
    if size is not None and max(size) > LONGEST.get(suffix, images.MOST_PIXELS):
        raise UserError(f"a {suffix} has at most {LONGEST[suffix]:,} pixels a side, not {max(size):,}; write a .png")


def write_picture(path: Path, seen: Tensor) -> None:
    """Write `(3, h, w)` uint8 as `.png`, `.jpg` or `.webp`, by the suffix; the file is replaced in one step."""
    check_picture(path, (seen.shape[1], seen.shape[2]))
    out, suffix = io.BytesIO(), path.suffix.lower()
    if suffix == ".png":
        picture_of(seen).save(out, "PNG")
    elif suffix == ".webp":
        picture_of(seen).save(out, "WEBP", quality=QUALITY, method=4)
    else:
        picture_of(seen).save(out, "JPEG", quality=QUALITY, subsampling=0)
    write_bytes(path, out.getvalue())


def _flat(image: Image.Image) -> Image.Image:
    """Convert a picture of `data.images.open_image`, or any that Pillow reads, to RGB over white."""
    if image.mode == "F":
        return Image.fromarray((np.asarray(image) * 255).clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if image.mode != "RGBA" and ("A" in image.getbands() or "transparency" in image.info):
        image = image.convert("RGBA")
    if image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255):
        white = Image.new("RGB", image.size, "white")
        white.paste(image, (0, 0), image)
        return white
    return image.convert("RGB")
