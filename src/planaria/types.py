"""Shapes, by name. One letter means one thing everywhere in planaria.

Tensors: `x` state, `p` perception, `y` next state, `dx` change of state.
Axes: `b` sample of a batch, `c` channel, `h` row, `w` column, `f` filter, `k` entry of a condition.
Numbers: `t` index of a step, `n` a count, `dt` length of a step (1 is one published step).
"""

from jaxtyping import Bool, Float
from torch import Tensor

State = Float[Tensor, "b c h w"]
"""What every cell holds; any range, about -1..1 in trained rules."""
Mask = Bool[Tensor, "b 1 h w"]
"""One yes or no for each cell."""
Cells = Bool[Tensor, "h w"]
"""One yes or no for each cell of a single world."""
Cond = Float[Tensor, "b k"]
"""A vector that every cell of a sample reads."""
Picture = Float[Tensor, "v h w"]
"""A picture, in 0..1: premultiplied RGBA where `v` is 4, RGB where 3."""
PerSample = Float[Tensor, " b"]
"""One number for each sample of a batch."""
