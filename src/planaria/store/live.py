"""A run folder while it trains: status from the training, and requests from users. Neither waits for the other.

`status.json` and, while somebody watches, `live.safetensors` and `live.png` are written by the training;
`requests.json` and `watched` by whoever looks on. Every file is replaced in one step, but none is waited for until it
is on the disk: they are about now. What can't be written is left: a full disk must not end a training because somebody
looks on.
"""

import contextlib
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from planaria import machine
from planaria.errors import UserError
from planaria.files import read, spare
from planaria.store import metrics

WEIGHTS, POOL, STATUS, REQUESTS, WATCHED = "live.safetensors", "live.png", "status.json", "requests.json", "watched"
STATES = ("running", "paused", "stopped", "finished", "failed")
BUSY = ("running", "paused")
"""States of a training in progress."""
WATCH_SECONDS = 15.0
"""Seconds for which one call of `watch` requests live weights and pictures."""
SILENCE_SECONDS = 300.0
"""Seconds of silence after which a training on another machine is presumed dead."""
CLOCKS = 2.0
"""Greatest difference in seconds between the times of files and of processes."""
MOST_BYTES = 1_000_000
MOST_DAMAGE = 64


@dataclass(frozen=True)
class Status:
    """Status of a training."""

    state: str
    """running, paused, stopped, finished, failed; `read_status` adds interrupted: it died without notice."""
    step: int
    """Iterations done."""
    steps: int
    """Number of iterations in all."""
    loss: float | None = None
    """Newest loss."""
    pid: int = 0
    """Process ID of the training."""
    time: float = 0.0
    """Time of writing, in seconds since 1970."""
    note: str = ""
    """Note on an error, or on the current activity, in one line."""
    host: str = ""
    """Machine that runs the process `pid`."""

    @property
    def busy(self) -> bool:
        """True if it trains, or pauses."""
        return self.state in BUSY


@dataclass(frozen=True)
class Requests:
    """Requests to a training."""

    pause: bool = False
    stop: bool = False
    damage: tuple[tuple[int, str], ...] = ()
    """Damage for the pool: number, kind. Numbers rise; a training applies each once."""


def read_status(folder: Path) -> Status | None:
    """Current status of the training in `folder`; None where there is none."""
    status = last_status(folder)
    return None if status is None else judged(status)


def last_status(folder: Path) -> Status | None:
    """Last status written by the training in `folder`; None where there is none."""
    return _status(_read(folder / STATUS))


def judged(status: Status) -> Status:
    """Last status as it holds now: interrupted, where its process is gone."""
    gone = status.busy and not _lives(status)
    return replace(status, state="interrupted") if gone else status


def write_status(folder: Path, status: Status, pid: int | None = None) -> None:
    """Write the current status; `pid` is the training's process where that isn't this one."""
    now = replace(status, pid=os.getpid() if pid is None else pid, time=time.time(), host=platform.node())
    with contextlib.suppress(OSError):
        _replace(folder / STATUS, now)


def read_requests(folder: Path) -> Requests:
    """Requests to the training in `folder`."""
    found = _read(folder / REQUESTS)
    damage = found.get("damage", found.get("wounds"))  # its former name
    pairs = [one for one in damage if isinstance(one, list) and len(one) == 2] if isinstance(damage, list) else []
    return Requests(
        found.get("pause") is True,
        found.get("stop") is True,
        tuple((n, kind) for n, kind in pairs if _counts(n) and isinstance(kind, str))[-MOST_DAMAGE:],
    )


def request(
    folder: Path, *, pause: bool | None = None, stop: bool | None = None, damage: str | None = None
) -> Requests:
    """Request something of the training in `folder`; arguments not given keep their former value."""
    old = read_requests(folder)
    number = max((n for n, _ in old.damage), default=0) + 1
    new = Requests(
        old.pause if pause is None else pause,
        old.stop if stop is None else stop,
        (*old.damage, (number, damage))[-MOST_DAMAGE:] if damage is not None else old.damage,
    )
    try:
        _replace(folder / REQUESTS, new)
    except OSError as e:
        raise UserError(f"can't write {folder / REQUESTS}: {e.strerror or e}") from e
    return new


def stamp(folder: Path) -> tuple[int, int] | None:
    """Stamp that changes with the requests, at the cost of one file look-up; None where there are none."""
    try:
        about = os.stat(folder / REQUESTS)  # noqa: PTH116  (an iteration has time for little)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino


def asked_at(folder: Path) -> float:
    """Time of the last request, in seconds since 1970; 0 where there was none."""
    found = stamp(folder)
    return found[0] / 1e9 if found else 0.0


def watch(folder: Path) -> None:
    """Request live weights and pictures for the next seconds. Raises `UserError` where the folder can't be written."""
    path = folder / WATCHED
    try:
        if path.is_symlink():
            path.unlink()  # what it leads to is not ours to touch
        path.touch()
    except OSError as e:
        raise UserError(f"can't ask {folder} for live weights: {e.strerror or e}") from e


def watched(folder: Path) -> bool:
    """True if somebody watches."""
    try:
        return time.time() - (folder / WATCHED).lstat().st_mtime < WATCH_SECONDS
    except OSError:
        return False


def _lives(status: Status) -> bool:
    """True if the process that wrote `status` is alive, and not a later one with the same process ID."""
    if status.host == platform.node():
        with contextlib.suppress(OSError):
            since = machine.began(status.pid) if status.pid > 0 else None
            return since is not None and since <= status.time + CLOCKS
    return time.time() - status.time <= SILENCE_SECONDS


def _status(found: dict[str, Any]) -> Status | None:
    """Status of a training in a file, where all of it is of a valid type."""
    state, loss, note, host = (found.get(name) for name in ("state", "loss", "note", "host"))
    step, steps, pid = (found.get(name) for name in ("step", "steps", "pid"))
    time = metrics.finite(found.get("time"))
    if state not in STATES or time is None or not (isinstance(note, str) and isinstance(host, str)):
        return None
    if not (_counts(step) and _counts(steps) and _counts(pid)) or (loss is not None and metrics.finite(loss) is None):
        return None
    return Status(state, step, steps, metrics.finite(loss), pid, time, note, host)


def _counts(value: object) -> TypeGuard[int]:
    """True if it is a whole number valid as a step or a process ID."""
    return type(value) is int and 0 <= value < 2**31


def _read(path: Path) -> dict[str, Any]:
    """Read a small JSON object of its folder; empty where there is none that can be written again."""
    try:
        found = json.loads(read(path, MOST_BYTES, inside=path.parent))
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _replace(path: Path, value: Any) -> None:
    """Replace a small JSON file in one step."""
    part = spare(path)
    try:
        part.write_text(json.dumps(asdict(value)), encoding="utf-8")
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
