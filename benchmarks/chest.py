"""Every filter with every loss on one small picture: which learn it, and which can't.

    python benchmarks/chest.py ../shared/data/targets/chest.png --steps 200

Trains 24 rules at 28 cells (about 8 minutes on two cores) and prints log10 of the mean squared error at step 100 from
the seed, whatever loss they were trained with. Everything goes to `--runs`, with a picture of all 24.
"""

import argparse
import math
import multiprocessing
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import planaria as pl
from planaria import store

FILTERS = ("identity", "sobel", "scharr", "gaussian", "laplacian", "mean")
LOSSES = ("l2", "l1", "manhattan", "hinge")
REST = 96


def train(job: tuple[str, str, str, int, str]) -> tuple[str, str, float, np.ndarray]:
    """One filter with one loss: its squared error against the picture, and what it looks like."""
    picture, name, loss, steps, runs = job
    torch.set_num_threads(1)
    filters = ["identity"] if name == "identity" else ["identity", name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = pl.train(
            "grow", name=f"{name}-{loss}", runs=runs, resume=True, picture=picture, size=28, padding=0,
            regime="persist", loss=loss, rule={"filters": filters},
            train={"steps": steps, "pool": 128, "rollout": [32, 64], "lr_drops": [0.7]},
        )  # fmt: skip
    rule, layout = pl.load(folder)
    target = store.read_tensors(folder / "checkpoint.safetensors")["task.target"]
    with torch.no_grad():
        x = pl.run(rule, layout.seed(4, (target.shape[1], target.shape[2])), REST, seed=3)
    error = (layout.picture(x) - target).square().mean().item()
    image = (layout.rgb(x)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    return name, loss, error, image


def main() -> None:
    """Print one Markdown table and write one picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--runs", default="runs/chest")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    jobs = [(given.picture, name, loss, given.steps, given.runs) for name in FILTERS for loss in LOSSES]
    with multiprocessing.get_context("spawn").Pool(given.processes) as workers:
        done = {(name, loss): (error, image) for name, loss, error, image in workers.map(train, jobs, chunksize=1)}
    print("| filter | " + " | ".join(LOSSES) + " |")
    print("|---|" + "---|" * len(LOSSES))
    for name in FILTERS:
        print(f"| {name} | " + " | ".join(f"{math.log10(done[name, loss][0]):.2f}" for loss in LOSSES) + " |")
    framed = {key: np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=255) for key, (_, image) in done.items()}
    rows = [np.concatenate([framed[name, loss] for loss in LOSSES], 1) for name in FILTERS]
    sheet = Image.fromarray(np.concatenate(rows))
    path = Path(given.runs) / "all.png"
    sheet.resize((sheet.width * 4, sheet.height * 4), Image.Resampling.NEAREST).save(path)
    print(path)


if __name__ == "__main__":
    main()
