"""Train the gallery, and draw its sheet.

    python benchmarks/gallery.py train runs/gallery octopus snail    # all without names; ten minutes of one core each
    python benchmarks/gallery.py judge runs/gallery octopus          # 1,000 damages by a brush, noise, 100,000 steps
    python benchmarks/gallery.py ship runs/gallery                   # copies the trained ones to src/planaria/gallery
    python benchmarks/gallery.py sheet docs/images/gallery.png       # every shipped model: grown, cut, healed

Trainings begin from the models that are shipped. The lizard is no drawing of planaria's: give its picture, 128 pixels
of Noto Emoji, as lizard.png in the working folder.
"""

import argparse
import math
import subprocess
import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw

import planaria as pl
from planaria import store
from planaria.core.noise import derive
from planaria.evaluate.health import FULL, heals, keeps
from planaria.evaluate.health.finding import organism, task_of
from planaria.evaluate.health.grows import grow
from planaria.evaluate.health.trial import perform
from planaria.export.movie import Film
from planaria.store.cards import CUT, HEALED

SETTINGS = ["train.steps=3000", "train.lr=1e-3", "train.lr_drops=0.3,0.5,0.65,0.8,0.92", "damage_from=0.15"]
SMALL = [*SETTINGS, "size=32", "padding=12"]
FRAGMENTS = "damage_mix=speckle:0.05,noise:0.05,hidden:0.05,again:0.1,cut:0.1,fragment:0.25"
NAMES = ("butterfly", "fish", "flower", "heart", "ladybird", "mushroom", "octopus", "planarian", "snail")
MODELS: dict[str, list[str]] = {"lizard": ["picture=lizard.png", *SETTINGS]} | {
    name: [f"picture={name}", *SMALL] for name in NAMES
}
"""Name -> what it changes in the recipe `healer`."""
MODELS["planarian"] += [FRAGMENTS]
SHIPPED = Path(pl.__file__).parent / "gallery"
CUTS = ("left", "right", "top", "bottom")
MOMENTS = (0, 30, 60, 200, 200, 230, 400)
TILE = 104


def train(runs: Path, names: list[str]) -> None:
    """Train what is not there yet; go on with what was stopped."""
    for name in names:
        words = ["healer", *MODELS[name], "--init", name, "--name", name, "--runs", str(runs), "--resume"]
        subprocess.run([sys.executable, "-m", "planaria", "train", *words], check=True)


def judge(runs: Path, names: list[str]) -> None:
    """Measure some lines of the full certificate, with its seeds: a row a model; a run's model gets the badge."""
    print("| model | settled | drift to 100,000 steps | brush | as before | noise 20 % | 10 % left |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in names:
        place = runs / name
        model = store.read(place if place.exists() else name)
        body = organism(model, task_of(model))
        with torch.no_grad():
            growth, homes = grow(body, FULL.runs, seed=derive(0, 1), tick=lambda _: None)
            kept = keeps.keep(body, homes[: FULL.old], FULL.steps, 4, seed=derive(0, 1), tick=lambda _: None)
            checks = {check.name: (k, check) for k, check in enumerate(heals.checks(body, quick=False))}
            cells = [name, f"{math.log10(growth.settled):.2f}", f"{kept.drift:+.2f}"]
            for asked in (heals.BRUSH, "noise 20%", "10% of the body left"):
                number, check = checks[asked]
                seed = derive(derive(0, 2), number)
                found = perform(body, homes, check, growth.settled, seed=seed, tick=lambda _: None)
                cells.append(f"{found.healed} of {found.bodies}")
                if asked == heals.BRUSH:
                    cells.append(str(found.as_before))
                    if place.exists() and model.path is not None:
                        store.add_metrics(model.path, {CUT: float(found.bodies), HEALED: float(found.healed)})
        print(f"| {' | '.join(cells)} |", flush=True)


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
    """Do one of the four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deed", choices=("train", "judge", "ship", "sheet"))
    parser.add_argument("place", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *MODELS])
    given = parser.parse_args()
    names = given.names or list(MODELS)
    if given.deed == "train":
        train(given.place, names)
    elif given.deed == "judge":
        judge(given.place, names)
    elif given.deed == "ship":
        ship(given.place, names)
    else:
        sheet(given.place)


if __name__ == "__main__":
    main()
