"""Tasks: the training goals, one file each. The folder is the list."""

import importlib
import pkgutil
from types import ModuleType

from planaria.errors import unknown

SHARED = ("about", "base", "restyle")
"""Files of the folder that are no tasks."""


def names() -> list[str]:
    """Names of the tasks, without importing them."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in SHARED)


def load(name: str) -> ModuleType:
    """The module of a task: its `Config` and its `Task`. Raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("task", name, names())
    return importlib.import_module(f"{__name__}.{name}")
