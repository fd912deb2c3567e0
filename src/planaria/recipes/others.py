"""Settings files of others: convert erikhelmut's train_config.yaml and visualize_config.yaml, key by key, to ours."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from planaria.commands import command
from planaria.data.emoji import is_emoji
from planaria.errors import UserError, unknown
from planaria.store.run_folder import RunFolder

FILTERS = {"sobel": "sobel", "scharr": "scharr", "gaussian": "gaussian", "laplacian": "laplacian5", "mean": "mean"}
"""Name of a filter there -> ours, beside the identity."""
LOSSES = ("l1", "l2", "manhattan", "hinge")
TRAINS = ("device", "learning_rate", "batch_size", "pool_size")
"""Keys that only a training has."""
KEYS = {
    "target_path", "model_path", *TRAINS, "ani_path", "iterations", "img_size", "padding", "n_channels", "filter",
    "loss", "damage",
}  # fmt: skip
OURS_TOO = {"padding", "loss", "damage"}
"""Keys that occur in their files and in ours, so that they identify neither."""
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "0": False}
"""Spellings of yes and no in quotes."""
FPS = 20
"""Frames per second of a film there."""


@dataclass
class Training:
    """Training settings from one of their files."""

    settings: dict[str, Any] = field(default_factory=dict)
    """Our settings of the task grow, nested."""
    notes: list[str] = field(default_factory=list)
    """Notes on each key, a line each."""
    name: str = ""
    """Name of the run; empty where the file gives none."""


@dataclass
class Filming:
    """Film settings from one of their files."""

    model: Path
    kernel: str = ""
    """Filter of a model whose file doesn't name it; empty where this one doesn't either."""
    channels: int | None = None
    output: Path | None = None
    steps: int | None = None
    size: int | None = None
    fps: int = FPS
    erase: str = ""
    notes: list[str] = field(default_factory=list)


def is_theirs(settings: Mapping[str, Any]) -> bool:
    """True if a settings file is of their kind, by its keys."""
    return "task" not in settings and len(settings.keys() & KEYS - OURS_TOO) >= 2


def training(settings: Mapping[str, Any], path: Path) -> Training:
    """Convert their train_config.yaml to ours. Raises `UserError` for an unknown key and an invalid value."""
    read = _Reader(settings, path)
    settings, made = read.settings, Training()
    if not settings.keys() & TRAINS and ("ani_path" in settings or "target_path" not in settings):
        raise UserError(f"{path}: settings of an animation, not of a training; to run it: {command('run', path)}")
    if "target_path" not in settings:
        raise UserError(f"{path}: says no target_path, the picture that is learned")
    picture = read.place("target_path")
    made.settings = {"picture": picture, "regime": "persist"}
    made.notes.append(f"target_path: picture={picture}")
    whole = {
        "iterations": ("train", "steps"), "img_size": ("", "size"), "padding": ("", "padding"),
        "n_channels": ("rule", "channels"), "batch_size": ("train", "batch"), "pool_size": ("train", "pool"),
    }  # fmt: skip
    for key in settings:
        if key in whole:
            _set(made, key, *whole[key], read.whole(key, 0 if key == "padding" else 1))
    if "learning_rate" in settings:
        _set(made, "learning_rate", "train", "lr", read.number("learning_rate"))
    if "device" in settings:
        device = read.text("device").lower()
        _set(made, "device", "train", "device", f"cuda:{device}" if device.isdecimal() else device)
    if "filter" in settings:
        ours = FILTERS[read.one("filter", FILTERS)]
        _set(made, "filter", "rule", "filters", ["identity", ours])
    if "loss" in settings:
        _set(made, "loss", "", "loss", read.one("loss", LOSSES))
    if read.damaged():
        _damage(made, read)
    elif "damage" in settings:
        made.notes.append("damage: regime=persist")
    if "model_path" in settings:
        made.name = PureWindowsPath(read.text("model_path")).stem
        made.notes.append(f"model_path: the run's name, runs/{made.name}")
    if "ani_path" in settings:
        film = command("run", f"runs/{made.name or 'NAME'}", "-o", Path(read.place("ani_path")))
        made.notes.append(f"ani_path: the run writes an animation, film.webp; under that name: {film}")
    made.notes += read.notes
    made.notes.append("not said there, so as planaria has it: a learning rate that falls, gradients of length 1")
    return made


def filming(settings: Mapping[str, Any], path: Path) -> Filming:
    """Convert their visualize_config.yaml to ours. Raises `UserError` as `training` does."""
    read = _Reader(settings, path)
    settings = read.settings
    if "ani_path" not in settings and settings.keys() & TRAINS:
        raise UserError(
            f"{path}: settings of a training, not of an animation; to train by them: {command('train', path)}"
        )
    if "model_path" not in settings:
        raise UserError(f"{path}: says no model_path, the model that is filmed")
    model = Path(read.place("model_path"))
    run = Path("runs") / model.stem
    if not model.exists() and RunFolder(run).model.exists():
        model = run
    made = Filming(model, notes=[f"model_path: {model}"])
    if "ani_path" in settings:
        made.output = Path(read.place("ani_path"))
        made.notes.append(f"ani_path: --output {made.output}, {FPS} pictures a second, one a step")
    if "iterations" in settings:
        made.steps = read.whole("iterations", 1)
        made.notes.append(f"iterations: --steps {made.steps}")
    if "img_size" in settings:
        made.size = read.whole("img_size", 1) + 2 * (read.whole("padding", 0) if "padding" in settings else 0)
        made.notes.append(f"img_size, padding: --size {made.size}")
    if "n_channels" in settings:
        made.channels = read.whole("n_channels", 1)
        made.notes.append(f"n_channels: the model's own, {made.channels}")
    if "filter" in settings:
        made.kernel = read.one("filter", FILTERS)
        made.notes.append(f"filter: {made.kernel}, where the model's file doesn't tell")
    if read.damaged():
        made.erase = f"left@{(made.steps or 200) // 2}"
        made.notes.append(f"damage: --erase {made.erase}")
    for key in ("target_path", "loss", *TRAINS):
        if key in settings:
            made.notes.append(f"{key}: not used for an animation")
    made.notes += read.notes
    return made


def _set(made: Training, key: str, group: str, name: str, value: Any) -> None:
    """Set a value in our settings, and note it."""
    (made.settings.setdefault(group, {}) if group else made.settings)[name] = value
    shown = ",".join(value) if isinstance(value, list) else value
    made.notes.append(f"{key}: {f'{group}.' if group else ''}{name}={shown}")


def _damage(made: Training, read: "_Reader") -> None:
    """Damage setting there: yes, no, or the number of damaged samples in a batch."""
    made.settings["regime"] = "regenerate"
    damage = read.settings["damage"]
    if damage is True or str(damage).strip().lower() in _WORDS:
        made.notes.append("damage: regime=regenerate")
        return
    made.settings["damage"] = read.whole("damage", 0)
    made.notes.append(f"damage: regime=regenerate damage={made.settings['damage']}")


class _Reader:
    """Reader of a file's values, with checks."""

    def __init__(self, settings: Mapping[str, Any], path: Path):
        self.settings = {key: value for key, value in settings.items() if value is not None}
        """Values of the file; a key without a value counts as absent."""
        self.notes = [f"{key}: empty there, so as planaria has it" for key in settings if key not in self.settings]
        self.path = path
        for key in settings:
            if key not in KEYS:
                raise unknown(f"setting in {path}:", key, KEYS)

    def text(self, key: str) -> str:
        """Text value of a key."""
        value = self.settings[key]
        if not isinstance(value, str | int) or not str(value).strip():
            raise UserError(f"{self.path}: {key} is a name, got {value!r}")
        return str(value).strip()

    def place(self, key: str) -> str:
        """Path of a file: relative to the settings' folder, where their programs run, or to this one.

        A path as Windows writes it is one of this machine, a picture that is no file stays as it is.
        """
        text = self.text(key)
        if key == "target_path" and ("://" in text or is_emoji(text)):
            return text
        parts = PureWindowsPath(text)
        if not parts.drive and not os.path.exists(self.path.parent / text):  # noqa: PTH110
            text = parts.as_posix()
        beside = self.path.parent / Path(text).expanduser()
        return text if os.path.exists(text) and not os.path.exists(beside) else str(beside)  # noqa: PTH110

    def damaged(self) -> bool:
        """True if there is damage, which is yes, no or a number there."""
        damage = self.settings.get("damage", False)
        return bool(_WORDS.get(damage.strip().lower(), damage) if isinstance(damage, str) else damage)

    def whole(self, key: str, least: int) -> int:
        """A whole number."""
        value = self._value(key, lambda v: v.is_integer() and v >= least, f"a whole number of at least {least}")
        return int(value)

    def number(self, key: str) -> float:
        """A number above 0."""
        return self._value(key, lambda v: v > 0, "a number above 0")

    def one(self, key: str, names: Mapping[str, str] | tuple[str, ...]) -> str:
        """One of several names, in any spelling."""
        name = self.text(key).lower()
        if name not in names:
            raise unknown(f"{key} in {self.path}:", name, names)
        return name

    def _value(self, key: str, good: Callable[[float], bool], what: str) -> float:
        value = self.settings[key]
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number) or not good(number):
            raise UserError(f"{self.path}: {key} is {what}, got {value!r}")
        return number
