"""Tasks: the training goals, one file each. The folder is the list."""

import importlib
import pkgutil
from types import ModuleType

from planaria.errors import unknown

SHARED = ("about", "base", "lives", "roll_outs", "restyle")
"""Files of the folder that are no tasks."""


def names() -> list[str]:
    """Names of the tasks, without importing them."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in SHARED)


def load(name: str) -> ModuleType:
    """The module of a task: its `Config` and its `Task`. Raises `UserError` for an unknown one."""
    if name not in names():
        raise unknown("task", name, names(), also=other_names())
    return importlib.import_module(f"{__name__}.{name}")


def other_names() -> dict[str, str]:
    """Other names of the tasks, as each says; imports them all."""
    return {name: load(name).Task.also for name in names()}
