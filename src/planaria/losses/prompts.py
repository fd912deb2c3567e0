"""Prompts: the wanted or unwanted look of a picture, in words or by another picture, as the user types it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planaria.errors import UserError
from planaria.files import PICTURES

FORM = "image:"
"""Prefix of a prompt that is a picture, whatever its name."""
HEAVIEST = 1000.0
_UNWEIGHED = re.compile(r".*\d(?: +: +|:)[^:]*|(?:image:)?[a-z][a-z0-9+.-]*://[^/\s]*", re.IGNORECASE | re.DOTALL)
"""Text that ends in a number that is no weight: a time, a ratio, a verse; a web address that ends with its port."""


@dataclass(frozen=True)
class Prompt:
    """Words or a picture, with a weight."""

    text: str = ""
    """Words; empty for a picture."""
    picture: str = ""
    """Picture, as the user names it; empty for words."""
    weight: float = 1.0
    """Weight relative to the other prompts; below 0 it pushes away."""


def parse(typed: str) -> Prompt:
    """Parse a prompt: `a pencil sketch`, `mosaic:2`, `blurry:-0.5`, `gogh.jpg:2` or `image:PATH`.

    A number after the last colon is the weight, otherwise it is 1. It is none where a digit stands before the colon,
    as in `a clock at 10:30` and `16 : 9`; such words are weighed by a blank before the colon, `a clock at 10:30 :2`.
    One word with a picture's suffix is a picture, and so are several where there is a file of that name. Raises
    `UserError` for an empty prompt and for an unusable weight.
    """
    what, weight = _weighed(typed.strip())
    by_name = what.startswith(FORM)
    what = what.removeprefix(FORM).strip()
    if not what:
        raise UserError(f"the prompt {typed!r} says nothing; write words, a picture file, words:WEIGHT or image:PATH")
    if not 0 < abs(weight) <= HEAVIEST:
        raise UserError(f"the weight of the prompt {typed!r} is {weight:g}; it may be up to {HEAVIEST:g}, and not 0")
    if by_name or _is_picture(what):
        return Prompt(picture=what, weight=weight)
    return Prompt(text=what, weight=weight)


def parse_all(typed: Sequence[str]) -> list[Prompt]:
    """Parse all prompts. Raises `UserError` as `parse` does, and where none has a weight above 0."""
    prompts = [parse(one) for one in typed]
    if not any(prompt.weight > 0 for prompt in prompts):
        raise UserError("prompts need one with a weight above 0: what a photo should look like")
    return prompts


def _weighed(typed: str) -> tuple[str, float]:
    what, colon, number = typed.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        return typed, 1.0
    if not colon or not math.isfinite(weight) or _UNWEIGHED.fullmatch(typed):
        return typed, 1.0
    return what.rstrip(), weight


def _is_picture(what: str) -> bool:
    if not what.lower().endswith(PICTURES):
        return False
    try:
        return len(what.split()) == 1 or Path(what).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # no name that a file could have
        return False
