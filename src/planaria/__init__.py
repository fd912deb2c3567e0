"""planaria: neural cellular automata that grow, persist, heal, predict video and repaint photos."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planaria.core.damage import Damage as Damage
    from planaria.core.damage import Damage as Wound  # noqa: F401
    from planaria.core.layout import Layout as Layout
    from planaria.core.rule import Rule as Rule
    from planaria.core.rule import RuleConfig as RuleConfig
    from planaria.data.images import picture as picture
    from planaria.engine import run as run
    from planaria.engine import unroll as unroll
    from planaria.errors import UserError as UserError
    from planaria.export.movie import Film as Film
    from planaria.export.movie import film as film
    from planaria.model import Model as Model
    from planaria.model import load as load
    from planaria.store import save as save
    from planaria.training.session import train as train
    from planaria.world import World as World

__version__ = "0.1.0"

_FORMER = {"Wound": "Damage"}
"""Former name -> name."""

_HOMES = {
    "Damage": "planaria.core.damage",
    "Film": "planaria.export.movie",
    "Layout": "planaria.core.layout",
    "Model": "planaria.model",
    "Rule": "planaria.core.rule",
    "RuleConfig": "planaria.core.rule",
    "UserError": "planaria.errors",
    "World": "planaria.world",
    "film": "planaria.export.movie",
    "load": "planaria.model",
    "picture": "planaria.data.images",
    "run": "planaria.engine",
    "save": "planaria.store",
    "train": "planaria.training.session",
    "unroll": "planaria.engine",
}

__all__ = [
    "Damage", "Film", "Layout", "Model", "Rule", "RuleConfig", "UserError", "World",
    "film", "load", "picture", "run", "save", "train", "unroll",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the command line starts at once."""
    now = _FORMER.get(name, name)
    if now not in _HOMES:
        raise AttributeError(f"module 'planaria' has no attribute {name!r}")
    return getattr(import_module(_HOMES[now]), now)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
