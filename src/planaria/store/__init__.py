"""One model, one file: weights and the settings that shape them, in one `.safetensors`."""

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from planaria.config import parse, to_dict
from planaria.core.infection import Spread, spread_in
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig, shapes
from planaria.errors import UserError
from planaria.files import open_regular, spare, sweep
from planaria.store import live, lock
from planaria.store.cards import USUAL_GRID, Card
from planaria.store.others import mistaken

FORMAT = 1
"""Version of the header; newer ones are refused."""

KEY = "planaria"
MODEL = "model.safetensors"
"""Name of the model file in a run folder."""
START = "start"
"""Name of the frames in a model file with which its life begins."""
LONGEST_START, MOST_START = 4096, 1_000_000_000
"""Limits of a start: frames, or cells on its side; and numbers in the states of all its frames."""
HEADER_LIMIT = 10_000_000
DTYPES = ("F64", "F32", "F16", "BF16")

_swept: set[Path] = set()

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Saved:
    """Model as a file holds it."""

    rule: Rule
    layout: Layout
    card: Card = field(default_factory=Card)
    start: Tensor | None = None
    """Frames `(n, visible, h, w)` in 0..1 with which its life begins; None where that is a seed cell."""
    size: tuple[int, int] = USUAL_GRID
    """Rows and columns of the training grid."""
    name: str = "model"
    path: Path | None = None
    """File of the model; None where it has none."""
    spread: Spread | None = None
    """Spread of its infection; None where it has none."""


def save(
    path: str | Path, rule: Rule, layout: Layout, card: Mapping[str, Any] | None = None, start: Tensor | None = None
) -> None:
    """Write one model file, atomically. `card` describes the model to its users: JSON values only.

    `start` `(n, visible, h, w)` in 0..1 are frames that a life of it begins with, for `read` to read: in 8 bits, and
    only the last ones where they are more than it would read.
    """
    tensors = {name: p.detach().cpu().contiguous() for name, p in rule.named_parameters()}
    if start is not None:
        room = max(1, MOST_START // (start[0].numel() * layout.channels))
        kept = start[-min(room, LONGEST_START) :].detach().cpu()
        tensors[START] = kept.clamp(0, 1).mul(255).round().byte().contiguous()
    write_tensors(path, tensors, header_of(rule, layout, card))


def add_metrics(path: Path, metrics: Mapping[str, float]) -> None:
    """Write further metrics into the card of a model file, atomically; all else in it stays as it is."""
    header, tensors = read_header(path), read_tensors(path)
    write_tensors(path, tensors, {**header, "card": dict(_card(path, header).measured(metrics))})


def header_of(rule: Rule, layout: Layout, card: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """JSON in the header of a model file."""
    return {"format": FORMAT, "rule": to_dict(rule.config), "layout": to_dict(layout), "card": dict(card or {})}


def read(path: str | Path, *, device: torch.device | None = None) -> Saved:
    """Read a model file: its rule in evaluation mode without gradients asked for, and all else that it holds.

    A run folder stands for its `model.safetensors`. Nothing in the file is executed, and its shapes are checked
    before memory is taken. Raises `UserError` for anything but a whole planaria model.
    """
    path = model_path(path)
    with _opened(path) as file:
        header = _header(path, file)
        rule, layout = _rule(path, header, file, device)
        card, begun = _card(path, header), _start(path, layout, file)
    spread = spread_in(rule, layout, card.infection)  # files from before cards held it have it in their weights
    return Saved(rule, layout, card, begun, card.grid, card.name or name_of(path), path, spread)


def load(path: str | Path, *, device: torch.device | None = None) -> tuple[Rule, Layout]:
    """The rule and the layout of a model file, as `read` gives them."""
    path = model_path(path)
    with _opened(path) as file:
        return _rule(path, _header(path, file), file, device)


def start(path: str | Path) -> Tensor | None:
    """Frames `(n, visible, h, w)`, float32 in 0..1, with which a model's life begins; None where it has none.

    The first ones charge its hidden channels, it stands at the last one. Raises `UserError` for what are no frames.
    """
    path = model_path(path)
    with _opened(path) as file:
        return _start(path, _settings(Layout, path, _header(path, file), "layout"), file)


def card(path: str | Path) -> Card:
    """Card of a model: its task, full settings and metrics, each of the valid type."""
    path = model_path(path)
    return _card(path, read_header(path))


def trained_size(path: str | Path) -> tuple[int, int]:
    """Rows and columns of a model's training grid; 72x72 where its card doesn't say."""
    return card(path).grid


def name_of(path: Path) -> str:
    """Name of a model whose card gives none: that of its run folder, or its file."""
    return path.resolve().parent.name if path.name in (MODEL, live.WEIGHTS) else path.stem


def gallery() -> dict[str, Path]:
    """Models that come with planaria, by name."""
    found = (Path(str(f)) for f in files("planaria.gallery").iterdir())
    return {f.stem: f for f in sorted(found) if f.suffix == ".safetensors"}


def model_path(path: str | Path) -> Path:
    """The model file that `path` names: itself, the one in a run folder, one of the gallery, or a run by its name."""
    named, path = str(path), Path(path)
    try:
        if path.is_dir():
            path = path / MODEL
        there = path.is_file()
    except OSError as e:
        raise UserError(f"can't read {path}: {e.strerror or e}") from e
    if there:
        return path
    shipped = gallery()
    if named in shipped:
        return shipped[named]
    run = Path("runs") / named / MODEL
    if path.name == named and run.is_file():
        return run
    near = get_close_matches(named, shipped, 1)
    hint = f"; the gallery has {near[0]!r}" if near else ""
    raise UserError(f"no model {str(path)!r}{hint}")


def read_header(path: Path) -> dict[str, Any]:
    """JSON in the header of a model or checkpoint."""
    with _opened(path) as file:
        return _header(path, file)


def _header(path: Path, file: Any) -> dict[str, Any]:
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise UserError(f"{path}: holds weights but no planaria settings, so it isn't a planaria model")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{path}: damaged: its header can't be read") from None
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise UserError(f"{path}: damaged: its header names no format")
    if header["format"] > FORMAT:
        raise UserError(f"{path}: written by a newer planaria (format {header['format']}); please update")
    return header


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file written by `write_tensors`."""
    with _opened(path) as f:
        return {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118


def write_tensors(path: str | Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a JSON header as `.safetensors`, atomically and with the same bytes every time."""
    metadata = {KEY: json.dumps(header, sort_keys=True, allow_nan=False)}
    write_bytes(path, safetensors.torch.save(tensors, metadata))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Replace a file in one step: whatever happens, either the old or the new content is there whole.

    Its folder is made where it is missing, but never that of a run which this process trains: it went away. Raises
    `UserError` then, when the disk is full, or where the folder can't be written.
    """
    path = Path(path)
    part = spare(path)
    trained = lock.guard(path.parent)
    try:
        if not trained:
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent not in _swept:
            _swept.add(path.parent)
            sweep(path.parent)
        with part.open("xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        part.replace(path)
    except BaseException as e:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if not isinstance(e, OSError):
            raise
        raise UserError(f"can't write {path}: {e.strerror or e}; what was there is untouched") from e
    if hasattr(os, "O_DIRECTORY"):  # make the new name itself durable, where the file system can
        with contextlib.suppress(OSError):
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a `.safetensors` file; `UserError` for a pickle, a truncated file, or something else."""
    try:
        with open_regular(path) as f:
            start = f.read(8)
        if len(start) < 8 or not 0 < int.from_bytes(start, "little") <= HEADER_LIMIT:
            if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
                why = "a pickle could run code, so planaria never opens one"
                raise UserError(f"{path}: {why}; others' automata come in by: planaria import")
            raise mistaken(path, f"{path}: not a .safetensors file")
        with safetensors.safe_open(path, "pt") as f:
            yield f
    except OSError as e:
        raise UserError(f"can't read {path}: {e.strerror or e}") from e
    except safetensors.SafetensorError as e:
        raise mistaken(path, f"{path}: truncated or damaged ({str(e).splitlines()[0]})") from None


def _rule(path: Path, header: dict[str, Any], file: Any, device: torch.device | None) -> tuple[Rule, Layout]:
    config, layout = _settings(RuleConfig, path, header, "rule"), _settings(Layout, path, header, "layout")
    if layout.channels != config.channels:
        raise UserError(f"{path}: damaged: the layout has {layout.channels} channels, the rule {config.channels}")
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    slices.pop(START, None)
    found = {name: tuple(s.get_shape()) for name, s in slices.items()}
    wanted = shapes(config)
    if found != wanted:
        odd = sorted(set(found.items()) ^ set(wanted.items()))
        raise UserError(f"{path}: damaged: weights don't fit the settings in its header, first at {odd[0][0]}")
    if odd := [name for name, s in slices.items() if s.get_dtype() not in DTYPES]:
        raise UserError(f"{path}: damaged: {odd[0]} holds no real numbers in floating point")
    rule = Rule(config)
    rule.load_state_dict({name: file.get_tensor(name) for name in wanted})
    if not all(bool(p.isfinite().all()) for p in rule.parameters()):
        raise UserError(f"{path}: damaged: some weights are not numbers")
    return rule.requires_grad_(False).eval().to(device), layout


def _start(path: Path, layout: Layout, file: Any) -> Tensor | None:
    if START not in file.keys():  # noqa: SIM118
        return None
    there = file.get_slice(START)
    shape = there.get_shape()
    if there.get_dtype() != "U8" or len(shape) != 4 or min(shape) < 1 or shape[1] != layout.visible:
        raise UserError(f"{path}: damaged: its start holds no frames of {layout.visible} channels")
    if max(shape) > LONGEST_START or math.prod(shape) * layout.channels > MOST_START:
        raise UserError(f"{path}: its start of {shape[0]} frames, {shape[3]}x{shape[2]} cells, is too large")
    return file.get_tensor(START).float().div(255)


def _card(path: Path, header: dict[str, Any]) -> Card:
    data = _part(header, "card", str(path))
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise UserError(f"{path}: damaged: its card holds numbers without end, or text that can't be shown") from None
    return Card.parse(data)


def _settings(cls: type[T], path: Path, header: dict[str, Any], part: str) -> T:
    """Settings of class `cls` from a part of a file's header; errors name the file."""
    try:
        return parse(cls, (_part(header, part, str(path)), f"{path} [{part}]"))
    except UserError as e:
        raise e if str(path) in str(e) else UserError(f"{path}: damaged: {e}") from None


def _part(header: dict[str, Any], name: str, source: str) -> dict[str, Any]:
    part = header.get(name)
    if not isinstance(part, dict):
        raise UserError(f"{source}: damaged: its header has no [{name}]")
    return part
