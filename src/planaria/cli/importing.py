"""`planaria import`: an automaton that others have published, as a model file of ours."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from planaria.commands import command
from planaria.console import printer
from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.store.formats import Imported

TRIAL, STRIDE = 100, 10
"""Steps that an imported automaton is run for, and steps between two checks."""
WIDEST = 72
"""Largest side, in cells, of the grid for that run."""
PHOTO = "scene:cat"
"""Photo that an automaton which repaints photos is shown in that run."""


def import_(
    theirs: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    format_: Annotated[str, Parameter(name="--from")] = "",
    kernel: str = "",
    net: str = "",
    name: str = "",
) -> int:
    """Read an automaton that others have published; from then on it is a model like any other.

    Nothing in the file is executed, whatever it is. Where it comes from and its licence, as far as known, go into the
    model file; `planaria show` prints them. Then it runs for a hundred steps, and a line says if it bursts or dies out.

    Parameters
    ----------
    theirs
        Weights as published: .pt and .pth of torch, .safetensors, .json and .bin of web pages.
    output
        The model file, .safetensors; by default the same name in this folder.
    format_
        Format of the file, where it isn't clear from the file alone; see `planaria list formats`.
    kernel
        Perception filter, where it is neither in the file nor in its name: sobel, scharr, gaussian, laplacian, mean.
    net
        Automaton in the file, by name or number, where it holds several.
    name
        Name of the model; by default that of its file.
    """
    from planaria import store
    from planaria.store import formats
    from planaria.store.cards import Origin

    parts = [theirs.stem, *([formats.named("", net)] if net else [])]
    output = output or Path(f"{'-'.join(parts)}.safetensors")
    if output.suffix.lower() != ".safetensors":
        raise UserError(f"a model file ends in .safetensors, not {output.name[:80]!r}")
    try:
        if output.exists():
            raise UserError(f"{output} is there already; name another: -o FILE.safetensors")
    except OSError as e:
        raise UserError(
            f"can't write {str(output)[:80]!r}: {e.strerror or e}; name another: -o FILE.safetensors"
        ) from e
    made = formats.load(theirs, format_, kernel=kernel, net=net)
    card = made.card.changed(name=name.encode(errors="replace").decode()) if name else made.card
    store.save(output, made.rule, made.layout, card)
    whose = card.origin or Origin()
    weights = sum(p.numel() for p in made.rule.parameters())
    line = f"{output}: {whose.format}, {made.rule.config.channels} channels, {weights:,} parameters ({whose.read_as})"
    console = printer()
    for said in (line, f"licence: {whose.licence}", f"to see it live: {command('play', output)}"):
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    if wrong := _tried(made):
        warnings.warn(f"{output} {wrong}", stacklevel=2)
    return 0


def _tried(made: "Imported") -> str:
    """Description of what goes wrong in the first hundred steps of an automaton; empty if it lives."""
    import torch

    from planaria.core.bounds import burst, extinct
    from planaria.engine import run
    from planaria.living import begin
    from planaria.world import World

    rule, layout = made.rule, made.layout
    grid = min(made.card.grid[0], WIDEST), min(made.card.grid[1], WIDEST)
    x = World(rule, layout, grid, start=begin(rule, layout, grid, PHOTO if layout.photo else "seed")).x
    with torch.no_grad():
        for t in range(0, TRIAL, STRIDE):
            x = run(rule, x, STRIDE, t=t)
            if burst(x, layout):
                return f"bursts within {t + STRIDE} steps: it may be of another format, or need another start"
            if extinct(x, rule):
                return f"dies out within {t + STRIDE} steps: it may be of another format, or need a host to infect"
    return ""
