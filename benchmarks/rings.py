"""What ring filters cost: a step and a training iteration of two rules, by the native kernel and by the reference.

    python benchmarks/rings.py           # a minute

128x128 cells of a torus, where every cell acts. Times are of the processor, on one thread, the shortest of some rounds:
they hardly depend on what else the machine does. A training iteration is one sample, eight steps and the way back.
"""

import time
from collections.abc import Callable

import torch

from planaria.core.rule import Rule, RuleConfig
from planaria.engine import run

SIDE, STEPS, ROUNDS = 128, 8, 5
RULES = {
    "1 channel, `identity`, `ring@1` to `ring@13`": (1, ("identity", *(f"ring@{n}" for n in range(1, 14))), 64),
    "the same with `identity` alone": (1, ("identity",), 64),
    "16 channels, `identity`, `sobel`, `ring@2`, `ring@4`, `ring@8`": (
        16, ("identity", "sobel", "ring@2", "ring@4", "ring@8"), 128,
    ),
    "the same with `identity`, `sobel`": (16, ("identity", "sobel"), 128),
}  # fmt: skip
"""Name -> channels, filters, hidden neurons."""


def shortest(act: Callable[[], object]) -> float:
    """Shortest of some rounds after a first one, in ms of processor time."""
    act()
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return 1000 * best


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| rule | taps | step: native | reference | training: native | reference |\n|---|---|---|---|---|---|")
    for name, (channels, filters, hidden) in RULES.items():
        config = RuleConfig(
            channels=channels, filters=filters, hidden=(hidden,), life="none", fire_rate=1.0, edge="circular"
        )
        rule, rng = Rule(config), torch.Generator().manual_seed(1)
        with torch.no_grad():
            rule.weights[-1].normal_(0, 0.001, generator=rng)
        x = torch.rand(1, channels, SIDE, SIDE, generator=rng)

        def step(engine: str, rule: Rule = rule, x: torch.Tensor = x) -> None:
            with torch.no_grad():
                run(rule, x, STEPS, engine=engine)

        def train(engine: str, rule: Rule = rule, x: torch.Tensor = x) -> None:
            y = run(rule, x, STEPS, engine=engine)
            torch.autograd.grad(y.square().mean(), list(rule.parameters()))

        times = [
            shortest(lambda act=act, engine=engine: act(engine)) / part
            for act, part in ((step, STEPS), (train, 1))
            for engine in ("native", "reference")
        ]
        taps = sum(int(kernel.count_nonzero()) for kernel in rule.kernels)
        print(f"| {name} | {taps} | {' | '.join(f'{ms:.3g} ms' for ms in times)} |", flush=True)


if __name__ == "__main__":
    main()
