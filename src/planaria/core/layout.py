"""Layout: meaning of every channel of a state."""

import re
from dataclasses import dataclass, field
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from planaria import machine, ranges
from planaria.core.noise import Stream, derive, uniform
from planaria.core.shuffle import shuffled
from planaria.errors import UserError
from planaria.types import Picture, State

MOST_LABELS = 64
"""Largest number of labels."""
SHADES = 8
"""Bins of each visible channel in the histogram that finds the most common colour."""


@dataclass(frozen=True)
class Layout:
    """Layout of a state `(b, c, h, w)`: visible channels first, then hidden, then frozen.

    Growing: `Layout()` is premultiplied RGBA and 12 hidden channels.
    Texture: `Layout(3, alpha=None, hidden=9, offset=0.5)`.
    Editing a photo: `Layout(3, alpha=None, hidden=12, frozen=3)`.
    Labels: `Layout(2, alpha=2, hidden=10, palette=("#2f8f6b", "#d1495b"))`.
    """

    visible: int = 4
    """Leading channels that are the picture: 1 grey, 3 RGB, 4 premultiplied RGBA, or the labels of `palette`."""
    alpha: int | None = 3
    """Channel of a cell's life value; None if cells have no life."""
    hidden: Annotated[int, Ge(0)] = 12
    """Number of hidden channels, by which cells communicate."""
    frozen: Annotated[int, Ge(0)] = 0
    """Number of trailing channels that the rule reads but never writes."""
    offset: float = 0.0
    """Offset of the picture: picture = state + offset."""
    shifts: tuple[Annotated[int, Ge(1), Le(4096)], ...] = ()
    """Shifts in cells of the shift-shuffles that the frozen channels hold after the photo, two channels each."""
    straight: bool = False
    """True if visible RGBA is straight: its colours not yet multiplied by alpha."""
    lean: bool = False
    """True if a seed holds nothing but its life, so that its hidden channels are 0."""
    strain: int | None = None
    """Channel that is 1 in cells that run the rule of an infection; its other channels follow."""
    palette: tuple[str, ...] = field(default=(), metadata={"sparse": True})
    """Colours `#rrggbb` of the visible channels, if these are labels; empty if they are colours themselves."""

    def __post_init__(self) -> None:
        ranges.check(self, "layout.")
        if self.palette:
            self._check_palette()
        elif self.visible not in (1, 3, 4):
            raise UserError(f"layout.visible must be 1 (grey), 3 (RGB) or 4 (RGBA), got {self.visible}")
        if self.shifts and self.photo not in (1, 3, 4):
            raise UserError(
                f"layout.shifts={self.shifts} takes two frozen channels each beside the photo; "
                f"layout.frozen={self.frozen} leaves {self.photo} for that, and it has 1, 3 or 4"
            )
        if self.strain is not None and not self.visible <= self.strain < self.channels:
            raise UserError(f"layout.strain is {self.strain}, outside {self.visible}..{self.channels - 1}")
        if self.alpha is not None and not 0 <= self.alpha < self.channels - self.frozen:
            raise UserError(f"layout.alpha is {self.alpha}, outside 0..{self.channels - self.frozen - 1}")

    def _check_palette(self) -> None:
        if not all(re.fullmatch("#[0-9a-fA-F]{6}", colour) for colour in self.palette):
            raise UserError(f"layout.palette holds colours like #2f8f6b, got {', '.join(self.palette)[:200]}")
        if len(self.palette) != self.visible or self.visible > MOST_LABELS or self.straight:
            raise UserError(
                f"layout.palette={', '.join(self.palette)[:200]} needs layout.visible={len(self.palette)}, at most "
                f"{MOST_LABELS}, and layout.straight=false"
            )

    @property
    def shades(self) -> tuple[tuple[int, int, int], ...]:
        """Colours of the labels, 0..255 each; none where the visible channels are colours themselves."""
        return tuple((int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16)) for c in self.palette)

    @property
    def channels(self) -> int:
        """Number of channels of a state, `c`."""
        return self.visible + self.hidden + self.frozen

    @property
    def photo(self) -> int:
        """Number of frozen channels that hold the photo itself."""
        masked = self.strain is not None and self.strain >= self.channels - self.frozen
        return self.frozen - 2 * len(self.shifts) - masked

    def role(self, channel: int) -> str:
        """Role of a channel, in a word: `red`, `alpha`, `label 1`, `hidden`, `infection`, `frozen`."""
        if channel < self.visible and self.palette:
            return f"label {channel + 1}"
        if channel < self.visible:
            return "grey" if self.visible == 1 else ("red", "green", "blue", "alpha")[channel]
        return "hidden" if channel < self.body else "frozen" if self.strain is None else "infection"

    def spared(self, kind: str) -> int:
        """Number of trailing channels that damage of this kind leaves unchanged: noise infects no cell."""
        return self.channels - self.body if kind == "noise" else self.frozen

    @property
    def body(self) -> int:
        """Number of leading channels that a cell writes, without those that an infection keeps."""
        own = self.channels - self.frozen
        return own if self.strain is None else min(own, self.strain)

    @property
    def sown(self) -> range:
        """Channels that are 1 in a seed: its life, and the hidden ones unless it is `lean`."""
        alpha = self.alpha or 0
        return range(alpha, alpha + 1 if self.lean else self.body)

    def exposed(self, photo: Tensor) -> Tensor:
        """Frozen channels `(b, frozen, h, w)` of `photo` `(b, photo, h, w)` in 0..1.

        The photo, then the shift-shuffles of its luminance; all less `offset`.
        """
        if photo.shape[1] != self.photo or not self.photo:
            raise UserError(f"a photo of {photo.shape[1]} channels can't be laid under cells that read {self.photo}")
        return torch.cat([photo, *(shuffled(photo, shift) for shift in self.shifts)], 1) - self.offset

    def pose(self, photo: Tensor, *, seed: int = 0, origin: tuple[int, int] = (0, 0)) -> State:
        """Initial states for repainting each of `photo` `(b, photo, h, w)` in 0..1.

        The frozen channels hold it, the visible ones show it, and the hidden ones hold random numbers in
        -0.5..0.5, so that cells of an even wall can grow apart: of `seed`, channel, row and column, and alike in every
        sample. `origin` is the row and column of the first cell where it is a part of a larger photo. Cells that can't
        show it, as they have life or other colours, begin as a seed does.
        """
        b, _, h, w = photo.shape
        frozen = self.exposed(photo)
        if self.photo != self.visible or self.alpha is not None:
            own = self.seed(b, (h, w), device=photo.device)[:, : self.channels - self.frozen]
            return torch.cat([own.to(photo), frozen], 1)
        hidden = uniform(derive(seed, Stream.HIDDEN), 0, (self.hidden, h, w), photo.device, origin).to(photo) - 0.5
        return torch.cat([photo - self.offset, hidden.expand(b, -1, -1, -1), frozen], 1)

    def seed(self, n: int, size: int | tuple[int, int], *, device: torch.device | None = None) -> State:
        """States of `n` empty worlds with one living cell in the middle, its `sown` channels 1 (all zero without life).

        `size` is one number for a square or `(rows, columns)`; the cell sits at `(rows // 2, columns // 2)`.
        """
        h, w = (size, size) if isinstance(size, int) else size
        if n < 1 or h < 1 or w < 1:
            raise UserError(f"a world needs at least one sample and one cell, got {n} of {h}x{w}")
        self._check_memory(n, h, w)
        x = torch.zeros(n, self.channels, h, w, device=device)
        if self.alpha is not None:
            x[:, self.sown.start : self.sown.stop, h // 2, w // 2] = 1.0
        return x

    def _check_memory(self, n: int, h: int, w: int) -> None:
        """Refuse a state that this machine's memory can't hold, before any is allocated."""
        need = 4 * n * self.channels * h * w
        have = machine.memory()
        if need > have:
            raise UserError(
                f"{n} worlds of {h}x{w} cells with {self.channels} channels take {need / 1e9:,.0f} GB, and this "
                f"machine has {have / 1e9:,.0f}; make them fewer (train.pool) or smaller (size)"
            )

    def embed(self, picture: Picture, n: int = 1) -> State:
        """States, `n` in number, that show `picture` `(visible, h, w)`, with every other channel zero."""
        if picture.shape[0] != self.visible:
            raise UserError(f"the picture has {picture.shape[0]} channels, the layout shows {self.visible}")
        x = picture.new_zeros(n, self.channels, *picture.shape[1:])
        x[:, : self.visible] = picture - self.offset
        if self.straight and self.visible == 4:
            x[:, :3] = x[:, :3] / picture[3:].clamp(min=1e-6)
        return x

    def labelled(self, rgba: Picture) -> Picture:
        """Labels `(visible, h, w)` whose colours are nearest to those of a premultiplied picture `(4, h, w)`."""
        shades = rgba.new_tensor(self.shades) / 255
        straight = rgba[:3] / rgba[3:].clamp(min=1e-6)
        nearest = (straight[None] - shades[:, :, None, None]).square().sum(1).argmin(0)
        return torch.stack([(nearest == k) * rgba[3] for k in range(self.visible)])

    def picture(self, x: State) -> Tensor:
        """Picture that the cells show, unclamped: `(b, visible, h, w)`."""
        shown = x[:, : self.visible] + self.offset
        if self.straight and self.visible == 4:
            return torch.cat([shown[:, :3] * shown[:, 3:].clamp(0, 1), shown[:, 3:]], 1)
        return shown

    def colour(self, rgb: tuple[int, int, int]) -> dict[int, float]:
        """Values of a cell of this opaque colour (0..255 each): channel -> value.

        Grey is its luminance (Rec. 601); of labels, the one of the nearest colour is 1.
        """
        if self.palette:
            away = [sum((a - b) ** 2 for a, b in zip(rgb, shade, strict=True)) for shade in self.shades]
            return {k: float(far == min(away) and k == away.index(far)) - self.offset for k, far in enumerate(away)}
        r, g, b = (v / 255 - self.offset for v in rgb)
        if self.visible == 1:
            return {0: 0.299 * r + 0.587 * g + 0.114 * b}
        return {0: r, 1: g, 2: b} | ({3: 1.0 - self.offset} if self.visible == 4 else {})

    def background(self, x: State | None = None) -> dict[int, float]:
        """Values of a cell after erasing: channel -> value.

        Zero if cells have life; without it, the mean of the cells of `x` `(1, c, h, w)` in its most common
        colour, as a film has no holes.
        """
        own = self.channels - self.frozen
        if x is None or self.alpha is not None:
            return dict.fromkeys(range(own), 0.0)
        shades = (self.picture(x)[0] * SHADES).nan_to_num().clamp(0, SHADES - 1).floor().flatten(1)
        _, kind, often = shades.unique(dim=1, return_inverse=True, return_counts=True)
        held = x[0].flatten(1)[:, kind == often.argmax()].mean(1)
        return dict(enumerate(held[:own].tolist()))

    def rgb(self, x: State, background: float = 1.0) -> Tensor:
        """RGB picture `(b, 3, h, w)` in 0..1, over `background` (0 black, 1 white).

        Labels are mixed: each by as much as a cell holds of it in 0..1, and the background by what is left to 1. So a
        cell that is between two shows both, and one that has none yet shows the background.
        """
        p = (x[:, : self.visible] + self.offset).nan_to_num().clamp(0, 1)
        if self.palette:
            mixed = torch.einsum("bkhw,kc->bchw", p, p.new_tensor(self.shades) / 255)
            whole = p.sum(1, keepdim=True)
            return mixed / whole.clamp(min=1) + (1 - whole).clamp(min=0) * background
        if self.straight and self.visible == 4:
            p = torch.cat([p[:, :3] * p[:, 3:], p[:, 3:]], 1)
        if self.visible == 1:
            return p.expand(-1, 3, -1, -1)
        if self.visible == 3:
            return p
        return (p[:, :3] + (1 - p[:, 3:4]) * background).clamp(0, 1)


def tiled(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Place `pictures` `(..., h, w)` on a grid of `size` rows and columns, cell for cell, centred.

    A picture that is too large is cropped; one that is too small is continued by its mirror image.
    """
    for axis, cells in ((-2, size[0]), (-1, size[1])):
        there = pictures.shape[axis]
        place = torch.arange(cells, device=pictures.device) - (cells - there) // 2
        place = place % (2 * there)
        pictures = pictures.index_select(axis, torch.where(place < there, place, 2 * there - 1 - place))
    return pictures
