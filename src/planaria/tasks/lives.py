"""Lives: where each sample of the pool of a video's training stands, packed into the one number that a pool keeps."""

from dataclasses import dataclass

import torch
from torch import Tensor

AGES, PLACES = 20, 28
"""Bits of an age, and of a place."""
MIRRORS = 3
"""Bits of the mirror images: over, across, turned on its side."""
OLDEST = 2**AGES - 1
MOST_FRAMES = 2**PLACES - 2


@dataclass
class Lives:
    """Where each of `b` samples stands. One of age 0 without a place is vacant: a new one takes its place."""

    age: Tensor
    """Frames that each has gone on alone, `(b,)`."""
    place: Tensor
    """Number, among the frames of all clips, of the one that each stands at, `(b,)`; -1 where it follows none."""
    mirrored: Tensor
    """Bits of the mirror image that each follows, `(b,)`."""

    @classmethod
    def read(cls, at: Tensor) -> "Lives":
        """Read what `packed` wrote. A small number is an age alone: a life that follows no film."""
        return cls(at & OLDEST, ((at >> AGES) & (2**PLACES - 1)) - 1, at >> (AGES + PLACES))

    @classmethod
    def begun(cls, place: Tensor, mirrored: Tensor) -> "Lives":
        """Make lives that have just been shown the frames at `place` `(b,)`."""
        return cls(torch.zeros_like(place), place, mirrored)

    def packed(self) -> Tensor:
        """Pack into one whole number each, `(b,)`, below 2**53."""
        age = self.age.clamp(max=OLDEST)
        return age | ((self.place + 1) << AGES) | (self.mirrored << (AGES + PLACES))

    @property
    def vacant(self) -> Tensor:
        """True where a new sample may take the place, `(b,)`."""
        return (self.age == 0) & (self.place < 0)

    @property
    def free(self) -> Tensor:
        """True for lives that go on without a frame to be compared with, `(b,)`."""
        return (self.age > 0) & (self.place < 0)

    def end(self, which: Tensor) -> None:
        """Make `which` `(b,)` vacant."""
        for values, empty in ((self.age, 0), (self.place, -1), (self.mirrored, 0)):
            values[which] = empty


def mirror(film: Tensor, bits: int) -> Tensor:
    """Mirror image of `film` `(..., h, w)`, as the bits say: over, across, turned on its side."""
    film = film.flip([axis for axis, bit in ((-2, 1), (-1, 2)) if bits & bit])
    return film.transpose(-1, -2) if bits & 4 else film
