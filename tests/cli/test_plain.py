"""What commands print where no person looks on, or where there are no colours: plain words, and no crash."""

import contextlib
import os
import pty
import re
import subprocess
import sys

import pytest
from helpers import films

from planaria.cli import main
from planaria.data.frames import write_frames

COMMANDS = [
    ["list", "gallery"],
    ["list", "losses"],
    ["show", "heart"],
    ["run", "heart", "--steps", "4", "--size", "12"],
    ["run", "drift.safetensors", "--frames", "3"],
    ["run", "heart", "--steps", "4", "--size", "12", "-o", "a.gif"],
    ["simulate", "life", "--frames", "3", "--size", "16"],
    ["simulate", "life", "--frames", "3", "--size", "16", "-o", "b.gif"],
    ["export", "heart", "c.html"],
    ["frames", "frames", "d.gif"],
    ["eval", "drift.safetensors", "frames", "--long", "1", "--context", "2", "--held-out", "0.3", "-o", "scores"],
    ["train", "grow", "picture=heart", "size=8", "padding=2", "train.steps=2", "train.batch=2", "rule.hidden=8"],
    ["play", "--help"],
    ["train", "film", "--help"],
]
SETTINGS = {
    "file": {},
    "NO_COLOR": {"NO_COLOR": "1"},
    "ascii": {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C"},
    "narrow": {"COLUMNS": "40"},
}
BARE = {"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM", "COLUMNS", "PYTHONIOENCODING"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a video model and frames for it."""
    monkeypatch.chdir(tmp_path)
    films.save(tmp_path / "drift.safetensors")
    write_frames(iter(films.film(12)), tmp_path / "frames")
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in BARE} | {"TERM": "xterm-256color", **more}


def piped(*words: str, **env: str) -> str:
    """Everything that a command prints into a pipe."""
    call = [sys.executable, "-m", "planaria", *words]
    done = subprocess.run(call, env=environment(**env), capture_output=True, stdin=subprocess.DEVNULL)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def watched(*words: str, **env: str) -> str:
    """Everything that a command prints on a terminal."""
    master, slave = pty.openpty()
    call = [sys.executable, "-m", "planaria", *words]
    child = subprocess.Popen(call, env=environment(**env), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    while True:
        try:
            said += (more := os.read(master, 65536))
        except OSError:
            break
        if not more:
            break
    os.close(master)
    assert child.wait(60) == 0, said
    return said.decode()


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_a_file_gets_plain_text(place, capsys, monkeypatch, words):
    for name in BARE:
        monkeypatch.delenv(name, raising=False)
    with contextlib.suppress(SystemExit):  # the end of --help
        assert main(words) == 0
    said = "".join(capsys.readouterr())
    assert said
    assert "\x1b" not in said
    assert "▀" not in said


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_brings_codes_into_a_pipe_or_ends_a_command(place, setting):
    env = SETTINGS[setting]
    for words in (["run", "heart", "--steps", "2", "--size", "8"], ["show", "heart"], ["list", "pictures"]):
        said = piped(*words, **env)
        assert "\x1b" not in said
        assert not re.search(r"▀|\\u2580|Traceback", said)
        assert env.get("PYTHONIOENCODING") != "ascii" or said.isascii()


def test_force_color_brings_colours_and_nothing_that_moves(place):
    said = piped("run", "heart", "--steps", "2", "--size", "8", FORCE_COLOR="1", COLORTERM="truecolor")
    assert "▀" in said
    assert set(re.findall(r"\x1b\[[\d;?]*([A-Za-z])", said)) == {"m"}
    assert "\x1b[1m" in piped("list", "losses", FORCE_COLOR="1")


@pytest.mark.parametrize(("env", "why"), [
    ({"NO_COLOR": "1"}, "NO_COLOR is set"), ({"TERM": "dumb"}, "this terminal shows too few colours"),
    ({"TERM": "xterm"}, "this terminal shows too few colours"),
    ({"PYTHONIOENCODING": "ascii"}, "this terminal shows too few colours"), ({}, ""),
])  # fmt: skip
def test_a_terminal_gets_pictures_where_it_has_colours(place, env, why):
    said = watched("run", "heart", "--steps", "2", "--size", "8", **env)
    assert ("▀" in said) == (not why)
    line = f"2 steps, no picture: {why}; an animation: planaria run heart -o film.gif"
    assert (line in " ".join(said.split())) == bool(why)


def test_what_is_drawn_over_is_for_terminals_with_colours(place):
    words = ["train", "grow", "picture=heart", "size=8", "padding=2", "train.steps=3", "rule.hidden=8", "--name"]
    said = watched(*words, "dumb", TERM="dumb")
    assert "\x1b" not in said
    assert "3/3  loss" in said
    said = watched(*words, "bare", NO_COLOR="1")
    assert "▀" not in said
    assert "\x1b[3" not in said


def test_without_a_screen_the_window_says_what_else_there_is(place):
    pytest.importorskip("pygame")
    for display in ({}, {"DISPLAY": ":4711"}, {"WAYLAND_DISPLAY": "nowhere"}):
        env = environment(**display)
        for name in {"DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"} - display.keys():
            env.pop(name, None)
        call = [sys.executable, "-m", "planaria", "play", "heart"]
        done = subprocess.run(call, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == (
            "planaria: no window can be opened here (there is no screen); play in the terminal: add --terminal\n"
        )


def test_the_command_that_films_it_can_be_pasted(place):
    (place / "drift.safetensors").rename("my drift.safetensors")
    said = piped("run", "my drift.safetensors", "--frames", "2")
    assert "planaria run 'my drift.safetensors' -o film.gif" in said
