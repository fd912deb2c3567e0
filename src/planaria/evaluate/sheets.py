"""Sheets: pictures in rows and columns, each column with its words."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from planaria.engine import run
from planaria.types import Picture, State

INK, RIM = "#1d1b26", "#dedbe6"
GAP, HEAD, SMALL = 6, 24, 13
"""Pixels between pictures, of the line of words, and of its letters."""


def sheet(rows: Sequence[Sequence[Image.Image]], heads: Sequence[str]) -> Image.Image:
    """Rows of pictures of any sizes under the words of their columns, on white; the pictures are left as they are."""
    ink, font = ImageDraw.Draw(Image.new("RGB", (1, 1))), ImageFont.load_default(SMALL)
    columns = [
        max([round(ink.textlength(head, font)), *(row[k].width for row in rows if k < len(row))])
        for k, head in enumerate(heads)
    ]
    lines = [max(image.height for image in row) for row in rows]
    size = GAP + sum(wide + GAP for wide in columns), HEAD + GAP + sum(tall + GAP for tall in lines)
    whole = Image.new("RGB", size, "white")
    ink = ImageDraw.Draw(whole)
    x = GAP
    for k, (head, wide) in enumerate(zip(heads, columns, strict=True)):
        ink.text((x + 1, GAP), head, INK, font)
        y = HEAD + GAP
        for row, tall in zip(rows, lines, strict=True):
            if k < len(row):
                whole.paste(row[k], (x, y))
                ink.rectangle((x - 1, y - 1, x + row[k].width, y + row[k].height), outline=RIM)
            y += tall + GAP
        x += wide + GAP
    return whole


def image(picture: Picture, scale: int = 1) -> Image.Image:
    """A picture `(3, h, w)` as an eye sees it, every cell a square of `scale` pixels."""
    levels = picture.detach().cpu().nan_to_num().clamp(0, 1).mul(255).round().byte()
    return Image.fromarray(levels.permute(1, 2, 0).repeat_interleave(scale, 0).repeat_interleave(scale, 1).numpy())


def fitted(photo: Picture, longest: int) -> Float[Tensor, "v new_h new_w"]:
    """A photo `(3, h, w)` made smaller until its longer side is `longest`; one that is smaller already is left."""
    h, w = photo.shape[1:]
    scale = longest / max(h, w)
    if scale >= 1:
        return photo
    size = max(1, round(h * scale)), max(1, round(w * scale))
    return F.interpolate(photo[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)


@torch.no_grad()
def life(
    rule: nn.Module, x: State, stops: Sequence[int], *, seed: int = 1, engine: str = "auto"
) -> Iterator[tuple[int, State]]:
    """Each of `stops`, in rising order, and the state after so many steps from `x`."""
    t = 0
    for stop in stops:
        x = run(rule, x, stop - t, t=t, seed=seed, engine=engine)
        t = stop
        yield stop, x
