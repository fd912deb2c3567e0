"""Broadcast: the status of a training while it runs, and the requests that it follows.

It only writes files and reads them, so whoever looks on can't hold it up. Unwatched it costs one look at a file an
iteration and one small file a second.
"""

import contextlib
import io
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from planaria import machine, store
from planaria.core.damage import Damage
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.store import live
from planaria.store.cards import Card
from planaria.store.run_folder import RunFolder
from planaria.training.dist import Ranks
from planaria.training.loop import Report, Trainer
from planaria.training.preview import Preview, png

EVERY = 1.0
"""Least seconds between two writings."""
SHARE = 0.02
"""Largest share of its time that a training spends on writing for others."""
REST = 0.1
"""Seconds between two looks at the requests while it is paused."""
NOTHING, PAUSE, STOP = 0, 1, 2
"""Requests, the stronger the larger."""
SAMPLES, COLUMNS, PIXELS, GAP = 32, 8, 512, 2
"""The picture of the pool: samples at most, side by side at most, about this wide, cells between them."""


class Broadcast:
    """Broadcast of the training in `folder` to viewers, and of their requests to it. Silent on non-writing processes.

    `card` gives the description in the live model file.
    """

    def __init__(self, folder: Path, steps: int, ranks: Ranks, card: Callable[[], Card]):
        self.folder, self.ranks, self.card = folder, ranks, card
        self.status = live.Status("stopped", 0, steps)
        self.preview = Preview()
        self._requests = live.Requests()
        self._seen: tuple[int, int] | None = None
        self._next = 0.0
        self._damaged = 0

    def begin(self, trainer: Trainer) -> None:
        """Report that it runs. Requests from before this process began are dropped, and damage is not done again."""
        if not self.ranks.writes:
            return
        asked = live.asked_at(self.folder)
        old = live.read_requests(self.folder)
        began = machine.began()
        if (old.pause or old.stop) and asked < (time.time() if began is None else began) - live.CLOCKS:
            live.request(self.folder, pause=False, stop=False)
        self._damaged = max((number for number, _ in old.damage), default=0)
        self._say("running", step=trainer.step_count)

    def after(self, trainer: Trainer, report: Report) -> Report:
        """Follow what is requested after an iteration, and show it; the report names damage done."""
        if not self.ranks.writes:
            return report
        self.preview.after(trainer)
        self._hear()
        new = [one for one in self._requests.damage if one[0] > self._damaged] if self.ranks.size == 1 else []
        events = [self._damage(trainer, number, text) for number, text in new]
        self.status = replace(self.status, step=report.step, loss=report.loss if math.isfinite(report.loss) else None)
        self.show(trainer)
        return replace(report, event="; ".join(filter(None, [report.event, *events]))) if events else report

    def requested(self) -> int:
        """Current request: NOTHING, PAUSE or STOP."""
        self._hear()
        return STOP if self._requests.stop else PAUSE if self._requests.pause else NOTHING

    def rest(self, trainer: Trainer) -> None:
        """Wait for a moment of a pause."""
        if self.ranks.writes:
            self._say("paused") if self.status.state != "paused" else self.show(trainer)
        time.sleep(REST)

    def resume(self) -> None:
        """End the pause."""
        if self.ranks.writes and self.status.state == "paused":
            self._say("running")

    def end(self, state: str, note: str = "") -> None:
        """Report how it ended; requests to it are dropped."""
        if not self.ranks.writes:
            return
        self._hear()
        if self._requests.pause or self._requests.stop:
            with contextlib.suppress(UserError):  # on a full disk, what ended it is what must be reported
                live.request(self.folder, pause=False, stop=False)
        self._say(state, note=" ".join(note.split())[:500])

    def note(self, text: str) -> None:
        """Report its current activity, in a line."""
        if self.ranks.writes:
            self._say("running", note=text)

    def show(self, trainer: Trainer) -> None:
        """Write its status, and its weights and pool while somebody watches, if that is due."""
        now = time.monotonic()
        if now < self._next:
            return
        live.write_status(self.folder, self.status)
        if live.watched(self.folder):
            self._write_live(trainer)
        took = time.monotonic() - now
        self._next = now + max(EVERY, took / SHARE)

    def _say(self, state: str, *, step: int | None = None, note: str = "") -> None:
        self.status = replace(self.status, state=state, note=note, step=self.status.step if step is None else step)
        live.write_status(self.folder, self.status)

    def _hear(self) -> None:
        """Read the requests where they have changed."""
        if not self.ranks.writes:
            return
        now = live.stamp(self.folder)
        if now != self._seen:
            self._seen, self._requests = now, live.read_requests(self.folder)

    def _damage(self, trainer: Trainer, number: int, text: str) -> str:
        """Apply damage once; a description of it."""
        self._damaged = number
        try:
            damage = Damage.parse(text)
        except UserError:
            return ""
        damaged = trainer.damage(damage, number)
        return f"a person damaged {damaged} samples: {text.strip()}"

    def _write_live(self, trainer: Trainer) -> None:
        """Show weights, and the preview or the pool; what can't be written is not shown, and the training goes on."""
        layout = trainer.task.layout
        x = trainer.pool.x[:SAMPLES] if trainer.pool is not None else trainer.shown
        try:
            folder = RunFolder(self.folder)
            store.save(folder.weights, trainer.rule, layout, self.card(), trainer.task.start)
            if self.preview.view is not None:
                store.write_bytes(folder.pool, png(self.preview.view))
            elif x is not None:
                store.write_bytes(folder.pool, picture_grid(x, layout))
        except UserError:
            return


def picture_grid(x: Tensor, layout: Layout) -> bytes:
    """Picture of samples `(b, c, h, w)` as tiles of one PNG, about 512 pixels wide, with white gaps."""
    _, _, h, w = x.shape
    thin = -(-max(h, w) // PIXELS)
    rgb = layout.rgb(x[:SAMPLES, :, ::thin, ::thin]).mul(255).round().byte().cpu().numpy().transpose(0, 2, 3, 1)
    n, h, w, _ = rgb.shape
    columns = max(1, min(COLUMNS, n, PIXELS // (w + GAP)))
    rows = -(-n // columns)
    sheet = np.full((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, 3), 255, np.uint8)
    for k, tile in enumerate(rgb):
        top, left = GAP + k // columns * (h + GAP), GAP + k % columns * (w + GAP)
        sheet[top : top + h, left : left + w] = tile
    scale = max(1, round(PIXELS / sheet.shape[1]))
    out = io.BytesIO()
    Image.fromarray(sheet.repeat(scale, 0).repeat(scale, 1)).save(out, "PNG", compress_level=1)
    return out.getvalue()
