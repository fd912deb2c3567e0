"""Flowers, close up, before a garden out of focus."""

import numpy as np

from drawing.plate import Colour, Plate, blend, noise, rgb, smooth
from drawing.portraits import bokeh

GARDENS = (("#17301a", "#4d7d33", "#a6c25e"), ("#2c2a45", "#6f7fae", "#cdd6e6"), ("#3a2a16", "#94803a", "#e5d79a"))
PETALS = (
    (("#7a0f1e", "#d7263d", "#ff7a70"), ("#b5541a", "#ffa62b", "#ffe08a"), ("#7d2a72", "#d06ac0", "#f8c9ea")),
    (("#c9c3d8", "#f4f1f6", "#ffffff"), ("#2c3a8f", "#5f7be0", "#b4c5fa"), ("#5b2a86", "#9a62c9", "#dcbff0")),
    (("#a03a12", "#f07a1e", "#ffc46b"), ("#b08a10", "#f7d22d", "#fff3a0"), ("#a12a3f", "#ef6f7f", "#ffd0cf")),
)


def flowers(plate: Plate) -> None:
    """Flowers in the sun, their stems and leaves, a garden out of focus behind them."""
    hour = plate.seed % 3
    soft = plate.noise(0.45, 2, octaves=3)
    plate.light[:] = blend(np.clip(1.1 * soft - 0.05 + 0.25 * (0.6 - plate.y), 0, 1), *map(rgb, GARDENS[hour]))
    bokeh(plate, [rgb(c) for c in GARDENS[hour][1:]] + [rgb(PETALS[hour][1][2])], 40, 0.11, 0.38)
    places = []
    for k in range(7):
        x = (k - 3) * 0.215 + plate.chance(10 + k, -0.05, 0.05)
        places.append((x, plate.chance(20 + k, 0.24, 0.60) + 0.05 * (k % 2), plate.chance(30 + k, 0.10, 0.165), k))
    places.sort(key=lambda place: place[2])
    for x, y, r, k in places:
        _stem(plate, x, y, r, k)
    for k in range(26):
        _blade(
            plate,
            plate.chance(300 + k, -0.5, 0.5) * plate.aspect,
            plate.chance(330 + k, 0.55, 0.85),
            plate.chance(360 + k, -0.25, 0.25),
            k,
        )
    for x, y, r, k in places:
        colours = [rgb(c) for c in PETALS[hour][k % 3]]
        (_daisy if k % 3 == 1 else _rose)(plate, x, y, r, k, colours)


def _stem(plate: Plate, x: float, y: float, r: float, k: int) -> None:
    """From a flower down and out of the picture."""
    box = plate.box(x, y + 0.5, 0.15, 0.5)
    px, py, thick = plate.x[box] - x, plate.y[box] - y, 0.055 * r + 0.004
    side = (px - 0.10 * np.sin(3 * py + k) * py) / thick
    cover = plate.inside((np.abs(side) - 1) * thick)
    light = np.clip(0.6 - 0.45 * side, 0.08, 1)
    plate.lay(cover, blend(light, rgb("#122408"), rgb("#4a7a26"), rgb("#9cc055")), box)


def _blade(plate: Plate, x: float, top: float, lean: float, k: int) -> None:
    """A long leaf from below."""
    box = plate.box(x, 1.0, abs(lean) + 0.05, 1.0 - top)
    px, py = plate.x[box], plate.y[box]
    up = np.clip((1.05 - py) / (1.05 - top), 0, 1)
    wide = 0.020 * (1 - up) ** 0.7 * (0.6 + up)
    side = (px - x - lean * up**1.8) / np.maximum(wide, 1e-4)
    vein = noise(side * 3 + k, py * 5, plate.seed + k, 3)
    light = 0.50 + 0.30 * np.sign(side) * (1 if lean > 0 else -1) - 0.25 * np.abs(side) + 0.5 * (vein - 0.5)
    cover = plate.inside((np.abs(side) - 1) * wide) * (py > top)
    plate.lay(cover, blend(np.clip(light, 0, 1), rgb("#0d1f0a"), rgb("#2f6420"), rgb("#93bd58")), box)


def _daisy(plate: Plate, x: float, y: float, r: float, k: int, colours: list[Colour]) -> None:
    """Two rings of narrow petals around a button."""
    box = plate.box(x, y, 1.5 * r)
    px, py = (plate.x[box] - x) / r, (plate.y[box] - y) / (r * 0.86)
    far, turn = np.hypot(px, py), np.arctan2(py, px)
    dot = plate.dot / r
    for ring, (reach, count) in enumerate(((1.0, 15), (0.86, 14))):
        place = (turn / (2 * np.pi) + 0.5 + 0.03 * k + 0.4 * ring / count) * count
        which = np.floor(place)
        u = 2 * (place - which) - 1
        length = reach * (0.90 + 0.16 * noise(which * 7.7, which * 0 + k, plate.seed + ring, 1))
        shape = np.abs(u) * (0.55 + 0.75 * (far / length) ** 3) + np.maximum(far / length - 0.75, 0) * 2.2
        cover = np.clip((0.98 - shape) / (dot * count * 0.35) + 0.5, 0, 1) * (far < length * 1.05)
        fold = noise(u * 2.5 + which * 5, far * 2, plate.seed + 3 * k + ring, 2)
        light = (
            0.62
            - 0.22 * np.sin(turn - 0.8)
            - 0.30 * np.abs(u) ** 2
            + 0.5 * (fold - 0.5)
            - 0.45 * np.exp(-far / 0.30)
            - 0.12 * (1 - ring)
        )
        plate.lay(cover, blend(np.clip(light, 0, 1), *colours), box)
    seeds = noise(px * 16, py * 16, plate.seed + k, 3, 0.7)
    button = np.clip((0.30 - far) / dot + 0.5, 0, 1)
    light = np.clip(0.5 - 0.9 * px - 1.2 * py + 0.9 * (seeds - 0.5), 0, 1)
    plate.lay(button, blend(light, rgb("#3a1c06"), rgb("#b06a14"), rgb("#f6cf4a")), box)


def _rose(plate: Plate, x: float, y: float, r: float, k: int, colours: list[Colour]) -> None:
    """Wide petals in rings, the inner ones over the outer ones."""
    box = plate.box(x, y, 1.5 * r)
    px, py = (plate.x[box] - x) / r, (plate.y[box] - y) / (r * 0.90)
    dot = plate.dot / r
    for ring in range(5):
        reach, count = 1.0 - 0.19 * ring, 5 if ring < 3 else 3
        for petal in range(count):
            angle = 2 * np.pi * (petal + 0.5 * (ring % 2)) / count + 0.7 * k + 0.35 * ring
            cx, cy = 0.50 * reach * np.cos(angle), 0.50 * reach * np.sin(angle)
            u = (px - cx) * np.cos(angle) + (py - cy) * np.sin(angle)
            v = -(px - cx) * np.sin(angle) + (py - cy) * np.cos(angle)
            wave = 0.05 * np.sin(6 * np.arctan2(v, u) + k + petal)
            far = np.hypot(u / (0.54 * reach), v / (0.60 * reach)) + wave
            cover = np.clip((1 - far) * 0.55 * reach / dot + 0.5, 0, 1)
            fold = noise(v * 9 + petal * 3, u * 2.5 + ring, plate.seed + k, 3)
            light = (
                0.40
                + 0.42 * u / reach
                - 0.24 * py
                - 0.16 * px
                + 0.30 * (fold - 0.5)
                + 0.30 * smooth(0.80, 0.97, far)
                - 0.05 * ring
            )
            plate.lay(cover, blend(np.clip(light, 0, 1), *colours), box)
    core = np.clip((0.12 - np.hypot(px, py)) / dot + 0.5, 0, 1)
    plate.lay(core, colours[0] * 0.6, box)
