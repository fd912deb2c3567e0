"""Repainting models that tests share: made by hand, or of random weights that stay bounded for some steps."""

from pathlib import Path

import torch

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig

FILTERS = ("identity", "sobel", "laplacian")


def painter(
    *, shifts: tuple[int, ...] = (), seed: int = 3, spread: float = 0.1, photo: int = 3, **settings
) -> tuple[Rule, Layout]:
    """A float64 rule of random weights that reads a photo, and its layout."""
    far = 2 * len(shifts)
    layout = Layout(3, alpha=None, hidden=12 - far, frozen=photo + far, offset=0.5, shifts=shifts)
    rest = {"filters": FILTERS, "hidden": (10, 7), "bias": "all", "fire_rate": 1.0, "life": "none", "edge": "circular"}
    rule = Rule(RuleConfig(**{"channels": layout.channels, "frozen": layout.frozen, **rest, **settings})).double()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in rule.parameters():
            p.copy_(torch.randn(p.shape, generator=rng, dtype=torch.double) * spread)
    return rule.requires_grad_(False), layout


def follower(pace: float = 0.25) -> tuple[Rule, Layout]:
    """A rule whose visible cells go a share `pace` of the way to the photo's negative in every step."""
    layout = Layout(3, alpha=None, hidden=1, frozen=3, offset=0.5)
    config = RuleConfig(
        channels=7, filters=("identity",), hidden=(), bias="none", fire_rate=1.0, life="none", edge="circular", frozen=3
    )
    rule = Rule(config)
    with torch.no_grad():
        for k in range(3):
            rule.weights[0][k, k], rule.weights[0][k, 4 + k] = -pace, -pace
    return rule.requires_grad_(False), layout


def weaver() -> tuple[Rule, Layout]:
    """A random texture: cells that fire, half of them in a step, grow a little brighter, and blue."""
    layout = Layout(3, alpha=None, hidden=2, frozen=0, offset=0.5)
    config = RuleConfig(
        channels=5, filters=("identity", "mean@2"), hidden=(), bias="all", fire_rate=0.5, life="none", edge="circular"
    )
    rule = Rule(config)
    with torch.no_grad():
        rule.biases[0][0], rule.biases[0][2] = 0.02, 0.05
        rule.weights[0][1, 1] = 0.5  # green spreads from red
    return rule.requires_grad_(False), layout


def save(path: Path, made: tuple[Rule, Layout], task: str = "style") -> Path:
    """Write a model file that says what it is for."""
    rule, layout = made
    store.save(path, rule.float(), layout, {"task": task, "name": path.stem, "grid": [32, 32], "config": {}})
    return path


def scene(h: int = 19, w: int = 23, planes: int = 3, seed: int = 5) -> torch.Tensor:
    """A photo `(planes, h, w)` of 8 bits, soft colours with some grain."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, planes, 4, 5, generator=rng, dtype=torch.double)
    soft = torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear")[0]
    grain = torch.rand(planes, h, w, generator=rng, dtype=torch.double)
    return (soft * 0.9 + grain * 0.1).mul(255).round().byte()
