"""Starts that a model was not trained on: random, shuffled, mirrored or shifted frames, and other grid sizes."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.core.layout import tiled
from planaria.core.noise import Stream, derive, uniform
from planaria.evaluate.curve import Frames

BLOCKS = 8
"""Blocks on a side that a frame is cut into to be shuffled."""
FACTOR = 1.5
"""Ratio of a larger or smaller frame's size to the original."""

Changed = Float[Tensor, "_ v _ _"]
"""Frames of another number or size."""
Change = Callable[[Frames, int], Changed]
"""Map from the frames that charge a model, and a seed, to others."""


def random(clip: Frames, seed: int) -> Changed:
    """One random frame, each value anywhere in 0..1, and nothing before it."""
    _, v, h, w = clip.shape
    return uniform(derive(seed, Stream.NOISE), 0, (v, h, w)).to(clip)[None]


def shuffled(clip: Frames, seed: int) -> Frames:
    """Every frame cut into 8x8 blocks that are shuffled at random, alike in all frames.

    Rows and columns that are left over stay where they are, as does a frame of fewer than 8 cells on a side.
    """
    n, v, h, w = clip.shape
    tall, wide = h // BLOCKS, w // BLOCKS
    if not tall or not wide:
        return clip
    order = torch.randperm(BLOCKS**2, generator=torch.Generator().manual_seed(seed))
    out = clip.clone()
    inner = clip[:, :, : tall * BLOCKS, : wide * BLOCKS].reshape(n, v, BLOCKS, tall, BLOCKS, wide)
    blocks = inner.transpose(3, 4).reshape(n, v, BLOCKS**2, tall, wide)[:, :, order]
    mixed = blocks.reshape(n, v, BLOCKS, BLOCKS, tall, wide).transpose(3, 4)
    out[:, :, : tall * BLOCKS, : wide * BLOCKS] = mixed.reshape(n, v, tall * BLOCKS, wide * BLOCKS)
    return out


def flipped(clip: Frames, seed: int) -> Frames:  # noqa: ARG001
    """Left and right exchanged."""
    return clip.flip(3)


def rolled(clip: Frames, seed: int) -> Frames:  # noqa: ARG001
    """Shifted by a third of the grid each way; what leaves comes in on the other side."""
    return clip.roll((clip.shape[2] // 3, clip.shape[3] // 3), (2, 3))


def enlarged(clip: Frames, seed: int) -> Changed:  # noqa: ARG001
    """Half as large again, by bilinear interpolation."""
    size = [round(side * FACTOR) for side in clip.shape[2:]]
    return F.interpolate(clip, size, mode="bilinear")


def reduced(clip: Frames, seed: int) -> Changed:  # noqa: ARG001
    """Two thirds as large, by the mean of the area."""
    size = [max(1, round(side / FACTOR)) for side in clip.shape[2:]]
    return F.interpolate(clip, size, mode="area")


def twice(clip: Frames, seed: int) -> Changed:  # noqa: ARG001
    """On a grid with twice the rows and columns, cell for cell, going on as its own mirror image."""
    return tiled(clip, (2 * clip.shape[2], 2 * clip.shape[3]))


UNSEEN: dict[str, Change] = {"random": random, "shuffled": shuffled, "flipped": flipped, "rolled": rolled}
"""Name -> start, on the grid of the data."""
SIZES: dict[str, Change] = {"1.5 times larger": enlarged, "1.5 times smaller": reduced, "twice the grid": twice}
"""Name -> start, on another grid."""
