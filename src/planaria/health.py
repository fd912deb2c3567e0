"""Health: warning about a run that goes wrong, given once, in one line."""

from pathlib import Path

from planaria.commands import command
from planaria.core.bounds import burst, extinct
from planaria.living import Living, stopped
from planaria.store.cards import Card
from planaria.store.run_folder import RunFolder
from planaria.world import World

OWN_STEPS = 64
"""Steps after an edit in which extinction is attributed to that edit."""
LOOK_SECONDS = 0.25
"""Interval between a player's checks, in seconds."""


class Health:
    """Check a run now and then, and report when it explodes or dies out.

    `card` and `path` are those of the model, which say whether its training came to an end; `frame` is the cell steps
    of a frame where time is counted in those; `again` says how a player begins anew.
    """

    def __init__(
        self,
        card: Card | None = None,
        path: Path | None = None,
        *,
        frame: int | None = None,
        again: str = "",
    ):
        self.card, self.path, self.frame, self.again = card or Card(), path, frame, again
        self._alive = self._said = False
        self._owed = 0.0

    @classmethod
    def of(cls, living: Living, again: str = "") -> "Health":
        """Health of something to run."""
        return cls(living.card, living.path, frame=living.frame if living.learned_film else None, again=again)

    def due(self, seconds: float, world: World, *, loop: bool = False) -> str:
        """Check as `look` does, four times a second: `seconds` have gone by since the last call."""
        self._owed += seconds
        if self._owed < LOOK_SECONDS:
            return ""
        self._owed = 0.0
        return self.look(world, loop=loop)

    def look(self, world: World, *, loop: bool = False) -> str:
        """Warning if it has exploded or died out since the last check, else nothing.

        The warning is given once, and again only if the world was alive in between, a `loop` aside. Cells that
        are gone within 64 steps of an edit were erased.
        """
        out = burst(world.x, world.layout)
        alive = not out and not extinct(world.x, world.rule)
        was, self._alive = self._alive, alive
        if alive:
            self._said = self._said and loop
            return ""
        erased = world.edited is not None and world.t - world.edited <= OWN_STEPS
        if self._said or not (out or (was and not erased)):
            return ""
        self._said = True
        return self.burst(world.t) if out else self._line(f"no cell is left alive by {self._moment(world.t)}")

    def burst(self, t: int) -> str:
        """Message that it was found exploded at step `t`, with the likely reason and the remedy."""
        return self._line(f"it burst by {self._moment(t)}: numbers beyond those of any working model", self.advice())

    def advice(self) -> str:
        """Likely reason of an explosion, and the remedy."""
        at = stopped(self.card, self.path)
        if not at:
            return "train it longer, or on longer lives"
        if not at.startswith("stopped"):
            return f"it is {at}"
        folder = self.path.parent if self.path is not None else None
        resumes = folder is not None and RunFolder(folder).checkpoint.is_file()
        return f"its training {at}: {command('train', folder, '--resume') if resumes else 'train it to its end'}"

    def _moment(self, t: int) -> str:
        return f"step {t:,}" if self.frame is None else f"frame {t // self.frame:,} (step {t:,})"

    def _line(self, *parts: str) -> str:
        return "; ".join(part for part in (*parts, self.again) if part)
