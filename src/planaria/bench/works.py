"""Workloads to time: rules and states made by code, random only by a fixed seed."""

import dataclasses
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from planaria import engine, store
from planaria.core.filters import bank
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig, shapes


@dataclass(frozen=True)
class Work:
    """Workload that every engine runs."""

    name: str
    """Name on the command line."""
    about: str
    """Description in one line."""
    config: RuleConfig = RuleConfig()
    """Settings of the rule."""
    size: tuple[int, int] = (72, 72)
    """Rows and columns of the grid."""
    batch: int = 8
    """Samples."""
    steps: int = 64
    """Cell steps of one roll-out."""
    trains: bool = True
    """True for forward and backward; false for forward alone."""
    single: bool = False
    """True for one call a step, as in a live world; false for one call for all steps."""
    start: Literal["disc", "seed", "noise", "model"] = "disc"
    """Initial state: a living disc, a seed cell, life everywhere, or the grown state of a model."""
    radius: int = 20
    """Radius of the disc, in cells."""
    model: str = ""
    """Path of the model whose rule this is; empty for a rule made here."""

    @property
    def cells(self) -> int:
        """Cell steps in one roll-out."""
        return self.batch * prod(self.size) * self.steps

    @property
    def flops(self) -> int:
        """Floating-point operations of one roll-out where every cell computes everything; a backward counts twice."""
        perception = self.config.channels * sum(max(9, int(k.count_nonzero())) for k in bank(self.config.filters))
        network = sum(prod(shape) for name, shape in shapes(self.config).items() if name.startswith("weights"))
        return 2 * (perception + network) * self.cells * (3 if self.trains else 1)

    def scaled(self, scale: float) -> "Work":
        """Same workload, smaller in every dimension."""
        height, width = (max(8, round(n * scale)) for n in self.size)
        return dataclasses.replace(
            self,
            size=(height, width),
            steps=max(2, round(self.steps * scale)),
            radius=max(2, round(self.radius * scale)),
        )


_TEXTURE = RuleConfig(
    channels=12, hidden=(96,), filters=("identity", "sobel", "laplacian"), edge="circular", life="none"
)
_WORKS = (
    Work("classic", "training step on grown patterns"),
    Work("seed", "training step from single cells", start="seed"),
    Work("inference", "a living disc in a large empty grid", size=(256, 256), batch=1, trains=False),
    Work("texture", "training step where every cell lives", _TEXTURE, (128, 128), 4, 32, start="noise"),
    Work("tick", "step by step, as in a live world", batch=1, trains=False, single=True),
)


def known(model: Path | None = None) -> dict[str, Work]:
    """Name -> workload: planaria's own, or training and running one model at its trained size."""
    if model is None:
        return {work.name: work for work in _WORKS}
    rule, _ = store.load(model)
    trained = Work(
        "training", "training step on grown patterns", rule.config, store.trained_size(model), start="model",
        model=str(model),
    )  # fmt: skip
    running = dataclasses.replace(trained, name="inference", about="one grown pattern lives on", batch=1, trains=False)
    return {work.name: work for work in (trained, running)}


def make(work: Work, device: torch.device) -> tuple[Rule, Tensor]:
    """Rule of a workload and its initial state `(b, c, h, w)`."""
    if work.model:
        rule, layout = store.load(work.model, device=device)
        with torch.no_grad():
            x = engine.run(rule, layout.seed(work.batch, work.size).to(device), 96)
        return rule.requires_grad_(work.trains), x
    rng = torch.Generator().manual_seed(3)
    rule = Rule(work.config)
    with torch.no_grad():
        last = rule.weights[-1]
        last.copy_(torch.randn(last.shape, generator=rng) * 0.002)
        if work.start == "seed":
            _make_grow(rule)
    if work.start == "seed":
        x = Layout().seed(work.batch, work.size)
    else:
        x = torch.rand(work.batch, work.config.channels, *work.size, generator=rng)
    if work.start == "disc":
        row, column = (torch.arange(n) - n // 2 for n in work.size)
        x = x * (row[:, None].square() + column.square() <= work.radius**2)
    return rule.to(device), x.to(device)


def alive(work: Work, device: torch.device) -> float:
    """Share of cells near living ones, mean over a roll-out; 1 where nothing dies."""
    if work.config.life == "none":
        return 1.0
    rule, x = make(work, device)
    with torch.no_grad():
        states = [x, *engine.unroll(rule, x, work.steps, every=max(1, work.steps // 8))]
        return torch.stack([rule.alive(x).float().mean() for x in states]).mean().item()


def _make_grow(rule: Rule) -> None:
    """Make life spread as under a trained rule: one cell in three steps, to a disc of 40 cells after 64.

    Six of the hidden neurons work the life channel. Four see a neighbour's life by its slope, wherever a cell has less
    of its own, and light it; two let it burn up to 0.95 and hold it there.
    """
    first, last, bias = rule.weights[0], rule.weights[-1], rule.biases[0]
    life = rule.config.life_channel
    here, across, down = (life * len(rule.kernels) + f for f in range(3))
    last[life] = 0
    sparks = [(tap, sign, -0.5, -0.02, 0.8) for tap in (across, down) for sign in (1.0, -1.0)]
    burning = [(here, 1.0, 1.0, -0.05, 0.5), (here, 1.0, 1.0, -0.5, -1.0)]
    for neuron, (tap, sign, own, threshold, push) in enumerate(sparks + burning):
        first[neuron] = 0
        first[neuron, here] = own
        first[neuron, tap] = sign
        bias[neuron] = threshold
        last[life, neuron] = push
