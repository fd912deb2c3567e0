"""Style losses: similarity of the look of two pictures, regardless of place, by the maps of a backbone."""

from collections.abc import Sequence
from enum import IntEnum

import torch
import torch.nn.functional as F
from torch import Tensor

from planaria.core.noise import Stream, derive, uniform
from planaria.losses.backbones import Backbone
from planaria.types import PerSample

DIRECTIONS = 16
"""Number of directions of each kind on which the cells of a map are projected."""
MOST_CELLS = 2048
"""Most cells of a map that are compared."""
LEAST = 0.02
"""Least spread of a channel of a map, as a fraction of the greatest: below it, differences count less."""
STEADY = 0.15
"""Least spread where a map is nowhere 0, as a fraction of the greatest mean: stripes are equally strong everywhere."""


class _Stream(IntEnum):
    """Purposes of the seed of one map; the first two share a number, which trained models keep."""

    CHANNELS = 1
    """Choice of channels to project on alone or in pairs."""
    MINE = 1
    """Choice of cells of the picture, where it has more than are compared."""
    THEIRS = 2
    """Choice of cells of the style."""


class Style:
    """Target style: a picture, as the maps of a backbone.

    `style` is `(3, h, w)` in 0..1, or several of one look, `(n, 3, h, w)`. Every channel of every map is normalised by
    the style's own spread, so that fine lines weigh as much as large patches.
    """

    def __init__(self, backbone: Backbone, style: Tensor):
        self.backbone = backbone
        with torch.no_grad():
            maps = backbone.features(style[None] if style.ndim == 3 else style)
        self.cells = [m.movedim(1, 3).reshape(1, -1, m.shape[1]) for m in maps]  # (1, n, c)
        self.means = [m.mean(1, keepdim=True) for m in self.cells]
        spreads = [m.std(1, keepdim=True) for m in self.cells]
        self.spreads = [s.clamp(min=_least(m, s)) for m, s in zip(maps, spreads, strict=True)]
        self.cells = [(m - mean) / s for m, mean, s in zip(self.cells, self.means, self.spreads, strict=True)]
        self.grams = [gram(m) for m in self.cells]

    def maps(self, rgb: Tensor) -> list[Tensor]:
        """Maps of `rgb` `(b, 3, h, w)` by the backbone: `(b, n_i, c_i)`, in the style's spreads from its means."""
        seen = [m.flatten(2).transpose(1, 2) for m in self.backbone.features(rgb)]
        return [(m - mean) / s for m, mean, s in zip(seen, self.means, self.spreads, strict=False)]

    def transport(self, maps: Sequence[Tensor], seed: int = 0) -> PerSample:
        """Sliced optimal transport, mean over maps; `seed` draws directions and cells."""
        each = []
        for k, (mine, theirs) in enumerate(zip(maps, self.cells, strict=False)):
            key = derive(seed, Stream.MAPS, k)
            along = viewpoints(DIRECTIONS, mine.shape[2], key).to(mine)
            each.append(
                sliced(_some(mine, derive(key, _Stream.MINE)), _some(theirs, derive(key, _Stream.THEIRS)), along)
            )
        return torch.stack(each).mean(0)

    def gram(self, maps: Sequence[Tensor]) -> PerSample:
        """Distance of Gram matrices, mean over maps (Gatys et al., "Image Style Transfer Using CNNs", 2016)."""
        pairs = zip(maps, self.grams, strict=False)
        return torch.stack([(gram(m) - g).square().mean((1, 2)) for m, g in pairs]).mean(0)


def style_distance(backbone: Backbone, shown: Tensor, style: Tensor) -> PerSample:
    """Distance of `shown` `(b, 3, h, w)` from the style `(3, h, w)`: sliced optimal transport of a backbone's maps.

    The same directions every time, so that two distances can be compared; 1 is about a spread of the style's own.
    """
    like = Style(backbone, style)
    with torch.no_grad():
        maps = like.maps(shown)
        return torch.stack([like.transport(maps, seed) for seed in range(4)]).mean(0)


def content_distance(mine: Sequence[Tensor], theirs: Sequence[Tensor]) -> PerSample:
    """Difference in content of two pictures: that of their maps `(b, c, h, w)`, divided by their spread."""
    each = []
    for a, b in zip(mine, theirs, strict=True):
        spread = b.var((1, 2, 3)).clamp(min=1e-4)
        each.append((a - b).square().mean((1, 2, 3)) / spread)
    return torch.stack(each).mean(0)


def gram(cells: Tensor) -> Tensor:
    """Gram matrix `(b, c, c)` of cells `(b, n, c)`, mean over them."""
    return cells.transpose(1, 2) @ cells / cells.shape[1]


def sliced(mine: Tensor, theirs: Tensor, along: Tensor) -> PerSample:
    """Sliced 2-Wasserstein distance, squared, of vectors `(b, n, c)` and `(1 | b, m, c)` along `(k, c)`; `(b,)`.

    Sorted values are compared rank by rank; of the larger set those at the ranks of the smaller one.
    Heitz et al., "A Sliced Wasserstein Loss for Neural Texture Synthesis", 2021.
    """
    a = (mine @ along.T).transpose(1, 2).sort(2).values
    b = (theirs @ along.T).transpose(1, 2).sort(2).values
    n, m = a.shape[2], b.shape[2]
    if n < m:
        b = b[:, :, _ranks(n, m, b.device)]
    elif m < n:
        a = a[:, :, _ranks(m, n, a.device)]
    return (a - b).square().mean((1, 2))


def viewpoints(n: int, size: int, seed: int) -> Tensor:
    """`3 * n` unit vectors `(3 * n, size)`: `n` random channels, `n` random pairs, `n` random directions.

    A mixture of many channels is nearly Gaussian whatever they are; lines show in the tails of a single
    one (Heeger and Bergen, "Pyramid-Based Texture Analysis/Synthesis", 1995) or of two together.
    """
    random = uniform(derive(seed, _Stream.CHANNELS), 0, (n, 4, size))
    one = F.one_hot(random[:, 0].argmax(1), size).float()
    first, second = (F.one_hot(random[:, k].argmax(1), size).float() for k in (1, 2))
    sign = torch.where(random[:, 3, :1] < 0.5, -1.0, 1.0)
    pair = F.normalize(first + sign * second + 1e-6 * one, dim=1)
    return torch.cat([one, pair, directions(n, size, seed)])


def directions(n: int, size: int, seed: int) -> Tensor:
    """`n` unit vectors of `size` numbers, evenly spread over the sphere: `(n, size)`."""
    u = uniform(seed, 0, (n, size, 2)).clamp(min=1e-7)
    v = (-2 * u[..., 0].log()).sqrt() * (2 * torch.pi * u[..., 1]).cos()
    return v / v.norm(dim=1, keepdim=True)


def _least(features: Tensor, spreads: Tensor) -> float:
    """Smallest spread that a channel of a map may have."""
    steady = STEADY * float(features.mean((2, 3)).max()) if float(features.min()) > 0 else 0.0
    return max(1e-6, LEAST * float(spreads.max()), steady)


def _some(cells: Tensor, seed: int) -> Tensor:
    """Select at most `MOST_CELLS` of the cells `(b, n, c)` at random."""
    n = cells.shape[1]
    if n <= MOST_CELLS:
        return cells
    order = uniform(seed, 0, (1, 1, n), cells.device)[0, 0].argsort()
    return cells[:, order[:MOST_CELLS]]


def _ranks(few: int, many: int, device: torch.device) -> Tensor:
    return ((torch.arange(few, device=device) + 0.5) * many / few).long()
