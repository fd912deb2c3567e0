"""Sheets: pictures in rows and columns, each column with a heading."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from planaria.types import Picture

INK, RIM = "#1d1b26", "#dedbe6"
GAP, HEAD, SMALL = 6, 24, 13
"""Pixels between pictures, of the heading line, and of its letters."""


def sheet(rows: Sequence[Sequence[Image.Image]], heads: Sequence[str], names: Sequence[str] = ()) -> Image.Image:
    """Rows of pictures of any sizes under the headings of their columns, on white; the pictures are not resized.

    `names` stand to the left of the rows.
    """
    ink, font = ImageDraw.Draw(Image.new("RGB", (1, 1))), ImageFont.load_default(SMALL)
    left = GAP + max((round(ink.textlength(name, font)) + GAP for name in names), default=0)
    columns = [
        max([round(ink.textlength(head, font)), *(row[k].width for row in rows if k < len(row))])
        for k, head in enumerate(heads)
    ]
    lines = [max(image.height for image in row) for row in rows]
    size = left + sum(wide + GAP for wide in columns), HEAD + GAP + sum(tall + GAP for tall in lines)
    whole = Image.new("RGB", size, "white")
    ink = ImageDraw.Draw(whole)
    y = HEAD + GAP
    for name, tall in zip(names, lines, strict=False):
        ink.text((GAP, y + tall / 2), name, INK, font, anchor="lm")
        y += tall + GAP
    x = left
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
    """A picture `(3, h, w)` as a viewer shows it, every cell a square of `scale` pixels."""
    levels = picture.detach().cpu().nan_to_num().clamp(0, 1).mul(255).round().byte()
    return Image.fromarray(levels.permute(1, 2, 0).repeat_interleave(scale, 0).repeat_interleave(scale, 1).numpy())
