"""Terminal output during training: a bar, the metrics, and a small living picture."""

import math
import time
from types import TracebackType

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from planaria.console import pictures, printer
from planaria.tasks.about import View
from planaria.view.half_blocks import HalfBlocks

WIDEST, NARROW = 144, 22
"""Columns of characters of all pictures of a view at most, and of one at least, where it has as many cells."""
PLAIN_SECONDS = 10.0
"""Seconds between two lines where the output is no terminal."""


class TrainingScreen:
    """Display of a training run; a context manager. Without a terminal it prints a line every ten seconds."""

    def __init__(self, title: str, steps: int, done: int = 0, console: Console | None = None):
        self.console = console or printer(stderr=True)
        self.steps, self.first, self.started = steps, done, time.monotonic()
        self.lively = self.console.is_interactive
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  log10 {task.fields[log10]}  {task.fields[speed]} it/s"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.task: TaskID = self.progress.add_task(
            escape(title), total=steps, completed=done, loss="-", log10="-", speed="-"
        )
        self.live = Live(self.progress, console=self.console, refresh_per_second=4, transient=False)
        self.smooth = math.nan
        self.spoke = self.started
        self.painted = 0.0

    def __enter__(self) -> "TrainingScreen":
        if self.lively:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.lively:
            self.live.stop()

    @property
    def wants_picture(self) -> bool:
        """True if the next update should bring a picture: at most two a second."""
        return self.lively and pictures(self.console) and time.monotonic() - self.painted > 0.5

    def update(self, step: int, loss: float, event: str = "", picture: np.ndarray | View | None = None) -> None:
        """Show iteration `step` with its loss, what the guardian did, and maybe a view or picture `(h, w, 3)` uint8."""
        now = time.monotonic()
        self.smooth = 0.9 * self.smooth + 0.1 * loss if math.isfinite(self.smooth) else loss
        speed = (step - self.first) / max(now - self.started, 1e-9)
        log10 = f"{math.log10(self.smooth):.2f}" if self.smooth > 0 else "-"
        if event:
            self.console.print(event, style="yellow", markup=False, highlight=False, soft_wrap=True)
        if self.lively:
            self.progress.update(
                self.task, completed=step, loss=f"{self.smooth:.5f}", log10=log10, speed=f"{speed:.1f}"
            )
            if picture is not None:
                self.painted = now
                room = self.console.width - 4
                seen = isinstance(picture, View)
                block = rows(picture, min(WIDEST, room)) if seen else HalfBlocks(picture, min(72, room))
                self.live.update(Group(Padding(block, (1, 2)), self.progress))
        elif now - self.spoke > PLAIN_SECONDS or step == self.steps:
            self.spoke = now
            left = (self.steps - step) / max(speed, 1e-9)
            self.console.print(
                f"{step}/{self.steps}  loss {self.smooth:.5f}  log10 {log10}  {speed:.1f} it/s  {left:.0f} s left",
                highlight=False,
            )


def rows(view: View, width: int) -> Group:
    """Pictures of a view under their headings, of as many columns as fit into `width` characters; two at least."""
    count = len(view.heads)
    across = max(row.shape[3] for row in view.rows.values())
    fit = max(min(2, count), min(count, width // (min(across, NARROW) + 1)))
    picks = [round(k * (count - 1) / max(1, fit - 1)) for k in range(fit)]
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(*(Text(view.heads[k], style="dim") for k in picks))
    for number, row in enumerate(view.rows.values()):
        if number:
            table.add_row()
        tiles = row[picks].mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        table.add_row(*(HalfBlocks(tile, max(1, width // fit - 1)) for tile in tiles))
    return Group(table, Text(view.caption, style="dim"))
