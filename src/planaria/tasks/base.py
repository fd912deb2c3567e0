"""Base of all tasks: the members that each must define. One file a task; the folder is the list."""

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
from planaria.tasks.about import Body, Form, Leaves, Life, Need, View, Words
from planaria.types import Cond, PerSample, State


@runtime_checkable
class TaskConfig(Protocol):
    """Every task's `Config` is a frozen dataclass with these two and its own fields, each with its sentence."""

    @property
    def rule(self) -> RuleConfig:
        """Parameters of the rule."""
        ...

    @property
    def train(self) -> TrainConfig:
        """Training parameters."""
        ...


@dataclass
class Batch:
    """Batch of an iteration."""

    x: State
    """Initial states of the cells."""
    cond: Cond | None = None
    """Conditioning vector that every cell of a sample reads."""
    target: Tensor | None = None
    """Target of the loss, where it differs between samples."""
    at: Tensor | None = None
    """Age of each sample, `(b,)` int64, in the task's own unit; kept in the pool."""


class Task(ABC):
    """Start states, a loss, and whatever else one kind of training needs. Pure but for its given generators.

    `layout` assigns the channels; `pool` is the number of living samples to keep (0: none). `tensors` are those that a
    checkpoint must keep so that the task is the same after its inputs have moved.
    """

    layout: Layout
    pool: int = 0
    harder: float = 0.0
    """Share of the training after which its samples are harder, so that the best weights are sought anew."""
    start: Tensor | None = None
    """Frames `(n, visible, h, w)` that a life of the model begins with; the seed cell where None."""

    keeps: ClassVar[Mapping[str, tuple[torch.dtype, int]]] = {}
    """Tensors that a checkpoint keeps for it -> their kind and dimensions."""

    directed: ClassVar[bool] = True
    """True if what is learned always tells left from right and up from down."""
    also: ClassVar[str] = ""
    """Other names of the task, with blanks between and _ for every dash, for whoever mistypes its own."""
    form: ClassVar[Form] = Form()
    """Form for the task in the studio."""
    judged: ClassVar[Literal["measure", "prediction", "painting"]] = "measure"
    """Measure of `planaria eval`: the result of `measure`, the prediction of a video, or the repainting of photos."""

    replaces: ClassVar[tuple[str, str]] = ("", "")
    """Task whose training becomes one of this task, and the word for it: `planaria train TASK ... --as WORD`."""
    takes_over: ClassVar[tuple[str, ...]] = ()
    """Settings that such a training takes over from a recipe of the other task."""

    @classmethod
    def needs(cls, config: Any) -> Iterator[Need]:  # noqa: ARG003
        """Files that a training with this config opens, to be tried first, and downloaded. Default: nothing."""
        yield from ()

    @classmethod
    def chosen(cls, config: Any, before: Mapping[str, Any] | None) -> tuple[Any, list[str]]:  # noqa: ARG003
        """Config with what its inputs decide, and lines about that; as `before`, the settings of the run it resumes.

        Default: the config as it is.
        """
        return config, []

    @classmethod
    def surveyed(cls, config: Any) -> dict[str, Any]:  # noqa: ARG003
        """Arguments with which `choose` looks at its film. Default: none, as it watches none."""
        return {}

    @classmethod
    def named(cls, config: Any) -> str:
        """Name of a run after its inputs."""
        source = str(to_dict(config).get(cls.form.source) or "")
        return _name_of(source) if source else "run"

    @classmethod
    def words(cls, card: Card) -> Words:
        """Texts of a run's README, from the card of its model."""
        source, run = card.config.json.get(cls.form.source), f"runs/{card.name}"
        return Words(
            f"grows {source}" if source else f"was trained for {card.task}",
            (command("run", run, "-o", Path(f"{card.name}.gif"), "--steps", 300, "--erase", "left@150"),),
            (
                f"rule, layout = {loading(run)}",
                f"x = pl.run(rule, layout.seed(1, {card.grid}), steps=200, seed=7)",
            ),
            "`target.png`",
            "erase parts of it",
        )

    def leaves(self) -> Leaves:
        """Outputs of its run to look at."""
        return Life()

    def examined(self) -> Body | None:
        """The growing body whose health can be examined. Default: none, as no single body is grown."""
        return None

    def __init__(self, config: Any, device: torch.device, tensors: dict[str, Tensor] | None = None):
        self.config, self.device, self.tensors = config, device, tensors or {}
        self.remarks: list[str] = []
        """Remarks on its inputs, shown before the training, a sentence each."""
        for name, tensor in self.tensors.items():
            kind, sides = self.keeps.get(name, (tensor.dtype, tensor.ndim))
            if tensor.dtype != kind or tensor.ndim != sides or not bool(tensor.isfinite().all()):
                kind = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
                raise UserError(f"the checkpoint is damaged: its {name!r} is {kind}, or holds what is no number")

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Rows and columns of the training grid."""

    @abstractmethod
    def fresh(self, n: int, rng: torch.Generator) -> Batch:
        """`n` new samples."""

    @abstractmethod
    def live(
        self, rule: nn.Module, batch: Batch, steps: int, *, seed: int, progress: float
    ) -> tuple[State, dict[str, PerSample]]:
        """Run one iteration: the last state, and the named terms of its loss, each `(b,)`, which the loop adds up.

        The ages that it leaves in `batch.at` are kept in the pool. `progress` is the share of training done.
        """

    @abstractmethod
    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:
        """Draw an iteration's batch from samples `old` of the pool and as many `new` ones.

        Also which of the old ones each sample's final state replaces, `(b,)`, -1 where it is none.
        """

    def length(self, drawn: int, progress: float) -> int:  # noqa: ARG002
        """Cell steps of an iteration; `drawn` is of `train.rollout`, `progress` the share of training done."""
        return drawn

    def init(self, seed: int) -> Rule:
        """Initialise the rule before its first iteration. Default: random weights, as the settings give."""
        return Rule(self.config.rule, seed=seed)

    def wrap(self, rule: Rule) -> nn.Module:
        """Wrap the rule for training, keeping Rule's call signature. Default: the rule itself."""
        return rule

    def validate(self, rule: nn.Module) -> float | None:  # noqa: ARG002
        """Error of the rule on held-out data, lower is better; None where nothing is held out."""
        return None

    def view(self, rule: nn.Module) -> View | None:  # noqa: ARG002
        """View of what the rule does so far, cheap enough for every validation; None: its samples are shown."""
        return None

    def card(self) -> dict[str, Any]:
        """Further fields of a model's card: JSON values only."""
        return {}

    def measure(self, rule: nn.Module) -> dict[str, float]:  # noqa: ARG002
        """Metrics for the model's card, taken once after training. Default: none."""
        return {}

    @classmethod
    def verdict(cls, metrics: Mapping[str, float]) -> str:  # noqa: ARG003
        """Verdict on a model in a line, from what was measured of it; empty by default."""
        return ""


def loading(run: str) -> str:
    """Python code that loads a run's model."""
    return f"pl.load({json.dumps(run, ensure_ascii=False)})"


def _name_of(source: str) -> str:
    """Name after a source: of a folder its own, of a simulator the part after `sim:`."""
    if source.startswith("sim:"):
        return name_of(f"text:{source.removeprefix('sim:')}")
    if Path(source).is_dir():
        source = Path(source).resolve().name or source
    return name_of(source)


class Goal(Task):
    """Task whose loss depends on the final state of a roll-out."""

    renewed: int = 1
    """Samples of a batch that are replaced by new ones."""

    @abstractmethod
    def loss(self, x: State, batch: Batch) -> dict[str, PerSample]:
        """Named terms, each `(b,)`; the loop adds them up and ranks samples by the sum."""

    def damage(self, x: State, rng: torch.Generator, progress: float) -> State:  # noqa: ARG002
        """Damage pool samples, given best last; `progress` is the share of training done. Default: no damage."""
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
        """Run `steps` cell steps, and compute the loss of the final state."""
        y = run(rule, batch.x, steps, seed=seed, cond=batch.cond, engine=self.config.train.engine)
        return y, self.loss(y, batch)

    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:
        """Order the old ones, worst first: the worst `renewed` are replaced by new ones, the best are damaged."""
        with torch.no_grad():
            each = torch.stack(list(self.loss(old.x, old).values())).sum(0)
        order = each.nan_to_num(torch.inf).argsort(descending=True, stable=True)
        n = self.renewed
        x = torch.cat([new.x[:n], self.damage(old.x[order][n:], rng, progress)])
        return Batch(x, new.cond, new.target), order
