"""Shell commands to paste: every printed command and every installation hint is made here."""

import shlex
from pathlib import Path

INSTALL = "pip install '.[{extras}]' (in the clone of planaria)"
"""Command that installs extras: from a clone, until the package is on the index. Publishing changes this line alone."""


def command(*words: object) -> str:
    """A `planaria` command line, each of `words` quoted where a shell wants it: `command("play", folder)`.

    A path that begins with a dash, given as a `Path`, is written as `./-name`, so that it is no option.
    """
    return shlex.join(["planaria", *map(_word, words)])


def _word(word: object) -> str:
    text = str(word)
    return f"./{text}" if isinstance(word, Path) and text.startswith("-") else text


def install(*extras: str) -> str:
    """Command that installs `extras`, such as `desktop`."""
    return INSTALL.format(extras=",".join(extras))
