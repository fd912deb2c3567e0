"""Origins: automata that others have published, read as rules of our own.

Every family writes its weights down in another order, for other kernels, in another file. Here one table says how each
does, and one function turns it into our order: channel-major perception, kernels of `core.filters`, what isn't written
last. A scale that kernels differ by goes into the first layer's weights; all of them are powers of two, so that nothing
is rounded. No file is executed, whatever it is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.errors import UserError, unknown
from planaria.store.origins.families import FAMILIES, Family
from planaria.store.origins.readers import described, read


@dataclass(frozen=True)
class Imported:
    """A published automaton as a rule of ours."""

    rule: Rule
    layout: Layout
    card: dict[str, Any]
    """What people should know of it: where it is from, its licence, how it was read."""


def names() -> list[str]:
    """The origins that are known."""
    return sorted(FAMILIES)


def about() -> dict[str, str]:
    """Origin -> a line on what its files are, and their licence."""
    return {name: f"{FAMILIES[name].about}; {FAMILIES[name].licence}" for name in names()}


def load(path: str | Path, origin: str = "", *, kernel: str = "", net: str = "") -> Imported:
    """The automaton in a published file.

    `origin` is recognised by what the file holds where it is empty; `kernel` is the filter's name where neither the
    file nor its name tells it, `net` which automaton of those in a file that holds several. Raises `UserError` for a
    file of no known origin, telling what it holds, for one that could be of several, and for one that is damaged.
    """
    path = Path(path)
    if origin and origin not in FAMILIES:
        raise unknown("origin", origin, FAMILIES)
    tensors = read(path, net)
    if net and not any(name.startswith("tiles.") for name in tensors):
        raise UserError(f"{path} holds one automaton: leave out {net!r}")
    fits = {name: family for name, family in FAMILIES.items() if not family.unlike(_shapes(tensors), path.suffix)}
    if not origin:
        origin = _told(path, tensors, fits)
    family = FAMILIES[origin]
    if why := family.unlike(_shapes(tensors), path.suffix, asked=True):
        raise UserError(f"{path}: not of {origin}: {why}; it holds {described(tensors)}")
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise UserError(f"{path}: damaged: {name} holds what is no number")
    rule, layout, read_as = family.build(tensors, path.stem, kernel)
    card = {
        "name": _name(net if net and not net.isdecimal() else f"{path.stem} {net}".strip()),
        "task": family.task,
        "grid": list(family.grid),
        "origin": {
            "from": origin, "home": family.home, "licence": family.licence, "file": path.name, "read as": read_as,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
    }  # fmt: skip
    return Imported(rule.requires_grad_(False).eval(), layout, card)


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _told(path: Path, tensors: Mapping[str, Tensor], fits: Mapping[str, Family]) -> str:
    """The one origin that a file can be of."""
    if len(fits) == 1:
        return next(iter(fits))
    if fits:
        raise UserError(f"{path} could be of {' or '.join(fits)}; say which: --from {next(iter(fits))}")
    tied = next((name for name, t in tensors.items() if "norm" in name.lower() and t.ndim > 1), "")
    if tied:
        shape = "x".join(map(str, tensors[tied].shape))
        raise UserError(
            f"{path}: {tied} normalises over a grid of {shape}, as GENCA's layers do: each cell would need to know "
            "all others, so no rule that cells run can be made of it"
        )
    raise UserError(
        f"{path}: of no origin that planaria knows; it holds {described(tensors)}. Known are: "
        + "; ".join(f"{name} ({family.wants})" for name, family in sorted(FAMILIES.items()))
    )


def _name(stem: str) -> str:
    """A file's name as a model's: letters, digits and dashes."""
    return "-".join("".join(c if c.isalnum() else " " for c in stem).split()) or "imported"
