"""Errors that help: what was wrong, which choices there are, did you mean."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from planaria.commands import install
from planaria.synonyms import nearest


class UserError(ValueError):
    """Error that the user can correct; the command line prints its one line and exits with 2.

    `field` is the setting that is wrong, with dots (`train.steps`), if it is one.
    """

    def __init__(self, message: str, field: str | None = None):
        super().__init__(message)
        self.field = field


@contextmanager
def concerning(field: str) -> Iterator[None]:
    """Attribute errors inside to the setting `field`, unless they name one themselves."""
    try:
        yield
    except UserError as error:
        error.field = error.field or field
        raise


def unknown(
    what: str,
    name: object,
    have: Iterable[object],
    near: Iterable[object] = (),
    field: str | None = None,
    also: Mapping[str, str] | None = None,
) -> UserError:
    """Error for a `name` that is none of `have`, with a suggestion of the one that is meant: of these, or of `near`.

    `also` has other names of these, see `synonyms.nearest`.
    """
    names = sorted(str(h) for h in have)
    meant = nearest(name, [*names, *near], also)
    hint = f" Did you mean {meant!r}?" if meant else ""
    return UserError(f"unknown {what} {str(name)!r}; have: {', '.join(names)}.{hint}", field)


def missing_extra(feature: str, extra: str) -> UserError:
    """Error for a feature whose optional dependency is not installed."""
    return UserError(f"{feature} needs an optional dependency: {install(extra)}")
