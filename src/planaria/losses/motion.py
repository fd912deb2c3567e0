"""Motion: tests that frames between two whole ones lie between them, and measures of flicker and shimmer."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.errors import UserError

STILL = 1e-6
"""Root of the mean squared difference under which two whole frames count as the same, with nothing between them."""

WINDOW = 4
"""Cells on each side of a cell that are matched with the next frame, to find where it went."""
RELUCTANCE = 1e-4
"""Mean squared difference by which a match one cell farther must be better, so that noise and empty sky stand still."""
TIE = 1e-8
"""Mean squared difference by which a shift by one cell must be better than none."""
LOST = 0.06
"""Root of the mean squared difference above which a cell counts as lost: covered, uncovered, or cut."""
WHITE = 6.0
"""Mean square of the second difference in time of white noise of variance 1: 1 + 4 + 1."""

Pictures = Float[Tensor, "n v h w"]
"""Consecutive frames, in 0..1."""


@dataclass(frozen=True)
class Crossfade:
    """Positions of the frames between two whole frames, for each of `m` such intervals in `factor` parts.

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
        """Fraction of the intervals with any motion whose frames never step back; 1 where nothing moves."""
        moving = self.position[self.travelled > STILL]
        return float((moving.diff(dim=1) >= 0).all(1).float().mean()) if len(moving) else 1.0

    @property
    def stray(self) -> float:
        """Largest distance of a frame from its line, relative to the distance between its whole frames."""
        moving = self.travelled > STILL
        return float((self.off[moving] / self.travelled[moving, None]).max()) if bool(moving.any()) else 0.0


def crossfade(frames: Pictures, factor: int) -> Crossfade:
    """Positions of frames between the whole ones, which are frames 0, `factor`, `2 * factor`, ... of them.

    Frames after the last whole one are left out. Raises `UserError` for fewer than two whole frames.
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
    """Jump of the mean brightness at each frame but the first and last: its second difference in time.

    It is 0 for a film that evenly grows brighter or darker, and four times the amplitude for one that alternates
    between bright and dark. With frames between that don't flicker, it is smaller than that of the whole frames alone.
    """
    brightness = frames.flatten(1).mean(1)
    return (brightness[2:] - 2 * brightness[1:-1] + brightness[:-2]).abs()


@torch.no_grad()
def shimmer(frames: Pictures, film: Float[Tensor, "_ _ _ _"], *, reach: int = 4) -> Float[Tensor, " m"]:
    """Shimmer of `frames`, painted after those of `film`, beyond the film's own, at each frame but the first and last.

    Every cell of frame t of the film is searched in the frames before and after it, up to `reach` cells away, by
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
        raise UserError(f"painted frames of shape {tuple(frames.shape)} don't match a video of {tuple(film.shape)}")
    if n < 3 or min(h, w) <= 2 * rim:
        raise UserError(f"shimmer needs 3 frames of {2 * rim + 1} cells a side or more, not {n} of {h}x{w}")
    return torch.stack([_boil(frames[t - 1 : t + 2], film[t - 1 : t + 2], reach, rim) for t in range(1, n - 1)])


def _boil(frames: Tensor, film: Tensor, reach: int, rim: int) -> Tensor:
    """Value of `shimmer` at the middle one of three frames."""
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
    """Match of each inner cell of `here` `(k, h, w)` in `there`: indices `(m,)`, and a mask, True where found."""
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
    """Mean of each cell's window, of `(h, w)`; the rims, which have none, are cropped."""
    side = 2 * WINDOW + 1
    mean = torch.full((1, 1, side, 1), 1 / side, dtype=v.dtype, device=v.device)
    return F.conv2d(F.conv2d(v[None, None], mean), mean.mT)[0, 0]


def _inner(v: Tensor, rim: int) -> Tensor:
    return v[:, rim : v.shape[1] - rim, rim : v.shape[2] - rim]


def _along(v: Tensor, places: Tensor) -> Tensor:
    """Cells of `v` `(k, h, w)` at `places` `(m,)`: `(k, m)`."""
    return v.flatten(1)[:, places]


@torch.no_grad()
def velocity(frames: Pictures, *, reach: int = 4) -> tuple[float, float]:
    """Velocity of a film that moves as a whole: cells to the right and downwards, from frame to frame.

    The shift, up to `reach` cells either way, by which a frame is nearest to the next one, over all frames; between
    cells by a parabola. (0, 0) for a still film, and about that for one that moves in all directions alike. Raises
    `UserError` for fewer than two frames, or ones of no more than `2 * reach` cells a side.
    """
    n, _, h, w = frames.shape
    if n < 2 or min(h, w) <= 2 * reach:
        raise UserError(f"a velocity needs 2 frames of {2 * reach + 1} cells a side or more, not {n} of {h}x{w}")
    before, side = frames[:-1, :, reach : h - reach, reach : w - reach], 2 * reach + 1
    cost = torch.empty(side, side)
    for i in range(side):
        for j in range(side):
            after = frames[1:, :, i : i + h - 2 * reach, j : j + w - 2 * reach]
            cost[i, j] = (after - before).square().mean()
    away = (torch.arange(side) - reach).square()
    cost += TIE * (away[:, None] + away)  # along stripes all shifts are as good
    row, column = divmod(int(cost.argmin()), side)
    return _valley(cost[row], column) - reach, _valley(cost[:, column], row) - reach


def _valley(cost: Tensor, least: int) -> float:
    """Place of the minimum of a line of costs near its least one, by a parabola; at an end the least one itself."""
    if not 0 < least < len(cost) - 1:
        return float(least)
    low, middle, high = cost[least - 1 : least + 2].double().tolist()
    bend = low - 2 * middle + high
    return least + (0.5 * (low - high) / bend if bend > 0 else 0.0)
