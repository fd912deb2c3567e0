"""Built-in pictures to grow, which need no network and carry no licence conditions.

They were drawn by `benchmarks/draw_pictures.py`.
"""

from pathlib import Path

from PIL import Image

from planaria.errors import UserError, unknown

LEAST, MOST = 8, 1024
"""Least and most pixels on a side."""
SMALL, LARGE = 256, 1024
"""Pixels on a side of the files; the small one is lossless: trainings up to 64 cells wide start from it."""
FOLDER = Path(__file__).with_name("pictures")

PICTURES = (
    "butterfly", "fish", "flower", "heart", "ladybird", "lizard", "mushroom", "octopus", "planarian", "snail",
)  # fmt: skip


def load(name: str, pixels: int = 512) -> Image.Image:
    """Load one of `PICTURES`: a square of `pixels` (8 to 1024) a side, RGBA with straight alpha, transparent around.

    The picture fills the longer side and is centred on the other. Raises UserError for an unknown name or size.
    """
    if name not in PICTURES:
        raise unknown("built-in picture", name, PICTURES)
    if not LEAST <= pixels <= MOST:
        raise UserError(f"a built-in picture is {LEAST} to {MOST} pixels a side, not {pixels}")
    with Image.open(FOLDER / file_of(name, SMALL if pixels <= SMALL else LARGE)) as file:
        image = file.convert("RGBA")
    if image.width == pixels:
        return image
    return image.convert("RGBa").resize((pixels, pixels), Image.Resampling.HAMMING).convert("RGBA")


def file_of(name: str, pixels: int) -> str:
    """Name of the file with a picture `SMALL` or `LARGE` pixels wide."""
    return f"{name}-{pixels}.webp"
