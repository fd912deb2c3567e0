"""The films that video models are measured on, drawn in numpy from a seed: one function a film, or folders of PNGs.

    python benchmarks/films.py ball OUT
    python benchmarks/films.py balls OUT --clips 4 --size 96x72 --count 300
    python benchmarks/films.py fire OUT --seed 3

With `--clips` N, folders OUT/0, OUT/1 ... from other starts, which `frames=OUT` reads as N clips.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import count as numbers
from pathlib import Path

import numpy as np
from PIL import Image

Film = np.ndarray
"""Frames `(n, h, w, 3)`, uint8."""

SKY = (0.1, 0.1, 0.3)
"""Background of the films of balls, RGB."""
ORANGE = (0.9, 0.4, 0.2)
"""Colour of the only ball, RGB."""
COLOURS = ((0.9, 0.15, 0.2), (0.15, 0.85, 0.3), (0.2, 0.3, 0.95))
"""Colours of three balls, RGB; they are added where balls pass through each other."""
RADII = (4.0, 3.0, 5.0)
"""Radii of the balls, in cells; the first is the only ball's."""
VELOCITIES = ((0.9, 1.3), (1.1, 0.5), (0.4, 0.8))
"""Their velocities, rows and columns a frame, forwards or backwards along each."""

LONGEST = 12
"""Most cells of a snake."""
RIPE = 20
"""Frames that a site needs to grow food."""
SITES = 14
"""Sites where food grows."""
LIVES = 400
"""Frames that a snake lives at least: starts from which it dies sooner are passed over."""
UNLIKE = 220
"""Frames among these that differ from all others at least, and `MEALS` that it eats: others go round in a circle."""
MEALS = 20
PAPER, INKS = (0.96, 0.94, 0.88), ((0.85, 0.3, 0.22), (0.1, 0.3, 0.5))
"""Colours of the film `flow`, RGB."""
DRIFT = (-0.5, 0.87)
"""Its velocity, rows and columns a frame: a cell a frame, up and to the right."""
AHEAD = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Directions as (row, column), each a turn to the right of the one before."""


def frames(name: str, count: int = 0, size: tuple[int, int] = (0, 0), seed: int = 0) -> Film:
    """Frames `(count, rows, columns, 3)` uint8 of the film `name`; where 0, of its own length and size."""
    draw, own, usual = FILMS[name]
    (h, w), n = (size if size[0] else usual), count or own
    return np.stack(list(draw(n, h, w, np.random.default_rng(seed) if seed else None)))


def ball(count: int, h: int, w: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """One ball with a soft edge that bounces between the walls; without `rng` from the place that the tables name."""
    return _bouncing(count, h, w, rng, (ORANGE,))


def balls(count: int, h: int, w: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Three balls of three colours, radii and speeds that pass through each other, as light does."""
    return _bouncing(count, h, w, rng or np.random.default_rng(0), COLOURS)


def _bouncing(
    count: int, h: int, w: int, rng: np.random.Generator | None, colours: tuple[tuple[float, ...], ...]
) -> Iterator[np.ndarray]:
    n = len(colours)
    radii = np.array(RADII[:n])[:, None]
    last = np.array([h - 1, w - 1], float)
    place, way = np.array([[12.0, 10.0]]), np.array(VELOCITIES[:n])
    if rng is not None:
        place = radii + rng.random((n, 2)) * (last - 2 * radii)
        way = way * rng.choice((-1.0, 1.0), (n, 2))
    rows, columns = np.mgrid[:h, :w]
    for _ in range(count):
        shown = np.broadcast_to(np.array(SKY), (h, w, 3))
        for (y, x), radius, colour in zip(place, RADII, colours, strict=False):
            cover = np.clip(radius + 0.5 - np.hypot(rows - y, columns - x), 0, 1)[..., None]
            shown = shown + cover * (np.array(colour) - np.array(SKY)).round(9)
        yield _bytes(shown)
        place = place + way
        out = (place < radii) | (place > last - radii)
        way = np.where(out, -way, way)
        place = np.where(out, place + 2 * way, place)


def snake(count: int, h: int, w: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Snake of a grid game that eats and grows, by a law that two cells' distance is enough for.

    Red is the head. Green is the life of a body cell: its head's at first, one less each frame, ground at 0. Blue is
    food growing on a site, a step each frame that no snake is on it, until it is ripe. A head moves away from its neck,
    the neighbour with the most life; to food on its right or left it turns; where a wall or a body is ahead it turns
    right, or left where that isn't free either. One that eats has a life more than the last head had, up to 12.
    """
    if min(h, w) < LONGEST:
        raise ValueError(f"a snake needs {LONGEST}x{LONGEST} cells at least, not {w}x{h}")
    chosen = rng or np.random.default_rng(0)
    most = max(count, LIVES)
    while True:
        played = list(_game(most, h, w, chosen))
        unlike = len({life.tobytes() + food.tobytes() for life, food, *_ in played[:LIVES]})
        if len(played) == most and unlike >= UNLIKE and played[LIVES - 1][-1] >= MEALS:
            break
    for life, food, head, _ in played[:count]:
        inside = np.full((h, w), 0.05)
        green = np.where(life > 0, 0.28 + 0.06 * life, 0.05)
        blue = np.where(food < 0, 0.1, 0.25 + 0.75 * food / RIPE)
        inside[head] = 1.0
        yield _bytes(np.stack([inside, green, blue], -1))


def _game(
    most: int, h: int, w: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[int, int], int]]:
    """Lives, food, the head's place and meals so far in each frame, up to the snake's death."""
    sites = rng.choice(h * w, SITES, replace=False)
    food = np.full((h, w), -1)
    food.flat[sites] = rng.integers(0, RIPE + 1, SITES)
    life = np.zeros((h, w), int)
    row, column = int(rng.integers(1, h - 1)), int(rng.integers(3, w - 1))
    life[row, column - 3 : column + 1] = 1, 2, 3, 4
    head, meals = (row, column), 0
    for _ in range(most):
        food = np.where((life > 0) & (food >= 0), 0, food)
        yield life.copy(), food.copy(), head, meals
        there = _next(life, food, head)
        if there is None:
            return
        eats = food[there] == RIPE
        new = min(LONGEST, life[head] + int(eats))
        life = np.maximum(life - 1, 0)
        food = np.where(food >= 0, np.minimum(food + 1, RIPE), food)
        life[there], head, meals = new, there, meals + int(eats)


def _next(life: np.ndarray, food: np.ndarray, head: tuple[int, int]) -> tuple[int, int] | None:
    """Cell that the head moves to; None where there is none."""
    h, w = life.shape
    around = [(head[0] + i, head[1] + j) for i, j in AHEAD]
    within = [0 <= y < h and 0 <= x < w for y, x in around]
    lives = [life[place] if there else 0 for place, there in zip(around, within, strict=True)]
    back = int(np.argmax(lives))
    right, left = (back - 1) % 4, (back + 1) % 4  # seen from the head, which looks away from its neck
    for side in (right, left):
        if within[side] and food[around[side]] == RIPE and not lives[side]:
            return around[side]
    for side in ((back + 2) % 4, right, left):
        if within[side] and not lives[side]:
            return around[side]
    return None


def fire(count: int, h: int, w: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Flames that fill the frame: noise, drawn out upwards, that rises and is bent by noise that rises more slowly."""
    chosen = rng or np.random.default_rng(0)
    bend, flame = Noise(chosen), Noise(chosen)
    rows, columns = np.mgrid[:h, :w].astype(float)
    for t in range(count):
        over = 5 * (bend(columns / 12, (rows + 0.5 * t) / 12, t / 20, 2) - 0.5)
        heat = flame((columns + over) / 7, (rows + 1.2 * t) / 14, t / 14, 4)
        yield _coloured((heat - 0.28) / 0.45, FIRE)


def water(count: int, h: int, w: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Water from above: waves that travel every way as those of deep water do, bright where they gather the light."""
    chosen = rng or np.random.default_rng(0)
    n = 120  # so many that two places, or two seeds, are alike
    long = 9 * 3 ** chosen.random(n)  # wavelength in cells: 9 to 27
    k, turned, phase = 2 * np.pi / long, chosen.random(n) * 2 * np.pi, chosen.random(n) * 2 * np.pi
    pace = 0.45 * np.sqrt(k)  # radians a frame
    rows, columns = np.mgrid[:h, :w].astype(float)
    ahead = [k[i] * (np.cos(turned[i]) * columns + np.sin(turned[i]) * rows) + phase[i] for i in range(n)]
    for t in range(count):
        bent = sum(np.cos(ahead[i] - pace[i] * t) for i in range(n)) / np.sqrt(n / 2)
        gathered = 1 / (1 + np.exp(-1.6 * bent))
        yield _coloured(gathered**1.5, WATER)


def clouds(count: int, h: int, w: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Clouds that drift to the right, slowly changing."""
    sky = Noise(rng or np.random.default_rng(0))
    rows, columns = np.mgrid[:h, :w].astype(float)
    for t in range(count):
        thick = sky((columns - 0.7 * t) / 14, (rows - 0.15 * t) / 11, t / 50, 5)
        yield _coloured((thick - 0.38) / 0.3, CLOUDS)


def flow(count: int, h: int, w: int, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
    """Blots of two inks on paper that all drift by `DRIFT`, and slowly change."""
    chosen = rng or np.random.default_rng(0)
    inks = [Noise(chosen), Noise(chosen)]
    rows, columns = np.mgrid[:h, :w].astype(float)
    for t in range(count):
        shown = np.broadcast_to(np.array(PAPER), (h, w, 3))
        for ink, colour in zip(inks, INKS, strict=True):
            thick = ink((columns - DRIFT[1] * t) / 8, (rows - DRIFT[0] * t) / 8, t / 60, 2)
            cover = 1 / (1 + np.exp(-30 * (thick - 0.6)))[..., None]
            shown = shown * (1 - cover) + cover * np.array(colour)
        yield _bytes(shown)


class Noise:
    """Smooth noise in three dimensions, 0..1 about 0.5: random numbers on a lattice, smoothly joined; it repeats."""

    def __init__(self, rng: np.random.Generator, side: int = 64) -> None:
        self._lattice, self._side = rng.random((side, side, side)), side

    def __call__(self, x: np.ndarray, y: np.ndarray, z: float, octaves: int) -> np.ndarray:
        """Noise at `(x, y, z)`, in cells of the lattice: the mean of `octaves`, each half as large and as strong."""
        total, power = np.zeros(np.broadcast(x, y).shape), 0.0
        for k in range(octaves):
            total += 0.5**k * self._at(2**k * x + 17 * k, 2**k * y + 31 * k, 1.6**k * z + 7 * k)
            power += 0.5**k
        return total / power

    def _at(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        joined = np.zeros(np.broadcast(x, y).shape)
        whole = [np.floor(v).astype(int) for v in (x, y, np.asarray(z))]
        parts = [v - i for v, i in zip((x, y, np.asarray(z)), whole, strict=True)]
        parts = [p * p * p * (p * (6 * p - 15) + 10) for p in parts]
        for corner in np.ndindex(2, 2, 2):
            share = [p if c else 1 - p for p, c in zip(parts, corner, strict=True)]
            at = [(i + c) % self._side for i, c in zip(whole, corner, strict=True)]
            joined += share[0] * share[1] * share[2] * self._lattice[at[0], at[1], at[2]]
        return joined


FIRE = ((0.02, 0.0, 0.02), (0.45, 0.03, 0.02), (0.9, 0.3, 0.02), (1.0, 0.75, 0.15), (1.0, 1.0, 0.8))
WATER = ((0.01, 0.12, 0.22), (0.03, 0.36, 0.45), (0.15, 0.62, 0.66), (0.85, 0.98, 0.95))
CLOUDS = ((0.25, 0.47, 0.8), (0.5, 0.66, 0.88), (0.85, 0.88, 0.93), (1.0, 1.0, 1.0))
"""Colours of a texture from its lowest value to its highest, evenly spread, RGB."""


def _coloured(value: np.ndarray, colours: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """Values in 0..1 (others are clipped) through a map of colours, `(h, w, 3)` uint8."""
    ends = np.linspace(0, 1, len(colours))
    return _bytes(np.stack([np.interp(value, ends, [c[k] for c in colours]) for k in range(3)], -1))


def _bytes(shown: np.ndarray) -> np.ndarray:
    return (shown.clip(0, 1) * 255).astype(np.uint8)


Draw = Callable[[int, int, int, np.random.Generator | None], Iterator[np.ndarray]]

FILMS: dict[str, tuple[Draw, int, tuple[int, int]]] = {
    "ball": (ball, 160, (36, 48)),
    "balls": (balls, 200, (36, 48)),
    "snake": (snake, 400, (16, 16)),
    "fire": (fire, 240, (64, 64)),
    "water": (water, 240, (64, 64)),
    "clouds": (clouds, 240, (64, 64)),
    "flow": (flow, 240, (64, 64)),
}
"""Films by name: who draws it, its number of frames, and rows and columns."""


def write(shown: Film, folder: Path) -> None:
    """Write frames as PNGs `0000.png`, `0001.png` ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, frame in enumerate(shown):
        Image.fromarray(frame).save(folder / f"{k:04d}.png")


def main() -> int:
    """Write the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", choices=list(FILMS))
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=int, default=1, help="films, each from another start, in folders of OUT")
    parser.add_argument("--count", type=int, default=0, help="frames of each")
    parser.add_argument("--size", help="WIDTHxHEIGHT, in cells")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first; 0 is the start that the tables name")
    given = parser.parse_args()
    w, h = map(int, given.size.split("x")) if given.size else (0, 0)
    for k, seed in zip(range(given.clips), numbers(given.seed), strict=False):
        out = given.out / str(k) if given.clips > 1 else given.out
        write(frames(given.film, given.count, (h, w), seed), out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
