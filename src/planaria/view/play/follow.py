"""A run folder that is followed while it trains: its newest weights, its status, and a request to pause."""

from collections.abc import Callable
from pathlib import Path

from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.living import Living, find
from planaria.store import live
from planaria.store.run_folder import RunFolder, inside

ASK_SECONDS = 5.0
"""Seconds between two requests for live weights."""
LOOK_SECONDS = 0.5
"""Seconds between two looks into the folder."""


class Training:
    """Training in `folder`. It never waits for a viewer.

    `layout`, and `prepare`, which opens a model file of it, are set by the caller that plays with one.
    """

    def __init__(self, folder: Path):
        self.folder = RunFolder(folder)
        self.layout: Layout | None = None
        self.prepare: Callable[[Path], Living] = find
        self.status = self.folder.status()
        self._asked = self._looked = float("-inf")
        self._read = _stamp(self.folder.weights) if self.status is None else None
        self._paused = False

    @property
    def going(self) -> bool:
        """True if it trains now, or pauses."""
        return self.status is not None and self.status.busy

    def follow(self, now: float) -> tuple[Living | None, str]:
        """The newest model where there is a new one, and a line where something went wrong. `now` in seconds."""
        if now - self._looked < LOOK_SECONDS:
            return None, ""
        self._looked = now
        before = self.going
        self.status = self.folder.status()
        if not self.going:
            return self._finished() if before else (None, "")
        if now - self._asked >= ASK_SECONDS:
            self._asked = now
            try:
                live.watch(self.folder.path)
            except UserError as e:
                return None, str(e)
        stamp = _stamp(self.folder.weights)
        if stamp is None or stamp == self._read:
            return None, ""
        self._read = stamp
        return self._load(self.folder.weights, "")

    def pause(self, on: bool) -> bool:
        """Ask it to pause or to go on; false if nothing trains."""
        if not self.going:
            return False
        live.request(self.folder.path, pause=on)
        self._paused = on
        return True

    def close(self) -> None:
        """Let it go on, if it was paused from here."""
        if self._paused and self.going:
            live.request(self.folder.path, pause=False)
        self._paused = False

    @property
    def progress(self) -> str:
        """Status of the training in a line."""
        if self.status is None:
            return ""
        loss = f"loss {self.status.loss:.5f}" if self.status.loss is not None else "loss -"
        return f"{self.status.state}, iteration {self.status.step} of {self.status.steps}, {loss}"

    def _finished(self) -> tuple[Living | None, str]:
        """Model that a finished training leaves, shown from now on, and a line on the end of the training."""
        self._paused = False
        state = self.status.state if self.status else "gone"
        whole = self.folder.model
        news = f"the training is {state}"
        return self._load(whole, news) if state == "finished" and whole.is_file() else (None, news)

    def _load(self, path: Path, news: str) -> tuple[Living | None, str]:
        try:
            living = self.prepare(path)
        except UserError as e:
            return None, str(e)
        if self.layout not in (None, living.layout):
            return None, f"{self.folder.name} has other channels now; open it again"
        return living, news


def folder_of(model: Path) -> Path | None:
    """The run folder that `model` names, itself or by a file of it, if a training ever reported its status there."""
    folder = inside(model)
    return folder.path if folder is not None and folder.status() is not None else None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Stamp of a file that changes when it is replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
