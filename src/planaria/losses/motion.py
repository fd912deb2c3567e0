"""Motion: whether frames that should lie between two whole ones do, and whether a film flickers or shimmers."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.errors import UserError

STILL = 1e-6
"""Root of the mean squared difference under which two whole frames are the same, so that nothing lies between."""

WINDOW = 4
"""Cells around a cell that must look alike in the next frame for it to have gone there."""
RELUCTANCE = 1e-4
"""Mean squared difference that a cell farther must look better by, so that noise and empty sky stand still."""
LOST = 0.06
"""Root of the mean squared difference above which a cell was not found again: covered, or uncovered, or cut."""
WHITE = 6.0
"""Mean square of the second difference in time of white noise of variance 1: 1 + 4 + 1."""

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


@torch.no_grad()
def shimmer(frames: Pictures, film: Float[Tensor, "_ _ _ _"], *, reach: int = 4) -> Float[Tensor, " m"]:
    """How much `frames`, painted after the frames of `film`, boil where the film doesn't, at each but both ends.

    Every cell of frame t of the film is looked for in the frames before and after it, up to `reach` cells away, by
    the least squared difference of the 9 x 9 cells around it; cells that aren't found (they are covered, or there is a
    cut) don't count, nor do cells near the rim. Along these ways, the second difference in time is taken of the
    painted frames and of the film. The result is the root of the mean square of the former less that of the latter,
    over sqrt(6): independent noise of standard deviation s on each painted frame gives s, whether the film stands or
    moves; what follows the film's motion, or slowly changes, gives about 0, and noise of the film's own is taken off
    once. NaN where no cell is found. After the warping error of Lai et al., "Learning blind video temporal
    consistency", ECCV, 2018, with block matching for optical flow.

    `frames` `(n, v, h, w)` and `film` `(n, k, h, w)`, both in 0..1. Raises `UserError` for fewer than three frames,
    frames that don't match, or ones of no more than `2 * reach + 8` cells a side.
    """
    rim = reach + WINDOW
    n, _, h, w = frames.shape
    if len(film) != n or film.shape[2:] != frames.shape[2:]:
        raise UserError(f"painted frames of shape {tuple(frames.shape)} don't match a film of {tuple(film.shape)}")
    if n < 3 or min(h, w) <= 2 * rim:
        raise UserError(f"shimmer needs 3 frames of {2 * rim + 1} cells a side or more, not {n} of {h}x{w}")
    return torch.stack([_boil(frames[t - 1 : t + 2], film[t - 1 : t + 2], reach, rim) for t in range(1, n - 1)])


def _boil(frames: Tensor, film: Tensor, reach: int, rim: int) -> Tensor:
    """`shimmer` at the middle one of three frames."""
    ways = [_followed(film[1], film[k], reach, rim) for k in (0, 2)]
    found = ways[0][1] & ways[1][1]
    painted, shown = (
        sum(_along(v[k], way) for k, (way, _) in zip((0, 2), ways, strict=True)) - 2 * _inner(v[1], rim).flatten(1)
        for v in (frames, film)
    )
    if not bool(found.any()):
        return frames.new_tensor(float("nan"))
    excess = painted[:, found].square().mean() - shown[:, found].square().mean()
    return (excess.clamp(min=0) / WHITE).sqrt()


def _followed(here: Tensor, there: Tensor, reach: int, rim: int) -> tuple[Tensor, Tensor]:
    """Where each inner cell of `here` `(k, h, w)` went in `there`, as places `(m,)` of it, and whether it was found."""
    _, h, w = here.shape
    base = _inner(here, rim - WINDOW)
    inner = _inner(torch.arange(h * w, device=here.device).view(1, h, w), rim)[0]
    cost = least = torch.full(inner.shape, torch.inf, dtype=here.dtype, device=here.device)
    place = inner
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            moved = there[:, reach + i : h - reach + i, reach + j : w - reach + j]
            alike = _blurred((moved - base).square().mean(0))
            priced = alike + RELUCTANCE * (i * i + j * j) ** 0.5
            better = priced < cost
            cost = torch.where(better, priced, cost)
            least = torch.where(better, alike, least)
            place = torch.where(better, inner + i * w + j, place)
    return place.flatten(), (least < LOST**2).flatten()


def _blurred(v: Tensor) -> Tensor:
    """The mean of each cell's window, of `(h, w)`; the rims, which have none, are cut."""
    side = 2 * WINDOW + 1
    mean = torch.full((1, 1, side, 1), 1 / side, dtype=v.dtype, device=v.device)
    return F.conv2d(F.conv2d(v[None, None], mean), mean.mT)[0, 0]


def _inner(v: Tensor, rim: int) -> Tensor:
    return v[:, rim : v.shape[1] - rim, rim : v.shape[2] - rim]


def _along(v: Tensor, places: Tensor) -> Tensor:
    """The cells of `v` `(k, h, w)` at `places` `(m,)`: `(k, m)`."""
    return v.flatten(1)[:, places]
