"""`planaria bench`: time and memory of every engine on this machine."""

import json as text
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from planaria.console import busy, printer
from planaria.errors import UserError


def bench(
    model: Path | None = None,
    /,
    *,
    quick: bool = False,
    engines: str = "",
    works: str = "",
    json: Path | None = None,
    against: str | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    repeats: int | None = None,
    scale: Annotated[float, Parameter(show=False)] = 1.0,
) -> int:
    """Time every engine on this machine against plain eager PyTorch, in the same run.

    Every engine does every work in a process of its own, so that its memory is its own; the processes take turns.
    A minute or two on two cores; the machine should have nothing else to do.

    Parameters
    ----------
    model
        A model file or a run folder, to time its own rule at its trained size.
    quick
        A first look: two works, twice.
    engines
        Names with commas between, as `planaria list engines` has them; by default all but the reference.
    works
        Names with commas between: classic, seed, inference, texture, tick; of a model: training, inference.
    json
        JSON file for all measurements.
    against
        FILE.py:Class, an nn.Module of yours. The file is run. Class is made with channels and hidden where it takes
        them, and called with a state (b, c, h, w), once a step, or once with steps=N where its forward takes steps.
    device
        Device to compute on; auto takes a GPU where there is one.
    threads
        Processor threads.
    repeats
        Turns after the first; the table has their medians.
    """
    from planaria import bench as room
    from planaria.bench import tables

    if json is not None and json.is_dir():
        raise UserError(f"--json {str(json)!r}: a folder; write the name of a file")
    if not 0 < scale <= 1:
        raise UserError(f"--scale {scale}: more than 0, at most 1")
    names = _names(works) or (room.QUICK if quick and model is None else ())
    plan = room.plan(
        model, engines=_names(engines), names=names, against=against, device=device, threads=threads,
        repeats=(2 if quick else 5) if repeats is None else repeats, scale=scale,
    )  # fmt: skip
    console = printer()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    with busy(console, "looking at the machine"):
        facts = room.machine(plan)
    for line in tables.facts(facts):
        say(line)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as progress:
        whole = progress.add_task("starting", total=plan.turns + 1)
        results = room.measure(plan, facts, lambda now: progress.update(whole, advance=1, description=now))
    console.print(tables.table(results), highlight=False, width=max(tables.WIDTH, console.width), crop=False)
    for line in tables.declined(results):
        say(line)
    console.print(tables.LEGEND, style="dim", markup=False, highlight=False, soft_wrap=True)
    if model is not None:
        for name, why in {r["work"]: r["why"] for r in results}.items():
            taken = next((r["engine"] for r in results if r["work"] == name and r["auto"]), "reference")
            say(f"{name}: engine=auto takes {taken}: {why}")
    if json is not None:
        from planaria.store import write_bytes

        data = room.report(plan, facts, results)
        write_bytes(json, (text.dumps(data, indent=1, allow_nan=False) + "\n").encode())
        say(f"{json}: all measurements")
    return 0


def _names(words: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in words.split(",") if name.strip())
