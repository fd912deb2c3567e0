"""Playing: a living world with a brush, a speed, a view and a recorder. Window and terminal are shells around it."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from planaria.core.infection_site import InfectionSite
from planaria.core.rule import Rule
from planaria.core.solve import Solver
from planaria.core.turn import turnable, turned
from planaria.errors import UserError
from planaria.health import Health
from planaria.view.play.follow import Training
from planaria.view.play.keys import DAMAGE, action_of
from planaria.view.play.recorder import Recorder, free
from planaria.view.play.state import save_state
from planaria.world import World

SPEEDS = (1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 1000, 2000, 5000)
"""Steps a second to choose from; of a video model, frames."""
STEPS, FRAMES = 60, 20
"""Default steps, or frames, a second."""
RADII = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 30, 45, 70, 100)
"""Brush sizes to choose from, in cells from the middle to the rim."""
BUDGET = 0.012
"""Seconds that one call of `advance` may spend on steps, so that input never waits."""
COLOURS = (
    (255, 255, 255), (29, 27, 38), (91, 42, 134), (209, 73, 91), (237, 174, 73), (47, 143, 107), (48, 99, 142),
)  # fmt: skip
"""Colours that the key K goes through."""
TURN = 15
"""Degrees by which the key T turns the direction."""
DARK = 0.1
WAYS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
"""Direction of an arrow key: rows down, columns to the right."""
SAY_SECONDS, LETTERS = 3.0, 18
"""Seconds that a message stands at least, and letters read a second."""
SCREENSHOT = 512
"""Pixels that the longer side of a screenshot has at least."""


class Player:
    """Interactive session with `world`: every edit of the user, and the time that passes meanwhile.

    `name` begins the files it writes into `folder`; `length` is the loop in steps; `background` 0 black to 1 white;
    `record` is the film's path where it is not `NAME.webp`; `training` is a run that is looked at while it trains.
    `frame` is the cell steps from frame to frame of what was shown a film, and what is counted then; `speed` is in
    steps a second, or in such frames.
    """

    def __init__(
        self,
        world: World,
        name: str,
        *,
        length: int = 200,
        speed: float | None = None,
        frame: int | None = None,
        background: float = 1.0,
        folder: Path = Path(),
        record: Path | None = None,
        training: Training | None = None,
        health: Health | None = None,
    ):
        if length < 1:
            raise UserError(f"a loop has at least one step, not {length}")
        self.stride, self.unit = (1, "step") if frame is None else (frame, "frame")
        if speed is None:
            speed = STEPS if frame is None else FRAMES
        if not 0 < speed <= 1e6:
            raise UserError(f"speed is in {self.unit}s a second, above 0 and at most a million, not {speed:g}")
        if not 0 <= background <= 1:
            raise UserError(f"background is 0 (black) to 1 (white), not {background:g}")
        self.world, self.name, self.length, self.speed = world, name, length, float(speed)
        self.folder, self.training, self.health = folder, training, health or Health()
        self.background = background
        self._other_background = DARK if background >= 0.5 else 1.0
        self.paused = self.loop = self.help = self.over = False
        self.channel: int | None = None
        self.degrees = 0
        """Degrees by which what it does is turned."""
        self._straight = world.rule
        self.brush, self.colour = (
            "paint" if world.layout.strain is None else "infect",
            (world.layout.shades or COLOURS)[0],
        )
        self._radii = {"paint": 1, "erase": max(1, min(world.size) // 14), "plant": 0, "infect": 1}
        self.pointer: tuple[int, int] | None = None
        self.recorder = Recorder(record or folder / f"{name}.webp", world.size)
        self.message = ""
        self.pace = 0.0
        self._hush = self._owed = self._watched = 0.0
        self._cost = 1e-3
        self._lived = 0
        self._stroke = ""
        self._nothing: dict[int, float] = {}
        self._last: tuple[int, int] | None = None
        self._damaged = -1

    # ---- time

    def advance(self, seconds: float) -> None:
        """Advance by `seconds` of real time: run the steps, follow a training, keep the film going."""
        self._hush -= seconds
        if self._hush < 0:
            self.message = ""
        if self.training is not None:
            self._follow(self.training)
        if not self.paused:
            self._owed += seconds * self.speed * self.stride
            most = max(1, int(BUDGET / self._cost))
            steps = min(int(self._owed), most)
            self._owed = self._owed - steps if steps < most else min(self._owed - steps, 1.0)
            self._live(steps)
        self._watched += seconds
        if self._watched >= max(0.5, 2 / self.speed):
            self.pace = self._lived / self.stride / self._watched
            self._lived, self._watched = 0, 0.0
        if self.recorder.due(seconds):
            self._shoot()
        if news := self.recorder.news() or self.health.due(seconds, self.world, loop=self.loop):
            self.say(news)

    def _live(self, steps: int) -> None:
        if steps < 1:
            return
        began = time.perf_counter()
        self._lived += steps
        left = steps
        while left:
            if self.loop and self.world.t and self.world.t % self.length == 0:
                self.world.restart()
            n = min(left, self.length - self.world.t % self.length) if self.loop else left
            self.world.tick(n)
            left -= n
        self._cost = 0.8 * self._cost + 0.2 * (time.perf_counter() - began) / steps

    def _follow(self, training: Training) -> None:
        living, news = training.follow(time.monotonic())
        if living is not None:
            self._straight = living.rule
            self.world.rule = turned(living.rule, self.degrees) if self.degrees else living.rule
            if living.size == self.world.size:
                self.world.start = living.start
        if news:
            self.say(news)

    def say(self, words: str) -> None:
        """Show `words` as a message for a moment."""
        self.message, self._hush = "".join(c for c in words if c.isprintable()), max(SAY_SECONDS, len(words) / LETTERS)

    def close(self) -> None:
        """Write the film being recorded, and let a training go on that was paused from here."""
        try:
            if self.recorder.on:
                self._shoot()
            self.recorder.close()
        finally:
            if self.training is not None:
                self.training.close()

    # ---- hands

    def key(self, name: str) -> bool:
        """Do the action of the key called `name` (`space`, `tab`, `ctrl+z`, `[`, `s`, ...); false if it has none."""
        action = action_of(name)
        if action is None:
            return False
        try:
            self._act(action, name)
        except UserError as e:
            self.say(str(e))
        return True

    def _act(self, action: str, name: str) -> None:
        if action in DAMAGE:
            self.damage(DAMAGE.index(action))
        elif action == "cursor":
            self.point(*WAYS[name])
        elif action in ("erase", "plant", "infect"):
            self.take(action)
        else:
            calls: dict[str, Callable[[], object]] = {
                "play": self.pause, "step": self.step, "reset": self.world.reset, "clear": self.world.clear,
                "randomise": self.world.randomise, "loop": self.toggle_loop, "faster": lambda: self.pace_by(1),
                "slower": lambda: self.pace_by(-1), "turn": self.turn, "undo": self.undo,
                "larger": lambda: self.size_by(1), "smaller": lambda: self.size_by(-1), "next colour": self.next_colour,
                "pick": self.grab,
                "paint": lambda: self.take("paint"), "use": self.use,
                "damage": lambda: self.damage(self._damaged + 1), "next channel": lambda: self.channel_by(1),
                "last channel": lambda: self.channel_by(-1), "colour": lambda: self.look(None),
                "background": self.toggle_background, "save": self.save, "record": self.record,
                "picture": self.screenshot, "help": self.toggle_help, "quit": self.quit,
            }  # fmt: skip
            calls[action]()

    def pause(self) -> None:
        """Pause or go on; a training that is followed does the same."""
        self.paused = not self.paused
        if self.training is not None and self.training.pause(self.paused):
            self.say("the training pauses too" if self.paused else "the training goes on")

    def step(self) -> None:
        """Run one step, or on to the next whole frame, then pause."""
        if not self.paused:
            self.pause()
        self._live(self.stride - self.world.t % self.stride)

    def toggle_loop(self) -> None:
        """Switch between a restart after every `length` steps and an endless run."""
        self.loop = not self.loop
        self.say(f"begins again every {self.length // self.stride} {self.unit}s" if self.loop else "lives on")

    def pace_by(self, rungs: int) -> None:
        """Change the speed by so many entries of `SPEEDS`."""
        above = [s for s in SPEEDS if s > self.speed]
        below = [s for s in SPEEDS if s < self.speed]
        if rungs > 0 and above:
            self.speed = float(above[0])
        elif rungs < 0 and below:
            self.speed = float(below[-1])

    def turn(self) -> None:
        """Turn what it does by `TURN` degrees more; its cells live on. Raises `UserError` for a rule without slopes."""
        degrees = (self.degrees + TURN) % 360
        self.world.rule = turned(self._straight, degrees) if degrees else self._straight
        self.degrees = degrees
        self.say(f"turned by {degrees}°" if degrees else "as it was trained")

    def undo(self) -> None:
        """Undo the newest edit."""
        self.lift()
        if not self.world.undo():
            self.say("nothing to take back")

    def take(self, brush: str) -> None:
        """Choose a brush, `paint`, `erase`, `plant` or `infect`; the colour again where it was chosen already."""
        if brush not in self.brushes:
            nothing = {"plant": "nothing grows from a seed here; paint", "infect": "nothing is infectious here"}
            self.say(nothing[brush])
            return
        self.brush = "paint" if self.brush == brush else brush

    @property
    def brushes(self) -> tuple[str, ...]:
        """Brushes that have an effect: no seeds where cells without life begin with a picture, as of a film."""
        layout = self.world.layout
        seeds = self.world.start is None or layout.alpha is not None
        return "paint", "erase", *(["plant"] if seeds else []), *(["infect"] if layout.strain is not None else [])

    @property
    def able(self) -> tuple[str, ...]:
        """What can be done with this model, of what can't be with every one: its brushes, and `turn`."""
        rule = self._straight.rule if isinstance(self._straight, Solver) else self._straight
        return *self.brushes, *(["turn"] if isinstance(rule, Rule) and turnable(rule.config.filters) else [])

    @property
    def radius(self) -> int:
        """Radius of the current brush, in cells."""
        return self.radius_of(self.brush)

    def radius_of(self, brush: str) -> int:
        """Radius of any brush, in cells."""
        return self._radii[brush]

    def size_by(self, rungs: int) -> None:
        """Make the brush larger or smaller; a seed is always one cell."""
        if self.brush != "plant":
            near = min(range(len(RADII)), key=lambda k: abs(RADII[k] - self.radius))
            self._radii[self.brush] = RADII[min(max(near + rungs, 0), len(RADII) - 1)]

    def next_colour(self) -> None:
        """Paint with the next of `COLOURS`, or of the labels."""
        colours = self.world.layout.shades or COLOURS
        k = colours.index(self.colour) if self.colour in colours else -1
        self.brush, self.colour = "paint", colours[(k + 1) % len(colours)]

    def grab(self) -> None:
        """Paint with the colour under the pointer."""
        if self.pointer is not None:
            self.pick(*self.pointer)

    def pick(self, row: int, column: int) -> None:
        """Paint with the colour that is seen at a cell; off the grid nothing changes."""
        if self.inside(row, column):
            self.brush, self.colour = "paint", self.world.pick(row, column, self.background)

    def inside(self, row: int, column: int) -> bool:
        """True if the cell is on the grid."""
        h, w = self.world.size
        return 0 <= row < h and 0 <= column < w

    def point(self, down: int, across: int) -> None:
        """Move the pointer by cells, from the middle if it is nowhere."""
        h, w = self.world.size
        row, column = self.pointer if self.pointer and self.inside(*self.pointer) else (h // 2, w // 2)
        self.pointer = min(max(row + down, 0), h - 1), min(max(column + across, 0), w - 1)

    def use(self) -> None:
        """Use the brush once, where the pointer is."""
        self.point(0, 0)
        self.press(*self.pointer or (0, 0))
        self.lift()

    def press(self, row: int, column: int, brush: str | None = None) -> None:
        """Press a brush onto a cell, the current one unless named; until `lift` all is one stroke to undo."""
        self.lift()
        self._stroke, self._last = brush or self.brush, None
        self._nothing = self.world.layout.background(self.world.start)
        self.world.press()
        self.drag(row, column)

    def drag(self, row: int, column: int) -> None:
        """Draw the brush to a cell; nothing if it isn't pressed."""
        here = row, column
        if not self._stroke or here == self._last:
            return
        start = self._last or here
        far = math.dist(start, here)
        dabs = max(1, math.ceil(far / max(1.0, 0.7 * self.radius_of(self._stroke))))
        for k in range(1, dabs + 1):
            self._dab(*(round(a + (b - a) * k / dabs) for a, b in zip(start, here, strict=True)))
        self._last = here

    def _dab(self, row: int, column: int) -> None:
        layout, radius = self.world.layout, self.radius_of(self._stroke)
        if self._stroke == "plant":
            self.world.plant(row, column)
        elif self._stroke == "infect":
            self.world.infect(InfectionSite("disc", (row, column, radius)))
        elif self._stroke == "erase":
            self.world.paint(row, column, radius, self._nothing)
        else:
            self.world.paint(row, column, radius, layout.colour(self.colour))

    def lift(self) -> None:
        """Lift the brush."""
        if self._stroke:
            self.world.lift()
        self._stroke = ""

    def damage(self, number: int) -> None:
        """Do damage number `number` of `DAMAGE`, counted round; the disc falls where the pointer is."""
        h, w = self.world.size
        row, column = self.pointer if self.pointer and self.inside(*self.pointer) else (h // 2, w // 2)
        side = min(h, w)
        given = {
            "centre": f"({max(1, round(side * 0.25))})", "circle": f"({column},{row},{max(1, round(side * 0.15))})",
            "speckle": "(0.3)", "noise": "(0.3)",
        }  # fmt: skip
        self._damaged = number % len(DAMAGE)
        damage = DAMAGE[self._damaged] + given.get(DAMAGE[self._damaged], "")
        if self.recorder.on:
            self._shoot()
            self.recorder.events[self.world.t] = damage
        self.world.erase(damage)
        if self.recorder.on:
            self._shoot()
        self.say(damage)

    # ---- eyes

    @property
    def moment(self) -> str:
        """Current time in words: `step 48`, `frame 12`."""
        return f"{self.unit} {self.world.t // self.stride}"

    @property
    def round(self) -> str:
        """Position in the loop: `12/100`."""
        return f"{self.world.t % self.length // self.stride}/{self.length // self.stride}"

    def image(self) -> np.ndarray:
        """Image of the cells, `(h, w, 3)` uint8: their colour, or the channel in view."""
        return self.world.image(self.background, self.channel).numpy()

    @property
    def dark(self) -> bool:
        """True if the background is nearer to black than to white."""
        return self.background < 0.5

    def look(self, channel: int | None) -> None:
        """Show one channel, or the colours."""
        self.channel = channel

    def channel_by(self, rungs: int) -> None:
        """Show the next or the last view: the colours, then every channel, round and round."""
        views = [None, *range(self.world.layout.channels)]
        self.look(views[(views.index(self.channel) + rungs) % len(views)])

    @property
    def view(self) -> str:
        """Current view in words: `colour`, `channel 3 alpha`, `channel 7 hidden`."""
        if self.channel is None:
            return "colour"
        return f"channel {self.channel} {self.world.layout.role(self.channel)}"

    def toggle_background(self) -> None:
        """Switch between a light and a dark background."""
        self.background, self._other_background = self._other_background, self.background

    def toggle_help(self) -> None:
        """Show or hide the keys."""
        self.help = not self.help

    def quit(self) -> None:
        """Hide the keys if they are shown, else quit."""
        if self.help:
            self.help = False
        else:
            self.over = True

    # ---- what is kept

    def save(self) -> Path:
        """Save the living state as `NAME-tSTEP.safetensors`; `planaria play NAME --from` goes on from there exactly."""
        path = save_state(free(self.folder / f"{self.name}-t{self.world.t}.safetensors"), self.world, self.name)
        self.say(f"saved {path.name}")
        return path

    def screenshot(self) -> Path:
        """Save the current view as `NAME-tSTEP.png`, cells enlarged to whole squares."""
        image = self.image()
        scale = max(1, -(-SCREENSHOT // max(image.shape[:2])))
        path = free(self.folder / f"{self.name}-t{self.world.t}.png")
        self.recorder.write_picture(path, Image.fromarray(image.repeat(scale, 0).repeat(scale, 1)))
        self.say(f"wrote {path.name}")
        return path

    def record(self) -> None:
        """Begin a film, or end and write it."""
        if self.recorder.on:
            self._shoot()
            self.say(f"writing {self.recorder.stop().name} ...")
        else:
            self.recorder.start()
            self._shoot()

    def _shoot(self) -> None:
        self.recorder.shoot(self.image(), self.world.t)
