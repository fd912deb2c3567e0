"""How far ahead a film can be predicted: how fast its similar moments part (analogues, after Lorenz, 1969)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Frames = Float[Tensor, "n v h w"]

SIDE = 32
"""Longest side of the frames that are compared as a whole, in cells."""
HALF = 0.5
"""Mean squared difference, as a share of that of random moments, at which two moments have parted."""
CLOSEST = 0.1
"""Share of the nearest pairs that count as similar moments."""
WINDOW = 4
"""Frames of a moment as a whole: enough to tell which way things move."""
AWAY = 0.9
"""Mean squared difference of frames, as a share of that of random ones, from which on they are moments of their own."""
LEAST = 8
"""Fewest pairs of moments that are followed."""
ROOM = 3
"""Part of the film, a third, over which similar moments can be followed at least."""
STEADY = 0.1
"""Growth of the difference over that time, as a share of that of random moments, up to which they never part."""
EMPTY = 1e-7
"""Mean squared difference of random moments below which nothing moves."""
PATCH, CELL = 9, 3
"""Side of a patch, and of the squares in it whose means are compared, in cells."""
PATCHES = 3000
"""Patches that are compared."""
SHORT = 40
"""Most frames that patches are followed: by then, what was outside has long come in."""
BUSY = 0.5
"""Share of patches that are left out for having the least in them: an empty place is no prediction."""


def predictable(frames: Frames) -> int:
    """Number of frames ahead that `frames` `(n, v, h, w)` are predictable, from 0 to their number.

    Four frames make a moment, or two of a small patch. Of both, the most similar pairs are followed until
    the difference of half of them is half that of random pairs; the longer of the two counts. A film that repeats
    itself, or never parts from a similar moment, is predictable for its whole length.
    """
    n = len(frames)
    if n < 4:
        return n
    longest = max(frames.shape[-2:])
    scale = max(1, -(-longest // SIDE))
    small = F.avg_pool2d(frames, scale, ceil_mode=True) if scale > 1 else frames
    return min(n, max(_whole(small.flatten(1)), _patches(frames)))


def _whole(x: Float[Tensor, "n cells"]) -> int:
    """Frames until similar moments part, all cells together."""
    n = len(x)
    apart = torch.cdist(x[None].double(), x[None].double())[0].square() / x.shape[1]
    usual = float(apart.mean()) * n / (n - 1)
    if usual < EMPTY:
        return n
    drift = torch.stack([apart.diagonal(k).mean() for k in range(1, n)])
    far = (drift > AWAY * usual).nonzero()
    theiler = max(WINDOW, int(far[0]) + 1 if len(far) else n)
    begun = n - n // ROOM - WINDOW + 1  # moments with frames after them to follow
    if begun - theiler < LEAST:
        return 0
    moment = torch.stack([apart[k : begun + k, k : begun + k] for k in range(WINDOW)]).mean(0)
    i = torch.arange(begun)
    nearest, other = moment.masked_fill((i[:, None] - i).abs() < theiler, torch.inf).min(1)
    order = nearest.argsort()[: max(LEAST, int(CLOSEST * n))]
    first = order[nearest[order].isfinite()] + WINDOW - 1
    second = other[order][: len(first)] + WINDOW - 1
    at_first = last = 0.0
    for k in range(n):
        still = (first + k < n) & (second + k < n)
        if int(still.sum()) < LEAST:
            return n if last - at_first < STEADY else k
        last = float(apart[first[still] + k, second[still] + k].median()) / usual
        at_first = at_first if k else last
        if last > HALF:
            return k
    return n


def _patches(frames: Frames) -> int:
    """Frames until the middles of similar patches part."""
    n, _, h, w = frames.shape
    if min(h, w) < PATCH or n < 6:
        return 0
    rng = torch.Generator().manual_seed(0)
    most = min(SHORT, n // 2)
    t = torch.randint(0, n - 1, (PATCHES,), generator=rng)
    squares = F.avg_pool2d(frames, CELL, 1)  # (n, v, h - 2, w - 2): the mean around each inner cell
    y = torch.randint(0, h - PATCH + 1, (PATCHES,), generator=rng)
    x = torch.randint(0, w - PATCH + 1, (PATCHES,), generator=rng)
    places = [(i, j) for i in range(0, PATCH, CELL) for j in range(0, PATCH, CELL)]
    seen = torch.cat([squares[t + k, :, y + i, x + j] for k in (0, 1) for i, j in places], 1)
    change = torch.stack([frames[t + 1, :, y + k, x + k] - frames[t, :, y + k, x + k] for k in range(PATCH)]).square()
    content = seen.var(1) + change.mean((0, 2))
    busy = content.argsort(descending=True)[: int((1 - BUSY) * PATCHES)]
    busy = busy[content[busy] > EMPTY]
    if len(busy) < 4 * LEAST:
        return 0
    t, y, x, seen = t[busy], y[busy], x[busy], seen[busy]
    distance = torch.cdist(seen[None], seen[None])[0]
    lapping = ((y[:, None] - y).abs() < PATCH) & ((x[:, None] - x).abs() < PATCH) & ((t[:, None] - t).abs() < most)
    nearest, other = distance.masked_fill(lapping, torch.inf).min(1)
    order = nearest.argsort()[: int(CLOSEST * len(busy))]
    order = order[nearest[order].isfinite()]
    first, second = order, other[order]
    middle = PATCH // 2

    def centre(k: int, which: Tensor) -> Tensor:
        return frames[t[which] + 1 + k, :, y[which] + middle, x[which] + middle]

    shuffled = torch.randperm(len(busy), generator=rng)
    usual = float((centre(0, torch.arange(len(busy))) - centre(0, shuffled)).square().mean())
    for k in range(most):
        still = (t[first] + 1 + k < n) & (t[second] + 1 + k < n)
        if int(still.sum()) < LEAST:
            return k
        if float((centre(k, first[still]) - centre(k, second[still])).square().mean()) > HALF * usual:
            return k
    return most
