"""Cards: the description in a model file, parsed once into typed fields."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from planaria.config import parse
from planaria.core.infection import Spread
from planaria.errors import UserError

MOST = 10**9
"""Most iterations of a training, and most cell steps of a loop."""
LARGEST = 16_384
"""Most cells on a side of a grid."""
USUAL_GRID = (72, 72)
"""Default rows and columns of a grid, where a card doesn't say."""
USUAL_LOOP = 200
"""Default cell steps of a loop, where a card doesn't say."""
CUT, HEALED = "bodies cut by a brush", "bodies healed"
"""Metrics that the badge speaks of."""
LONGEST_FRAME, LONGEST_LOOP = 10_000, 1_000_000
"""Most cell steps of a frame and of a loop that are accepted."""

T = TypeVar("T")


@dataclass(frozen=True)
class Training:
    """Settings of a training, as far as other modules read them."""

    steps: int | None = None
    """Number of iterations."""
    rollout: int | None = None
    """Cell steps of the longest roll-out."""
    init: str = ""
    """Model that it started from."""

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> "Training":
        """Parse settings of any type."""
        rollout = settings.get("rollout")
        last = rollout[-1] if isinstance(rollout, list | tuple) and rollout else None
        return cls(_whole(settings, "steps"), last if type(last) is int else None, _or(settings, "init", ""))


@dataclass(frozen=True)
class Settings:
    """Settings of a model's task, as far as other modules read them; defaults of missing ones are neutral."""

    json: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All settings, as the file has them."""
    task: str = ""
    """Name of the task, given in a run's own file."""
    picture: str = ""
    regime: str = ""
    """Training regime of a growing pattern."""
    prompts: tuple[str, ...] = ()
    style: str = ""
    scale: int = 192
    """Cells on the longer side of the style image."""
    backbone: str = "filters"
    backbone_path: str = ""
    clip: str = ""
    host: str = ""
    """Model to infect."""
    spread: str = ""
    """Spread of the infection."""
    share: float | None = None
    """Fixed share of the cells that an infection takes, where it doesn't spread."""
    frames: str = ""
    """Film to learn."""
    size: int | None = None
    """Cells on the longest side of the picture, or of a frame."""
    crop: str = "none"
    every: int = 1
    """Each n-th frame is kept."""
    cuts: str = "keep"
    """Scenes of the film that are films of their own."""
    context: int = 1
    """Frames shown before the cells run freely."""
    clips: int = 1
    count: int = 0
    """Frames at most; 0 for all."""
    held_out: float = 0.0
    """Share of the frames that were not learned."""
    train: Training = Training()

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> "Settings":
        """Parse settings of any type: those of another type than their default's are left at it."""
        plain: dict[str, Any] = {
            f.name: _or(settings, f.name, f.default) for f in fields(cls) if isinstance(f.default, str | int | float)
        }
        prompts, train, share = (settings.get(name) for name in ("prompts", "train", "share"))
        return cls(
            **plain,
            json=settings,
            prompts=tuple(map(str, prompts)) if isinstance(prompts, list | tuple) else (),
            share=share if _is_number(share) else None,
            size=_whole(settings, "size"),
            train=Training.parse(train) if isinstance(train, Mapping) else Training(),
        )

    @property
    def source(self) -> str:
        """Source that was learned: the picture, the film or the style image; empty where none."""
        return self.picture or self.frames or self.style


@dataclass(frozen=True)
class Frame:
    """Steps of a film model from frame to frame."""

    steps: int = 1
    """Cell steps."""
    solver: str = "euler"
    """Solver that takes them, by its name in `planaria.core.solve`."""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Frame":
        """Parse one from values of any type."""
        steps = _or(values, "steps", 1)
        return cls(steps if 1 <= steps <= LONGEST_FRAME else 1, _or(values, "solver", "euler"))


@dataclass(frozen=True)
class Origin:
    """Origin of an imported model."""

    format: str = "?"
    """Format of its file, by its name in `planaria list formats`."""
    home: str = "?"
    """Home of the format: where such models are published."""
    file: str = "?"
    licence: str = "?"
    read_as: str = "?"
    """Notes on assumptions made where the file doesn't say."""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Origin":
        """Parse one from values of any type."""
        names = {"format": "from", "home": "home", "file": "file", "licence": "licence", "read_as": "read as"}
        return cls(**{name: str(values[key]) for name, key in names.items() if key in values})


@dataclass(frozen=True, eq=False, repr=False)
class Card(Mapping[str, Any]):
    """Description in a model file. As a mapping it is the JSON that is saved again, unknown fields included."""

    json: Mapping[str, Any] = field(default_factory=dict)
    """All its fields; those of an invalid type are left out."""
    name: str = ""
    task: str = ""
    """Task that it was trained for, by `planaria list tasks`."""
    trained: int | None = None
    """Iterations done."""
    grid: tuple[int, int] = USUAL_GRID
    """Rows and columns of the training grid."""
    config: Settings = Settings()
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Metrics measured after the training; `figures` in the file."""
    reused: tuple[str, ...] = ()
    """Notes on what was reused from another model, a line each."""
    frame: Frame | None = None
    """Steps from frame to frame, for a film model."""
    length: int | None = None
    """Cell steps of the whole training data."""
    share: float | None = None
    """Fixed share of the cells that an infection takes, where it doesn't spread."""
    host: str = ""
    """Model that it infects."""
    infection: Spread | None = None
    """Spread of its infection, if any."""
    origin: Origin | None = None
    """Origin of an imported model."""

    @classmethod
    def parse(cls, values: Mapping[str, Any] | None) -> "Card":
        """Parse a card from `values`, leaving out those of an invalid type."""
        if isinstance(values, Card):
            return values
        kept = typed(values or {})
        config = Settings.parse(kept.get("config", {}))
        return cls(
            json=kept,
            name=kept.get("name", ""),
            task=kept.get("task", ""),
            trained=kept.get("trained"),
            grid=tuple(kept.get("grid", USUAL_GRID)),
            config=config,
            metrics=kept.get("figures", {}),
            reused=tuple(kept.get("reused", ())),
            frame=Frame.parse(kept["frame"]) if "frame" in kept else None,
            length=kept.get("length"),
            share=kept.get("share", config.share),
            host=_or(kept, "host", ""),
            infection=_spread(kept.get("infection")),
            origin=Origin.parse(kept["origin"]) if "origin" in kept else None,
        )

    def changed(self, **fields: Any) -> "Card":
        """Copy with other fields, given as JSON has them."""
        return Card.parse({**self.json, **fields})

    def measured(self, metrics: Mapping[str, float]) -> "Card":
        """Copy with further metrics."""
        return self.changed(figures={**self.metrics, **metrics})

    @property
    def badge(self) -> str:
        """Line on its health: `heals 987 of 1,000`; empty where it was not examined."""
        return badge(self.metrics)

    @property
    def frame_steps(self) -> int:
        """Cell steps from frame to frame; 1 where it has no frames."""
        return self.frame.steps if self.frame is not None else 1

    @property
    def loop_steps(self) -> int:
        """Cell steps of a loop: as many as the data has, else the longest training roll-out, else 200."""
        for length in (self.length, self.config.train.rollout):
            if length is not None and 1 <= length <= LONGEST_LOOP:
                return length
        return USUAL_LOOP

    @property
    def solver(self) -> str:
        """Solver that takes a step, by its name in `planaria.core.solve`."""
        return self.frame.solver if self.frame is not None else "euler"

    def __getitem__(self, name: str) -> Any:
        return self.json[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.json)

    def __len__(self) -> int:
        return len(self.json)

    def __repr__(self) -> str:
        return f"Card({dict(self.json)!r})"


def badge(metrics: Mapping[str, float]) -> str:
    """Line on an organism's health, from its metrics; empty where it was not examined."""
    cut, healed = metrics.get(CUT, 0), metrics.get(HEALED, 0)
    return f"heals {healed:,.0f} of {cut:,.0f}" if 0 < cut <= MOST and 0 <= healed <= cut else ""


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_grid(value: Any) -> bool:
    return (
        isinstance(value, list | tuple) and len(value) == 2 and all(type(n) is int and 1 <= n <= LARGEST for n in value)
    )


def _is_lines(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(line, str) for line in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_named(value: Any) -> bool:
    return isinstance(value, Mapping)


FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text, "task": _is_text, "trained": _is_count, "grid": _is_grid, "config": _is_named,
    "figures": _is_named, "reused": _is_lines, "origin": _is_named, "frame": _is_named, "length": _is_count,
    "share": _is_number,
}  # fmt: skip
"""Field -> test for a valid value. The task's settings within `config` are defined in the task's file."""


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a card without the fields of an invalid type."""
    kept = {name: value for name, value in values.items() if name not in FIELDS or FIELDS[name](value)}
    if "figures" in kept:
        kept["figures"] = {name: value for name, value in kept["figures"].items() if _is_number(value)}
    return kept


def _spread(values: object) -> Spread | None:
    """Spread of an infection; None for an invalid one."""
    try:
        return parse(Spread, (values, "the card")) if isinstance(values, dict) else None
    except UserError:
        return None


def _or(values: Mapping[str, Any], name: str, usual: T) -> T:
    """Value if it is of exactly the default's type; else the default."""
    value = values.get(name)
    return value if type(value) is type(usual) else usual


def _whole(values: Mapping[str, Any], name: str) -> int | None:
    """Whole number; None for anything else."""
    value = values.get(name)
    return value if type(value) is int else None
