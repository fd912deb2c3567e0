"""The folder of runs, as the studio sees it: cards, files, metrics. Nothing outside it is ever opened."""

import contextlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from planaria import store
from planaria.config import read_yaml
from planaria.errors import UserError
from planaria.files import is_inside, open_regular
from planaria.store import live, lock, metrics, run_folder
from planaria.store.run_folder import RunFolder
from planaria.view.studio import cards
from planaria.view.studio.guard import Refusal

T = TypeVar("T")

FILES = (
    run_folder.MODEL, run_folder.FILM, run_folder.STRIP, run_folder.SHEET, run_folder.TILES, run_folder.LOSS,
    run_folder.TARGET, run_folder.CONFIG, run_folder.README, run_folder.METRICS, run_folder.POOL, run_folder.LOG,
    run_folder.PAGE, run_folder.ROLLOUT,
)  # fmt: skip
"""Files of a run that may be served."""
MOST_POINTS = 2000
MOST_METRICS = 32_000_000
"""Bytes of metrics that are read for a curve, from the end."""
READ = (run_folder.CONFIG, run_folder.MODEL, run_folder.STATUS, run_folder.METRICS, run_folder.LOG)
"""Files that a card is made from."""
KNOWN = {*FILES, *READ, run_folder.WEIGHTS, lock.NAME}
LEAST_REMEMBERED, REMEMBERED_EACH = 4000, 8
"""Files whose content is remembered, in all at least and for each run."""
SETTING_UP = "setting up"

There = Mapping[str, os.stat_result]
"""Contents of a run folder: every known file that doesn't lead out of the runs, as it is now."""


class Runs:
    """All runs in `folder` and the models of the gallery."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._memory = cards.Memory(LEAST_REMEMBERED)

    def names(self) -> list[str]:
        """Names of all runs."""
        return sorted(name for name, _ in self._all())

    def _all(self) -> Iterator[tuple[str, There]]:
        """Every run and its contents."""
        try:
            entries = list(os.scandir(self.folder))
        except OSError:
            return
        for entry in entries:
            try:
                lies_here = not entry.is_symlink() or is_inside(Path(entry.path), self.folder)
                if entry.name.startswith(".") or not lies_here or not entry.is_dir():
                    continue
            except OSError:
                continue
            there = self._there(Path(entry.path))
            if _is_run(there):
                yield entry.name, there

    def _there(self, folder: Path) -> There:
        try:
            entries = [entry for entry in os.scandir(folder) if entry.name in KNOWN]
        except OSError:
            return {}
        found = {}
        for entry in entries:
            if not entry.is_symlink() or self._within(Path(entry.path)):
                with contextlib.suppress(OSError):
                    found[entry.name] = entry.stat()
        return found

    def run(self, name: str) -> Path:
        """Folder of a run. Raises `Refusal` if it is none, or lies elsewhere."""
        folder = self._inside(name)
        if folder is None or not self._within(folder) or not _is_run(self._there(folder)):
            raise Refusal(404, f"no run {name[:80]!r}")
        return folder

    def file(self, name: str, file: str) -> Path:
        """Path of a file of a run that may be served."""
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
        folder = RunFolder(self.run(name))
        kept, shown = folder.model, folder.weights
        order = (shown, kept) if newest and self.status(folder.path).busy else (kept, shown)
        for path in order:
            if self._within(path) and path.is_file():
                return path
        raise Refusal(404, f"{name!r} has no model yet")

    def home(self) -> dict[str, list[dict[str, Any]]]:
        """Every card, the newest run first."""
        everything = list(self._all())
        self._memory.most = max(LEAST_REMEMBERED, REMEMBERED_EACH * len(everything))
        shown = [card for name, there in everything if (card := self._shown(name, there)) is not None]
        shipped = [self.card("gallery", name) for name in store.gallery()]
        return {"runs": sorted(shown, key=lambda c: -c["changed"]), "gallery": shipped}

    def _shown(self, name: str, there: There) -> dict[str, Any] | None:
        """Card of a run, whatever its files hold; None if they vanish as they are read."""
        plain = name.encode("utf-8", "replace").decode()
        try:
            if plain == name:
                return self._card(name, there)
            wrong = "its name isn't readable text; rename the folder"
        except (FileNotFoundError, Refusal):
            return None
        except Exception as e:  # a fault of ours, or an odd file: of all runs, only this one must tell of it
            logging.getLogger(__name__).exception("the card of %s", name)
            wrong = f"its files can't be read: {type(e).__name__}: {' '.join(str(e).split())[:200]}"
        looks = {"film": None, "strip": None, "still": None}
        named = {"name": plain, "kind": "run", "state": "failed", "changed": 0.0}
        return {**cards.blank(), **looks, **named, "trouble": wrong}

    def card(self, kind: str, name: str) -> dict[str, Any]:
        """Data of a run or a model for the page."""
        if kind == "gallery":
            path = self.model(kind, name)
            found = self._memory.get(path, path.stat(), cards.of_model)
            about = {**cards.blank(), **found, "state": "finished", "changed": 0}
            about["steps"] = about["step"]
            return {**about, "name": name, "kind": "gallery", **_made("gallery", name, path.stat())}
        return self._card(name, self._there(self.run(name)))

    def _card(self, name: str, there: There) -> dict[str, Any]:
        folder = self.folder / name
        about = cards.blank()
        about |= self._read(folder, there, run_folder.CONFIG, cards.of_settings) or {}
        about |= {k: v for k, v in (self._read(folder, there, run_folder.MODEL, cards.of_model) or {}).items() if v}
        status = self._status(folder, there, about)
        about |= {k: v for k, v in vars(status).items() if k in ("state", "step", "steps", "loss", "note")}
        about["changed"] = max(status.time, *(_mtime(there.get(f)) for f in FILES))
        about["trouble"] = self._odd(folder, there) or about["trouble"]
        return {**about, "name": name, "kind": "run", **self._looks(folder, there, status)}

    def _odd(self, folder: Path, there: There) -> str:
        """Name of a run's file that can't be read, or not as it should be, and why; "" if all are well."""
        for file in READ:
            if file in there and not stat.S_ISREG(there[file].st_mode):
                return f"{folder / file}: not a regular file"
            if file not in there and os.path.islink(folder / file):  # noqa: PTH114  (5,000 runs have many)
                return f"{folder / file}: a link that leads nowhere, or out of {self.folder}, which isn't followed"
        if _has(there, run_folder.STATUS) and self._read(folder, there, run_folder.STATUS, _last_status) is None:
            return f"{folder / run_folder.STATUS}: damaged; its other files say how far it is"
        return ""

    def _read(self, folder: Path, there: There, file: str, read: Callable[[Path], T]) -> T | None:
        """Result of `read` on a file; None if it isn't there."""
        return self._memory.get(folder / file, there[file], read) if _has(there, file) else None

    def status(self, folder: Path, about: dict[str, Any] | None = None) -> live.Status:
        """Status of a run, guessed from its files if it never reported one."""
        return self._status(folder, self._there(folder), about or cards.blank())

    def _status(self, folder: Path, there: There, about: dict[str, Any]) -> live.Status:
        last = self._read(folder, there, run_folder.STATUS, _last_status)
        status = live.judged(last) if last is not None else None
        step, steps = about["step"], about["steps"]
        if (status is None or not status.busy) and lock.NAME in there and lock.is_held(folder):
            known = status or live.Status("running", step, steps)
            return replace(known, state="running", note=SETTING_UP)
        if status is not None:
            silent = not status.note and status.state in ("failed", "interrupted")
            return replace(status, note=self._last_line(folder, there)) if silent else status
        if not about["model"] and run_folder.LOG in there:
            return live.Status("failed", step, steps, note=self._last_line(folder, there))
        return live.Status("finished" if step >= steps > 0 else "stopped", step, steps)

    def _last_line(self, folder: Path, there: There) -> str:
        return self._read(folder, there, run_folder.LOG, cards.last_line) or ""

    def busy(self) -> int:
        """Number of runs that train, or are about to."""
        everything = [(self.folder / name, there) for name, there in self._all()]
        return sum(self._status(folder, there, cards.blank()).busy for folder, there in everything)

    def settings(self, folder: Path) -> dict[str, Any]:
        """Settings of a run; empty if it has none yet."""
        path = RunFolder(folder).config
        try:
            return cards.tellable(read_yaml(path)) if self._within(path) and path.is_file() else {}
        except UserError:
            return {}

    def files(self, name: str) -> list[dict[str, Any]]:
        """Name, size and address of every file of a run that may be served."""
        there = self._there(self.run(name))
        sizes = {f: there[f].st_size for f in FILES if _has(there, f)}
        return [{"name": f, "bytes": size, "url": _url("files/runs", name, f)} for f, size in sizes.items()]

    def metrics(self, name: str, after: int) -> list[dict[str, Any]]:
        """At most 2000 points of a curve beyond step `after`: events and validations among them while they fit."""
        lines = tail(RunFolder(self.run(name)).metrics, MOST_METRICS, inside=self.folder)
        first = _first_after(lines, after)
        lines = lines[first:]
        stride = -(-len(lines) // (MOST_POINTS - 400)) or 1
        events = [k for k, line in enumerate(lines) if b'"event"' in line][-199:] if stride > 1 else []
        looks = [k for k, line in enumerate(lines) if b'"validation"' in line] if stride > 1 else []
        looks = looks[:: -(-len(looks) // 200) or 1]
        chosen = {*range(0, len(lines), stride), *events, *looks, *range(len(lines))[-1:]}
        return [point for k in sorted(chosen) if (point := read_point(lines[k])) is not None]

    def _looks(self, folder: Path, there: There, status: live.Status) -> dict[str, Any]:
        """Addresses of the film and the strip of a run: its own, or made for it where it has none and rests."""
        name, whole = folder.name, _has(there, run_folder.MODEL)
        made: dict[str, str | None] = {"film": None, "strip": None, "still": None}
        newest = next((f for f in (run_folder.MODEL, run_folder.WEIGHTS) if _has(there, f)), "")
        if newest and self._read(folder, there, newest, cards.begins):
            made["still"] = _url("made/runs", name, "start.png") + f"?v={int(_mtime(there.get(run_folder.CONFIG)))}"
        if whole and not status.busy:
            made |= _made("runs", name, there[run_folder.MODEL])
        for look, file in (("film", run_folder.FILM), ("strip", run_folder.STRIP)):
            if _has(there, file):
                made[look] = _url("files/runs", name, file) + f"?v={int(_mtime(there[file]))}"
        return {**made, "model": whole}

    def _inside(self, name: str) -> Path | None:
        """Path of `name` right inside the folder; None for an invalid name."""
        odd = not name or name.startswith(".") or len(name) > 200 or any(c in name for c in "/\\\0")
        return None if odd else self.folder / name

    def _within(self, path: Path) -> bool:
        """True if a path, through every link, lies in the folder of runs."""
        return is_inside(path, self.folder)


def read_point(line: bytes) -> dict[str, Any] | None:
    """Parse a line of metrics as a page draws it; None for a torn one."""
    found = metrics.parse(line)
    if found is None:
        return None
    point = found.as_dict()
    if found.terms:  # several a line: as many digits as a plot can show
        point["terms"] = {name: float(f"{value:.4g}") for name, value in found.terms.items()}
    return point


def tail(path: Path, most: int, *, inside: Path) -> list[bytes]:
    """The whole lines in the last `most` bytes of a file in the folder `inside`; none where there is none."""
    try:
        with open_regular(path, inside=inside) as f:
            size = f.seek(0, os.SEEK_END)
            f.seek(max(0, size - most))
            lines = f.read(most).split(b"\n")
    except OSError:
        return []
    return lines[1 if size > most else 0 : -1]


def _first_after(lines: list[bytes], after: int) -> int:
    """Index of the first line beyond step `after`; steps rise."""
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        point = read_point(lines[middle])
        low, high = (middle + 1, high) if point is not None and point["step"] <= after else (low, middle)
    return low


def _is_run(there: There) -> bool:
    return any(f in there for f in (run_folder.CONFIG, run_folder.MODEL, run_folder.STATUS, run_folder.LOG))


def _has(there: There, file: str) -> bool:
    """True if a file is there, and a regular one."""
    return file in there and stat.S_ISREG(there[file].st_mode)


def _last_status(path: Path) -> live.Status | None:
    return live.last_status(path.parent)


def _made(kind: str, name: str, model: os.stat_result) -> dict[str, str]:
    """Addresses of a film and a strip that are made on demand."""
    version = f"?v={int(_mtime(model))}"
    return {"film": _url(f"made/{kind}", name, run_folder.FILM) + version,
            "strip": _url(f"made/{kind}", name, run_folder.STRIP) + version}  # fmt: skip


def _url(place: str, name: str, file: str) -> str:
    return f"/{place}/{quote(name, safe='')}/{quote(file, safe='')}"


def _mtime(about: os.stat_result | None) -> float:
    return min(about.st_mtime, time.time()) if about is not None else 0.0
