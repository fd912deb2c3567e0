"""Portraits: a person, head and shoulders."""

from dataclasses import dataclass

import numpy as np

from drawing.plate import Colour, Plane, Plate, blend, noise, rgb, smooth
from drawing.solids import (
    Camera,
    Light,
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
)

SKINS = ("#e8b896", "#8d5a3b", "#d9a27c", "#f0cdb4", "#5e3a26")
LIPS = ("#b8504c", "#7c3a34", "#a8504a", "#c46a66", "#5a2a28")
HAIRS = (
    ("#2a160c", "#7a4a28"),
    ("#0b0807", "#2c211d"),
    ("#5a3413", "#c08a46"),
    ("#7a2a12", "#c8622e"),
    ("#0c0a0a", "#37302c"),
)
IRISES = ("#4f6f52", "#3a2112", "#5b7fa3", "#6b8a5c", "#2a170d")
CLOTHES = ("#27476b", "#a83a32", "#d8d2c4", "#2f5a46", "#d0a23a")
WALLS = (
    ("#5b6b73", "#a9b4b3"),
    ("#b59a78", "#e6d3b4"),
    ("#2b3442", "#5e6c80"),
    ("#7c8a6a", "#c7cfae"),
    ("#6a3b3b", "#b07a6c"),
)


def bokeh(plate: Plate, colours: list[Colour], count: int, radius: float, strength: float) -> None:
    """Lights far behind what is sharp: soft discs."""
    for k in range(count):
        x = plate.chance(200 + 3 * k, -0.5, 0.5) * plate.aspect
        y, r = plate.chance(201 + 3 * k), radius * plate.chance(202 + 3 * k, 0.4, 1.0)
        box = plate.box(x, y, 1.1 * r)
        far = np.hypot(plate.x[box] - x, plate.y[box] - y) / r
        cover = (
            smooth(1.06, 0.94, far)
            * (0.75 + 0.25 * smooth(0.6, 1.0, far))
            * strength
            * (0.4 + 0.6 * plate.chance(400 + k))
        )
        plate.lay(cover, colours[k % len(colours)], box)


@dataclass(frozen=True)
class Head:
    """A head; the middle between the ears is 0, the chin about -1.1, the crown 1.1."""

    yaw: float
    roll: float
    long: bool
    """Long hair."""
    wide: float
    seed: int

    def turned(self, p: Points) -> Points:
        """Points as the head sees them."""
        return turned(p, self.yaw, 0.04, self.roll)

    def skin(self, q: Points) -> Plane:
        """The face, without its eyes; one half is the mirror of the other."""
        m = np.stack([np.abs(q[0]), q[1], q[2]])
        w = self.wide
        d = egg(q, (0, 0.26, -0.08), (0.77 * w, 0.86, 0.88))
        d = melt(d, egg(q, (0, -0.40, 0.16), (0.55 * w, 0.60, 0.60)), 0.30)
        d = melt(d, ball(q, (0, -0.86, 0.50), 0.17), 0.25)
        d = melt(d, ball(m, (0.36 * w, -0.20, 0.50), 0.24), 0.25)
        d = melt(d, limb(m, (0.10, 0.30, 0.74), (0.46, 0.33, 0.58), 0.07), 0.16)
        d = carve(d, ball(m, (0.30, 0.10, 0.93), 0.19), 0.20)
        nose = limb(m, (0, 0.18, 0.76), (0, -0.26, 0.99), 0.065, 0.105)
        nose = melt(nose, ball(m, (0.105, -0.29, 0.885), 0.075), 0.07)
        nose = carve(nose, ball(m, (0.055, -0.385, 0.94), 0.035), 0.03)
        d = melt(d, nose, 0.11)
        d = melt(d, egg(q, (0, -0.60, 0.62), (0.24, 0.17, 0.18)), 0.16)
        d = melt(d, limb(m, (0.03, -0.568, 0.785), (0.19, -0.585, 0.69), 0.040, 0.016), 0.045)
        d = melt(d, limb(m, (0, -0.660, 0.780), (0.15, -0.632, 0.71), 0.050, 0.020), 0.045)
        lids = np.maximum(ball(m, (0.30, 0.09, 0.60), 0.197), -self._slit(m))
        d = melt(d, lids, 0.035)
        d = melt(d, egg(m, (0.80 * w, 0.0, -0.12), (0.09, 0.23, 0.15)), 0.06)
        return melt(d, limb(q, (0, -0.6, -0.18), (0, -1.75, -0.30), 0.42, 0.46), 0.18)

    def _slit(self, m: Points) -> Plane:
        """Where the lids are open: an almond, negative inside."""
        x = (m[0] - 0.30) / 0.185
        upper, lower = 0.064 * (1 - x * x) + 0.008, 0.044 * (1 - x * x)
        y = m[1] - 0.095 - 0.012 * x
        return np.maximum(y - upper, -y - lower)

    def eyes(self, q: Points) -> Plane:
        """Both eyeballs."""
        return ball(np.stack([np.abs(q[0]), q[1], q[2]]), (0.30, 0.09, 0.60), 0.178)

    def hair(self, q: Points) -> Plane:
        """Hair."""
        m = np.stack([np.abs(q[0]), q[1], q[2]])
        strands = noise(m[0] * 16 + 2 * np.sin(3 * m[1]), m[1] * 1.6 + q[2] * 5, self.seed, 3, 0.6)
        d = egg(q, (0, 0.36, -0.16), (0.88 * self.wide, 0.90, 0.96)) - 0.09 * strands
        if self.long:
            fall = limb(m, (0.74, 0.3, -0.22), (0.86, -1.35, -0.05), 0.26, 0.30) - 0.08 * strands
            d = melt(d, melt(fall, egg(q, (0, -0.3, -0.6), (0.8, 1.2, 0.5)), 0.3), 0.25)
            face = egg(q, (0.05, -0.30, 0.80), (0.66, 0.98, 0.72))
        else:
            face = melt(egg(q, (0.10, -0.22, 0.86), (0.74, 0.86, 0.74)), egg(q, (0, -0.85, 0.2), (1.3, 0.85, 1.2)), 0.2)
        return carve(d, face, 0.10)


def face(plate: Plate) -> None:
    """A person, head and shoulders, in the soft light of a window."""
    k = plate.seed % 5
    patch = plate.noise(0.45, 3, octaves=5)
    plate.light[:] = blend(
        np.clip(0.75 - 0.5 * plate.y - 0.5 * plate.x / plate.aspect + 0.7 * (patch - 0.5), 0, 1), *map(rgb, WALLS[k])
    )
    sign = 1 if plate.seed % 2 else -1
    head = Head(
        sign * plate.chance(1, 0.12, 0.42),
        sign * plate.chance(2, -0.05, 0.04),
        k in (0, 3),
        plate.chance(3, 0.95, 1.04),
        plate.seed * 7,
    )

    def shape(p: Points) -> list[Plane]:
        q = head.turned(p)
        body = egg(p, (0, -2.42, -0.35), (1.72, 0.92, 0.75))
        body = melt(body, limb(p, (-1.20, -2.02, -0.35), (1.20, -2.02, -0.35), 0.36), 0.35)
        collar = np.abs(limb(p, (0, -1.45, -0.27), (0, -1.62, -0.27), 0.53)) - 0.05
        cloth = melt(body, np.maximum(collar, p[1] + 1.36 - 0.3 * (p[2] + 0.3)), 0.12)
        return [head.skin(q), head.eyes(q), head.hair(q), cloth]

    def paint(p: Points, n: Points, part: np.ndarray) -> Surface:
        q = head.turned(p)
        return _painted(head, k, p, q, n, part)

    warm = np.array([1.7, 1.53, 1.32], np.float32)
    light = Light((-0.75 * sign, 0.55, 0.75), warm, rgb("#8fa6c4") * 0.85, rgb("#6b4b3a") * 0.7)
    camera = Camera((0.0, 0.0, 8.5), (0.0, -0.22, 0.0), 0.185 if plate.aspect > 1 else 0.21)
    render(plate, Stage(shape, paint, (0, -0.9, -0.1), 2.5), camera, light)


def _painted(head: Head, k: int, p: Points, q: Points, n: Points, part: np.ndarray) -> Surface:
    """Skin with red cheeks and lips, eyes that look at us, strands of hair, cloth."""
    x, y, z = np.abs(q[0]), q[1], q[2]
    fine = noise(q[0] * 34, y * 34 + z * 9, head.seed + 1, 3)
    tone = noise(q[0] * 2.5, y * 2.5 + z, head.seed + 2, 3)
    skin = rgb(SKINS[k]) * (0.86 + 0.16 * fine + 0.16 * tone)[:, None]
    red = 0.30 * np.exp(-(((x - 0.42) / 0.20) ** 2) - (((y + 0.24) / 0.18) ** 2)) + 0.22 * np.exp(
        -((x / 0.13) ** 2) - (((y + 0.28) / 0.10) ** 2)
    )
    skin = skin * (1 - red[:, None] * np.array([0.05, 0.55, 0.55], np.float32))
    lip = -0.606 + 0.25 * x * x  # where the lips meet
    mouth = smooth(
        1.05, 0.80, np.hypot(x / 0.225, (y - lip) / np.where(y > lip, 0.058 - 0.02 * np.exp(-((x / 0.03) ** 2)), 0.085))
    ) * (z > 0.5)
    skin = skin + mouth[:, None] * (rgb(LIPS[k]) * (0.75 + 0.5 * fine[:, None]) - skin)
    skin *= (1 - 0.80 * smooth(0.017, 0.0, np.abs(y - lip)) * smooth(0.23, 0.19, x) * (z > 0.5))[:, None]
    skin *= (
        1 - 0.55 * smooth(0.035, 0.0, np.abs(head._slit(np.stack([x, y, z])))) * (np.abs(x - 0.3) < 0.19) * (z > 0.6)
    )[:, None]
    arc = 0.335 + 0.045 * smooth(0.10, 0.32, x) - 0.9 * np.maximum(x - 0.34, 0) ** 1.5
    hairy = noise(q[0] * 30 + 40 * y, y * 30 - 20 * q[0], head.seed + 7, 3)
    thick = 0.042 * smooth(0.08, 0.16, x) * smooth(0.56, 0.30, x) + 0.004
    brow = (
        smooth(1.15, 0.5, np.abs(y - arc) / thick + 0.9 * (hairy - 0.5))
        * smooth(0.09, 0.13, x)
        * smooth(0.57, 0.52, x)
        * (z > 0.3)
    )
    skin = skin + 0.85 * brow[:, None] * (rgb(HAIRS[k][0]) * 0.9 - skin)
    off = np.hypot(q[0] - np.sign(q[0]) * 0.30 - 0.42 * head.yaw * 0.16, y - 0.10)
    iris = noise(np.arctan2(y - 0.1, x - 0.3) * 5, off * 30, head.seed + 3, 2)
    white = rgb("#e6e0da") * (1 - 0.35 * smooth(0.10, 0.19, np.abs(x - 0.3)))[:, None]
    eye = white + smooth(0.088, 0.080, off)[:, None] * (rgb(IRISES[k]) * (0.55 + 0.9 * iris)[:, None] - white)
    eye *= (1 - 0.7 * smooth(0.010, 0.0, np.abs(off - 0.083)) - 0.96 * smooth(0.040, 0.034, off))[:, None].clip(0.02, 1)
    strand = noise(q[0] * 40 + 4 * np.sin(3 * y), y * 2.0 + z * 9, head.seed + 4, 4, 0.65)
    hair = blend(np.clip(0.35 + 1.5 * (strand - 0.5) + 0.2 * n[1], 0, 1), *map(rgb, HAIRS[k]))
    weave = noise(p[0] * 60, p[1] * 60, head.seed + 5, 2)
    fold = noise(p[0] * 3 + p[1], p[1] * 1.2, head.seed + 6, 4)
    cloth = rgb(CLOTHES[k]) * (0.7 + 0.25 * weave + 0.5 * (fold - 0.3))[:, None]
    colour = np.select([(part == i)[:, None] for i in range(4)], [skin, eye, hair, cloth]).astype(np.float32)
    rough = np.array([0.05, 0.0, 0.9, 0.25], np.float32)[part]
    dent = np.stack([np.where(part == 2, strand - 0.5, fine - 0.5), (weave - 0.5) * (part == 3), 0 * x])
    bent = n + rough * dent
    bent = (bent / np.linalg.norm(bent, axis=0)).astype(np.float32)
    gloss = np.array([0.12, 0.9, 0.09, 0.02], np.float32)[part] + 0.05 * mouth.astype(np.float32) * (part == 0)
    sharp = np.array([18.0, 160.0, 14.0, 8.0], np.float32)[part]
    return Surface(colour, bent, gloss, sharp, np.array([0.9, 0.3, 0.2, 0.1], np.float32)[part])
