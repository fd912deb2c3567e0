"""Options of an animation, declared once for `planaria run` and `planaria export`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from planaria.cli import parse

if TYPE_CHECKING:
    from planaria.export import Options


@dataclass(frozen=True, kw_only=True)
class Filming:
    """Options of an animation, as typed."""

    frames: int | None = None
    """Whole frames of the animation, the first shows the start; by default 100 of a video model."""
    steps: int | None = None
    """Cell steps, instead of --frames; by default 200 (an export has 300), except for a video model."""
    fps_factor: int = 1
    """Pictures for each frame: 4 puts three between two frames, and shows four times as many a second."""
    size: str | None = None
    """Cells on a side, or ROWSxCOLUMNS; by default as it was trained, or as a photo to repaint (--from) has it."""
    seed: int = 0
    """Random seed of the cells that fire: the same seed gives the same life."""
    erase: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """DAMAGE@STEP, any number of times: left@150, centre(16)@200, circle(36,36,10)@100, noise(0.3)@50."""
    at: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """Place and time of an infection: ROW,COLUMN@STEP, ROW,COLUMN,RADIUS@STEP, middle@100, all@100, 10%@100."""
    every: int | None = None
    """Steps from frame to frame; by default those that a video model was trained with, else 2."""
    fps: int | None = None
    """Pictures a second; by default 20 for a video model, else 30, times --fps-factor."""
    scale: int | None = None
    """Pixels to a cell."""
    background: float = 1.0
    """Background behind transparent cells: 0 black to 1 white."""
    engine: str = "auto"
    """Engine to compute with, see `planaria list engines`."""

    def options(self, *, usual: bool, **more: Any) -> "Options":
        """The parsed options; with `usual`, damage and infection are the model's usual ones where none were typed.

        Raises `UserError` for invalid damage, an invalid place or size.
        """
        from planaria.export import Options

        erase, infect = parse.damage(self.erase), parse.sites(self.at)
        return Options(
            steps=self.steps, frames=self.frames, fps_factor=self.fps_factor, size=parse.size(self.size),
            seed=self.seed, erase=erase or (None if usual else {}), infect=infect or (None if usual else {}),
            every=self.every, fps=self.fps, scale=self.scale, background=self.background, engine=self.engine, **more,
        )  # fmt: skip
