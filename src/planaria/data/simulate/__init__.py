"""Simulators: known automata, as training films and as models to run. One file each; the folder is the list.

A simulator is named `NAME`, `NAME/PRESET` or either followed by settings after commas: `life`, `life/B36/S23`,
`gray-scott/coral`, `lenia,radius=18,seed=3`, `life/highlife,size=32`.
"""

import importlib
import pkgutil
import re
from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor

from planaria.config import pairs, parse
from planaria.data.simulate.base import Settings, Simulator
from planaria.errors import UserError, unknown

MOST_BYTES = 4_000_000_000
"""Most bytes of memory for a film; a longer one is written frame by frame."""


def names() -> list[str]:
    """Names of all simulators, without importing them."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if m.name != "base")


def about() -> dict[str, str]:
    """Description of every simulator and preset, by name."""
    texts = {}
    for name in names():
        module = _module(name)
        texts[name] = module.ABOUT
        texts |= {f"{name}/{key}": preset.about for key, preset in module.PRESETS.items()}
    return texts


def load(spec: str, **settings: object) -> Simulator:
    """Load the simulator that `spec` names; `settings` override those in `spec`, which override those of its preset.

    Raises `UserError` for an unknown name, preset or setting, and for a value out of range.
    """
    module, preset, given = _read(spec)
    grid = settings.get("size")
    if isinstance(grid, tuple):
        settings["size"] = "x".join(map(str, grid))
    name = preset or next(iter(module.PRESETS))
    config: Settings = parse(module.Config, ({**given, **settings}, f"sim:{spec}"), (module.preset(name), name))
    return module.build(name.lower(), config)


def frames(
    spec: str,
    count: int,
    *,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    skip: int | None = None,
    every: int | None = None,
) -> Tensor:
    """Simulate a film of `count` frames, `(count, visible, h, w)` float32 in 0..1: the same arguments, the same bits.

    `skip` frames are dropped before the first, and each `every`-th is kept; None is the value in `spec`.
    """
    simulator = load(spec)
    h, w = simulator.size if size is None else (size, size) if isinstance(size, int) else size
    if count * simulator.layout.visible * h * w * 4 > MOST_BYTES:
        raise UserError(f"{count} frames of {h}x{w} cells are more than memory should hold; ask for fewer")
    return torch.stack(list(simulator.film(count, size=size, seed=seed, skip=skip, every=every)))


def spelled(spec: str, words: Sequence[str]) -> str:
    """Append settings `key=value` to `spec`, the last of those with the same key; the format of each is checked."""
    kept: dict[str, str] = {}
    for word in words:
        if not re.fullmatch(r"[a-z_]+=[^=]+", word):
            raise UserError(f"{word!r} is no setting; write key=value")
        kept[word.partition("=")[0]] = word
    return ",".join([spec, *kept.values()])


def _read(spec: str) -> tuple[ModuleType, str, dict[str, object]]:
    """Parse a name into module, preset and settings; a value that contains commas is a tuple."""
    head, *words = re.split(r",(?=\s*[a-z_]+=)", spec.strip())
    name, _, preset = head.partition("/")
    if name not in names():
        raise unknown("simulator", name, names())
    module = _module(name)
    given, rest = pairs(module.Config, [word.strip() for word in words])
    if rest:
        raise UserError(f"sim:{spec}: {rest[0]!r} is no setting; write key=value")
    return module, preset, given


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
