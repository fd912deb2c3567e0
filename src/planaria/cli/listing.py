"""`planaria list`: the parts of planaria and the models, with a line on each."""

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, Token, convert
from rich.markup import escape
from rich.table import Table

from planaria.console import printer

if TYPE_CHECKING:
    from planaria.store.cards import Card


Kind = Literal[
    "tasks", "recipes", "filters", "losses", "backbones", "damage", "pictures", "engines", "gallery", "formats",
    "simulators", "solvers",
]  # fmt: skip
FORMER = {"wounds": "damage", "origins": "formats"}
"""Former name of a kind -> its name."""


def _named(kind: Any, tokens: Sequence[Token]) -> Any:
    """Kind that was typed, by its former name too."""
    return convert(kind, [token.evolve(value=FORMER.get(token.value, token.value)) for token in tokens])


def list_(what: Annotated[Kind, Parameter(converter=_named)], /) -> int:
    """List tasks, recipes, engines and other parts, with a line on each.

    Parameters
    ----------
    what
        Kind of thing.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, meaning in _kinds(what).items():
        table.add_row(f"[bold]{name}[/]", escape(meaning))
    printer().print(table, highlight=False)
    return 0


def _kinds(what: str) -> dict[str, str]:
    """Name -> meaning of everything of a kind."""
    if what == "tasks":
        from planaria import tasks

        return {name: tasks.load(name).Config.__doc__ or "" for name in tasks.names()}
    if what == "recipes":
        from planaria.recipes import about, shipped

        return {name: about(path) for name, path in sorted(shipped().items())}
    if what == "filters":
        from planaria.core.filters import FARTHEST, MEANINGS

        farther = f"any of them with its outer cells N away instead of 1, for N up to {FARTHEST}, as in sobel@2"
        return MEANINGS | {"NAME@N": farther}
    if what == "losses":
        from planaria.losses.pixel import MEANINGS as losses

        return losses
    if what == "backbones":
        from planaria.losses import backbones

        return backbones.about()
    if what == "damage":
        from planaria.core.damage import KINDS

        return KINDS
    if what == "engines":
        from planaria.engine import ENGINES

        return ENGINES
    if what == "formats":
        from planaria.store import formats

        return formats.about()
    if what == "simulators":
        from planaria.data import simulate

        return simulate.about()
    if what == "solvers":
        from planaria.core.solve import METHODS

        return METHODS
    if what == "gallery":
        from planaria import store

        return {name: _trained(store.card(path)) for name, path in store.gallery().items()}
    from planaria.data import builtin, scenes

    drawn = {f"scene:{name}": meaning for name, meaning in scenes.ABOUT.items()}
    return dict.fromkeys(builtin.PICTURES, "drawn by planaria") | drawn


def _trained(card: "Card") -> str:
    """A line on how a model was trained."""
    config, (rows, columns) = card.config, card.grid
    error = log10(card.metrics["mse at step 400"])
    return (
        f"{config.picture}, {config.size} cells in {rows}x{columns}, {card.trained:,} iterations; "
        f"log10 MSE {error:.2f} at step 400" + (f"; {card.badge}" if card.badge else "")
    )
