"""`planaria export`: a model as a page, a graph, a film or a strip."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from planaria.cli import parse
from planaria.commands import command
from planaria.console import busy, printer
from planaria.errors import UserError


def export(
    model: Path,
    /,
    *outputs: Path,
    output: Annotated[tuple[Path, ...], Parameter(alias="-o", negative=())] = (),
    steps: int | None = None,
    frames: int | None = None,
    fps_factor: int = 1,
    size: str | None = None,
    seed: int = 0,
    erase: Annotated[Sequence[str], Parameter(negative=())] = (),
    at: Annotated[Sequence[str], Parameter(negative=())] = (),
    intact: Annotated[bool, Parameter(negative=())] = False,
    every: int | None = None,
    fps: int | None = None,
    scale: int | None = None,
    background: float = 1.0,
    engine: str = "auto",
    name: str = "",
    title: str = "",
) -> int:
    """Write a model as something that others can open: a page, a graph, a film, a strip.

    A film of a model that was trained to heal shows it: its left half is cut off at step 160; of one that holds an
    infection, that begins in the middle at step 100.

    Parameters
    ----------
    model
        A model file, a run folder or a model of the gallery.
    outputs
        Where it goes, any number of files: .html is one page that runs the model, .onnx one step as a graph
        (extra `onnx`), .gif, .webp, .mp4 (extra `video`) a film, .png a strip.
    output
        The same, as other commands have it: -o page.html.
    steps
        Cell steps of a film; by default 300, but for a video model.
    frames
        Whole frames of a film, instead of --steps; by default 100 of a video model.
    fps_factor
        Pictures for each frame: 4 puts three between two frames, and shows four times as many a second.
    size
        Cells on a side, or ROWSxCOLUMNS; by default as it was trained.
    seed
        Which cells fire: the same seed, the same life.
    erase
        WOUND@STEP, any number of times: left@150, centre(16)@200, circle(36,36,10)@100, noise(0.3)@50.
    at
        Where and when cells of a model that holds an infection are infected: 20,20@100, middle@100, all@100, 10%@100.
    intact
        Film it without a wound or an infection.
    every
        Steps from frame to frame; by default those that a video model was taught, else 2.
    fps
        Pictures a second; by default 20 for a video model, else 30, times --fps-factor.
    scale
        Pixels to a cell.
    background
        Behind transparent cells: 0 black to 1 white.
    engine
        `planaria list engines` tells.
    name
        What a page and a graph call the model.
    title
        Title of a page.
    """
    from planaria.export import Options, suffixes, write, writer

    outputs = (*outputs, *output)
    if not outputs:
        said = command("export", Path(model), "FILE")
        raise UserError(f"say where it goes: {said}, where FILE ends in {', '.join(suffixes())}")
    if intact and (erase or at):
        raise UserError(f"--intact and {'--erase' if erase else '--at'} contradict each other")
    options = Options(
        steps=steps, frames=frames, fps_factor=fps_factor, size=parse.size(size), seed=seed,
        erase=parse.wounds(erase) if erase or intact else None,
        infect=parse.outbreaks(at) if at or intact else None, every=every, fps=fps, scale=scale,
        background=background, engine=engine, name=name, title=title,
    )  # fmt: skip
    for wanted in outputs:
        writer(wanted)
    console = printer()
    for wanted in outputs:
        with busy(console, f"writing {wanted.name}"):
            path = write(model, wanted, options)
        console.print(f"{path}: {_bytes(path.stat().st_size)}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _bytes(n: int) -> str:
    """A file's size as people say it."""
    return f"{n:,} bytes" if n < 1000 else f"{n / 1000:,.0f} KB" if n < 1_000_000 else f"{n / 1e6:,.1f} MB"
