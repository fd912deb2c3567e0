"""Space-time: the look and motion of a moving texture, compared with those of a clip, regardless of place and time.

Patches of 5x5 cells of a frame (look), and of the difference of two frames, one shifted (motion), at several scales,
are seen by filters. What a filter answers should be the same numbers, equally often (sliced Wasserstein). Filters are
drawn after the clip's own patches were whitened: what is faint in it, such as grain in clouds, then counts as much as
what is strong. To judge look and motion apart is the idea of Pajouheshgar et al., "DyNCA: Real-Time Dynamic Texture
Synthesis Using Neural Cellular Automata", CVPR 2023; their judges are trained networks.
"""

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.core.noise import Stream, derive, uniform
from planaria.losses.style import directions

SIDE = 5
"""Cells on a side of a patch."""
SCALES = 3
"""Number of scales, each of cells twice as wide."""
EACH = 6
"""Filters of each kind for a frame; half as many for each shift of another one."""
SHIFTS = (-2, 0, 2)
"""Cells, of each scale, by which a frame is shifted against another, sideways and up or down."""
SMALLEST = 2 * SIDE
"""Fewest cells on a side of a scale."""
MOST_CELLS = 1024
"""Most answers of a filter that are compared."""
MOST_PATCHES = 10_000
"""Most patches that are whitened."""
LEAST, FAINTEST = 0.05, 1e-3
"""Least spread of whitened patches, as a share of the clip's contrast, and at all: below it, differences count less."""


@dataclass(frozen=True)
class Whitening:
    """Principal axes of patches, the strongest first: the rows of `axes` `(d, d)`, and the spread along each, `(d,)`.

    The first `strong` axes stand out of the least spread; the spread of the others is that.
    """

    axes: Tensor
    spreads: Tensor
    strong: int

    def filters(self, count: int, seed: int) -> Float[Tensor, "f d"]:
        """Filters that answer whitened patches with a variance of 1, `count` of each kind.

        Strong axes, which are waves; whitened cells, which are spots and edges; random directions. And weak axes, by
        which grain shows that the clip doesn't have: their variance is below 1.
        """
        d, n = len(self.spreads), self.strong
        u = uniform(derive(seed, 1), 0, (1, 3, count))[0]
        waves, cells, weak = (u[0] * n).long(), (u[1] * d).long(), n + (u[2] * (d - n)).long()
        whitened = self.axes / self.spreads[:, None]
        spots = F.normalize(self.axes[:n, cells].T, dim=1)
        mixed = torch.cat([spots, directions(count, n, derive(seed, 2)).to(spots)])
        return torch.cat([whitened[waves], mixed @ whitened[:n], *([whitened[weak]] if n < d else [])])


class SpaceTime:
    """Look and motion of a clip, as windows `(m, n, v, h, w)` of frames at `n` moments, to compare others with."""

    def __init__(self, windows: Float[Tensor, "m n v h w"]):
        self.looks: list[Whitening] = []
        self.motions: list[dict[tuple[int, int, int], Whitening]] = []
        later = range(1, windows.shape[1])
        for scale in range(SCALES):
            if scale:
                windows = _halved(windows)
            if min(windows.shape[-2:]) < SMALLEST:
                break
            contrast = float(windows.transpose(1, 2).flatten(2).std(2).mean())
            self.looks.append(_whitened(windows[:, 0], contrast))
            moves = itertools.product(later, SHIFTS, SHIFTS)
            self.motions.append({move: _whitened(_moved(windows, *move), contrast) for move in moves})

    def distance(
        self,
        mine: Float[Tensor, "b n v h w"],
        theirs: Float[Tensor, "_ n v _ _"],
        seed: int,
        *,
        pooled: bool = False,
        most: int = MOST_CELLS,
    ) -> tuple[Tensor, Tensor]:
        """Distance of each window of `mine` from all of `theirs`, some of the clip's: in look, and in motion, `(b,)`.

        Both have frames at the same moments, and may be of any size; scales too coarse for one are left out. `seed`
        draws filters, shifts, and cells where there are more than `most`. `pooled` compares all of `mine` together, as
        a window alone is a small sample: `(1,)`.
        """
        looks, motions = [], []
        for scale, (look, motion) in enumerate(zip(self.looks, self.motions, strict=True)):
            if scale:
                mine, theirs = _halved(mine), _halved(theirs)
            if min(*mine.shape[-2:], *theirs.shape[-2:]) < SMALLEST:
                break
            v, key = mine.shape[2], derive(seed, Stream.SPACE_TIME, scale)
            cells = F.one_hot(torch.arange(v, device=mine.device) * SIDE**2 + SIDE**2 // 2, v * SIDE**2).to(mine)
            cells = cells / theirs[:, 0].std((0, 2, 3)).clamp(min=FAINTEST)[:, None]
            filters = torch.cat([cells, look.filters(EACH, derive(key, 1))])
            looks.append(_apart(mine[:, 0], theirs[:, 0], filters, key, most, pooled=pooled))
            for k in range(1, mine.shape[1]):
                drawn = uniform(derive(key, 2, k), 0, (1, 1, 2))[0, 0]
                row, column = (SHIFTS[min(int(u * len(SHIFTS)), len(SHIFTS) - 1)] for u in drawn.tolist())
                for move in {(k, 0, 0), (k, row, column)}:
                    ours, clips = _moved(mine, *move), _moved(theirs, *move)
                    filters = motion[move].filters(EACH // 2, derive(key, 3, *(part % 2**32 for part in move)))
                    motions.append(_apart(ours, clips, filters, derive(key, 4, k), most, pooled=pooled))
        return torch.stack(looks).mean(0), torch.stack(motions).mean(0)


def _moved(windows: Tensor, k: int, row: int, column: int) -> Tensor:
    """Difference of frame `k` of windows, so many cells away, from their first, where both are: `(m, v, h', w')`."""
    (h, w), reach = windows.shape[-2:], SHIFTS[-1]
    rows, columns = (slice(reach + by, n - reach + by) for n, by in ((h, row), (w, column)))
    return windows[:, k, :, rows, columns] - windows[:, 0, :, reach : h - reach, reach : w - reach]


def _whitened(frames: Tensor, contrast: float) -> Whitening:
    """Whitening of the patches of frames `(m, c, h, w)`."""
    patches = F.unfold(frames, SIDE).transpose(0, 1).flatten(1)
    patches = patches[:, :: -(-patches.shape[1] // MOST_PATCHES)].double()
    patches = patches - patches.mean(1, keepdim=True)
    powers, axes = torch.linalg.eigh(patches @ patches.T / patches.shape[1])
    spreads, least = powers.flip(0).clamp(min=0).sqrt(), max(LEAST * contrast, FAINTEST)
    strong = max(1, int((spreads > least).sum()))
    return Whitening(axes.T.flip(0).to(frames), spreads.clamp(min=least).to(frames), strong)


def _halved(windows: Tensor) -> Tensor:
    """Windows of cells twice as wide."""
    return F.avg_pool2d(windows.flatten(1, 2), 2).unflatten(1, windows.shape[1:3])


def _apart(mine: Tensor, theirs: Tensor, filters: Tensor, seed: int, most: int, *, pooled: bool) -> Tensor:
    """Squared distance of the sorted answers of filters to two sets of frames, the mean over filters."""
    with torch.no_grad():
        wanted = _answers(theirs, filters, derive(seed, 6), most, pooled=True)
    answers = _answers(mine, filters, derive(seed, 7), most, pooled=pooled)
    few = min(wanted.shape[2], answers.shape[2])
    return (_at_ranks(answers, few) - _at_ranks(wanted, few)).square().mean((1, 2))


def _answers(frames: Tensor, filters: Tensor, seed: int, most: int, *, pooled: bool) -> Tensor:
    """Answers of filters at no more than `most` random cells, sorted: `(b, f, n)`, or `(1, f, n)` of all together."""
    answers = F.conv2d(frames, filters.view(len(filters), -1, SIDE, SIDE))
    answers = answers.transpose(0, 1).flatten(1)[None] if pooled else answers.flatten(2)
    n = answers.shape[2]
    if n > most:
        answers = answers[..., uniform(seed, 0, (1, 1, n), answers.device)[0, 0].argsort()[:most]]
    return answers.sort(2).values


def _at_ranks(answers: Tensor, few: int) -> Tensor:
    """Sorted answers at `few` evenly spread ranks."""
    many = answers.shape[2]
    ranks = ((torch.arange(few, device=answers.device) + 0.5) * many / few).long()
    return answers if few == many else answers[..., ranks]
