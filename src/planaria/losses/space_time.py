"""Space-time: the look and motion of a moving texture, compared with those of a clip, regardless of place and time.

Frames at several distances in time are seen through filters of 5x5 cells, at several scales. Look: single cells, pairs
of cells and random patches of a frame. Motion: the same in two frames at once, which tells what moved where. What a
filter answers should be the same numbers, equally often (sliced Wasserstein). To judge look and motion apart is the
idea of Pajouheshgar et al., "DyNCA: Real-Time Dynamic Texture Synthesis Using Neural Cellular Automata", CVPR 2023;
their judges are trained networks.
"""

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
"""Number of filters of each kind."""
MOST_CELLS = 1024
"""Most answers of a filter that are compared."""
LEAST = 0.02
"""Least spread of a filter's answers, as a share of the contrast of its frames: below it, differences count less."""
FAINTEST = 1e-3
"""Least spread of all, for clips of one colour."""


def space_time_distance(
    mine: Float[Tensor, "b n v h w"],
    theirs: Float[Tensor, "_ n v _ _"],
    seed: int,
    *,
    pooled: bool = False,
    most: int = MOST_CELLS,
) -> tuple[Tensor, Tensor]:
    """Distance of each window of `mine` from all of `theirs` together: in look, and in motion, `(b,)` each.

    Both have the same number of frames, earliest first, at the same distances in time; grids may differ. Distances are
    divided by the variance of the filter's answers in `theirs`. Look is that of the last frame. `seed` draws filters,
    and the cells where there are more than `most`. `pooled` compares all of `mine` together, as a window alone is a
    small sample: `(1,)`. Scales too coarse for a grid are left out.
    """
    looks, motions = [], []
    n, v = mine.shape[1:3]
    for scale in range(SCALES):
        if scale:
            mine, theirs = _halved(mine), _halved(theirs)
            if min(*mine.shape[-2:], *theirs.shape[-2:]) < 2 * SIDE:
                break
        key = derive(seed, Stream.SPACE_TIME, scale)
        contrast = float(theirs.transpose(1, 2).flatten(2).std(2).mean())
        for found, few, filters in (
            (looks, slice(-1, None), looking(v, key)),
            (motions, slice(None), moving(n, v, key)),
        ):
            filters = filters.to(mine)
            with torch.no_grad():
                wanted = _answers(theirs[:, few], filters, derive(key, 6), most, pooled=True)
                spread = wanted.var(2).clamp(min=max(LEAST * contrast, FAINTEST) ** 2)
            answers = _answers(mine[:, few], filters, derive(key, 7), most, pooled=pooled)
            apart = min(wanted.shape[2], answers.shape[2])
            found.append(((_at_ranks(answers, apart) - _at_ranks(wanted, apart)).square().mean(2) / spread).mean(1))
    return torch.stack(looks).mean(0), torch.stack(motions).mean(0)


def looking(v: int, seed: int) -> Float[Tensor, "f v side side"]:
    """Filters of a frame: single cells, pairs of cells, random patches."""
    u = uniform(derive(seed, 1), 0, (3, 2 * EACH, 3))
    cell, near = _cell(u[0, :, 0], v, None), _cell(u[0, :, 0], v, u[1])
    other = _cell(u[0, :, 2], v, u[2])
    pair = (cell - torch.where(u[0, :, 1].view(-1, 1, 1, 1) < 0.5, near, other)) * 0.5**0.5
    return torch.cat([cell[:EACH], pair[EACH:], _patch(EACH, v, derive(seed, 2))])


def moving(n: int, v: int, seed: int) -> Float[Tensor, "f nv side side"]:
    """Filters of `n` frames, each of two frames that it draws.

    The change of a cell; the difference from one nearby in another frame, at an even place for every direction; the
    change of a random patch; and two random patches.
    """
    u = uniform(derive(seed, 3), 0, (2, 4 * EACH, 3))
    cell = _cell(u[0, : 2 * EACH, 0], v, None)
    near = _cell(u[0, EACH : 2 * EACH, 0], v, u[1, EACH : 2 * EACH])
    patch, second = _patch(2 * EACH, v, derive(seed, 4)), _patch(EACH, v, derive(seed, 5))
    now = torch.cat([cell, patch])
    then = -torch.cat([cell[:EACH], near, patch[:EACH], second])
    first = (u[0, :, 1] * n).long().clamp(max=n - 1)
    apart = 1 + (u[0, :, 2] * (n - 1)).long().clamp(max=n - 2)
    filters = torch.zeros(4 * EACH, n, v, SIDE, SIDE)
    rows = torch.arange(4 * EACH)
    filters[rows, first], filters[rows, (first + apart) % n] = now * 0.5**0.5, then * 0.5**0.5
    return filters.flatten(1, 2)


def _cell(kind: Tensor, v: int, place: Tensor | None) -> Tensor:
    """Filters that answer one channel of a cell, by random numbers: in the middle, or at a random `place`."""
    channel = F.one_hot((kind * v).long().clamp(max=v - 1), v).float()
    if place is None:
        row = column = torch.full((len(kind),), SIDE // 2)
    else:
        row, column = ((place[:, k] * SIDE).long().clamp(max=SIDE - 1) for k in (0, 1))
    spot = F.one_hot(row, SIDE).float()[:, :, None] * F.one_hot(column, SIDE).float()[:, None]
    return channel[:, :, None, None] * spot[:, None]


def _patch(count: int, v: int, seed: int) -> Tensor:
    """Filters of random weights and norm 1."""
    return directions(count, v * SIDE * SIDE, seed).view(-1, v, SIDE, SIDE)


def _halved(windows: Tensor) -> Tensor:
    """Windows of cells twice as wide."""
    return F.avg_pool2d(windows.flatten(1, 2), 2).unflatten(1, windows.shape[1:3])


def _answers(windows: Tensor, filters: Tensor, seed: int, most: int, *, pooled: bool) -> Tensor:
    """Answers of filters at no more than `most` random cells, sorted: `(b, f, n)`, or `(1, f, n)` of all together."""
    answers = F.conv2d(windows.flatten(1, 2), filters)
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
