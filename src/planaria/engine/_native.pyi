from collections.abc import Sequence
from typing import Any

class Job:
    own: int
    life: int
    life_channel: int
    edge: int
    open: bool
    flow: bool
    activation: int
    life_threshold: float
    length: float
    seed: int
    t: int
    first_row: int
    first_column: int
    fire: int
    steps: int

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
    job: Job,
    x: Any,
    y: Any,
    taps: Any,
    reaches: Sequence[int],
    first_bias: Any,
    weights: Sequence[Any],
    biases: Sequence[Any],
    blurred: Sequence[int],
    blurs: Sequence[Any],
    *,
    keep: bool,
    threads: int,
    obeys: bool = False,
    isa: str = "",
) -> RolloutFloat | RolloutDouble | None: ...
def isas() -> list[str]: ...
