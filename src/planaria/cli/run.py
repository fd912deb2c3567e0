"""`planaria run`: a model's life as an animation, or its last moment in the terminal."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planaria.cli.filming import Typed
from planaria.commands import command
from planaria.console import busy, no_pictures, pictures, printer
from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.export.movie import Take
    from planaria.living import Living
    from planaria.recipes import others

FILMING = Typed()


def run(
    model: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    infect: str | None = None,
    delay: int | None = None,
    recovery: int | None = None,
    chance: float | None = None,
    film: Annotated[Typed, Parameter(name="*")] = FILMING,
) -> int:
    """Run a model, and write an animation of it.

    Parameters
    ----------
    model
        A model file, a run folder, a model of the gallery, or sim:NAME (planaria list simulators); or erikhelmut's
        visualize_config.yaml.
    output
        Output file: .gif, .webp, .mp4 (extra `video`), or .png for a strip. An .mp4 is written as it runs,
        however long it is. Shown in the terminal if absent.
    infect
        A model whose rule spreads through this one's body: one that was trained to, or any of the same kind.
    delay
        Times that a cell beside infected ones acts until it is infected; by default as it was trained, else 1.
    recovery
        Times that an infected cell acts until it is the host's again, and immune; by default as it was trained, else 0,
        never.
    chance
        Probability that a cell beside infected ones yields when it acts; by default as it was trained, else 1.
    """
    console = printer()
    asks = _settings_of_others(Path(model))
    if asks is not None:
        for line in asks.notes:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        output = output or asks.output
        film = replace(
            film, size=film.size or (str(asks.size) if asks.size else None),
            steps=asks.steps if film.steps is None and film.frames is None else film.steps, every=film.every or 1,
            fps=film.fps or asks.fps, erase=film.erase or ((asks.erase,) if asks.erase else ()),
        )  # fmt: skip
    options = film.options(usual=False)
    if infect is None and any(given is not None for given in (delay, recovery, chance)):
        raise UserError("--delay, --recovery and --chance say how an infection spreads: give --infect VIRUS too")

    from planaria.export.movie import SHORT, check_suffix, longer, take
    from planaria.living import find, infected

    if output is not None:
        check_suffix(output)
    with busy(console, f"loading {Path(model).name}"):
        given = {
            "size": options.size, "start": film.start, "seed": film.seed, "solver": film.solver, "engine": film.engine,
        }  # fmt: skip
        living = find(model, **given) if asks is None else _prepared(asks, **given)
        if infect is not None:
            living = infected(living, infect, delay=delay, recovery=recovery, chance=chance)
        shot = take(living, replace(options, infect=options.infect or None), steps=SHORT)
    with _progress(console) as bar:

        def watch(run: Iterable[Any]) -> Iterator[Any]:
            yield from bar.track(run, total=len(shot), description="running")
            bar.update(bar.task_ids[-1], description="writing", total=None)

        if output is None:
            _show(shot, watch, console, model)
            return 0
        shot.save(output, scale=film.scale, watch=watch)
    slow = longer(shot.fps, output.suffix)
    lasts = f"; {output.suffix} shows no more a second, so it lasts {slow:.1f} times as long" if slow > 1 else ""
    console.print(
        f"{output}: {len(shot)} frames, {shot.fps} a second{lasts}", markup=False, highlight=False, soft_wrap=True
    )
    return 0


def _settings_of_others(path: Path) -> "others.Filming | None":
    """Read a settings file of others; None where `path` is none."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return None
    from planaria.config import read_yaml
    from planaria.recipes import others

    settings = read_yaml(path)
    if not others.is_theirs(settings):
        raise UserError(f"{path} holds settings, no model; to train by them: {command('train', path)}")
    return others.filming(settings, path)


def _prepared(asks: "others.Filming", **given: Any) -> "Living":
    """The model that a settings file names, set up as the file says."""
    from planaria import store
    from planaria.living import find
    from planaria.store import formats

    if asks.model.is_dir() or asks.model.suffix == ".safetensors":
        living = find(asks.model, **given)
    else:
        made = formats.load(asks.model, kernel=asks.kernel)
        living = find(store.Saved(made.rule, made.layout, made.card, None, made.card.grid, made.card.name), **given)
    if asks.channels is not None and living.layout.channels != asks.channels:
        raise UserError(f"{asks.model} has {living.layout.channels} channels, not n_channels: {asks.channels}")
    return living


def _show(shot: "Take", watch: Callable[[Iterable[Any]], Iterable[Any]], console: Console, model: str) -> None:
    """Show the last frame in half blocks; where there are no colours, print how it can be seen."""
    from planaria.view.half_blocks import HalfBlocks

    ((step, last),) = deque(watch(shot), maxlen=1)
    if pictures(console):
        console.print(HalfBlocks(last, console.width))
    else:
        console.print(unseen(console, f"{step:g} steps", "run", model), markup=False, highlight=False, soft_wrap=True)


def unseen(console: Console, done: str, *words: str) -> str:
    """Print that no picture is shown, why, and the command that writes an animation."""
    return f"{done}, no picture: {no_pictures(console)}; an animation: {command(*words, '-o', 'film.gif')}"


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_interactive)
