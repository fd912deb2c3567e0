"""Texture distance: difference in look of two moving pictures, regardless of place."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.core.noise import Stream, derive, uniform
from planaria.types import PerSample

DIRECTIONS = 32
"""Number of directions on which patches are projected."""


def texture_distance(
    shown: Float[Tensor, "b v h w"],
    before: Float[Tensor, "b v h w"],
    film: Float[Tensor, "b 2 v h w"],
    seed: int,
    motion: float = 1.0,
) -> PerSample:
    """Sliced Wasserstein distance of 3x3 patches and how they change, from `before` to `shown` and in `film`, `(b,)`.

    Two pictures are alike where the same patches of colour and motion are as frequent in both; nothing needs to be in
    its place, so a long run without ground truth can be compared by it. `motion` is the weight of a change beside that
    of a colour: where little moves, one that makes both equally large keeps a run from standing still. Patches are
    projected on random directions of `seed`, sorted, and compared (Heitz et al., "A Sliced Wasserstein Loss for Neural
    Texture Synthesis", 2021).
    """
    mine = torch.cat([shown, motion * (shown - before)], 1)
    theirs = torch.cat([film[:, 1], motion * (film[:, 1] - film[:, 0])], 1)
    size = 9 * mine.shape[1]
    u = uniform(derive(seed, Stream.PATCHES), 0, (DIRECTIONS, size, 2), mine.device).clamp(min=1e-7)
    directions = (-2 * u[..., 0].log()).sqrt() * (2 * torch.pi * u[..., 1]).cos()
    directions = (directions / directions.norm(dim=1, keepdim=True)).to(mine)
    a, b = ((directions @ F.unfold(v, 3)).sort(-1).values for v in (mine, theirs))
    return (a - b).square().mean((1, 2))
