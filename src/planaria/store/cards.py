"""Cards: what a model file says of itself, each field that is looked up of the kind that it should be."""

from collections.abc import Callable
from typing import Any

MOST = 10**9
"""Iterations of a training, and cell steps of a loop."""
LARGEST = 16_384
"""Cells on a side of a grid."""


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_grid(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(n) is int and 1 <= n <= LARGEST for n in value)


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict)


FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text, "task": _is_text, "trained": _is_count, "grid": _is_grid, "config": _is_named,
    "figures": _is_named, "reused": _is_lines, "origin": _is_named, "frame": _is_named, "length": _is_count,
    "share": _is_number,
}  # fmt: skip
"""Field -> whether a value is of its kind. Of `config`, what the task's settings are is in the task's file."""


def typed(told: dict[str, Any]) -> dict[str, Any]:
    """A card without the fields that are of another kind than they should be, as if they weren't told."""
    kept = {name: value for name, value in told.items() if name not in FIELDS or FIELDS[name](value)}
    if "figures" in kept:
        kept["figures"] = {name: value for name, value in kept["figures"].items() if _is_number(value)}
    return kept
