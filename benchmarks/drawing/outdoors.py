"""Scenes under an open sky: a valley with a lake, the sea in the evening, a tree on a meadow."""

import numpy as np

from drawing.plate import Plane, Plate, blend, noise, rgb, ridges, smooth

SUN = np.array([2.6, 2.1, 1.5], np.float32)
"""The light of the sun, warmer than white."""


def sky(
    plate: Plate, horizon: float, high: str, low: str, *, sun: tuple[float, float], glow: str, cloud: float
) -> None:
    """A sky down to `horizon`, with clouds that the sun lights from one side; `cloud` is their share, 0 to 1."""
    up = np.clip((horizon - plate.y) / horizon, 0, 1)
    plate.light[:] = blend(up**0.7, rgb(low), rgb(high))
    far = np.hypot(plate.x - sun[0], plate.y - sun[1])
    plate.light += 0.9 * np.exp(-far / 0.22)[..., None] * rgb(glow)
    if cloud <= 0:
        return
    depth = 0.25 / (np.maximum(horizon - plate.y, 0) + 0.10)
    here = _clouds(plate, plate.x * depth * 1.6, depth * 2.4, cloud)
    toward = 0.05 * (sun[0] - plate.x), 0.05 * (sun[1] - plate.y)
    there = _clouds(plate, (plate.x + toward[0]) * depth * 1.6, depth * 2.4 + 3 * toward[1], cloud)
    lit = np.clip(0.95 + 1.3 * (here - there) - 0.30 * here, 0, 1)
    white = blend(lit, rgb("#66728c"), rgb("#c3c9d6"), rgb("#fffdf8")) * 1.1
    plate.lay(here * smooth(0.0, 0.12, horizon - plate.y), white * (0.5 + 0.5 * rgb(low)))


def _clouds(plate: Plate, x: Plane, y: Plane, cloud: float) -> Plane:
    dense = noise(x, y, plate.seed * 7 + 3, 7, 0.55)
    return smooth(0.62 - 0.24 * cloud, 0.78 - 0.22 * cloud, dense)


def landscape(plate: Plate) -> None:
    """A valley with mountains in the haze, wooded hills and a lake that mirrors them."""
    hour = plate.seed % 3
    high, low, glow = (
        ("#1f5fb8", "#c3dcec", "#fff1cf"),
        ("#4c66a8", "#f6c58d", "#ffb45e"),
        ("#7d92ab", "#dfe3e4", "#ffffff"),
    )[hour]
    sun = (plate.chance(0, -0.45, 0.45), (0.16, 0.40, 0.12)[hour])
    horizon, shore = 0.50, 0.66
    sky(plate, horizon, high, low, sun=sun, glow=glow, cloud=(0.55, 0.45, 0.8)[hour])
    warm = (SUN, SUN * rgb("#ffb878") * 1.2, np.full(3, 1.2, np.float32))[hour]
    haze = rgb(low)
    for k, (base, tall, colour, mist) in enumerate(
        ((0.43, 0.22, "#6f7c86", 0.42), (0.50, 0.15, "#56654f", 0.22), (0.585, 0.09, "#38552b", 0.05))
    ):
        line = base - tall * 1.5 * (
            ridges(plate.x[:1] * (2.2 + k), np.full_like(plate.x[:1], 3.0 * k), plate.seed * 11 + k, 6) - 0.42
        )
        line = np.broadcast_to(line, plate.y.shape)
        rough = plate.noise(0.10 / (1 + k), 40 + k, stretch=1.4, octaves=7, gain=0.6)
        side = np.gradient(plate.noise(0.22 / (1 + k), 20 + k, octaves=6, gain=0.55), axis=1) / plate.dot * 0.22
        light = np.clip(0.55 + 0.8 * np.sign(sun[0] or 1) * side + 1.6 * (rough - 0.5), 0.04, 1.6)
        ground = rgb(colour) * (0.22 + 0.75 * light[..., None] * warm / 1.6)
        if k == 0:  # snow, where it is high and not too steep
            snow = smooth(0.10, 0.02, plate.y - line + 0.10 * (rough - 0.5)) * smooth(0.25, 0.5, light)
            ground += snow[..., None] * (rgb("#eef3f7") * light[..., None] * 0.9 - ground)
        if k == 2:  # woods: crowns of trees
            crowns = noise(plate.x * 55, plate.y * 70, plate.seed + 90, 3)
            ground = ground * (0.1 + 1.9 * crowns[..., None] ** 1.5)
        ground = ground * (1 - mist) + haze * mist
        plate.lay(plate.under(line), ground)
    _mirror(plate, shore, rgb("#27424d"), 0.35)
    line = (
        0.90
        - 0.16 * np.abs(plate.x[:1] + 0.22) ** 1.5
        + 0.05 * (noise(plate.x[:1] * 3, plate.x[:1] * 0, plate.seed + 5, 5) - 0.5)
    )
    _meadow(plate, np.broadcast_to(line, plate.y.shape), "#4d6b25", "#a3a04a", warm)
    for k in range(7):
        left = plate.chance(30 + k) < 0.6
        x = plate.chance(40 + k, -0.74, -0.36) if left else plate.chance(40 + k, 0.42, 0.74)
        _fir(plate, x * min(1, plate.aspect / 1.5), 0.93 + 0.01 * k, plate.chance(50 + k, 0.2, 0.5), warm, k)


def _fir(plate: Plate, x: float, foot: float, tall: float, light: np.ndarray, k: int) -> None:
    """A fir: boughs in storeys, ragged, darker inside and away from the sun."""
    box = plate.box(x, foot - 0.45 * tall, 0.25 * tall, 0.6 * tall)
    px, py = plate.x[box], plate.y[box]
    down = np.clip((py - foot + tall) / tall, 0, 1)
    twig = noise(px * 90 + 9 * k, py * 45, plate.seed + 55 + k, 3, 0.6)
    storey = (down * 9 + 0.3 * np.sin(px * 60 + k) + 0.9 * twig) % 1
    wide = 0.15 * tall * (down**0.9 + 0.02) * (0.55 + 0.62 * storey)
    side = (px - x) / np.maximum(wide, 1e-4)
    cover = smooth(1.0, 0.82, np.abs(side) + 0.9 * (twig - 0.5)) * (down > 0) * plate.inside(py - foot)
    lit = np.clip(0.42 - 0.35 * side + 0.5 * (storey - 0.4), 0.03, 1) * (0.3 + 1.3 * twig)
    stem = plate.inside(np.abs(px - x) - 0.012 * tall) * plate.inside(np.abs(py - foot + 0.02) - 0.03)
    plate.lay(stem, rgb("#3a2c20"), box)
    colour = blend(np.clip(lit, 0, 1), rgb("#06120b"), rgb("#1f3b20"), rgb("#6d8a45")) * light / 1.8
    plate.lay(cover, colour, box)


def _mirror(plate: Plate, shore: float, deep: np.ndarray, dark: float) -> None:
    """Water below `shore` that shows what lies above it, upside down and in ripples."""
    near = np.clip((plate.y - shore) / (1 - shore), 0, 1)
    wave = noise(plate.x * 9 / (0.15 + near), 14 / (0.06 + near), plate.seed + 61, 4) - 0.5
    row = 2 * shore - plate.y + wave * 0.10 * near
    rows = np.clip(np.rint(row * plate.h), 0, plate.h * shore - 2).astype(np.int64)
    columns = np.clip(np.arange(plate.w) + np.rint(wave * 0.03 * near * plate.h).astype(np.int64), 0, plate.w - 1)
    seen = plate.light[rows, columns]
    water = (
        seen * (1 - dark * near[..., None] ** 0.5)
        + deep * dark * near[..., None] ** 0.5
        + 0.10 * wave[..., None] * near[..., None]
    )
    plate.lay(plate.under(np.full_like(plate.y, shore)), np.maximum(water, 0))


def _meadow(plate: Plate, line: Plane, green: str, straw: str, light: np.ndarray) -> None:
    """Grass below a line: tufts that grow towards us."""
    near = np.clip((plate.y - line) / 0.3, 0, 1)
    blades = noise(plate.x * 160 / (0.5 + near), plate.y * 34 / (0.4 + near), plate.seed + 71, 4, 0.65)
    patch = plate.noise(0.25, 72, stretch=2.5, octaves=5)
    ground = blend(
        np.clip(0.5 + 1.6 * (patch - 0.5) + 0.8 * (blades - 0.5), 0, 1), rgb("#24380f"), rgb(green), rgb(straw)
    )
    plate.lay(plate.under(line - 0.012 * blades), ground * (0.25 + 1.15 * blades[..., None]) * light / 1.7)


def sea(plate: Plate) -> None:
    """The sea towards the sun: waves in perspective, a glittering path, foam on the sand."""
    hour = plate.seed % 3
    high, low, glow = (
        ("#3b4f86", "#f7b06a", "#ffa54a"),
        ("#2b74bd", "#d9ecf2", "#ffffff"),
        ("#544a78", "#e99a90", "#ff8f70"),
    )[hour]
    horizon, sun = plate.chance(1, 0.36, 0.44), (plate.chance(0, -0.3, 0.3), 0.24)
    sky(plate, horizon, high, low, sun=sun, glow=glow, cloud=plate.chance(2, 0.35, 0.6))
    plate.lay(plate.inside(np.hypot(plate.x - sun[0], plate.y - sun[1]) - 0.035), rgb("#fff3d6") * 3)
    down = np.maximum(plate.y - horizon, plate.dot / 2)
    depth = 0.12 / down
    u, v = plate.x * depth * 5, depth * 9
    swell = noise(u * 0.45, v * 0.8, plate.seed + 31, 3) - 0.5
    chop = ridges(u * 1.1 + swell, v * 1.6 + 2 * swell, plate.seed + 32, 5, 0.6)
    height = 0.6 * swell + 0.5 * chop
    slope = np.gradient(height, axis=0) / plate.dot * down * 0.16
    across = np.gradient(height, axis=1) / plate.dot * down * 0.5
    tilt = np.clip(slope, -1, 1)
    body, heaven = rgb(("#173a50", "#0c4f6e", "#2b2a4d")[hour]), blend(np.clip(0.35 - tilt, 0, 1), rgb(low), rgb(high))
    facing = np.clip(0.25 + 0.45 * np.exp(-down * 7) - 0.8 * tilt, 0.05, 0.95)[..., None]
    water = body * (0.5 + 0.9 * chop[..., None] ** 2) * (1 - facing) + heaven * facing
    path = np.exp(-(((plate.x - sun[0] + 0.10 * across) / (0.05 + 0.30 * down)) ** 2)) * smooth(
        0.52, 0.78, chop + 0.25 * np.clip(tilt, -0.5, 0.5)
    )
    water = water + path[..., None] * rgb(glow) * 2.2
    crest = smooth(0.78, 0.9, chop + 0.3 * swell) * smooth(0.05, 0.25, down)
    water = water + crest[..., None] * (rgb("#e9eef0") * 0.9 - water) * 0.7
    plate.lay(plate.under(np.full_like(plate.y, horizon)), water)
    line = 0.86 - 0.10 * plate.x + 0.10 * (noise(plate.x * 1.8, plate.x * 0 + 2, plate.seed + 33, 4) - 0.5)
    wet = np.exp(-np.maximum(plate.y - line, 0) / 0.06)
    sand = blend(
        np.clip(plate.noise(0.05, 34, stretch=2.5, octaves=8, gain=0.75), 0, 1),
        rgb("#6b5233"),
        rgb("#c9a878"),
        rgb("#e8d3ab"),
    )
    sand = sand * (1 - 0.55 * wet[..., None]) + 0.35 * wet[..., None] * rgb(low) * 0.6
    plate.lay(plate.under(line), sand * (0.95, 1.1, 0.8)[hour])
    lace = ridges(plate.x * 7, plate.y * 14, plate.seed + 35, 5, 0.6)
    edge = np.exp(-(((plate.y - line + 0.012) / 0.020) ** 2)) + 0.8 * np.exp(
        -(((plate.y - line + 0.075) / 0.03) ** 2)
    ) * smooth(0.5, 0.75, lace)
    plate.lay(np.clip(edge * smooth(0.30, 0.62, lace) * 1.4, 0, 0.95), rgb("#f4f6f4") * (0.9, 1.1, 0.8)[hour])


def tree(plate: Plate) -> None:
    """An old tree alone on a meadow, the sun from one side, its shadow on the grass."""
    hour = plate.seed % 3
    leaf = (
        ("#0b1a06", "#24480f", "#5d8a22", "#b9cf5a"),
        ("#240d05", "#7a2f0f", "#c46a1c", "#f2b04a"),
        ("#081a10", "#1d4a2c", "#4f8448", "#a9c97e"),
    )[hour]
    sky(
        plate,
        0.72,
        ("#3d7cc4", "#6d93bd", "#7f97ad")[hour],
        ("#dcebf0", "#f3e2c4", "#e6e6df")[hour],
        sun=(-0.6, 0.1),
        glow="#fff0d0",
        cloud=(0.5, 0.35, 0.75)[hour],
    )
    ridge = (
        0.68
        + 0.03 * (noise(plate.x[:1] * 2.5, plate.x[:1] * 0, plate.seed + 3, 5) - 0.5)
        - 0.03 * noise(plate.x[:1] * 40, plate.x[:1] * 0, plate.seed + 4, 3)
    )
    woods = rgb("#5c7466") * (0.75 + 0.6 * plate.noise(0.02, 5, octaves=4)[..., None])
    plate.lay(plate.under(np.broadcast_to(ridge, plate.y.shape)), woods)
    _meadow(plate, np.full_like(plate.y, 0.72) + 0.02 * plate.x, "#5a7d2a", "#b3ad55", SUN * (1, 0.95, 0.8)[hour])
    shade = smooth(
        1.0,
        0.55,
        np.hypot((plate.x - 0.20) / 0.46, (plate.y - 0.875) / 0.05) + 0.5 * (plate.noise(0.04, 6, octaves=4) - 0.5),
    )
    plate.light *= (1 - 0.72 * shade)[..., None]
    crown = _crown(plate)
    _trunk(plate, crown)
    for x, y, r, depth in crown:
        _leaves(plate, x, y, r, depth, [rgb(c) for c in leaf])


def _crown(plate: Plate) -> list[tuple[float, float, float, float]]:
    """Tufts of leaves: where, how large, how far in front (0 to 1); the farthest first."""
    tufts = []
    for k in range(46):
        turn, out = 2.399963 * k, np.sqrt((k + 0.5) / 46)
        x = 0.33 * out * np.cos(turn) * (1.05 + 0.1 * np.sin(3 * turn))
        y = 0.36 + 0.235 * out * np.sin(turn) + 0.05 * x * x
        near = plate.chance(20 + k)
        tufts.append(
            (float(x), float(y), 0.062 + 0.045 * plate.chance(80 + k) + 0.02 * (1 - out), near * (1 - 0.3 * out))
        )
    return sorted(tufts, key=lambda tuft: tuft[3])


def _trunk(plate: Plate, crown: list[tuple[float, float, float, float]]) -> None:
    """A trunk with a bark, and a bough to every third tuft."""
    limbs = [((0.0, 0.87), (0.012, 0.62), 0.052, 0.034), ((0.012, 0.64), (-0.01, 0.42), 0.034, 0.018)]
    limbs += [((0.005, 0.60 - 0.05 * (k % 3)), (x, y), 0.020, 0.005) for k, (x, y, _, _) in enumerate(crown[::3])]
    bark = noise(plate.x * 70, plate.y * 12, plate.seed + 7, 5, 0.6)
    for (x0, y0), (x1, y1), wide, thin in limbs:
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((plate.x - x0) * dx + (plate.y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        side = plate.x - x0 - along * dx - 0.012 * np.sin(along * 5 + x1 * 30)
        away = np.hypot(side, plate.y - y0 - along * dy)
        radius = wide + (thin - wide) * along**0.6 + 0.028 * np.exp(-along * 9) * (wide > 0.05)
        across = np.clip(side / radius, -1, 1)
        light = np.clip(0.55 - 0.6 * across, 0.06, 1.2) * (0.45 + 1.1 * bark)
        if wide > 0.05:  # the trunk stands in the grass, its foot round and uneven
            foot = y0 + 0.028 * np.sqrt(1 - across * across) - 0.02 + 0.03 * (bark - 0.5)
            cover = plate.inside(np.abs(side) - radius) * plate.inside(plate.y - foot) * (plate.y > y1 - 0.02)
        else:
            cover = plate.inside(away - radius) * (plate.y > y1 - 0.02)
        plate.lay(cover, rgb("#6f5a44") * light[..., None])


def _leaves(plate: Plate, x: float, y: float, r: float, depth: float, colours: list[np.ndarray]) -> None:
    """One tuft: a ball of leaves lit from the upper left, its rim made of leaves."""
    box = plate.box(x, y, 1.4 * r)
    px, py = plate.x[box], plate.y[box]
    leaves = noise(px * 75, py * 75, plate.seed + 8 + int(depth * 40), 3, 0.6)
    u, v = (px - x) / r, (py - y) / r
    far = np.hypot(u, v) + 0.75 * (leaves - 0.5)
    cover = smooth(1.0, 0.88, far)
    round_ = np.sqrt(np.clip(1.15 - u * u - v * v, 0, 1))
    light = np.clip(0.50 - 0.42 * u - 0.50 * v + 0.25 * round_, 0, 1.2) * (0.55 + 0.45 * depth)
    light = np.clip(light * (0.15 + 1.5 * leaves) - 0.25 * np.clip(y + 0.5 * (py - y) - 0.33, 0, 1), 0, 1)
    plate.lay(cover, blend(light, *colours) * 1.15, box)
