"""Lines that people paste into a shell: every printed command and every hint on what to install is made here."""

import shlex

INSTALL = "pip install '.[{extras}]' (in the clone of planaria)"
"""How extras are installed: from a clone, until the package is on the index. Publishing changes this line alone."""


def command(*words: object) -> str:
    """A `planaria` command line, each of `words` quoted where a shell wants it: `command("play", folder)`."""
    return shlex.join(["planaria", *(str(word) for word in words)])


def install(*extras: str) -> str:
    """The line that installs `extras`, such as `desktop`."""
    return INSTALL.format(extras=",".join(extras))
