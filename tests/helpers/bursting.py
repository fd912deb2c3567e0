"""Models that tests share whose lives go wrong: one bursts, one dies out."""

from pathlib import Path

import torch

from helpers import films
from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig

GROWS = 1.5
"""What a bursting rule multiplies every number with, a step."""


def bursting(visible: int = 1) -> Rule:
    """A video model's rule under which every number grows by half in each step."""
    rule = films.drift(visible)
    with torch.no_grad():
        rule.weights[0].zero_()
        felt = rule.weights[0].view(rule.config.channels, rule.config.channels, 9)
        for k in range(rule.config.channels):
            felt[k, k, films.HERE] = GROWS - 1
    return rule


def fading(channels: int = 6) -> Rule:
    """A rule of living cells under which every number halves in each step, so that all die."""
    rule = Rule(RuleConfig(channels=channels, filters=("identity",), hidden=(), bias="none", fire_rate=1.0))
    with torch.no_grad():
        rule.weights[0].copy_(-0.5 * torch.eye(channels))
    return rule.requires_grad_(False)


def save_fading(path: Path) -> None:
    """Write a model that dies out by its fourth step."""
    store.save(path, fading(), Layout(hidden=2), {"name": path.stem, "grid": [9, 9]})


def save_stopped(folder: Path, done: int = 68, whole: int = 1200, visible: int = 3) -> Path:
    """Write the run folder of a bursting video model that was stopped early; gives it."""
    folder.mkdir(parents=True)
    path = folder / "model.safetensors"
    films.save(path, bursting(visible), visible=visible)
    rule, layout = store.load(path)
    card = store.card(path)
    card = card.changed(trained=done, config={**card.config.json, "train": {"steps": whole}})
    store.save(path, rule, layout, card, start=store.start(path))
    (folder / "checkpoint.safetensors").touch()
    return folder
