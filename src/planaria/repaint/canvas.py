"""Canvas: picture of any size that a rule paints, a band of rows at a time, exactly as it would paint the whole."""

from typing import final

import torch
from torch import Tensor, nn

from planaria import machine
from planaria.core.bounds import burst
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.core.shuffle import shuffled
from planaria.engine import run
from planaria.errors import UserError

LOOK_STEPS = 8
"""Steps from one check of the bounds to the next."""
CELLS, CELLS_ON_GPU = 2**18, 2**22
"""Approximate number of cells stepped at a time: an engine's memory for them is all that is needed beside the state."""


@final
class Canvas:
    """Photo that is being repainted, or a texture, on a grid of `size` rows and columns at step `t`.

    The channels that the rule writes are kept whole, in the rule's precision and on its device; the photo in its own
    data type, and its channels are made for a band when the band is stepped. A step takes every band once, with as many
    rows above and below, as they were before the step, as the rule reaches. So no number depends on the bands,
    whatever the edge, the fire rate and the number of steps. `cells` is about how many are stepped at a time; a module
    that is no plain `Rule` may reach anywhere, and takes all at once.

    Raises `UserError` for rules with life, which grow and repaint nothing, and for a grid that memory can't hold.
    """

    def __init__(
        self,
        rule: nn.Module,
        layout: Layout,
        size: tuple[int, int],
        *,
        seed: int = 0,
        engine: str = "auto",
        cells: int | None = None,
    ):
        if layout.alpha is not None or (isinstance(rule, Rule) and rule.config.life != "none"):
            raise UserError("cells that live and die grow from a seed and repaint nothing; see: planaria run --help")
        self.rule, self.layout, self.size, self.seed, self.engine = rule, layout, size, seed, engine
        like = next(rule.parameters(), torch.zeros(()))
        own, (h, w) = layout.channels - layout.frozen, size
        _check_memory(like.element_size() * own * h * w, size)
        self.t = 0
        self.burst: int | None = None
        """Step at which its cells were first found outside their bounds, checked about every eight steps."""
        self._looked = 0
        self._x = torch.zeros(1, own, h, w, dtype=like.dtype, device=like.device)
        self._photo: Tensor | None = None
        self._far = self._x.new_zeros(0, h, w)
        self._reach = rule.farthest if isinstance(rule, Rule) else h
        self._wraps = isinstance(rule, Rule) and rule.config.edge == "circular"
        some = cells or (CELLS if like.device.type == "cpu" else CELLS_ON_GPU)
        bands = max(1, min(-(-h * w // some), h // max(1, self._reach)))
        self._bands = [(h * k // bands, h * (k + 1) // bands) for k in range(bands)]

    @torch.no_grad()
    def begin(self, photo: Tensor | None = None) -> None:
        """Back to step 0: showing `photo` `(layout.photo, h, w)`, as `Layout.pose` does, or nothing without one."""
        self.t = self._looked = 0
        if photo is None:
            self._x.zero_()
            return
        self.expose(photo)
        own = self._x.shape[1]
        for top, end in self._bands:
            posed = self.layout.pose(self._shown(slice(top, end))[None], seed=self.seed, origin=(top, 0))
            self._x[:, :, top:end] = posed[:, :own]

    @torch.no_grad()
    def expose(self, photo: Tensor) -> None:
        """Set the photo `(layout.photo, h, w)`, uint8 or in 0..1, that the cells read; their state is unchanged."""
        planes = self.layout.photo
        if photo.shape != (planes, *self.size) or not planes:
            raise UserError(f"a photo of {tuple(photo.shape)} doesn't fit {planes} channels of {self.size} cells")
        self._photo = photo.to(self._x.device)
        if self.layout.shifts:
            whole = self._shown(slice(None))[None]
            self._far = whole.new_empty(2 * len(self.layout.shifts), *self.size)
            for k, shift in enumerate(self.layout.shifts):
                self._far[2 * k : 2 * k + 2] = shuffled(whole, shift)[0]

    @torch.no_grad()
    def carry(self, places: Tensor) -> None:
        """Move to every cell the state at `places` `(2, h, w)`, whole rows and columns within the grid."""
        if places.shape != (2, *self.size):
            raise UserError(f"places of {tuple(places.shape)} don't fit {self.size} cells")
        came = (places[0] * self.size[1] + places[1]).flatten().to(self._x.device)
        for channel in self._x[0]:
            channel.copy_(channel.flatten()[came].view(self.size))

    @torch.no_grad()
    def step(self, n: int = 1) -> None:
        """Advance by `n` steps."""
        if self.layout.photo and self._photo is None:
            raise UserError("there is no photo to repaint yet; begin with one")
        if len(self._bands) == 1:
            self._x.copy_(self._run(0, self._x, n))
            self.t += n
        else:
            for _ in range(n):
                self._walk()
                self.t += 1
        if self.t - self._looked >= LOOK_STEPS:
            self._look()

    def _look(self) -> None:
        """Check for a burst, if there was none before."""
        self._looked = self.t
        if self.burst is None and burst(self._x, self.layout):
            self.burst = self.t

    def _walk(self) -> None:
        """Make one step, band after band, in place."""
        x, reach, h = self._x, self._reach, self.size[0]
        first = x[:, :, : reach if self._wraps else 0].clone()
        above = x[:, :, h - reach :].clone() if self._wraps else first
        for top, end in self._bands:
            below = x[:, :, end : end + reach] if end < h else first
            band = torch.cat([above, x[:, :, top:end], below], 2)
            before = above.shape[2]
            above = x[:, :, end - reach : end].clone()
            x[:, :, top:end] = self._run(top - before, band, 1)[:, :, before : before + end - top]

    def _run(self, top: int, band: Tensor, n: int) -> Tensor:
        """Advance the written channels of rows `top` on by `n` steps, independently of the other rows."""
        state = torch.cat([band, self._frozen(top, top + band.shape[2])], 1) if self.layout.frozen else band
        draws = isinstance(self.rule, Rule) and 0 < self.rule.config.fire_rate < 1
        origin = (top if draws else 0, 0)
        made = run(self.rule, state, n, t=self.t, seed=self.seed, engine=self.engine, origin=origin)
        return made[:, : band.shape[1]]

    def _frozen(self, top: int, end: int) -> Tensor:
        """Channels that the cells of rows `top` up to `end` read and never write; rows wrap around the grid."""
        inside = top >= 0 and end <= self.size[0]
        rows = slice(top, end) if inside else torch.arange(top, end, device=self._x.device) % self.size[0]
        return (torch.cat([self._shown(rows), self._far[:, rows]]) - self.layout.offset)[None]

    def _shown(self, rows: Tensor | slice) -> Tensor:
        """Rows of the photo, in 0..1 and the rule's precision."""
        assert self._photo is not None
        part = self._photo[:, rows].to(self._x.dtype)
        return part / 255 if self._photo.dtype == torch.uint8 else part

    @torch.no_grad()
    def picture(self) -> Tensor:
        """Visible picture, `(3, h, w)` uint8."""
        self._look()
        seen = torch.empty(3, *self.size, dtype=torch.uint8, device=self._x.device)
        for top, end in self._bands:
            seen[:, top:end] = self.layout.rgb(self._x[:, :, top:end])[0].mul(255).round().byte()
        return seen

    @torch.no_grad()
    def rgb(self) -> Tensor:
        """Visible picture, `(3, h, w)` in 0..1 and the rule's precision."""
        self._look()
        return self.layout.rgb(self._x)[0]


def _check_memory(need: int, size: tuple[int, int]) -> None:
    """Refuse a grid that this machine's memory can't hold, before any is allocated."""
    have = machine.memory()
    if need > have:
        h, w = size
        raise UserError(
            f"the cells of {w}x{h} pixels take {need / 1e9:,.1f} GB, and this machine has {have / 1e9:,.1f}; "
            "make the picture smaller (--size)"
        )
