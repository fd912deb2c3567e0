"""What a task must say. One file a task; the folder is the list."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from planaria.config import TrainConfig
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.types import Cond, PerSample, State


@runtime_checkable
class TaskConfig(Protocol):
    """Every task's `Config` is a frozen dataclass with these two and its own fields, each with its sentence."""

    @property
    def rule(self) -> RuleConfig:
        """What shapes the rule."""
        ...

    @property
    def train(self) -> TrainConfig:
        """How it learns."""
        ...


@dataclass
class Batch:
    """What an iteration starts from."""

    x: State
    """Where the cells start."""
    cond: Cond | None = None
    """What every cell of a sample is told."""
    target: Tensor | None = None
    """What the loss compares with, where it differs between samples."""


class Task(ABC):
    """Start states, a loss, and whatever else teaches one thing. Pure but for its given generators.

    `layout` says what the channels mean; `pool` is how many living samples to keep (0: none). `tensors` are what a
    checkpoint must keep so that the task is the same after its inputs have moved.
    """

    layout: Layout
    pool: int = 0

    def __init__(self, config: Any, device: torch.device, tensors: dict[str, Tensor] | None = None):
        self.config, self.device, self.tensors = config, device, tensors or {}

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Rows and columns of the grid that it is learned on."""

    @abstractmethod
    def fresh(self, n: int, rng: torch.Generator) -> Batch:
        """`n` new samples."""

    @abstractmethod
    def loss(self, x: State, batch: Batch) -> dict[str, PerSample]:
        """Named terms, each `(b,)`; the loop adds them up and ranks samples by the sum."""

    def damage(self, x: State, rng: torch.Generator, progress: float) -> State:  # noqa: ARG002
        """Hurt pool samples, given best last; `progress` is the share of training done. Default: leave them alone."""
        return x

    def wrap(self, rule: Rule) -> nn.Module:
        """The thing to train, of Rule's call signature. Default: the rule itself."""
        return rule

    def measure(self, rule: nn.Module) -> dict[str, float]:  # noqa: ARG002
        """Figures for the model's card, taken once after training. Default: none."""
        return {}
