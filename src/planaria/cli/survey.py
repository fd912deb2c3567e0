"""`planaria survey`: what a film is like, before a training on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.table import Table

from planaria.commands import command
from planaria.console import busy, printer

if TYPE_CHECKING:
    from planaria.data.survey import Survey


def survey(
    source: str,
    /,
    *,
    size: int = 0,
    every: int = 1,
    crop: str = "none",
    count: int = 0,
    colour: Literal["auto", "rgb", "grey"] = "auto",
) -> int:
    """Look at a video before training on it: cuts, bars, logos, camera, noise, speed, how far it is predictable.

    Each line says what was found, and the setting of `planaria train film` that cures it.

    Parameters
    ----------
    source
        A video, an animated picture, a folder of pictures or of several videos, or sim:NAME.
    size
        Cells on the longer side in training; 0 is what the recipe film takes.
    every
        Look at each such frame.
    crop
        none, square (the middle), auto (without bars), or X,Y,WIDTH,HEIGHT in pixels of the source.
    count
        Frames at most; 0 is all.
    colour
        auto is grey where the source is grey.
    """
    from planaria.data import survey as surveys
    from planaria.data.clips import SIMULATED

    console = printer()
    with busy(console, f"looking at {source}"):
        found = surveys.survey(
            source, size=size, every=every, crop=crop, count=count, colour=colour, largest=surveys.USUAL
        )
    for film in found:
        table = Table(box=None, show_header=False, pad_edge=False, title=surveys.named(film.name), title_justify="left")
        for name, value in _rows(film):
            table.add_row(name, value)
        console.print(table, markup=False)
        for finding in film.findings:
            console.print(f"- {finding.text}", markup=False, highlight=False, soft_wrap=True)
    if not source.startswith(SIMULATED):
        source = str(Path(source))
    said = command("train", "film", f"frames={source}")
    console.print(f"train it: {said}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _rows(film: "Survey") -> list[tuple[str, str]]:
    from planaria.data.survey import steps_for

    h, w = film.size
    ahead = "as far as it goes" if film.predictable >= film.looked else f"{film.predictable} frames ahead, or more"
    speed = (
        f"{film.speed:.1f} cells a frame, 95 % up to {film.fast:.1f}" if film.speed else "nothing that can be followed"
    )
    return [
        ("frames", f"{film.count}, {film.fps:g} a second"),
        ("cells", f"{w}x{h}, {'grey' if film.grey else 'colour'}"),
        ("scenes", str(len(film.scenes))),
        ("moving", f"{100 * film.moving:.0f} % of the cells from frame to frame"),
        ("speed", speed),
        ("cell steps", f"{steps_for(film.fast)} a frame"),
        ("noise", f"{film.noise:.3f}"),
        ("predictable", f"{ahead} ({film.looked} were looked at)"),
    ]
