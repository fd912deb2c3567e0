"""What video models are measured by: Life without an error, a model taken to twice the size, frames between frames.

python benchmarks/video.py life
python benchmarks/video.py transfer FRAMES
python benchmarks/video.py between MODEL
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import planaria as pl
from planaria.data import simulate
from planaria.export import Options, movie
from planaria.losses.motion import crossfade, flicker
from planaria.store.run_folder import RunFolder

SMALL = 3
"""How many times more iterations the small model has, each of a quarter of the cells."""


def life(seeds: int, folder: Path) -> None:
    """Train the recipe `life`; count wrong cells on unseen soups of twice the size, and wrong neighbourhoods."""
    true = simulate.load("life")
    for seed in range(seeds):
        start = time.monotonic()
        run = pl.train("life", name=f"life-{seed}", runs=folder, resume=True, train={"seed": seed})
        took = time.monotonic() - start
        rule, _ = pl.load(run)
        soups = torch.stack([(torch.rand(1, 64, 64, generator=rng(100 + k)) < 0.35).float() for k in range(16)])
        x, y, wrong, astray = soups, soups, 0, 0.0
        for _ in range(100):
            x, y = true(x), pl.run(rule, y, 1)
            wrong = max(wrong, int(((y > 0.5) != (x > 0.5)).sum()))
            astray = max(astray, float((y - x).abs().max()))
        blocks = ((torch.arange(512)[:, None] >> torch.arange(9)) & 1).float().view(512, 1, 3, 3)
        grids = torch.nn.functional.pad(blocks, (3, 3, 3, 3))
        right = (pl.run(rule, grids, 1)[:, 0, 4, 4] > 0.5) == (true(grids)[:, 0, 4, 4] > 0.5)
        print(
            f"| {seed} | {took:.0f} s | {int(right.sum())} of 512 | {wrong} | {astray:.3f} |",
            flush=True,
        )


def transfer(frames: str, folder: Path, steps: int) -> None:
    """Train at 50 cells, then at 100 from scratch and from that model; how soon it is as good."""
    told: dict[str, Any] = {"frames": frames, "symmetry": "turn", "context": 3}
    learn = {"validate": steps // 30, "pool": 8}
    small = pl.train(
        "video",
        name="small",
        runs=folder,
        resume=True,
        size=50,
        horizon=(1, 5),
        train={**learn, "steps": SMALL * steps},
        **told,
    )
    scratch = pl.train(
        "video",
        name="scratch",
        runs=folder,
        resume=True,
        size=100,
        horizon=(1, 5),
        train={**learn, "steps": steps},
        **told,
    )
    fine = pl.train(
        "video", name="fine", runs=folder, resume=True, size=100, horizon=(5, 5),
        train={**learn, "steps": steps // 3, "init": str(small)}, **told,
    )  # fmt: skip
    goal = min(v for _, v in looks(scratch))
    reached = next((step for step, v in looks(fine) if v <= goal), None)
    print(f"from scratch, {steps} iterations: held-out error {goal:.5f}")
    print(f"from the small one: {min(v for _, v in looks(fine)):.5f} after {steps // 3}; as good at {reached}")


def looks(run: Path) -> list[tuple[int, float]]:
    """Iteration and held-out error of every validation."""
    metrics = RunFolder(run).lines()
    return [(m["step"], m["validation"]) for m in metrics if m.get("validation") is not None]


def between(model: str, factor: int, count: int) -> None:
    """Where frames between frames lie, and whether they flicker."""
    shot = movie.shoot(model, Options(frames=count, fps_factor=factor))
    frames = torch.from_numpy(shot.frames).permute(0, 3, 1, 2).float() / 255
    way = crossfade(frames, factor)
    print(f"monotone in {way.monotone:.3f} of the intervals; beside the line by {way.stray:.3f} of its length")
    print(f"flicker: {flicker(frames).mean():.5f}, of the whole frames alone {flicker(frames[::factor]).mean():.5f}")


def rng(seed: int) -> torch.Generator:
    """A generator of its own for each soup."""
    return torch.Generator().manual_seed(seed)


def main() -> int:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["life", "transfer", "between"])
    parser.add_argument("source", nargs="?", help="frames or a model")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--factor", type=int, default=4)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument(
        "--runs", type=Path, help="where the runs go, and go on if stopped; a temporary folder if absent"
    )
    asked = parser.parse_args()
    if asked.what != "life" and not asked.source:
        parser.error(f"{asked.what} needs a source")
    with tempfile.TemporaryDirectory() as spare:
        folder = asked.runs or Path(spare)
        if asked.what == "life":
            life(asked.seeds, folder)
        elif asked.what == "transfer":
            transfer(asked.source, folder, asked.steps)
        else:
            between(asked.source, asked.factor, asked.frames)
    return 0


if __name__ == "__main__":
    sys.exit(main())
