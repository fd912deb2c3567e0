"""Video models whose weights are known, and films whose errors are."""

import torch

from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig

SHIFT = Layout(visible=1, alpha=None, hidden=0)
MEMORY = Layout(visible=1, alpha=None, hidden=1)


def shifting(frames: int = 20, h: int = 6, w: int = 12) -> torch.Tensor:
    """A white column on black that moves one cell to the right each frame, on a torus: `(frames, 1, h, w)`."""
    film = torch.zeros(frames, 1, h, w)
    for k in range(frames):
        film[k, 0, :, k % w] = 1
    return film


def shift(layout: Layout = SHIFT) -> Rule:
    """A rule that moves its picture one cell to the right in a step."""
    c = layout.channels
    rule = Rule(
        RuleConfig(channels=c, filters=("learned",), hidden=(), fire_rate=1.0, life="none", edge="circular"),
    )
    with torch.no_grad():
        weight = rule.weights[0].view(c, c, 9)
        for k in range(layout.visible):
            weight[k, k, 3], weight[k, k, 4] = 1, -1  # the cell to the left, instead of the cell itself
    return rule.requires_grad_(False)


def memory() -> Rule:
    """A rule that goes on in a line: its hidden channel keeps the last picture, `x' = 2x - last`."""
    rule = Rule(
        RuleConfig(channels=2, filters=("identity",), hidden=(), fire_rate=1.0, life="none", edge="circular"),
    )
    with torch.no_grad():
        rule.weights[0].copy_(torch.tensor([[1.0, -1.0], [1.0, -1.0]]))
    return rule.requires_grad_(False)


def still(layout: Layout = SHIFT) -> Rule:
    """A rule that lets nothing happen."""
    config = RuleConfig(channels=layout.channels, filters=("identity",), hidden=(), fire_rate=1.0, life="none")
    return Rule(config).requires_grad_(False)
