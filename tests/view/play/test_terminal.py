"""The terminal player: a real pseudo-terminal, keys and clicks sent to it, and what it draws read back."""

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.rules import rule
from helpers.xvfb import until

from planaria import store
from planaria.cli import main
from planaria.core.layout import Layout
from planaria.view.play.keys import KEYS
from planaria.view.play.player import Player
from planaria.view.play.state import read_state
from planaria.view.play.terminal import OPEN, SHUT, Click, Place, Terminal, help_lines, parse, status
from planaria.world import World

SRC = Path(__file__).parents[3] / "src"
LIZARD = store.load("lizard")


class Glass:
    """What a terminal shows: just enough of one to read the player's pictures."""

    def __init__(self, columns: int, lines: int):
        self.size = columns, lines
        self.wipe()

    def wipe(self) -> None:
        columns, lines = self.size
        self.pixels = np.zeros((2 * lines, columns, 3), int)
        self.text = [[" "] * columns for _ in range(lines)]
        self.at = [0, 0]
        self.colours: list[tuple[int, ...]] = [(0, 0, 0), (0, 0, 0)]

    def feed(self, told: str) -> None:
        for move, code in re.findall(r"\x1b\[([0-9;?<]*[A-Za-z])|([^\x1b])", told):
            if move.endswith("H"):
                self.at = [int(n) - 1 for n in move[:-1].split(";")]
            elif move.endswith("m"):
                numbers = [int(n) for n in move[:-1].split(";") if n]
                if numbers[:2] in ([38, 2], [48, 2]):
                    self.colours[numbers[0] == 48] = tuple(numbers[2:5])
            elif move == "2J":
                self.wipe()
            elif move == "K":
                row, column = self.at
                if row < len(self.text):
                    self.text[row][column:] = [" "] * (len(self.text[row]) - column)
            elif code and code >= " " and self.at[0] < len(self.text) and self.at[1] < len(self.text[0]):
                row, column = self.at
                self.text[row][column] = code
                if code == "▀":
                    self.pixels[2 * row, column], self.pixels[2 * row + 1, column] = self.colours
                self.at[1] += 1

    @property
    def lines(self) -> list[str]:
        return ["".join(line).rstrip() for line in self.text]


class Session:
    """`planaria play --terminal` in a pseudo-terminal of its own."""

    def __init__(self, folder: Path, *words: str, columns: int = 80, lines: int = 24, **env: str):
        self.master, slave = pty.openpty()
        self.folder = folder
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.told = b""
        self.glass = Glass(columns, lines)
        self._fed = 0
        self.resize(columns, lines)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "planaria", "play", *words], cwd=folder, stdin=slave, stdout=slave, stderr=slave,
            env={k: v for k, v in os.environ.items() if k != "NO_COLOR"}
            | {"TERM": "xterm-256color", "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1", **env},
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.set_blocking(self.master, False)

    def resize(self, columns: int, lines: int) -> None:
        self.glass.size = columns, lines
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self) -> str:
        while True:
            try:
                self.told += os.read(self.master, 65536)
            except BlockingIOError:
                break
        whole = self.told.rfind(b"\x1b[?2026l") + 1  # frames that came to their end
        if whole > self._fed:
            self.glass.feed(self.told[self._fed : whole].decode(errors="ignore"))
            self._fed = whole
        return self.told.decode(errors="ignore")

    @property
    def status(self) -> str:
        return self.glass.lines[-1]

    def send(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def saved(self) -> World:
        before = set(self.folder.glob("*.safetensors"))
        self.send("s")
        self.wait(lambda: set(self.folder.glob("*.safetensors")) - before, "a saved state")
        return read_state((set(self.folder.glob("*.safetensors")) - before).pop(), *LIZARD)

    def wait(self, true: Callable[[], object], what: str) -> None:
        until(lambda: self.read() is not None and true(), what)

    def end(self) -> int:
        until(lambda: self.read() is not None and self.process.poll() is not None, "its end")
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait(20)
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def session(tmp_path):
    begun = []

    def begin(*words: str, **settings) -> Session:
        begun.append(Session(tmp_path, *words, **settings))
        begun[-1].wait(lambda: "▀" in begun[-1].read(), "a picture")
        return begun[-1]

    yield begin
    for s in begun:
        s.close()


@pytest.mark.long
def test_playing_in_a_terminal(session):
    s = session("lizard", "--terminal", "--seed", "1", "--speed", "400", "--size", "40", columns=82, lines=42)
    assert OPEN in s.read()
    s.wait(lambda: int((re.findall(r"step (\d+)", s.status) or [0])[0]) > 150, "a grown lizard")
    s.send(" ")
    s.wait(lambda: "paused" in s.status, "the pause")
    world = s.saved()
    s.wait(lambda: "saved" in s.status, "the news")
    glass = s.glass
    place = Place((82, 41), (40, 40))
    assert (place.w, place.h) == (80, 80)
    seen = glass.pixels[place.top : place.top + 80 : 2, place.left : place.left + 80 : 2]
    assert np.array_equal(seen, world.image().numpy())

    s.send("e\x1b[C\x1b[B\x1bOA\r")  # the eraser, arrows in both their forms, and use it there
    erased = s.saved()
    row, column = (20, 21)
    assert erased.x[0, :, row, column].abs().sum() == 0
    assert erased.x[0, 3].sum() < world.x[0, 3].sum()
    s.send("z")
    assert torch.equal(s.saved().x, world.x)

    s.send("c")
    click = f"{place.left + 2 * 7 + 1};{place.top // 2 + 9 + 1}"
    s.send(f"\x1b[<0;{click}M\x1b[<0;{click}m")
    s.send("\x1b[<0;9999;1M\x1b[<0;9999;1m")
    painted = s.saved()
    assert (painted.x[0, 3] > 0).nonzero().tolist() == []  # the eraser is still in hand
    s.send(f"ekk\x1b[<0;{click}M\x1b[<32;{place.left + 2 * 20 + 1};{place.top // 2 + 10}M\x1b[<0;{click}m")
    painted = s.saved()
    assert painted.pick(9, 7) == painted.pick(9, 20) == (91, 42, 134)
    s.send("p1]")
    s.wait(lambda: "channel 0 red" in s.status, "the channel")

    s.send("h")
    s.wait(lambda: "undo the last edit" in "\n".join(s.glass.lines), "the keys")
    s.send("\x1b")
    s.wait(lambda: "undo the" not in "\n".join(s.glass.lines), "the cells again")
    s.resize(40, 12)
    s.wait(lambda: len(s.glass.lines) == 12 and s.status.startswith("lizard"), "the smaller picture")
    assert (s.glass.pixels[:22] > 200).any()
    s.send("q")
    assert s.end() == 0
    assert s.read().endswith(SHUT)
    assert termios.tcgetattr(s.slave) == s.before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_terminal_back(session, number, code):
    s = session("heart", "--terminal")
    if number == signal.SIGINT:
        s.send("\x03")
    else:
        s.process.send_signal(number)
    assert s.end() == code
    assert SHUT in s.read()
    assert termios.tcgetattr(s.slave) == s.before


def test_an_error_gives_the_terminal_back(session, tmp_path):
    s = session("heart", "--terminal", "--record", str(tmp_path / "none" / "a.mp4"), PYTHONWARNINGS="ignore")
    (tmp_path / "none").write_text("a file where the folder should be")
    s.send("rq")
    assert s.end() == 2
    assert "can't be written" in s.read().partition(SHUT)[2]
    assert termios.tcgetattr(s.slave) == s.before


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_in_tmux(tmp_path):
    def tmux(*words: str) -> str:
        env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX")} | {"PYTHONPATH": str(SRC)}
        done = subprocess.run(
            ["tmux", "-S", str(tmp_path / "s"), *words], env=env, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    command = f"'{sys.executable}' -m planaria play heart --terminal; echo ended $?; sleep 60"
    tmux("-f", "/dev/null", "new-session", "-d", "-x", "70", "-y", "30", "-c", str(tmp_path), command)
    try:
        until(lambda: "▀" * 60 in tmux("capture-pane", "-p"), "a picture")
        assert "\x1b[38;2;" in tmux("capture-pane", "-p", "-e")
        tmux("send-keys", "Space")
        until(lambda: "paused" in tmux("capture-pane", "-p"), "the pause")
        tmux("send-keys", "q")
        until(lambda: "ended 0" in tmux("capture-pane", "-p"), "the end")
        assert "▀" not in tmux("capture-pane", "-p")
    finally:
        tmux("kill-server")


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"NO_COLOR": "1"}, "NO_COLOR is set"), ({"NO_COLOR": "", "TERM": "xterm"}, "and this is none"),
        ({"TERM": "dumb"}, "this terminal \\(TERM\\) has none"),
        ({"TERM": "xterm"}, "needs a terminal, and this is none"),
    ],
)  # fmt: skip
def test_where_it_cannot_draw(env, says, monkeypatch, capsys):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert main(["play", "lizard", "--terminal"]) == 2
    said = capsys.readouterr().err
    assert re.search(says, said)
    assert len(said.splitlines()) == 1


# ---- its parts


def keys(told: bytes, late: bool = True) -> list[str]:
    return [e for e in parse(told, late)[0] if isinstance(e, str)]


def test_keys_are_understood():
    assert keys(b"aA .\t\r\n\x1a[+") == ["a", "a", "space", ".", "tab", "enter", "enter", "ctrl+z", "[", "+"]
    assert keys(b"\x1b[A\x1b[B\x1b[C\x1b[D\x1bOA\x1b[24~") == ["up", "down", "right", "left", "up", "f12"]
    assert keys(b"\x1b[1;5P\x1b[200~\xc3\xa4\x00\x7f") == []
    assert parse(b"x\x1b", False) == (["x"], b"\x1b")
    assert parse(b"\x1b", True) == (["escape"], b"")
    assert parse(b"\x1b[<0;1", False) == ([], b"\x1b[<0;1")


@pytest.mark.parametrize("cut", range(1, 20))
def test_what_comes_in_pieces_is_put_together(cut):
    told = b"a\x1b[<32;12;7M\x1b[Ab\x1b[24~"
    first, rest = parse(told[:cut], False)
    events = first + parse(rest + told[cut:], False)[0]
    assert [e for e in events if isinstance(e, str)] == ["a", "up", "b", "f12"]
    click = next(e for e in events if isinstance(e, Click))
    assert (click.row, click.column, click.moved, click.down, click.button) == (6, 11, True, True, 0)


def test_garbage_does_no_harm():
    rng = np.random.default_rng(1)
    rest = b""
    for _ in range(500):
        told = rng.integers(0, 256, 40, np.uint8).tobytes() + b"\x1b[" * int(rng.integers(0, 3))
        _, rest = parse(rest + told, False)
        assert len(rest) < 200


def test_clicks_are_understood():
    click = Click(4, 3, 2, True)
    assert (click.button, click.shift, click.moved, click.wheel) == (0, True, False, 0)
    assert [Click(code, 0, 0, True).wheel for code in (64, 65, 66, 2)] == [1, -1, 0, 0]


@pytest.mark.parametrize("room", [(80, 23), (10, 3), (200, 60), (1, 1), (3, 90)])
@pytest.mark.parametrize("grid", [(1, 1), (20, 20), (72, 72), (5, 300), (300, 5)])
def test_a_grid_fits_the_characters(room, grid):
    place = Place(room, grid)
    assert 0 <= place.left <= place.left + place.w <= room[0]
    assert 0 <= place.top <= place.top + place.h <= 2 * room[1]
    assert place.top % 2 == 0
    lines = place.lines(np.zeros((*grid, 3), np.uint8), 255)
    assert len(lines) == room[1]
    glass = Glass(*room)
    for k, line in enumerate(lines):
        glass.feed(f"\x1b[{k + 1};1H{line}")
    assert (glass.pixels == 0).all(2).sum() == place.w * place.h
    cells = {place.cell(r, c) for r in range(room[1]) for c in range(room[0])}
    assert any(place.holds(*cell) for cell in cells)


def test_runs_of_one_colour_are_told_once():
    image = np.zeros((2, 60, 3), np.uint8)
    assert Place((60, 1), (2, 60)).lines(image, 9) == ["\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m" + "▀" * 60]


@pytest.mark.parametrize("room", [(80, 23), (200, 50), (40, 10), (10, 3), (1, 1)])
def test_the_help_fits(room):
    lines = help_lines(*room, ("paint", "erase", "plant", "infect", "turn"))
    assert len(lines) == room[1]
    bare = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in lines]
    assert max(map(len, bare)) <= max(8, room[0])
    if room[0] >= 80:
        assert all(key.says in "\n".join(bare) for key in KEYS)


def test_the_status_line_fits_and_obeys_nothing(tmp_path):
    world = World(rule().float(), Layout(4, 3, hidden=2), 5)
    p = Player(world, "worm\x1b[2J", folder=tmp_path)
    p.say("a very long message " * 20)
    for columns in (1, 5, 30, 80):
        bare = re.sub(r"\x1b\[[0-9;]*[mK]", "", status(p, columns))
        assert len(bare) <= columns
        assert "\x1b" not in bare


def test_enter_paints_at_the_cursor(tmp_path):
    world = World(rule().float(), Layout(4, 3, hidden=2), 9)
    t = Terminal(Player(world, "worm", folder=tmp_path))
    t._place = Place((40, 20), (9, 9))
    t.play.key("c")
    for event in ("e", "e", "right", "down", "enter"):
        t.hear(event)
    assert t.cursor == (5, 5)
    assert (world.x[0, 3] > 0).nonzero().tolist() == [[4, 5], [5, 4], [5, 5], [5, 6], [6, 5]]
    assert t.play.brush == "paint"
    for _ in range(20):
        t.hear("left")
    assert t.cursor == (5, 0)


def test_a_terminal_that_knows_no_size_is_drawn_as_a_usual_one(tmp_path, monkeypatch):
    t = Terminal(Player(World(rule().float(), Layout(4, 3, hidden=2), 8), "worm", folder=tmp_path))
    t._out = 1
    told: list[str] = []
    monkeypatch.setattr(t, "_write", told.append)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    t._draw()
    assert "\x1b[24;1H" in told[0]
    assert "\x1b[25;1H" not in told[0]
