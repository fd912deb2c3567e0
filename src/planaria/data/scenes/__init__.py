"""Scenes drawn by code that stand for photos: smooth shading, fine texture, hard edges, wide flat areas.

No file, no network, no licence to mind. Each may be drawn in variants: another hour, another place, other colours.
"""

from PIL import Image

from planaria.data.scenes import animals, garden, outdoors, portraits, table, town
from planaria.data.scenes.plate import Plate
from planaria.errors import UserError, unknown

LEAST, MOST = 16, 2048
"""Pixels of a side."""
VARIANTS = 1000

PAINTERS = {
    "face": portraits.face,
    "landscape": outdoors.landscape,
    "cat": animals.cat,
    "street": town.street,
    "fruit": table.fruit,
    "sea": outdoors.sea,
    "bird": animals.bird,
    "tree": outdoors.tree,
    "flowers": garden.flowers,
    "night": town.night,
}
"""Name -> what draws it; whoever takes only a few, takes the first ones."""
SCENES: tuple[str, ...] = tuple(PAINTERS)


def about() -> dict[str, str]:
    """Name -> what is to be seen on it."""
    return {name: (painter.__doc__ or "").strip().splitlines()[0] for name, painter in PAINTERS.items()}


def draw(name: str, size: tuple[int, int] = (256, 384), variant: int = 0) -> Image.Image:
    """One of `SCENES` as an RGB photo of `size` rows and columns (16 to 2048 each), the same every time.

    Raises `UserError` for an unknown name, size or variant.
    """
    if name not in PAINTERS:
        raise unknown("scene", name, PAINTERS)
    if not all(LEAST <= side <= MOST for side in size):
        raise UserError(f"a scene is {LEAST} to {MOST} pixels a side, not {size[1]}x{size[0]}")
    if not 0 <= variant < VARIANTS:
        raise UserError(f"scenes have variants 0 to {VARIANTS - 1}, not {variant}")
    plate = Plate(size, variant)
    PAINTERS[name](plate)
    return plate.developed()


def photo(what: str, pixels: int = 512) -> Image.Image:
    """`NAME`, or `NAME/VARIANT`, as RGBA with a longest side of `pixels` (24 to 2048), half as wide again as high.

    Raises `UserError` for what there isn't.
    """
    name, slash, number = what.partition("/")
    if slash and not (number.isdecimal() and len(number) <= 3):
        raise UserError(f"scene:{what}: write scene:NAME or scene:NAME/VARIANT, as in scene:{SCENES[0]}/2")
    long = min(MOST, max(LEAST * 3 // 2, pixels))
    return draw(name, (round(long / 1.5), long), int(number or 0)).convert("RGBA")
