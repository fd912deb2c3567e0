"""World: a live run with a brush. No window, no clock; every viewer is a thin shell around it."""

import base64
import io
import math
from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from planaria.core.damage import Damage
from planaria.core.infection_site import InfectionSite
from planaria.core.layout import Layout
from planaria.core.noise import Stream, derive, uniform
from planaria.core.solve import Solver
from planaria.engine import door, run
from planaria.errors import UserError
from planaria.types import Cond, Picture, State

UNDO_DEPTH = 64
"""Most edits that can be undone."""
UNDO_BYTES = 256_000_000
"""Most bytes of former states, the newest of which is kept in any case."""
SIDE = 288
"""Fewest pixels on the longer side of a still in a notebook."""


class World:
    """Living sample `x` `(1, c, h, w)` at step `t`, and the calls that change it.

    `size` is one number for a square or `(rows, columns)`; `start` `(1, c, h, w)` is its initial state, the seed if
    None; `cond` `(1, k)` is read by every cell; it is on the rule's device unless `device` is given, in the
    rule's precision. The same calls from the same `seed` give the same states.
    """

    def __init__(
        self,
        rule: nn.Module,
        layout: Layout,
        size: int | tuple[int, int],
        *,
        seed: int = 0,
        start: State | None = None,
        cond: Cond | None = None,
        device: torch.device | None = None,
        engine: str = "auto",
    ):
        self.rule, self.layout, self.engine, self.cond = rule, layout, engine, cond
        self.size, self.seed = door.grid(size), door.whole("seed", seed)
        like = next(rule.parameters(), torch.zeros(()))
        self.device, self.dtype = device or like.device, like.dtype
        self.start = self._checked(start) if start is not None else None
        self.photo: Picture | None = None
        self.x: State
        self.t: int
        self.edited: int | None = None
        """Step of the newest edit since it last began."""
        self._past: deque[tuple[State, int]] = deque(maxlen=UNDO_DEPTH)
        self._pressed = False
        self.restart()

    def restart(self) -> None:
        """Return to the initial state, at step 0, as a loop does: no edit, so `undo` doesn't revert it."""
        self.t, self.edited = 0, None
        if self.photo is not None:
            picture = self.photo[None, : self.layout.photo] + self.layout.offset
            self.x = self.layout.pose(picture, seed=self.seed)
        elif self.start is None:
            self.x = self.layout.seed(1, self.size, device=self.device).to(self.dtype)
        else:
            self.x = self.start

    def _checked(self, start: State) -> State:
        shape = (1, self.layout.channels, *self.size)
        if door.state(start, "a start").shape != shape:
            raise UserError(f"a start has the shape {shape}, not {tuple(start.shape)}")
        return start.to(self.device, self.dtype)

    @torch.no_grad()
    def tick(self, n: int = 1) -> None:
        """Advance by `n` steps."""
        n = door.whole("steps", n, 0, door.MOST)
        self.x = run(self.rule, self.x, n, t=self.t, seed=self.seed, cond=self.cond, engine=self.engine)
        self.t += n

    @torch.no_grad()
    def peek(self, fraction: float) -> State:
        """State a `fraction` of a step on, 0..1; neither the state nor the step changes.

        It is interpolated linearly to the next state (Euler's polygon; what dies in the step fades), under a solver
        on the flow itself.
        """
        if not 0 <= fraction <= 1:
            raise UserError(f"a fraction of a step is 0..1, got {fraction}")
        if fraction == 0:
            return self.x
        options = {"t": self.t, "seed": self.seed, "cond": self.cond, "engine": self.engine}
        if isinstance(self.rule, Solver):
            return run(self.rule, self.x, 1, dt=fraction * self.rule.dt, **options)
        ahead = run(self.rule, self.x, 1, **options)
        return ahead if fraction == 1 else torch.lerp(self.x, ahead, fraction)

    def reset(self) -> None:
        """Return to the initial state, at step 0."""
        self._remember()
        self.restart()

    def clear(self) -> None:
        """Set all channels of all cells to zero, except the frozen ones."""
        self._edit(0.0)

    def randomise(self) -> None:
        """Fill every channel with random numbers: visible in 0..1, hidden in -0.5..0.5; no cell is infected.

        The same seed and step give the same numbers, here and in the browser's player.
        """
        own = self.layout.channels - self.layout.frozen
        u = uniform(derive(self.seed, Stream.NOISE), self.t, (own, *self.size), self.x.device)
        u[: self.layout.visible] -= self.layout.offset
        u[self.layout.visible :] -= 0.5
        u[self.layout.body :] = 0.0
        self._edit(u)

    def expose(self, picture: Picture) -> None:
        """Put `picture` `(layout.photo, h, w)`, in 0..1, into the frozen channels, which the cells read from now on.

        The visible picture stays, to be repainted from there; `restart` and `reset` begin with the picture.
        """
        planes = self.layout.photo
        if picture.shape != (planes, *self.size) or not planes:
            raise UserError(f"a picture of {tuple(picture.shape)} doesn't fit {planes} frozen channels, {self.size}")
        self._remember()
        self.photo = self.layout.exposed(picture[None].to(self.x))[0]
        self.x = torch.cat([self.x[:, : -self.layout.frozen], self.photo[None]], 1)

    def erase(self, damage: str | Damage) -> None:
        """Cut out a shape of `planaria.core.damage`: `left`, `circle(36,36,10)`, `centre(16)`, `noise(0.3)`, ..."""
        damage = Damage.parse(damage) if isinstance(damage, str) else damage
        alive = self.x[:, self.layout.alpha, None] > 0 if self.layout.alpha is not None else None
        damaged = damage.apply(
            self.x, seed=derive(self.seed, self.t), frozen=self.layout.spared(damage.kind), alive=alive
        )
        self._remember()
        self.x = damaged

    def infect(self, where: str | InfectionSite) -> int:
        """Infect cells: `20,20` (row, column), `20,20,3` (with a radius), `middle`, `all`, `10%`; gives how many.

        Only living cells are infected where cells have life, but for a share, which is of all. Raises `UserError` where
        the model holds no infection.
        """
        where = InfectionSite.parse(where) if isinstance(where, str) else where
        strain, alpha = self.layout.strain, self.layout.alpha
        if strain is None:
            raise UserError("this model holds no infection, so nothing can be infected")
        living = self.x[0, alpha] > 0 if alpha is not None else torch.ones_like(self.x[0, 0], dtype=torch.bool)
        mask = where.mask(living, seed=derive(self.seed, self.t))
        infected = self.x.clone()
        infected[0, strain][mask] = 1.0
        self._remember()
        self.x = infected
        return int(mask.sum())

    def paint(self, row: float, column: float, radius: float, values: dict[int, float] | None = None) -> None:
        """Set channels of a disc of cells to `values` (channel -> value); plant living seed cells if None.

        `layout.colour(rgb)` gives the values of a colour. Cells lie at whole rows and columns.
        """
        h, w = self.size
        reach = min(abs(radius), h + w + abs(row) + abs(column))  # only the disc's own square is computed
        top, left = max(0, math.floor(row - reach)), max(0, math.floor(column - reach))
        y = torch.arange(top, max(top, min(h, math.ceil(row + reach) + 1)), device=self.x.device)
        x = torch.arange(left, max(left, min(w, math.ceil(column + reach) + 1)), device=self.x.device)
        disc = (y[:, None] - row) ** 2 + (x - column) ** 2 <= radius**2
        own = self.x.shape[1] - self.layout.frozen
        if values is None:
            values = dict.fromkeys(self.layout.sown, 1.0)
        if odd := [c for c in values if not 0 <= c < own and c != self.layout.strain]:
            raise UserError(f"can't paint channel {odd[0]}; this pattern's channels are 0..{own - 1}")
        painted = self.x.clone()
        for channel, value in values.items():
            square = painted[:, channel, top : top + len(y), left : left + len(x)]
            square.masked_fill_(disc, value)
        self._remember()
        self.x = painted

    def plant(self, row: float, column: float) -> None:
        """Plant one living seed cell, as the world began with."""
        self.paint(round(row), round(column), 0)

    def press(self) -> None:
        """Begin a brush stroke: `undo` reverts all edits from here to `lift` as one."""
        self._remember()
        self._pressed = True

    def lift(self) -> None:
        """End a brush stroke."""
        self._pressed = False

    def undo(self) -> bool:
        """Undo the newest edit, the step too; false if there is none."""
        self.lift()
        if not self._past:
            return False
        self.x, self.t = self._past.pop()
        self.edited = self.t
        if self.photo is not None:
            self.photo = self.x[0, -self.layout.frozen :]
        return True

    def _remember(self) -> None:
        """Keep this state for `undo`. States are never changed in place, so none is copied."""
        self.edited = self.t
        if self._pressed:
            return
        room = max(1, UNDO_BYTES // self.x.nbytes)
        while len(self._past) >= room:
            self._past.popleft()
        self._past.append((self.x, self.t))

    def _edit(self, values: Tensor | float) -> None:
        self._remember()
        x = self.x.clone()
        x[0, : self.layout.channels - self.layout.frozen] = values
        self.x = x

    def pick(self, row: int, column: int, background: float = 1.0) -> tuple[int, int, int]:
        """Visible colour of a cell, 0..255 each."""
        h, w = self.size
        if not (0 <= row < h and 0 <= column < w):
            raise UserError(f"no cell at row {row}, column {column}; the grid has {h} rows and {w} columns")
        r, g, b = self.image(background)[row, column].tolist()
        return r, g, b

    def image(self, background: float = 1.0, channel: int | None = None, *, fraction: float = 0.0) -> Tensor:
        """Visible picture, `(h, w, 3)` uint8, now or a `fraction` of a step on.

        With `channel`, that channel alone: white is 0, red towards 1, blue towards -1.
        """
        x = self.peek(fraction)
        if channel is None:
            rgb = self.layout.rgb(x, background)[0]
        else:
            if not 0 <= channel < x.shape[1]:
                raise UserError(f"no channel {channel}; have 0..{x.shape[1] - 1}")
            v = x[0, channel].nan_to_num().clamp(-1, 1)
            rgb = torch.stack([1 + v.clamp(max=0), 1 - v.abs(), 1 - v.clamp(min=0)])
        return (rgb.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu()

    def _repr_mimebundle_(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> dict[str, str]:  # noqa: ARG002
        from PIL import Image

        h, w = self.size
        text = f"World of {w}x{h} cells at step {self.t}"
        scale, out = max(1, -(-SIDE // max(h, w))), io.BytesIO()
        still = Image.fromarray(self.image().numpy()).resize((w * scale, h * scale), Image.Resampling.NEAREST)
        still.save(out, "PNG", optimize=True)
        data = base64.b64encode(out.getvalue()).decode()
        return {"text/html": f'<img alt="{text}" src="data:image/png;base64,{data}">', "text/plain": text}
