"""Heals: damage to grown bodies, by a brush, in the standard ways, by noise, and down to a fragment."""

from collections.abc import Iterator

import torch

from planaria.core.damage import DRAWN, LEFT, Damage, fragment, strokes
from planaria.core.noise import derive, uniform
from planaria.evaluate.health.organism import AGE, Organism
from planaria.evaluate.health.trial import Begin, Check
from planaria.types import Mask, State

BRUSH = "brush strokes"
"""Name of the check that the badge speaks of."""
STANDARD = ("left", "right", "top", "bottom", "centre")
STRENGTHS = (0.05, 0.1, 0.2, 0.3)
"""Strengths of noise, and shares of cells that speckle erases."""
FRAGMENTS = (0.2, 0.1, 0.05)
"""Shares of the living cells that are left."""
PAUSE = 50
"""Steps between the first damage and the second."""
TRIES = 16
"""Times that strokes are drawn for one body until they leave enough of it."""


def checks(organism: Organism, *, quick: bool) -> Iterator[Check]:
    """All ways to damage a body; `quick` leaves out the weaker strengths and takes fewer bodies."""
    few = 8 if quick else 32
    yield Check(BRUSH, "heals", 96 if quick else 1000, _brushed(organism))
    for name in STANDARD:
        yield Check(f"{name} cut out" if name == "centre" else f"{name} half", "heals", few // 4, _cut(organism, name))
    for strength in (0.2,) if quick else STRENGTHS:
        yield Check(f"noise {strength:.0%}", "heals", few, _cut(organism, f"noise({strength})"))
    for share in (0.2,) if quick else STRENGTHS:
        yield Check(f"speckle {share:.0%}", "heals", few, _cut(organism, f"speckle({share})"))
    yield Check("hidden channels, strokes", "heals", few, _hidden(organism, brushed=True))
    if not quick:
        yield Check("hidden channels, all cells", "heals", few, _hidden(organism, brushed=False))
    yield Check(f"strokes twice, {PAUSE} steps apart", "heals", few, _twice(organism), age=AGE + PAUSE)
    for share in (0.1,) if quick else FRAGMENTS:
        yield Check(f"{share:.0%} of the body left", "fragment", few, _fragment(organism, share))


def brush(organism: Organism, x: State, first: int, seed: int) -> Mask:
    """Masks of strokes `(b, 1, h, w)` on bodies of which the first has the number `first`.

    Strokes that leave fewer than 12 living cells, or than half of a body of fewer than 24, are drawn again, up to 16
    times; then those that leave most are taken.
    """
    alive = organism.alive(x)
    gone = torch.zeros_like(alive)[:, None]
    for k, body in enumerate(alive):
        least = min(LEFT, int(body.sum()) // 2)
        best = -1
        for attempt in range(TRIES):
            u = uniform(derive(seed, first + k, attempt), 0, (1, 1, DRAWN))[0]
            mask = strokes(body[None], u)[0]
            left = int((body & ~mask[0]).sum())
            if left > best:
                best, gone[k] = left, mask
            if left >= least:
                break
    return gone


def erased(organism: Organism, x: State, gone: Mask, channels: slice | None = None) -> State:
    """Bodies without what lies under masks `gone`; of `channels` alone where they are given."""
    y = x.clone()
    where = slice(0, x.shape[1] - organism.layout.frozen) if channels is None else channels
    y[:, where] = torch.where(gone, 0.0, y[:, where])
    return y


def _brushed(organism: Organism) -> Begin:
    return lambda x, first, seed: erased(organism, x, brush(organism, x, first, seed))


def _cut(organism: Organism, text: str) -> Begin:
    damage = Damage.parse(text)
    spared = organism.layout.spared(damage.kind)

    def begin(x: State, first: int, seed: int) -> State:
        alive = organism.alive(x)[:, None]
        each = [
            damage.apply(x[k : k + 1], seed=derive(seed, first + k), frozen=spared, alive=alive[k : k + 1])
            for k in range(len(x))
        ]
        return torch.cat(each)

    return begin


def _hidden(organism: Organism, *, brushed: bool) -> Begin:
    hidden = slice(organism.layout.visible, organism.layout.body)

    def begin(x: State, first: int, seed: int) -> State:
        gone = brush(organism, x, first, seed) if brushed else torch.ones_like(x[:, :1], dtype=torch.bool)
        return erased(organism, x, gone, hidden)

    return begin


def _twice(organism: Organism) -> Begin:
    def begin(x: State, first: int, seed: int) -> State:
        once = erased(organism, x, brush(organism, x, first, derive(seed, 1)))
        later = organism.after(once, PAUSE, t=AGE, seed=derive(seed, first))
        return erased(organism, later, brush(organism, later, first, derive(seed, 2)))

    return begin


def _fragment(organism: Organism, share: float) -> Begin:
    def begin(x: State, first: int, seed: int) -> State:
        chosen = [float(uniform(derive(seed, first + k), 0, (1, 1, 1))) for k in range(len(x))]
        kept = [fragment(body, share, u) for body, u in zip(organism.alive(x), chosen, strict=True)]
        return erased(organism, x, ~torch.stack(kept)[:, None])

    return begin
