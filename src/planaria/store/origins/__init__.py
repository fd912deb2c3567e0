"""Origins: automata that others have published, read as rules of our own.

Every family writes its weights down in another order, for other kernels, in another file. Here one table says how each
does, and one function turns it into our order: channel-major perception, kernels of `core.filters`, what isn't written
last. A scale that kernels differ by goes into the first layer's weights; all of them are powers of two, so that nothing
is rounded. No file is executed, whatever it is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.errors import UserError, unknown
from planaria.store.origins.families import FAMILIES, Family
from planaria.store.origins.licences import code_licence, licence
from planaria.store.origins.readers import described, read

MOST_WRAPPED, LONGEST_NAME = 8, 80
"""Automata in one checkpoint; letters of a name."""


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
    """Origin -> a line on what its files are, and the licence of its code."""
    return {name: f"{FAMILIES[name].about}; {code_licence(FAMILIES[name].code)}" for name in names()}


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
    asked = [FAMILIES[origin]] if origin else list(FAMILIES.values())
    tensors = _unwrapped(tensors, asked, path.suffix)
    if not origin:
        fits = {name: family for name, family in FAMILIES.items() if not family.unlike(_shapes(tensors), path.suffix)}
        origin = _told(path, tensors, fits)
    family = FAMILIES[origin]
    if why := family.unlike(_shapes(tensors), path.suffix, asked=True):
        raise UserError(f"{path}: not of {origin}: {why}; it holds {described(tensors)}")
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise UserError(f"{path}: damaged: {name} holds what is no number")
    rule, layout, read_as = family.build(tensors, path.stem, kernel)
    if not all(bool(p.isfinite().all()) for p in rule.parameters()):
        raise UserError(f"{path}: damaged: its numbers are too large")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = {
        "name": named(path.stem, net),
        "task": family.task,
        "grid": list(family.grid),
        "origin": {
            "from": origin, "home": family.home, "licence": licence(digest, family.code),
            "file": path.name.encode(errors="replace").decode(), "read as": read_as, "sha256": digest,
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
    if tied := _tied(tensors):
        shape = "x".join(map(str, tensors[tied].shape))
        raise UserError(
            f"{path}: {tied} normalises over a grid of {shape}, as GENCA's layers do: each cell would need to know "
            "all others, so no rule that cells run can be made of it"
        )
    raise UserError(
        f"{path}: of no origin that planaria knows; it holds {described(tensors)}. Known are: "
        + "; ".join(f"{name} ({family.wants})" for name, family in sorted(FAMILIES.items()))
    )


def _tied(tensors: Mapping[str, Tensor]) -> str:
    """The weight of a layer that normalises over a whole grid, whatever it is called: its bias is as large; else ""."""
    for name, tensor in tensors.items():
        bias = tensors.get(f"{name.removesuffix('weight')}bias") if name.endswith("weight") else None
        if tensor.ndim > 1 and ("norm" in name.lower() or (bias is not None and bias.shape == tensor.shape)):
            return name
    return ""


def _unwrapped(tensors: dict[str, Tensor], families: Iterable[Family], suffix: str) -> dict[str, Tensor]:
    """The tensors of the one automaton among others: that of a checkpoint, or inside another module.

    They are left as they are where a family knows them already, and where none or several are in there.
    """
    known = [family for family in families if not family.unmarked]

    def fits(some: Mapping[str, Tensor]) -> bool:
        return any(not family.unlike(_shapes(some), suffix) for family in known)

    firsts = {keys[0][0] for family in known for keys in (family.keys, family.aliases) if keys}
    begins = {name.removesuffix(first) for name in tensors for first in firsts if name.endswith(f".{first}")}
    if fits(tensors) or len(begins) > MOST_WRAPPED:
        return tensors
    inner = [{n.removeprefix(at): t for n, t in tensors.items() if n.startswith(at)} for at in sorted(begins)]
    found = [some for some in inner if fits(some)]
    return found[0] if len(found) == 1 else tensors


def named(stem: str, net: str = "") -> str:
    """What an automaton in a file of this name is called: letters, digits and dashes."""
    told = f"{stem} {net}" if not net or net.isdecimal() else net.rpartition("/")[2]
    return "-".join("".join(c if c.isalnum() else " " for c in told).split())[:LONGEST_NAME] or "imported"
