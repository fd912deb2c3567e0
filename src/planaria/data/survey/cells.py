"""What the cells of a film do over time: which move, which never do, how noisy they are, which frames are repeated."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

Frames = Float[Tensor, "n v h w"]

CHANGED = 0.02
"""Least difference of a value in 0..1 by which a cell counts as changed."""
STILLEST = 0.1
"""Share of the cells, those that change least, in which noise is measured."""
WHITE = 0.9
"""Least ratio of second differences to first ones, both scaled to white noise: what moves smoothly has less."""
REPEATED = 0.1
"""Largest difference of a frame from the one before, as a share of the usual one, if it repeats that."""
RARE, ALWAYS = 0.15, 0.95
"""Share of repeated frames between which a film counts as one that repeats frames."""
CADENCE = 4
"""Least number of new frames in a cadence, and `UNEVEN` the largest difference between their distances."""
UNEVEN = 1
LOGO_AROUND = 0.7
"""Least share of all cells that change, if one that doesn't is an overlay."""
LOGO_STILL = 6 / 255
"""Largest range over time of a value of an overlay."""
LOGO_APART = 0.12
"""Least difference of an overlay from the mean of what moves around it, in 0..1."""
LOGO_LEAST, LOGO_MOST = 6, 0.15
"""Fewest cells of an overlay, and the largest share of the frame."""
LOGO_FULL = 0.25
"""Least share of the box around an overlay that is overlay."""
PARTS = 2
"""Halves of the height, the width and the time in which a moving texture is alike."""
ALIKE = 0.35
"""Largest relative spread of its statistics between these parts."""
EVERYWHERE = 0.6
"""Least share of cells that change from frame to frame in a moving texture."""


@dataclass(frozen=True)
class Box:
    """Rows and columns of a part of the frame."""

    top: int
    left: int
    height: int
    width: int


def noise(shots: list[Tensor]) -> float:
    """Standard deviation of what flickers in still places, in 0..1; 0 where that isn't white in time."""
    first, second = [], []
    for shot in shots:
        if len(shot) < 3:
            continue
        first.append((shot[1:] - shot[:-1]).square().mean(1).mean(0) / 2)
        second.append((shot[2:] - 2 * shot[1:-1] + shot[:-2]).square().mean(1).mean(0) / 6)
    if not first:
        return 0.0
    one, two = torch.stack(first).mean(0).flatten(), torch.stack(second).mean(0).flatten()
    stillest = one.argsort()[: max(1, int(STILLEST * len(one)))]
    a, b = float(one[stillest].mean().sqrt()), float(two[stillest].mean().sqrt())
    return b if a and b / a >= WHITE else 0.0


def moving(shots: list[Tensor], sigma: float) -> float:
    """Mean share of cells that change from a frame to the next, beyond noise of standard deviation `sigma`."""
    least = max(CHANGED, 5 * sigma)
    shares = [((shot[1:] - shot[:-1]).abs().amax(1) > least).float().mean((1, 2)) for shot in shots if len(shot) > 1]
    return float(torch.cat(shares).mean()) if shares else 0.0


def ever(shots: list[Tensor], sigma: float) -> Bool[Tensor, "h w"]:
    """Cells that change at all within a shot."""
    least = max(2 * CHANGED, 8 * sigma)
    return torch.stack([(shot.amax(0) - shot.amin(0)).amax(0) > least for shot in shots]).any(0)


def box(cells: Bool[Tensor, "h w"]) -> Box | None:
    """Smallest box around the cells that are True; None where none is."""
    rows, columns = cells.any(1).nonzero()[:, 0].tolist(), cells.any(0).nonzero()[:, 0].tolist()
    if not rows:
        return None
    return Box(rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)


def overlay(shots: list[Tensor], sigma: float) -> Box | None:
    """Box around the largest thing that never changes while everything around it does: a logo; None without one."""
    still = torch.stack([(shot.amax(0) - shot.amin(0)).amax(0) for shot in shots]).amax(0) <= LOGO_STILL + 4 * sigma
    h, w = still.shape
    if float(still.float().mean()) > 1 - LOGO_AROUND:
        return None
    mean = torch.stack([shot.mean(0) for shot in shots]).mean(0)
    moves = (~still).float()[None]
    side = min(9, (min(h, w) - 1) // 2 * 2 + 1)
    pooled = F.avg_pool2d(torch.cat([mean * moves, moves]), side, 1, side // 2)
    around = pooled[:-1] / pooled[-1:].clamp(min=1e-3)
    apart = still & ((mean - around).abs().amax(0) > LOGO_APART) & (pooled[-1] > 0.1)
    found = _largest(apart)
    area = int(apart.sum()) if found is None else found.height * found.width
    if found is None or area > LOGO_MOST * h * w:
        return None
    within = apart[found.top : found.top + found.height, found.left : found.left + found.width]
    return found if int(within.sum()) >= max(LOGO_LEAST, LOGO_FULL * area) else None


def _largest(cells: Bool[Tensor, "h w"]) -> Box | None:
    """Box of the largest group of cells, which may be a cell apart, as letters are."""
    joined = F.max_pool2d(cells.float()[None], 3, 1, 1)[0] > 0
    h, w = cells.shape
    names = torch.where(joined, torch.arange(1, h * w + 1).view(h, w), 0)
    while True:
        spread = F.max_pool2d(names.double()[None], 3, 1, 1)[0].long()
        spread = torch.where(joined, spread, 0)
        if torch.equal(spread, names):
            break
        names = spread
    counts = torch.bincount(names[cells].flatten(), minlength=1)
    return box(cells & (names == int(counts.argmax()))) if len(counts) > 1 else None


@dataclass(frozen=True)
class Repeats:
    """Frames that repeat the one before."""

    share: float
    """Share of all frames."""
    every: int
    """Distance of new frames where it is always the same; 0 where it changes."""


def repeats(shots: list[Tensor]) -> Repeats | None:
    """Repeated frames in a cadence, as of a film shown at another rate; None where there is none."""
    same, gaps = [], []
    for shot in shots:
        if len(shot) < 2:
            continue
        change = (shot[1:] - shot[:-1]).abs().flatten(1).mean(1)
        usual = float(change.sort(descending=True).values[: max(1, len(change) // 10)].median())
        again = change <= REPEATED * usual
        same.append(again)
        new = (~again).nonzero()[:, 0]
        gaps.append(new[1:] - new[:-1])
    if not same:
        return None
    share, apart = float(torch.cat(same).float().mean()), torch.cat(gaps)
    if not RARE <= share <= ALWAYS or len(apart) < CADENCE:
        return None
    if int(apart.max() - apart.min()) > UNEVEN or int(apart.max()) < 2:
        return None
    return Repeats(share, int(apart[0]) if int(apart.max()) == int(apart.min()) else 0)


def textured(shots: list[Tensor], sigma: float) -> bool:
    """True if the film looks like a moving texture: everything moves, and it looks alike everywhere and all along."""
    film = torch.cat(shots)
    n, _, h, w = film.shape
    if n < 8 or min(h, w) < 16 or moving(shots, sigma) < EVERYWHERE:
        return False
    found = []
    for t in film.chunk(PARTS):
        for rows in t.chunk(PARTS, 2):
            found += [_statistics(part) for part in rows.chunk(PARTS, 3)]
    parts = torch.stack(found)
    usual = parts.mean(0)
    return bool((parts.std(0) <= ALIKE * usual.clamp(min=1e-6)).all())


def _statistics(part: Frames) -> Float[Tensor, " s"]:
    """Spread of the values, steepness and change over time of a part of a film."""
    steep = (part[..., 1:] - part[..., :-1]).abs().mean() + (part[..., 1:, :] - part[..., :-1, :]).abs().mean()
    return torch.stack([part.std(), steep, (part[1:] - part[:-1]).abs().mean()])
