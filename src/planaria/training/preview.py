"""Preview: the task's own view of its rule, taken while it trains, within a share of the training's time."""

import io
import time

from planaria.report.sheets import image, sheet
from planaria.tasks.about import View
from planaria.training.loop import Trainer

SHARE = 0.03
"""Largest share of its time that a training spends on views."""
USUAL = 50
"""Iterations between two views where there are no validations."""
TILE = 96
"""Approximate longer side of a picture, in pixels."""


class Preview:
    """Newest view of a training. Taking one changes nothing of the training."""

    def __init__(self) -> None:
        self.view: View | None = None
        """The view; None before the first, and where the task has none."""
        self.step = 0
        """Iterations done when it was taken."""
        self._next = 0.0

    def after(self, trainer: Trainer) -> None:
        """Take a view at once, and after a validation, unless the last one is too recent for what it cost."""
        due = self.view is None or trainer.step_count % (trainer.settings.validate or USUAL) == 0
        began = time.monotonic()
        if not due or began < self._next:
            return
        self.view, self.step = trainer.task.view(trainer.model), trainer.step_count
        ended = time.monotonic()
        self._next = ended + (ended - began) / SHARE


def png(view: View) -> bytes:
    """Picture of a view, with its headings and the names of its rows."""
    longest = max(max(row.shape[2:]) for row in view.rows.values())
    thin, scale = -(-longest // (2 * TILE)), max(1, round(TILE / longest))
    tiles = [[image(picture[:, ::thin, ::thin], scale) for picture in row] for row in view.rows.values()]
    out = io.BytesIO()
    sheet(tiles, view.heads, list(view.rows)).save(out, "PNG", compress_level=1)
    return out.getvalue()
