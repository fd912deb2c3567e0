"""The picture in the README: several models growing, damaged, healing.

python benchmarks/readme_picture.py docs/images/healing.png lizard planarian ladybird heart
"""

import sys
from pathlib import Path

from PIL import Image

import planaria as pl


def main(out: Path, *folders: Path) -> None:
    """Stack one strip for each model."""
    strips = []
    for folder in folders:
        rule, layout = pl.load(folder)
        shot = pl.film(rule, layout, steps=400, size=64, every=20, erase={160: "left"}, seed=5)
        strips.append(shot.strip(8))
    sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
