"""`planaria simulate`: a known automaton as numbered pictures, as a video, or in the terminal."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planaria.cli import parse
from planaria.cli.frames import frames as convert
from planaria.cli.run import unseen
from planaria.console import busy, pictures, printer
from planaria.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from planaria.data.simulate.base import Simulator

MOST_BYTES = 1_000_000_000
"""Memory that the frames of a video may take before they are enlarged."""


def simulate(
    what: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    start: Annotated[str | None, Parameter(name="--from")] = None,
    frames: int = 200,
    size: str | None = None,
    seed: int | None = None,
    skip: int | None = None,
    every: int | None = None,
    settings: Annotated[Sequence[str], Parameter(name="--set", negative=())] = (),
    fps: int = 30,
    scale: int | None = None,
) -> int:
    """Run a known automaton: Life and its relatives, Lenia, Gray-Scott.

    Interrupted on its way to a folder, the same command goes on after the frames that are there.

    Parameters
    ----------
    what
        NAME or NAME/PRESET of `planaria list simulators`: lenia, life/highlife, life/B36/S23, gray-scott/coral.
    output
        A folder for numbered PNGs; or a video: .gif, .webp, .mp4 (extra `video`), .png for a strip. Shown in the
        terminal if absent.
    start
        A pattern that life begins with: a .rle or .cells file.
    frames
        Number of frames.
    size
        Cells on a side, or ROWSxCOLUMNS.
    seed
        Random seed of the initial state: the same seed gives the same life.
    skip
        Frames that go by before the first one kept.
    every
        Keep each such frame.
    settings
        KEY=VALUE, any number of times: --set radius=18 --set mu=0.156.
    fps
        Frames a second of a video.
    scale
        Pixels to a cell of a video; by default it gets about 288 pixels.
    """
    from planaria.data.simulate import load, spelled

    if frames < 1 or fps < 1:
        raise UserError(f"a video needs --frames and --fps of at least 1, got {frames} and {fps}")
    sides = parse.size(size)
    words = {
        "size": sides and f"{sides[0]}x{sides[1]}", "seed": seed, "skip": skip, "every": every, "start": start,
    }  # fmt: skip
    typed = [f"{key}={value}" for key, value in words.items() if value is not None]
    spec = spelled(what.removeprefix("sim:"), [*settings, *typed])
    simulator = load(spec)
    console = printer()
    if output is not None and (not output.suffix or output.is_dir()):
        return convert(f"sim:{spec}", output, count=frames, fps=fps)
    if output is None:
        from planaria.view.half_blocks import HalfBlocks

        last = deque(_frames(simulator, frames, console), 1).pop()
        if pictures(console):
            console.print(HalfBlocks(last, console.width))
        else:
            line = unseen(console, f"{frames} frames", "simulate", what)
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return 0
    return _film(simulator, output, frames, fps, scale, console)


def _film(simulator: "Simulator", output: Path, frames: int, fps: int, scale: int | None, console: Console) -> int:
    """Write a video or a strip."""
    import numpy as np

    from planaria.export.movie import Film, check_suffix

    check_suffix(output)
    h, w = simulator.size
    if frames * h * w * 3 > MOST_BYTES:
        raise UserError(f"{frames} frames of {h}x{w} cells are too long a video; write a folder, then planaria frames")
    pictures = np.stack(list(_frames(simulator, frames, console)))
    own = simulator.settings
    steps = tuple(simulator.frame * (own.skip + k * own.every) for k in range(frames))
    with busy(console, f"writing {output.name}"):
        Film(pictures, steps, fps=fps).save(output, scale=scale)
    console.print(f"{output}: {frames} frames", markup=False, highlight=False, soft_wrap=True)
    return 0


def _frames(simulator: "Simulator", count: int, console: Console) -> "Iterator[np.ndarray]":
    """Frames as `(h, w, 3)` uint8, counted by a progress bar."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as progress:
        bar = progress.add_task(simulator.name, total=count)
        for frame in simulator.film(count):
            yield frame.mul(255).round().byte().expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
            progress.advance(bar)
