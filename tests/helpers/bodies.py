"""Bodies to examine: a disc under rules that are known to the last digit."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.evaluate import health
from planaria.evaluate.health import Organism
from planaria.evaluate.health.finding import seeds

LAYOUT = Layout(visible=4, alpha=3, hidden=4)
SIZE = (24, 20)


def disc(size: tuple[int, int] = SIZE, radius: float = 9) -> torch.Tensor:
    """A picture `(4, h, w)` of an opaque disc of one colour, in the middle."""
    h, w = size
    y, x = torch.meshgrid(torch.arange(h) - h // 2, torch.arange(w) - w // 2, indexing="ij")
    return (x * x + y * y < radius**2).float() * torch.tensor([0.8, 0.2, 0.4, 1.0])[:, None, None]


def linear(growth: float, **settings) -> Rule:
    """A rule by which every value changes by `growth` times itself, in every cell that fires."""
    given = {"filters": ("identity",), "hidden": (), "bias": "none", **settings}
    rule = Rule(RuleConfig(channels=8, **given)).requires_grad_(False)
    rule.weights[0].copy_(growth * torch.eye(8))
    return rule


def still(**settings) -> Organism:
    """A disc that stays as it is, whatever is done to it."""
    rule = linear(0.0, **settings)
    return Organism("still", rule, LAYOUT, SIZE, seeds(rule, LAYOUT), disc(), "a disc")


def grown(n: int) -> torch.Tensor:
    """States `(n, 8, h, w)` that show the disc, its hidden channels 0.5 in the body."""
    x = LAYOUT.embed(disc(), n)
    x[:, 4:] = 0.5 * disc()[3]
    return x


def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates have every check, but of two bodies and two steps, and a short long life."""
    extent = health.Extent(2, 1, (1000, 1002), 4)
    for name in ("FULL", "QUICK"):
        monkeypatch.setattr(health, name, extent)
    for part in (health.heals, health.bears):
        monkeypatch.setattr(part, "checks", _shortened(part.checks))


def _shortened(checks):
    def short(*given, **more) -> Iterator[health.trial.Check]:
        return (replace(check, bodies=2, steps=2) for check in checks(*given, **more))

    return short
