"""Photos: pictures that a repainting rule is trained on, and random crops of them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from planaria.data import scenes
from planaria.data.images import LARGEST, open_image
from planaria.data.sources import natural
from planaria.errors import UserError
from planaria.files import PICTURES as SUFFIXES
from planaria.types import Picture

BUILT_IN = "built-in"
"""Name of the source that is always available: the scenes in the package."""
VARIANTS = 3
"""Number of training variants of each scene; the others are for tests."""
LONGEST = 4
"""Largest ratio of a kept photo's longer side to its shorter; of a longer one the middle is kept."""
JITTER = 1.5
"""Largest ratio of a crop, before it is reduced, to the size asked for."""
MOST_BYTES = 400_000_000
"""Most bytes of memory for all photos."""

Crops = Float[Tensor, "n 3 h w"]


@final
@dataclass(frozen=True)
class Photos:
    """Pictures in memory, 8 bits each, of any shapes."""

    pictures: tuple[UInt8[Tensor, "3 _ _"], ...]
    names: tuple[str, ...]
    """Name of each photo."""

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> Picture:
        """Photo `i`, `(3, h, w)` in 0..1."""
        return self.pictures[i].float().div(255)

    def crops(self, n: int, size: tuple[int, int], rng: torch.Generator) -> Crops:
        """`n` random crops of `size` rows and columns, `(n, 3, h, w)` float32 in 0..1.

        Each is of any photo, anywhere in it, half of them mirrored; up to 1.5 times as large as asked for, where the
        photo has room, and then made smaller, every cell a mean of what it covers. A photo that is smaller than a crop
        is enlarged. The same generator gives the same crops.
        """
        h, w = size
        random = torch.rand(n, 5, generator=rng, dtype=torch.float64)
        return torch.stack([self._crop(h, w, draw) for draw in random.tolist()])

    def _crop(self, h: int, w: int, draw: Sequence[float]) -> Picture:
        which, wider, down, across, flip = draw
        picture = self.pictures[int(which * len(self))]
        rows, columns = picture.shape[1:]
        room = min(rows / h, columns / w)
        scale = 1 + wider * (min(JITTER, room) - 1) if room > 1 else room
        tall, wide = min(rows, max(1, round(h * scale))), min(columns, max(1, round(w * scale)))
        top, left = int(down * (rows - tall + 1)), int(across * (columns - wide + 1))
        crop = picture[:, top : top + tall, left : left + wide].float().div(255)
        if (tall, wide) != (h, w):
            crop = F.interpolate(crop[None], (h, w), mode="bilinear", antialias=True)[0].clamp(0, 1)
        return crop.flip(2) if flip < 0.5 else crop

    def pack(self) -> dict[str, Tensor]:
        """Everything as flat tensors, for `unpacked` to read."""
        names = [name.encode() for name in self.names]
        return {
            "photos": torch.cat([picture.flatten() for picture in self.pictures]),
            "photo_sizes": torch.tensor([picture.shape[1:] for picture in self.pictures]),
            "photo_names": torch.tensor(list(b"\n".join(names)), dtype=torch.uint8),
        }


def unpacked(tensors: dict[str, Tensor]) -> Photos:
    """Read back the photos that `pack` packed; other tensors are ignored. Raises `UserError` where they don't fit."""
    try:
        sizes = [(int(h), int(w)) for h, w in tensors["photo_sizes"].tolist()]
        parts = tensors["photos"].split([3 * h * w for h, w in sizes])
        pictures = tuple(part.reshape(3, h, w) for part, (h, w) in zip(parts, sizes, strict=True))
        names = tuple(bytes(tensors["photo_names"].tolist()).decode().split("\n"))
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise UserError("the photos of this checkpoint are damaged") from error
    if len(names) != len(pictures) or not pictures:
        raise UserError("the photos of this checkpoint are damaged")
    return Photos(pictures, names)


def open_photos(source: str, *, size: int = 256, most: int = 64) -> Photos:
    """Open the photos of `source`: a folder of pictures, one picture, several separated by commas, or `built-in`.

    A picture is whatever `data.images.open_image` takes. Each is kept with its shorter side `size` cells (1 to 4096),
    a smaller one as it is; what is transparent lies over white. Of more than `most`, so many are taken, spread evenly
    in the order of the numbers in their names. Files of a folder that can't be read are left out with a warning;
    subfolders aren't entered. Raises `UserError` where there is no photo.
    """
    if not 1 <= size <= LARGEST:
        raise UserError(f"photos are 1 to {LARGEST} cells a side, not {size}")
    if most < 1:
        raise UserError(f"at least 1 photo is taken, not {most}")
    if source == BUILT_IN:
        return _scenes(range(VARIANTS), size, most)
    path, is_file = _path(source), False
    if path is not None:
        if path.is_dir():
            return _of_folder(path, size, most)
        is_file = path.is_file()
    named = [source] if is_file else [part.strip() for part in source.split(",") if part.strip()]
    if not named:
        raise UserError(f"photos={source!r} names none; give a folder of pictures, a picture, or {BUILT_IN}")
    if named == [source] and not is_file and (near := _near(source)):
        raise UserError(f"no photos {source!r}. Did you mean {near!r}?")
    return _kept([(part, _photo(part, size)) for part in _spread(named, most)])


def _path(source: str) -> Path | None:
    """File or folder of that name, if there is one."""
    try:
        path = Path(source).expanduser()
        return path if source and path.exists() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _near(source: str) -> str:
    """`built-in` if `source` looks like a misspelling of it, else ""."""
    return (
        BUILT_IN if source.lower().replace("_", "-").replace(" ", "-") in ("builtin", "built-in", "built-ins") else ""
    )


def unseen(*, size: int = 256, most: int = 4) -> Photos:
    """Test scenes, in variants that `built-in` does not contain; `size` as for `open_photos`."""
    return _scenes(range(VARIANTS, scenes.VARIANTS), size, most)


def _scenes(variants: range, size: int, most: int) -> Photos:
    """Load every scene in some variants, half of them upright."""
    short = min(size, scenes.SHORT)
    asked = [(name, k) for k in variants for name in scenes.SCENES][:most]
    pictures = [scenes.load(name, scenes.shape(k, short, round(1.5 * short)), k) for name, k in asked]
    names = [f"scene:{name}/{k}" if k else f"scene:{name}" for name, k in asked]
    return _kept(list(zip(names, map(_planes, pictures), strict=True)))


def _of_folder(folder: Path, size: int, most: int) -> Photos:
    """Readable pictures of a folder."""
    try:
        paths = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    except OSError as error:
        raise UserError(f"can't read {folder}: {error.strerror or error}") from error
    if not paths:
        raise UserError(f"{str(folder)!r} holds no pictures ({', '.join(SUFFIXES)}); its subfolders aren't looked into")
    pictures, broken = [], []
    for path in _spread(sorted(paths, key=natural), most):
        try:
            pictures.append((path.name, _photo(path, size)))
        except UserError as error:
            broken.append((path.name, error))
    if not pictures:
        raise UserError(f"{str(folder)!r} holds no picture that can be read: {broken[0][1]}")
    if broken:
        listed = ", ".join(name for name, _ in broken[:8]) + (" ..." if len(broken) > 8 else "")
        warnings.warn(f"{folder}: {len(broken)} of {len(pictures) + len(broken)} can't be read: {listed}", stacklevel=3)
    return _kept(pictures)


def _spread(found: list, most: int) -> list:
    """Select at most so many of them, evenly spread, including both ends."""
    if len(found) <= most:
        return found
    return [found[round(k * (len(found) - 1) / max(1, most - 1))] for k in range(most)]


def _photo(source: str | Path, size: int) -> UInt8[Tensor, "3 _ _"]:
    """Make a picture opaque, its shorter side at most `size`, its longer one at most four times that."""
    image = open_image(source, min(LARGEST, max(256, round(1.5 * size))))
    if image.mode == "F":
        image = Image.fromarray((np.asarray(image) * 255).round().astype(np.uint8))
    elif image.mode == "RGBA":
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image)
    image = image.convert("RGB")
    w, h = image.size
    reach = LONGEST * min(w, h)
    if max(w, h) > reach:
        left, top = max(0, w - reach) // 2, max(0, h - reach) // 2
        image = image.crop((left, top, left + min(w, reach), top + min(h, reach)))
    scale = size / min(image.size)
    if scale < 1:
        shape = max(size, round(image.width * scale)), max(size, round(image.height * scale))
        image = image.resize(shape, Image.Resampling.LANCZOS)
    return _planes(image)


def _planes(image: Image.Image) -> UInt8[Tensor, "3 _ _"]:
    return torch.from_numpy(np.array(image, np.uint8)).permute(2, 0, 1).contiguous()


def _kept(pictures: list[tuple[str, Tensor]]) -> Photos:
    """Photos of these pictures, if they fit in memory."""
    taken = sum(picture.numel() for _, picture in pictures)
    if taken > MOST_BYTES:
        raise UserError(
            f"{len(pictures)} photos of this size take {taken / 1e6:,.0f} MB; the limit is {MOST_BYTES / 1e6:,.0f}: "
            "take fewer or smaller ones"
        )
    return Photos(tuple(picture for _, picture in pictures), tuple(name.replace("\n", " ") for name, _ in pictures))
