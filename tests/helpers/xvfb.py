"""A screen that nobody sees, with a real keyboard and mouse: Xvfb and xdotool."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable

import pytest
from PIL import Image, ImageGrab

MISSING = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]


def needs_screen(test: Callable) -> Callable:
    """Mark a test that wants a screen; it skips where there can be none."""
    skips = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
    return pytest.mark.screen(skips(test))


class Screen:
    """A context manager; `env` is what a program needs to open its windows there."""

    def __init__(self, width: int = 900, height: int = 900):
        self.size = width, height

    def __enter__(self) -> "Screen":
        told, tell = os.pipe()
        screen = f"{self.size[0]}x{self.size[1]}x24"
        words = ["Xvfb", "-displayfd", str(tell), "-screen", "0", screen, "-nolisten", "tcp"]
        self._server = subprocess.Popen(words, pass_fds=[tell], stderr=subprocess.DEVNULL)
        os.close(tell)
        with os.fdopen(told) as f:
            number = f.readline().strip()  # a free one, once it listens
        assert number, "Xvfb didn't start"
        self.env = os.environ | {"DISPLAY": f":{number}", "SDL_VIDEODRIVER": "x11"}
        return self

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(20)

    def do(self, *words: object) -> str:
        """One call of xdotool."""
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.env, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout

    def window(self, kind: str) -> tuple[int, int, int, int]:
        """Give the window of that class the keyboard; its left, top, width and height."""
        found = self.do("search", "--sync", "--onlyvisible", "--class", kind).split()[0]
        self.do("windowfocus", found)
        told = dict(line.split("=") for line in self.do("getwindowgeometry", "--shell", found).split())
        return int(told["X"]), int(told["Y"]), int(told["WIDTH"]), int(told["HEIGHT"])

    def picture(self) -> Image.Image:
        """All that is on the screen."""
        return ImageGrab.grab(xdisplay=self.env["DISPLAY"]).convert("RGB")


def until(
    true: Callable[[], object], what: str, seconds: float = 30, again: Callable[[], object] | None = None
) -> None:
    """Wait for something that must come about; `again` is done once, half-way."""
    began = time.monotonic()
    while not true():
        waited = time.monotonic() - began
        assert waited < seconds, f"waited {seconds} s for {what}"
        if again is not None and waited > seconds / 2:
            again()
            again = None
        time.sleep(0.03)
