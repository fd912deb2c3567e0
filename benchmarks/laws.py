"""What the recipes of known laws are measured by: creatures and patterns from unseen starts, for thousands of frames.

python benchmarks/laws.py lenia
python benchmarks/laws.py gray-scott
"""

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

import planaria as pl
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.data import simulate
from planaria.data.simulate.lenia import ORBIUM_RADIUS, creature
from planaria.engine.context import shown
from planaria.evaluate.statistics import compare, measure
from planaria.report.sheets import image, sheet

SIDE = 96
"""Cells on a side of the grids of the measurements."""
FINE = 8
"""Shifts to a cell among which the best is taken."""
BEGUN = 32
"""Steps of Gray-Scott before the first frame, as in the films of the recipe."""
SEEN = (0, 100, 500, 5000)
"""Frames of a film strip."""


def train(name: str, folder: Path) -> tuple[Rule, Layout]:
    """Train the recipe `name`, or take it up again."""
    start = time.monotonic()
    run = pl.train(name, name=name, runs=folder, resume=True)
    print(f"{name}: {time.monotonic() - start:.0f} s")
    return pl.load(run)


def lenia(folder: Path, frames: int, noise: float, starts: int) -> None:
    """Creatures in places and directions of their own, beside the simulator's: speed, direction and shape."""
    rule, layout = train("lenia", folder)
    true, rng = simulate.load("lenia"), torch.Generator().manual_seed(100)
    turns, places = torch.rand(starts, generator=rng).tolist(), (torch.rand(starts, 2, generator=rng) * SIDE).tolist()
    x = torch.stack([glider(turn, row, column) for turn, (row, column) in zip(turns, places, strict=True)])
    y = shown(layout, x + noise * torch.randn(x.shape, generator=rng))
    strip, ways = [(x, y)], ([], [])
    for k in range(1, frames + 1):
        x, y = true(true(x)), pl.run(rule, y, 2)
        if k > min(50, frames // 2) and k % 5 == 0:
            for way, z in zip(ways, (x, y), strict=True):
                way.append(centres(z))
        if k in SEEN:
            strip.append((x, y))
            print(f"| start | speed, true | speed | off | direction, true | direction | shape at frame {k} |")
            (fast, far), (speeds, toward) = map(motion, ways)
            for i in range(len(x)):
                print(
                    f"| {i} | {fast[i]:.4f} | {speeds[i]:.4f} | {100 * (speeds[i] / fast[i] - 1):+.2f} % "
                    f"| {far[i]:.0f} | {toward[i]:.0f} | {likeness(x[i, 0], y[i, 0]):.1f} dB |",
                    flush=True,
                )
    write(folder / "lenia.png", strip, layout)


def glider(turn: float, row: float, column: float) -> Tensor:
    """One creature of Lenia `(1, h, w)`, moving at `turn` of a circle."""
    y = ((torch.arange(SIDE) - row + SIDE / 2) % SIDE - SIDE / 2)[:, None]
    x = (torch.arange(SIDE) - column + SIDE / 2) % SIDE - SIDE / 2
    y, x = torch.broadcast_tensors(y / ORBIUM_RADIUS, x / ORBIUM_RADIUS)
    return creature(y, x, turn)[None]


def centres(x: Tensor) -> Tensor:
    """Row and column of each sample's centre of mass on the torus, as angles, `(b, 2)`."""
    angle = torch.exp(2j * math.pi * torch.arange(SIDE) / SIDE).to(torch.complex128)
    mass = x[:, 0].double().clamp(min=0).to(torch.complex128)
    return torch.stack([(mass.sum(2) @ angle).angle(), (mass.sum(1) @ angle).angle()], 1)


def motion(way: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean speed in cells a frame, and direction in degrees from right to down, of centres five frames apart."""
    steps = torch.exp(1j * torch.stack(way).diff(dim=0)).angle().mean(0) * SIDE / (2 * math.pi) / 5
    return steps.norm(dim=1), torch.rad2deg(torch.atan2(steps[:, 0], steps[:, 1]))


def likeness(a: Tensor, b: Tensor) -> float:
    """PSNR of `b` `(h, w)` against `a`, shifted on the torus as fits best, in eighths of a cell."""
    h, w = a.shape
    product = torch.fft.fft2(b.double()).conj() * torch.fft.fft2(a.double())
    fine = torch.zeros(h * FINE, w * FINE, dtype=product.dtype)
    rows, columns = (torch.fft.fftfreq(n, 1 / n).long() % (n * FINE) for n in (h, w))
    fine[rows[:, None], columns] = product
    best = torch.fft.ifft2(fine).real.max() * FINE**2
    error = (a.double().square().sum() + b.double().square().sum() - 2 * best) / (h * w)
    return -10 * math.log10(max(float(error), 1e-12))


def gray_scott(folder: Path, frames: int, noise: float, starts: int) -> None:
    """Patterns from unseen seeds, beside the simulator's: the substance's mean, variance and spectrum."""
    rule, layout = train("gray-scott", folder)
    true, rng = simulate.load("gray-scott,show=both,dt=1"), torch.Generator().manual_seed(100)
    x, other = true.start(starts, SIDE, seed=1000), true.start(starts, SIDE, seed=2000)
    for _ in range(BEGUN):
        x, other = true(x), true(other)
    y = shown(layout, x + noise * torch.randn(x.shape, generator=rng))
    strip = [(x, y)]
    print("| frame | beside the simulator | mean | variance | spectrum |")
    for k in range(1, frames + 1):
        x, y, other = true(x), pl.run(rule, y, 1), true(other)
        if k in SEEN:
            strip.append((x, y))
            for who, made in (("the model", y), ("itself, from other seeds", other)):
                same = compare(measure(z[None, :1] for z in made), measure(z[None, :1] for z in x))
                print(f"| {k} | {who} | {same.mean:.3f} | {same.variance:.3f} | {same.spectrum:.3f} |", flush=True)
    write(folder / "gray-scott.png", strip, layout)


def write(path: Path, strip: list[tuple[Tensor, Tensor]], layout: Layout) -> None:
    """Write the first sample's film strip, the simulator's above the model's."""
    rows = [[image(layout.rgb(state[:1])[0], 3) for state in row] for row in zip(*strip, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet(rows, [f"frame {k}" for k in SEEN[: len(strip)]]).save(path)
    print(path)


def main() -> int:
    """Train and measure one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("law", choices=["lenia", "gray-scott"])
    parser.add_argument("--frames", type=int, default=500, choices=SEEN[1:])
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--noise", type=float, default=0.0, help="standard deviation of the noise on the frame shown")
    parser.add_argument("--runs", type=Path, help="where the run and the film strip go; a temporary folder if absent")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        law = lenia if asked.law == "lenia" else gray_scott
        law(asked.runs or Path(spare), asked.frames, asked.noise, asked.starts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
