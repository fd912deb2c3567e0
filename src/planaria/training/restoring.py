"""Restoring: the tensors of a checkpoint, compared with those of the run it should belong to."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from planaria.errors import UserError
from planaria.training.pool import unpack
from planaria.types import State


def points(tensors: Mapping[str, Tensor], kind: str, like: Sequence[Tensor]) -> list[Tensor]:
    """The tensors `KIND.0`, `KIND.1`, ... of a checkpoint: as many as `like`, of the same kinds and shapes.

    Of the optimiser's tensors for each weight, the first counts its steps. Raises `UserError` for anything else.
    """
    found = [_like(tensors, f"{kind}.{i}", t.shape, t.dtype) for i, t in enumerate(like)]
    if odd := next((n for n in tensors if n.startswith(f"{kind}.") and n not in _names(kind, len(like))), ""):
        raise UserError(f"damaged: it holds {odd} besides")
    for i, steps in enumerate(found):
        if not steps.ndim and not (0 <= float(steps) < 2**53 and float(steps).is_integer()):
            raise UserError(f"damaged: {kind}.{i} counts {float(steps):g} steps")
    return found


def pooled(tensors: Mapping[str, Tensor], prefix: str, like: State) -> tuple[State, Tensor | None]:
    """The pool that `pack` packed under `prefix`, of the shape of `like`, and how old its samples are, if it is kept.

    Raises `UserError` for anything else.
    """
    n, c, h, w = like.shape
    shape = _like(tensors, f"{prefix}shape", (4,), torch.int64)
    if shape.tolist() != [n, c, h, w]:
        raise UserError(f"damaged: its pool is {shape.tolist()}, that of the run {[n, c, h, w]}")
    full = _like(tensors, f"{prefix}full", (n, h, w), torch.bool)
    cells = _like(tensors, f"{prefix}cells", (int(full.sum()), c), torch.float32)
    at = _like(tensors, f"{prefix}at", (n,), torch.int64) if f"{prefix}at" in tensors else None
    if at is not None and not bool(((at >= 0) & (at < 2**53)).all()):
        raise UserError(f"damaged: {prefix}at holds what is no age")
    return unpack({"full": full, "cells": cells, "shape": shape}), at


def _names(kind: str, count: int) -> set[str]:
    return {f"{kind}.{i}" for i in range(count)}


def _like(tensors: Mapping[str, Tensor], name: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Tensor of this name, which must have this shape and kind."""
    if name not in tensors:
        raise UserError(f"damaged: it has no {name}")
    found = tensors[name]
    if tuple(found.shape) != tuple(shape) or found.dtype != dtype:
        raise UserError(f"damaged: {name} is {_told(found.dtype, found.shape)}, that of the run {_told(dtype, shape)}")
    return found


def _told(dtype: torch.dtype, shape: Sequence[int]) -> str:
    """Kind and shape in words: `float32 16x24`."""
    return f"{str(dtype).removeprefix('torch.')} {'x'.join(map(str, shape)) or 'alone'}"
