"""Cards of runs and models, from their files: read once for each version, and never an obstacle."""

import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from planaria import store, tasks
from planaria.config import read_yaml
from planaria.errors import UserError
from planaria.evaluate.verdict import METRICS, verdict_on
from planaria.files import open_regular
from planaria.store import metrics
from planaria.store.cards import Settings

T = TypeVar("T")

MOST_METRICS, LONGEST_TEXT = 100, 300
LAST_BYTES = 4000
"""Bytes at the end of a log that are searched for its last line."""

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\w\s!-~\u00a0-\uffff]")


class Memory:
    """Cache of what was found in unchanged files: the newest `most`, which grows with the number of files."""

    def __init__(self, most: int):
        self.most = most
        self._known: OrderedDict[tuple[str, str], tuple[object, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, about: os.stat_result, read: Callable[[Path], T]) -> T:
        """Result of `read` on a file, read again when the file has changed; `about` is its current state."""
        key, version = (str(path), read.__name__), (about.st_mtime_ns, about.st_size, about.st_ino)
        with self._lock:
            known = self._known.get(key)
            if known is not None and known[0] == version:
                self._known.move_to_end(key)
                return known[1]
        found = read(path)
        with self._lock:
            self._known[key] = version, found
            self._known.move_to_end(key)
            while len(self._known) > self.most:
                self._known.popitem(last=False)
        return found


def blank() -> dict[str, Any]:
    """An empty card."""
    return {
        "task": "", "form": {}, "picture": "", "step": 0, "steps": 0, "loss": None, "metrics": {}, "grid": None,
        "badge": "", "model": False, "note": "", "trouble": "", "verdict": "",
    }  # fmt: skip


def of_settings(path: Path) -> dict[str, Any]:
    """Entries of a card from a run's settings, or the error in them."""
    try:
        given = read_yaml(path)
    except UserError as e:
        return {"trouble": str(e)}
    config = tellable(given)
    if given and not config:
        return {"trouble": f"{path}: holds numbers without end, or text that can't be shown"}
    settings = Settings.parse(config)
    return {
        "task": settings.task[:LONGEST_TEXT],
        "form": form_of(settings.task),
        "picture": settings.source[:LONGEST_TEXT],
        "steps": _count(settings.train.steps),
    }


def of_model(path: Path) -> dict[str, Any]:
    """Entries of a card from a model's card, or the error in it."""
    try:
        card = store.card(path)
    except UserError as e:
        return {"trouble": str(e)}
    measured = [(name, value) for name, value in card.metrics.items() if name not in METRICS][:MOST_METRICS]
    return {
        "task": card.task[:LONGEST_TEXT],
        "form": form_of(card.task),
        "picture": card.config.source[:LONGEST_TEXT],
        "step": card.trained or 0,
        "metrics": {k[:LONGEST_TEXT]: n for k, v in measured if (n := metrics.finite(v)) is not None},
        "verdict": verdict_on(card),
        "badge": card.badge,
        "grid": list(card.grid),
        "model": True,
    }


def form_of(task: str) -> dict[str, Any]:
    """Parts of a run's page by its task; empty for an unknown task."""
    if task not in tasks.names():
        return {}
    form = tasks.load(task).Task.form
    return {"measure": form.measure, "samples": form.samples, "sampled": form.sampled, "shares": form.shares}


def begins(path: Path) -> bool:
    """True if a model begins with frames."""
    try:
        return store.start(path) is not None
    except UserError:
        return False


def last_line(path: Path) -> str:
    """Last line of a log that isn't empty, without control codes for the terminal."""
    try:
        with open_regular(path) as f:
            f.seek(max(0, f.seek(0, os.SEEK_END) - LAST_BYTES))
            text = f.read(LAST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for raw in text.splitlines() if (line := _CODES.sub("", raw).strip())]
    return lines[-1].removeprefix("planaria: ")[:500] if lines else ""


def tellable(found: dict[str, Any]) -> dict[str, Any]:
    """Contents of a file as JSON takes them; empty where it can't: infinite numbers, broken letters."""
    try:
        return json.loads(json.dumps(found, default=str, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        return {}


def _count(value: object) -> int:
    """A number of iterations; 0 for anything else."""
    return value if type(value) is int and 0 <= value <= metrics.LAST_STEP else 0
