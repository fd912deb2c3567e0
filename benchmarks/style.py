"""What repainting models are measured by: how a restyled film shimmers, what a photo of 12 million pixels takes, looks.

python benchmarks/style.py flicker MODEL FILM...
python benchmarks/style.py memory MODEL
python benchmarks/style.py sheet docs/images --styles MODEL... --textures MODEL...
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import planaria as pl
from planaria.data import scenes
from planaria.data.frames import open_frames
from planaria.data.sources import STILLS, moves
from planaria.losses import backbones
from planaria.losses.motion import shimmer
from planaria.losses.style import Style
from planaria.repaint import TEXTURE_STEPS, canvas_for, repaint, repaint_film
from planaria.repaint.files import open_photo, picture_of, planes_of
from planaria.tasks.restyle import style_image

SETTLE = 4
"""Frames at the beginning that aren't judged."""
JUDGED = 6
"""Frames whose distance to the style is measured."""
NONE = 1e-4
"""Shimmer that is none, so that nothing can be a share of it."""
SHOWN = ("face", "landscape", "bird", "street", "fruit")
GAP = 6
"""Pixels between the pictures of a sheet."""
LONGEST, TOLD = 200, 4
"""Steps of a restart at most, and after how many each its distance is measured."""


def flicker(model: str, films: dict[str, Tensor], style: str, steps: int, frame_steps: int) -> None:
    """Shimmer of films with carried state, and with every frame begun anew, at the same distance to the style."""
    made = pl.load(model)
    config = made.card.config
    image = style_image(style or config.style, config.scale, {})
    names = dict.fromkeys((config.backbone, "random"))
    eyes = {name: Style(backbones.load(name, path=config.backbone_path), image) for name in names}
    print("| film | cells | steps a frame |", *(f"distance ({name}) |" for name in eyes), "shimmer | of restart |")
    print("|---|---|---|---|---|" + "---|" * len(eyes))
    for name, frames in films.items():
        picks = torch.linspace(SETTLE, len(frames) - 1, JUDGED).round().long().tolist()

        def distances(painted: Tensor, at: list[int] = picks) -> list[float]:
            return [distance(eye, [painted[k] for k in at]) for eye in eyes.values()]

        carried = torch.stack(list(repaint_film(made, frames, steps=steps, frame_steps=frame_steps)))
        goal = distances(carried)[0]
        equal, reached = restart_steps(made, [frames[k] for k in picks], eyes[next(iter(eyes))], goal)
        if not reached:
            print(f"{name}: NOT at an equal distance: no restart of up to {LONGEST} steps comes to {goal:.4f}")
        same = torch.stack(list(repaint_film(made, frames, steps=equal, restart=True)))
        other = torch.stack([repaint(made, frame, equal, seed=1 + k) for k, frame in enumerate(frames)])
        tables = {
            "kept": (carried, f"{frame_steps}"),
            "begun anew, same seed": (same, f"{equal}"),
            "begun anew, another seed": (other, f"{equal}"),
        }
        boils = {kind: boil(painted, frames) for kind, (painted, _) in tables.items()}
        for kind, (painted, each) in tables.items():
            far = " | ".join(f"{d:.4f}" for d in distances(painted))
            ratio = "" if kind == "kept" else "neither" if boils[kind] < NONE else f"{boils['kept'] / boils[kind]:.2f}"
            print(f"| {name} | {kind} | {each} | {far} | {boils[kind]:.4f} | {ratio} |", flush=True)


def boil(painted: Tensor, frames: Tensor) -> float:
    """Mean shimmer of a painted film after it has settled, in all frames in which something is found again."""
    found = shimmer(painted[SETTLE:], frames[SETTLE:])
    return float(found[~found.isnan()].mean())


@torch.no_grad()
def distance(eye: Style, painted: list[Tensor]) -> float:
    """Mean distance of pictures to the style, as `losses.style.style_distance` measures it."""
    seen = [eye.maps(rgb[None]) for rgb in painted]
    return sum(float(eye.transport(maps, seed)) for maps in seen for seed in range(4)) / (4 * len(seen))


def restart_steps(made: pl.Model, photos: list[Tensor], eye: Style, goal: float) -> tuple[int, bool]:
    """The fewest steps after which photos are no farther from the style than `goal`, and True.

    If they never are, those that bring them nearest, and False.
    """
    easels = [canvas_for(made, (photo.shape[1], photo.shape[2])) for photo in photos]
    for easel, photo in zip(easels, photos, strict=True):
        easel.begin(photo)
    found: dict[int, float] = {}
    for step in range(TOLD, LONGEST + 1, TOLD):
        for easel in easels:
            easel.step(TOLD)
        found[step] = distance(eye, [easel.rgb() for easel in easels])
        if found[step] <= goal:
            return step, True
    return min(found, key=lambda step: found[step]), False


def film_of(name: str, size: int, count: int, pan: float, zoom: float, noise: float) -> Tensor:
    """`count` frames at most of a film; of a photo, a camera that turns and comes nearer, with `noise`.

    In each frame it goes `pan` cells to the right, and shows everything `zoom` times as large. The noise is that of a
    sensor: its standard deviation, independent in every frame.
    """
    path = Path(name)
    still = name.startswith("scene:") or (path.suffix.lower() in STILLS and not moves(path))
    if not still:
        film = open_frames(path, size=size, count=count, colour="rgb", background=1.0)
        return film.stack(0, len(film))
    photo = open_photo(name, 2 * size).float() / 255
    h, w = photo.shape[1] // 2, size - round(pan * (count - 1))
    rows, columns = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (size - 1) / 2, indexing="ij")
    shown = []
    for k in range(count):
        nearer = 2 / zoom**k
        at = torch.stack([nearer * (columns + pan * k) / size, nearer * rows / h], 2)
        shown.append(F.grid_sample(photo[None], at[None], "bilinear", "reflection", align_corners=False)[0])
    film = torch.stack(shown)
    grain = torch.randn(film.shape, generator=torch.Generator().manual_seed(0))
    return (film + noise * grain).clamp(0, 1)


def memory(model: str, photo: str, steps: int, pixels: tuple[int, int]) -> None:
    """Repaint a JPEG of 12 million pixels in a process of its own: the most memory it holds, and how long it takes."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "photo.jpg"
        picture_of(open_photo(photo)).resize(pixels, Image.Resampling.BICUBIC).save(source, quality=92)
        output = Path(folder) / "out.png"
        start = time.monotonic()
        words = ["apply", model, str(source), "-o", str(output), "--steps", str(steps)]
        subprocess.run([sys.executable, "-m", "planaria", *words], check=True)
        took = time.monotonic() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        most, busy = used.ru_maxrss * 1024 / 1e9, used.ru_utime + used.ru_stime
        print(
            f"{pixels[0]}x{pixels[1]}, {steps} steps: {most:.2f} GB at most, {took:.0f} s ({busy:.0f} s of processors)"
        )


def sheet(folder: Path, styles: list[str], textures: list[str]) -> None:
    """Draw scenes as they are and repainted, and textures on 256 and 1,024 cells: restyle.png, textures.png."""
    photos = [planes_of(scenes.load(name, (144, 216))) for name in SHOWN]
    rows = [photos, *([repaint(pl.load(model), photo, seed=1) for photo in photos] for model in styles)]
    _laid(rows).save(folder / "restyle.png")
    grown = []
    for model in textures:
        for side in (256, 1024):
            canvas = canvas_for(pl.load(model), (side, side), seed=1)
            canvas.begin()
            canvas.step(TEXTURE_STEPS)
            image = picture_of(canvas.picture()).resize((256, 256), Image.Resampling.BOX)
            grown.append(planes_of(image))
    _laid([grown]).save(folder / "textures.png")


def _laid(rows: list[list[Tensor]]) -> Image.Image:
    """Pictures of one size in rows, with a rim of white between."""
    height, width = (side + GAP for side in rows[0][0].shape[1:])
    whole = Image.new("RGB", (width * len(rows[0]) + GAP, height * len(rows) + GAP), "white")
    for k, row in enumerate(rows):
        for j, seen in enumerate(row):
            whole.paste(picture_of(seen), (GAP + j * width, GAP + k * height))
    return whole


def main() -> None:
    """What is typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    drawn = kinds.add_parser("sheet")
    drawn.add_argument("folder", type=Path)
    drawn.add_argument("--styles", nargs="+", required=True)
    drawn.add_argument("--textures", nargs="+", required=True)
    for name in ("flicker", "memory"):
        kind = kinds.add_parser(name)
        kind.add_argument("model")
        kind.add_argument("--steps", type=int, default=60)
    kinds.choices["flicker"].add_argument("films", nargs="+", help="films, or photos for a camera to go over")
    kinds.choices["flicker"].add_argument("--style", default="", help="by default the picture that it was trained on")
    kinds.choices["flicker"].add_argument("--size", type=int, default=256)
    kinds.choices["flicker"].add_argument("--count", type=int, default=40)
    kinds.choices["flicker"].add_argument("--frame-steps", type=int, default=8)
    kinds.choices["flicker"].add_argument("--pan", type=float, default=2.0, help="of a camera, cells a frame")
    kinds.choices["flicker"].add_argument("--zoom", type=float, default=1.0, help="of a camera, each frame")
    kinds.choices["flicker"].add_argument("--noise", type=float, default=0.02, help="of its sensor")
    kinds.choices["memory"].add_argument("--photo", default="scene:landscape")
    kinds.choices["memory"].add_argument("--pixels", type=int, nargs=2, default=(4000, 3000))
    told = parser.parse_args()
    if told.kind == "sheet":
        sheet(told.folder, told.styles, told.textures)
    elif told.kind == "memory":
        memory(told.model, told.photo, told.steps, tuple(told.pixels))
    else:
        films = {Path(f).name: film_of(f, told.size, told.count, told.pan, told.zoom, told.noise) for f in told.films}
        flicker(told.model, films, told.style, told.steps, told.frame_steps)


if __name__ == "__main__":
    main()
