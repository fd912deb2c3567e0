"""Exports of planaria: a page, an ONNX graph, films and stills, chosen by the suffix of the file.

One file a kind: its `SUFFIXES`, and `write(model, output, options)` of a `store.Saved`. The folder is the list.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from planaria.errors import UserError, unknown
from planaria.files import unwritable

if TYPE_CHECKING:
    from planaria.store import Saved


@dataclass(frozen=True)
class Options:
    """Options of an export; each kind reads those that concern it."""

    steps: int | None = None
    """Cell steps of a film; None is 300, or 100 frames of a video model."""
    frames: int | None = None
    """Whole frames of a film, instead of `steps`: the first shows where it begins."""
    fps_factor: int = 1
    """Pictures that a film has for each frame: the others lie between two frames, fractions of the way."""
    size: int | tuple[int, int] | None = None
    """Cells on a side, or rows and columns; None is as it was trained."""
    start: str | None = None
    """Initial state of a film, as `planaria.living.find` takes it; None is as the model says."""
    solver: str | None = None
    """Solver of the steps of a film, as `planaria.core.solve` names it; None is as it was trained."""
    seed: int = 0
    """Random seed of the cells that fire: the same seed gives the same life."""
    erase: Mapping[int, str] | None = None
    """Step -> wound of a film; None cuts the left half off a model that was trained to heal."""
    infect: Mapping[int, str] | None = None
    """Step -> place where an infection begins (`World.infect`); None infects the middle of a model that holds one."""
    every: int | None = None
    """Steps from frame to frame; None is a frame of a video model, 2 steps of others."""
    fps: int | None = None
    """Pictures a second; None is 20 for a video model, 30 for others, times `fps_factor`."""
    scale: int | None = None
    """Pixels to a cell; None gives films about 288 pixels."""
    background: float = 1.0
    """Background behind transparent cells: 0 black to 1 white."""
    engine: str = "auto"
    """Engine that computes a film."""
    name: str = ""
    """Name of the model in a page and a graph; by default the name that it was trained under."""
    title: str = ""
    """Title of a page; by default the name."""
    learn: bool = False
    """Write a page as the playground, which goes on training the model in the browser."""


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
