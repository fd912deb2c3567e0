"""Shifts of blocks from frame to frame: how fast a film's things move, and whether its camera does."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Frames = Float[Tensor, "n v h w"]
"""Consecutive frames, in 0..1."""

REACH = 8
"""Farthest shift that is sought, in cells along each side."""
BLOCK, SMALL_BLOCK = 8, 4
"""Side of a block, in cells; the small one for grids of less than `SMALL` cells a side."""
SMALL = 24
RELUCTANCE = 1e-5
"""Mean squared difference by which a match one cell farther must be better."""
STILL = 0.02
"""Root of the mean squared difference below which a block counts as still."""
FOUND = 0.5
"""Share of a block's difference that its best match leaves at most, if the block counts as found."""
LOST, UNLIKE = 0.06, 0.5
"""Root of the mean squared difference above which the best match of a block is none; and the same as a share of the
block's own standard deviation, whichever is more."""
PAIRS = 24
"""Pairs of frames that are compared."""
SLOW, BRISK = 1.5, 3.5
"""Speeds, in cells a frame, up to which frames 4 and 2 apart are compared, for fractions of a cell."""
KNOWN = 0.25
"""Least share of moving blocks that are found, if their speed is known."""
TEXTURED = 0.03
"""Standard deviation within a block that can be followed when the whole picture moves."""
WIDE = 0.4
"""Least share of blocks that have texture, if the picture's motion as a whole is judged."""
TOGETHER = 0.7
"""Least share of textured blocks that move as one, if the whole picture moves."""
WITHIN = 1.0
"""Distance in cells from the common motion up to which a block moves with the others."""
OFTEN = 0.25
"""Least share of pairs in which the whole picture moves, if that is said."""
UNSTEADY = 0.3
"""Standard deviation of the whole picture's velocity, in cells a frame, above which it isn't a steady drift."""
ZOOM = 0.004
"""Growth of the picture a frame that counts as a zoom."""


@dataclass(frozen=True)
class Shifts:
    """Best shifts of blocks between pairs of frames, all `(pairs, rows, columns)`."""

    down: Tensor
    """Shift in cells."""
    right: Tensor
    before: Tensor
    """Mean squared difference without a shift."""
    after: Tensor
    """The same with the best shift."""
    texture: Tensor
    """Standard deviation within the block."""

    @property
    def found(self) -> Tensor:
        """True where a block moved and was found again."""
        least = (UNLIKE * self.texture).clamp(min=LOST)
        return self.moving & (self.after < FOUND * self.before) & (self.after < least.square())

    @property
    def moving(self) -> Tensor:
        """True where a block changed."""
        return self.before > STILL**2


def shifts(here: Frames, there: Frames, reach: int = REACH) -> Shifts:
    """Best shifts of the blocks of each frame of `here` in the frame of the same number of `there`."""
    h, w = here.shape[-2:]
    side = BLOCK if min(h, w) >= SMALL else min(SMALL_BLOCK, h, w)
    stride = max(1, side // 2)
    beyond = F.pad(there, (reach, reach, reach, reach), value=9.0)  # unlike anything: no match outside
    cost = after = before = torch.empty(0)
    down = right = torch.empty(0)
    near = sorted(
        ((i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)),
        key=lambda d: d[0] ** 2 + d[1] ** 2,
    )
    for i, j in near:
        moved = beyond[..., reach + i : reach + i + h, reach + j : reach + j + w]
        unlike = F.avg_pool2d((moved - here).square().mean(1, keepdim=True), side, stride)[:, 0]
        price = unlike + RELUCTANCE * (i * i + j * j) ** 0.5
        if not len(cost):
            cost, after, before = price, unlike, unlike
            down, right = torch.zeros_like(cost), torch.zeros_like(cost)
            continue
        better = price < cost
        cost, after = torch.where(better, price, cost), torch.where(better, unlike, after)
        down, right = down.masked_fill(better, i), right.masked_fill(better, j)
    mean, square = F.avg_pool2d(here, side, stride), F.avg_pool2d(here.square(), side, stride)
    texture = (square - mean.square()).clamp(min=0).mean(1).sqrt()
    return Shifts(down, right, before, after, texture)


@dataclass(frozen=True)
class Motion:
    """How things move; lengths in cells of the frames it was measured on."""

    median: float
    """Median speed of moving blocks, in cells a frame; 0 where none moves, or none is found again."""
    fast: float
    """Speed that 95 % of them don't exceed."""
    known: bool
    """True if enough of the moving blocks are found again."""
    whole: tuple[float, float] | None
    """Velocity of the whole picture, down and to the right in cells a frame; None where it doesn't move as one."""
    steady: bool
    """True if that is the same all along."""
    zoom: float
    """Growth of the picture a frame; 0 where it doesn't grow."""


def motion(shots: list[Tensor]) -> Motion:
    """How things move in `shots`, each without a cut."""
    first = _pairs(shots, 1)
    if not len(first[0]):
        return Motion(0.0, 0.0, False, None, True, 0.0)
    found, apart = shifts(*first), 1
    fast = _speeds(found, 1)[1]
    farther = 4 if fast <= SLOW else 2 if fast <= BRISK else 1
    pairs = _pairs(shots, farther)
    if farther > 1 and len(pairs[0]):
        wider = shifts(*pairs)
        if _known(wider) or not _known(found):
            found, apart = wider, farther
    median, fast = _speeds(found, apart) if _known(found) else (0.0, 0.0)
    whole, steady, zoom = _together(found, apart)
    return Motion(median, fast, _known(found), whole, steady, zoom)


def _known(found: Shifts) -> bool:
    """True if enough of the blocks that moved are found again."""
    moving = int(found.moving.sum())
    return moving > 0 and int(found.found.sum()) >= KNOWN * moving


def _pairs(shots: list[Tensor], apart: int) -> tuple[Tensor, Tensor]:
    """Pairs of frames `apart` frames apart, spread evenly."""
    places = [(k, i) for k, shot in enumerate(shots) for i in range(len(shot) - apart)]
    places = places[:: max(1, len(places) // PAIRS)][:PAIRS]
    if not places:
        return torch.empty(0), torch.empty(0)
    return torch.stack([shots[k][i] for k, i in places]), torch.stack([shots[k][i + apart] for k, i in places])


def _speeds(found: Shifts, apart: int) -> tuple[float, float]:
    """Median and 95th percentile of the speed of blocks that were found again, in cells a frame."""
    speed = (found.down.square() + found.right.square()).sqrt()[found.found] / apart
    return (float(speed.median()), float(speed.quantile(0.95))) if len(speed) else (0.0, 0.0)


def _together(found: Shifts, apart: int) -> tuple[tuple[float, float] | None, bool, float]:
    """Velocity of the picture as a whole, whether it is steady, and its growth a frame."""
    _, rows, columns = found.down.shape
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    moves, grows = [], []
    for k in range(len(found.down)):
        textured = found.texture[k] > TEXTURED
        if textured.float().mean() < WIDE or found.found[k][textured].float().mean() < KNOWN:
            continue
        textured = textured & (found.found[k] | ~found.moving[k])
        down, right = found.down[k][textured], found.right[k][textured]
        there = torch.stack([y[textured], x[textured]], 1)
        way = torch.stack([down, right], 1)
        middle = way.median(0).values
        slope = _slope(way, there)
        for growth in (0.0, slope):
            scaled = growth * there * there.new_tensor([rows, columns]) / max(rows, columns)
            centre = (way - scaled).median(0).values if growth else middle
            alike = ((way - scaled - centre).norm(dim=1) <= WITHIN).float().mean()
            if alike >= TOGETHER and (float(centre.norm()) >= 1 or abs(growth) >= 1):
                side = max(rows, columns) * (BLOCK // 2)
                moves.append((centre / apart).tolist())
                grows.append(2 * growth / side / apart)
                break
    if len(moves) < max(1, OFTEN * len(found.down)):
        return None, True, 0.0
    ways = torch.tensor(moves)
    zoom = float(torch.tensor(grows).median())
    steady = len(ways) < 2 or bool((ways.std(0) < UNSTEADY).all())
    down, right = ways.median(0).values.tolist()
    return (down, right), steady, zoom if abs(zoom) >= ZOOM else 0.0


def _slope(way: Tensor, there: Tensor) -> float:
    """How much farther blocks at the rim move outwards than those in the middle, in cells."""
    centred, placed = way - way.mean(0), there - there.mean(0)
    power = float(placed.square().sum())
    return float((centred * placed).sum()) / power if power else 0.0
