"""Backbones: perceptual features of pictures. The folder is the list.

A file of this folder has `NAMES`, the backbones in it; `ABOUT`, a line on each; `load(name, path, device)`, which makes
one of them, see `Backbone`, and never uses the network; and, where their weights are published, `PUBLISHED`,
name -> `Published`: those are fetched here, and `load` gets the path of the checked file.
"""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from planaria.data.fetch import Progress
from planaria.errors import unknown
from planaria.losses.backbones.published import find

SHARED = ("published",)
"""Files of the folder without a backbone."""


@runtime_checkable
class Backbone(Protocol):
    """Frozen, differentiable feature maps of a picture."""

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Maps `(b, c_i, h_i, w_i)` of `rgb` `(b, 3, h, w)` in 0..1, fine to coarse."""
        ...

    def content(self, rgb: Tensor) -> list[Tensor]:
        """Maps of a picture's content rather than its style: two pictures of the same things have similar ones."""
        ...


def names() -> list[str]:
    """Names of all backbones."""
    return sorted(_modules())


def about() -> dict[str, str]:
    """Description of every backbone, by name."""
    return {name: module.ABOUT[name] for name, module in sorted(_modules().items())}


def located(name: str, path: str | Path = "", progress: Progress | None = None) -> str:
    """Weights file of backbone `name`: `path` where one is given or none is needed, else see `find`.

    Raises `UserError` for an unknown name, and for weights that can't be found.
    """
    modules = _modules()
    if name not in modules:
        raise unknown("backbone", name, modules)
    published = getattr(modules[name], "PUBLISHED", {})
    return str(path if path or name not in published else find(name, published[name], progress=progress))


def load(
    name: str, *, path: str | Path = "", device: torch.device | None = None, progress: Progress | None = None
) -> Backbone:
    """Load a backbone by name, its weights frozen.

    `path` is a weights file of your own; without it, published weights are looked for in the caches and else
    downloaded. Raises `UserError` for an unknown name, for weights that can't be found, and for those that don't fit.
    """
    file = located(name, path, progress)
    return _modules()[name].load(name, file, device)


def _modules() -> dict[str, ModuleType]:
    """Name -> module that contains it."""
    files = [m.name for m in pkgutil.iter_modules(__path__) if m.name not in SHARED]
    modules = [importlib.import_module(f"{__name__}.{file}") for file in files]
    return {name: module for module in modules for name in module.NAMES}
