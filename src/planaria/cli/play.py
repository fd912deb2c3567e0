"""`planaria play`: an interactive model, in a window or in the terminal."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from planaria.cli import parse
from planaria.console import busy, printer
from planaria.errors import UserError

if TYPE_CHECKING:
    from planaria.view.play.player import Player
    from planaria.view.play.window import Pace


def play(
    model: str,
    /,
    *,
    size: str | None = None,
    seed: int | None = None,
    speed: float | None = None,
    start: Annotated[str | None, Parameter(name="--from")] = None,
    infect: str | None = None,
    background: float = 1.0,
    record: Path | None = None,
    engine: str = "auto",
    terminal: bool = False,
    bench: float | None = None,
) -> int:
    """Play with a model: paint, erase, plant, and watch it heal. H shows the keys.

    Parameters
    ----------
    model
        A model file, a run folder (while it trains, too), one of the gallery, or sim:NAME (planaria list simulators).
    size
        Cells on a side, or ROWSxCOLUMNS; by default as it was trained, but a photo that is repainted (--from) gives the
        grid its shape.
    seed
        Random seed of the cells that fire: the same seed gives the same life.
    speed
        Steps a second, 60 by default; frames of a video model, 20.
    start
        Initial state: a picture, seed, random, a state saved by the key S; for a video model, frames or a video too, or
        first, the first frames of the video that it learned; for sim:life a pattern (.rle, .cells).
    infect
        A model whose rule spreads through this one's body from where you click, as `planaria run --infect` has it.
    background
        Background behind transparent cells: 0 black to 1 white.
    record
        File for the animation that the key R records: .webp, .gif, .mp4 (extra `video`), or .png for a strip.
    engine
        Engine to compute with, see `planaria list engines`.
    terminal
        Play in the terminal instead of a window.
    bench
        Measure the window for so many seconds, one step a frame, and say what it costs.
    """
    grid = parse.size(size)
    if bench is not None and (terminal or not 0 < bench <= 3600):
        raise UserError("--bench measures the window, for up to 3600 seconds")

    def sit() -> "Player":
        with busy(printer(), f"loading {Path(model).name}"):
            import torch

            from planaria.view.play.open import open_play

            torch.set_num_threads(1)  # one world is stepped on one; a second would only wait beside a busy machine
            return open_play(
                model, size=grid, seed=seed, start=start, infect=infect, engine=engine, speed=speed,
                background=background, record=record,
            )  # fmt: skip

    if terminal:
        _in_terminal(sit)
    else:
        _in_window(sit, bench)
    return 0


def _in_terminal(sit: "Callable[[], Player]") -> None:
    from planaria.view.play.terminal import Terminal, check_terminal

    check_terminal()
    sitting = sit()
    try:
        with Terminal(sitting) as screen:
            screen.run()
    finally:
        _close(sitting)


def _in_window(sit: "Callable[[], Player]", bench: float | None) -> None:
    from planaria.view.play.window import Window, check_screen

    sitting = sit()  # what is wrong with the model is said first: no screen would cure it
    try:
        check_screen()
        with Window(sitting) as window:
            if bench is None:
                window.run()
            else:
                _report(window.measure(bench), sitting.world.size)
    finally:
        _close(sitting)


def _close(sitting: "Player") -> None:
    """Close the player; wait for an animation that is being written."""
    waits = busy(printer(), "writing what was recorded") if sitting.recorder.busy else contextlib.nullcontext()
    with waits:
        sitting.close()


def _report(pace: "Pace", size: tuple[int, int]) -> None:
    """Print the cost of the window, in two lines."""
    console = printer()
    for line in (
        f"{size[0]}x{size[1]} cells, one step a frame: {pace.fps:.0f} frames a second over {pace.seconds:.1f} s",
        f"a frame: step {pace.live:.2f} ms, picture {pace.see:.2f} ms, window {pace.draw:.2f} ms; "
        f"19 of 20 frames within {pace.slow:.1f} ms",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
