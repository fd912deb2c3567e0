"""The pool: samples that live on between iterations, so that a pattern learns to persist."""

import torch
from torch import Tensor

from planaria.types import State


class Pool:
    """Pool of `n` living samples `x`, and their ages `at` `(n,)`."""

    def __init__(self, x: State, at: Tensor | None = None):
        self.x = x
        self.at = torch.zeros(len(x), dtype=torch.int64) if at is None else at

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw places of `n` different samples, `(n,)`."""
        return torch.randperm(len(self.x), generator=rng)[:n]

    def put(self, places: Tensor, x: State, at: Tensor | None = None) -> None:
        """Store the final states."""
        self.x[places.to(self.x.device)] = x.detach().to(self.x)
        if at is not None:
            self.at[places] = at


def pack(x: State) -> dict[str, Tensor]:
    """Pack a pool as only its non-empty cells, exactly: most of a pool is empty space."""
    bits = x.cpu().permute(0, 2, 3, 1).contiguous().view(torch.int32)
    full = (bits != 0).any(-1)
    return {"full": full, "cells": bits[full].view(torch.float32), "shape": torch.tensor(x.shape)}


def unpack(packed: dict[str, Tensor]) -> State:
    """Unpack the pool that `pack` packed."""
    b, c, h, w = packed["shape"].tolist()
    x = torch.zeros(b, h, w, c)
    x[packed["full"]] = packed["cells"]
    return x.permute(0, 3, 1, 2).contiguous()
