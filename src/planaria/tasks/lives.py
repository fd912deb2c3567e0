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
JITTER = 0.2
"""Noise on half of the lives that go on, in all channels, as a share of that on shown frames."""


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


def roughened(x: Tensor, visible: int, noise: float, damage: float, rng: torch.Generator) -> Tensor:
    """State `(c, h, w)` of a life with a little noise, or with a disc painted over, or as it was; `x` is changed.

    Every second one gets a fifth of `noise`, and a share `damage` of them a disc in a colour from elsewhere.
    """
    noisy, cut = torch.rand(2, generator=rng).tolist()
    if noise and noisy < 0.5:
        x += JITTER * noise * torch.randn(x.shape, generator=rng).to(x)
    if cut < damage:
        h, w = x.shape[1:]
        places = torch.rand(5, generator=rng).tolist()
        y, x0, r = places[0] * h, places[1] * w, 2 + places[2] * max(1, min(h, w) / 6)
        disc = (torch.arange(h)[:, None] - y) ** 2 + (torch.arange(w) - x0) ** 2 < r**2
        colour = x[:visible, int(places[3] * h), int(places[4] * w)].clone()
        x[:, disc] = 0.0
        x[:visible, disc] = colour[:, None]
    return x
