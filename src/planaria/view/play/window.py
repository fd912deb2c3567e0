"""The desktop window: draws the image of `Player`, and passes it the keys and the mouse."""

import os
import time
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from planaria.commands import install
from planaria.console import hushed
from planaria.errors import UserError
from planaria.view.play.player import Player

try:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEO_X11_WMCLASS", "planaria")
    import pygame

    if not getattr(pygame, "IS_CE", False):
        raise UserError(
            "the window needs pygame-ce, and pygame is in its place: pip uninstall pygame; "
            "pip install --force-reinstall pygame-ce"
        )
except ImportError:
    raise UserError(
        f"the window needs an optional dependency: {install('desktop')}; "
        "or play in the terminal, which needs none: add --terminal"
    ) from None

from planaria.view.play.panel import BAR, Panel
from planaria.view.play.photo import drop

FPS = 60
"""Frames a second at most."""
SIDE = 720
"""Initial longer side of the grid in pixels, about."""
MARGIN = 20
LEAST = 240
"""Smallest side of the window in pixels."""
TITLE_SECONDS = 0.25
UNSEEN = ("dummy", "offscreen")
"""Video drivers without a visible screen: SDL takes one where it finds no other."""

_NAMED = {
    pygame.K_SPACE: "space", pygame.K_TAB: "tab", pygame.K_ESCAPE: "escape", pygame.K_UP: "up", pygame.K_DOWN: "down",
    pygame.K_LEFT: "left", pygame.K_RIGHT: "right", pygame.K_RETURN: "enter", pygame.K_KP_ENTER: "enter",
    pygame.K_F12: "f12",
}  # fmt: skip


@dataclass(frozen=True)
class Pace:
    """Cost of a window, measured by `Window.measure`."""

    frames: int
    seconds: float
    slow: float
    """Milliseconds within which nineteen of twenty frames are drawn."""
    live: float
    """Milliseconds a frame for the automaton's step."""
    see: float
    """Milliseconds for its picture."""
    draw: float
    """Milliseconds for scaling, the bar, and the copy to the screen."""

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds


def fit(area: tuple[int, int, int, int], grid: tuple[int, int]) -> tuple[int, int, int, int]:
    """Placement of `grid` `(rows, columns)` in `area` `(x, y, width, height)`, in pixels, as `area` is given.

    As large as it fits, in the middle. From four pixels to a cell, every cell is a square of the same size.
    """
    x, y, width, height = area
    rows, columns = grid
    scale = min(width / columns, height / rows)
    if scale >= 4:
        scale = int(scale)
    w, h = max(1, int(columns * scale)), max(1, int(rows * scale))
    return x + (width - w) // 2, y + (height - h) // 2, w, h


def check_screen() -> None:
    """Raise `UserError` unless there is a screen; an invisible one only where SDL_VIDEODRIVER asks for it."""
    why = "there is no screen"
    try:
        with hushed():
            pygame.display.init()
        asked = os.environ.get("SDL_VIDEODRIVER") or os.environ.get("SDL_VIDEO_DRIVER")
        if asked or pygame.display.get_driver() not in UNSEEN:
            return
    except pygame.error as e:
        why = str(e)
    pygame.quit()
    raise UserError(f"no window can be opened here ({why}); play in the terminal: add --terminal")


class Window:
    """A resizable window; a context manager. Raises `UserError` where there is no screen."""

    def __init__(self, play: Player):
        self.play = play
        self.fps = 0.0
        self._meter = (time.perf_counter(), 0)
        self._title = ""
        self._titled = 0.0
        self._place = (0, 0, 1, 1)

    def __enter__(self) -> "Window":
        check_screen()
        try:
            pygame.font.init()
            rows, columns = self.play.world.size
            desk = pygame.display.get_desktop_sizes()[0]
            scale = max(1, min(SIDE, desk[0] - 100, desk[1] - 160 - BAR) // max(rows, columns))
            limit = (max(LEAST, desk[0] - 40), max(LEAST, desk[1] - 80))
            size = (columns * scale + 2 * MARGIN, rows * scale + 2 * MARGIN + BAR)
            least = (min(SIDE, limit[0]), LEAST)  # room for the bar
            pygame.display.set_icon(_icon())
            self.screen = pygame.display.set_mode(
                tuple(min(max(a, b), c) for a, b, c in zip(size, least, limit, strict=True)), pygame.RESIZABLE
            )
        except pygame.error as e:
            pygame.quit()
            raise UserError(f"no window can be opened here ({e}); play in the terminal: add --terminal") from None
        self.panel = Panel()
        if self.play.world.layout.photo:
            self.play.say("drop a photo onto this window")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pygame.quit()

    def run(self) -> None:
        """Run until the user closes it."""
        clock = pygame.time.Clock()
        while not self.play.over:
            seconds = min(clock.tick(FPS) / 1000, 0.1)
            self.listen()
            self.play.advance(seconds)
            self.draw()

    def measure(self, seconds: float) -> Pace:
        """Measure the cost as fast as it can run, one step a frame, for `seconds`, from step 200 on."""
        self.play.world.tick(max(0, 200 - self.play.world.t))
        self.play.speed = 1.0 / self.play.stride
        began = time.perf_counter()
        spent = [0.0, 0.0, 0.0]
        each: list[float] = []
        while not self.play.over and (not each or time.perf_counter() - began < seconds):
            marks = [time.perf_counter()]
            self.listen()
            self.play.advance(1.0)
            marks.append(time.perf_counter())
            image = self.play.image()
            marks.append(time.perf_counter())
            self.draw(image)
            marks.append(time.perf_counter())
            for k in range(3):
                spent[k] += marks[k + 1] - marks[k]
            each.append(marks[3] - marks[0])
        live, see, draw = (1000 * s / len(each) for s in spent)
        slow = 1000 * sorted(each)[int(0.95 * (len(each) - 1))]
        return Pace(len(each), sum(each), slow, live, see, draw)

    # ---- ears

    def listen(self) -> None:
        """Pass all keys and mouse events to `play`."""
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                self.play.over = True
            elif event.type == pygame.KEYDOWN:
                self.play.key(_key(event))
            elif event.type in (pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP, pygame.MOUSEMOTION):
                self._mouse(event)
            elif event.type == pygame.MOUSEWHEEL:
                self.play.size_by(1 if event.y > 0 else -1 if event.y < 0 else 0)
            elif event.type == pygame.DROPFILE:
                drop(self.play, event.file)
            elif event.type in (pygame.WINDOWLEAVE, pygame.WINDOWFOCUSLOST):
                self.play.lift()
                self.play.pointer = None

    def _mouse(self, event: pygame.Event) -> None:
        cell = self.play.pointer = self.cell(event.pos)
        if event.type == pygame.MOUSEBUTTONUP:
            self.play.lift()
        elif event.type == pygame.MOUSEMOTION:
            self.play.drag(*cell)
        elif self.play.help:
            self.play.help = False
        elif event.button == 3:
            self.play.pick(*cell)
        elif event.button in (1, 2) and self._on_grid(event.pos):
            erases = event.button == 2 or pygame.key.get_mods() & pygame.KMOD_SHIFT
            self.play.press(*cell, "erase" if erases else None)

    def cell(self, pixel: tuple[int, int]) -> tuple[int, int]:
        """Row and column under a pixel of the window; outside the grid where it is."""
        x, y, w, h = self._place
        rows, columns = self.play.world.size
        return (pixel[1] - y) * rows // h, (pixel[0] - x) * columns // w

    def _on_grid(self, pixel: tuple[int, int]) -> bool:
        return pygame.Rect(self._place).collidepoint(pixel)

    # ---- eyes

    def draw(self, image: np.ndarray | None = None) -> None:
        """Draw a frame: the cells, as `image` or as they are, the brush, the bar, and the help or a message over it."""
        play, panel, screen = self.play, self.panel, self.screen
        palette = panel.palette(play.dark)
        width, height = screen.get_size()
        screen.fill(palette.desk)
        margin = MARGIN if min(width, height) > LEAST else 4
        area = margin, margin, max(1, width - 2 * margin), max(1, height - 2 * margin - BAR)
        self._place = place = fit(area, play.world.size)
        self._cells(self.play.image() if image is None else image, pygame.Rect(place))
        pygame.draw.rect(screen, palette.line, pygame.Rect(place).inflate(2, 2), 1)
        if not play.help and play.pointer and play.inside(*play.pointer):
            self._brush(play.pointer, palette.ink)
        panel.bar(screen, play, self._frames())
        if play.help:
            panel.help(screen, play)
        elif play.message:
            panel.message(screen, play)
        pygame.display.flip()
        self._name()

    def _cells(self, image: np.ndarray, place: pygame.Rect) -> None:
        """Draw the grid's own pixels, scaled by the screen library straight into the window."""
        h, w = image.shape[:2]
        cells = pygame.image.frombuffer(image.tobytes(), (w, h), "RGB").convert(self.screen)
        if not self.screen.get_rect().contains(place):
            return  # a window that is no more than its bar
        target = self.screen.subsurface(place)
        if place.w < w:
            pygame.transform.smoothscale(cells, place.size, target)
        else:
            pygame.transform.scale(cells, place.size, target)

    def _brush(self, cell: tuple[int, int], ink: tuple[int, int, int]) -> None:
        """Draw a ring around the cells that the brush would touch at `cell`."""
        x, y, w, _ = self._place
        scale = w / self.play.world.size[1]
        row, column = cell
        middle = (round(x + (column + 0.5) * scale), round(y + (row + 0.5) * scale))
        r = max(4, round((self.play.radius + 0.5) * scale))
        pygame.draw.aacircle(self.screen, (255, 255, 255), middle, r + 1, 1)
        pygame.draw.aacircle(self.screen, ink if not self.play.dark else (0, 0, 0), middle, r, 1)

    def _frames(self) -> float:
        """Frames a second, measured twice a second."""
        since, count = self._meter
        now = time.perf_counter()
        if now - since >= 0.5:
            self.fps, self._meter = (count + 1) / (now - since), (now, 0)
        else:
            self._meter = since, count + 1
        return self.fps

    def _name(self) -> None:
        """Update the window's title, now and then."""
        now = time.perf_counter()
        if now - self._titled < TITLE_SECONDS:
            return
        play = self.play
        words = [play.name, play.moment]
        words += ["paused"] if play.paused else []
        words += ["recording"] if play.recorder.on else []
        if (title := " · ".join(words)) != self._title:
            pygame.display.set_caption(title)
        self._titled, self._title = now, title


def _key(event: pygame.Event) -> str:
    """Name of a key for `Player.key`; Alt Tab leaves the window, and is none."""
    if event.key == pygame.K_TAB and event.mod & pygame.KMOD_ALT:
        return ""
    if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META):
        return f"ctrl+{pygame.key.name(event.key)}"
    return _NAMED.get(event.key) or event.unicode.lower()


def _icon() -> pygame.Surface:
    """Icon of a round plum cell with a light nucleus."""
    icon = pygame.Surface((64, 64), pygame.SRCALPHA)
    pygame.draw.aacircle(icon, (91, 42, 134), (32, 32), 30)
    pygame.draw.aacircle(icon, (185, 167, 216), (38, 26), 11)
    return icon
