"""Loss curves of one training on several engines: how far they agree before rounding becomes chaos.

    python benchmarks/curves.py --steps 200

Trains the same recipe with the same seed on the reference and on the other engines, in float32 and in float64, and
prints the iteration at which the losses first differ by more than each share. Training is chaotic: whatever the last
bit is, it grows; nine more digits only delay it.
"""

import argparse

import torch

from planaria import tasks
from planaria.recipes import find
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer

SHARES = (1e-12, 1e-9, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def losses(engine: str, recipe: str, steps: int) -> list[float]:
    """The loss of every iteration with that engine, in torch's default type."""
    found = find(recipe)
    config = found.config({"train": {"steps": steps, "engine": engine}})
    ranks = Ranks(0, 1, torch.device("cpu"))
    task = tasks.load(found.task).Task(config, ranks.device)
    trainer = Trainer(task, config, ranks)
    if torch.get_default_dtype() == torch.float64:
        trainer.model.double()
        task.target = task.target.double()
    return [trainer.step().loss for _ in range(steps)]


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--engines", nargs="+", default=["native", "sparse"])
    given = parser.parse_args()
    print("| engine | " + " | ".join(f"{share:g}" for share in SHARES) + " | last loss (reference) |")
    print("|---|" + "---|" * (len(SHARES) + 1))
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        want = losses("reference", given.recipe, given.steps)
        for engine in given.engines:
            got = losses(engine, given.recipe, given.steps)
            apart = [abs(a - b) / b for a, b in zip(got, want, strict=True)]
            first = [next((str(k + 1) for k, d in enumerate(apart) if d > share), "never") for share in SHARES]
            name = f"{engine}, {str(dtype).removeprefix('torch.')}"
            print(f"| {name} | " + " | ".join(first) + f" | {got[-1]:.5f} ({want[-1]:.5f}) |", flush=True)


if __name__ == "__main__":
    main()
