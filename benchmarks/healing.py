"""The healing table: error before and after every standard kind of damage, for one or more models.

    python benchmarks/healing.py runs/with-damage runs/without --at 200 --rest 300 --runs 8

Grows each model from the seed for `--at` steps, cuts, and measures the mean squared error of the visible channels
`--rest` steps later, against the picture in the model's run folder.
"""

import argparse
import math
from pathlib import Path

import torch

import planaria as pl
from planaria import store, tasks
from planaria.core.damage import Damage
from planaria.recipes import find

DAMAGE = ("left", "right", "top", "bottom", "centre(16)")


def errors(folder: Path, at: int, rest: int, runs: int) -> dict[str, list[float]]:
    """Squared error of every run: grown, kept (undamaged), and healed from each kind of damage."""
    rule, layout = pl.load(folder)
    recipe = find(str(folder))
    task_config = recipe.config({})
    saved = store.read_tensors(folder / "checkpoint.safetensors")
    kept = {name.removeprefix("task."): v for name, v in saved.items() if name.startswith("task.")}
    task = tasks.load(recipe.task).Task(task_config, torch.device("cpu"), kept)

    def error(x: torch.Tensor) -> list[float]:
        return (layout.picture(x) - task.target).square().mean((1, 2, 3)).tolist()

    with torch.no_grad():
        grown = pl.run(rule, layout.seed(runs, task.size), at, seed=11)
        found = {f"grown, step {at}": error(grown)}
        found[f"kept, step {at + rest}"] = error(pl.run(rule, grown, rest, t=at, seed=11))
        for damage in DAMAGE:
            damaged = Damage.parse(damage).apply(grown, frozen=layout.frozen)
            found[f"cut {damage}"] = error(damaged)
            found[f"healed {damage}"] = error(pl.run(rule, damaged, rest, t=at, seed=11))
    return found


def main() -> None:
    """Print one Markdown table for all models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--at", type=int, default=200)
    parser.add_argument("--rest", type=int, default=300)
    parser.add_argument("--runs", type=int, default=8)
    given = parser.parse_args()
    tables = {folder.name: errors(folder, given.at, given.rest, given.runs) for folder in given.folders}
    names = list(tables)
    print(f"| log10 MSE, mean of {given.runs} runs (below 1e-3) | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for row in next(iter(tables.values())):
        cells = []
        for name in names:
            values = tables[name][row]
            mean = math.log10(sum(values) / len(values))
            cells.append(f"{mean:.2f} ({sum(v < 1e-3 for v in values)}/{len(values)})")
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
