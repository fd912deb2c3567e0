"""Options of an animation as they are typed, for `planaria run` and `planaria export`."""

from dataclasses import dataclass, fields
from typing import Annotated, Any

from cyclopts import Parameter

from planaria.cli import parse
from planaria.export import Filming, Options


@dataclass(frozen=True, kw_only=True)
class Typed(Filming):
    """Options of an animation, as typed."""

    size: str | None = None
    """Cells on a side, or ROWSxCOLUMNS; by default as it was trained, or as a photo to repaint (--from) has it."""
    start: Annotated[str | None, Parameter(name="--from")] = None
    """Initial state: seed, random, a picture; of a video model also frames or a film, or first, the first frames of the
    video that it learned; of sim:life a pattern (.rle)."""
    erase: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """DAMAGE@STEP, any number of times: left@150, centre(16)@200, circle(36,36,10)@100, noise(0.3)@50."""
    at: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """Place and time of an infection: ROW,COLUMN@STEP, ROW,COLUMN,RADIUS@STEP, middle@100, all@100, 10%@100."""

    def __post_init__(self) -> None:
        self.check("--")

    def options(self, *, usual: bool, **more: Any) -> Options:
        """The parsed options; with `usual`, damage and infection are the model's usual ones where none were typed.

        Raises `UserError` for invalid damage, an invalid place or size.
        """
        erase, infect = parse.damage(self.erase), parse.sites(self.at)
        alike = {field.name: getattr(self, field.name) for field in fields(Filming)}
        return Options(
            **alike, size=parse.size(self.size), start=self.start, erase=erase or (None if usual else {}),
            infect=infect or (None if usual else {}), **more,
        )  # fmt: skip
