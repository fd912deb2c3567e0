"""Still life: fruit on a wooden table before a wall."""

import numpy as np

from drawing.plate import Plane, Plate, blend, noise, rgb, smooth
from drawing.solids import (
    Camera,
    Light,
    Place,
    Points,
    Stage,
    Surface,
    ball,
    carve,
    egg,
    limb,
    melt,
    render,
    turned,
    within,
)

WALLS = (("#3b4a52", "#9aa9a6"), ("#241a16", "#6d4a36"), ("#8f8676", "#e3d9c4"))
WOODS = (("#3a1d0d", "#8a5326", "#b9824a"), ("#24120a", "#5b321a", "#8a5a36"), ("#7d7263", "#b8a88e", "#d3c4a8"))
SUNS = ((-0.75, 0.75, 0.55), (0.8, 0.65, 0.45), (-0.55, 0.9, 0.6))
ROUGH = (0.0, 0.35, 0.22, 0.05, 0.03, 0.3, 0.05)
"""How uneven apples, orange, lemon, pear, grapes, stalks and table are."""
GLOSS = (0.42, 0.22, 0.25, 0.16, 0.45, 0.05, 0.10)


def _pear(p: Points) -> Plane:
    return melt(egg(p, (0, 0.40, 0), (0.42, 0.42, 0.42)), egg(p, (0, 0.86, 0), (0.23, 0.36, 0.23)), 0.35)


def _apple(p: Points) -> Plane:
    return carve(egg(p, (0, 0.40, 0), (0.46, 0.42, 0.46)), egg(p, (0, 0.92, 0), (0.11, 0.20, 0.11)), 0.16)


def _grapes(seed: int) -> list[Place]:
    """A ring of grapes, and a smaller one on top."""
    found = []
    for k in range(14):
        low, turn = k < 9, 2.4 * k + seed
        out = (1.0 if low else 0.7) * 0.30 * np.sqrt((k % 9 + 0.3) / 9)
        found.append((float(1.15 * out * np.cos(turn)), 0.14 if low else 0.33, float(out * np.sin(turn))))
    return found


def fruit(plate: Plate) -> None:
    """Apples, an orange, a lemon, a pear and grapes on a table, lit from a window."""
    hour = plate.seed % 3
    sun = SUNS[hour]
    side = -1 if sun[0] < 0 else 1
    patch = plate.noise(0.5, 3, octaves=6)
    fall = np.clip(0.5 + 0.9 * side * plate.x / plate.aspect + 0.6 * (patch - 0.5) - 0.25 * plate.y, 0, 1)
    plate.light[:] = blend(fall, *map(rgb, WALLS[hour]))
    flip = np.array([[-1.0 if plate.chance(1) < 0.5 else 1.0], [1], [1]], np.float32)
    bunch, lean = _grapes(plate.seed), plate.chance(2, -0.5, 0.5)

    def moved(p: Points, x: float, y: float, z: float) -> Points:
        return p - np.array([[x], [y], [z]], np.float32)

    def shape(p: Points) -> list[Plane]:
        q = p * flip
        a, b, g = moved(q, -0.85, 0, 0.15), moved(q, 0.74, 0, -0.36), moved(q, 1.18, 0, 0.35)
        lemon = turned(moved(q, 0.22, 0.30, 0.72), 0.5 + lean, 0.0, 0.15)
        pear = turned(moved(q, -0.32, 0, -0.55), roll=0.12)
        stalks = [
            limb(a, (0, 0.68, 0), (0.06, 1.0, 0.02), 0.022, 0.03),
            limb(pear, (0, 1.18, 0), (0.10, 1.42, 0), 0.02, 0.03),
            limb(g, (0, 0.4, 0), (-0.3, 0.62, -0.1), 0.02),
        ]
        return [
            np.minimum(within(a, (0, 0.4, 0), 0.5, _apple), within(b, (0, 0.4, 0), 0.5, _apple)),
            ball(q, (0.12, 0.45, -0.15), 0.45),
            melt(egg(lemon, (0, 0, 0), (0.38, 0.29, 0.29)), limb(lemon, (-0.42, 0, 0), (0.42, 0, 0), 0.06), 0.12),
            within(pear, (0, 0.6, 0), 0.68, _pear),
            within(g, (0, 0.2, 0), 0.5, lambda near: np.minimum.reduce([ball(near, c, 0.16) for c in bunch])),
            np.minimum.reduce(stalks),
        ]

    def paint(p: Points, n: Points, part: np.ndarray) -> Surface:
        x, y, z = p * flip
        s, wood = plate.seed * 13, [rgb(c) for c in WOODS[hour]]
        speck = noise(x * 30 + z * 11, y * 30, s + 1, 3)
        run = noise(np.arctan2(z - 0.15, x + 0.85) * 6, y * 2.2, s + 2, 5)
        tone = noise(x * 9, z * 9 + y * 9, s + 5, 3)
        grain = noise(p[0] * 2.2, z * 30 + 2 * noise(p[0] * 0.9, z * 2.5, s + 4, 3), s + 3, 6, 0.65)
        seam = np.abs((z * 0.62 + 40.2) % 1 - 0.5)
        plank = blend(np.clip(0.5 + 1.6 * (grain - 0.5) + 0.3 * np.sin(17 * np.floor(z * 0.62 + 39.7)), 0, 1), *wood)
        darker = (
            (rgb("#5c7a1c"), rgb("#a9bd4f"), rgb("#d3dc8a"))
            if hour == 2
            else map(rgb, ("#1c0f2e", "#4a2a63", "#8d7fa8"))
        )
        colours = [
            blend(np.clip(0.6 * run + 0.35 * n[0] + 0.25, 0, 1), rgb("#5f0d0f"), rgb("#c2201d"), rgb("#e6b545")),
            rgb("#e8791a") * (0.8 + 0.4 * speck[:, None]),
            np.broadcast_to(rgb("#eec93a"), (len(x), 3)),
            blend(
                np.clip(0.5 + 0.9 * (speck - 0.5) + 0.25 * n[0], 0, 1), rgb("#7d8a22"), rgb("#c9c24b"), rgb("#d9a04a")
            ),
            blend(tone, *darker),
            np.broadcast_to(rgb("#4b3620"), (len(x), 3)),
            plank * (0.3 + 0.7 * smooth(0.0, 0.02, seam))[:, None],
        ]
        colour = np.select([(part == k)[:, None] for k in range(len(colours))], colours).astype(np.float32)
        dent = np.stack(
            [noise(x * 26 + z * 9, y * 26 + z * 17, s + 6, 2), noise(x * 26 - z * 13, y * 26, s + 7, 2), 0 * x]
        )
        bumpy = n + np.array(ROUGH, np.float32)[part] * (dent - 0.5)
        bumpy = (bumpy / np.linalg.norm(bumpy, axis=0)).astype(np.float32)
        return Surface(colour, bumpy, np.array(GLOSS, np.float32)[part], 55.0, 0.25)

    warm = np.array([2.3, 2.05, 1.7], np.float32) * (1.0, 0.95, 0.85)[hour]
    light = Light(sun, warm, rgb(("#6d87a8", "#3f4663", "#8fa0ad")[hour]) * 0.9, rgb(WOODS[hour][1]) * 0.55)
    wide = plate.aspect > 1
    camera = Camera((plate.chance(3, -0.8, 0.8), 1.6, 5.6), (0.12, 0.52, 0.0), 0.20 if wide else 0.32)
    render(plate, Stage(shape, paint, (0.1, 0.55, 0.0), 1.75, floor=0.0, depth=2.1), camera, light)
