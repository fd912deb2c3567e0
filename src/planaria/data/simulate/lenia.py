"""Lenia: life with continuous states, space and time.

Chan, "Lenia: biology of artificial life", Complex Systems 28(3), 2019, arXiv:1812.05433.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from planaria.core.layout import Layout
from planaria.core.noise import derive, uniform
from planaria.data.simulate.base import Preset, Settings, Simulator, named, padded
from planaria.errors import UserError
from planaria.types import Cond, State

ABOUT = "continuous life: creatures that glide, or soups that never rest"

PRESETS: dict[str, Preset] = {
    "orbium": Preset("creatures of one species that all glide one way", {}),
    "crowd": Preset("the same, each its own way: they meet, merge, die or fill the grid", {"begin": "crowd"}),
    "bubbles": Preset(
        "a restless broth of small rings",
        {"begin": "soup", "radius": 10, "beta": [0.5, 1.0], "mu": 0.104, "sigma": 0.0119},
    ),
    "ripples": Preset(
        "rings and rows that shiver and break",
        {"begin": "soup", "radius": 10, "beta": [0.5, 1.0], "mu": 0.15, "sigma": 0.0185},
    ),
    "tissue": Preset(
        "a tissue that spreads from a few cells and never sets",
        {"begin": "soup", "radius": 10, "beta": [1.0, 0.3, 0.6], "mu": 0.167, "sigma": 0.0155},
    ),
}
"""Settings of worlds that stay alive; the first is the default."""

ROOM, SOUP = 17, 10
"""Area for a creature and for a square of noise, in squares of the radius."""
CANDIDATES = 64
"""Random candidate places for each creature, of which the one farthest from all others is taken."""

ORBIUM = """
  0   0   0   0   0   4   8  11  19  14  12  10   3   1   0   0   0   0   0   0
  0   0   3  14  24  43  57  51  40  33  29  30  29  24   9   1   0   0   0   0
  0   0   0   0  12  19   7   0   0   0   0   0   4  15  23  16   3   0   0   0
  0   0   0   9  17   5   0   0   0   0   0   0   0   2  15  23  16   3   0   0
  0   0   4  16  11   0   0   0   0   0   0   0   0   1  14  24  25  13   0   0
  0   0   9  18   6   0   0   0   0   0   2   2  15  25  31  34  31  21   6   0
  0   4  16  22   9   4   9  25  40  52  68  85  86  77  65  53  41  28  12   1
  5  21  36  41  28  24  35  50  66  83  96 100  96  88  77  64  48  33  17   3
  2  13  28  33  20  15  26  41  57  72  84  77  64  64  67  64  51  35  19   4
"""
"""Orbium unicaudatus, left half, in hundredths, as it settled here at radius 26, then halved: it moves right."""
ORBIUM_RADIUS = 13


class _Stream(IntEnum):
    """Purposes of the seed of one sample's initial state."""

    TURNS = 1
    SOUP = 2
    PLACES = 3


@dataclass(frozen=True)
class Config(Settings):
    """Shape of the kernel and of the growth, and the initial state."""

    radius: int = 13
    """Cells that a cell sees to each side."""
    mu: float = 0.15
    """Share of living neighbours at which growth is strongest."""
    sigma: float = 0.015
    """Width of the growth function around `mu`."""
    dt: float = 0.1
    """Time of a cell step: 0.1 is Lenia's T = 10."""
    beta: tuple[float, ...] = (1.0,)
    """Height of each ring of the kernel, from the middle outwards."""
    begin: Literal["fleet", "crowd", "soup"] = "fleet"
    """Initial state: creatures that all glide one way, creatures that meet, or squares of noise."""
    count: int = 0
    """Number of creatures or squares; 0 is as many as fit with good distance."""
    method: Literal["fft", "convolution"] = "fft"
    """Method of summing the neighbourhood: the Fourier transform was measured to be faster from a radius of 2 on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for good, what in (
            (1 <= self.radius <= 512, f"radius in 1..512, got {self.radius}"),
            (math.isfinite(self.mu), f"a finite mu, got {self.mu}"),
            (all(map(math.isfinite, self.beta)), f"finite rings, got {self.beta}"),
            (0 < self.sigma < math.inf, f"a finite sigma above 0, got {self.sigma}"),
            (0 < self.dt <= 1, f"dt in (0, 1], got {self.dt}"),
            (1 <= len(self.beta) <= 16 and min(self.beta) >= 0 < max(self.beta), f"1 to 16 rings, got {self.beta}"),
            (0 <= self.count <= 4096, f"count in 0..4096, got {self.count}"),
        ):
            if not good:
                raise UserError(f"lenia needs {what}")


def build(preset: str, config: Config) -> "Lenia":
    """Build the automaton of `config`."""
    return Lenia(preset, config)


def preset(text: str) -> Mapping[str, object]:
    """Settings of a preset. Raises `UserError` for an unknown one."""
    return named("world of lenia", text, PRESETS)


class Lenia(Simulator):
    """One channel in 0..1 on a torus: `y = clip(x + dt * growth(kernel * x), 0, 1)`."""

    kernel: Tensor

    def __init__(self, name: str, config: Config):
        super().__init__(f"lenia/{name}", Layout(visible=1, alpha=None, hidden=0), config, frame=2)
        self.config = config
        self.register_buffer("kernel", shell(config.radius, config.beta), persistent=False)  # (2r+1, 2r+1) float64
        self._wave: tuple[object, Tensor] | None = None

    def forward(
        self,
        x: State,
        t: int = 0,  # noqa: ARG002
        *,
        seed: int = 0,  # noqa: ARG002
        cond: Cond | None = None,  # noqa: ARG002
        dt: float | None = None,
    ) -> State:
        """Advance by `dt`; the growth is 2 exp(-(u - mu)^2 / 2 sigma^2) - 1."""
        config = self.config
        growth = 2 * torch.exp(-(((self.potential(x) - config.mu) / config.sigma) ** 2) / 2) - 1
        return (x + (config.dt if dt is None else dt) * growth).clamp(0, 1)

    def potential(self, x: State) -> State:
        """Mean of every cell's neighbourhood, weighted by the kernel, on a torus."""
        r, (b, c, h, w) = self.config.radius, x.shape
        if self.config.method == "convolution":
            if r > min(h, w):
                raise UserError(f"lenia of radius {r} needs method=fft on {h}x{w} cells")
            around = padded(x, "circular", r).reshape(b * c, 1, h + 2 * r, w + 2 * r)
            return F.conv2d(around, self.kernel[None, None].to(x)).reshape(b, c, h, w)
        return torch.fft.irfft2(torch.fft.rfft2(x) * self._spectrum(x), s=x.shape[2:])

    def _spectrum(self, x: State) -> Tensor:
        """Fourier transform of the kernel on the grid of `x`, wrapped where it is larger; the last one is cached."""
        h, w = x.shape[2:]
        key = (h, w, x.dtype, x.device)
        if self._wave is None or self._wave[0] != key:
            r = self.config.radius
            offsets = torch.arange(-r, r + 1)
            place = (offsets % h)[:, None] * w + (offsets % w)
            torus = torch.zeros(h * w, dtype=self.kernel.dtype).index_add_(
                0, place.flatten(), self.kernel.cpu().flatten()
            )
            self._wave = key, torch.fft.rfft2(torus.view(h, w)).to(x.device, x.dtype.to_complex())
        return self._wave[1]

    def start(self, n: int = 1, size: int | tuple[int, int] | None = None, seed: int = 0) -> State:
        """Creatures or squares of noise at random places, as far from each other as possible."""
        h, w, seed = self.room(n, size, seed)
        return torch.stack([self._scene(h, w, derive(seed, sample)) for sample in range(n)])[:, None]

    def _scene(self, h: int, w: int, seed: int) -> Tensor:
        r, begin, scene = self.config.radius, self.config.begin, torch.zeros(h, w)
        count = self.config.count or max(1, round(h * w / r**2 / (SOUP if begin == "soup" else ROOM)))
        turns = uniform(derive(seed, _Stream.TURNS), 0, (1, 1, count))[0, 0].tolist()
        noise = uniform(derive(seed, _Stream.SOUP), 0, (1, h, w))[0]
        for (row, column), one in zip(scattered(count, h, w, derive(seed, _Stream.PLACES)), turns, strict=True):
            y = ((torch.arange(h) - row + h / 2) % h - h / 2)[:, None]
            x = (torch.arange(w) - column + w / 2) % w - w / 2
            if begin == "soup":
                half = r * (0.5 + 0.5 * one)
                scene = torch.where((y.abs() < half) & (x.abs() < half), noise, scene)
            else:
                turn = turns[0] if begin == "fleet" else one
                y, x = torch.broadcast_tensors(y / r, x / r)
                scene = torch.maximum(scene, creature(y, x, turn))
        return scene


def shell(radius: int, beta: tuple[float, ...]) -> Tensor:
    """Lenia's kernel, `(2r+1, 2r+1)` float64 that sums to 1: rings of height `beta`, each exp(4 - 1 / (r (1 - r)))."""
    side = torch.arange(-radius, radius + 1, dtype=torch.float64) / radius
    far = (side[:, None] ** 2 + side**2).sqrt() * len(beta)
    ring = far.floor().long().clamp(max=len(beta) - 1)
    within = (far - ring).clamp(1e-9, 1 - 1e-9)  # the rims themselves are zero
    height = torch.tensor(beta, dtype=torch.float64)[ring] * torch.exp(4 - 1 / (within * (1 - within)))
    kernel = torch.where(far < len(beta), height, 0.0)
    return kernel / kernel.sum()


def creature(y: Tensor, x: Tensor, turn: float) -> Tensor:
    """Orbium sampled at `y` and `x`, in radii from it, moving at the fraction `turn` of a circle from right to down."""
    half = torch.tensor([[int(v) for v in row.split()] for row in ORBIUM.strip().splitlines()]) / 100
    body = F.pad(torch.cat([half, half.flip(0)]), (1, 1, 2, 2))  # 22x22 cells, its rims empty
    sine, cosine = math.sin(2 * math.pi * turn), math.cos(2 * math.pi * turn)
    place = torch.stack([x * cosine + y * sine, y * cosine - x * sine], -1) * (2 * ORBIUM_RADIUS / len(body))
    return F.grid_sample(body[None, None], place[None], align_corners=False)[0, 0]


def scattered(count: int, h: int, w: int, seed: int) -> list[tuple[float, float]]:
    """`count` places on a torus that keep their distance (Mitchell's best candidate, 1991).

    They lie on whole cells, so that creatures that move in one direction are exact copies and never drift together.
    """
    thrown = (uniform(seed, 0, (count, CANDIDATES, 2)) * torch.tensor([h, w])).floor()
    taken: list[Tensor] = []
    for places in thrown:
        if not taken:
            taken.append(places[0])
            continue
        apart = (places[:, None] - torch.stack(taken)).abs()
        apart = torch.minimum(apart, torch.tensor([h, w]) - apart).square().sum(-1).amin(1)
        taken.append(places[apart.argmax()])
    return [(float(row), float(column)) for row, column in taken]
