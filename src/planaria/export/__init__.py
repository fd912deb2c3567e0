"""What leaves planaria: a page, an ONNX graph, films and stills, found by the suffix they are written with.

One file a kind: its `SUFFIXES`, and `write(model, output, options)`. The folder is the list.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from planaria.errors import unknown


@dataclass(frozen=True)
class Options:
    """How an export should be; each kind reads what concerns it."""

    steps: int = 300
    """Cell steps of a film."""
    size: int | tuple[int, int] | None = None
    """Cells on a side, or rows and columns; None is as it was trained."""
    seed: int = 0
    """Which cells fire: the same seed, the same life."""
    erase: Mapping[int, str] | None = None
    """Step -> wound of a film; None cuts the left half off a model that was trained to heal."""
    every: int = 2
    """Steps from frame to frame."""
    fps: int = 30
    """Frames a second."""
    scale: int | None = None
    """Pixels to a cell; None gives films about 288 pixels."""
    background: float = 1.0
    """Behind transparent cells: 0 black to 1 white."""
    engine: str = "auto"
    """What computes a film."""
    name: str = ""
    """What a page and a graph call the model; by default the name that it was trained under."""
    title: str = ""
    """Title of a page; by default the name."""


def suffixes() -> list[str]:
    """Every suffix that can be written."""
    return sorted(suffix for module in _modules() for suffix in module.SUFFIXES)


def writer(output: str | Path) -> ModuleType:
    """The module that writes files named like `output`. Raises `UserError` where none does."""
    path = Path(output)
    for module in _modules():
        if path.suffix in module.SUFFIXES:
            return module
    raise unknown("format", path.suffix or path.name, suffixes())


def write(model: str | Path, output: str | Path, options: Options | None = None) -> Path:
    """Write a model file, run folder or gallery model as what the suffix of `output` says; gives the path.

    `.html` one page that runs it, `.onnx` one step as a graph, `.gif`, `.webp`, `.mp4` a film, `.png` a strip.
    The file is replaced in one step. Raises `UserError` for other suffixes and for what isn't a model.
    """
    from planaria.store import model_path

    module = writer(output)
    return module.write(model_path(model), Path(output), options or Options())


def _modules() -> Iterator[ModuleType]:
    """The kinds there are, each imported when its turn comes."""
    for found in pkgutil.iter_modules(__path__):
        yield importlib.import_module(f"{__name__}.{found.name}")
