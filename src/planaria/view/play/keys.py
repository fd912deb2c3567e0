"""The keys of a player, from the table that window, terminal and page share: `web/keys.json`."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from planaria.web.bundle import text


@dataclass(frozen=True)
class Key:
    """Keys with one action."""

    names: tuple[str, ...]
    """Names for `Player.key`: the letter, or space, tab, enter, escape, up, down, left, right, f12, ctrl+z."""
    action: str
    """Action of `Player`; a kind of damage by its name."""
    says: str
    """Description of the action for people."""
    group: str
    """Group in the help."""
    places: tuple[str, ...]
    """Places where it works: window, terminal, page."""
    note: str
    """Further text for the guide."""

    @property
    def caps(self) -> list[str]:
        """Labels of these keys; `=` is + without shift, and not shown."""
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
"""Groups in the order of the help."""
ALL_KEYS = tuple(_read(_TABLE))
"""Every key, including those of a page."""
KEYS = tuple(key for key in ALL_KEYS if "window" in key.places)
"""The keys of window and terminal."""
DAMAGE: tuple[str, ...] = tuple(line["kind"] for line in _TABLE["damage"])
"""The kinds of damage in the order of their keys."""
_ACTIONS = {name: key.action for key in KEYS for name in key.names}


def keys_of(able: Collection[str]) -> tuple[Key, ...]:
    """Keys that have an action where of plant, infect and turn only those in `able` have one."""
    return tuple(key for key in KEYS if key.action not in ("plant", "infect", "turn") or key.action in able)


def action_of(name: str) -> str | None:
    """Action of the key called `name`; None if there is none."""
    return _ACTIONS.get(name)
