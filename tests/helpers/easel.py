"""Repainting models that tests share: they move what is shown towards the photo in other colours, and stay there."""

from pathlib import Path

import torch

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig

SWAP = [2, 0, 1]
"""Where each colour of the photo goes."""


def painter(shifts: tuple[int, ...] = ()) -> tuple[Rule, Layout]:
    """Every step goes a quarter of the way from what is shown to the photo with its colours swapped."""
    layout = Layout(3, alpha=None, hidden=4, frozen=3 + 2 * len(shifts), offset=0.5, shifts=shifts)
    rule = Rule(
        RuleConfig(
            channels=layout.channels, filters=("identity",), hidden=(), bias="none", fire_rate=1.0, edge="circular",
            life="none", frozen=layout.frozen,
        )
    )  # fmt: skip
    with torch.no_grad():
        w = rule.weights[0].view(7, layout.channels)
        for k, other in enumerate(SWAP):
            w[k, k], w[k, 7 + other] = -0.25, 0.25
        for k in range(3, 7):
            w[k, k] = -0.25
    return rule.requires_grad_(False), layout


def photo(size: tuple[int, int] = (12, 16)) -> torch.Tensor:
    """A photo of 8 bits, `(3, h, w)`."""
    rng = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (3, *size), generator=rng).float() / 255


def save(
    path: Path,
    rule: Rule | None = None,
    layout: Layout | None = None,
    *,
    size: tuple[int, int] = (12, 16),
    own: bool = True,
) -> torch.Tensor:
    """Write a repainting model of `size`, with a photo of its `own`; gives that photo."""
    if rule is None or layout is None:
        rule, layout = painter()
    card = {"task": "style", "name": path.stem, "trained": 5, "grid": list(size), "config": {"style": "gogh.jpg"}}
    store.save(path, rule, layout, card, start=photo(size)[None] if own else None)
    return photo(size)
