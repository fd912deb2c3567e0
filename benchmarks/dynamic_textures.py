"""Moving textures: four clips drawn by code, a rule trained on each, measured, and shown beside its clip.

python benchmarks/dynamic_textures.py clips FOLDER
python benchmarks/dynamic_textures.py train FOLDER [NAME ...] [key=value ...]
python benchmarks/dynamic_textures.py table FOLDER [NAME ...]
python benchmarks/dynamic_textures.py sheet FOLDER [NAME ...] docs/images/dynamic-textures.png
"""

import argparse
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import planaria as pl
from planaria.data.frames import open_frames, write_frames
from planaria.report.sheets import image, sheet

FRAMES, SIDE = 96, 64
"""Length of a clip, and cells on its side."""


def waves(
    exponent: float, finest: float, stretch: float, drift: tuple[float, float], memory: float, seed: int
) -> Tensor:
    """Random field on a torus that drifts and slowly changes, `(FRAMES, SIDE, SIDE)`, of mean 0 and variance 1.

    Its amplitude falls with the frequency to `exponent` and beyond `finest` cycles a cell; shapes are `stretch` times
    as long sideways and as short upwards. It drifts `drift` cells a frame to the right and downwards, and keeps
    `memory` of itself from frame to frame.
    """
    rng = torch.Generator().manual_seed(seed)
    fy, fx = torch.fft.fftfreq(SIDE)[:, None], torch.fft.fftfreq(SIDE)[None]
    radius = ((fx * stretch).square() + (fy / stretch).square()).sqrt()
    shape = (radius + 0.03) ** -exponent * (-(radius / finest).square()).exp()
    shape[0, 0] = 0
    turn = torch.exp(-2j * math.pi * (fx * drift[0] + fy * drift[1]))
    z = torch.fft.fft2(torch.randn(SIDE, SIDE, generator=rng)) * shape
    fields = []
    for _ in range(FRAMES):
        fields.append(torch.fft.ifft2(z).real)
        fresh = torch.fft.fft2(torch.randn(SIDE, SIDE, generator=rng)) * shape
        z = turn * z * memory + fresh * (1 - memory**2) ** 0.5
    field = torch.stack(fields)
    return (field - field.mean()) / field.std()


def painted(level: Tensor, palette: list[tuple[float, float, float]]) -> Tensor:
    """Colours `(n, 3, h, w)` of levels `(n, h, w)` in 0..1 along a palette."""
    shades = torch.tensor(palette)
    at = level.clamp(0, 1) * (len(shades) - 1)
    low = at.floor().long().clamp(max=len(shades) - 2)
    share = (at - low)[..., None]
    return (shades[low] * (1 - share) + shades[low + 1] * share).movedim(-1, 1)


def fire() -> Tensor:
    """Flames that rise, tear and go out."""
    body, tongues = waves(1.6, 0.2, 0.7, (0, -1.2), 0.95, 1), waves(1.0, 0.25, 0.7, (0, -1.8), 0.85, 2)
    heat = 0.42 + 0.24 * body + 0.12 * tongues * (1 + 0.5 * body)
    return painted(heat, [(0.02, 0.0, 0.02), (0.35, 0.02, 0.0), (0.85, 0.25, 0.02), (1.0, 0.65, 0.1), (1.0, 0.97, 0.7)])


def water() -> Tensor:
    """Waves of many lengths in all directions, each as fast as its length lets it, as light on the ground."""
    rng = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    t = torch.arange(FRAMES)[:, None, None]
    height = torch.zeros(FRAMES, SIDE, SIDE)
    for _ in range(40):
        kx, ky = torch.randint(-7, 8, (2,), generator=rng).tolist()
        k = 2 * math.pi * math.hypot(kx, ky) / SIDE
        if k:
            phase = 2 * math.pi * float(torch.rand((), generator=rng))
            height += torch.cos(2 * math.pi * (kx * x + ky * y) / SIDE - 0.35 * math.sqrt(k) * t + phase) / (1 + 2 * k)
    height /= height.std()
    light = (0.45 + 0.16 * height + 0.3 * (-(height / 0.35).square()).exp()).clamp(0, 1)
    return painted(light, [(0.0, 0.12, 0.28), (0.05, 0.38, 0.55), (0.35, 0.72, 0.8), (0.95, 1.0, 1.0)])


def clouds() -> Tensor:
    """Clouds that drift to the right before a blue sky, and slowly change."""
    cover = waves(1.9, 0.2, 1.2, (0.7, 0.0), 0.985, 4)
    return painted(torch.sigmoid(1.8 * cover), [(0.25, 0.45, 0.78), (0.5, 0.65, 0.88), (0.95, 0.96, 0.98)])


def flow() -> Tensor:
    """Blots of two colours that drift up and to the right, at 30 degrees and a cell a frame, and live for long."""
    drift = (math.cos(math.pi / 6), -math.sin(math.pi / 6))
    one, two = waves(0.5, 0.09, 1.0, drift, 0.995, 5), waves(0.5, 0.09, 1.0, drift, 0.995, 6)
    a, b = torch.sigmoid(4 * (one - 0.8))[:, None], torch.sigmoid(4 * (two - 0.8))[:, None]
    paper, red, blue = (
        torch.tensor(c).view(1, 3, 1, 1) for c in ((0.96, 0.94, 0.88), (0.85, 0.3, 0.22), (0.1, 0.3, 0.5))
    )
    return (paper * (1 - a) + red * a) * (1 - b) + blue * b


CLIPS: dict[str, Callable[[], Tensor]] = {"fire": fire, "water": water, "clouds": clouds, "flow": flow}
"""Name of a clip -> its frames, `(FRAMES, 3, SIDE, SIDE)` in 0..1."""
AGES = (100, 1000, 10_000)
"""Steps after which frames of a run are shown."""
SHOWN = (0, 1, 2, 4, 8)
"""Frames of each row of a sheet, counted from its first."""


def clips(folder: Path) -> None:
    """Draw the clips, a folder of pictures each."""
    for name, draw in CLIPS.items():
        write_frames(draw(), folder / "clips" / name)


def train(folder: Path, names: Sequence[str], settings: Sequence[str]) -> None:
    """Train a rule on each clip, as a user would."""
    for name in names:
        what = ("train", "film", f"frames={folder / 'clips' / name}", "--as", "texture", f"--name={name}")
        subprocess.run([sys.executable, "-m", "planaria", *what, f"--runs={folder / 'runs'}", *settings], check=True)


def table(folder: Path, names: Sequence[str]) -> None:
    """Print what was measured of each after its training."""
    print("| clip | look | motion | change | cells a frame (clip) | degrees off | hole | look, motion at step 1,000 |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        metrics = pl.load(folder / "runs" / name).card.metrics
        look, motion, change, speed, off = (
            metrics.get(f"{what} at step {AGES[-1]}", math.nan)
            for what in ("look", "motion", "change", "speed", "degrees off")
        )
        print(
            f"| {name} | {look:.2f} | {motion:.2f} | {change:.2f} | {speed:.2f} ({metrics['speed of the clip']:.2f}) | "
            f"{off:.0f} | {metrics['contrast in a hole after 50 frames']:.2f} | "
            f"{metrics['look at step 1000']:.2f}, {metrics['motion at step 1000']:.2f} |"
        )


def sheets(folder: Path, names: Sequence[str], output: Path) -> None:
    """Draw frames of each clip, and of its rule at several ages, a block of rows each."""
    blocks = []
    for name in names:
        model = pl.load(folder / "runs" / name)
        steps = model.card.frame_steps
        clip = open_frames(folder / "clips" / name).stack(0, SHOWN[-1] + 1)
        rows = [[image(clip[k], 2) for k in SHOWN]]
        x, t = model.layout.seed(1, SIDE), 0
        for age in AGES:
            row = []
            for k in SHOWN:
                x = pl.run(model.rule, x, age + k * steps - t, t=t, seed=1)
                t = age + k * steps
                row.append(image(model.layout.rgb(x)[0], 2))
            rows.append(row)
        blocks.append(sheet(rows, [f"{name} {k}" if k == 0 else f"+ {k}" for k in SHOWN]))
    wide, tall = blocks[0].size
    whole = Image.new("RGB", (2 * wide, -(-len(blocks) // 2) * tall), "white")
    for k, block in enumerate(blocks):
        whole.paste(block, (k % 2 * wide, k // 2 * tall))
    whole.quantize(128, dither=Image.Dither.NONE).save(output, optimize=True)


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("clips", "train", "table", "sheet"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("rest", nargs="*", help="names of clips, settings as key=value, and for sheet the file")
    given = parser.parse_args()
    names = [word for word in given.rest if word in CLIPS] or list(CLIPS)
    if given.what == "clips":
        clips(given.folder)
    elif given.what == "train":
        train(given.folder, names, [word for word in given.rest if "=" in word])
    elif given.what == "table":
        table(given.folder, names)
    else:
        sheets(given.folder, names, Path(given.rest[-1]))


if __name__ == "__main__":
    main()
