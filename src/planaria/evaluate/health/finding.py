"""Finding: the organism in a model file, and the picture that it should show."""

import math
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria import tasks
from planaria.config import parse
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.data.images import picture
from planaria.errors import UserError
from planaria.evaluate.health.organism import AGE, Organism, Seeds, mean_picture, with_target
from planaria.store import Saved
from planaria.store.run_folder import Checkpoint, RunFolder
from planaria.tasks.base import Task
from planaria.types import Picture, State

SHIFT, RESIZE = 6, 4
"""Cells by which a given target may be shifted, and made larger or smaller, until it lies best on the body."""
BODIES = 8
"""Bodies whose mean picture that is found by."""


def reason_against(model: Saved) -> str:
    """Reason why the health of a model can't be examined; empty if it can."""
    layout, config = model.layout, model.rule.config
    if model.card.frame is not None or model.start is not None:
        return "its life begins with frames"
    if layout.visible != 4 or layout.alpha is None or layout.palette:
        return "it grows no body"
    if config.cond:
        return "it needs a condition"
    if model.spread is not None and not model.spread.contact:
        return "its infection doesn't spread with the body"
    return ""


def organism(model: Saved, task: Task | None = None, target: str = "", engine: str = "auto") -> Organism:
    """The organism in a model, with the picture `target`, else that of its `task`, else none.

    A given target is any source of `data.images`; it is trimmed, resized and shifted until it lies best on the body.
    Raises `UserError` for a model that grows none.
    """
    if why := reason_against(model):
        raise UserError(f"the health of {model.name} can't be examined: {why}")
    found = Organism(model.name, model.rule, model.layout, model.size, seeds(model.rule, model.layout), engine=engine)
    if target:
        return with_target(found, placed(found, target), target)
    body = None if task is None else task.examined()
    if body is None or body.target.shape[1:] != model.size:
        return found
    return with_target(found, body.target, model.card.config.source or "its target")


def task_of(model: Saved, engine: str = "auto") -> Task | None:
    """Task that a model was trained for, to run on `engine`.

    Its picture comes from the checkpoint beside the model, else from where it was in training. None where the picture
    is gone, or where the model has other settings than it was trained with.
    """
    card = model.card
    if card.task not in tasks.names():
        return None
    known = tasks.load(card.task)
    if (source := known.Task.form.source) and source not in card.config.json:
        return None
    try:
        config = parse(known.Config, (card.config.json, model.name))
        config = replace(config, train=replace(config.train, engine=engine))
        task = known.Task(config, torch.device("cpu"), _kept(model.path))
    except UserError:
        return None
    return task if task.layout == model.layout and task.size == model.size else None


def _kept(path: Path | None) -> dict[str, Tensor] | None:
    """Inputs of the training that the checkpoint beside a model keeps; None where there is none."""
    folder = None if path is None else RunFolder(path.parent)
    if folder is None or path != folder.model or not folder.checkpoint.is_file():
        return None
    return Checkpoint.read(folder.checkpoint).task or None


def seeds(rule: Rule, layout: Layout) -> Seeds:
    """Function that makes the worlds in which a body begins: the seed, infected where the model is an infection."""

    def made(n: int, size: tuple[int, int]) -> State:
        x = layout.seed(n, size)
        if layout.strain is not None:
            x[:, layout.strain] = rule.alive(x)[:, 0].to(x)
        return x

    return made


def placed(organism: Organism, source: str) -> Picture:
    """The picture `source` on the grid of an organism, `(4, h, w)`: of the size and at the place of its grown body.

    Sizes within 4 cells of the body's and shifts within 6 are tried; the smallest squared difference to the mean
    picture of 8 bodies at step 1,000 decides.
    """
    h, w = organism.size
    grown = organism.after(organism.seeds(BODIES, organism.size), AGE, t=0, seed=0)
    mean = mean_picture(organism, grown)
    cells = (mean[3] > 0.5).nonzero()
    if not len(cells):
        return _centred(picture(source, max(1, min(h, w) * 4 // 7), trim=True), (h, w), (h / 2, w / 2))
    first, last = cells.amin(0), cells.amax(0)
    longest = int((last - first).max()) + 1
    middle = tuple(((first + last + 1) / 2).tolist())
    best, found = math.inf, torch.zeros(4, h, w)
    for size in range(max(1, longest - RESIZE), longest + RESIZE + 1):
        shown = _centred(picture(source, size, trim=True), (h, w), middle)
        for down in range(-SHIFT, SHIFT + 1):
            for right in range(-SHIFT, SHIFT + 1):
                moved = shown.roll((down, right), (1, 2))
                away = float((moved.double() - mean.double()).square().numpy().mean())
                if away < best:
                    best, found = away, moved
    return found


def _centred(shown: Picture, size: tuple[int, int], middle: tuple[float, ...]) -> Float[Tensor, "v _ _"]:
    """A picture on an empty grid, its middle at row and column `middle`; what lies beyond is cut off."""
    _, h, w = shown.shape
    top, left = round(middle[0] - h / 2), round(middle[1] - w / 2)
    return F.pad(shown, (left, size[1] - w - left, top, size[0] - h - top))
