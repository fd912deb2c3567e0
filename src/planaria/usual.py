"""Default actions of a model's film: damage to one that heals, infection of a host."""

from typing import TypedDict

from planaria.core.layout import Layout
from planaria.store.cards import Card

DAMAGED_AT, DAMAGE = 160, "left"
"""Time and kind of the damage in a film of a model that was trained to heal."""
INFECTED_AT = 100
"""Time of a host's infection."""


class Actions(TypedDict):
    """Actions in a film, as `movie.film` takes them."""

    erase: dict[int, str]
    infect: dict[int, str]


def actions(layout: Layout, card: Card) -> Actions:
    """Actions that a film should show of a model with this layout and card."""
    return {"erase": healing(card), "infect": infection(layout, card)}


def healing(card: Card) -> dict[int, str]:
    """Damage that a film of a model with this card should show: one, if it was trained to heal."""
    return {DAMAGED_AT: DAMAGE} if card.config.regime == "regenerate" else {}


def infection(layout: Layout, card: Card) -> dict[int, str]:
    """Infection that a film of a model with this layout and card should show, if it holds one."""
    if layout.strain is None:
        return {}
    if layout.strain < layout.channels - layout.frozen:
        return {INFECTED_AT: "middle"}
    share = card.share
    return {INFECTED_AT: f"{100 * share if isinstance(share, float) and 0.0001 <= share <= 1 else 10:g}%"}
