"""Scenes that stand for photos: smooth shading, fine texture, hard edges, wide flat areas.

They need no network and carry no licence conditions: they were drawn by `benchmarks/draw_pictures.py`. Each has
variants, with another hour, place and colours.
"""

from pathlib import Path

from PIL import Image, ImageOps

from planaria.errors import UserError, unknown

LEAST, MOST = 16, 2048
"""Least and most pixels on a side."""
SHORT, LONG = 256, 384
"""Pixels on the sides of the files; larger sizes are enlarged from them."""
VARIANTS = 6
"""Variants of each scene, those of odd numbers upright."""
FOLDER = Path(__file__).with_name("pictures")

ABOUT = {
    "face": "A person, head and shoulders, in the soft light of a window.",
    "landscape": "A valley with mountains in the haze, wooded hills and a lake that mirrors them.",
    "cat": "A tabby cat that sits on a sill and looks at us.",
    "street": "A street of gabled houses that runs to a church, the sun on one side of it.",
    "fruit": "Apples, an orange, a lemon, a pear and grapes on a table, lit from a window.",
    "sea": "The sea towards the sun: waves in perspective, a glittering path, foam on the sand.",
    "bird": "A small bird on a twig before a garden out of focus.",
    "tree": "An old tree alone on a meadow, the sun from one side, its shadow on the grass.",
    "flowers": "Flowers in the sun, their stems and leaves, a garden out of focus behind them.",
    "night": "A skyline at night: lit windows, and their light on the water.",
}
"""Name -> description, in order of use: a selection of a few takes the first ones."""
SCENES: tuple[str, ...] = tuple(ABOUT)


def load(name: str, size: tuple[int, int] = (SHORT, LONG), variant: int = 0) -> Image.Image:
    """Load one of `SCENES` as an RGB photo of `size` rows and columns (16 to 2048 each), cropped to its middle.

    Raises `UserError` for an unknown name, size or variant.
    """
    if name not in ABOUT:
        raise unknown("scene", name, ABOUT)
    if not all(LEAST <= side <= MOST for side in size):
        raise UserError(f"a scene is {LEAST} to {MOST} pixels a side, not {size[1]}x{size[0]}")
    if not 0 <= variant < VARIANTS:
        raise UserError(f"scenes have variants 0 to {VARIANTS - 1}, not {variant}")
    with Image.open(FOLDER / file_of(name, variant)) as file:
        image = file.convert("RGB")
    return ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)


def photo(what: str, pixels: int = 512) -> Image.Image:
    """Load `NAME` or `NAME/VARIANT` as RGBA: the longer side is `pixels` (24 to 2048), the shorter two thirds of it.

    Raises `UserError` for an unknown name, variant or size.
    """
    name, slash, number = what.partition("/")
    if slash and not (number.isdecimal() and len(number) <= 3):
        raise UserError(f"scene:{what}: write scene:NAME or scene:NAME/VARIANT, as in scene:{SCENES[0]}/2")
    long, variant = min(MOST, max(LEAST * 3 // 2, pixels)), int(number or 0)
    return load(name, shape(variant, round(long / 1.5), long), variant).convert("RGBA")


def shape(variant: int, short: int = SHORT, long: int = LONG) -> tuple[int, int]:
    """Rows and columns of a variant."""
    return (long, short) if variant % 2 else (short, long)


def file_of(name: str, variant: int) -> str:
    """Name of the file with a variant of a scene."""
    return f"{name}-{variant}.webp"
