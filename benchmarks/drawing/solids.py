"""Solids: bodies given by their distance, seen by a camera, lit by a sun and a sky.

Sphere tracing after Hart (1996); the soft unions, shadows and ellipsoids are the well-known ones of Quilez.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drawing.plate import Colour, Plane, Plate

Points = np.ndarray
"""Places or directions, `(3, n)` float32: x to the right, y up, z towards us."""
Place = tuple[float, float, float]
Shape = Callable[[Points], list[Plane]]
"""The distance of each point to each part, `(n,)` each, negative inside."""
FAR = 60.0
"""What lies farther off is not seen."""
COARSE = (16, 4, 1)
"""Places of the plate to a ray, each way: cones of rays first, so that single ones begin close to what they hit."""


@dataclass(frozen=True)
class Surface:
    """What a part is like at each of some points."""

    colour: Colour
    """`(n, 3)`, share of light given back."""
    normal: Points
    gloss: Plane | float = 0.1
    """How strongly lights are mirrored."""
    sharp: Plane | float = 30.0
    """How small their images are."""
    soft: Plane | float = 0.0
    """How far light creeps around into the shade, 0 to 1, as in skin."""


Paint = Callable[[Points, Points, np.ndarray], Surface]
"""The surface at points, from their normals and the numbers of the parts they lie on; the floor comes after them."""


@dataclass(frozen=True)
class Light:
    """One sun, and a sky that lights what looks up."""

    sun: Place
    """Where it stands, as a direction."""
    warm: Colour
    sky: Colour
    ground: Colour


@dataclass(frozen=True)
class Camera:
    """Where from, and where to; `zoom` is half the height of the plate over the distance."""

    eye: Place
    target: Place
    zoom: float

    @property
    def axes(self) -> np.ndarray:
        """Right, up and back, as columns."""
        back = np.array(self.eye, np.float32) - np.array(self.target, np.float32)
        back /= np.linalg.norm(back)
        right = np.cross(np.array([0, 1, 0], np.float32), back)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back], 1).astype(np.float32)

    def rays(self, x: Plane, y: Plane) -> Points:
        """Directions of places of the plate, any shape of `x` and `y`."""
        flat = np.stack([2 * self.zoom * x, 2 * self.zoom * (0.5 - y), np.full_like(x, -1)]).reshape(3, -1)
        return self.axes @ (flat / _length(flat))

    def place(self, p: Points) -> tuple[Plane, Plane]:
        """Where points are seen on the plate: x and y."""
        x, y, z = self.axes.T @ (p - _column(self.eye))
        return x / (-z * 2 * self.zoom), 0.5 - y / (-z * 2 * self.zoom)


@dataclass(frozen=True)
class Stage:
    """What is to be seen: bodies within a sphere, and maybe a floor that goes on for ever."""

    shape: Shape
    paint: Paint
    centre: Place
    radius: float
    floor: float | None = None
    """Its height."""
    depth: float = FAR
    """How far it goes back behind the middle."""

    def distance(self, p: Points) -> Plane:
        """To the nearest body."""
        return np.minimum.reduce(self.shape(p))

    def bounds(self, eye: Points, rays: Points, margin: float = 0.0) -> tuple[Plane, Plane]:
        """Where rays enter the sphere, `margin` wider, and leave it; those that miss it leave before they enter."""
        off = eye - _column(self.centre)
        along = (off * rays).sum(0)
        under = along * along - (off * off).sum(0) + np.float32((self.radius + margin) ** 2)
        root = np.sqrt(np.maximum(under, 0))
        return np.maximum(-along - root, 0), np.where(under > 0, root - along, -1)


def egg(p: Points, centre: Place, radii: Place) -> Plane:
    """About the distance to an ellipsoid."""
    q = (p - _column(centre)) / _column(radii)
    near = _length(q)
    return near * (near - 1) / np.maximum(_length(q / _column(radii)), 1e-6)


def ball(p: Points, centre: Place, radius: float) -> Plane:
    """The distance to a sphere."""
    return _length(p - _column(centre)) - np.float32(radius)


def limb(p: Points, a: Place, b: Place, thick: float, thin: float | None = None) -> Plane:
    """About the distance to a rounded rod from `a` to `b`, whose radius runs from `thick` to `thin`."""
    way, q = np.array(b, np.float32) - np.array(a, np.float32), p - _column(a)
    along = np.clip((way / np.float32(way @ way)) @ q, 0, 1)
    return _length(q - way[:, None] * along) - (thick + along * np.float32((thick if thin is None else thin) - thick))


def melt(a: Plane, b: Plane, k: float) -> Plane:
    """Both shapes in one, the seam filled `k` wide."""
    h = np.maximum(np.float32(k) - np.abs(a - b), 0)
    return np.minimum(a, b) - h * h * np.float32(0.25 / k)


def carve(a: Plane, b: Plane, k: float) -> Plane:
    """`a` without `b`, the edge rounded `k` wide."""
    return -melt(-a, b, k)


def within(p: Points, centre: Place, radius: float, inner: Callable[[Points], Plane]) -> Plane:
    """The distance to what lies in a sphere; worked out only close to it, farther off the sphere's own."""
    far = ball(p, centre, radius)
    close = np.flatnonzero(far < 0.3 * radius)
    if len(close):
        far[close] = inner(p[:, close])
    return far


def turned(p: Points, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Points:
    """Points as a body sees them that is turned about y, then x, then z (radians)."""
    x, y, z = p
    if yaw:
        c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        x, z = c * x - s * z, s * x + c * z
    if pitch:
        c, s = np.float32(np.cos(pitch)), np.float32(np.sin(pitch))
        y, z = c * y + s * z, c * z - s * y
    if roll:
        c, s = np.float32(np.cos(roll)), np.float32(np.sin(roll))
        x, y = c * x + s * y, c * y - s * x
    return np.stack([x, y, z])


def render(plate: Plate, stage: Stage, camera: Camera, light: Light) -> None:
    """Lay what is on a stage over the plate."""
    eye = _column(camera.eye)
    t, on_floor = _traced(plate, stage, camera, eye)
    hit = np.flatnonzero(t < FAR)
    if not len(hit):
        return
    rays = camera.rays(plate.x, plate.y)[:, hit]
    p, down = eye + t[hit] * rays, on_floor[hit]
    bodies = np.flatnonzero(~down)
    part, n = np.zeros(len(hit), np.int64), np.zeros((3, len(hit)), np.float32)
    n[1] = 1
    if len(bodies):
        near = np.stack(stage.shape(p[:, bodies]))
        part[:], part[bodies] = len(near), np.argmin(near, 0)
        n[:, bodies] = _normals(stage, p[:, bodies])
    plate.light.reshape(-1, 3)[hit] = _lit(stage, p, rays, stage.paint(p, n, part), light, n)


def _traced(plate: Plate, stage: Stage, camera: Camera, eye: Points) -> tuple[Plane, np.ndarray]:
    """How far off each place's ray hits something, and whether that is the floor."""
    t = np.zeros((1, 1), np.float32)
    rays = np.zeros((3, 0), np.float32)
    for step in COARSE:
        rows, columns = -(-plate.h // step), -(-plate.w // step)
        i, j = np.mgrid[:rows, :columns].astype(np.float32)
        x, y = ((j + 0.5) * step - plate.w / 2) * np.float32(plate.dot), (i + 0.5) * step * np.float32(plate.dot)
        rays = camera.rays(x, y)
        wide = np.float32(1.6 * step * plate.dot * camera.zoom)
        up = -(-rows // t.shape[0]), -(-columns // t.shape[1])
        before = t.repeat(up[0], 0).repeat(up[1], 1)[:rows, :columns].ravel()
        if step == COARSE[0]:
            before = np.zeros(rows * columns, np.float32)
        t = _march(stage, eye, rays, before, wide if step > 1 else np.float32(0.3) * wide, step > 1).reshape(
            rows, columns
        )
    t = t.ravel()
    if stage.floor is None:
        return t, np.zeros(len(t), bool)
    fall = (stage.floor - eye[1]) / np.minimum(rays[1], -1e-6)
    lower = (rays[1] < -1e-4) & (fall < np.minimum(t, FAR)) & (eye[2] + fall * rays[2] > -stage.depth)
    return np.where(lower, fall, t), lower


def _march(stage: Stage, eye: Points, rays: Points, t: Plane, wide: np.float32, cones: bool) -> Plane:
    """Follow rays until something is as close as the ray is wide, or nothing is left."""
    # a cone may touch the sphere though its middle misses it
    enter, leave = stage.bounds(eye, rays, float(wide) * FAR / 4 if cones else 0.0)
    t = np.maximum(t, enter)
    t[(t > leave) | (leave < 0)] = 2 * FAR
    going = np.flatnonzero(t < FAR)
    for _ in range(80):
        if not len(going):
            break
        d, reach = stage.distance(eye + t[going] * rays[:, going]), wide * t[going]
        near = d < reach
        t[going] += np.where(near, 0, np.maximum(d - 0.5 * reach, 0.4 * reach))
        gone = t[going] > leave[going]
        t[going[gone]] = 2 * FAR
        going = going[~near & ~gone]
    return t


def _normals(stage: Stage, p: Points, width: float = 0.004) -> Points:
    """Which way the surface looks."""
    total = np.zeros_like(p)
    for way in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        total += _column(way) * stage.distance(p + np.float32(width) * _column(way))
    return total / np.maximum(_length(total), 1e-9)


def _lit(stage: Stage, p: Points, rays: Points, told: Surface, light: Light, flat: Points) -> Colour:
    """The light that comes from points, `(n, 3)`: sun with soft shadows, sky, ground, mirror images."""
    sun = _column(light.sun) / np.float32(np.linalg.norm(light.sun))
    n, soft = told.normal, np.asarray(told.soft, np.float32)
    facing = (n * sun).sum(0)
    day = np.clip((facing + 0.5 * soft) / (1 + 0.5 * soft), 0, 1)
    shade = _shade(stage, p + 0.02 * flat, sun, np.flatnonzero(day > 0))
    open_ = _open(stage, p, flat)
    up = (0.5 + 0.5 * n[1])[:, None]
    around = (light.sky * up + light.ground * (1 - up)) * open_[:, None]
    edge = np.exp(-((facing / 0.35) ** 2)) * soft * (0.3 + 0.7 * shade)  # red light goes farthest under skin
    direct = light.warm * ((day * shade)[:, None] + edge[:, None] * np.array([0.24, 0.05, 0.02], np.float32))
    half = sun - rays
    half /= np.maximum(_length(half), 1e-6)
    spot = np.clip((n * half).sum(0), 0, 1) ** told.sharp * shade * (facing > 0) * told.gloss
    rim = 0.35 * np.clip(1 + (n * rays).sum(0), 0, 1) ** 4 * open_ * told.gloss
    return told.colour * (direct + around) + 2 * spot[:, None] * light.warm + rim[:, None] * light.sky


def _shade(stage: Stage, p: Points, sun: Points, going: np.ndarray) -> Plane:
    """The share of the sun that reaches points, 0 to 1."""
    free = np.ones(p.shape[1], np.float32)
    enter, leave = stage.bounds(p, np.broadcast_to(sun, p.shape))
    t = np.maximum(enter, 0.04).astype(np.float32)
    going = going[leave[going] > t[going]]
    for _ in range(18):
        if not len(going):
            break
        d = stage.distance(p[:, going] + t[going] * sun)
        free[going] = np.minimum(free[going], 9 * d / t[going])
        t[going] += np.clip(d, 0.04, 0.5)
        going = going[(free[going] > 0.01) & (t[going] < leave[going])]
    free = np.clip(free, 0, 1)
    return free * free * (3 - 2 * free)


def _open(stage: Stage, p: Points, n: Points) -> Plane:
    """The share of the sky that points see, 0 to 1."""
    shut = np.zeros(p.shape[1], np.float32)
    close = np.flatnonzero(ball(p, stage.centre, stage.radius) < 0.35)
    for reach, weight in ((0.04, 1.0), (0.13, 0.65), (0.34, 0.45)):
        q = p[:, close] + np.float32(reach) * n[:, close]
        d = stage.distance(q)
        if stage.floor is not None:
            d = np.minimum(d, np.where(n[1, close] < 0.99, q[1] - stage.floor, reach))
        shut[close] += weight * np.clip(reach - d, 0, 1) / reach * 0.45
    return np.clip(1 - shut, 0.05, 1)


def _column(place: Place) -> Points:
    return np.array(place, np.float32)[:, None]


def _length(v: Points) -> Plane:
    return np.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
