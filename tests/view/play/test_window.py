"""The window: real keys and a real mouse on a screen that nobody sees; and every size, without one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.rules import rule
from helpers.xvfb import Screen, needs_screen, until
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from planaria import store
from planaria.cli import main
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.store import live
from planaria.view.play.follow import Training
from planaria.view.play.keys import KEYS
from planaria.view.play.open import open_play
from planaria.view.play.player import Player
from planaria.view.play.state import read_state
from planaria.world import World

pygame = pytest.importorskip("pygame")

from planaria.commands import install  # noqa: E402
from planaria.view.play.panel import BAR, Panel  # noqa: E402
from planaria.view.play.window import MARGIN, Window, fit  # noqa: E402

SRC = Path(__file__).parents[3] / "src"
LIZARD = store.load("lizard")


class Person:
    """`planaria play lizard ...` on a screen, played by hand."""

    def __init__(self, screen: Screen, folder: Path, *words: str):
        self.screen, self.folder = screen, folder
        env = screen.env | {"PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "planaria", "play", "lizard", *words], cwd=folder, env=env, stderr=subprocess.PIPE
        )
        self.place = screen.window("planaria")

    def keys(self, *names: str) -> None:
        for name in names:
            self.screen.do("key", name)
            time.sleep(0.05)

    def at(self, row: int, column: int, grid: tuple[int, int]) -> tuple[int, int]:
        """The pixel of the screen in the middle of a cell."""
        left, top, w, h = self.place
        x, y, width, height = fit((MARGIN, MARGIN, w - 2 * MARGIN, h - 2 * MARGIN - BAR), grid)
        return left + x + (2 * column + 1) * width // (2 * grid[1]), top + y + (2 * row + 1) * height // (2 * grid[0])

    def drag(self, button: int, *cells: tuple[int, int], grid: tuple[int, int]) -> None:
        for k, cell in enumerate(cells):
            self.screen.do("mousemove", *self.at(*cell, grid))
            time.sleep(0.06)
            if k == 0:
                self.screen.do("mousedown", button)
                time.sleep(0.06)
        self.screen.do("mouseup", button)
        time.sleep(0.06)

    def made(self, key: str, pattern: str) -> Path:
        """The new file that a key makes; a busy screen may lose one, then it is pressed again."""
        before = set(self.folder.glob(pattern))
        self.keys(key)
        again = lambda: (self.screen.window("planaria"), self.keys(key))  # noqa: E731
        until(lambda: set(self.folder.glob(pattern)) - before, f"a file by the key {key}", again=again)
        return (set(self.folder.glob(pattern)) - before).pop()

    def saved(self) -> World:
        return read_state(self.made("s", "*.safetensors"), *LIZARD)

    def quit(self) -> None:
        self.keys("q")
        assert self.process.wait(30) == 0, self.process.stderr.read().decode()


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with Screen() as screen:
        yield screen


@pytest.fixture
def player(screen, tmp_path):
    """Begins a player; ends it whatever happens."""
    begun = []

    def begin(*words: str) -> Person:
        begun.append(Person(screen, tmp_path, *words))
        return begun[-1]

    yield begin
    for p in begun:
        p.process.kill()
        p.process.wait(20)
        p.process.stderr.close()


@pytest.mark.long
@needs_screen
def test_paint_pick_erase_undo_save_and_open_again(player):
    grid = (30, 40)
    p = player("--size", "30x40", "--seed", "4")
    p.keys("space", "c")
    p.drag(1, (5, 6), grid=grid)
    white = p.saved()
    assert white.x[0, :4, 5, 6].tolist() == [1, 1, 1, 1]
    assert (white.x[0, 3] > 0).nonzero().tolist() == [[4, 6], [5, 5], [5, 6], [5, 7], [6, 6]]

    p.keys("k", "k")  # plum
    p.drag(1, (20, 10), (20, 30), grid=grid)
    plum = p.saved()
    assert plum.pick(20, 20) == (91, 42, 134)
    assert (plum.x[0, 3, 20] > 0).nonzero()[:, 0].tolist() == list(range(9, 32))

    p.drag(3, (5, 6), grid=grid)  # takes white
    p.drag(1, (25, 25), grid=grid)
    assert p.saved().pick(25, 25) == (255, 255, 255)

    p.keys("z")
    assert torch.equal(p.saved().x, plum.x)
    p.drag(2, (20, 20), grid=grid)
    erased = p.saved()
    assert erased.x[0, :, 20, 19:22].abs().sum() == 0
    p.keys("ctrl+z")
    p.keys("e")
    p.drag(1, (20, 20), grid=grid)
    assert torch.equal(p.saved().x, erased.x)

    p.screen.do("search", "--class", "planaria", "windowsize", 640, 500)
    time.sleep(0.5)
    p.place = p.screen.window("planaria")
    p.keys("c", "p")
    p.drag(1, (28, 38), grid=grid)
    planted = p.saved()
    assert (planted.x[0, 3] > 0).nonzero().tolist() == [[28, 38]]
    p.quit()

    newest = max(p.folder.glob("*.safetensors"), key=lambda f: f.stat().st_mtime_ns)
    again = player("--from", newest.name)
    until(lambda: again.saved().t > planted.t, "a step")
    again.keys("space")
    later = again.saved()
    planted.tick(later.t - planted.t)
    assert torch.equal(later.x, planted.x)
    again.quit()


@pytest.mark.long
@needs_screen
def test_a_lizard_heals_and_is_seen_as_it_is(player, tmp_path):
    p = player("--seed", "1", "--speed", "480")
    until(lambda: p.saved().t > 250, "a grown lizard", 60)
    p.keys("space")
    grown = p.saved()
    target = grown.layout.picture(grown.x)

    def error() -> float:
        now = p.saved()
        return (now.layout.picture(now.x) - target).square().mean().item()

    assert error() == 0
    p.screen.do("mousemove", 2, 2)  # no ring around the pointer
    for background in (1.0, 0.1):
        time.sleep(0.3)
        shown = p.screen.picture()
        rows = 62  # a message may lie over those below
        seen = np.array([[shown.getpixel(p.at(i, j, (72, 72))) for j in range(72)] for i in range(rows)])
        assert np.array_equal(seen, grown.image(background)[:rows])
        p.keys("b")
    p.keys("1")
    damaged = error()
    assert damaged > 0.01
    p.keys("space")
    until(lambda: error() < damaged / 10, "healing", 60)
    p.quit()


@pytest.mark.long
@needs_screen
def test_loop_record_and_pictures(player, tmp_path):
    p = player("--size", "24", "--speed", "500", "--record", "film.gif")
    p.keys("l", "i", "r")
    steps = []
    until(lambda: steps.append(p.saved().t) or len(steps) > 8, "steps")
    assert max(steps) <= 96
    assert len(set(steps)) > 4
    p.keys("r")
    until(lambda: (tmp_path / "film.gif").exists(), "a film")
    p.keys("space")
    picture = np.asarray(Image.open(p.made("x", "*.png")))
    scale = picture.shape[0] // 24
    assert np.array_equal(picture[::scale, ::scale], p.saved().image())
    p.keys("r", "space")
    time.sleep(0.3)
    p.quit()
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames > 5
    assert (tmp_path / "film-2.gif").exists()


# ---- without a screen


@pytest.fixture
def window(monkeypatch, tmp_path):
    """Opens windows that are drawn but never shown."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened = []

    def opens(size: int | tuple[int, int] = 20, **settings) -> Window:
        world = World(rule().float(), Layout(4, 3, hidden=2), size)
        opened.append(Window(Player(world, "worm", folder=tmp_path, **settings)))
        return opened[-1].__enter__()

    yield opens
    for w in opened:
        w.__exit__(None, None, None)


def pixels() -> np.ndarray:
    return pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)


@given(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 3000), st.integers(1, 3000)),
    st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
def test_a_grid_fits(area, grid):
    x, y, w, h = fit(area, grid)
    assert area[0] <= x
    assert area[1] <= y
    assert x + w <= area[0] + area[2]
    assert y + h <= area[1] + area[3]
    assert abs((x - area[0]) - (area[0] + area[2] - x - w)) <= 1
    assert abs((y - area[1]) - (area[1] + area[3] - y - h)) <= 1
    if w >= 4 * grid[1] and h >= 4 * grid[0]:
        assert (w % grid[1], h % grid[0]) == (0, 0)
        assert w // grid[1] == h // grid[0]


@pytest.mark.parametrize("grid", [(1, 1), (20, 20), (5, 300), (300, 5), (700, 900)])
@pytest.mark.parametrize("room", [(900, 700), (240, 240), (300, 900), (40, 30), (1, 1)])
def test_every_window_is_drawn(window, grid, room):
    w = window(grid)
    w.screen = pygame.display.set_mode(room, pygame.RESIZABLE)
    for key in ("h", "h", "b", "]", "l", "r", "space", "e", "p"):
        w.play.key(key)
        w.draw()
    w.play.say("a message that is longer than most windows are wide " * 3)
    w.draw()
    w.play.recorder.on = False


def test_events_are_heard(window):
    w = window(20)
    w.draw()
    x, y, width, _ = w._place
    cell = width // 20
    pygame.event.clear()

    def post(kind: int, **about: object) -> None:
        pygame.event.post(pygame.Event(kind, about))
        w.listen()

    w.play.key("c")
    here = (x + 5 * cell + 2, y + 7 * cell + 2)
    post(pygame.MOUSEBUTTONDOWN, pos=here, button=1)
    post(pygame.MOUSEMOTION, pos=(here[0] + 4 * cell, here[1]), rel=(0, 0), buttons=(1, 0, 0))
    post(pygame.MOUSEBUTTONUP, pos=here, button=1)
    post(pygame.MOUSEMOTION, pos=(here[0], here[1] + 9 * cell), rel=(0, 0), buttons=(0, 0, 0))
    assert (w.play.world.x[0, 3, 7] > 0).nonzero()[:, 0].tolist() == [4, 5, 6, 7, 8, 9, 10]
    assert w.play.world.x[0, 3, 12:].sum() == 0
    post(pygame.MOUSEBUTTONDOWN, pos=(1, 1), button=1)  # beside the grid
    assert w.play._stroke == ""
    radius = w.play.radius
    post(pygame.MOUSEWHEEL, x=0, y=1)
    assert w.play.radius > radius
    post(pygame.KEYDOWN, key=pygame.K_SPACE, mod=0, unicode=" ")
    assert w.play.paused
    post(pygame.KEYDOWN, key=pygame.K_z, mod=pygame.KMOD_LCTRL, unicode="\x1a")
    assert w.play.world.x[0, 3].sum() == 0
    post(pygame.KEYDOWN, key=pygame.K_h, mod=pygame.KMOD_LSHIFT, unicode="H")
    assert w.play.help
    post(pygame.MOUSEBUTTONDOWN, pos=here, button=1)
    assert not w.play.help
    assert w.play.world.x[0, 3].sum() == 0
    post(pygame.QUIT)
    assert w.play.over


def test_the_help_tells_every_key(window, monkeypatch):
    set_words = []
    words = Panel.words
    monkeypatch.setattr(Panel, "words", lambda self, text, *more: set_words.append(text) or words(self, text, *more))
    w = window(30)
    w.play.key("h")
    w.draw()
    for key in KEYS:
        assert (key.says in set_words) == (key.action != "infect"), "nothing here is infectious"
        assert all(name in set_words for name in key.caps) or key.action == "infect"
    monkeypatch.setattr(Player, "brushes", ("paint", "erase", "infect"))
    set_words.clear()
    w.draw()
    assert {"erase, or paint again", "infect, or paint again"} <= set(set_words)
    assert "plant seeds, or paint again" not in set_words


def test_a_training_is_told_in_the_bar(window, monkeypatch, tmp_path):
    live.write_status(tmp_path, live.Status("running", 7, 90, 0.5))
    w = window(30, training=Training(tmp_path))
    told = []
    monkeypatch.setattr(w.panel, "_item", lambda screen, item, *more: told.append(item.words))
    w.draw()
    assert "running, iteration 7 of 90, loss 0.50000" in told


def test_cells_are_crisp(window):
    w = window((6, 9))
    w.play.key("tab")
    w.draw()
    x, y, width, height = w._place
    seen = pixels()[y : y + height, x : x + width]
    scale = width // 9
    want = w.play.image().repeat(scale, 0).repeat(scale, 1)
    assert np.array_equal(seen, want)


def test_it_is_measured(window):
    w = window(12)
    pace = w.measure(0.2)
    assert w.play.world.t == 200 + pace.frames
    assert pace.fps > 0
    assert min(pace.live, pace.see, pace.draw, pace.slow) > 0


def test_where_there_is_no_screen(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setenv("DISPLAY", ":987654")
    with pytest.raises(UserError, match="no window can be opened here .*--terminal"), Window(open_play("heart")):
        pass


def test_where_pygame_is_not_installed(monkeypatch, capsys):
    for name in [n for n in sys.modules if n.startswith("planaria.view.play.window")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pygame", None)
    assert main(["play", "lizard"]) == 2
    said = capsys.readouterr().err
    assert install("desktop") in said
    assert "--terminal" in said
    assert len(said.splitlines()) == 1


def test_another_pygame_is_told_apart(monkeypatch, capsys):
    for name in [n for n in sys.modules if n.startswith("planaria.view.play.window")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(pygame, "IS_CE", False)
    assert main(["play", "lizard"]) == 2
    said = capsys.readouterr().err
    assert "needs pygame-ce" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lizzard"], "did|gallery has 'lizard'"), (["lizard", "--size", "0x4"], "a side has 1 to 16384"),
        (["lizard", "--size", "big"], "write 72 or ROWSxCOLUMNS"),
        (["lizard", "--from", "no.png"], "no picture 'no.png'"),
        (["lizard", "--from", "no.safetensors"], "can't read no.safetensors"),
        (["lizard", "--bench", "0"], "--bench measures"),
        (["lizard", "--record", "a.txt"], "unknown format"), (["lizard", "--engine", "warp"], "unknown engine 'warp'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(words, says, capsys, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(Window, "run", lambda self: self.play.advance(1))
    assert main(["play", *words]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert any(part in said for part in says.split("|"))
