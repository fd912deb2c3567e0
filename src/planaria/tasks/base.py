"""What a task must say. One file a task; the folder is the list."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from planaria.commands import command
from planaria.config import TrainConfig, to_dict
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.data.images import name_of
from planaria.engine import run
from planaria.errors import UserError
from planaria.store.cards import Card
from planaria.tasks.about import Form, Leaves, Life, Need, Words
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
    """A vector that every cell of a sample reads."""
    target: Tensor | None = None
    """What the loss compares with, where it differs between samples."""
    at: Tensor | None = None
    """How old each sample is, `(b,)` int64, in what the task counts; kept in the pool."""


class Task(ABC):
    """Start states, a loss, and whatever else teaches one thing. Pure but for its given generators.

    `layout` says what the channels mean; `pool` is how many living samples to keep (0: none). `tensors` are what a
    checkpoint must keep so that the task is the same after its inputs have moved.
    """

    layout: Layout
    pool: int = 0
    start: Tensor | None = None
    """Frames `(n, visible, h, w)` that a life of the model begins with; the seed cell where None."""

    keeps: ClassVar[Mapping[str, tuple[torch.dtype, int]]] = {}
    """Tensors that a checkpoint keeps for it -> their kind and dimensions."""

    form: ClassVar[Form] = Form()
    """How the studio asks for it."""
    judged: ClassVar[Literal["measure", "prediction", "painting"]] = "measure"
    """What `planaria eval` measures: what `measure` does, or how it goes on with a film, or how it paints."""

    @classmethod
    def needs(cls, config: Any) -> Iterator[Need]:  # noqa: ARG003
        """What a training with this config opens, so that it can be tried first, and downloaded. Default: nothing."""
        yield from ()

    @classmethod
    def named(cls, config: Any) -> str:
        """What a run is called after its inputs."""
        source = str(to_dict(config).get(cls.form.source) or "")
        return _name_of(source) if source else "run"

    @classmethod
    def words(cls, card: Card) -> Words:
        """What a run's README says, by the card of its model."""
        source, run = card.config.json.get(cls.form.source), f"runs/{card.name}"
        return Words(
            f"grows {source}" if source else f"was trained for {card.task}",
            (command("run", run, "-o", Path(f"{card.name}.gif"), "--steps", 300, "--erase", "left@150"),),
            (
                f"rule, layout = {loading(run)}",
                f"x = pl.run(rule, layout.seed(1, {card.grid}), steps=200, seed=7)",
            ),
            "`target.png`",
            "wound it",
        )

    def leaves(self) -> Leaves:
        """What its run leaves to look at."""
        return Life()

    def __init__(self, config: Any, device: torch.device, tensors: dict[str, Tensor] | None = None):
        self.config, self.device, self.tensors = config, device, tensors or {}
        self.remarks: list[str] = []
        """What a person should know of its inputs before they are learned, a sentence each."""
        for name, tensor in self.tensors.items():
            kind, sides = self.keeps.get(name, (tensor.dtype, tensor.ndim))
            if tensor.dtype != kind or tensor.ndim != sides or not bool(tensor.isfinite().all()):
                kind = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
                raise UserError(f"the checkpoint is damaged: its {name!r} is {kind}, or holds what is no number")

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Rows and columns of the grid that it is learned on."""

    @abstractmethod
    def fresh(self, n: int, rng: torch.Generator) -> Batch:
        """`n` new samples."""

    @abstractmethod
    def live(
        self, rule: nn.Module, batch: Batch, steps: int, *, seed: int, progress: float
    ) -> tuple[State, dict[str, PerSample]]:
        """Live one iteration: the last state, and the named terms of its loss, each `(b,)`, which the loop adds up.

        What it leaves in `batch.at` is kept in the pool. `progress` is the share of training done.
        """

    @abstractmethod
    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:
        """What an iteration makes of samples `old` from the pool and as many `new` ones.

        Also which of the old ones each sample's end takes the place of, `(b,)`, -1 where it is none.
        """

    def length(self, drawn: int, progress: float) -> int:  # noqa: ARG002
        """Cell steps of an iteration; `drawn` is of `train.rollout`, `progress` the share of training done."""
        return drawn

    def init(self, seed: int) -> Rule:
        """The rule before its first iteration. Default: drawn as the settings shape it."""
        return Rule(self.config.rule, seed=seed)

    def wrap(self, rule: Rule) -> nn.Module:
        """The thing to train, of Rule's call signature. Default: the rule itself."""
        return rule

    def validate(self, rule: nn.Module) -> float | None:  # noqa: ARG002
        """How wrong the rule is on what it was not trained on, lower is better; None where nothing is held out."""
        return None

    def card(self) -> dict[str, Any]:
        """What else a model's card says: JSON values only."""
        return {}

    def measure(self, rule: nn.Module) -> dict[str, float]:  # noqa: ARG002
        """Figures for the model's card, taken once after training. Default: none."""
        return {}


def loading(run: str) -> str:
    """The Python that loads a run's model."""
    return f"pl.load({json.dumps(run, ensure_ascii=False)})"


def _name_of(source: str) -> str:
    """A name after a source: of a folder its own, of a simulator what follows `sim:`."""
    if source.startswith("sim:"):
        return name_of(f"text:{source.removeprefix('sim:')}")
    if Path(source).is_dir():
        source = Path(source).resolve().name or source
    return name_of(source)


class Goal(Task):
    """A task whose loss looks at where a roll-out ends."""

    renewed: int = 1
    """Samples of a batch that give their places to new ones."""

    @abstractmethod
    def loss(self, x: State, batch: Batch) -> dict[str, PerSample]:
        """Named terms, each `(b,)`; the loop adds them up and ranks samples by the sum."""

    def damage(self, x: State, rng: torch.Generator, progress: float) -> State:  # noqa: ARG002
        """Hurt pool samples, given best last; `progress` is the share of training done. Default: leave them alone."""
        return x

    def live(
        self,
        rule: nn.Module,
        batch: Batch,
        steps: int,
        *,
        seed: int,
        progress: float,  # noqa: ARG002
    ) -> tuple[State, dict[str, PerSample]]:
        """`steps` cell steps, and the loss of where they end."""
        y = run(rule, batch.x, steps, seed=seed, cond=batch.cond, engine=self.config.train.engine)
        return y, self.loss(y, batch)

    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:
        """The old ones, worst first: the worst `renewed` give their places to new ones, the best are damaged."""
        with torch.no_grad():
            each = torch.stack(list(self.loss(old.x, old).values())).sum(0)
        order = each.nan_to_num(torch.inf).argsort(descending=True, stable=True)
        n = self.renewed
        x = torch.cat([new.x[:n], self.damage(old.x[order][n:], rng, progress)])
        return Batch(x, new.cond, new.target), order
