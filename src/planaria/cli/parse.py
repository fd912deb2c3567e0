"""Parsers of command-line values: damage, infections, and a size."""

from collections.abc import Sequence

from planaria.errors import UserError


def damage(words: Sequence[str]) -> dict[int, str]:
    """Parse `left@150`, any number of times, as step -> damage."""
    found = {}
    for word in words:
        kind, at, step = word.rpartition("@")
        if not at or not step.isdecimal():
            raise UserError(f"--erase {word!r}: write DAMAGE@STEP, as in left@150")
        found[int(step)] = kind
    return found


def sites(words: Sequence[str]) -> dict[int, str]:
    """Parse `20,20@100`, any number of times, as step -> places with semicolons between."""
    found: dict[int, str] = {}
    for word in words:
        place, at, step = word.rpartition("@")
        if not at or not step.isdecimal():
            raise UserError(f"--at {word!r}: write ROW,COLUMN@STEP, as in 20,20@100; or middle@100, all@100, 10%@100")
        found[int(step)] = f"{found[int(step)]};{place}" if int(step) in found else place
    return found


def size(text: str | None) -> tuple[int, int] | None:
    """Parse `72` or `64x96` as rows and columns; None where nothing was typed."""
    if text is None:
        return None
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdecimal() and (columns or rows).isdecimal()):
        raise UserError(f"--size {text!r}: write 72 or ROWSxCOLUMNS, as in 64x96")
    sides = int(rows), int(columns or rows)
    if not all(1 <= n <= 16384 for n in sides):
        raise UserError(f"--size {text!r}: a side has 1 to 16384 cells")
    return sides
