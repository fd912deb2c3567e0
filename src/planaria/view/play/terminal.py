"""Playing in a terminal: two cells to a character, keys and mouse. Standard library only; for ssh and tmux, too."""

import os
import re
import signal
import sys
import textwrap
import time
from collections.abc import Collection, Iterator
from itertools import groupby
from types import FrameType, TracebackType
from typing import Any

import numpy as np
from PIL import Image

from planaria.errors import UserError
from planaria.view.play.keys import GROUPS, keys_of
from planaria.view.play.player import WAYS, Player

FPS = 30
ESCAPE_SECONDS = 0.05
"""Seconds with nothing behind it after which an escape is the key of that name."""
OPEN = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1002h\x1b[?1006h\x1b[2J"
"""Codes for another screen, no cursor, no wrapped lines, mouse buttons and drags reported in their long form."""
SHUT = "\x1b[?1006l\x1b[?1002l\x1b[?7h\x1b[0m\x1b[?25h\x1b[?1049l"
MOST_INPUT = 4096
KEYS_WIDE = 9

_SEQUENCE = re.compile(rb"\x1b\[<(\d{1,5});(\d{1,5});(\d{1,5})([Mm])|\x1b[\[O]([\x30-\x3f]*)([\x40-\x7e])")
_NAMED = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_BYTES = {0x20: "space", 0x09: "tab", 0x0D: "enter", 0x0A: "enter", 0x1A: "ctrl+z"}


def check_terminal() -> None:
    """Raise `UserError` unless there is a terminal that can show colours and read keys."""
    if os.name != "posix":
        raise UserError("--terminal needs Linux, macOS or WSL; the window plays everywhere: leave out --terminal")
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "", "dumb"):
        why = "NO_COLOR is set" if os.environ.get("NO_COLOR") else "this terminal (TERM) has none"
        raise UserError(f"--terminal draws with colours, and {why}; planaria run MODEL -o film.webp makes an animation")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(
            "--terminal needs a terminal, and this is none; planaria run MODEL -o film.webp makes an animation"
        )


class Terminal:
    """A terminal as a screen; a context manager that restores it, whatever happens."""

    def __init__(self, play: Player):
        self.play = play
        self.cursor: tuple[int, int] | None = None
        self._place = Place((1, 1), play.world.size)
        self._shown: list[str] = []
        self._size = (0, 0)
        self._rest = b""
        self._rest_since = 0.0

    def __enter__(self) -> "Terminal":
        import termios
        import tty

        check_terminal()
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._before = termios.tcgetattr(self._in)
        self._handlers: dict[int, Any] = {s: signal.signal(s, _leave) for s in (signal.SIGTERM, signal.SIGHUP)}
        tty.setcbreak(self._in)
        mode = termios.tcgetattr(self._in)
        mode[6][termios.VSUSP] = b"\0"  # ctrl+z takes back; it doesn't put to sleep
        termios.tcsetattr(self._in, termios.TCSANOW, mode)
        self._write(OPEN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import termios

        try:
            self._write(SHUT)
        finally:
            termios.tcsetattr(self._in, termios.TCSAFLUSH, self._before)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def run(self) -> None:
        """Run until the user quits."""
        last = time.monotonic()
        while not self.play.over:
            self._listen(max(0.0, last + 1 / FPS - time.monotonic()))
            now = time.monotonic()
            if now - last >= 1 / FPS:
                self.play.advance(min(now - last, 0.1))
                last = now
                self._draw()

    def _listen(self, seconds: float) -> None:
        """Wait up to `seconds` for keys and mouse, and handle them."""
        import select

        ready, _, _ = select.select([self._in], [], [], seconds)
        if ready:
            data = os.read(self._in, MOST_INPUT)
            if not data:
                self.play.over = True  # the terminal has gone
            self._rest, self._rest_since = self._rest + data, time.monotonic()
        late = time.monotonic() - self._rest_since > ESCAPE_SECONDS
        events, self._rest = parse(self._rest, late)
        for event in events:
            self.hear(event)

    def hear(self, event: "str | Click") -> None:
        """Do the action of one key or click. Arrows move a cursor; Enter uses the brush there."""
        if isinstance(event, Click):
            self._click(event)
        elif event in WAYS or event == "enter":
            if not self.play.help:
                self._cursor(event)
        else:
            self.play.key(event)

    def _cursor(self, key: str) -> None:
        stride = max(1, round(self._place.cells))
        self.play.pointer = self.cursor
        if key == "enter":
            self.play.use()
        else:
            self.play.point(*(n * stride for n in WAYS[key]))
        self.cursor = self.play.pointer

    def _click(self, click: "Click") -> None:
        cell = self._place.cell(click.row, click.column)
        self.play.pointer, self.cursor = cell, None
        if click.wheel:
            self.play.size_by(click.wheel)
        elif not click.down:
            self.play.lift()
        elif click.moved:
            self.play.drag(*cell)
        elif self.play.help:
            self.play.help = False
        elif click.button == 2:
            self.play.pick(*cell)
        elif self._place.holds(*cell):
            self.play.press(*cell, "erase" if click.button == 1 or click.shift else None)

    def _draw(self) -> None:
        """Write the changes since the last frame, line by line."""
        columns, lines = (n or usual for n, usual in zip(os.get_terminal_size(self._out), (80, 24), strict=True))
        if (columns, lines) != self._size:
            self._size, self._shown = (columns, lines), []
        self._place = Place((columns, max(1, lines - 1)), self.play.world.size)
        message = message_lines(self.play.message, columns)
        shown = self._lines(columns, max(1, lines - 1))
        frame = [*shown[: max(0, len(shown) - len(message))], *message, status(self.play, columns)][-lines:]
        old = self._shown or [""] * len(frame)
        new = [
            f"\x1b[{k + 1};1H{line}\x1b[0m" for k, (line, was) in enumerate(zip(frame, old, strict=True)) if line != was
        ]
        if new:
            wipe = "" if self._shown else "\x1b[0m\x1b[2J"
            self._write(f"\x1b[?2026h{wipe}{''.join(new)}\x1b[?2026l")  # shown at once, where a terminal can
        self._shown = frame

    def _lines(self, columns: int, lines: int) -> list[str]:
        if self.play.help:
            return help_lines(columns, lines, self.play.able)
        image = self.play.image()
        if self.cursor is not None:
            image = image.copy()
            image[self.cursor] = _CURSOR if (image[self.cursor].astype(int) - _CURSOR).__abs__().sum() > 90 else 255
        return self._place.lines(image, 250 if not self.play.dark else 20)

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self._out, data) :]


_CURSOR = np.array((209, 73, 91), np.uint8)


class Click:
    """A mouse button that went down, moved or came up at a character, counted from 0."""

    def __init__(self, code: int, column: int, row: int, down: bool):
        self.row, self.column, self.down = row, column, down
        self.button, self.shift, self.moved = code & 3, bool(code & 4), bool(code & 32)
        self.wheel = (1 if code & 3 == 0 else -1 if code & 3 == 1 else 0) if code & 64 else 0


def parse(data: bytes, late: bool) -> tuple[list[str | Click], bytes]:
    """Parse keys and clicks from the terminal's bytes, and return the rest of a sequence that isn't whole yet.

    A lone escape at the end is kept, and is the key once it is `late`.
    """
    events: list[str | Click] = []
    at = 0
    while at < len(data):
        byte = data[at]
        if byte != 0x1B:
            if name := _BYTES.get(byte) or (chr(byte).lower() if 0x20 < byte < 0x7F else ""):
                events.append(name)
            at += 1
        elif match := _SEQUENCE.match(data, at):
            at = match.end()
            if match[4]:
                events.append(Click(int(match[1]), int(match[2]) - 1, int(match[3]) - 1, match[4] == b"M"))
            elif match[6] in _NAMED:
                events.append(_NAMED[match[6]])
            elif match[5] + match[6] == b"24~":
                events.append("f12")
        elif late:
            events.append("escape")
            at += 1
        elif len(data) - at > 32:
            at += 1  # no sequence that means anything
        else:
            return events, data[at:]
    return events, b""


class Place:
    """Placement of a grid of `(rows, columns)` on `(columns, lines)` characters, two pixels to a character."""

    def __init__(self, room: tuple[int, int], grid: tuple[int, int]):
        self.room, self.grid = room, grid
        (w, h), (rows, columns) = (room[0], 2 * room[1]), grid
        scale = min(w / columns, h / rows)
        if scale >= 1:
            scale = int(scale)
        self.cells = 1 / scale
        """Cells to a pixel."""
        self.w, self.h = max(1, int(columns * scale)), max(1, int(rows * scale))
        self.left, self.top = (w - self.w) // 2, (h - self.h) // 4 * 2

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """Cell in the upper half of a character; outside the grid where that is."""
        rows, columns = self.grid
        return (2 * row - self.top) * rows // self.h, (column - self.left) * columns // self.w

    def holds(self, row: int, column: int) -> bool:
        """True if the cell is on the grid."""
        return 0 <= row < self.grid[0] and 0 <= column < self.grid[1]

    def lines(self, image: np.ndarray, desk: int) -> list[str]:
        """`image` `(rows, columns, 3)` uint8 as lines of characters, in the middle of a grey `desk`."""
        h, w = image.shape[:2]
        if (self.h, self.w) != (h, w):
            way = Image.Resampling.BOX if self.h < h else Image.Resampling.NEAREST
            image = np.asarray(Image.fromarray(image).resize((self.w, self.h), way))
        full = np.full((2 * self.room[1], self.room[0], 3), desk, np.uint8)
        full[self.top : self.top + self.h, self.left : self.left + self.w] = image
        packed = full.astype(np.int64) @ np.array((65536, 256, 1))
        return [_line(pair) for pair in (packed[::2] << 24 | packed[1::2]).tolist()]


def _line(pairs: list[int]) -> str:
    """Render one line: runs of one pair of colours are written once."""
    out, last = [], (-1, -1)
    for pair, run in groupby(pairs):
        upper, lower = pair >> 24, pair & 0xFFFFFF
        if upper != last[0]:
            out.append(f"\x1b[38;2;{upper >> 16};{upper >> 8 & 255};{upper & 255}m")
        if lower != last[1]:
            out.append(f"\x1b[48;2;{lower >> 16};{lower >> 8 & 255};{lower & 255}m")
        last = upper, lower
        out.append("▀" * len(list(run)))
    return "".join(out)


def status(play: Player, columns: int) -> str:
    """The line below the cells."""
    r, g, b = play.colour
    parts = [
        ("1", play.name),
        ("", play.moment),
        *([("31", "paused")] if play.paused else []),
        *([("31", f"● {play.recorder.seconds:.1f} s")] if play.recorder.on else []),
        *([("32", play.training.progress)] if play.training is not None and play.training.progress else []),
        *([("35", play.message)] if play.message and not message_lines(play.message, columns) else []),
        *([("35", play.view)] if play.channel is not None else []),
        *([("35", f"{play.degrees}°")] if play.degrees else []),
        *([("35", f"loop {play.round}")] if play.loop else []),
        (f"38;2;{r};{g};{b}" if play.brush == "paint" else "", f"● {play.brush} {play.radius}"),
        ("2", f"{play.speed:g} {play.unit}s/s"),
        ("2", "h keys"),
    ]
    out, room = [], columns - 1
    for style, words in parts:
        words = "".join(c for c in words if c.isprintable())[: max(0, room)]
        if not words:
            break
        out.append(f"\x1b[0;{style}m{words}" if style else f"\x1b[0m{words}")
        room -= len(words) + 2
    return "  ".join(out) + "\x1b[0m\x1b[K"


def message_lines(message: str, columns: int) -> list[str]:
    """Lines of a message over the lowest cells, where the line below the cells has no room for it."""
    if len(message) <= columns // 2:
        return []
    lines = textwrap.wrap(message, max(8, columns - 2))
    return [f"\x1b[0;7m {line:<{max(0, columns - 1)}}"[: columns + 6] for line in lines]


def help_lines(columns: int, lines: int, able: Collection[str]) -> list[str]:
    """Every key that has an action: a table where there is room, else one after the other."""
    rows = list(_help_rows(able))
    wide = KEYS_WIDE + 2 + max(len(says) for _, says in rows) + 2
    across = max(1, min(3, columns // wide))
    down = -(-len(rows) // across)
    if down > lines or wide > columns:
        text = " · ".join(f"{keys} {says}" for keys, says in rows if keys)
        out = textwrap.wrap(text, max(8, columns - 1))[:lines]
    else:
        out = ["".join(_help_cell(*rows[j], wide) for j in range(k, len(rows), down)) for k in range(down)]
    return [f"\x1b[0m{line}\x1b[0m\x1b[K" for line in [*out, *[""] * (lines - len(out))]]


def _help_cell(keys: str, says: str, wide: int) -> str:
    if not keys:
        return f"\x1b[1;35m{says:<{wide}}\x1b[0m"
    return f"\x1b[1m{keys:>{KEYS_WIDE}}\x1b[0m  {says:<{wide - KEYS_WIDE - 2}}"


def _help_rows(able: Collection[str]) -> Iterator[tuple[str, str]]:
    for group in GROUPS:
        yield "", group
        for key in keys_of(able):
            if key.group == group:
                yield " ".join(key.caps), key.says


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise SystemExit(128 + number)
