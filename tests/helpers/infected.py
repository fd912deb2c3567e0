"""A host and an infection small enough for every test: an 8-cell body that stands still, and what takes it over."""

from pathlib import Path

import torch

from planaria import store
from planaria.core.infection import Spread, combine, infectable
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig

LAYOUT = Layout(4, 3, hidden=4)
CONFIG = RuleConfig(channels=8, hidden=(12,))
CARD = {"grid": [12, 12], "task": "grow"}


def host() -> Rule:
    """A rule that grows a block of full colour from a seed and keeps it: life spreads until it is 1."""
    rule = Rule(CONFIG)
    with torch.no_grad():
        for p in rule.parameters():
            p.zero_()
        rule.weights[0][0, 3 * 3], rule.biases[0][0] = -1.0, 1.0  # what is lacking to a life of 1
        rule.weights[1][3, 0] = rule.weights[1][0, 0] = 1.0
    return rule


def virus() -> Rule:
    """One that turns red into green, a tenth at a time."""
    rule = host()
    with torch.no_grad():
        rule.weights[0][1, 0] = 1.0
        rule.weights[1][0, 1], rule.weights[1][1, 1] = -0.1, 0.1
    return rule


def save(folder: Path, spread: Spread | None = None) -> tuple[Path, Path, Path]:
    """`host.safetensors`, `virus.safetensors` and `ill.safetensors`, which holds both."""
    spread = spread or Spread()
    paths = tuple(folder / f"{name}.safetensors" for name in ("host", "virus", "ill"))
    store.save(paths[0], host(), LAYOUT, {**CARD, "name": "host"})
    store.save(paths[1], virus(), LAYOUT, {**CARD, "name": "virus"})
    ill = {**CARD, "name": "ill", "task": "infect", "config": {"share": 0.25}}
    store.save(paths[2], combine(host(), virus(), spread), infectable(LAYOUT, spread), ill)
    return paths
