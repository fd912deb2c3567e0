"""Drift: where what a frame of a film shows was in the frame before, so that cells can go along with it."""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

COARSEST = 48
"""Pixels that the shorter side of the coarsest level has at least; each level is half as fine as the one before."""
REACH, REFINED = 4, 1
"""Pixels that the search goes in each direction on the coarsest level, and on all others."""
WINDOW = 4
"""Pixels around a pixel that must look alike."""
RELUCTANCE = 1e-4
"""Mean squared difference that a place must look better by for each pixel that it is farther from the expected one."""
COMMON = 4e-4
"""Mean squared difference that the whole frame's drift is favoured by: so a standing camera's noise moves nothing, and an
empty sky goes with the land below it."""
COVERED = 0.01
"""Squared difference that counts as no more than this for the whole frame's drift: what moves otherwise outvotes none."""


@final
class Drift:
    """Tells the drift from frame to frame of a film, frame after frame."""

    def __init__(self) -> None:
        self._last: list[Tensor] | None = None

    @torch.no_grad()
    def into(self, frame: Tensor) -> Tensor | None:
        """Where each pixel of `frame` `(v, h, w)`, uint8 or in 0..1, was in the frame before: `(2, h, w)` or None.

        Rows and columns, whole ones, on the grid. None where nothing moves, for the first frame, and where the size
        changes. Blocks of 9 x 9 pixels are matched, coarse to fine, after Bergen et al., "Hierarchical model-based
        motion estimation", ECCV, 1992; 0.4 s for two million pixels on two cores.
        """
        levels = pyramid(frame.float() / 255 if frame.dtype == torch.uint8 else frame.float())
        before, self._last = self._last, levels
        if before is None or before[0].shape != levels[0].shape:
            return None
        common = torch.zeros(2, 1, 1, dtype=torch.long, device=frame.device)
        way = common.expand(2, *levels[-1].shape[1:])
        for here, there in zip(reversed(levels), reversed(before), strict=True):
            reach = REACH if here is levels[-1] else REFINED
            if here is not levels[-1]:
                common, way = 2 * common, _finer(way, here.shape[1:])
            common = _common(here, there, common, reach)
            way = _matched(here, there, way, common, reach)
        return _places(way) if bool(way.any()) else None


def pyramid(frame: Tensor) -> list[Tensor]:
    """`frame` `(v, h, w)` and ever coarser ones of it."""
    levels = [frame]
    while min(levels[-1].shape[1:]) >= 2 * COARSEST:
        levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
    return levels


def _finer(way: Tensor, size: torch.Size) -> Tensor:
    """A way of twice the length on a level that is twice as fine."""
    return (2 * way).repeat_interleave(2, 1).repeat_interleave(2, 2)[:, : size[0], : size[1]]


def _steps(reach: int) -> list[tuple[int, int]]:
    """All steps of up to `reach` pixels each way, short ones first."""
    near = range(-reach, reach + 1)
    return sorted(((i, j) for i in near for j in near), key=lambda s: s[0] ** 2 + s[1] ** 2)


def _common(here: Tensor, there: Tensor, way: Tensor, reach: int) -> Tensor:
    """The one way `(2, 1, 1)`, near the given one, that suits most of the frame."""
    ways = [way + way.new_tensor(step)[:, None, None] for step in _steps(reach)]
    whole = torch.zeros(2, *here.shape[1:], dtype=torch.long, device=here.device)
    price = [float(_off(here, there, whole + way).clamp(max=COVERED).mean()) for way in ways]
    return ways[price.index(min(price))]


def _matched(here: Tensor, there: Tensor, way: Tensor, common: Tensor, reach: int) -> Tensor:
    """The best way `(2, h, w)` from each pixel of `here` to what looks like it in `there`: `common`, or near `way`."""
    best = common.expand(2, *here.shape[1:])
    cost = _unlike(here, there, best) - COMMON
    for step in _steps(reach):
        tried = way + way.new_tensor(step)[:, None, None]
        price = _unlike(here, there, tried) + RELUCTANCE * (step[0] ** 2 + step[1] ** 2) ** 0.5
        better = price < cost
        cost = torch.where(better, price, cost)
        best = torch.where(better, tried, best)
    return best


def _unlike(here: Tensor, there: Tensor, way: Tensor) -> Tensor:
    """The mean squared difference of each pixel's window from the window that its way leads to, `(h, w)`."""
    off = _off(here, there, way)[None, None]
    return F.avg_pool2d(off, 2 * WINDOW + 1, 1, WINDOW, count_include_pad=False)[0, 0]


def _off(here: Tensor, there: Tensor, way: Tensor) -> Tensor:
    """The mean squared difference of each pixel from the one that its way leads to, `(h, w)`."""
    rows, columns = _places(way)
    found = there.flatten(1)[:, (rows * here.shape[2] + columns).flatten()].view_as(here)
    return (here - found).square().mean(0)


def _places(way: Tensor) -> Tensor:
    """The places `(2, h, w)` that ways lead to; one beyond the rim is as far within it."""
    h, w = way.shape[1:]
    rows = torch.arange(h, device=way.device)[:, None] + way[0]
    columns = torch.arange(w, device=way.device) + way[1]
    return torch.stack([_reflected(rows, h), _reflected(columns, w)])


def _reflected(place: Tensor, n: int) -> Tensor:
    return (n - 1 - (n - 1 - place.abs()).abs()).clamp(min=0)
