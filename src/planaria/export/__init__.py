"""Exports of planaria: a page, an ONNX graph, films and stills, chosen by the suffix of the file.

One file a kind: its `SUFFIXES`, and `write(model, output, options)` of a `store.Saved`. The folder is the list.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

from annotated_types import Ge, Le

from planaria import ranges
from planaria.errors import UserError, unknown
from planaria.files import unwritable
from planaria.ranges import Finite, Share

if TYPE_CHECKING:
    from planaria.store import Saved

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Filming:
    """Options of an animation, spelled alike in Python and on the command line; an export reads those that it needs."""

    frames: Annotated[int, Ge(1)] | None = None
    """Whole frames, the first shows the start; by default 100 of a video model."""
    steps: Annotated[int, Ge(0)] | None = None
    """Cell steps, instead of frames; by default 200 (an export has 300), except for a video model."""
    every: Annotated[int, Ge(1)] | None = None
    """Steps from frame to frame; by default those that a video model was trained with, else 2."""
    fps_factor: Annotated[int, Ge(1), Le(100)] = 1
    """Pictures for each frame: 4 puts three between two frames, and shows four times as many a second."""
    fps: Annotated[int, Ge(1)] | None = None
    """Pictures a second; by default 20 for a video model, else 30, times the factor."""
    scale: Annotated[int, Ge(1)] | None = None
    """Pixels to a cell; by default an animation gets about 288 pixels."""
    background: Share = 1.0
    """Background behind transparent cells: 0 black to 1 white."""
    seed: int = 0
    """Random seed of the cells that fire: the same seed gives the same life."""
    turn: Finite = 0.0
    """Degrees by which all that it does is turned, counter-clockwise, as a texture that moves to the right; for a rule
    with filters that know a direction (sobel, scharr)."""
    solver: str | None = None
    """Solver of the steps: euler, midpoint, rk4, dopri5 (all but euler: extra `ode`); by default as it was trained."""
    engine: str = "auto"
    """Engine to compute with, see `planaria list engines`."""

    def __post_init__(self) -> None:
        self.check()

    def check(self, prefix: str = "") -> None:
        """Raise `UserError` for an option that is out of its range; it is called `prefix` and its name."""
        ranges.check(self, prefix)
        if self.steps is not None and self.frames is not None:
            raise UserError("frames and steps both say how long an animation is: give one of them", f"{prefix}frames")


@dataclass(frozen=True, kw_only=True)
class Options(Filming):
    """Options of an export, and of an animation in Python; a file's `scale`, `name` and `title` aside."""

    size: Annotated[int, Ge(1)] | tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    """Cells on a side, or rows and columns; None is as it was trained."""
    start: Any = None
    """Initial state `(1, c, h, w)` of an animation, or what `planaria.living.find` takes; None is as the model says."""
    erase: Mapping[int, str] | None = None
    """Step -> damage there; None cuts the left half off in an export of a model that was trained to heal."""
    infect: Mapping[int, str] | None = None
    """Step -> place where an infection begins (`World.infect`); None infects the middle in an export of a model that
    holds one."""
    name: str = ""
    """Name of the model in a page and a graph; by default the name that it was trained under."""
    title: str = ""
    """Title of a page; by default the name."""
    learn: bool = False
    """Write a page as the playground, which goes on training the model in the browser."""

    def __post_init__(self) -> None:
        from planaria.engine import door

        if self.size is not None:
            object.__setattr__(self, "size", door.grid(self.size))
        super().__post_init__()
        for name, allowed in ranges.of(Options).items():
            if allowed.whole and (number := ranges.whole(getattr(self, name))) is not None:
                object.__setattr__(self, name, number)  # Python's own, where it was NumPy's or torch's
        for name, example in (("erase", "{150: 'left'}"), ("infect", "{100: '20,20'}")):
            if not isinstance(getattr(self, name), Mapping | None):
                raise UserError(f"{name} maps steps to what is done there, as {example}", name)


FORMER = {"factor": "fps_factor"}
"""Former names of options that still work."""
FILE_ONLY = ("scale", "name", "title")
"""Options of a file, which a film in memory doesn't have yet."""


def options(given: Mapping[str, Any], *, film: bool = False) -> Options:
    """Options as passed by name, for a `film` in memory without those of a file. Raises `UserError` for others."""
    named = {FORMER.get(name, name): value for name, value in given.items()}
    have = [field.name for field in fields(Options) if not (film and field.name in FILE_ONLY)]
    for name in named:
        if name not in have:
            raise unknown("option", name, have, field=name)
    return Options(**named)


def spelled_out(film: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give a function of `**options` a signature that lists them, for `help` and notebooks."""

    def listed(function: Callable[P, R]) -> Callable[P, R]:
        plain = inspect.signature(function)
        own = [p for p in plain.parameters.values() if p.kind is not p.VAR_KEYWORD]
        theirs = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
            for f in fields(Options)
            if not (film and f.name in FILE_ONLY)
        ]
        vars(function)["__signature__"] = plain.replace(parameters=[*own, *theirs])
        return function

    return listed


def suffixes() -> list[str]:
    """Every suffix that can be written."""
    return sorted(suffix for module in _modules() for suffix in module.SUFFIXES)


def writer(output: str | Path) -> ModuleType:
    """Module that writes files named like `output`. Raises `UserError` where none does, or none can be there."""
    path = Path(output)
    for module in _modules():
        if path.suffix.lower() in module.SUFFIXES:
            if why := unwritable(path):
                raise UserError(f"{path} {why}")
            return module
    raise unknown("format", path.suffix or path.name, suffixes())


def write(model: "str | Path | Saved", output: str | Path, options: Options | None = None) -> Path:
    """Write a model, its file or run folder, a gallery model or `sim:NAME` as what the suffix of `output` says.

    `.html` one page that runs it, `.onnx` one step as a graph, `.gif`, `.webp`, `.mp4` a film, `.png` a strip.
    The file is replaced in one step; gives the path. Raises `UserError` for other suffixes and for what isn't a model.
    """
    from planaria import store
    from planaria.living import SIMULATED

    module, options, output = writer(output), options or Options(), Path(output)
    if options.learn and ".html" not in module.SUFFIXES:
        raise UserError(f"{output} can't learn: only a page (.html) trains its model")
    if isinstance(model, store.Saved):
        return module.write(model, output, options)
    if not str(model).startswith(SIMULATED):
        return module.write(store.read(model), output, options)
    if module.__name__.endswith("movie"):
        return module.write(str(model), output, options)
    return module.write(_as_model(str(model).removeprefix(SIMULATED), options), output, options)


def _as_model(name: str, options: Options) -> "Saved":
    """Read a simulator that is a rule as a model. Raises `UserError` where it is none."""
    from planaria import store
    from planaria.data import simulate
    from planaria.store.cards import Card

    simulator = simulate.load(name)
    rule, layout = simulator.as_rule()
    start = layout.picture(simulator.start(1, options.size, options.seed)).clamp(0, 1)
    size = (start.shape[2], start.shape[3])
    card = {"name": simulator.name, "grid": list(size), "frame": {"steps": 1, "solver": "euler"}}
    return store.Saved(rule, layout, Card.parse(card), start, size, simulator.name)


def _modules() -> Iterator[ModuleType]:
    """The kinds of export, each imported when its turn comes."""
    for found in pkgutil.iter_modules(__path__):
        yield importlib.import_module(f"{__name__}.{found.name}")
