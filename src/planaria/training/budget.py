"""Budget: how many iterations fit into `train.minutes` here, measured on a training that is thrown away."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch

from planaria import store, tasks
from planaria.engine.context import shown
from planaria.errors import UserError
from planaria.tasks.base import Task, TaskConfig
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer

PROBES = (0.0, 0.3, 0.6, 1.0)
"""Points at which iterations are timed, as shares of the training."""
FEWEST, MOST = 2, 50
"""Iterations that are timed at each of them, one before these aside."""
SHARE = 1 / 200
"""Share of the budget after which `FEWEST` are enough."""
LONGEST = 1 / 20
"""Share of the budget after which any number is."""
LEAST = 10
"""Fewest iterations that are worth a training."""
FINE = 10**6
"""Iterations of the training that is thrown away, were it done: some more of them change nothing in its progress."""
STILL = 1e-12
"""Its learning rate: weights that explode would make cells die, and iterations of dead cells are short."""
POINTS = 200
"""Points at which the time of an iteration is added up."""


@dataclass(frozen=True)
class Cost:
    """Time that the parts of a training take, in seconds."""

    seconds: tuple[float, ...]
    """An iteration of the length that is expected there, at each of `PROBES`."""
    length: Callable[[float], float]
    """Progress -> expected cell steps of an iteration."""
    warmup: int = 0
    """First iterations, which lengthen from a quarter to their full length."""
    validation: float = 0.0
    validate: int = 0
    """Iterations between validations; 0: there are none."""
    saving: float = 0.0
    checkpoint: int = 100
    """Iterations between checkpoints."""

    def total(self, steps: int) -> float:
        """Time of a training of `steps` iterations."""
        progress = (np.arange(POINTS) + 0.5) / POINTS
        at, lengths = np.array([self.length(p) for p in PROBES]), np.array([self.length(p) for p in progress])
        first, slope = _line(at, np.maximum(self.seconds, 1e-9))
        factor = np.interp(progress, PROBES, np.maximum(self.seconds, 1e-9) / (first + slope * at))
        grown = 0.25 + 0.75 * np.minimum(1, progress * steps / self.warmup) if self.warmup else 1.0
        each = factor * (first + slope * lengths * grown)
        validations = steps // self.validate if self.validate else 0
        saved = -(-steps // self.checkpoint)
        return float(steps * each.mean() + validations * self.validation + saved * self.saving)

    def fitting(self, seconds: float) -> int:
        """Most iterations that a training of this time has room for, up to 10**9."""
        low, high = 0, 10**9
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.total(middle) <= seconds else (low, middle - 1)
        return low


def fitted(name: str, config: Any, ranks: Ranks) -> TaskConfig:
    """`config` of the task `name` with the iterations that fit into its minutes, less those that measuring takes.

    All processes call it together, and the first one decides. Raises `UserError` where too few fit.
    """
    begun = perf_counter()
    cost = _measured(name, config, ranks)
    left = 60 * config.train.minutes - (perf_counter() - begun)
    steps = ranks.any(cost.fitting(left) if ranks.writes else 0)
    if steps < LEAST:
        raise UserError(
            f"train.minutes={config.train.minutes:g}: an iteration takes {max(cost.seconds):.2g} s here, so {steps} "
            "fit; give it more minutes, or take fewer cells or samples",
            "train.minutes",
        )
    return replace(config, train=replace(config.train, steps=steps, minutes=0.0))


def _measured(name: str, config: TaskConfig, ranks: Ranks) -> Cost:
    """Time what a training with this config takes, on one that nobody sees."""
    settings = config.train
    task: Task = tasks.load(name).Task(config, ranks.device, None)
    trainer = _scratch(task, config, ranks)
    seconds = tuple(_iteration(trainer, progress) for progress in PROBES)
    begun = perf_counter()
    if settings.validate:
        with torch.no_grad():
            task.validate(trainer.model)
    validated = perf_counter()
    tensors, _ = trainer.state()
    if ranks.writes:
        with TemporaryDirectory(prefix="planaria-") as folder:
            store.write_tensors(Path(folder) / "checkpoint.safetensors", tensors, {})
    return Cost(
        seconds, lambda progress: _expected(trainer, progress), settings.warmup, validated - begun, settings.validate,
        perf_counter() - validated, settings.checkpoint,
    )  # fmt: skip


def _scratch(task: Task, config: Any, ranks: Ranks) -> Trainer:
    """Trainer of an untrained rule; where shapes grow, of grown ones: time goes with the cells that live."""
    grows = task.layout.alpha is not None and "target" in task.tensors
    if grows and not task.pool:
        task.pool = config.train.batch
    settings = replace(config.train, steps=FINE, validate=0, guardian=False, lr=STILL)
    trainer = Trainer(task, replace(config, train=settings), ranks)
    if grows and trainer.pool is not None:
        x, target = trainer.pool.x, task.tensors["target"].to(trainer.pool.x)
        if target.shape == (task.layout.visible, *x.shape[2:]):
            trainer.pool.x = shown(task.layout, target.expand(len(x), -1, -1, -1), x)
    return trainer


def _iteration(trainer: Trainer, progress: float) -> float:
    """Time an iteration of the length that is expected at this point of the training."""
    budget = 60 * trainer.settings.minutes
    trainer.step_count = round(progress * FINE)  # each iteration counts on: other samples, other lengths
    times: list[float] = []
    lengths: list[int] = []

    def lacks() -> bool:
        few = len(times) <= FEWEST or (len(times) <= MOST and sum(times[1:]) < SHARE * budget)
        return few and sum(times) <= LONGEST * budget

    while trainer.ranks.any(int(lacks())):
        begun = perf_counter()
        lengths.append(trainer.step().rollout)
        trainer.learned[0].detach().sum().item()  # a GPU has done it then
        times.append(perf_counter() - begun)
    return sum(times[1:] or times) / sum(lengths[1:] or lengths) * _expected(trainer, progress)


def _expected(trainer: Trainer, progress: float) -> float:
    """Mean cell steps of an iteration."""
    return sum(trainer.task.length(drawn, progress) for drawn in trainer.settings.rollout) / 2


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Start and slope, neither negative, of the line through points; through 0 where all have one `x`."""
    middle = x - x.mean()
    if not middle.any():
        return 0.0, float(y.mean() / x.mean())
    slope = max(0.0, float((middle * y).sum() / (middle * middle).sum()))
    start = float(y.mean() - slope * x.mean())
    return (start, slope) if start >= 0 else (0.0, float(y.mean() / x.mean()))
