"""Motion: whether frames that should lie between two whole ones do, and whether a film flickers."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from planaria.errors import UserError

STILL = 1e-6
"""Root of the mean squared difference under which two whole frames are the same, so that nothing lies between."""

Pictures = Float[Tensor, "n v h w"]
"""Consecutive frames, in 0..1."""


@dataclass(frozen=True)
class Crossfade:
    """Where the frames between two whole frames lie, for each of `m` such intervals in `factor` parts.

    `position` `(m, factor + 1)` is the place on the straight line from the whole frame before (0) to the one after (1):
    `<x_s - x_0, x_1 - x_0> / |x_1 - x_0|^2`; NaN where the two are the same. `off` `(m, factor + 1)` is the distance
    from that line, as the root of the mean squared difference over all pixels, and `travelled` `(m,)` that of the two
    whole frames.
    """

    position: Float[Tensor, "m s"]
    off: Float[Tensor, "m s"]
    travelled: Float[Tensor, " m"]

    @property
    def monotone(self) -> float:
        """Share of the intervals, of those in which anything moves, whose frames never step back; 1 where none does."""
        moving = self.position[self.travelled > STILL]
        return float((moving.diff(dim=1) >= 0).all(1).float().mean()) if len(moving) else 1.0

    @property
    def stray(self) -> float:
        """The farthest from the line that any frame between lies, in lengths of the way between its whole frames."""
        moving = self.travelled > STILL
        return float((self.off[moving] / self.travelled[moving, None]).max()) if bool(moving.any()) else 0.0


def crossfade(frames: Pictures, factor: int) -> Crossfade:
    """Where frames lie between the whole ones, which are frames 0, `factor`, `2 * factor`, ... of them.

    What follows the last whole frame is left out. Raises `UserError` for fewer than two whole frames.
    """
    count = (len(frames) - 1) // factor if factor >= 1 else 0
    if count < 1:
        raise UserError(f"{len(frames)} frames hold no two whole ones, {factor} apart")
    whole = frames[: count * factor + 1 : factor].flatten(1)
    between = frames[: count * factor + 1].flatten(1).unfold(0, factor + 1, factor).transpose(1, 2)  # (m, s, pixels)
    way = (whole[1:] - whole[:-1])[:, None]
    gone = between - whole[:-1, None]
    length = way.square().sum(2)
    position = (gone * way).sum(2) / length
    off = (gone - position.nan_to_num(0.0, 0.0, 0.0)[:, :, None] * way).square().mean(2).sqrt()
    return Crossfade(position, off, way.square().mean(2).sqrt()[:, 0])


def flicker(frames: Pictures) -> Float[Tensor, " m"]:
    """How much the mean brightness jumps at each frame but the first and last: its second difference in time.

    A film that evenly grows brighter or darker has none; one that is bright and dark in turns has four times the
    amplitude. With frames between frames that flicker not, it is smaller than that of the whole frames alone.
    """
    brightness = frames.flatten(1).mean(1)
    return (brightness[2:] - 2 * brightness[1:-1] + brightness[:-2]).abs()
