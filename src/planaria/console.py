"""Terminal output: everything on what the terminal can show, in one place."""

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

from rich.console import Console
from rich.markup import escape

COLOURFUL = ("256", "truecolor")
"""Colour systems of rich with enough colours for a picture."""


def printer(*, stderr: bool = False) -> Console:
    """Console on standard output, or on `stderr`; rich takes its colours from NO_COLOR, FORCE_COLOR and TERM.

    Nothing is animated without a spectator: bars and pictures that are redrawn need a terminal, whatever FORCE_COLOR
    says.
    """
    stream = sys.stderr if stderr else sys.stdout
    watched = stream is not None and stream.isatty()
    return Console(stderr=stderr, force_interactive=None if watched else False)


def busy(console: Console, doing: str) -> AbstractContextManager[object]:
    """Show a message while work is in progress, if the output is a terminal."""
    return console.status(escape(doing)) if console.is_interactive else contextlib.nullcontext()


def file_size(n: int) -> str:
    """File size in readable units."""
    return f"{n:,} bytes" if n < 1000 else f"{n / 1000:,.0f} KB" if n < 1_000_000 else f"{n / 1e6:,.1f} MB"


def pictures(console: Console) -> bool:
    """True if pictures of half blocks can be seen: they are nothing but colours."""
    bare = console.no_color or not console.is_terminal or console.encoding.partition("-")[0] != "utf"
    return not bare and console.color_system in COLOURFUL and not console.is_dumb_terminal


def no_pictures(console: Console) -> str:
    """Reason why `pictures` are not shown, in a few words."""
    if console.no_color or os.environ.get("NO_COLOR"):
        return "NO_COLOR is set"
    return "this terminal shows too few colours" if console.is_terminal else "this is no terminal"


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Silence standard error meanwhile: C libraries complain there on their own, libtiff of every broken byte."""
    if sys.stderr is not None:
        sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
