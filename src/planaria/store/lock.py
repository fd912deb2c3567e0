"""One training in a folder: a lock that the operating system holds for exactly as long as its process lives."""

import contextlib
import errno
import os
import sys
import threading
import warnings
from pathlib import Path
from weakref import WeakValueDictionary

from filelock import FileLock, Timeout

from planaria.commands import command
from planaria.errors import UserError
from planaria.files import sweep

NAME = ".lock"
CONFIG = "config.yaml"
"""File that a run folder holds from its beginning on."""
PATIENCE = 0.5
"""Seconds that a training waits for a process that only checks if the folder is taken."""
GLANCE = 0.05
POLL = 0.01
UNLOCKABLE = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
"""Error numbers of a file system without locks."""

_held: "WeakValueDictionary[Path, Hold]" = WeakValueDictionary()
_glancing = threading.Lock()


class Busy(UserError):
    """Error: the folder is taken by another training."""


class Hold:
    """Right to write a run into `folder`, until `release` or any end of the process.

    The folder is made where it is missing, unless `make` is false. Raises `Busy` where another has it.
    """

    def __init__(self, folder: Path, *, patience: float = PATIENCE, make: bool = True):
        self.folder = folder
        self._key = Path(os.path.abspath(folder))  # noqa: PTH100  (links must stay what they are)
        self._made: list[Path] = []
        self._settled = False
        self._lock: FileLock | None = None
        self._lock = self._taken(patience, make)
        self._file, self._there = _identity(folder / NAME), _identity(folder)
        _held[self._key] = self

    def settle(self) -> None:
        """Mark the folder as holding settings; from now on one without them is not the run's any more."""
        self._settled = True

    @property
    def is_lost(self) -> bool:
        """True if the folder is gone, was replaced by another one, or has lost its settings."""
        there = _identity(self.folder)
        return there is None or there != self._there or (self._settled and not (self.folder / CONFIG).exists())

    def demand(self) -> None:
        """Raise `UserError` where the folder is lost."""
        if self.is_lost:
            raise UserError(
                f"{self.folder} went away while it was being trained, and nothing is written in its place; "
                f"go on from its last checkpoint, where it is now, with: {command('train', 'FOLDER', '--resume')}"
            )

    def release(self, *, undo: bool = False) -> None:
        """Release the folder to others; `undo` removes it where it was made for this and is empty."""
        if self._lock is None:
            return
        if _held.get(self._key) is self:
            del _held[self._key]
        place = self.folder / NAME
        with contextlib.suppress(OSError):  # a folder of that name may be another's by now
            if self._file is not None and _identity(place) == self._file:
                place.unlink()  # while it is held: whoever has opened it sees that it is no more, and looks again
        self._lock.release(force=True)
        self._lock = None
        for made in reversed(self._made if undo else []):
            with contextlib.suppress(OSError):
                made.rmdir()

    def __del__(self) -> None:
        if self._lock is not None and not sys.is_finalizing():
            self.release()

    def _taken(self, patience: float, make: bool) -> FileLock:
        lock = FileLock(self.folder / NAME, thread_local=False, fallback_to_soft=False)
        try:
            for last in (False, True):
                if make:
                    self._make()
                try:
                    lock.acquire(timeout=patience, poll_interval=POLL)
                    break
                except FileNotFoundError:  # another, which had made the folder, has just taken it away
                    if last or not make:
                        raise
        except Timeout:
            started = "stop that first, or start another: --name NAME"
            raise Busy(f"{self.folder} is being trained by another process; {started}") from None
        except OSError as e:
            if e.errno not in UNLOCKABLE:
                raise UserError(_unlockable(self.folder, e)) from e
            (self.folder / NAME).unlink(missing_ok=True)
            warnings.warn(f"{self.folder} is on a file system without locks: start no second training", stacklevel=4)
        return lock

    def _make(self) -> None:
        missing = [p for p in (self.folder, *self.folder.parents) if not p.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._made = self._made or missing[::-1]


def take(folder: Path) -> Hold:
    """Take the lock of a run folder, for a training; spare files of killed ones are removed. Raises `Busy`."""
    hold = Hold(folder)
    sweep(folder, alone=True)
    return hold


def is_held(folder: Path) -> bool:
    """True if a training holds `folder`, even one still setting up. Costs one file look-up where none does."""
    if _identity(folder / NAME) is None:
        return False
    if Path(os.path.abspath(folder)) in _held:  # noqa: PTH100
        return True
    with _glancing:
        try:
            Hold(folder, patience=GLANCE, make=False).release()
        except Busy:
            return True
        except UserError:
            return False
    return False


def guard(folder: Path) -> bool:
    """True if this process holds `folder`; raises `UserError` where it did, and the folder went away."""
    hold = _held.get(Path(os.path.abspath(folder)))  # noqa: PTH100
    if hold is not None:
        hold.demand()
    return hold is not None


def _unlockable(folder: Path, error: OSError) -> str:
    """Reason why no training can lock a folder, in a line."""
    for path in (folder, folder / NAME):
        if path.is_symlink() and (path.name == NAME or not path.exists()):
            return f"can't write {folder}: {path} is a link{'' if path.exists() else ' that leads nowhere'}; remove it"
    if (folder / NAME).is_dir():
        return f"can't write {folder}: {folder / NAME} is a folder; remove it"
    return f"can't write {folder}: {error.strerror or error}"


def _identity(path: Path) -> tuple[int, int] | None:
    """Identity of a file or folder, which a move doesn't change; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino
