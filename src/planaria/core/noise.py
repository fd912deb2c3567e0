"""Random numbers of the cells: a pure function of (seed, sample, step, row, column).

No generator, no state. So every engine, a resumed run, an exported page and a larger grid draw the very same
cells. Each coordinate is folded into a 32-bit key by the mixer `lowbias32` (Wellons, 2018; two multiplications,
three shifts), which torch, Triton, NumPy, JavaScript and GLSL ES 3 all compute alike:

    fold(key, v) = mix((key + 0x9E3779B9) ^ v)        all modulo 2**32
    cell         = fold(fold(fold(fold(fold(0, seed), t), sample), row), column)
    fires        = cell < rate * 2**32
"""

from enum import IntEnum, unique

import torch
from torch import Tensor

from planaria.types import Mask


@unique
class Stream(IntEnum):
    """Purposes that one seed serves, each with random numbers of its own: `derive(seed, Stream.NOISE)`.

    Saved runs and published pages depend on the numbers, so one that is given stays.
    """

    NOISE = 1
    """Cells of a state: damage by noise, a random grid."""
    HIDDEN = 2
    """Hidden channels of cells that begin to repaint a photo."""
    PATCHES = 7
    """Directions along which patches of textures are compared."""
    MAPS = 8
    """Directions and cells that styles are compared by; the number of the map follows."""
    SPACE_TIME = 9
    """Filters and cells that moving textures are compared by; the number of the scale follows."""


@unique
class TrainingStream(IntEnum):
    """Purposes that `train.seed` serves. Those from 10 on are followed by the process's rank and the iteration."""

    WEIGHTS = 0
    """Weights of a fresh rule."""
    FIRE = 2
    """Cells that fire, and the losses of one iteration; rank and iteration follow."""
    LENGTH = 3
    """Steps of one iteration, alike in every process; the iteration follows."""
    DAMAGE = 6
    """Samples that the user damages; the iteration and a number follow."""
    HOSTS = 7
    """Cells that fire while hosts grow that are to be infected."""
    BIASES = 9
    """First biases of a rule that repaints; the number of the layer follows."""
    POOL = 10
    BATCH = 11
    RESCUE = 14
    """Samples that replace those that a failed iteration began with."""
    REBIRTH = 15
    """Samples that replace extinct ones."""


_GOLDEN = 0x9E3779B9
_WORD = 0xFFFFFFFF


def mix(v: Tensor) -> Tensor:
    """Scramble 32-bit words held in int32, bijectively."""
    v = v ^ ((v >> 16) & 0xFFFF)
    v = v * _signed(0x7FEB352D)
    v = v ^ ((v >> 15) & 0x1FFFF)
    v = v * _signed(0x846CA68B)
    return v ^ ((v >> 16) & 0xFFFF)


def fold(key: Tensor, v: Tensor) -> Tensor:
    """Fold int32 coordinate `v` into int32 `key`; the two broadcast."""
    return mix((key + _signed(_GOLDEN)) ^ v)


def derive(*parts: int) -> int:
    """Derive one 32-bit seed from several numbers, by the same folding."""
    key = 0
    for part in parts:
        key = _mix((key + _GOLDEN & _WORD) ^ (part & _WORD))
    return key


def words(
    seed: int,
    t: int,
    shape: tuple[int, int, int],
    device: torch.device | None = None,
    origin: tuple[int, int] = (0, 0),
) -> Tensor:
    """Random word of every cell in step `t`, int32 `(b, h, w)` for `shape = (b, h, w)`.

    `origin` is the row and column of the first cell: in a part of a larger grid the same cells fire as there.
    """

    def axis(n: int, first: int = 0) -> Tensor:
        return torch.arange(first, first + n, device=device, dtype=torch.int32)

    b, h, w = shape
    key = torch.tensor(_signed(derive(seed, t)), device=device, dtype=torch.int32)
    return fold(fold(fold(key, axis(b)[:, None, None]), axis(h, origin[0])[:, None]), axis(w, origin[1]))


def uniform(
    seed: int,
    t: int,
    shape: tuple[int, int, int],
    device: torch.device | None = None,
    origin: tuple[int, int] = (0, 0),
) -> Tensor:
    """Random number in [0, 1) for every cell, float32 `(b, h, w)`: the upper 24 bits of its word, exact."""
    return ((words(seed, t, shape, device, origin) >> 8) & 0xFFFFFF).float() / 2**24


def fire(
    rate: float,
    seed: int,
    t: int,
    shape: tuple[int, int, int],
    device: torch.device | None = None,
    origin: tuple[int, int] = (0, 0),
) -> Mask:
    """Cells that fire in step `t`: `(b, 1, h, w)` bool for `shape = (b, h, w)`, true with probability `rate`."""
    b, h, w = shape
    threshold = round(rate * 2**32)
    if threshold <= 0 or threshold >= 2**32:
        return torch.full((b, 1, h, w), threshold > 0, device=device)
    # unsigned comparison by flipping the sign bit of both sides
    return ((words(seed, t, shape, device, origin) ^ _signed(0x80000000)) < threshold - 2**31)[:, None]


def _signed(word: int) -> int:
    return word - 2**32 if word >= 2**31 else word


def _mix(v: int) -> int:
    v ^= v >> 16
    v = v * 0x7FEB352D & _WORD
    v ^= v >> 15
    v = v * 0x846CA68B & _WORD
    return v ^ (v >> 16)
