"""A living state on disk: a world's cells, its step and its seed, to the bit."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from planaria import store
from planaria.commands import command
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.types import Cond
from planaria.world import World

MOST_BYTES = 4_000_000_000
MOST_SIDE = 16384


def save_state(path: Path, world: World, name: str) -> Path:
    """Write the living state: cells, step, seed, and the initial state if that was no seed."""
    tensors = {"x": world.x.detach().cpu().contiguous()}
    if world.start is not None:
        tensors["start"] = world.start.detach().cpu().contiguous().clone()
    state = {"model": name, "t": world.t, "seed": world.seed, "size": list(world.size)}
    store.write_tensors(path, tensors, {"format": store.FORMAT, "state": state})
    return path


def read_state(path: Path, rule: nn.Module, layout: Layout, *, cond: Cond | None = None, engine: str = "auto") -> World:
    """Read back the world that `save_state` wrote, to the bit. Sizes are checked before memory is taken.

    Raises `UserError` for another file, a damaged one, or one of a model with other channels.
    """
    state = store.read_header(path).get("state")
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds no living state; is it a model? Then: {command('play', path)}")
    h, w, t, seed = _numbers(state, path)
    cells = 4 * layout.channels * h * w
    if not cells <= path.stat().st_size <= min(2 * cells + store.HEADER_LIMIT, MOST_BYTES):
        raise UserError(f"{path}: doesn't fit this model: {layout.channels} channels of {h}x{w} cells")
    found = store.read_tensors(path)
    wanted = (1, layout.channels, h, w)
    if "x" not in found or set(found) - {"x", "start"} or any(not _is_state(x, wanted) for x in found.values()):
        raise UserError(f"{path}: doesn't fit this model: it wants float32 {wanted}")
    world = World(rule, layout, (h, w), seed=seed, start=found.get("start"), cond=cond, engine=engine)
    world.x, world.t = found["x"], t
    if layout.photo:
        world.photo = world.x[0, -layout.frozen :]
    return world


def _numbers(state: dict[str, Any], path: Path) -> tuple[int, int, int, int]:
    """Rows, columns, step and seed in a header."""
    size = state.get("size")
    sides = size if isinstance(size, list) and len(size) == 2 else [None, None]
    found = tuple(n for n in (*sides, state.get("t"), state.get("seed")) if type(n) is int and abs(n) < 2**63)
    if len(found) != 4 or not all(1 <= n <= MOST_SIDE for n in found[:2]) or found[2] < 0:
        raise UserError(f"{path}: damaged: its header tells no size, step and seed")
    return found[0], found[1], found[2], found[3]


def _is_state(x: Tensor, shape: tuple[int, ...]) -> bool:
    return x.dtype == torch.float32 and tuple(x.shape) == shape
