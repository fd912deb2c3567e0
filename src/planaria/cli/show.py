"""`planaria show`: a summary of a model in a few lines and pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from planaria.console import pictures, printer

if TYPE_CHECKING:
    from planaria.export.movie import Film
    from planaria.living import Living

PICTURES = 6
STRIDE = 10
"""Frames of an animation between two pictures."""
PAINTED = 24
"""Steps between two pictures where a photo is repainted."""


def show(what: Path, /) -> int:
    """Show a model, its metrics, and, where there are colours, moments of its life in the terminal.

    Parameters
    ----------
    what
        A run folder or a model file.
    """
    import math

    import numpy as np

    from planaria import store
    from planaria.data.sources import natural
    from planaria.evaluate.verdict import METRICS, verdict_on
    from planaria.living import find
    from planaria.store.cards import CUT, HEALED
    from planaria.view.half_blocks import HalfBlocks, cropped

    console = printer()
    model = store.read(what)
    living, card, rule = find(model), model.card, model.rule
    table = Table(box=None, show_header=False, pad_edge=False)
    source = ", ".join(card.config.prompts) or card.config.source
    rows = {
        "model": str(model.path),
        "task": f"{card.task or '?'} {source} {card.config.regime}".strip(),
        **_origin(living),
        "rule": f"{rule.config.channels} channels, {', '.join(rule.config.filters)}, hidden {rule.config.hidden}, "
        f"{sum(p.numel() for p in rule.parameters()):,} parameters",
    }
    if living.learned_film:
        rows["frame"] = f"{living.frame} cell steps, {living.size[1]}x{living.size[0]} cells"
    if verdict := verdict_on(card):
        rows["verdict"] = verdict
    if card.badge:
        rows["health"] = f"{card.badge} bodies cut by a brush"
    said = (*METRICS, *((CUT, HEALED) if card.badge else ()))
    for key, value in rows.items():
        table.add_row(f"[bold]{key}[/]", _printable(value))
    for key, value in sorted(card.metrics.items(), key=lambda metric: natural(Path(metric[0]))):
        if key not in said and isinstance(value, float) and math.isfinite(value):
            log = f"  (log10 {math.log10(value):.2f})" if value > 0 and "mse" in key.lower() else ""
            table.add_row(_printable(key), f"{value:.6f}{log}")
    console.print(table, highlight=False)
    if not pictures(console):
        return 0
    shot, unit, stride = _moments(living)
    picks = shot.moments(PICTURES)
    tiles = cropped(shot.frames[picks])
    across = PICTURES if console.width >= 150 else PICTURES // 2
    for row in range(0, PICTURES, across):
        console.print(HalfBlocks(np.concatenate(list(tiles[row : row + across]), 1), console.width))
    labels = ", ".join(str(shot.at[k] // stride) for k in picks)
    console.print(f"{unit} {labels}", style="dim", highlight=False)
    return 0


def _origin(living: "Living") -> dict[str, str]:
    """Origin of a model: how long it was trained here, or whose format it was read from, and its licence."""
    from planaria.living import stopped

    card, origin = living.card, living.card.origin
    if origin is None:
        done = "?" if card.trained is None else card.trained
        return {"trained": stopped(card, living.path) or f"{done} iterations"}
    return {
        "format": f"{origin.format}, of {origin.home}; read from {origin.file}",
        "licence": origin.licence,
    }


def _moments(living: "Living") -> "tuple[Film, str, int]":
    """An animation to pick from, the unit that its moments are counted in, and cell steps of that."""
    from planaria.export.movie import film
    from planaria.health import Health
    from planaria.usual import actions

    health = Health.of(living)
    if living.start is None:
        events = actions(living.layout, living.card)
        options = {"steps": 260, "size": living.size, "every": 20, "seed": 1, "health": health}
        return film(living.rule, living.layout, **options, **events), "steps", 1
    every = STRIDE * living.frame if living.learned_film else PAINTED
    steps = (PICTURES - 1) * every
    shot = film(living.rule, living.layout, steps=steps, every=every, start=living.start, health=health)
    return (shot, "frames", living.frame) if living.learned_film else (shot, "steps", 1)


def _printable(text: str) -> str:
    """Text of a model file, without markup and without control codes for the terminal."""
    return escape("".join(c for c in text if c.isprintable()))
