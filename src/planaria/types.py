"""Shapes, by name. One letter means one thing everywhere in planaria.

Tensors: `x` state, `p` perception, `y` next state, `dx` change of state.
Axes: `b` sample of a batch, `c` channel, `h` row, `w` column, `f` filter, `k` entry of a condition.
Numbers: `t` index of a step, `n` a count, `dt` length of a step (1 is one published step).
"""

from jaxtyping import Bool, Float
from torch import Tensor

State = Float[Tensor, "b c h w"]
"""Values of every cell; any range, about -1..1 in trained rules."""
Mask = Bool[Tensor, "b 1 h w"]
"""Boolean for each cell."""
Cells = Bool[Tensor, "h w"]
"""Boolean for each cell of a single world."""
Cond = Float[Tensor, "b k"]
"""Vector that every cell of a sample reads."""
Picture = Float[Tensor, "v h w"]
"""Picture, in 0..1: premultiplied RGBA if `v` is 4, RGB if 3."""
PerSample = Float[Tensor, " b"]
"""Number for each sample of a batch."""
