"""Lines of `metrics.jsonl`, one for each iteration of a training: parsed one by one, or rejected."""

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
"""Most bytes of a line; a longer one is rejected."""
LAST_STEP = 10**12
"""Largest number of an iteration in a line."""
MOST_TERMS, MOST_EVENTS = 64, 1000
LONGEST_TEXT = 500

_BEGINNING = re.compile(rb'{"step": (\d{1,12})[,}]')


@dataclass(frozen=True)
class Metric:
    """Metrics of one iteration."""

    step: int
    loss: float | None = None
    """Loss; None where it is infinite or missing."""
    lr: float | None = None
    terms: dict[str, float] = field(default_factory=dict)
    """Parts of the loss by name."""
    validation: float | None = None
    """Error on the held-out data, where it was measured."""
    event: str = ""
    """Event caused by the guardian, the schedule or a person."""

    def as_dict(self) -> dict[str, Any]:
        """Present fields, ready for JSON."""
        return {name: value for name, value in vars(self).items() if value is not None and value not in ("", {})}


def entry(line: bytes) -> dict[str, Any] | None:
    """JSON object in a line, whose `step` is a valid iteration; None where there is none."""
    if len(line) > LONGEST_LINE:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    step = found.get("step") if isinstance(found, dict) else None
    return found if type(step) is int and 0 <= step <= LAST_STEP else None


def parse(line: bytes) -> Metric | None:
    """Parse a line, all of it of a valid type; None for a torn or an empty one."""
    found = entry(line)
    if found is None:
        return None
    terms, event = found.get("terms"), found.get("event")
    pairs = list(terms.items())[:MOST_TERMS] if isinstance(terms, dict) else []
    numbers = {_text(name): number for name, value in pairs if (number := finite(value)) is not None}
    loss, lr, validation = (finite(found.get(name)) for name in ("loss", "lr", "validation"))
    return Metric(found["step"], loss, lr, numbers, validation, _text(event) if isinstance(event, str) else "")


def whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Every line that has ended, without its end; one that is too long comes empty."""
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
    """Remove the first line beyond `step`, all that follow, and a torn one; the rest stays unchanged.

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
    """Byte offset of the first line beyond `step`."""
    end = 0
    for line in whole_lines(file):
        beginning = _BEGINNING.match(line)
        found = entry(line) if beginning is None else {"step": int(beginning[1])}
        if found is not None and found["step"] > step:
            break
        end = file.tell()
    return end


def finite(value: object) -> float | None:
    """Number as a float; None for anything else, or an infinite one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text(text: str) -> str:
    """Text that can be written again: short, and without lone surrogates."""
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
