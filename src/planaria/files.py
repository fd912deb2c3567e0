"""Opening files that nobody vouches for: regular ones only, without blocking, in their folder."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: str | Path, *, inside: Path | None = None) -> BinaryIO:
    """The regular file `path`, opened for reading bytes. The caller closes it.

    A pipe, a socket, a device or a folder is refused at once, where `open` might wait for a writer that never comes;
    so is a link that leads out of the folder `inside`, where one is given. Raises `OSError`, whose `strerror` says why.
    """
    where = Path(path)
    if inside is not None and not where.resolve().is_relative_to(inside.resolve()):
        raise OSError(errno.EACCES, f"a link that leads out of {inside.name or inside}", str(path))
    descriptor = os.open(where, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read(path: str | Path, limit: int, *, inside: Path | None = None) -> bytes:
    """All bytes of a regular file of at most `limit` bytes; `OSError` for anything else, as `open_regular`."""
    with open_regular(path, inside=inside) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes", str(path))
    return data
