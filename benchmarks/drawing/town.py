"""Scenes of a town: a street of gabled houses by day, a skyline on the water by night."""

import numpy as np

from drawing.outdoors import sky
from drawing.plate import Colour, Plane, Plate, blend, chances, noise, rgb, smooth

PLASTER = ("#d8b98c", "#c9725a", "#e8e0d0", "#8fa7b3", "#d6a04f", "#a9b893", "#b98f9a", "#efe3b8")
DOORS = ("#3c5a4a", "#5b2c22", "#2f3d5c", "#6b4a24")
HALF, EYE, FAR = 4.6, 2.1, 120.0
"""Half the width of the street, and how high above it the camera stands, in metres; and where the street ends."""
HOUSE = 7.5
"""Metres from house to house."""


def street(plate: Plate) -> None:
    """A street of gabled houses that runs to a church, the sun on one side of it."""
    hour, seed = plate.seed % 3, plate.seed * 17
    high, low, glow = (
        ("#2f70c0", "#cfe2ee", "#fff4d8"),
        ("#5673ad", "#f6d2a0", "#ffc879"),
        ("#8496ab", "#dcdfe0", "#ffffff"),
    )[hour]
    middle = 0.56
    sky(plate, 0.62, high, low, sun=(-0.3, 0.15), glow=glow, cloud=(0.5, 0.4, 0.85)[hour])
    sun = np.array([1.6, 1.4, 1.14], np.float32) * ((1, 1, 1), (1.05, 0.85, 0.6), (0.5, 0.52, 0.56))[hour]
    shade = rgb(("#6f8fb5", "#7f80a8", "#a3abb5")[hour]) * 0.85
    haze = rgb(low) * 0.9
    dx, dy = (plate.x - plate.chance(0, -0.12, 0.12)) / 0.62, (middle - plate.y) / 0.62
    _church(plate, plate.chance(0, -0.12, 0.12), middle, haze, seed)
    ground = np.where(dy < -1e-4, EYE / np.maximum(-dy, 1e-4), 1e6)
    wall = HALF / np.maximum(np.abs(dx), 1e-4)
    t = np.minimum(wall, ground)
    fog = np.exp(-np.minimum(t, 400) / 95)[..., None]
    left = dx < 0
    high_up = EYE + dy * wall
    house = np.floor(wall / HOUSE).astype(np.int64) + np.where(left, 0, 50)
    tall = 7.0 + 4.0 * chances(seed + 1, 128)[np.clip(house, 0, 127)]
    along = wall / HOUSE % 1
    gable = tall + np.where(
        chances(seed + 2, 128)[np.clip(house, 0, 127)] < 0.6, 3.2 * (1 - np.abs(2 * along - 1)), 0.25
    )
    front = (wall < ground) & (high_up < gable) & (wall < FAR)
    lit = np.where(left, 0.18, 1.0) * (1 if hour < 2 else 0.6)
    facade = _facade(wall, along, high_up, house, tall, seed)
    edge = smooth(0.0, 0.035, np.minimum(along, 1 - along))[..., None]
    facade = (
        facade
        * (lit[..., None] * sun + shade)
        * (0.55 + 0.45 * edge)
        * (0.65 + 0.35 * smooth(-0.2, 1.6, high_up))[..., None]
    )
    facade = facade * fog + haze * (1 - fog)
    roof = smooth(0.28, 0.22, gable - high_up)[..., None] * rgb("#5c3a30") * (lit[..., None] * sun + shade)
    rim = (gable - high_up < 0.25)[..., None]
    plate.lay(front.astype(np.float32), np.where(rim, roof * fog + haze * (1 - fog), facade))
    path = ground < np.minimum(wall, 3 * FAR)
    stones = _stones(dx * ground, ground, seed)
    shadow = (
        smooth(-0.6, 0.2, dx * ground - 0.8 + 0.9 * np.sin(np.floor(ground / HOUSE) * 2.4))
        if hour < 2
        else np.full_like(t, 0.5)
    )
    stones = stones * (shadow[..., None] * sun * 0.75 + shade)
    near = np.exp(-np.maximum(HALF - np.abs(dx * ground), 0) / 0.35)[..., None]
    stones = stones * (1 - 0.45 * near) * fog + haze * (1 - fog)
    plate.lay(path.astype(np.float32), stones)
    for k in range(4):
        _lamp(plate, plate.chance(0, -0.12, 0.12), middle, 5 + 8.0 * k, 1 if k % 2 else -1, sun, shade)


def _facade(deep: Plane, along: Plane, high: Plane, house: np.ndarray, tall: Plane, seed: int) -> Colour:
    """Plaster with windows in rows, doors and a plinth; `deep` is how far down the street."""
    at = np.clip(house, 0, 127)
    pick = (chances(seed + 3, 128)[at] * len(PLASTER)).astype(np.int64)
    stain = noise(deep * 0.6 + house * 3, high * 0.5, seed + 4, 5, 0.6)
    colour = np.stack([rgb(c) for c in PLASTER])[pick] * (0.72 + 0.5 * stain)[..., None]
    columns = 2 + (chances(seed + 5, 128)[at] * 2).astype(np.int64)
    u, v = (along * columns) % 1, (high - 0.9) / 2.7
    row = np.floor(v)
    v = v - row
    inside = (np.abs(u - 0.5) < 0.21) & (np.abs(v - 0.52) < 0.28) & (high < tall - 0.5) & (high > 3.2)
    frame = (np.abs(u - 0.5) < 0.27) & (np.abs(v - 0.52) < 0.34) & (high < tall - 0.4) & (high > 3.0)
    shutter = (np.abs(np.abs(u - 0.5) - 0.36) < 0.085) & (np.abs(v - 0.52) < 0.30) & (high < tall - 0.5) & (high > 3.2)
    bars = (np.abs(u - 0.5) < 0.018) | (np.abs(v - 0.60) < 0.014)
    glass = blend(np.clip(v + 0.5 * (stain - 0.5), 0, 1), rgb("#1b222b"), rgb("#4f6478"), rgb("#b5c7d3"))
    tint = np.stack([rgb(c) for c in DOORS])[(chances(seed + 6, 128)[at] * len(DOORS)).astype(np.int64)]
    slats = (0.65 + 0.5 * (np.sin(high * 42) > 0))[..., None]
    colour = np.where(shutter[..., None] & (pick % 2 == 0)[..., None], tint * slats, colour)
    colour = np.where(frame[..., None], rgb("#e9e3d6") * 0.85, colour)
    colour = np.where(inside[..., None], np.where(bars[..., None], rgb("#efe9dd") * 0.8, glass), colour)
    door = (np.abs(along - 0.3) < 0.085) & (high < 2.5)
    shop = (np.abs(along - 0.70) < 0.21) & (high < 2.6) & (high > 0.8)
    awning = (np.abs(along - 0.70) < 0.25) & (high < 3.1) & (high > 2.45) & (pick % 3 == 0)
    colour = np.where(door[..., None], tint * (0.7 + 0.3 * (np.abs(along - 0.3) < 0.07))[..., None], colour)
    colour = np.where(
        shop[..., None], np.where((np.abs((along * 20) % 1 - 0.5) < 0.06)[..., None], tint, glass * 0.9), colour
    )
    stripes = np.where((np.sin(along * 150) > 0)[..., None], rgb("#c23b32"), rgb("#f2ead8"))
    colour = np.where(awning[..., None], stripes, colour)
    plinth = smooth(0.62, 0.56, high)[..., None]
    return (colour + plinth * (rgb("#7d756b") * (0.6 + 0.7 * stain[..., None]) - colour)).astype(np.float32)


def _stones(x: Plane, z: Plane, seed: int) -> Colour:
    """Cobbles, and a kerb with flags on both sides."""
    row = np.floor(z / 0.30)
    u, v = (x / 0.34 + 0.5 * (row % 2)) % 1 - 0.5, z / 0.30 - row - 0.5
    which = noise(np.floor(x / 0.34 + 0.5 * (row % 2)) * 7.31, row * 3.77, seed + 8, 1)
    seam = smooth(0.50, 0.36, np.maximum(np.abs(u), np.abs(v)))
    fade = np.exp(-np.minimum(z, 300) / 9)  # far stones run into each other
    tone = (0.85 + 0.9 * (which - 0.5) * (0.35 + fade)) * (1 - fade * 0.6 * (1 - seam))
    rough = noise(x * 3, z * 3, seed + 9, 4, 0.6)
    cobble = rgb("#85796c") * (tone * (0.75 + 0.5 * rough))[..., None]
    flag = rgb("#a89d8e") * ((0.8 + 0.4 * rough) * (1 - 0.4 * fade * (np.abs((z / 1.1) % 1 - 0.5) > 0.47)))[..., None]
    side = np.abs(x) > HALF - 1.1
    kerb = np.abs(np.abs(x) - (HALF - 1.1)) < 0.09
    return np.where(kerb[..., None], rgb("#cfc6b8"), np.where(side[..., None], flag, cobble)).astype(np.float32)


def _church(plate: Plate, at: float, middle: float, haze: Colour, seed: int) -> None:
    """A tower with a pointed roof at the end of the street."""
    x, y = plate.x - at - 0.012, plate.y
    stone = (
        rgb("#b09c86")
        * (0.6 + 0.5 * noise(x * 60, y * 60, seed + 7, 3))[..., None]
        * smooth(-0.06, 0.05, x)[..., None].clip(0.45, 1)
    )
    tower = plate.inside(np.maximum(np.abs(x) - 0.040, middle - 0.30 - y))
    spire = plate.inside(
        np.maximum(np.abs(x) - 0.046 * np.clip((y - middle + 0.47) / 0.17, 0, 1), y - middle + 0.30) * 0.96
    )
    plate.lay(tower * plate.inside(y - 0.62), stone * 0.65 + haze * 0.35)
    plate.lay(spire, rgb("#4c5a63") * (0.7 + 0.5 * (x > 0))[..., None] * 0.65 + haze * 0.35)
    dial = np.hypot(x, y - middle + 0.235)
    plate.lay(plate.inside(dial - 0.019), rgb("#e9e2d0") * 0.8)
    plate.lay(
        plate.inside(
            np.minimum(
                np.maximum(np.abs(x), np.abs(y - middle + 0.242) - 0.009),
                np.maximum(np.abs(x - 0.005), 9 * np.abs(y - middle + 0.235)),
            )
            - 0.002
        ),
        rgb("#2a2622"),
    )
    bell = np.maximum(np.abs(x) - 0.011, np.abs(y - middle + 0.175) - 0.022)
    plate.lay(plate.inside(bell), rgb("#2b2a2d"))
    nave = plate.inside(np.maximum(np.abs(x + 0.05) - 0.10, middle - 0.12 + 0.7 * np.abs(x + 0.05) - y))
    plate.lay(nave * plate.inside(y - 0.62), rgb("#9a7a66") * 0.5 + haze * 0.5)


def _lamp(plate: Plate, at: float, middle: float, z: float, side: int, sun: Colour, shade: Colour) -> None:
    """A street lamp `z` metres away."""
    size = 0.62 / z
    x, foot, top = at + side * (HALF - 1.4) * size, middle + EYE * size, middle + (EYE - 4.4) * size
    post = np.maximum(np.abs(plate.x - x) - 0.055 * size, np.maximum(plate.y - foot, top - plate.y))
    light = (0.5 * sun + shade) * (0.6 - 0.4 * np.clip((plate.x - x) / (0.055 * size), -1, 1))[..., None]
    plate.lay(plate.inside(post), rgb("#23302c") * light)
    box = np.maximum(
        np.abs(plate.x - x) - 0.20 * size * (1.3 - (plate.y - top + 0.6 * size) / (0.6 * size) * 0.5),
        np.abs(plate.y - top + 0.3 * size) - 0.3 * size,
    )
    plate.lay(plate.inside(box), rgb("#f3e7bd") * 0.9)
    plate.lay(plate.inside(np.abs(box) - 0.035 * size), rgb("#23302c") * 0.8)
    cap = np.maximum(
        np.abs(plate.x - x) - 0.32 * size * np.clip((plate.y - top + 0.95 * size) / (0.35 * size), 0, 1),
        np.abs(plate.y - top + 0.775 * size) - 0.175 * size,
    )
    plate.lay(plate.inside(cap), rgb("#23302c") * 0.9)


def night(plate: Plate) -> None:
    """A skyline at night: lit windows, and their light on the water."""
    seed, hour = plate.seed * 29, plate.seed % 3
    high, low = (("#070b1f", "#3b3a66"), ("#0a1030", "#c2624a"), ("#0b1a2e", "#2f6b86"))[hour]
    shore = 0.64
    plate.light[:] = blend(np.clip(plate.y / shore, 0, 1) ** 1.6, rgb(high), rgb(low))
    stars = chances(seed + 1, plate.h * plate.w).reshape(plate.h, plate.w)
    plate.light += (smooth(0.9985, 1.0, stars) * smooth(0.45, 0.1, plate.y))[..., None] * 0.9
    moon = (plate.chance(0, -0.5, 0.5) * plate.aspect * 0.8, 0.16)
    far = np.hypot(plate.x - moon[0], plate.y - moon[1])
    plate.light += 0.16 * np.exp(-far / 0.10)[..., None] * rgb("#cfd8f0")
    craters = plate.noise(0.03, 3, octaves=4)
    plate.lay(plate.inside(far - 0.042), rgb("#f4efdc") * (0.55 + 0.7 * craters)[..., None] * 1.3)
    veil = smooth(0.5, 0.75, plate.noise(0.10, 4, stretch=4, octaves=6))
    plate.lay(0.45 * veil * smooth(0.5, 0.25, plate.y), rgb(low) * 0.6)
    for row, (width, mist) in enumerate(((0.052, 0.55), (0.075, 0.25), (0.105, 0.0))):
        _towers(plate, shore, width, mist, rgb(low), seed + 40 * row, row)
    _quay(plate, shore, seed)


def _towers(plate: Plate, shore: float, width: float, mist: float, low: Colour, seed: int, row: int) -> None:
    """One row of houses with windows; the farther, the more in the mist."""
    place = (plate.x + 0.31 * row + 4) / width
    which = np.floor(place).astype(np.int64)
    u = place - which
    draw = chances(seed + 5, 1024)[which % 1024]
    centre = 1 - 0.55 * np.abs(plate.x / 0.75).clip(0, 1) ** 1.5
    middle = (which + 0.5) * width - 4 - 0.31 * row
    tall = (0.10 + (0.42, 0.34, 0.20)[row] * draw) * (1 - 0.45 * np.minimum(np.abs(middle / 0.75), 1) ** 1.5)
    step = np.where(chances(seed + 6, 1024)[which % 1024] < 0.4, 0.03 * (np.abs(u - 0.5) < 0.28), 0)
    top = shore - tall - step
    body = np.abs(u - 0.5) < 0.5 - 0.06 * chances(seed + 7, 1024)[which % 1024]
    wall = (
        rgb("#10131f")
        * (0.8 + 0.9 * draw)[..., None]
        * (0.8 + 0.5 * (u > 0.72))[..., None]
        * (0.6 + 0.4 * centre[..., None])
    )
    columns, storey = 5 + (draw * 97 % 3).astype(np.int64), 0.016 * (1 + 0.35 * row)
    i, j = np.floor(u * columns), np.floor((plate.y - top) / storey)
    fu, fv = u * columns - i, (plate.y - top) / storey - j
    key = (which * 7919 + i.astype(np.int64) * 104729 + j.astype(np.int64) * 1299709) % 65536
    lamp, warm = chances(seed + 8, 65536)[key], chances(seed + 9, 65536)[key]
    pane = (np.abs(fu - 0.5) < 0.30) & (np.abs(fv - 0.5) < 0.32) & (j >= 1) & (lamp < 0.42) & body
    shown = blend(warm, rgb("#ffb45a"), rgb("#ffd995"), rgb("#dfeaff")) * (0.35 + 1.5 * (lamp / 0.42) ** 2)[..., None]
    wall = np.where(pane[..., None], shown, wall)
    wall = wall * (1 - mist) + low * 0.55 * mist
    plate.lay(plate.under(top) * body, wall.astype(np.float32))


def _quay(plate: Plate, shore: float, seed: int) -> None:
    """A row of lamps on a quay, and the water before it."""
    plate.lay(plate.inside(np.abs(plate.y - shore + 0.008) - 0.010), rgb("#1d1a20"))
    for k in range(int(plate.aspect / 0.13) + 2):
        x = -plate.aspect / 2 + 0.13 * k + 0.03
        far = np.hypot(plate.x - x, plate.y - shore + 0.035)
        plate.lay(
            plate.inside(np.maximum(np.abs(plate.x - x) - 0.0018, np.abs(plate.y - shore + 0.017) - 0.018)),
            rgb("#26222a"),
        )
        plate.light += (1.6 * np.exp(-((far / 0.008) ** 2)) + 0.22 * np.exp(-far / 0.03))[..., None] * rgb("#ffcf8a")
    near = np.clip((plate.y - shore) / (1 - shore), 0, 1)
    wave = noise(plate.x * 26 / (0.25 + near), 22 / (0.10 + near), seed + 11, 4, 0.6) - 0.5
    total = np.zeros_like(plate.light)
    reach = (0.4, 0.75, 1.0, 1.3, 1.7)
    for stretch in reach:  # lights are drawn out into streaks
        row = shore - (plate.y - shore) * stretch * 0.9 + wave * 0.16 * (0.15 + near)
        rows = np.clip(np.rint(row * plate.h), 0, plate.h * shore - 1).astype(np.int64)
        shift = np.rint(wave * 0.045 * (0.1 + near) * plate.h).astype(np.int64)
        total += plate.light[rows, np.clip(np.arange(plate.w) + shift, 0, plate.w - 1)]
    water = total / len(reach) * (0.85 - 0.25 * near[..., None]) * (0.75 + 0.9 * wave[..., None]) + rgb("#0a1422") * 0.5
    plate.lay(plate.under(np.full_like(plate.y, shore)), np.maximum(water, 0))
