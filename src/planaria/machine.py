"""This machine: how much memory it has, and which processes are there."""


def memory() -> int:
    """Size of the memory in bytes, free or not."""
    import psutil

    return psutil.virtual_memory().total


def is_there(pid: int) -> bool:
    """True if there is a process of that number, be it over and still listed."""
    import psutil

    try:
        return psutil.pid_exists(pid)
    except OverflowError:  # no process has such a number
        return False


def began(pid: int | None = None) -> float | None:
    """Start of a process (this one), in seconds since 1970, to about a second; None if it isn't alive.

    A process that is over but still listed no longer lives. Raises `OSError` if it can't be queried.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        over = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return None if over else process.create_time()
    except psutil.NoSuchProcess:
        return None
    except psutil.Error as error:
        raise PermissionError(str(error)) from error
