from collections.abc import Sequence
from typing import Any

class RolloutFloat:
    @property
    def bytes(self) -> int: ...
    def backward(
        self,
        gy: Any,
        gx: Any,
        gfirst: Any,
        gweights: Sequence[Any],
        gbiases: Sequence[Any],
        threads: int,
        obeys: bool,
    ) -> None: ...

class RolloutDouble(RolloutFloat): ...

def forward(
    x: Any,
    y: Any,
    taps: Any,
    first_bias: Any,
    weights: Sequence[Any],
    biases: Sequence[Any],
    *,
    own: int,
    slope: float,
    life: int,
    life_channel: int,
    threshold: float,
    edge: int,
    open: bool,
    dt: float,
    seed: int,
    t: int,
    row: int,
    column: int,
    steps: int,
    fire: int,
    keep: bool,
    threads: int,
    obeys: bool = False,
    isa: str = "",
    reaches: Sequence[int] = (),
) -> RolloutFloat | RolloutDouble | None: ...
def isas() -> list[str]: ...
