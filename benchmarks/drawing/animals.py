"""Animals: a cat on a sill, a bird on a twig."""

import numpy as np

from drawing.plate import Plane, Plate, blend, noise, rgb, smooth
from drawing.portraits import bokeh
from drawing.solids import (
    Camera,
    Light,
    Points,
    Stage,
    Surface,
    ball,
    egg,
    limb,
    melt,
    render,
    turned,
    within,
)

FURS = (("#5b3a1e", "#b5793c", "#f0d2a0"), ("#25262b", "#6d6c70", "#c9c6c2"), ("#8a3d12", "#d97b2a", "#f6cf98"))
EYES = ("#b7c23a", "#7fb24c", "#d6a02c")


def _mirrored(p: Points) -> Points:
    return np.stack([np.abs(p[0]), p[1], p[2]])


def cat(plate: Plate) -> None:
    """A tabby cat that sits on a sill and looks at us."""
    k = plate.seed % 3
    rooms = (("#31404f", "#90a3ad"), ("#6b4030", "#d2a27c"), ("#274034", "#86a58c"))[k]
    plate.light[:] = blend(
        np.clip(0.9 - 0.7 * plate.y + 0.5 * (plate.noise(0.6, 2, octaves=4) - 0.5), 0, 1), *map(rgb, rooms)
    )
    bokeh(plate, [rgb(rooms[1]) * 1.3, rgb("#e8c98a"), rgb(rooms[0]) * 1.6], 16, 0.13, 0.30)
    sign = 1 if plate.chance(0) < 0.5 else -1
    yaw, seed = sign * plate.chance(1, 0.1, 0.45), plate.seed * 19

    def head_of(p: Points) -> Points:
        return turned(p - np.array([[0.10 * sign], [1.02], [0.42]], np.float32), yaw, 0.06, 0.06 * sign)

    def head(q: Points) -> Plane:
        m = _mirrored(q)
        d = melt(egg(q, (0, 0, 0), (0.56, 0.48, 0.48)), ball(m, (0.27, -0.17, 0.20), 0.25), 0.20)
        muzzle = melt(egg(m, (0.095, -0.175, 0.45), (0.14, 0.11, 0.12)), ball(q, (0, -0.29, 0.38), 0.10), 0.08)
        d = melt(d, melt(muzzle, limb(q, (0, 0.10, 0.40), (0, -0.09, 0.545), 0.09, 0.055), 0.10), 0.14)
        ear = turned(m - np.array([[0.345], [0.42], [-0.02]], np.float32), 0.25, 0.0, -0.32)
        cone = np.maximum(np.hypot(ear[0], 1.9 * ear[2]) - 0.215 * (1 - ear[1] / 0.40), -ear[1] - 0.15) * 0.7
        hollow = np.hypot(ear[0], 1.9 * (ear[2] - 0.085)) - 0.17 * (1 - ear[1] / 0.36)
        return melt(d, -np.minimum(-cone, hollow * 0.7), 0.08)

    def eyes(q: Points) -> Plane:
        return ball(_mirrored(q), (0.225, 0.04, 0.335), 0.158)

    def body(p: Points) -> Plane:
        m = _mirrored(p)
        d = melt(egg(p, (0, -0.52, -0.25), (0.62, 0.80, 0.68)), egg(p, (0, 0.18, 0.10), (0.42, 0.62, 0.40)), 0.35)
        d = melt(d, egg(m, (0.50, -0.88, 0.02), (0.30, 0.42, 0.50)), 0.20)
        d = melt(d, limb(m, (0.22, -0.1, 0.34), (0.20, -1.14, 0.44), 0.17, 0.13), 0.14)
        d = melt(d, egg(m, (0.20, -1.20, 0.54), (0.15, 0.11, 0.20)), 0.07)
        d = melt(d, egg(m, (0.55, -1.20, 0.36), (0.17, 0.11, 0.24)), 0.07)
        s = p * np.array([[sign], [1], [1]], np.float32)
        tail = melt(
            limb(s, (0.5, -1.15, -0.4), (1.02, -1.18, 0.1), 0.12),
            limb(s, (1.02, -1.18, 0.1), (0.72, -1.2, 0.66), 0.12, 0.10),
            0.1,
        )
        return np.minimum(d, tail)

    def shape(p: Points) -> list[Plane]:
        q = head_of(p)
        fur = 0.02 * noise(p[0] * 22, p[1] * 14 + p[2] * 22, seed, 2)
        return [
            melt(within(q, (0, 0.1, 0), 0.85, head), body(p), 0.16) - fur,
            eyes(q),
            ball(q, (0, -0.085, 0.585), 0.045),
        ]

    def paint(p: Points, n: Points, part: np.ndarray) -> Surface:
        return _furred(head_of(p), p, n, part, k, seed)

    light = Light(
        (-0.6 * sign, 0.75, 0.65), np.array([2.0, 1.75, 1.4], np.float32), rgb("#7f9ab8") * 0.9, rgb("#8a6a4c") * 0.6
    )
    camera = Camera((0.0, 0.4, 7.0), (0.05 * sign, 0.26, 0.0), 0.242 if plate.aspect > 1 else 0.25)
    render(plate, Stage(shape, paint, (0, 0.05, 0), 1.75, floor=-1.3, depth=1.6), camera, light)
    _whiskers(plate, camera, sign, yaw)


def _furred(q: Points, p: Points, n: Points, part: np.ndarray, k: int, seed: int) -> Surface:
    """Tabby fur, eyes with slits, a pink nose, a wooden sill."""
    x, y, z = np.abs(q[0]), q[1], q[2]
    on_head = smooth(0.62, 0.50, np.hypot(np.hypot(x, y), z) - 0.12 * (y > 0.3))
    wave = noise(p[0] * 2.2, p[1] * 2.2 + p[2], seed + 1, 3)
    stripes = np.sin(15 * (p[1] + 0.55 * np.abs(p[0]) - 0.8 * p[2]) + 7 * wave)
    brow = np.sin(46 * (x - 0.02) + 2 * wave) * smooth(0.02, 0.14, y) + np.sin(34 * (y + 0.5 * x)) * smooth(
        0.30, 0.42, x
    ) * (y < 0.1)
    band = on_head * brow + (1 - on_head) * stripes
    hair = noise(p[0] * 60 + p[2] * 20, p[1] * 24 + p[2] * 30, seed + 2, 3, 0.65)
    fur = blend(np.clip(0.47 - 0.30 * smooth(-0.1, 0.7, band) + 0.7 * (hair - 0.5), 0, 1), *map(rgb, FURS[k]))
    bib = np.maximum(
        smooth(0.30, 0.18, np.hypot(x, (y + 0.24) * 1.1)) * (z > 0.2),
        smooth(0.36, 0.2, np.hypot(p[0], (p[1] - 0.1) * 0.55)) * (p[2] > 0.1) * (1 - on_head),
    )
    bib = np.maximum(bib, smooth(-1.08, -1.16, p[1]) * (p[2] > 0.3))
    fur = fur + 0.85 * bib[:, None] * (rgb("#f1e8da") * (0.7 + 0.5 * hair)[:, None] - fur)
    inner = smooth(0.14, 0.06, np.abs(x - 0.37) + 0.4 * np.abs(y - 0.52)) * (n[2] > 0.1) * (y > 0.36)
    fur = fur + 0.7 * inner[:, None] * (rgb("#d69a8a") - fur)
    fur *= (
        1 - 0.8 * smooth(0.022, 0.004, np.abs(x - 0.06 * smooth(-0.16, -0.24, y)) + 0.3 * np.abs(y + 0.19)) * (z > 0.45)
    )[:, None]
    rim = smooth(0.030, 0.0, np.abs(np.hypot(x - 0.225, (y - 0.04) * 1.1) - 0.125)) * (z > 0.25)
    fur *= (1 - 0.75 * rim)[:, None]
    off = np.hypot(x - 0.228, y - 0.035)
    iris = blend(np.clip(off / 0.13, 0, 1), rgb("#e8e27a"), rgb(EYES[k]), rgb("#2c2f12"))
    pupil = smooth(1.1, 0.9, np.hypot((x - 0.228) / 0.042, (y - 0.035) / 0.115))
    eye = iris * (1 - 0.97 * pupil[:, None])
    grain = noise(p[0] * 2.5, p[2] * 26, seed + 3, 5, 0.6)
    sill = blend(grain, rgb("#5f4128"), rgb("#a87f57"), rgb("#d9b78c"))
    choices = [fur, eye, np.broadcast_to(rgb("#c9776f"), fur.shape), sill]
    colour = np.select([(part == i)[:, None] for i in range(4)], choices).astype(np.float32)
    dent = (
        np.stack([hair - 0.5, 0 * x, 0.3 * (hair - 0.5)]) * np.array([0.9, 0.0, 0.2, 0.1], np.float32)[part]
    ).astype(np.float32)
    bent = (n + dent) / np.linalg.norm(n + dent, axis=0)
    gloss = np.array([0.05, 1.0, 0.35, 0.12], np.float32)[part]
    return Surface(colour, bent.astype(np.float32), gloss, np.array([10.0, 180.0, 30.0, 30.0], np.float32)[part], 0.3)


def _whiskers(plate: Plate, camera: Camera, sign: int, yaw: float) -> None:
    """Fine bright lines from the muzzle."""
    t = np.linspace(0, 1, 48, dtype=np.float32)
    for side in (-1, 1):
        for k in range(4):
            high = -0.13 - 0.035 * k
            q = np.stack([side * (0.13 + 0.62 * t), high + 0.10 * (1.3 - k) * t - 0.16 * t * t, 0.52 - 0.30 * t * t])
            p = turned(turned(turned(q, roll=-0.06 * sign), pitch=-0.06), yaw=-yaw) + np.array(
                [[0.10 * sign], [1.02], [0.42]]
            )
            _line(plate, *camera.place(p.astype(np.float32)), 0.0016, rgb("#f6f1e8"), 0.75)


def _line(plate: Plate, x: Plane, y: Plane, wide: float, colour: np.ndarray, strength: float) -> None:
    """A curve through points of the plate that gets thinner."""
    count = len(x)
    for k in range(count - 1):
        r = wide * (1.1 - k / count) + plate.dot * 0.3
        low, high = min(y[k], y[k + 1]) - 3 * r, max(y[k], y[k + 1]) + 3 * r
        left, right = min(x[k], x[k + 1]) - 3 * r, max(x[k], x[k + 1]) + 3 * r
        rows = slice(max(0, int(low * plate.h)), max(0, int(high * plate.h) + 2))
        columns = slice(*(max(0, int((v + plate.aspect / 2) * plate.h) + s) for v, s in ((left, 0), (right, 2))))
        dx, dy = x[k + 1] - x[k], y[k + 1] - y[k]
        px, py = plate.x[rows, columns] - x[k], plate.y[rows, columns] - y[k]
        along = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        cover = strength * np.clip((r - np.hypot(px - along * dx, py - along * dy)) / plate.dot + 0.5, 0, 1)
        part = plate.light[rows, columns]
        part += cover[..., None] * np.maximum(colour - part, 0)


def bird(plate: Plate) -> None:
    """A small bird on a twig before a garden out of focus."""
    k = plate.seed % 3
    gardens = (("#1f3a1c", "#5d8a3a", "#a9c06a"), ("#5a4220", "#a8843e", "#e0c684"), ("#3a4a5c", "#8298a8", "#d3dde0"))[
        k
    ]
    soft = plate.noise(0.55, 2, octaves=3)
    plate.light[:] = blend(np.clip(0.2 + 1.3 * (soft - 0.25) - 0.25 * plate.y, 0, 1), *map(rgb, gardens))
    bokeh(plate, [rgb(c) * 1.15 for c in gardens[1:]] + [rgb("#f3e3b0")], 34, 0.12, 0.42)
    sign, seed = (1 if plate.chance(0) < 0.5 else -1), plate.seed * 23
    tilt, look = plate.chance(1, 0.20, 0.40), plate.chance(2, -0.25, 0.35)
    flip = np.array([[sign], [1], [1]], np.float32)

    def posed(p: Points) -> Points:
        return turned(p * flip, 0.35, 0.0, tilt)

    def head_of(q: Points) -> Points:
        return turned(q - np.array([[0.62], [0.50], [0.0]], np.float32), look, 0.0, -0.35)

    def shape(p: Points) -> list[Plane]:
        q = posed(p)
        h, m = head_of(q), np.stack([q[0], q[1], np.abs(q[2])])
        body = melt(egg(q, (0, 0, 0), (0.74, 0.50, 0.46)), egg(q, (0.30, 0.20, 0), (0.48, 0.44, 0.42)), 0.25)
        body = melt(body, egg(h, (0, 0, 0), (0.36, 0.34, 0.33)), 0.22)
        body = melt(body, egg(q, (-0.72, 0.06, 0), (0.45, 0.18, 0.20)), 0.25)
        rough = 0.018 * noise(q[0] * 9, q[1] * 18 + q[2] * 18, seed, 2)
        wing = egg(
            turned(m - np.array([[-0.22], [0.08], [0.43]], np.float32), 0.10, 0.0, -0.10),
            (0, 0, 0),
            (0.72, 0.27, 0.075),
        )
        tail = egg(turned(q - np.array([[-1.30], [0.10], [0]], np.float32), roll=-0.03), (0, 0, 0), (0.58, 0.05, 0.13))
        beak = np.minimum(
            limb(h, (0.30, 0.00, 0), (0.54, -0.035, 0), 0.065, 0.008),
            limb(h, (0.28, -0.05, 0), (0.49, -0.055, 0), 0.05, 0.008),
        )
        w = p * flip
        legs = np.minimum(
            limb(w, (0.06, -0.40, 0.16), (0.12, -0.78, 0.20), 0.03),
            limb(w, (-0.06, -0.40, -0.10), (-0.12, -0.80, 0.0), 0.03),
        )
        toes = [limb(w, (0.12 + dx, -0.72, 0.22), (0.13 + dx, -0.83, 0.26), 0.028) for dx in (-0.06, 0.0, 0.06)]
        twig = limb(w, (-2.9, -1.12, 0.0), (2.9, -0.66, 0.10), 0.12, 0.085) - 0.03 * noise(
            p[0] * 4, p[1] * 9 + p[2] * 9, seed + 1, 3
        )
        spur = limb(w, (1.1, -0.80, 0.05), (1.75, -0.25, 0.1), 0.06, 0.03)
        eye = ball(np.stack([h[0], h[1], np.abs(h[2])]), (0.175, 0.075, 0.245), 0.065)
        return [body - rough, wing, tail, beak, np.minimum.reduce([legs, *toes]), melt(twig, spur, 0.1), eye]

    def paint(p: Points, n: Points, part: np.ndarray) -> Surface:
        return _feathered(posed(p), head_of(posed(p)), p, n, part, k, seed)

    light = Light(
        (0.55 * sign, 0.9, 0.6), np.array([2.1, 1.9, 1.55], np.float32), rgb("#8fa9c0") * 0.9, rgb(gardens[1]) * 0.6
    )
    camera = Camera((0.0, 0.15, 7.0), (-0.12 * sign, -0.03, 0.0), 0.178 if plate.aspect > 1 else 0.25)
    render(plate, Stage(shape, paint, (0, 0, 0), 3.0), camera, light)


def _feathered(q: Points, h: Points, p: Points, n: Points, part: np.ndarray, k: int, seed: int) -> Surface:
    """A tit, a robin or a bullfinch."""
    back, belly, cap, cheek, quill = (
        ("#6f8f4a", "#f0cf3a", "#2f6fb5", "#f4f3ee", "#3f78b0"),
        ("#6b5136", "#e9dcc8", "#7a5c3c", "#e0671f", "#5a4029"),
        ("#6d7782", "#d8604c", "#15161b", "#d8604c", "#23242c"),
    )[k]
    down = noise(q[0] * 22, q[1] * 50 + q[2] * 40, seed + 2, 4, 0.6)
    lower = smooth(0.14, -0.10, q[1] - 0.10 * q[0] + 0.25 * (down - 0.5))
    plume = rgb(back) + lower[:, None] * (rgb(belly) - rgb(back))
    if k == 1:  # a robin's breast
        breast = smooth(0.68, 0.52, np.hypot((q[0] - 0.60) / 1.0, (q[1] - 0.10) / 0.9) + 0.15 * (down - 0.5)) * smooth(
            0.16, 0.06, h[1] - 0.35 * h[0]
        )
        plume = plume + breast[:, None] * (rgb(cheek) - plume)
    else:
        in_head = smooth(0.50, 0.42, np.sqrt((h * h).sum(0)))
        plume = plume + (in_head * smooth(-0.16, -0.10, h[1]))[:, None] * (rgb(cheek) - plume)
        plume = plume + (in_head * smooth(0.11, 0.16, h[1] + 0.2 * (down - 0.5)))[:, None] * (rgb(cap) - plume)
        if k == 0:
            line = smooth(0.05, 0.025, np.abs(h[1] - 0.07 + 0.04 * h[0])) + smooth(
                0.06, 0.03, np.abs(np.hypot(h[0], h[1] + 0.02) - 0.32)
            ) * (h[1] < 0.05) * (h[0] < 0.22)
            plume = plume * (1 - 0.9 * np.clip(line, 0, 1) * in_head)[:, None]
    plume = plume * (0.65 + 0.7 * down)[:, None]
    barb = np.abs(np.sin(16 * (q[1] + 0.35 * q[0])))
    feather = rgb(quill) * (0.35 + 0.8 * barb)[:, None] * (0.7 + 0.6 * down)[:, None]
    bar = smooth(0.05, 0.03, np.abs(q[0] - 0.10 + 0.6 * q[1])) * (k != 1)
    feather = feather + 0.85 * bar[:, None] * (rgb("#f1efe6") - feather)
    bark = noise(p[0] * 5, p[1] * 16 + p[2] * 16, seed + 3, 5, 0.65)
    wood = blend(bark, rgb("#2c2219"), rgb("#75624c"), rgb("#b3a288"))
    plain = [np.broadcast_to(rgb(c), (len(bark), 3)) for c in ("#2b2a2c", "#4a3a34", "#0b0a0a")]
    choices = [plume, feather, feather, plain[0], plain[1], wood, plain[2]]
    colour = np.select([(part == i)[:, None] for i in range(7)], choices).astype(np.float32)
    bump = np.array([0.5, 0.45, 0.3, 0.0, 0.1, 0.9, 0.0], np.float32)[part]
    dent = np.stack([down - 0.5, np.where(part == 5, bark, barb) - 0.5, 0 * down]) * bump
    bent = ((n + dent) / np.linalg.norm(n + dent, axis=0)).astype(np.float32)
    gloss = np.array([0.04, 0.12, 0.1, 0.4, 0.2, 0.03, 1.2], np.float32)[part]
    return Surface(colour, bent, gloss, np.array([8.0, 20.0, 20.0, 40.0, 20.0, 10.0, 120.0], np.float32)[part], 0.3)
