"""The keys of a player, the same in the window and in the terminal, with a line on each."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """Keys that do one thing."""

    names: tuple[str, ...]
    """As `Player.key` takes them: the letter, or space, tab, escape, up, down, right, f12, ctrl+z."""
    action: str
    """What `Player` does."""
    says: str
    """The same, to a person."""
    group: str
    """Where it stands in the help."""

    @property
    def caps(self) -> list[str]:
        """What stands on these keys; `=` is + without shift, and not told."""
        return [CAPS.get(name, name.upper()) for name in self.names if name != "="]


LIFE, BRUSH, LOOK, DAMAGE, KEEP = "Life", "Brush", "Look", "Damage", "Keep"

KEYS = (
    Key(("space",), "pause", "pause, a training too", LIFE),
    Key((".", "right"), "step", "one step, or frame", LIFE),
    Key(("+", "=", "up"), "faster", "faster", LIFE),
    Key(("-", "down"), "slower", "slower", LIFE),
    Key(("i",), "initialise", "begin again", LIFE),
    Key(("tab",), "randomise", "chance in every cell", LIFE),
    Key(("c",), "clear", "clear everything", LIFE),
    Key(("l",), "loop", "loop, or live on", LIFE),
    Key(("e",), "erase", "eraser, and back", BRUSH),
    Key(("p",), "plant", "seeds, and back", BRUSH),
    Key(("v",), "infect", "infection, and back", BRUSH),
    Key(("k",), "next colour", "next colour", BRUSH),
    Key(("g",), "grab", "colour under the pointer", BRUSH),
    Key((">",), "larger", "larger brush", BRUSH),
    Key(("<",), "smaller", "smaller brush", BRUSH),
    Key(("z", "ctrl+z"), "undo", "take back the newest edit", BRUSH),
    Key(("[",), "last channel", "channel before", LOOK),
    Key(("]",), "next channel", "next channel", LOOK),
    Key(("0",), "colour", "back to colour", LOOK),
    Key(("b",), "background", "light or dark", LOOK),
    Key(("1",), "wound 0", "cut off the left half", DAMAGE),
    Key(("2",), "wound 1", "the right half", DAMAGE),
    Key(("3",), "wound 2", "the upper half", DAMAGE),
    Key(("4",), "wound 3", "the lower half", DAMAGE),
    Key(("5",), "wound 4", "a square out of the middle", DAMAGE),
    Key(("6",), "wound 5", "a disc at the pointer", DAMAGE),
    Key(("7",), "wound 6", "speckles", DAMAGE),
    Key(("8",), "wound 7", "noise", DAMAGE),
    Key(("d",), "damage", "the next of these", DAMAGE),
    Key(("s",), "save", "save the living state", KEEP),
    Key(("r",), "record", "record a film, and stop", KEEP),
    Key(("x", "f12"), "screenshot", "picture", KEEP),
    Key(("h", "?"), "help", "these keys", KEEP),
    Key(("q", "escape"), "quit", "quit", KEEP),
)
"""Every key."""

GROUPS = (LIFE, DAMAGE, BRUSH, LOOK, KEEP)
"""In the order of the help."""

CAPS = {
    "space": "Space", "tab": "Tab", "escape": "Esc", "up": "↑", "down": "↓", "right": "→", "left": "←",
    "f12": "F12", "ctrl+z": "Ctrl Z", "enter": "Enter",
}  # fmt: skip
"""What stands on a key where it isn't its name in capitals."""

_ACTIONS = {name: key.action for key in KEYS for name in key.names}


def keys_of(brushes: Collection[str]) -> tuple[Key, ...]:
    """The keys that mean something where there are these brushes."""
    return tuple(key for key in KEYS if key.action not in ("plant", "infect") or key.action in brushes)


def action_of(name: str) -> str | None:
    """What the key called `name` does; None where nothing."""
    return _ACTIONS.get(name)
