"""Patterns of Life: the cells of a .rle or .cells file, and the rule that it was made for.

Both formats are described at https://conwaylife.com/wiki/Run_Length_Encoded and .../Plaintext.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from planaria.errors import UserError
from planaria.files import HEAD, instead, read

SUFFIXES = (".rle", ".cells")
MOST_BYTES = 4_000_000
MOST_SIDE = 16384
"""Most cells on a side of a pattern."""
MOST_CELLS = 2**26
"""Most cells of a pattern, including the dead ones within it."""
_HEADER = re.compile(r"\s*x\s*=\s*(\d+)\s*,\s*y\s*=\s*(\d+)\s*(?:,\s*rule\s*=\s*(\S[^\n]*?))?\s*", re.IGNORECASE)
_RUN = re.compile(r"\s*(\d*)\s*([A-Za-z.$!])")

Run = tuple[int, int, int]
"""Row, first column and number of live cells side by side."""


@dataclass(frozen=True)
class Pattern:
    """Cells of two states, and the rule that they were made for."""

    cells: Tensor
    """Live cells, `(h, w)` bool."""
    rule: str
    """Rule as the file states it; "" where it states none."""


def is_pattern(name: str) -> bool:
    """True if a file's suffix is that of a pattern."""
    return name.lower().endswith(SUFFIXES)


def open_pattern(source: str | Path) -> Pattern:
    """Read the pattern in a file. Its size is checked before memory is allocated. Raises `UserError`."""
    name = str(source)
    try:
        data = read(Path(source).expanduser(), MOST_BYTES)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"can't read {name!r}: {getattr(error, 'strerror', None) or error}") from error
    text = data.decode("utf-8-sig", "replace")
    lines = text.splitlines()
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if found := _HEADER.fullmatch(header):
        at = lines.index(header)
        body = "\n".join(line for line in lines[at + 1 :] if not line.startswith("#"))
        sides, rule = (_number(found[2], name), _number(found[1], name)), (found[3] or "").partition(":")[0]
        return Pattern(_drawn(lambda: _runs(body, name), sides, name), rule.strip())
    rows = [line.rstrip() for line in lines if not line.startswith("!")]
    if not any(rows) or set().union(*rows) - set(".Oo*"):
        raise UserError(instead(name, data[:HEAD], f"pattern of Life ({', '.join(SUFFIXES)})"))
    return Pattern(_drawn(lambda: _plain(rows), (len(rows), max(map(len, rows))), name), "")


def _drawn(runs: Callable[[], Iterator[Run]], sides: tuple[int, int], name: str) -> Tensor:
    """Draw the cells of all runs in a box of at least `sides` rows and columns: measured first, then filled."""
    rows, columns = sides
    _check(rows, columns, name)
    some = False
    for row, column, count in runs():
        rows, columns, some = max(rows, row + 1), max(columns, column + count), True
        _check(rows, columns, name)
    if not some:
        raise UserError(f"{name!r} holds no live cell")
    cells = np.zeros((rows, columns), bool)
    for row, column, count in runs():
        cells[row, column : column + count] = True
    return torch.from_numpy(cells)


def _check(rows: int, columns: int, name: str) -> None:
    if max(rows, columns) > MOST_SIDE or rows * columns > MOST_CELLS:
        raise UserError(
            f"{name!r} is a pattern of {columns}x{rows} cells; a side has at most {MOST_SIDE}, all {MOST_CELLS:,}"
        )


def _runs(body: str, name: str) -> Iterator[Run]:
    """Live cells of the part of a .rle file after the header."""
    row = column = at = 0
    while found := _RUN.match(body, at):
        count, tag, at = _number(found[1] or "1", name), found[2], found.end()
        if tag == "!":
            return
        if tag == "$":
            row, column = row + count, 0
        elif tag in "oA":
            yield row, column, count
            column += count
        elif tag in "b.":
            column += count
        else:
            raise UserError(f"{name!r} has cells of more than two states ({tag!r}); sim:life has two")
    if body[at:].strip():
        raise UserError(f"{name!r} is broken at {body[at:].strip()[:12]!r}; a .rle is made of b, o, $ and numbers")


def _plain(rows: list[str]) -> Iterator[Run]:
    """Live cells of a .cells file."""
    for row, line in enumerate(rows):
        for found in re.finditer(r"[Oo*]+", line):
            yield row, found.start(), len(found[0])


def _number(text: str, name: str) -> int:
    """Parse a number of cells; one longer than any pattern needs is refused before it is converted."""
    if len(text) > 9:
        raise UserError(f"{name!r} counts {text[:12]}... cells; a side has at most {MOST_SIDE}")
    return int(text)
