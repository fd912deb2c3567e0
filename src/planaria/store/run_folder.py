"""Run folders: the files of a training, their names and readers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from planaria import store
from planaria.config import read_yaml
from planaria.errors import UserError
from planaria.files import open_regular
from planaria.store import live, lock, metrics
from planaria.store.cards import Card
from planaria.store.metrics import Metric

MODEL, CHECKPOINT, CONFIG = store.MODEL, "checkpoint.safetensors", lock.CONFIG
METRICS, STATUS, LOG = metrics.NAME, live.STATUS, "train.log"
WEIGHTS, POOL = live.WEIGHTS, live.POOL
"""Files shown while somebody watches."""
README, PAGE, LOSS, TARGET = "README.md", "organism.html", "loss.png", "target.png"
FILM, STRIP, SHEET, TILES, STYLE = "film.webp", "strip.png", "sheet.png", "tiles.png", "style.png"
SCORES, SCORES_TEXT, SCORES_PLOT = "scores.json", "scores.md", "scores.png"
ROLLOUT, ROLLOUT_FILM, MOMENTS = "rollout.png", "rollout.webp", "moments.png"
HEALTH, HEALTH_TEXT, HEALTH_PLOT = "health.json", "health.md", "health.png"
"""Files of an evaluation."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a training needs to resume."""

    path: Path
    tensors: dict[str, Tensor]
    state: object
    """State of the training besides its tensors, as read from the file."""

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint from a file. Raises `UserError`."""
        tensors, header = store.read_tensors(path), store.read_header(path)
        return cls(path, tensors, header.get("state"))

    @property
    def task(self) -> dict[str, Tensor]:
        """Data that the task keeps of the files in its settings, by the task's own names."""
        return {name.removeprefix("task."): v for name, v in self.tensors.items() if name.startswith("task.")}


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training."""

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.path.name

    @property
    def model(self) -> Path:
        """Last saved model."""
        return self.path / MODEL

    @property
    def checkpoint(self) -> Path:
        """Checkpoint: everything that the training needs to resume; see `Checkpoint`."""
        return self.path / CHECKPOINT

    @property
    def config(self) -> Path:
        """All settings, as YAML."""
        return self.path / CONFIG

    @property
    def metrics(self) -> Path:
        """A line for each iteration; see `planaria.store.metrics`."""
        return self.path / METRICS

    @property
    def log(self) -> Path:
        """Output of a training that the studio started."""
        return self.path / LOG

    @property
    def weights(self) -> Path:
        """Newest weights, while somebody watches."""
        return self.path / WEIGHTS

    @property
    def pool(self) -> Path:
        """Newest picture of the pool, while somebody watches."""
        return self.path / POOL

    @property
    def style(self) -> Path:
        """Style image of the training, if it had one."""
        return self.path / STYLE

    @property
    def page(self) -> Path:
        """HTML page that runs the model."""
        return self.path / PAGE

    @property
    def began(self) -> bool:
        """True if a training was started here: its settings or its checkpoint are there."""
        return self.config.exists() or self.checkpoint.exists()

    def status(self) -> live.Status | None:
        """Status of the training; None where there is none."""
        return live.read_status(self.path)

    @property
    def trains(self) -> bool:
        """True if it trains now, or pauses."""
        status = self.status()
        return status is not None and status.busy

    def card(self) -> Card:
        """Card of the model. Raises `UserError` where there is none."""
        return store.card(self.model)

    def settings(self) -> dict[str, Any]:
        """All settings, the task's name among them. Raises `UserError` where there are none."""
        return read_yaml(self.config)

    def curve(self, most: int) -> list[Metric]:
        """About `most` lines of the metrics, evenly spread. Raises `UserError` where there are none."""
        return metrics.thinned(self.metrics, most)

    def lines(self) -> list[dict[str, Any]]:
        """Every valid line of the metrics. Raises `UserError` where there are none."""
        try:
            with open_regular(self.metrics) as file:
                return [found for line in metrics.whole_lines(file) if (found := metrics.entry(line)) is not None]
        except OSError as e:
            raise UserError(f"can't read {self.metrics}: {e.strerror or e}") from e


def inside(path: Path) -> RunFolder | None:
    """Run folder that a path names, itself or by a model file in it; None for other files."""
    if path.is_dir():
        return RunFolder(path)
    return RunFolder(path.parent) if path.name in (MODEL, WEIGHTS) else None
