"""Errors that help: what was wrong, what there is, did you mean."""

from collections.abc import Iterable
from difflib import get_close_matches

from planaria.commands import install


class UserError(ValueError):
    """A mistake that a person can put right; the command line prints its one line and exits with 2."""


def unknown(what: str, name: object, have: Iterable[object]) -> UserError:
    """An error for a `name` that is none of `have`, with the nearest one suggested."""
    names = sorted(str(h) for h in have)
    near = get_close_matches(str(name), names, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UserError(f"unknown {what} {str(name)!r}; have: {', '.join(names)}.{hint}")


def missing_extra(feature: str, extra: str) -> UserError:
    """An error for a feature whose optional dependency is not installed."""
    return UserError(f"{feature} needs an optional dependency: {install(extra)}")
