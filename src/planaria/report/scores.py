"""Files of an evaluation for people."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL.Image import Image

from planaria.evaluate.curve import Frames
from planaria.evaluate.repainting import Painted
from planaria.evaluate.scores import Scores
from planaria.report import plots
from planaria.report.sheets import image, sheet
from planaria.report.tables import markdown, measured_markdown, repainted_markdown
from planaria.store import run_folder, write_bytes

NAMES = (
    run_folder.SCORES, run_folder.SCORES_TEXT, run_folder.SCORES_PLOT, run_folder.ROLLOUT, run_folder.ROLLOUT_FILM,
)  # fmt: skip
"""Files of a video model, in the order written."""
MEASURED_NAMES = (run_folder.SCORES, run_folder.SCORES_TEXT)
PAINTED_NAMES = (*MEASURED_NAMES, run_folder.MOMENTS)
"""Files of a texture, style or text model."""


def write(folder: str | Path, name: str, scores: Scores, frames: Frames, fps: float = 20) -> list[Path]:
    """Write `scores.json`, `scores.md`, `scores.png`, `rollout.png` and `rollout.webp` into a folder, each atomically.

    `name` is that of the model; `frames` is the film that was measured on. Returns their paths.
    """
    data = (
        (json.dumps({"name": name, **scores.to_dict()}, indent=1, allow_nan=False) + "\n").encode(),
        markdown(name, scores).encode(),
        plots.plot(scores, name),
        _png(plots.strip(frames, scores.film, scores.whole)),
        plots.film(frames, scores.film, scores.whole, fps),
    )
    return _written(folder, NAMES, data)


def write_painted(folder: str | Path, name: str, found: Painted) -> list[Path]:
    """Write `scores.json`, `scores.md` and `moments.png`, pictures of every life, into a folder, each atomically."""
    rows = [[image(picture) for picture in life] for life in found.pictures]
    heads = ["photo" if found.photos else "start", *(f"step {t}" for t in found.steps[1:])]
    data = (
        (json.dumps({"name": name, **found.to_dict()}, indent=1, allow_nan=False) + "\n").encode(),
        repainted_markdown(name, found).encode(),
        _png(sheet(rows, heads)),
    )
    return _written(folder, PAINTED_NAMES, data)


def write_measured(folder: str | Path, name: str, metrics: Mapping[str, float]) -> list[Path]:
    """Write `scores.json` and `scores.md` into a folder: the metrics that a task measures of a model."""
    finite = {what: value for what, value in metrics.items() if math.isfinite(value)}
    data = (
        (json.dumps({"name": name, "figures": finite}, indent=1) + "\n").encode(),
        measured_markdown(name, metrics).encode(),
    )
    return _written(folder, MEASURED_NAMES, data)


def _png(picture: Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _written(folder: str | Path, names: Sequence[str], data: Sequence[bytes]) -> list[Path]:
    paths = [Path(folder) / file for file in names]
    for path, content in zip(paths, data, strict=True):
        write_bytes(path, content)
    return paths
