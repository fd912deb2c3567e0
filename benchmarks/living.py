"""How long video models live: one ball that bounces, several that pass, a ball from unseen starts, a snake, Lenia.

python benchmarks/living.py ball
python benchmarks/living.py balls
python benchmarks/living.py starts
python benchmarks/living.py snake
python benchmarks/living.py lenia FRAMES

Each draws its film (`films.py`), trains the recipe `film` on it, and writes a table and a film strip: the truth above,
the model below. `--minutes` is the training's budget, `--judge` measures a run that is there.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import films
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import planaria as pl
from planaria.data.frames import open_frames
from planaria.engine import run
from planaria.engine.context import charge
from planaria.evaluate import Likeness, horizon_curve
from planaria.evaluate.statistics import compare, measure
from planaria.living import find
from planaria.losses.quality import decibels

SHOWN = (1, 5, 10, 20, 50, 100, 150, 300, 1000, 2000)
"""Frames ahead that a film strip shows."""
CONTEXT = 3
FAINT = 0.25
"""Share of a cell that is covered below which it doesn't count for a ball's centre."""


def ball(model: Path, out: Path) -> Iterator[str]:
    """One ball, from the frames that it was trained on: followed to the end, and one ball for ever."""
    truth, follow = clip("ball", 160, (36, 48), 0), Follow(model)
    yield "| shown | centre at most off, all frames | from 20 on | least PSNR | from 20 on | one ball until |"
    yield "|---|---|---|---|---|---|"
    for name, first, count, noise in (
        ("three frames", 0, CONTEXT, 0.0),
        ("one frame", 0, 1, 0.0),
        ("three, noise 0.1", 0, CONTEXT, 0.1),
        ("three, from frame 40", 40, CONTEXT, 0.0),
        ("three, from frame 80", 80, CONTEXT, 0.0),
    ):
        long = 10_000 if name == "three frames" else 2000
        made = follow(truth[first : first + count], long, noise)
        after = truth[first + count :]
        off = [math.dist(centre(a), centre(b)) for a, b in zip(made, after, strict=False)]
        psnr = decibels((made[: len(after)].clamp(0, 1) - after).square().mean((1, 2, 3))).tolist()
        whole = next((k for k, m in enumerate(made) if k >= 20 and abs(mass(m) / mass(truth[0]) - 1) > 0.2), None)
        kept = f"all {long}" if whole is None else str(whole)
        yield (
            f"| {name} | {max(off):.2f} | {max(off[20:]):.2f} | {min(psnr):.1f} dB | {min(psnr[20:]):.1f} dB | {kept} |"
        )
        strip(out / f"ball-{name.replace(' ', '-').replace(',', '')}.png", after, made)


def starts(model: Path, out: Path) -> Iterator[str]:
    """One ball from unseen places on the grid of the training and a larger one."""
    yield "| grid | start | centre at most off in 100 frames | least PSNR |"
    yield "|---|---|---|---|"
    for size in ((36, 48), (72, 96)):
        for seed in range(100, 105):
            truth = clip("ball", 120, size, seed)
            made = Follow(model)(truth[:CONTEXT], 100)
            off = [math.dist(centre(a), centre(b)) for a, b in zip(made, truth[CONTEXT:], strict=False)]
            psnr = decibels((made.clamp(0, 1) - truth[CONTEXT : CONTEXT + 100]).square().mean((1, 2, 3)))
            yield f"| {size[1]}x{size[0]} | {seed} | {max(off):.2f} | {float(psnr.min()):.1f} dB |"
            strip(out / f"starts-{size[1]}-{seed}.png", truth[CONTEXT:], made)


def balls(model: Path, out: Path) -> Iterator[str]:
    """Three balls that pass over each other, from unseen starts: the centre of each colour."""
    yield "| start | centres at most off in 100 frames | least PSNR |"
    yield "|---|---|---|"
    for seed in (0, 100, 101, 102):
        truth = clip("balls", 120, (36, 48), seed)
        made = Follow(model)(truth[:CONTEXT], 100)
        psnr = decibels((made.clamp(0, 1) - truth[CONTEXT : CONTEXT + 100]).square().mean((1, 2, 3)))
        off = [apart(a, b) for a, b in zip(made, truth[CONTEXT:], strict=False)]
        yield f"| {seed} | {max(off):.2f} | {float(psnr.min()):.1f} dB |"
        strip(out / f"balls-{seed}.png", truth[CONTEXT:], made)


def snake(model: Path, out: Path) -> Iterator[str]:
    """The grid game from unseen starts: frames until a cell differs, and until the body is broken."""
    yield "| start | first wrong cell | body whole until |"
    yield "|---|---|---|"
    for seed in (0, *range(100, 105)):
        truth = clip("snake", 240, (16, 16), seed)
        made = Follow(model)(truth[:CONTEXT], 230)
        wrong = (made - truth[CONTEXT : CONTEXT + 230]).abs().amax((1, 2, 3))
        first = next((k for k, w in enumerate(wrong.tolist()) if w > 0.25), 230)
        broken = next((k for k, m in enumerate(made) if not unbroken(m)), 230)
        yield f"| {seed} | {first} of 230 | {broken} of 230 |"
        strip(out / f"snake-{seed}.png", truth[CONTEXT:], made, 6)


def lenia(model: Path, out: Path, source: str) -> Iterator[str]:
    """Frames of a chaotic film: the error ahead on what was held out, and likeness over 1,000 frames."""
    frames = open_frames(source, size=96)
    truth = frames.stack(0, len(frames))
    alive, start = find(str(model)), len(truth) - round(0.1 * len(truth))
    options = {"context": CONTEXT, "steps": Follow(model).steps, "start": start, "horizons": (1, 2, 5, 10)}
    curve = horizon_curve(alive.rule, alive.layout, truth, **options)
    yield "| frames ahead | " + " | ".join(map(str, curve.horizons)) + " |"
    yield "|---" * (len(curve.horizons) + 1) + "|"
    yield "| MSE | " + " | ".join(f"{v:.5f}" for v in curve.mse) + " |"
    made, data = Follow(model)(truth[:CONTEXT], 1000), measure(f[None] for f in truth)
    yield ""
    yield "| frames | mean | variance | motion | spectrum |"
    yield "|---|---|---|---|---|"
    for i in range(0, 1000, 100):
        like: Likeness = compare(measure(f[None] for f in made[i : i + 100]), data)
        yield f"| {i}..{i + 100} | {like.mean:.2f} | {like.variance:.2f} | {like.motion:.2f} | {like.spectrum:.3f} |"
    strip(out / "lenia.png", truth[CONTEXT:], made)
    sheet = [torch.cat(list(truth[20:80:12]), 2), torch.cat(list(made[200:260:12]), 2)]
    picture(torch.cat(sheet, 1), 2).save(out / "lenia-200.png")


class Follow:
    """Free roll-outs of a model after the frames that it is shown."""

    def __init__(self, model: Path):
        self.alive = find(str(model))
        frame = self.alive.card.frame
        assert frame is not None
        self.steps = frame.steps

    @torch.no_grad()
    def __call__(self, frames: Tensor, count: int, noise: float = 0.0) -> Tensor:
        """`count` pictures `(count, v, h, w)` after `frames`, to which `noise` is added."""
        rule, layout = self.alive.rule, self.alive.layout
        frames = frames + noise * torch.randn(frames.shape, generator=torch.Generator().manual_seed(0))
        x, made = charge(rule, layout, frames[None], self.steps), []
        for k in range(count):
            x = run(rule, x, self.steps, t=k * self.steps)
            made.append(layout.picture(x)[0].clone())
        return torch.stack(made)


def clip(name: str, count: int, size: tuple[int, int], seed: int) -> Tensor:
    """Film of `films.py`, `(n, 3, h, w)` in 0..1."""
    return torch.from_numpy(films.frames(name, count, size, seed)).permute(0, 3, 1, 2).float() / 255


def cover(frame: Tensor) -> Tensor:
    """Share of each cell that the only ball covers, `(h, w)`."""
    return ((frame[0] - films.SKY[0]) / (films.ORANGE[0] - films.SKY[0])).clamp(0, 1)


def mass(frame: Tensor) -> float:
    """Cells that the ball covers."""
    return float(cover(frame).sum())


def centre(frame: Tensor) -> tuple[float, float]:
    """Centre of what the ball covers, row and column; far away where there is nothing."""
    return _centre(cover(frame))


def _centre(weight: Tensor) -> tuple[float, float]:
    weight = torch.where(weight > FAINT, weight, 0.0)
    total = float(weight.sum())
    if total < 1:
        return (1e3, 1e3)
    rows, columns = torch.arange(weight.shape[0]), torch.arange(weight.shape[1])
    return float((weight.sum(1) * rows).sum()) / total, float((weight.sum(0) * columns).sum()) / total


def apart(made: Tensor, truth: Tensor) -> float:
    """Largest distance of the centres of the three balls, whose colours are added."""
    return max(math.dist(_centre(a), _centre(b)) for a, b in zip(covers(made), covers(truth), strict=True))


def covers(frame: Tensor) -> Tensor:
    """Share of each cell that each of three balls covers, `(3, h, w)`."""
    sky = torch.tensor(films.SKY)
    mixed = torch.tensor(films.COLOURS) - sky
    return torch.einsum("vhw,vk->khw", frame - sky[:, None, None], torch.linalg.inv(mixed)).clamp(0, 1)


def unbroken(frame: Tensor) -> bool:
    """True where there is one head and all cells of the body hang together."""
    body = (frame[1] > 0.2).numpy()
    heads = int((frame[0] > 0.5).sum())
    cells = set(zip(*np.nonzero(body), strict=True))
    if heads != 1 or len(cells) < 3:
        return False
    reached, edge = set(), [next(iter(cells))]
    while edge:
        y, x = edge.pop()
        if (y, x) in cells and (y, x) not in reached:
            reached.add((y, x))
            edge += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return reached == cells


def strip(path: Path, truth: Tensor, made: Tensor, scale: int = 3) -> None:
    """Write the truth above what was made, at the frames of `SHOWN`."""
    shown = [k for k in SHOWN if k <= len(made)]
    columns = []
    for k in shown:
        above = truth[k - 1] if k <= len(truth) else torch.ones_like(made[0])
        columns.append(torch.cat([F.pad(above, (0, 1, 0, 1)), F.pad(made[k - 1], (0, 1))], 1))
    picture(torch.cat(columns, 2), scale).save(path)


def picture(v: Tensor, scale: int) -> Image.Image:
    """Picture of `(v, h, w)` in 0..1, every cell `scale` pixels wide."""
    seen = v.nan_to_num().clamp(0, 1).mul(255).byte().expand(3, -1, -1).permute(1, 2, 0).numpy()
    return Image.fromarray(seen).resize((seen.shape[1] * scale, seen.shape[0] * scale), Image.Resampling.NEAREST)


TASKS: dict[str, tuple[Callable[..., Iterator[str]], int, int, tuple[int, int]]] = {
    "ball": (ball, 1, 160, (36, 48)),
    "starts": (starts, 8, 120, (36, 48)),
    "balls": (balls, 4, 160, (36, 48)),
    "snake": (snake, 8, 300, (16, 16)),
    "lenia": (lenia, 0, 0, (0, 0)),
}
"""Name -> how a model is measured; clips to train on, frames of each, rows and columns."""


def main() -> int:
    """Draw a film, train on it, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", choices=TASKS)
    parser.add_argument("frames", nargs="?", help="folder of frames, for lenia")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings over those of the recipe")
    parser.add_argument("--runs", type=Path, default=Path(tempfile.gettempdir()) / "living")
    parser.add_argument("--judge", action="store_true", help="measure a run that is there")
    args = parser.parse_args()
    judge, clips, count, size = TASKS[args.film]
    source = args.frames or str(args.runs / "films" / args.film)
    for k in range(clips if not Path(source).exists() else 0):
        name = "ball" if args.film == "starts" else args.film
        folder = Path(source) / str(k) if clips > 1 else Path(source)
        films.write(films.frames(name, count, size, k), folder)
    settings: dict[str, Any] = dict(entry.split("=", 1) for entry in args.set)
    begun = time.monotonic()
    if not args.judge:
        pl.train("film", name=args.film, runs=args.runs, frames=source, resume=True, **settings)
        print(f"trained in {time.monotonic() - begun:.0f} s", flush=True)
    model = args.runs / args.film
    for line in judge(model, args.runs, source) if args.film == "lenia" else judge(model, args.runs):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
