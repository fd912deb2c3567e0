"""Inheritance: a new rule takes over the weights of a trained one, wherever they mean the same."""

from itertools import accumulate

import torch
from torch import Tensor

from planaria.core.filters import bank, split
from planaria.core.rule import Rule, RuleConfig


@torch.no_grad()
def inherit(rule: Rule, parent: Rule) -> list[str]:
    """Copy into `rule` every matching weight of `parent`; gives a line on each layer.

    Nothing depends on the size of a grid. Channels and neurons are matched by number, the perception by filter and
    channel, so a rule with more neurons or filters begins by doing exactly what its parent does, and one with more
    channels too where they begin empty.
    """
    deep = len(parent.weights) == len(rule.weights)
    pairs = list(zip(rule.weights, parent.weights, strict=False))[: None if deep else 1]
    lines = [] if deep else [f"layers: {len(parent.weights)} there, {len(rule.weights)} here, so only the first fits"]
    for i, (mine, theirs) in enumerate(pairs):
        rows = min(len(mine), len(theirs))
        if i == 0:
            here, there = _columns(rule.config, parent.config)
            mine[:rows, _silent(rule.config, parent.config)] = 0.0
        else:
            here = there = torch.arange(min(mine.shape[1], theirs.shape[1]))
            mine[:rows] = 0.0
        mine[:rows, here] = theirs[:rows, there].to(mine)
        lines.append(_line(f"layer {i + 1}", mine, rows * len(here)))
    for i, (mine, theirs) in enumerate(zip(rule.biases, parent.biases, strict=False)):
        if i < len(pairs):
            rows = min(len(mine), len(theirs))
            mine[:rows] = theirs[:rows].to(mine)
            lines.append(_line(f"bias {i + 1}", mine, rows))
    return lines + _differences(rule.config, parent.config)


def _silent(mine: RuleConfig, theirs: RuleConfig) -> Tensor:
    """Columns of the first layer to silence for old neurons: new filters of old channels.

    New channels hold nothing at first, so reading them changes nothing, and a rule that can't read them can't learn.
    """
    count = len(bank(mine.filters))
    old = {a for a, _ in _kernels(mine.filters, theirs.filters)}
    new = [k for k in range(count) if k not in old]
    channels = range(min(mine.channels, theirs.channels))
    return torch.tensor([channel * count + k for channel in channels for k in new], dtype=torch.int64)


def _columns(mine: RuleConfig, theirs: RuleConfig) -> tuple[Tensor, Tensor]:
    """Matching columns of the first layers: here, and there."""
    here, there = [], []
    f_mine, f_theirs = len(bank(mine.filters)), len(bank(theirs.filters))
    pairs = _kernels(mine.filters, theirs.filters)
    for channel in range(min(mine.channels, theirs.channels)):
        for a, b in pairs:
            here.append(channel * f_mine + a)
            there.append(channel * f_theirs + b)
    for k in range(min(mine.cond, theirs.cond)):
        here.append(mine.channels * f_mine + k)
        there.append(theirs.channels * f_theirs + k)
    return torch.tensor(here, dtype=torch.int64), torch.tensor(there, dtype=torch.int64)


def _kernels(mine: tuple[str, ...], theirs: tuple[str, ...]) -> list[tuple[int, int]]:
    """Indices of the kernels that both have."""
    sizes = [len(bank((name,))) for name in theirs]
    starts = dict(zip(map(split, theirs), accumulate([0, *sizes[:-1]]), strict=True))
    pairs, at = [], 0
    for name in mine:
        count = len(bank((name,)))
        if split(name) in starts:
            pairs += [(at + k, starts[split(name)] + k) for k in range(count)]
        at += count
    return pairs


def _line(what: str, mine: Tensor, copied: int) -> str:
    return f"{what}: {copied:,} of {mine.numel():,} weights reused"


def _differences(mine: RuleConfig, theirs: RuleConfig) -> list[str]:
    """Settings that change the effect of the reused weights."""
    names = ("activation", "bias", "fire_rate", "dt", "edge", "life", "life_edge", "blurs", "filters")
    return [
        f"{name}: {getattr(theirs, name)} there, {getattr(mine, name)} here"
        for name in names
        if getattr(mine, name) != getattr(theirs, name)
    ]
