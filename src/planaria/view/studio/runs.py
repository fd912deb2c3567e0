"""The folder of runs, as the studio sees it: cards, files, metrics. Nothing outside it is ever opened."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from planaria import store
from planaria.config import read_yaml
from planaria.errors import UserError
from planaria.recipes import source_of
from planaria.store import live
from planaria.view.studio.guard import Refusal

T = TypeVar("T")

FILES = (
    "model.safetensors", "film.webp", "strip.png", "sheet.png", "tiles.png", "loss.png", "target.png", "config.yaml",
    "README.md", "metrics.jsonl", "live.png", "train.log", "organism.html",
)  # fmt: skip
"""Files of a run that may be had."""
BUSY = ("running", "paused")
MOST_POINTS = 2000
MOST_METRICS = 32_000_000
"""Bytes of metrics that are read for a curve, from the end."""
MOST_REMEMBERED = 4000

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\w\s!-~\u00a0-\uffff]")


class Runs:
    """All runs in `folder` and the models of the gallery."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._remembered: dict[tuple[str, str], tuple[object, Any]] = {}

    def names(self) -> list[str]:
        """Every run there is."""
        try:
            return sorted(f.name for f in self.folder.iterdir() if self._is_run(f))
        except OSError:
            return []

    def run(self, name: str) -> Path:
        """The folder of a run. Raises `Refusal` for what is none, or lies elsewhere."""
        folder = self._inside(name)
        if folder is None or not self._is_run(folder):
            raise Refusal(404, f"no run {name[:80]!r}")
        return folder

    def file(self, name: str, file: str) -> Path:
        """A file of a run that may be had."""
        folder = self.run(name)
        path = folder / file
        if file not in FILES or not self._within(path) or not path.is_file():
            raise Refusal(404, f"no file {file[:80]!r} in {name!r}")
        return path

    def model(self, kind: str, name: str, *, newest: bool = False) -> Path:
        """The model file of a run or of the gallery; `newest` prefers the weights that a training shows."""
        if kind == "gallery":
            shipped = store.gallery()
            if name not in shipped:
                raise Refusal(404, f"no model {name[:80]!r} in the gallery")
            return shipped[name]
        if kind != "runs":
            raise Refusal(404, "there are runs and gallery")
        folder = self.run(name)
        kept, shown = folder / "model.safetensors", folder / live.WEIGHTS
        order = (shown, kept) if newest and self.status(folder).state in BUSY else (kept, shown)
        for path in order:
            if self._within(path) and path.is_file():
                return path
        raise Refusal(404, f"{name!r} has no model yet")

    def home(self) -> dict[str, list[dict[str, Any]]]:
        """Every card, the newest run first."""
        cards = [card for name in self.names() if (card := self._tried(lambda name=name: self.card("runs", name)))]
        shipped = [self.card("gallery", name) for name in store.gallery()]
        return {"runs": sorted(cards, key=lambda c: -c["changed"]), "gallery": shipped}

    def card(self, kind: str, name: str) -> dict[str, Any]:
        """What a page shows of a run or a model."""
        if kind == "gallery":
            path = self.model(kind, name)
            about = {**_blank(), **self._remember(path, _of_model), "state": "finished", "changed": 0}
            about["steps"] = about["step"]
            return {**about, "name": name, "kind": "gallery", **_made("gallery", name, path)}
        folder = self.run(name)
        about = _blank()
        config, model = folder / "config.yaml", folder / "model.safetensors"
        if self._within(config) and config.is_file():
            about |= self._remember(config, _of_settings)
        if self._within(model) and model.is_file():
            about |= {k: v for k, v in self._remember(model, _of_model).items() if v}
        status = self.status(folder, about)
        about |= {k: v for k, v in asdict(status).items() if k in ("state", "step", "steps", "loss", "note")}
        about["changed"] = max(status.time, *(_mtime(folder / f) for f in ("config.yaml", *FILES)))
        return {**about, "name": name, "kind": "run", **self._looks(folder, status)}

    def status(self, folder: Path, about: dict[str, Any] | None = None) -> live.Status:
        """How a run is doing, guessed from its files where it never said."""
        status = live.read_status(folder)
        if status is not None:
            note = status.note
            if not note and status.state in ("failed", "interrupted"):
                note = last_line(folder / "train.log")
            return live.Status(**{**asdict(status), "note": note})
        about = about or _blank()
        step, steps = about["step"], about["steps"]
        if not about["model"] and (folder / "train.log").exists():
            return live.Status("failed", step, steps, note=last_line(folder / "train.log"))
        return live.Status("finished" if step >= steps > 0 else "stopped", step, steps)

    def settings(self, folder: Path) -> dict[str, Any]:
        """The settings of a run; empty where it has none yet."""
        path = folder / "config.yaml"
        try:
            return _tellable(read_yaml(path)) if self._within(path) and path.is_file() else {}
        except UserError:
            return {}

    def files(self, name: str) -> list[dict[str, Any]]:
        """Name, size and address of every file of a run that may be had."""
        folder = self.run(name)
        there = [folder / f for f in FILES if self._within(folder / f) and (folder / f).is_file()]
        return [{"name": f.name, "bytes": f.stat().st_size, "url": _url("files/runs", name, f.name)} for f in there]

    def metrics(self, name: str, after: int) -> list[dict[str, Any]]:
        """At most 2000 points of a curve beyond step `after`: events and validations among them while they fit."""
        lines = tail(self.run(name) / "metrics.jsonl", MOST_METRICS)
        first = _first_after(lines, after)
        lines = lines[first:]
        stride = -(-len(lines) // (MOST_POINTS - 400)) or 1
        events = [k for k, line in enumerate(lines) if b'"event"' in line][-199:] if stride > 1 else []
        looks = [k for k, line in enumerate(lines) if b'"validation"' in line] if stride > 1 else []
        looks = looks[:: -(-len(looks) // 200) or 1]
        chosen = {*range(0, len(lines), stride), *events, *looks, *range(len(lines))[-1:]}
        return [point for k in sorted(chosen) if (point := read_point(lines[k])) is not None]

    def _looks(self, folder: Path, status: live.Status) -> dict[str, Any]:
        """Where the film and the strip of a run are: its own, or made for it where it has none and rests."""
        name, model = folder.name, folder / "model.safetensors"
        there = self._within(model) and model.is_file()
        made: dict[str, str | None] = {"film": None, "strip": None, "still": None}
        shown = folder / live.WEIGHTS
        newest = model if there else shown if self._within(shown) and shown.is_file() else None
        if newest is not None and self._remember(newest, _begins):
            made["still"] = _url("made/runs", name, "start.png") + f"?v={int(_mtime(folder / 'config.yaml'))}"
        if there and status.state not in BUSY:
            made |= _made("runs", name, model)
        for look, file in (("film", "film.webp"), ("strip", "strip.png")):
            if self._within(folder / file) and (folder / file).is_file():
                made[look] = _url("files/runs", name, file) + f"?v={int(_mtime(folder / file))}"
        return {**made, "model": there}

    def _is_run(self, folder: Path) -> bool:
        if folder.name.startswith(".") or not self._within(folder) or not folder.is_dir():
            return False
        return any((folder / f).exists() for f in ("config.yaml", "model.safetensors", live.STATUS, "train.log"))

    def _inside(self, name: str) -> Path | None:
        """The path of `name` right inside the folder; None for a name that isn't one."""
        odd = not name or name.startswith(".") or len(name) > 200 or any(c in name for c in "/\\\0")
        return None if odd else self.folder / name

    def _within(self, path: Path) -> bool:
        """Whether a path, through every link, lies in the folder of runs."""
        try:
            return path.resolve().is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError, ValueError):
            return False

    def _remember(self, path: Path, read: Callable[[Path], T]) -> T:
        """What `read` found in a file, read again when the file has changed."""
        about = path.stat()
        key, signature = (str(path), read.__name__), (about.st_mtime_ns, about.st_size, about.st_ino)
        known = self._remembered.get(key)
        if known is None or known[0] != signature:
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = known = (signature, read(path))
        return known[1]

    def _tried(self, read: Callable[[], T]) -> T | None:
        """What `read` gives; None where files vanish as they are read."""
        try:
            return read()
        except (OSError, Refusal):
            return None


def read_point(line: bytes) -> dict[str, Any] | None:
    """A line of metrics as a page draws it; None for a torn one."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("step"), int):
        return None
    told = {key: entry[key] for key in ("step", "loss", "lr", "event", "validation") if key in entry}
    terms = entry.get("terms")
    if isinstance(terms, dict):
        told["terms"] = {str(k): float(f"{v:.4g}") for k, v in terms.items() if isinstance(v, float | int)}
    return _tellable(told) or None


def tail(path: Path, most: int) -> list[bytes]:
    """The whole lines in the last `most` bytes of a file; none where there is none."""
    try:
        with path.open("rb") as f:
            size = f.seek(0, 2)
            f.seek(max(0, size - most))
            lines = f.read(most).split(b"\n")
    except OSError:
        return []
    return lines[1 if size > most else 0 : -1]


def last_line(path: Path) -> str:
    """The last line of a log that says something, without codes that a terminal would obey."""
    try:
        with path.open("rb") as f:
            f.seek(max(0, f.seek(0, 2) - 4000))
            text = f.read(4000).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for raw in text.splitlines() if (line := _CODES.sub("", raw).strip())]
    return lines[-1].removeprefix("planaria: ")[:500] if lines else ""


def _first_after(lines: list[bytes], after: int) -> int:
    """Place of the first line beyond step `after`; steps rise."""
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        point = read_point(lines[middle])
        low, high = (middle + 1, high) if point is not None and point["step"] <= after else (low, middle)
    return low


def _tellable(found: dict[str, Any]) -> dict[str, Any]:
    """What a file says, as JSON tells it; empty where it can't: endless numbers, broken letters."""
    try:
        return json.loads(json.dumps(found, default=str, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        return {}


def _blank() -> dict[str, Any]:
    return {
        "task": "", "picture": "", "step": 0, "steps": 0, "loss": None, "figures": {}, "grid": None, "model": False,
        "note": "",
    }  # fmt: skip


def _of_settings(path: Path) -> dict[str, Any]:
    """What a run's settings say."""
    try:
        config = _tellable(read_yaml(path))
    except UserError:
        return {}
    train = config.get("train")
    steps = train.get("steps") if isinstance(train, dict) else 0
    return {
        "task": str(config.get("task", "")),
        "picture": source_of(config),
        "steps": steps if isinstance(steps, int) else 0,
    }


def _of_model(path: Path) -> dict[str, Any]:
    """What a model's card says."""
    try:
        card, grid = store.card(path), store.trained_size(path)
    except UserError:
        return {}
    config = card.get("config")
    figures = card.get("figures")
    trained = card.get("trained")
    return {
        "task": str(card.get("task", "")),
        "picture": source_of(config) if isinstance(config, dict) else "",
        "step": trained if isinstance(trained, int) else 0,
        "figures": figures if isinstance(figures, dict) else {},
        "grid": list(grid),
        "model": True,
    }


def _begins(path: Path) -> bool:
    """Whether a model begins with frames."""
    try:
        return store.start(path) is not None
    except UserError:
        return False


def _made(kind: str, name: str, model: Path) -> dict[str, str]:
    """Addresses of a film and a strip that are made when they are asked for."""
    version = f"?v={int(_mtime(model))}"
    return {"film": _url(f"made/{kind}", name, "film.webp") + version,
            "strip": _url(f"made/{kind}", name, "strip.png") + version}  # fmt: skip


def _url(place: str, name: str, file: str) -> str:
    return f"/{place}/{quote(name, safe='')}/{quote(file, safe='')}"


def _mtime(path: Path) -> float:
    try:
        return min(path.stat().st_mtime, time.time())
    except OSError:
        return 0.0
