"""Recipes: settings to train, from a task's name, a YAML file, a shipped recipe or a former run."""

import dataclasses
import itertools
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from planaria import tasks
from planaria.config import parse, read_yaml, to_dict
from planaria.errors import UserError, unknown
from planaria.recipes import others
from planaria.store.run_folder import RunFolder
from planaria.tasks.base import TaskConfig


@dataclass(frozen=True)
class Recipe:
    """A task, its settings so far, and their source."""

    task: str
    settings: Mapping[str, Any]
    source: str
    name: str
    """Name of its run where none is given; empty where it follows from the inputs."""
    folder: Path | None = None
    """Run folder that it came from, if any."""
    notes: tuple[str, ...] = ()
    """Notes on each setting of a foreign settings file, a line each."""

    @property
    def config_class(self) -> Any:
        """Dataclass of the task's settings."""
        return tasks.load(self.task).Config

    def config(self, given: Mapping[str, Any], source: str = "the arguments") -> Any:
        """The full config: `given` settings, from `source`, over this recipe over the task's defaults."""
        return parse(self.config_class, (given, source), (self.settings, self.source))


def shipped() -> dict[str, Path]:
    """Recipes that come with planaria, by name."""
    return {Path(f.name).stem: Path(str(f)) for f in files("planaria.recipes").iterdir() if f.name.endswith(".yaml")}


def find(what: str) -> Recipe:
    """The recipe that `what` names. Raises `UserError` for anything else."""
    path = Path(what)
    if what in tasks.names():
        return Recipe(what, {}, "the task's defaults", "")
    try:
        is_run, is_there = RunFolder(path).config.exists(), path.exists()
    except (OSError, ValueError) as e:
        raise UserError(f"can't read {what[:80]!r}: {getattr(e, 'strerror', None) or e}") from None
    if is_run:
        return dataclasses.replace(_read(RunFolder(path).config, path.name), folder=path)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _read(path, path.stem)
    if what in shipped():
        return _read(shipped()[what], what)
    if is_there or path.name != what:
        raise UserError(f"no run or recipe {what!r}: a run is a folder with a config.yaml, a recipe a file .yaml")
    have = [*tasks.names(), *shipped(), "FILE.yaml", "runs/NAME"]
    raise unknown("task or recipe", what, have, also=tasks.other_names())


def turns(task: str) -> dict[str, str]:
    """Words after `--as` by which a training of `task` becomes that of another one -> the other task."""
    every = ((name, tasks.load(name).Task.replaces) for name in tasks.names())
    return {word: name for name, (other, word) in every if other == task}


def turned(recipe: Recipe, word: str) -> Recipe:
    """Recipe of the task that the training becomes under `word`, with the settings that this one takes over.

    Raises `UserError` where there is none.
    """
    have = turns(recipe.task)
    if not have:
        raise UserError(f"--as {word}: a training of {recipe.task} becomes no other; leave out --as")
    if word not in have:
        raise unknown(f"training of {recipe.task} --as", word, have)
    taken = tasks.load(have[word]).Task.takes_over
    return Recipe(have[word], {key: recipe.settings[key] for key in taken if key in recipe.settings}, recipe.source, "")


def about(path: Path) -> str:
    """First comment line of a recipe file."""
    found = re.match(r"#\s*(.+)", path.read_text(encoding="utf-8"))
    return found[1] if found else ""


def name_for(recipe: Recipe, config: TaskConfig) -> str:
    """Default name of a run: the recipe's, or one after its inputs where these differ from the recipe's."""
    usual = {**to_dict(recipe.config_class()), **recipe.settings}
    return (
        recipe.name if recipe.name and inputs_of(to_dict(config)) == inputs_of(usual) else run_name(recipe.task, config)
    )


def one_length(recipe: Recipe, config: TaskConfig) -> TaskConfig:
    """Return `config`, whose length is given once: its minutes, or iterations other than the recipe's.

    Raises `UserError` for both.
    """
    minutes, steps = config.train.minutes, config.train.steps
    if minutes and steps != recipe.config({}).train.steps:
        raise UserError(
            f"train.minutes={minutes:g} and train.steps={steps} both say how long to train; give one of them"
            f"{'' if not recipe.config({}).train.minutes else ', train.minutes=0 for the iterations'}",
            "train.minutes",
        )
    return config


def taken(folder: Path, config: TaskConfig) -> UserError:
    """Error for a run whose name is taken by another one, with the way out."""
    try:
        there = inputs_of(RunFolder(folder).settings())
    except UserError:
        there = ()
    if not there or there == inputs_of(to_dict(config)):
        return UserError(f"{folder} holds a run already; go on with it: --resume, or choose another: --name NAME")
    free = next(name for n in itertools.count(2) if not (folder.parent / (name := f"{folder.name}-{n}")).exists())
    named = shlex.quote(f"--name={free}")
    return UserError(f"{folder} holds a run already, of {', '.join(there)}; call this one otherwise: {named}")


def run_name(task: str, config: TaskConfig) -> str:
    """Name of a task's run after its inputs, as the task gives it."""
    return tasks.load(task).Task.named(config)


@cache
def sources() -> dict[str, str]:
    """Settings that name the source to learn from -> the kind of source: a picture, a film, words."""
    forms = [tasks.load(name).Task.form for name in tasks.names()]
    return {form.source: form.kind for form in forms if form.source}


def source_of(settings: Mapping[str, Any]) -> str:
    """Source to learn from: the picture, or the frames of a film, in a task's settings; empty where neither."""
    keys = [key for key, kind in sources().items() if kind != "words"]
    return next((str(settings[key]) for key in keys if settings.get(key)), "")


def inputs_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Inputs to learn from: the prompts in a task's settings, or what `source_of` gives; empty where none."""
    prompts = next((settings[key] for key, kind in sources().items() if kind == "words" and settings.get(key)), ())
    source = source_of(settings)
    every = prompts if isinstance(prompts, list | tuple) else [prompts]
    return tuple(map(str, every)) or ((source,) if source else ())


def _read(path: Path, name: str) -> Recipe:
    settings = read_yaml(path)
    if others.is_theirs(settings):
        made = others.training(settings, path)
        return Recipe("grow", made.settings, str(path), made.name or name, notes=tuple(made.notes))
    task = settings.pop("task", None)
    if task is None:
        raise UserError(f"{path}: says no task; add a line like 'task: grow' (have: {', '.join(tasks.names())})")
    if task not in tasks.names():
        raise unknown(f"task in {path}:", task, tasks.names(), also=tasks.other_names())
    return Recipe(task, settings, str(path), name)
