"""Results: what an evaluation leaves for people."""

import io
import json
from pathlib import Path

from planaria.evaluate import pictures
from planaria.evaluate.curve import Frames
from planaria.evaluate.scores import Scores
from planaria.evaluate.tables import markdown
from planaria.store import write_bytes

NAMES = ("scores.json", "scores.md", "scores.png", "rollout.png", "rollout.webp")
"""Files, in the order written."""


def write(folder: str | Path, name: str, scores: Scores, frames: Frames, fps: float = 20) -> list[Path]:
    """Write `scores.json`, `scores.md`, `scores.png`, `rollout.png` and `rollout.webp` into a folder, each atomically.

    `name` is what the model is called; `frames` the film that was measured on. Gives their paths.
    """
    strip = io.BytesIO()
    pictures.strip(frames, scores.film, scores.whole).save(strip, "PNG", optimize=True)
    data = (
        (json.dumps({"name": name, **scores.to_dict()}, indent=1, allow_nan=False) + "\n").encode(),
        markdown(name, scores).encode(),
        pictures.plot(scores, name),
        strip.getvalue(),
        pictures.film(frames, scores.film, scores.whole, fps),
    )
    paths = [Path(folder) / file for file in NAMES]
    for path, content in zip(paths, data, strict=True):
        write_bytes(path, content)
    return paths
