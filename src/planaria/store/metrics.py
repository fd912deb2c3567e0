"""The lines of `metrics.jsonl`, one for each iteration of a training: read one by one, into numbers or not at all."""

import json
import math
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from planaria.errors import UserError
from planaria.files import open_regular

NAME = "metrics.jsonl"
LONGEST_LINE = 100_000
"""Bytes of a line; a longer one is none."""
LAST_STEP = 10**12
"""Iterations that a line tells of at most."""
MOST_TERMS, MOST_EVENTS = 64, 1000
LONGEST_TEXT = 500

_BEGINNING = re.compile(rb'{"step": (\d{1,12})[,}]')


@dataclass(frozen=True)
class Metric:
    """What one iteration did."""

    step: int
    loss: float | None = None
    """None where it was endless, or isn't there."""
    lr: float | None = None
    terms: dict[str, float] = field(default_factory=dict)
    """Parts of the loss by name."""
    validation: float | None = None
    """The error on what is held out, where that was looked at."""
    event: str = ""
    """What the guardian, the schedule or a person did."""

    def as_dict(self) -> dict[str, Any]:
        """What there is of it, ready for JSON."""
        return {name: value for name, value in vars(self).items() if value is not None and value not in ("", {})}


def entry(line: bytes) -> dict[str, Any] | None:
    """The object that a line holds, whose `step` is a number of an iteration; None where it holds none."""
    if len(line) > LONGEST_LINE:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    step = found.get("step") if isinstance(found, dict) else None
    return found if type(step) is int and 0 <= step <= LAST_STEP else None


def parse(line: bytes) -> Metric | None:
    """What a line says, all of it of the right kind; None for a torn one, or one that says nothing."""
    found = entry(line)
    if found is None:
        return None
    terms, event = found.get("terms"), found.get("event")
    pairs = list(terms.items())[:MOST_TERMS] if isinstance(terms, dict) else []
    numbers = {_text(name): number for name, value in pairs if (number := finite(value)) is not None}
    loss, lr, validation = (finite(found.get(name)) for name in ("loss", "lr", "validation"))
    return Metric(found["step"], loss, lr, numbers, validation, _text(event) if isinstance(event, str) else "")


def whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Every line that has ended, without its end; what is too long for a line comes empty."""
    while line := file.readline(LONGEST_LINE):
        if line.endswith(b"\n"):
            yield line[:-1]
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
        if line:
            yield b""


def thinned(path: Path, most: int) -> list[Metric]:
    """At most about `most` lines of a curve, evenly spread, and up to 1000 events and validations; memory is bounded.

    Raises `UserError` where the file can't be read.
    """
    kept: dict[int, bytes] = {}
    special: deque[tuple[int, bytes]] = deque(maxlen=MOST_EVENTS)
    number, line, stride = -1, b"", 1
    try:
        with open_regular(path) as file:
            for number, line in enumerate(whole_lines(file)):
                if number % stride == 0:
                    kept[number] = line
                    if len(kept) > most:
                        stride *= 2
                        kept = {k: kept[k] for k in kept if k % stride == 0}
                if b'"event"' in line or b'"validation"' in line:
                    special.append((number, line))
    except OSError as e:
        raise UserError(f"can't read {path}: {e.strerror or e}") from e
    chosen = sorted({**kept, **dict(special), number: line}.items())
    return [found for _, text in chosen if (found := parse(text)) is not None]


def cut(path: Path, step: int) -> None:
    """Forget the first line beyond `step` and all that follow, and a torn one; the rest stays as it is.

    Raises `UserError` where the file can't be read or written.
    """
    try:
        with open_regular(path, inside=path.parent) as file:
            end = _end(file, step)
            if end < file.seek(0, os.SEEK_END):
                os.truncate(path, end)
    except OSError as e:
        raise UserError(f"can't cut {path} at iteration {step}: {e.strerror or e}") from e


def _end(file: BinaryIO, step: int) -> int:
    """Where the first line beyond `step` begins."""
    end = 0
    for line in whole_lines(file):
        beginning = _BEGINNING.match(line)
        found = entry(line) if beginning is None else {"step": int(beginning[1])}
        if found is not None and found["step"] > step:
            break
        end = file.tell()
    return end


def finite(value: object) -> float | None:
    """A number as a float; None for what is none, or without end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text(text: str) -> str:
    """A text that can be written again: short, and without halves of letters."""
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
