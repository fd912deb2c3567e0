"""Signals that end a command: Ctrl-C, SIGTERM, a terminal that goes away."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """State of a requested stop: at once, except for what is done `gently`, which goes on until it is whole."""

    def __init__(self) -> None:
        self.asked = False
        self.interrupted = False
        """True if a `KeyboardInterrupt` was raised."""
        self._gentle = False

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Let the first signal only set `asked` in this context; a second one interrupts at once."""
        self._gentle = True
        try:
            yield
        finally:
            self._gentle = False

    def note(self, number: int, frame: object) -> None:  # noqa: ARG002
        """Handle a signal."""
        if self.asked or not self._gentle:
            self.asked = self.interrupted = True
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def listening(names: Sequence[str] = SIGNALS) -> Iterator[Stop]:
    """Turn every signal that ends a command into a `KeyboardInterrupt`; an ignored one, as under nohup, stays ignored.

    An error that a library makes of the interrupt, such as a failed import, is turned back into the interrupt.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {s: signal.signal(s, stop.note) for s in numbers if signal.getsignal(s) is not signal.SIG_IGN}
    try:
        yield stop
    except Exception as e:
        if stop.interrupted:
            raise KeyboardInterrupt from e
        raise
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
