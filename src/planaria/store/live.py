"""A run folder while it trains: what the training tells, and what people wish of it. Neither waits for the other.

`status.json` and, while somebody watches, `live.safetensors` and `live.png` are written by the training; `wishes.json`
and `watched` by whoever looks on. Every file is replaced in one step.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from planaria.store import write_bytes

WEIGHTS, POOL, STATUS, WISHES, WATCHED = "live.safetensors", "live.png", "status.json", "wishes.json", "watched"
WATCH_SECONDS = 15.0
"""How long one call of `watch` asks for live weights and pictures."""
SILENCE_SECONDS = 300.0
"""After this long without a word from it, a training is taken for dead."""
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Status:
    """How a training is doing."""

    state: str
    """running, paused, stopped, finished, failed; `read_status` adds interrupted: it died without a word."""
    step: int
    """Iterations done."""
    steps: int
    """Iterations in all."""
    loss: float | None = None
    """The newest one."""
    pid: int = 0
    """Its process."""
    time: float = 0.0
    """When this was written, in seconds since 1970."""
    note: str = ""
    """What went wrong, in one line."""


@dataclass(frozen=True)
class Wishes:
    """What people ask of a training."""

    pause: bool = False
    stop: bool = False
    wounds: tuple[tuple[int, str], ...] = ()
    """Damage for the pool: number, wound. Numbers rise; a training does each once."""


_KINDS: dict[str, Any] = {
    "state": str, "step": int, "steps": int, "loss": float | int | None, "pid": int, "time": float, "note": str,
}  # fmt: skip


def read_status(folder: Path) -> Status | None:
    """How the training in `folder` is doing; None where it never said."""
    found = _read(folder / STATUS)
    if any(not isinstance(found.get(name), kinds) for name, kinds in _KINDS.items()):
        return None
    status = Status(**{name: found[name] for name in _KINDS})
    if status.state in ("running", "paused") and not _lives(status):
        return replace(status, state="interrupted")
    return status


def write_status(folder: Path, status: Status) -> None:
    """Say how it is doing, from this process, now."""
    _write(folder / STATUS, replace(status, pid=os.getpid(), time=time.time()))


def read_wishes(folder: Path) -> Wishes:
    """What people ask of the training in `folder`."""
    found = _read(folder / WISHES)
    wounds = found.get("wounds")
    pairs = [w for w in wounds if isinstance(w, list) and len(w) == 2] if isinstance(wounds, list) else []
    return Wishes(
        found.get("pause") is True,
        found.get("stop") is True,
        tuple((n, w) for n, w in pairs if isinstance(n, int) and isinstance(w, str)),
    )


def wish(folder: Path, *, pause: bool | None = None, stop: bool | None = None, wound: str | None = None) -> Wishes:
    """Ask something of the training in `folder`; what isn't given stays as it was asked."""
    old = read_wishes(folder)
    number = max((n for n, _ in old.wounds), default=0) + 1
    new = Wishes(
        old.pause if pause is None else pause,
        old.stop if stop is None else stop,
        (*old.wounds, (number, wound))[-64:] if wound is not None else old.wounds,
    )
    _write(folder / WISHES, new)
    return new


def watch(folder: Path) -> None:
    """Ask for live weights and pictures for the next seconds."""
    (folder / WATCHED).touch()


def watched(folder: Path) -> bool:
    """Whether somebody watches."""
    try:
        return time.time() - (folder / WATCHED).stat().st_mtime < WATCH_SECONDS
    except OSError:
        return False


def _lives(status: Status) -> bool:
    if time.time() - status.time > SILENCE_SECONDS or status.pid < 1:
        return False
    if os.name == "posix":  # elsewhere signal 0 is no question
        try:
            os.kill(status.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
    return True


def _read(path: Path) -> dict[str, Any]:
    """A small JSON file's object; empty where it isn't there or isn't one."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, value: Any) -> None:
    write_bytes(path, json.dumps(asdict(value)).encode())
