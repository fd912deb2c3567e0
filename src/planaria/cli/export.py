"""`planaria export`: a model as a page, a graph, an animation or a strip."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from planaria.cli.filming import Typed
from planaria.commands import command
from planaria.console import busy, file_size, printer
from planaria.errors import UserError

FILMING = Typed()


def export(
    model: Path,
    /,
    *outputs: Path,
    output: Annotated[tuple[Path, ...], Parameter(alias="-o", negative=())] = (),
    intact: Annotated[bool, Parameter(negative=())] = False,
    film: Annotated[Typed, Parameter(name="*")] = FILMING,
    name: str = "",
    title: str = "",
    learn: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Write a model as something that others can open: a page, a graph, an animation, a strip.

    The animation of a model that was trained to heal shows that: its left half is cut off at step 160; of one with an
    infection, that begins in the middle at step 100.

    Parameters
    ----------
    model
        A model file, a run folder or a model of the gallery.
    outputs
        Output files, any number: .html is one page that runs the model, .onnx one step as a graph
        (extra `onnx`), .gif, .webp, .mp4 (extra `video`) an animation, .png a strip.
    output
        The same, as other commands have it: -o page.html.
    intact
        Animate it without damage or infection.
    name
        Name of the model in a page and a graph.
    title
        Title of a page.
    learn
        Write the page as the playground: the model can be trained on in it.
    """
    from planaria.export import suffixes, write, writer

    outputs = (*outputs, *output)
    if not outputs:
        said = command("export", Path(model), "FILE")
        raise UserError(f"say where it goes: {said}, where FILE ends in {', '.join(suffixes())}")
    if intact and (film.erase or film.at):
        raise UserError(f"--intact and {'--erase' if film.erase else '--at'} contradict each other")
    options = film.options(usual=not intact, name=name, title=title, learn=learn)
    for wanted in outputs:
        writer(wanted)
    console = printer()
    for wanted in outputs:
        with busy(console, f"writing {wanted.name}"):
            path = write(model, wanted, options)
        console.print(f"{path}: {file_size(path.stat().st_size)}", markup=False, highlight=False, soft_wrap=True)
    return 0
