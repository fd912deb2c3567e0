"""`planaria eval` of what grows: a certificate of its health."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from planaria.console import printer
from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.evaluate.health import Certificate
    from planaria.store import Saved
    from planaria.tasks.base import Task

GALLERY = "gallery"
"""Word for every model that comes with planaria."""


def certify(
    model: "Saved", task: "Task | None", target: str | None, *, quick: bool, seed: int, engine: str, console: Console
) -> "Certificate":
    """Examine a model of a `task`, with a bar; `target` is a picture to compare it with instead of its own."""
    from planaria.evaluate.health import examine
    from planaria.evaluate.health.finding import organism

    found = organism(model, task, target or "", engine)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as bar:
        part = bar.add_task("starting", total=None)
        return examine(
            found, quick=quick, seed=seed,
            progress=lambda what, done, of: bar.update(
                part, description=f"{escape(model.name)}: {what}", completed=done, total=of
            ),
        )  # fmt: skip


def certify_all(where: str, *, quick: bool, seed: int, engine: str, json: Path | None) -> int:
    """Examine every model that grows, of the gallery or of a folder of runs and model files: a line on each."""
    from planaria import store
    from planaria.evaluate.health.finding import reason_against, task_of

    console, found = printer(), []
    for path in _models(where):
        try:
            model = store.read(path)
        except UserError as error:
            console.print(f"left out: {error}", markup=False, highlight=False, soft_wrap=True)
            continue
        if why := reason_against(model):
            console.print(f"{model.name}: left out, as {why}", markup=False, highlight=False, soft_wrap=True)
            continue
        one = certify(model, task_of(model), None, quick=quick, seed=seed, engine=engine, console=console)
        found.append(one)
        console.print(_line(one), markup=False, highlight=False, soft_wrap=True)
    if json is not None:
        write_json(json, {"certificates": [one.to_dict() for one in found]})
        console.print(str(json), markup=False, highlight=False, soft_wrap=True)
    return 0


def write_json(path: Path, values: Mapping[str, object]) -> None:
    """Write values as JSON into a file."""
    import json

    from planaria.store import write_bytes

    write_bytes(path, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())


def _line(found: "Certificate") -> str:
    from planaria.report.health import log10

    settled, kept = found.grows.settled, found.keeps
    rest = ", ".join(f"{n:,} {what}" for what, n in found.brush.fates if n)
    return (
        f"{found.name}: {found.badge}{f' ({rest})' if rest else ''}; settled at {log10(settled)}, "
        f"drift {kept.drift:+.2f} by step {kept.steps[-1]:,}; against {found.target}"
    )


def _models(where: str) -> Sequence[Path]:
    """Model files of the gallery, or of a folder: its own and those of the runs in it. Raises `UserError`."""
    from planaria import store
    from planaria.store.run_folder import CHECKPOINT

    if where == GALLERY:
        return list(store.gallery().values())
    folder = Path(where)
    if not folder.is_dir():
        raise UserError(f"--all {where}: no such folder; say gallery, or a folder of runs or model files")
    runs = [one / store.MODEL for one in folder.iterdir() if (one / store.MODEL).is_file()]
    found = sorted([*(one for one in folder.glob("*.safetensors") if one.name != CHECKPOINT), *runs])
    if not found:
        raise UserError(f"--all {where}: no model in that folder")
    return found
