"""World: a live run with a brush. No window, no clock; every viewer is a thin shell around it."""

import torch
from torch import Tensor, nn

from planaria.core.damage import Wound
from planaria.core.layout import Layout
from planaria.core.noise import derive
from planaria.engine import run
from planaria.errors import UserError
from planaria.types import State


class World:
    """One living sample `x` `(1, c, h, w)` at step `t`, and the calls that change it.

    `size` is one number for a square or `(rows, columns)`. The same calls from the same `seed` give the same life.
    """

    def __init__(
        self,
        rule: nn.Module,
        layout: Layout,
        size: int | tuple[int, int],
        *,
        seed: int = 0,
        device: torch.device | None = None,
        engine: str = "auto",
    ):
        self.rule, self.layout, self.seed, self.engine = rule, layout, seed, engine
        self.size = (size, size) if isinstance(size, int) else size
        self.device = device
        self.x: State
        self.t: int
        self.reset()

    def reset(self) -> None:
        """Back to the seed, at step 0."""
        self.x, self.t = self.layout.seed(1, self.size, device=self.device), 0

    @torch.no_grad()
    def tick(self, n: int = 1) -> None:
        """Live `n` steps on."""
        self.x = run(self.rule, self.x, n, t=self.t, seed=self.seed, engine=self.engine)
        self.t += n

    def erase(self, wound: str) -> None:
        """Cut out a shape of `planaria.core.damage`: `left`, `circle(36,36,10)`, `centre(16)`, `noise(0.3)`, ..."""
        alive = self.x[:, self.layout.alpha, None] > 0 if self.layout.alpha is not None else None
        seed = derive(self.seed, self.t)
        self.x = Wound.parse(wound).apply(self.x, seed=seed, frozen=self.layout.frozen, alive=alive)

    def paint(self, row: float, column: float, radius: float, values: dict[int, float] | None = None) -> None:
        """Set channels of a disc of cells to `values` (channel -> value); plant living seed cells where None."""
        h, w = self.size
        y, x = torch.arange(h, device=self.x.device), torch.arange(w, device=self.x.device)
        disc = (y[:, None] - row) ** 2 + (x - column) ** 2 <= radius**2
        own = self.x.shape[1] - self.layout.frozen
        if values is None:
            values = dict.fromkeys(range(self.layout.alpha or 0, own), 1.0)
        if odd := [c for c in values if not 0 <= c < own]:
            raise UserError(f"can't paint channel {odd[0]}; this pattern's channels are 0..{own - 1}")
        painted = self.x.clone()
        for channel, value in values.items():
            painted[:, channel] = torch.where(disc, value, painted[:, channel])
        self.x = painted

    def image(self, background: float = 1.0) -> Tensor:
        """What a person sees, `(h, w, 3)` uint8."""
        rgb = self.layout.rgb(self.x, background)[0].permute(1, 2, 0)
        return (rgb * 255).round().to(torch.uint8).cpu()
