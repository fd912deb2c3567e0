"""What a task says of itself: how it is asked for, what it opens, what its run leaves, and in which words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from planaria.data.clips import Clips
from planaria.types import Picture


@dataclass(frozen=True)
class Form:
    """How the studio asks for what is learned, and shows how it is learned."""

    source: str = ""
    """The setting that names what is learned; empty where there is none to choose."""
    kind: Literal["picture", "film", "style", "words", ""] = ""
    """The chooser of that setting."""
    title: str = "What it needs"
    help: str = "This task needs no picture."
    button: str = "Start growing"
    first: Mapping[str, str] = field(default_factory=dict)
    """Settings that stand above all others -> their labels, in order."""
    measure: str = "squared error"
    """What the values of its metrics are."""
    samples: str = "Pool"
    """Title of the samples that are seen while it trains."""
    shares: bool = True
    """Whether damage done in the studio reaches samples of the training too."""


@dataclass(frozen=True)
class Need:
    """Something that a training opens."""

    field: str
    """The setting that names it."""
    kind: Literal["picture", "frames", "photos", "backbone"]
    given: Mapping[str, Any]
    """What it is opened with."""


@dataclass(frozen=True)
class Words:
    """What a run's README says of this task."""

    does: str
    """What the cells do, after "that"."""
    commands: tuple[str, ...]
    """What to type."""
    python: tuple[str, ...]
    files: str
    """Files beside those that every run has."""
    page: str
    """What to do with the page."""
    picture: str = "strip.png"
    """The picture on top."""
    more: tuple[str, ...] = ()
    """Lines after the figures."""


@dataclass(frozen=True)
class Life:
    """A run leaves a film of a life from its start, and what was to be grown where the task keeps a `target`."""

    steps: int = 300
    every: int = 3


@dataclass(frozen=True)
class Forecast:
    """A run leaves a film of how it goes on with `clips`, of which it is shown `context` frames, and its scores."""

    clips: Clips
    context: int


@dataclass(frozen=True)
class Grown:
    """A run leaves sheets of a texture beside the image that it should look like."""

    style: Picture


@dataclass(frozen=True)
class Repainted:
    """A run leaves a sheet of `count` photos and what becomes of them, and the style image where there is one."""

    photo: Callable[[int], Tensor]
    count: int
    style: Picture | None = None


Leaves = Life | Forecast | Grown | Repainted
