"""Rules and states that tests share: random weights and biases (zero ones sit on ReLU's corner), life on the brink."""

import torch

from planaria.core.rule import Rule, RuleConfig


def rule(spread: float = 0.15, **settings) -> Rule:
    """A float64 rule with every weight and bias drawn at random."""
    r = Rule(RuleConfig(**{"channels": 6, "hidden": (8,), **settings})).double()
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in r.parameters():
            p.copy_(torch.randn(p.shape, generator=rng, dtype=torch.double) * spread)
    return r


def brink(b: int = 2, c: int = 6, h: int = 6, w: int = 7, seed: int = 1) -> torch.Tensor:
    """Random float64 states: mostly on the brink of death, with a living block."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(b, c, h, w, generator=rng, dtype=torch.double) * 0.11
    x[..., 1:4, 2:5] = torch.rand(b, c, *x[0, 0, 1:4, 2:5].shape, generator=rng, dtype=torch.double)
    return x
