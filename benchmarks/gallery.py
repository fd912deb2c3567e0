"""Train the gallery, and draw its sheet.

    python benchmarks/gallery.py train runs/gallery octopus snail    # all without names; about ten minutes each
    python benchmarks/gallery.py ship runs/gallery                   # copies the trained ones to src/planaria/gallery
    python benchmarks/gallery.py sheet docs/images/gallery.png       # every shipped model: grown, cut, healed

The lizard is no drawing of planaria's: give its picture, 128 pixels of Noto Emoji, as lizard.png in the working folder.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw

import planaria as pl
from planaria import store
from planaria.export.movie import Film

SMALL = ["size=32", "padding=12", "damage=2", "damage_from=0.3", "train.pool=512", "train.rollout=56,88"]
SMALL += ["train.lr_drops=0.5,0.7,0.82,0.92"]
SHORT, LONG = [*SMALL, "damage_shape=mixed", "train.steps=2600"], [*SMALL, "train.steps=4500"]
MODELS: dict[str, list[str]] = (
    {"lizard": ["picture=lizard.png"]}
    | {n: [f"picture={n}", *SHORT] for n in ("butterfly", "fish", "heart", "ladybird", "mushroom", "planarian")}
    | {n: [f"picture={n}", *LONG] for n in ("flower", "octopus", "snail")}
)
"""Name -> what it changes in the recipe `healer`."""
SHIPPED = Path(pl.__file__).parent / "gallery"
CUTS = ("left", "right", "top", "bottom")
MOMENTS = (0, 30, 60, 200, 200, 230, 400)
TILE = 104


def train(runs: Path, names: list[str]) -> None:
    """Train what is not there yet; go on with what was stopped."""
    for name in names:
        words = ["healer", *MODELS[name], "--name", name, "--runs", str(runs), "--resume"]
        subprocess.run([sys.executable, "-m", "planaria", "train", *words], check=True)


def ship(runs: Path, names: list[str]) -> None:
    """Copy finished models into the package."""
    for name in names:
        model = runs / name / "model.safetensors"
        if model.exists():
            store.write_bytes(SHIPPED / f"{name}.safetensors", model.read_bytes())


def strip(name: str, damage: str) -> Image.Image:
    """One model's life: grown, cut at step 200, healed."""
    rule, layout = pl.load(SHIPPED / f"{name}.safetensors")
    shot: Film = pl.film(rule, layout, steps=400, size=(52, 52), every=10, erase={200: damage}, seed=3)
    tiles = Image.new("RGB", (TILE * len(MOMENTS), TILE), "white")
    seen: set[int] = set()
    for column, step in enumerate(MOMENTS):
        frames = [k for k, at in enumerate(shot.at) if at == step]
        frame = shot.frames[frames[-1] if step in seen else frames[0]]
        seen.add(step)
        tiles.paste(Image.fromarray(frame).resize((TILE, TILE), Image.Resampling.NEAREST), (column * TILE, 0))
    ImageDraw.Draw(tiles).text((4, 2), name, fill=(90, 90, 90))
    return tiles


def sheet(out: Path) -> None:
    """Two columns of strips."""
    names = sorted(store.gallery())
    strips = [strip(name, CUTS[k % 4]) for k, name in enumerate(names)]
    rows = (len(strips) + 1) // 2
    wide = strips[0].width
    page = Image.new("RGB", (2 * wide + 16, rows * TILE), "white")
    for k, tiles in enumerate(strips):
        page.paste(tiles, (k // rows * (wide + 16), k % rows * TILE))
    page.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    """Do one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deed", choices=("train", "ship", "sheet"))
    parser.add_argument("place", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *MODELS])
    given = parser.parse_args()
    names = given.names or list(MODELS)
    if given.deed == "train":
        train(given.place, names)
    elif given.deed == "ship":
        ship(given.place, names)
    else:
        sheet(given.place)


if __name__ == "__main__":
    main()
