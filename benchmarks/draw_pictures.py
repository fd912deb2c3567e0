"""Draw the creatures and scenes that planaria keeps in `src/planaria/data/pictures`, about half a minute on two cores.

    python benchmarks/draw_pictures.py FOLDER

A creature is kept twice: small without any loss, so that what is trained on it stays the same to the bit, and large.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from math import ceil
from pathlib import Path

from drawing import animals, garden, outdoors, painters, portraits, table, town
from drawing.canvas import Canvas
from drawing.plate import Plate
from PIL import Image

from planaria.data import builtin, scenes

SCENES = {
    "face": portraits.face,
    "landscape": outdoors.landscape,
    "cat": animals.cat,
    "street": town.street,
    "fruit": table.fruit,
    "sea": outdoors.sea,
    "bird": animals.bird,
    "tree": outdoors.tree,
    "flowers": garden.flowers,
    "night": town.night,
}


def creature(name: str, pixels: int) -> Image.Image:
    """A square RGBA picture with straight alpha, filled on its longer side and centred on the other."""
    canvas = Canvas(pixels * max(2, ceil(1536 / pixels)))
    getattr(painters, name)(canvas)
    image = canvas.image.crop(canvas.image.getbbox())
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((pixels, pixels), Image.Resampling.HAMMING)


def scene(name: str, variant: int) -> Image.Image:
    """An RGB photo of `scenes.SHORT` by `scenes.LONG` pixels, upright where its variant is odd."""
    plate = Plate(scenes.shape(variant), variant)
    SCENES[name](plate)
    return plate.developed()


def write(job: tuple[Path, str, int]) -> Path:
    """Write the scene of a variant, or the creature of a width in pixels."""
    folder, name, number = job
    if name in SCENES:
        path = folder / scenes.file_of(name, number)
        scene(name, number).save(path, quality=95, method=4)
    else:
        path = folder / builtin.file_of(name, number)
        lossless = number == builtin.SMALL
        creature(name, number).save(path, lossless=lossless, exact=lossless, quality=75 if lossless else 95, method=4)
    return path


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder, name, pixels) for name in builtin.PICTURES for pixels in (builtin.SMALL, builtin.LARGE)]
    jobs += [(folder, name, variant) for name in SCENES for variant in range(scenes.VARIANTS)]
    with ProcessPoolExecutor() as pool:
        for path in pool.map(write, jobs):
            print(path)


if __name__ == "__main__":
    main()
