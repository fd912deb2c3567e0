"""The smallest thing that really trains: an 8-cell lizard, in a second."""

import dataclasses

from planaria.config import TrainConfig
from planaria.core.rule import RuleConfig
from planaria.tasks.grow import Config

TINY = Config(
    picture="lizard",
    size=8,
    padding=2,
    regime="regenerate",
    rule=RuleConfig(channels=8, hidden=(16,)),
    train=TrainConfig(steps=12, batch=4, pool=12, rollout=(6, 10), checkpoint=3),
)
WORDS = ["picture=lizard", "size=8", "padding=2", "rule.channels=8", "rule.hidden=16"] + [
    f"train.{name}={value}" for name, value in (("batch", 4), ("pool", 12), ("rollout", "6,10"), ("checkpoint", 3))
]
"""The same, as a person types it."""


def tiny(train: dict | None = None, **settings) -> Config:
    """The tiny config with other settings."""
    return dataclasses.replace(TINY, train=dataclasses.replace(TINY.train, **(train or {})), **settings)
