"""Formats of automata that others have published, read as rules of our own.

Every family writes its weights down in another order, for other kernels, in another file. Here one table says how each
does, and one function turns it into our order: channel-major perception, kernels of `core.filters`, what isn't written
last. A scale that kernels differ by goes into the first layer's weights; all of them are powers of two, so that nothing
is rounded. No file is executed, whatever it is.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from planaria.commands import command
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.errors import UserError, unknown
from planaria.store.cards import Card
from planaria.store.formats.families import FAMILIES, Family
from planaria.store.formats.licences import code_licence, licence
from planaria.store.formats.readers import described, read
from planaria.store.others import kind_of

MOST_WRAPPED, LONGEST_NAME = 8, 80
"""Most automata in one checkpoint; most characters of a name."""
SEPARATORS = "./:|"
"""Separators between a prefix and the original name of a tensor."""


@dataclass(frozen=True)
class Imported:
    """Published automaton as a rule of ours."""

    rule: Rule
    layout: Layout
    card: Card
    """Card of the model: where it comes from, its licence, assumptions made in reading."""


def names() -> list[str]:
    """Names of the known formats."""
    return sorted(FAMILIES)


def about() -> dict[str, str]:
    """Format -> a line on the type and contents of its files, and the licence of its code."""
    return {name: f"{f.about}: {f.wants}; {code_licence(f.code)}" for name, f in sorted(FAMILIES.items())}


def load(path: str | Path, name: str = "", *, kernel: str = "", net: str = "") -> Imported:
    """Load the automaton in a published file.

    `name` is that of the format; where it is empty, the format is recognised by what the file holds. `kernel` is the
    filter's name where neither the file nor its name gives it, `net` which automaton of those in a file that holds
    several. Raises `UserError` for a file of no known format, naming its contents, for one that could be of several,
    and for one that is damaged.
    """
    path = Path(path)
    if name and name not in FAMILIES:
        raise unknown("format", name, FAMILIES)
    kind, tensors = read(path, net)
    if not any(key.startswith("tiles.") for key in tensors):
        tensors = _chosen(path, _unwrapped(tensors, kind, name), net)
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    fits = [known for known, family in FAMILIES.items() if not family.unlike(shapes, kind)]
    name = name or _recognised(path, tensors, kind, fits)
    family = FAMILIES[name]
    if why := family.unlike(shapes, kind, asked=True):
        raise UserError(f"{path}: not of {name}: {why}; {_instead(tensors, fits)}")
    if fits and family.unmarked:
        raise UserError(f"{path}: not of {name}, by the names in it; {_instead(tensors, fits)}")
    for key, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise UserError(f"{path}: damaged: {key} holds what is no number")
    rule, layout, read_as = family.build(tensors, path.stem, kernel)
    if not all(bool(p.isfinite().all()) for p in rule.parameters()):
        raise UserError(f"{path}: damaged: its numbers are too large")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = {
        "name": named(path.stem, net),
        "task": family.task,
        "grid": list(family.grid),
        "origin": {
            "from": name, "home": family.home, "licence": licence(digest, family.code),
            "file": path.name.encode(errors="replace").decode(), "read as": read_as, "sha256": digest,
        },
    }  # fmt: skip
    return Imported(rule.requires_grad_(False).eval(), layout, Card.parse(card))


def _recognised(path: Path, tensors: Mapping[str, Tensor], kind: str, fits: Sequence[str]) -> str:
    """Only format that a file can have."""
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise UserError(f"{path} could be of {' or '.join(fits)}; say which: --from {fits[0]}")
    if tied := _tied(tensors):
        shape = "x".join(map(str, tensors[tied].shape))
        raise UserError(
            f"{path}: {tied} normalises over a grid of {shape}, as GENCA's layers do: each cell would need to know "
            "all others, so no rule that cells run can be made of it"
        )
    words = f"{path}: of no format that planaria knows"
    if kind == ".bin" and (really := kind_of(path)):
        raise UserError(f"{words}; it is {really}")
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    words += f"; it holds {described(tensors)}{_nearest(shapes, kind)}"
    raise UserError(f"{words}; what can be read: {command('list', 'formats')}")


def _nearest(shapes: Mapping[str, tuple[int, ...]], kind: str) -> str:
    """Hint at the format nearest to a file, with the mismatch; or at one that only a person can identify."""
    for name, family in FAMILIES.items():
        if kind not in family.suffixes:
            continue
        if family.unmarked and not family.unlike(shapes, kind, asked=True):
            return f"; if {name} wrote it, say so: --from {name}"
        if not family.unmarked and family.keys and family.keys[0][0] in shapes:
            return f"; nearest is {name}, but {family.unlike(shapes, kind)}"
    return ""


def _instead(tensors: Mapping[str, Tensor], fits: Sequence[str]) -> str:
    """Description of a file that isn't of the given format."""
    what = f"it holds {described(tensors)}"
    return f"{what}, as files of {' or '.join(fits)} do: --from {fits[0]}" if fits else what


def _tied(tensors: Mapping[str, Tensor]) -> str:
    """Weight of a layer that normalises over a whole grid, by any name: its bias is as large; else ""."""
    for name, tensor in tensors.items():
        bias = tensors.get(f"{name.removesuffix('weight')}bias") if name.endswith("weight") else None
        if tensor.ndim > 1 and ("norm" in name.lower() or (bias is not None and bias.shape == tensor.shape)):
            return name
    return ""


def _chosen(path: Path, found: Mapping[str, dict[str, Tensor]], net: str) -> dict[str, Tensor]:
    """Automaton called `net` of those in a file; the only one where `net` is empty."""
    if len(found) == 1:
        if net:
            raise UserError(f"{path} holds one automaton: leave out {net!r}")
        return next(iter(found.values()))
    names = [name or "0" for name in found]
    if net in names:
        return list(found.values())[names.index(net)]
    if net:
        raise unknown("automaton", net[:LONGEST_NAME], names)
    raise UserError(f"{path} holds {len(names)} automata; choose one: --net NAME, of {', '.join(names)}")


def _unwrapped(tensors: dict[str, Tensor], kind: str, name: str) -> dict[str, dict[str, Tensor]]:
    """Automata among a file's tensors, that of a checkpoint or inside another module, by the prefix of their names.

    Of the families that know some, the one called `name` is tried first. They are left as they are where one knows
    them already, and where none are in there.
    """
    marked = {known: family for known, family in FAMILIES.items() if not family.unmarked}
    for families in ([marked[name]] if name in marked else []), list(marked.values()):
        if found := _within(tensors, kind, families):
            return found
    return {"": tensors}


def _within(tensors: dict[str, Tensor], kind: str, families: Sequence[Family]) -> dict[str, dict[str, Tensor]]:
    """Automata of these `families`, by the prefix of their names in the file; "" where they have none."""

    def fits(some: Mapping[str, Tensor]) -> bool:
        shapes = {name: tuple(tensor.shape) for name, tensor in some.items()}
        return any(not family.unlike(shapes, kind) for family in families)

    if fits(tensors):
        return {"": tensors}
    firsts = {keys[0][0] for family in families for keys in (family.keys, family.aliases) if keys}
    begins = {at for name in tensors for first in firsts if (at := name.removesuffix(first)) != name}
    begins = tuple(sorted(at for at in begins if at and at[-1] in SEPARATORS))
    if len(begins) > MOST_WRAPPED:
        return {}
    outer = {n: t for n, t in tensors.items() if not n.startswith(begins)}
    inner = {at[:-1]: {n.removeprefix(at): t for n, t in tensors.items() if n.startswith(at)} for at in begins}
    return {at: some for at, some in {"": outer, **inner}.items() if fits(some)}


def named(stem: str, net: str = "") -> str:
    """Name of an automaton after its file's: letters, digits and dashes."""
    words = f"{stem} {net}" if not net or net.isdecimal() else net.rpartition("/")[2]
    return "-".join("".join(c if c.isalnum() else " " for c in words).split())[:LONGEST_NAME] or "imported"
