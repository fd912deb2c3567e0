"""Drift: motion of a film's content from one frame to the next, so that cells can follow it.

`losses.motion.shimmer` measures the result, so it estimates motion by itself: all of the vicinity, in colour, no prior.
"""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

COARSEST = 32
"""Fewest pixels on the shorter side of the coarsest level; each level is half as fine as the one before."""
REACH, REFINED = 6, 1
"""Reach of the search in each direction, in pixels, on the coarsest level and on all others."""
WINDOW = 4
"""Pixels on each side of a pixel that are matched with it."""
RELUCTANCE = 1e-4
"""Mean squared difference by which a match must be better for each pixel of distance from the expected place."""
COMMON, NOISE = 4e-4, 0.6
"""Advantage of the whole frame's drift, a mean squared difference and a fraction of its median, which is noise:
so that a standing camera's grain moves nothing, and an empty sky moves with the land below it."""
COVERED = 0.01
"""Largest squared difference that counts for the whole frame's drift: other motion doesn't outvote it."""


@final
class Drift:
    """Estimator of the drift from each frame of a film to the next."""

    def __init__(self) -> None:
        self._last: list[Tensor] | None = None

    @torch.no_grad()
    def into(self, frame: Tensor) -> Tensor | None:
        """Place of each pixel of `frame` `(v, h, w)`, uint8 or in 0..1, in the frame before: `(2, h, w)` or None.

        Rows and columns, whole ones, on the grid. None where nothing moves, for the first frame, and where the size
        changes. Blocks of 9 x 9 pixels' brightness are matched, coarse to fine, after Bergen et al., "Hierarchical
        model-based motion estimation", ECCV, 1992, at least a tenth of the frame's shorter side around.
        """
        shown = frame.float() / 255 if frame.dtype == torch.uint8 else frame.float()
        levels = _pyramid(shown.mean(0))
        before, self._last = self._last, levels
        if before is None or before[0].shape != levels[0].shape:
            return None
        bound = reach = min(REACH, min(levels[-1].shape) - 1)
        common = torch.zeros(2, 1, 1, dtype=torch.long, device=frame.device)
        way = common.expand(2, *levels[-1].shape)
        for here, there in zip(reversed(levels), reversed(before), strict=True):
            if here is not levels[-1]:
                common, way, reach, bound = 2 * common, _finer(way, here.shape), REFINED, 2 * bound + REFINED
            match = _Match(here, there, bound)
            common = match.common(common, reach)
            way = match.best(way, common, reach)
        return _places(way) if bool(way.any()) else None


class _Match:
    """Level of a frame and of the one before, in which displacements of up to `bound` pixels are compared."""

    def __init__(self, here: Tensor, there: Tensor, bound: int):
        (h, w), self.here = here.shape, here
        self.there = F.pad(there[None, None], (bound,) * 4, "reflect").flatten()
        self.stride = w + 2 * bound
        rows = torch.arange(bound, bound + h, device=here.device)[:, None]
        self.base = rows * self.stride + torch.arange(bound, bound + w, device=here.device)
        self.count = _window(torch.ones_like(here))

    def common(self, way: Tensor, reach: int) -> Tensor:
        """One displacement `(2, 1, 1)`, near the given one, that suits most of the frame."""
        at = self.base + way[0] * self.stride + way[1]
        price = {s: float(self._off(at + s[0] * self.stride + s[1]).clamp(max=COVERED).mean()) for s in _steps(reach)}
        return way + way.new_tensor(min(price, key=lambda s: price[s]))[:, None, None]

    def best(self, way: Tensor, common: Tensor, reach: int) -> Tensor:
        """Best displacement `(2, h, w)` of each pixel: `common`, or one near the given ones."""
        cost = self._unlike(self.base + common[0] * self.stride + common[1])
        cost = cost - COMMON - NOISE * cost.median()
        at = self.base + way[0] * self.stride + way[1]
        best = torch.full_like(at, -1)
        steps = _steps(reach)
        for k, (i, j) in enumerate(steps):
            price = self._unlike(at + i * self.stride + j) + RELUCTANCE * (i * i + j * j) ** 0.5
            best.masked_fill_(price < cost, k)
            cost = torch.minimum(price, cost)
        chosen = way + way.new_tensor(steps).T[:, best.clamp(min=0)]
        return torch.where(best < 0, common, chosen)

    def _unlike(self, at: Tensor) -> Tensor:
        """Mean squared difference of each pixel's window from the window at its displacement, `(h, w)`."""
        return _window(self._off(at)) / self.count

    def _off(self, at: Tensor) -> Tensor:
        """Squared difference of each pixel from the one at `at`, `(h, w)`."""
        return (self.there.take(at) - self.here).square()


def _pyramid(light: Tensor) -> list[Tensor]:
    """Pyramid of `light` `(h, w)`, from fine to coarse."""
    levels = [light]
    while min(levels[-1].shape) >= 2 * COARSEST:
        levels.append(F.avg_pool2d(levels[-1][None], 2, ceil_mode=True)[0])
    return levels


def _finer(way: Tensor, size: torch.Size) -> Tensor:
    """Displacements of twice the length for a level that is twice as fine."""
    return (2 * way).repeat_interleave(2, 1).repeat_interleave(2, 2)[:, : size[0], : size[1]]


def _steps(reach: int) -> list[tuple[int, int]]:
    """All steps of up to `reach` pixels each way, short ones first."""
    near = range(-reach, reach + 1)
    return sorted(((i, j) for i in near for j in near), key=lambda s: s[0] ** 2 + s[1] ** 2)


def _window(v: Tensor) -> Tensor:
    """Sum over each pixel's window, of `(h, w)`; 0 beyond the rim."""
    for dim in (0, 1):
        n = v.shape[dim]
        v = F.pad(v, (0, 0, WINDOW, WINDOW) if dim == 0 else (WINDOW, WINDOW))
        held, side = v, 1
        while 2 * side <= 2 * WINDOW:
            held = held.narrow(dim, 0, held.shape[dim] - side) + held.narrow(dim, side, held.shape[dim] - side)
            side *= 2
        v = held.narrow(dim, 0, n) + v.narrow(dim, 2 * WINDOW, n)
    return v


def _places(way: Tensor) -> Tensor:
    """Places `(2, h, w)` that displacements lead to; one beyond the rim is reflected into the grid."""
    h, w = way.shape[1:]
    rows = torch.arange(h, device=way.device)[:, None] + way[0]
    columns = torch.arange(w, device=way.device) + way[1]
    return torch.stack([_reflected(rows, h), _reflected(columns, w)])


def _reflected(place: Tensor, n: int) -> Tensor:
    return n - 1 - (n - 1 - place.abs()).abs()
