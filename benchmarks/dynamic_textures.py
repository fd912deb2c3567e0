"""Moving textures: four clips drawn by code, a rule trained on each, measured, and shown beside its clip.

python benchmarks/dynamic_textures.py draws [NAME ...]         # what the ratios are of the same films from other seeds
python benchmarks/dynamic_textures.py clips FOLDER
python benchmarks/dynamic_textures.py train FOLDER [NAME ...] [key=value ...]
python benchmarks/dynamic_textures.py table FOLDER [NAME ...]
python benchmarks/dynamic_textures.py sheet FOLDER [NAME ...] docs/images/dynamic-textures.png
"""

import argparse
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import films
import torch
from PIL import Image
from torch import Tensor

import planaria as pl
from planaria.data.frames import open_frames
from planaria.report.sheets import image, sheet
from planaria.tasks.dynamic_texture import MEASURED, ratios

CLIPS = ("fire", "water", "clouds", "flow")
"""Films of `films.py`, of 240 frames and 64x64 cells."""
SEEDS = (1, 2, 3, 4, 5)
"""Seeds of the other films that a clip is compared with."""
AGES = (100, 1000, 10_000)
"""Steps after which frames of a run are shown."""
SHOWN = (0, 1, 2, 4, 8)
"""Frames of each row of a sheet, counted from its first."""


def draws(names: Sequence[str]) -> None:
    """Print how far films from other seeds are from a clip, as its task measures it: what a perfect model can reach."""
    print("| clip | look | motion |")
    print("|---|---|---|")
    for name in names:
        clip = _film(name, 0)
        found = [ratios(_film(name, seed)[:MEASURED], (clip[:MEASURED], clip[-MEASURED:])) for seed in SEEDS]
        ranges = (sorted(one[what] for one in found) for what in ("look", "motion"))
        print(f"| {name} | " + " | ".join(f"{low:.2f} to {high:.2f}" for low, *_, high in ranges) + " |", flush=True)


def _film(name: str, seed: int) -> Tensor:
    return torch.from_numpy(films.frames(name, seed=seed)).permute(0, 3, 1, 2).float() / 255


def clips(folder: Path) -> None:
    """Draw the clips, a folder of pictures each."""
    for name in CLIPS:
        films.write(films.frames(name), folder / "clips" / name)


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
        x, t = model.layout.seed(1, clip.shape[-1]), 0
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
    parser.add_argument("what", choices=("draws", "clips", "train", "table", "sheet"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("rest", nargs="*", help="names of clips, settings as key=value, and for sheet the file")
    given = parser.parse_args()
    names = [word for word in given.rest if word in CLIPS] or list(CLIPS)
    if given.what == "draws":
        draws([name for name in CLIPS if name in (str(given.folder), *given.rest)] or list(CLIPS))
    elif given.what == "clips":
        clips(given.folder)
    elif given.what == "train":
        train(given.folder, names, [word for word in given.rest if "=" in word])
    elif given.what == "table":
        table(given.folder, names)
    else:
        sheets(given.folder, names, Path(given.rest[-1]))


if __name__ == "__main__":
    main()
