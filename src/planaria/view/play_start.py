"""Where playing begins: a model by name, a grid, a picture under the cells, or a state that was saved."""

import math
import time
from pathlib import Path
from typing import Any

import torch

from planaria import store
from planaria.data import images
from planaria.errors import UserError
from planaria.store import live
from planaria.types import Picture
from planaria.view.play import Play
from planaria.view.play_follow import Training, folder_of
from planaria.view.play_state import read_state
from planaria.world import World

WAIT_SECONDS = 20.0
"""How long a training that has just begun is waited for."""


def open_play(
    model: str | Path,
    *,
    size: tuple[int, int] | None = None,
    seed: int | None = None,
    start: str | None = None,
    engine: str = "auto",
    **settings: Any,
) -> Play:
    """Play with a model file, a run folder or one of the gallery, on `size` cells, or as it was trained.

    `start` is a state saved by a player, or any picture that `planaria.data.images.picture` takes; `settings` are
    those of `Play`. Raises `UserError` for what can't be opened or doesn't fit.
    """
    training = _training(Path(model))
    path = _weights(Path(model), training)
    rule, layout = store.load(path)
    card = store.card(path)
    if training is not None:
        training.layout = layout
    cond = torch.zeros(1, rule.config.cond) if rule.config.cond else None
    if start is not None and start.lower().endswith(".safetensors"):
        world = read_state(Path(start), rule, layout, cond=cond, engine=engine)
        if size not in (None, world.size):
            raise UserError(f"{start} is {world.size[0]}x{world.size[1]} cells; leave out --size")
        world.seed = world.seed if seed is None else seed
    else:
        world = World(rule, layout, size or store.trained_size(path), seed=seed or 0, cond=cond, engine=engine)
        if start is not None:
            lay(world, start)
    return Play(world, _name(Path(model)), length=_length(card), training=training, **settings)


def lay(world: World, source: str) -> None:
    """Begin with a picture: under the cells where the layout has frozen channels, else in what they show."""
    layout, (h, w) = world.layout, world.size
    if not layout.frozen:
        world.start = layout.embed(_fitted(source, (h, w), layout.visible, layout.alpha is not None))
    else:
        if layout.frozen not in (1, 3, 4):
            raise UserError(f"this model has {layout.frozen} frozen channels; a picture fills 1, 3 or 4")
        blank = World(world.rule, layout, world.size)
        blank.expose(_fitted(source, (h, w), layout.frozen, False))
        world.photo = blank.photo
    world.restart()


def _fitted(source: str, size: tuple[int, int], channels: int, within: bool) -> Picture:
    """A picture on the grid, `(channels, h, w)`: whole, in the middle, if `within`; else covering all, its rims cut."""
    h, w = size
    there = images.open_image(source).size
    ratios = w / there[0], h / there[1]
    side = max(there) * (min(ratios) if within else max(ratios))
    longest = max(1, math.floor(side + 1e-6) if within else math.ceil(side - 1e-6))
    if longest > images.LARGEST:
        raise UserError(f"{source!r} is too narrow for {h}x{w} cells; crop it first")
    rgba = images.picture(source, longest)
    have_h, have_w = rgba.shape[1:]
    top, left = (h - have_h) // 2, (w - have_w) // 2
    full = torch.zeros(4, h, w)
    cut = rgba[:, max(0, -top) : max(0, -top) + h, max(0, -left) : max(0, -left) + w]
    full[:, max(0, top) : max(0, top) + cut.shape[1], max(0, left) : max(0, left) + cut.shape[2]] = cut
    if channels == 4:
        return full
    rgb = full[:3] + 1 - full[3]
    return rgb if channels == 3 else (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0, keepdim=True)


def _training(model: Path) -> Training | None:
    folder = folder_of(model)
    return Training(folder) if folder is not None else None


def _weights(model: Path, training: Training | None) -> Path:
    """The file to open: of a run that trains, its newest weights; waits a little for the first ones."""
    if training is None or not training.going:
        return store.model_path(model)
    newest, deadline = training.folder / live.WEIGHTS, time.monotonic() + WAIT_SECONDS
    live.watch(training.folder)
    while not newest.is_file():
        if (training.folder / "model.safetensors").is_file():
            return training.folder / "model.safetensors"
        if time.monotonic() > deadline:
            raise UserError(f"{training.folder} trains, but has written no weights to show yet; try again in a moment")
        time.sleep(0.1)
    return newest


def _name(model: Path) -> str:
    """What to call it: the run's folder, or the file."""
    inner = model.name in ("model.safetensors", live.WEIGHTS)
    named = model.resolve().parent.name if inner else model.resolve().name if model.is_dir() else model.stem
    return "".join(c for c in named if c.isprintable()) or "world"


def _length(card: dict[str, Any]) -> int:
    """Steps of a loop: what the data is long, else the longest training roll-out, else 200."""
    config = card.get("config")
    train = config.get("train") if isinstance(config, dict) else None
    rollout = train.get("rollout") if isinstance(train, dict) else None
    for length in (card.get("length"), rollout[-1] if isinstance(rollout, list) and rollout else None):
        if type(length) is int and 1 <= length <= 1_000_000:
            return length
    return 200
