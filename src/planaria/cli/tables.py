"""Tables of an evaluation in the terminal."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from planaria.report import tables


def print_table(console: Console, table: "tables.Table") -> None:
    """Print a table, and the sentence on its meaning."""
    shown = Table(box=None, title=table.title, title_style="bold", title_justify="left", pad_edge=False)
    for k, head in enumerate(table.head):
        shown.add_column(head, justify="right" if k else "left", header_style="dim")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
    console.print(f"{table.note}\n", style="dim", markup=False, highlight=False)
