"""Video models that tests share: a film that drifts to the right, and the rule that goes on with it exactly."""

from pathlib import Path

import torch

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig

LEFT, HERE = 3, 4
"""Which of the nine learned kernels feels the cell to the left, and the cell itself."""


def drift(visible: int = 1, hidden: int = 1) -> Rule:
    """Every step moves the picture one cell to the right, round the torus; hidden channels hold what it was before."""
    channels = visible + hidden
    rule = Rule(
        RuleConfig(
            channels=channels, filters=("learned",), hidden=(), bias="none", fire_rate=1.0, edge="circular", life="none"
        )
    )
    with torch.no_grad():
        w = rule.weights[0].view(channels, channels, 9)
        for k in range(visible):
            w[k, k, LEFT], w[k, k, HERE] = 1.0, -1.0
        for k in range(visible, channels):
            w[k, (k - visible) % visible, HERE], w[k, k, HERE] = 1.0, -1.0
    return rule.requires_grad_(False)


def film(n: int = 3, visible: int = 1, size: tuple[int, int] = (10, 14), frame: int = 2) -> torch.Tensor:
    """`n` frames `(n, visible, h, w)` of 8 bits, each `frame` cells farther to the right."""
    rng = torch.Generator().manual_seed(7)
    first = torch.randint(0, 256, (visible, *size), generator=rng).float() / 255
    return torch.stack([first.roll(k * frame, -1) for k in range(n)])


def save(
    path: Path, rule: Rule | None = None, *, visible: int = 1, n: int = 3, size: tuple[int, int] = (10, 14),
    frame: int = 2, offset: float = 0.0, solver: str = "euler",
) -> torch.Tensor:  # fmt: skip
    """Write a video model that begins with a film's first `n` frames; gives them."""
    rule = rule or drift(visible)
    layout = Layout(visible, None, rule.config.channels - visible, offset=offset)
    frames = film(n, visible, size, frame)
    card = {
        "task": "video", "name": path.stem, "trained": 5, "grid": list(size), "length": 10 * frame,
        "frame": {"steps": frame, "solver": solver}, "config": {"frames": "sim:lenia", "context": n}, "figures": {},
    }  # fmt: skip
    store.save(path, rule, layout, card, start=frames)
    return frames
