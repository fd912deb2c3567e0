"""`planaria run`: a model's life as a film, or its last moment in the terminal."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planaria.cli import parse
from planaria.commands import command
from planaria.console import busy, no_pictures, pictures, printer
from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.export.movie import Take
    from planaria.living import Living
    from planaria.recipes.others import Filming

STEPS = 200
"""Cell steps where nobody says otherwise; a video model has frames instead."""


def run(
    model: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    start: Annotated[str | None, Parameter(name="--from")] = None,
    frames: int | None = None,
    steps: int | None = None,
    fps_factor: int = 1,
    size: str | None = None,
    seed: int = 0,
    solver: str | None = None,
    erase: Sequence[str] = (),
    infect: str | None = None,
    at: Sequence[str] = (),
    delay: int | None = None,
    recovery: int | None = None,
    chance: float | None = None,
    every: int | None = None,
    fps: int | None = None,
    scale: int | None = None,
    background: float = 1.0,
    engine: str = "auto",
) -> int:
    """Run a model and film it.

    Parameters
    ----------
    model
        A model file, a run folder, a model of the gallery, or sim:NAME (planaria list simulators); or erikhelmut's
        visualize_config.yaml.
    output
        Where the film goes: .gif, .webp, .mp4 (extra `video`), or .png for a strip. An .mp4 is written as it runs,
        however long it is. Shown in the terminal if absent.
    start
        Where it begins: seed, random, a picture; for a video model also a folder of frames or a film, whose first
        frames it is shown; for sim:life also a pattern (.rle, .cells). By default as the model says.
    frames
        Whole frames of the film, the first shows the start; by default 100 of a video model.
    steps
        Cell steps, instead of --frames; by default 200, but for a video model.
    fps_factor
        Pictures for each frame: 4 puts three between two frames, fractions of the way, and shows four times as many a
        second.
    size
        Cells on a side, or ROWSxCOLUMNS; by default as it was trained, but a photo that is repainted (--from) gives the
        grid its shape.
    seed
        Which cells fire: the same seed, the same life.
    solver
        What takes the steps: euler, midpoint, rk4, dopri5 (all but euler: extra `ode`); by default as it was trained.
    erase
        WOUND@STEP, any number of times: left@150, centre(16)@200, circle(36,36,10)@100, noise(0.3)@50.
    infect
        A model whose rule spreads through this one's body: one that was trained to, or any of the same kind.
    at
        Where and when it begins, any number of times: ROW,COLUMN@STEP, ROW,COLUMN,RADIUS@STEP, middle@100, all@100,
        10%@100 (a share of all cells). By default middle@100, or the share it was taught.
    delay
        How often a cell beside infected ones acts until it is; by default as it was trained, else 1.
    recovery
        How often an infected cell acts until it is the host's again, and immune; by default as it was trained, else 0,
        never.
    chance
        With what probability a cell beside infected ones yields when it acts; by default as it was trained, else 1.
    every
        Steps from frame to frame; by default those that a video model was taught, else 2.
    fps
        Pictures a second; by default 20 for a video model, else 30, times --fps-factor.
    scale
        Pixels to a cell.
    background
        Behind transparent cells: 0 black to 1 white.
    engine
        `planaria list engines` tells.
    """
    console = printer()
    asks = _settings_of_others(Path(model))
    if asks is not None:
        for line in asks.notes:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        output, size = output or asks.output, size or (str(asks.size) if asks.size else None)
        steps = asks.steps if steps is None and frames is None else steps
        every, fps = every or 1, fps or asks.fps
        erase = erase or [asks.erase] * bool(asks.erase)
    grid, wounds, outbreaks = parse.size(size), parse.wounds(erase), parse.outbreaks(at)
    if infect is None and any(given is not None for given in (delay, recovery, chance)):
        raise UserError("--delay, --recovery and --chance say how an infection spreads: give --infect VIRUS too")

    from planaria.export import Options
    from planaria.export.movie import check_suffix, longer, take
    from planaria.living import find, infected

    if output is not None:
        check_suffix(output)
    with busy(console, f"waking {Path(model).name}"):
        given = {"size": grid, "start": start, "seed": seed, "solver": solver, "engine": engine}
        living = find(model, **given) if asks is None else _woken(asks, **given)
        if infect is not None:
            living = infected(living, infect, delay=delay, recovery=recovery, chance=chance)
        if steps is None and frames is None and not living.learned_film:
            steps = STEPS
        shot = take(
            living,
            Options(
                steps=steps, frames=frames, fps_factor=fps_factor, size=grid, start=start, solver=solver, seed=seed,
                erase=wounds, infect=outbreaks or None, every=every, fps=fps, scale=scale, background=background,
                engine=engine,
            ),
        )  # fmt: skip
    with _progress(console) as bar:

        def watch(run: Iterable[Any]) -> Iterator[Any]:
            yield from bar.track(run, total=len(shot), description="running")
            bar.update(bar.task_ids[-1], description="writing", total=None)

        if output is None:
            _show(shot, watch, console, model)
            return 0
        shot.save(output, scale=scale, watch=watch)
    slow = longer(shot.fps, output.suffix)
    lasts = f"; {output.suffix} shows no more a second, so it lasts {slow:.1f} times as long" if slow > 1 else ""
    console.print(
        f"{output}: {len(shot)} frames, {shot.fps} a second{lasts}", markup=False, highlight=False, soft_wrap=True
    )
    return 0


def _settings_of_others(path: Path) -> "Filming | None":
    """What a settings file of others asks for; None where `path` is none."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return None
    from planaria.config import read_yaml
    from planaria.recipes import others

    settings = read_yaml(path)
    if not others.is_theirs(settings):
        raise UserError(f"{path} holds settings, no model; to train by them: {command('train', path)}")
    return others.filming(settings, path)


def _woken(asks: "Filming", **given: Any) -> "Living":
    """The model that a settings file names, as the file says that it is."""
    from planaria import store
    from planaria.living import find
    from planaria.store import origins

    if asks.model.is_dir() or asks.model.suffix == ".safetensors":
        living = find(asks.model, **given)
    else:
        made = origins.load(asks.model, kernel=asks.kernel)
        living = find(store.Saved(made.rule, made.layout, made.card, None, made.card.grid, made.card.name), **given)
    if asks.channels is not None and living.layout.channels != asks.channels:
        raise UserError(f"{asks.model} has {living.layout.channels} channels, not n_channels: {asks.channels}")
    return living


def _show(shot: "Take", watch: Callable[[Iterable[Any]], Iterable[Any]], console: Console, model: str) -> None:
    """The last frame, in half blocks; where there are no colours, how it can be seen."""
    from planaria.view.half_blocks import HalfBlocks

    ((step, last),) = deque(watch(shot), maxlen=1)
    if pictures(console):
        console.print(HalfBlocks(last, console.width))
    else:
        console.print(unseen(console, f"{step:g} steps", "run", model), markup=False, highlight=False, soft_wrap=True)


def unseen(console: Console, done: str, *words: str) -> str:
    """That no picture is shown, why, and the command that films it."""
    return f"{done}, no picture: {no_pictures(console)}; a film: {command(*words, '-o', 'film.gif')}"


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_interactive)
