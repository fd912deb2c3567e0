"""`planaria import`: an automaton that others have published, as a model file of ours."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from planaria.commands import command
from planaria.console import printer
from planaria.errors import UserError


def import_(
    theirs: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    origin: Annotated[str, Parameter(name="--from")] = "",
    kernel: str = "",
    net: str = "",
    name: str = "",
) -> int:
    """Read an automaton that others have published; from then on it is a model like any other.

    Nothing in the file is executed, whatever it is. Where it is from and its licence, as far as known, go into the
    model file; `planaria show` tells them.

    Parameters
    ----------
    theirs
        Weights as published: .pt and .pth of torch, .json and .bin of web pages.
    output
        The model file, .safetensors; by default the same name in this folder.
    origin
        Whose it is, where the file alone doesn't tell; `planaria list origins`.
    kernel
        Its filter, where that is neither in the file nor in its name: sobel, scharr, gaussian, laplacian, mean.
    net
        Which of the automata in it, by name or number, where it holds several.
    name
        What to call it; by default as its file.
    """
    from planaria import store
    from planaria.store import origins

    parts = [theirs.stem, *([origins.named("", net)] if net else [])]
    output = output or Path(f"{'-'.join(parts)}.safetensors")
    if output.suffix != ".safetensors":
        raise UserError(f"a model file ends in .safetensors, not {output.name[:80]!r}")
    try:
        if output.exists():
            raise UserError(f"{output} is there already; name another: -o FILE.safetensors")
    except OSError as e:
        raise UserError(
            f"can't write {str(output)[:80]!r}: {e.strerror or e}; name another: -o FILE.safetensors"
        ) from e
    made = origins.load(theirs, origin, kernel=kernel, net=net)
    card: dict[str, Any] = {**made.card, **({"name": name.encode(errors="replace").decode()} if name else {})}
    store.save(output, made.rule, made.layout, card)
    told = card["origin"]
    weights = sum(p.numel() for p in made.rule.parameters())
    line = f"{output}: {told['from']}, {made.rule.config.channels} channels, {weights:,} parameters ({told['read as']})"
    console = printer()
    for said in (line, f"licence: {told['licence']}", f"to see it live: {command('play', output)}"):
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    return 0
