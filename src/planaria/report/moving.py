"""Sheet of a moving texture: consecutive frames of its clip, and of its life at several ages."""

import io

import torch
from torch import Tensor

from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.engine import run
from planaria.report.sheets import image, sheet
from planaria.store import run_folder, write_bytes
from planaria.store.run_folder import RunFolder

FRAMES = (0, 1, 2, 4, 8, 16)
"""Frames shown, counted from the first of a row."""
AGES = (0, 25, 250)
"""Frames that the life is old at the first of a row."""
SIDE = 128
"""Pixels on the longer side of a frame, about."""


@torch.no_grad()
def frames(folder: RunFolder, rule: Rule, layout: Layout, clip: Tensor, steps: int) -> None:
    """Write `sheet.png`: a row of the clip `(n, v, h, w)`, then rows of a life, `steps` cell steps a frame."""
    scale = max(1, SIDE // max(clip.shape[2:]))
    kept = [k for k in FRAMES if k < len(clip)]
    rows = [[image(layout.rgb(_state(clip[k], layout))[0], scale) for k in kept]]
    x, t = layout.seed(1, (clip.shape[2], clip.shape[3])), 0
    for age in AGES:
        row = []
        for k in kept:
            x = run(rule, x, (age + k) * steps - t, t=t, seed=1)
            t = (age + k) * steps
            row.append(image(layout.rgb(x)[0], scale))
        rows.append(row)
    out = io.BytesIO()
    sheet(rows, [f"frame {k}" for k in kept]).save(out, "PNG")
    write_bytes(folder / run_folder.SHEET, out.getvalue())


def _state(frame: Tensor, layout: Layout) -> Tensor:
    """State that shows a frame."""
    return layout.embed(frame.cpu())
