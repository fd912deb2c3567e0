"""Outputs of a texture, style or text run for people: sheets of a grown texture, or of repainted photos."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.evaluate.stops import fitted, life
from planaria.export.movie import Film
from planaria.report.sheets import image, sheet
from planaria.store import run_folder, write_bytes
from planaria.store.run_folder import RunFolder
from planaria.tasks.about import Repainted
from planaria.types import Picture, State

SIDE, CUT = 256, 128
"""Cells on a side of a grown texture, and of the part of it that is filmed."""
GROWN = (0, 20, 60, 120, 300)
"""Steps of a texture's strip; the film and the tiles end with the last."""
PHOTOS, LONGEST = 4, 192
"""Photos that are repainted, and the cells on their longer side."""
PAINTED = (20, 60, 200)
"""Steps of the sheet."""


def grown(folder: RunFolder, rule: Rule, layout: Layout, style: Picture) -> None:
    """Write `film.webp`, `strip.png`, `style.png` and `tiles.png`: a texture grown from grey, and beside its style."""
    _save(folder / run_folder.STYLE, image(style))
    last = GROWN[-1]
    filmed = [*range(0, 100, 4), *range(100, last + 1, 10)]
    begun = layout.seed(1, SIDE)
    seen = {t: _shown(layout, x) for t, x in life(rule, begun, sorted({*filmed, *GROWN}))}
    part = slice((SIDE - CUT) // 2, (SIDE + CUT) // 2)
    Film(np.stack([_pixels(seen[t])[part, part] for t in filmed]), tuple(filmed)).save(
        folder / run_folder.FILM, scale=2
    )
    strip = Film(np.stack([_pixels(seen[t]) for t in GROWN]), GROWN)
    strip.save(folder / run_folder.STRIP, scale=1)
    scale = 2 if max(style.shape[1:]) <= SIDE else 1
    pair = [image(style, scale), image(seen[last], scale)]
    _save(folder / run_folder.TILES, sheet([pair], ["style", f"texture, step {last}"]))


def repainted(folder: RunFolder, rule: Rule, layout: Layout, photos: Repainted) -> None:
    """Write `sheet.png`, a few photos and their repainted versions, the first as `film.webp` and `strip.png`, and
    `style.png`, the style image as it was trained on, where there is one."""
    if photos.style is not None:
        _save(folder / run_folder.STYLE, image(photos.style))
    rows = []
    for k in range(min(PHOTOS, photos.count)):
        photo = fitted(photos.photo(k), LONGEST)
        begun = layout.pose(photo[None])
        filmed = [*range(0, 60, 2), *range(60, PAINTED[-1] + 1, 10)] if k == 0 else []
        seen = {t: _shown(layout, x) for t, x in life(rule, begun, sorted({*filmed, *PAINTED}))}
        scale = max(1, LONGEST // max(photo.shape[1:]))
        rows.append([image(photo, scale), *(image(seen[t], scale) for t in PAINTED)])
        if filmed:
            film = Film(np.stack([_pixels(seen[t]) for t in filmed]), tuple(filmed))
            film.save(folder / run_folder.FILM, scale=1)
            film.save(folder / run_folder.STRIP, scale=1)
    _save(folder / run_folder.SHEET, sheet(rows, ["photo", *(f"step {t}" for t in PAINTED)]))


def _shown(layout: Layout, x: State) -> Picture:
    return layout.rgb(x)[0].cpu()


def _pixels(picture: Picture) -> np.ndarray:
    return picture.mul(255).round().byte().permute(1, 2, 0).numpy()


def _save(path: Path, picture: Image.Image) -> None:
    out = io.BytesIO()
    picture.save(out, "PNG")
    write_bytes(path, out.getvalue())
