"""Descriptions of a task: its form in the studio, the files it opens, its run's outputs, and the README's texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from planaria.data.clips import Clips
from planaria.types import Picture


@dataclass(frozen=True)
class Form:
    """Form of the studio for a task: the source to choose, and the views of its training."""

    source: str = ""
    """Setting that names the source to learn from; empty where there is none to choose."""
    kind: Literal["picture", "film", "style", "words", ""] = ""
    """Kind of chooser for that setting."""
    title: str = "What it needs"
    help: str = "This task needs no picture."
    button: str = "Start growing"
    first: Mapping[str, str] = field(default_factory=dict)
    """Settings that stand above all others -> their labels, in order."""
    measure: str = "squared error"
    """Quantity that its metrics measure."""
    samples: str = "Pool"
    """Title of the samples that are seen while it trains."""
    sampled: str = "living samples"
    """What is seen there, to precede "after iteration 50"."""
    shares: bool = True
    """True if damage done in the studio reaches samples of the training too."""


@dataclass(frozen=True)
class View:
    """View of what a rule does while it trains: rows of pictures, each a column wide."""

    heads: tuple[str, ...]
    """Heading of each column."""
    rows: Mapping[str, Float[Tensor, "n 3 h w"]]
    """Name of a row -> its pictures in 0..1."""
    caption: str
    """Sentence on what the rows are, without its end."""


@dataclass(frozen=True)
class Need:
    """File or model that a training opens."""

    field: str
    """Setting that names it."""
    kind: Literal["picture", "frames", "photos", "backbone"]
    given: Mapping[str, Any]
    """Arguments with which it is opened."""


@dataclass(frozen=True)
class Words:
    """Texts for the README of a run of this task."""

    does: str
    """Behaviour of the cells, to follow "that"."""
    commands: tuple[str, ...]
    """Commands to type."""
    python: tuple[str, ...]
    files: str
    """Files beside those that every run has."""
    page: str
    """Instructions for the page."""
    picture: str = "strip.png"
    """The picture on top."""
    more: tuple[str, ...] = ()
    """Lines after the metrics."""


@dataclass(frozen=True)
class Life:
    """Outputs of a run: an animation of a life from its start, and the target where the task keeps a `target`."""

    steps: int = 300
    every: int = 3


@dataclass(frozen=True)
class Forecast:
    """Outputs of a run: an animation of its prediction with `clips`, after `context` given frames, and its scores."""

    clips: Clips
    context: int


@dataclass(frozen=True)
class Grown:
    """Outputs of a run: sheets of a texture beside the image that it should look like."""

    style: Picture


@dataclass(frozen=True)
class Moving:
    """Outputs of a run: an animation of a moving texture, and a sheet of its frames beside those of the clip."""

    clip: Tensor
    """Frames `(n, v, h, w)`."""
    steps: int
    """Cell steps from frame to frame."""


@dataclass(frozen=True)
class Repainted:
    """Outputs of a run: a sheet of `count` photos with their repaintings, and the style image where there is one."""

    photo: Callable[[int], Tensor]
    count: int
    style: Picture | None = None


@dataclass(frozen=True)
class Body:
    """A growing body, whose health can be examined."""

    target: Picture
    """Picture `(4, h, w)` that it should show."""
    at_end: bool = False
    """True if a training examines it at its end."""


Leaves = Life | Forecast | Grown | Moving | Repainted
