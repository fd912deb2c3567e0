"""Pictures drawn by code, so that there is always something to grow: no file, no network, no licence to mind."""

from math import ceil

from PIL import Image

from planaria.data import painters
from planaria.data.canvas import Canvas
from planaria.errors import UserError, unknown

LEAST, MOST = 8, 2048

PAINTERS = {
    "butterfly": painters.butterfly,
    "fish": painters.fish,
    "flower": painters.flower,
    "heart": painters.heart,
    "ladybird": painters.ladybird,
    "lizard": painters.lizard,
    "mushroom": painters.mushroom,
    "octopus": painters.octopus,
    "planarian": painters.planarian,
    "snail": painters.snail,
}
PICTURES: tuple[str, ...] = tuple(PAINTERS)


def draw(name: str, pixels: int = 512) -> Image.Image:
    """One of `PICTURES`, a square of `pixels` (8 to 2048) a side, RGBA with straight alpha on a transparent ground.

    The picture fills the longer side and is centred on the other. Raises UserError for an unknown name or size.
    """
    if name not in PAINTERS:
        raise unknown("built-in picture", name, PICTURES)
    if not LEAST <= pixels <= MOST:
        raise UserError(f"a built-in picture is {LEAST} to {MOST} pixels a side, not {pixels}")
    canvas = Canvas(pixels * max(2, ceil(1536 / pixels)))
    PAINTERS[name](canvas)
    image = canvas.image.crop(canvas.image.getbbox())
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((pixels, pixels), Image.Resampling.HAMMING)
