"""Start of playing: a model by name, a grid, a picture under the cells, or a saved state."""

import dataclasses
import re
import time
from pathlib import Path
from typing import Any

import torch

from planaria import store
from planaria.core.rule import Rule
from planaria.errors import UserError
from planaria.health import Health
from planaria.living import SIMULATED, Living, find, infected, stopped
from planaria.store import live
from planaria.view.play.follow import Training, folder_of
from planaria.view.play.player import Player
from planaria.view.play.state import read_state
from planaria.world import World

WAIT_SECONDS = 20.0
"""Seconds to wait for a training that has just begun."""


LOOP = 200
"""Frames of a loop for a model without data."""


def open_play(
    model: str | Path,
    *,
    size: tuple[int, int] | None = None,
    seed: int | None = None,
    start: str | None = None,
    infect: str | None = None,
    engine: str = "auto",
    **settings: Any,
) -> Player:
    """Play with the result of `planaria.living.find`, or with a run that trains; on `size` cells, or as it was trained.

    `infect` is a model whose rule runs in cells that are infected. `start` is a state saved by a player, or what `find`
    begins with; `settings` are those of `Player`. Raises `UserError` for what can't be opened or doesn't fit.
    """
    training = None if str(model).startswith(SIMULATED) else _training(Path(model))
    what = model if str(model).startswith(SIMULATED) else _weights(Path(model), training)
    saved = start is not None and start.lower().endswith(".safetensors")

    def prepare(path: str | Path, size: tuple[int, int] | None = size) -> Living:
        found = find(path, size=size, start=None if saved else start, seed=seed or 0, engine=engine)
        return found if infect is None else infected(found, infect)

    living = prepare(what)
    rule, layout = living.rule, living.layout
    cond = torch.zeros(1, rule.config.cond) if isinstance(rule, Rule) and rule.config.cond else None
    if start is not None and saved:
        world = read_state(Path(start), rule, layout, cond=cond, engine=engine)
        if size not in (None, world.size):
            raise UserError(f"{start} is {world.size[0]}x{world.size[1]} cells; leave out --size")
        world.seed = world.seed if seed is None else seed
    else:
        world = World(rule, layout, living.size, seed=seed or 0, start=living.start, cond=cond, engine=engine)
    if training is not None:
        kept = world.start
        training.layout = layout
        training.prepare = lambda path: dataclasses.replace(
            prepare(path, world.size), **{"start": kept} if saved else {}
        )
    counted = living.frame if living.learned_film else None
    length = living.card.loop_steps if living.card else LOOP * living.frame
    health = Health.of(living, again="I begins again")
    play = Player(world, _name(model), length=length, frame=counted, training=training, health=health, **settings)
    if training is None or not training.going:
        play.say(stopped(living.card))
    return play


def _training(model: Path) -> Training | None:
    folder = folder_of(model)
    return Training(folder) if folder is not None else None


def _weights(model: Path, training: Training | None) -> Path:
    """File to open: of a run that trains, its newest weights; waits a little for the first ones."""
    if training is None or not training.going:
        return store.model_path(model)
    newest, deadline = training.folder.weights, time.monotonic() + WAIT_SECONDS
    live.watch(training.folder.path)
    while not newest.is_file():
        if training.folder.model.is_file():
            return training.folder.model
        if time.monotonic() > deadline:
            raise UserError(
                f"{training.folder.path} trains, but has written no weights to show yet; try again in a moment"
            )
        time.sleep(0.1)
    return newest


def _name(model: str | Path) -> str:
    """Name of the model: the run's folder, or the file; a simulator's name with dashes, as it begins names of files."""
    if str(model).startswith(SIMULATED):
        return re.sub(r"[^A-Za-z0-9]+", "-", str(model).removeprefix(SIMULATED)).strip("-") or "world"
    path = Path(model)
    named = path.resolve().name if path.is_dir() else store.name_of(path)
    return "".join(c for c in named if c.isprintable()) or "world"
