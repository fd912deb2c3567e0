"""The keys of a player, from the table that window, terminal and page share: `web/keys.json`."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from planaria.web.bundle import text


@dataclass(frozen=True)
class Key:
    """Keys that do one thing."""

    names: tuple[str, ...]
    """As `Player.key` takes them: the letter, or space, tab, enter, escape, up, down, left, right, f12, ctrl+z."""
    action: str
    """What `Player` does; a kind of damage by its name."""
    says: str
    """The same, to a person."""
    group: str
    """Where it stands in the help."""
    places: tuple[str, ...]
    """Where it is to be had: window, terminal, page."""
    note: str
    """More of it for the guide."""

    @property
    def caps(self) -> list[str]:
        """What stands on these keys; `=` is + without shift, and not shown."""
        return [_TABLE["caps"].get(name, name.upper()) for name in self.names if name != "="]


def _read(table: dict[str, Any]) -> Iterator[Key]:
    everywhere = tuple(table["places"])
    for line in table["damage"]:
        yield Key((line["key"],), line["kind"], line["words"], "Damage", everywhere, "")
    for line in table["keys"]:
        places = tuple(line.get("places", everywhere))
        yield Key(tuple(line["keys"]), line["action"], line["words"], line["group"], places, line.get("note", ""))


_TABLE = json.loads(text("keys.json"))
GROUPS: tuple[str, ...] = tuple(_TABLE["groups"])
"""In the order of the help."""
ALL_KEYS = tuple(_read(_TABLE))
"""Every key, in a page too."""
KEYS = tuple(key for key in ALL_KEYS if "window" in key.places)
"""The keys of window and terminal."""
DAMAGE: tuple[str, ...] = tuple(line["kind"] for line in _TABLE["damage"])
"""The kinds of damage in the order of their keys."""
_ACTIONS = {name: key.action for key in KEYS for name in key.names}


def keys_of(brushes: Collection[str]) -> tuple[Key, ...]:
    """The keys that mean something where there are these brushes."""
    return tuple(key for key in KEYS if key.action not in ("plant", "infect") or key.action in brushes)


def action_of(name: str) -> str | None:
    """What the key called `name` does; None where nothing."""
    return _ACTIONS.get(name)
