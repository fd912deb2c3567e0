"""`planaria eval`: how well a video model predicts, as tables, plots and a film."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.evaluate import tables

Kind = TypeVar("Kind")


def eval_(
    model: Path,
    frames: str | None = None,
    /,
    *,
    held_out: float | None = None,
    context: int | None = None,
    horizons: str = "1,2,5,10,20,50",
    long: int = 10,
    size: int | None = None,
    crop: str | None = None,
    every: int | None = None,
    count: int | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    seed: int = 0,
    engine: str = "auto",
) -> int:
    """Measure how well a video model predicts: against copying the last frame and going on in a line.

    Writes scores.json, scores.md, scores.png, rollout.png and rollout.webp into the run folder, or beside the model.

    Parameters
    ----------
    model
        A run folder or a model file of `planaria train video`.
    frames
        A folder of pictures, a film, or sim:NAME; by default what the model was trained on, of several films the
        first that was held out.
    held_out
        Share of the frames, the last ones, that the predictions are compared with; by default as in training. 1 for a
        film that the model never saw.
    context
        Frames that the model is shown before it runs freely; by default as in training.
    horizons
        Frames ahead, with commas between.
    long
        How many times longer than the film the long run is; 0 leaves it out.
    size
        Cells on the longest side of a frame; by default as in training. 0 leaves the frames as they are.
    crop
        none, square, or x,y,w,h in pixels; by default as in training.
    every
        Keep each n-th frame; by default as in training.
    count
        At most so many frames; 0 for all.
    output
        Folder for the files.
    seed
        Noise, unseen starts, and which cells fire.
    engine
        `planaria list engines` tells.
    """
    ahead = _horizons(horizons)
    if long < 0:
        raise UserError(f"--long {long}: 0 or more")
    if held_out is not None and not 0 < held_out <= 1:
        raise UserError(f"--held-out {held_out}: a share of the frames, above 0 and at most 1")

    from planaria import evaluate, living, store
    from planaria.data.clips import open_clips
    from planaria.evaluate import results, tables

    card = {} if str(model).startswith(living.SIMULATED) else store.card(model)
    if not isinstance(card.get("frame"), Mapping):
        task = card.get("task")
        trained = f": it was trained to {task}" if isinstance(task, str) and task.isalpha() else ""
        raise UserError(f"{model} is no video model{trained}; planaria eval measures those of planaria train video")
    config = card["config"] if isinstance(card.get("config"), Mapping) else {}
    source = frames or _told(config, "frames", str, "")
    if not source:
        raise UserError(f"{model} doesn't say what it was trained on; name the frames: planaria eval {model} FRAMES")
    alive = living.find(model, engine=engine)
    made = source.startswith(living.SIMULATED)  # to measure, and grey
    console, seen = Console(), _told(config, "context", int, 1) if context is None else context
    with console.status("reading frames"):
        clips = open_clips(
            source, clips=1 if frames else _told(config, "clips", int, 1),
            count=(0 if frames else _told(config, "count", int, 0)) if count is None else count,
            held_out=_told(config, "held_out", float, 0.0) if held_out is None else held_out,
            size=_told(config, "size", int, 0) if size is None else size,
            crop=("none" if made else _told(config, "crop", str, "none")) if crop is None else crop,
            every=_told(config, "every", int, 1) if every is None else every,
            colour="auto" if made else "grey" if alive.layout.visible == 1 else "rgb",
        )  # fmt: skip
        film, start = evaluate.held_out(clips, seen)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        part = bar.add_task("starting", total=None)
        scores = evaluate.evaluate(
            alive.rule, alive.layout, film, context=seen, steps=alive.frame, start=start, horizons=ahead, times=long,
            seed=seed, engine=engine,
            progress=lambda what, done, of: bar.update(part, description=what, completed=done, total=of),
        )  # fmt: skip
        bar.update(part, description="drawing", completed=0, total=None)
        written = results.write(_folder(model, output), alive.name, scores, film, clips.fps)
    for table in tables.tables(scores):
        console.print(_rich(table))
        console.print(f"{table.note}\n", style="dim", markup=False, highlight=False)
    names = ", ".join(path.name for path in written)
    console.print(f"{written[0].parent}: {names}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _horizons(text: str) -> tuple[int, ...]:
    """`1,2,5` as numbers."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and 1 <= int(word) <= 1_000_000 for word in words):
        raise UserError(f"--horizons {text!r}: write frames ahead with commas between, as in 1,2,5")
    return tuple(map(int, words))


def _told(config: Mapping[str, Any], key: str, kind: type[Kind], default: Kind) -> Kind:
    """A setting of the model's training, where it says so in the right kind."""
    value = config.get(key)
    return value if isinstance(value, kind) and not isinstance(value, bool) else default


def _folder(model: Path, output: Path | None) -> Path:
    """Where the files go: the run folder, or the model's; never among the models that come with planaria."""
    from planaria import store

    if output is not None:
        return output
    path = store.model_path(model)
    return Path(f"{path.stem}-scores") if path in store.gallery().values() else path.parent


def _rich(table: "tables.Table") -> Table:
    """A table for the terminal."""
    shown = Table(box=None, title=table.title, title_style="bold", title_justify="left", pad_edge=False)
    for k, head in enumerate(table.head):
        shown.add_column(head, justify="right" if k else "left", header_style="dim")
    for row in table.rows:
        shown.add_row(*row)
    return shown
