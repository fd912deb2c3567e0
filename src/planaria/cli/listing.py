"""`planaria list`: what there is, with a line on each."""

from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def list_(what: Literal["tasks", "recipes", "filters", "losses", "wounds", "pictures", "engines"], /) -> int:
    """List what there is, with a line on each.

    Parameters
    ----------
    what
        Kind of thing.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, meaning in _kinds(what).items():
        table.add_row(f"[bold]{name}[/]", escape(meaning))
    Console().print(table, highlight=False)
    return 0


def _kinds(what: str) -> dict[str, str]:
    """Name -> meaning of every thing of a kind."""
    if what == "tasks":
        from planaria import tasks

        return {name: tasks.load(name).Config.__doc__ or "" for name in tasks.names()}
    if what == "recipes":
        from planaria.training.recipe import about, shipped

        return {name: about(path) for name, path in sorted(shipped().items())}
    if what == "filters":
        from planaria.core.filters import MEANINGS as filters

        return filters
    if what == "losses":
        from planaria.losses.pixel import MEANINGS as losses

        return losses
    if what == "wounds":
        from planaria.core.damage import WOUNDS

        return WOUNDS
    if what == "engines":
        from planaria.engine import ENGINES

        return ENGINES
    from planaria.data.builtin import PICTURES

    return dict.fromkeys(PICTURES, "drawn by planaria")
