"""A picture made small enough to work on, and a roll-out that stops to be looked at."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from planaria.engine import run
from planaria.types import Picture, State


def fitted(photo: Picture, longest: int) -> Float[Tensor, "v new_h new_w"]:
    """A photo `(3, h, w)` downscaled until its longer side is `longest`; a smaller one is returned as it is."""
    h, w = photo.shape[1:]
    scale = longest / max(h, w)
    if scale >= 1:
        return photo
    size = max(1, round(h * scale)), max(1, round(w * scale))
    return F.interpolate(photo[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)


@torch.no_grad()
def life(
    rule: nn.Module, x: State, stops: Sequence[int], *, seed: int = 1, engine: str = "auto"
) -> Iterator[tuple[int, State]]:
    """Each of `stops`, in rising order, and the state after so many steps from `x`."""
    t = 0
    for stop in stops:
        x = run(rule, x, stop - t, t=t, seed=seed, engine=engine)
        t = stop
        yield stop, x
