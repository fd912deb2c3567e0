"""`filters`: a hand-designed rather than trained backbone, so that style needs no download.

A pyramid of five scales. In each, oriented filters respond to light and colour as the first layers of a brain and of
a trained network do: steerable slopes and ridges in six directions (Freeman and Adelson, 1991; Portilla and Simoncelli,
2000), centre against surround for the colours, all split into what is above and below zero. Fixed random
convolutions then respond to adjacent features (Ustyuzhaninov et al., "Texture Synthesis Using Shallow Convolutional
Networks with Random Filters", 2016). Line filters measure the continuation of a direction along itself,
which distinguishes a strand from a row of dots (Field, Hayes and Hess, "Contour Integration by the Human Visual
System", 1993).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NAMES = ("filters", "random")
ABOUT = {
    "filters": "built in, nothing to download: oriented filters and fixed random convolutions at five scales",
    "random": "built in: three layers of random convolutions; a second opinion on what `filters` trained",
}

SCALES = 5
"""Number of octaves, each half as fine as the one before."""
SIDE = 7
"""Cells on a side of an oriented filter."""
DIRECTIONS = 6
LINE, LENGTH = 13, 3.5
"""Cells on a side of a line filter, and the spread of its weights along it, in cells; across it is 1."""
FEWEST = 8
"""Fewest positions on a scale's shorter side where a whole line fits; on smaller ones lines go beyond the rim."""
LINED = 2
"""Number of scales with line filters: on coarser ones too few lines fit to estimate their frequency."""
MIXED = 32
"""Number of maps of the random convolutions."""
SMALLEST = 16
"""Fewest cells on the shorter side of the coarsest scale."""
OPPONENT = ((0.299, 0.587, 0.114), (0.5, -0.5, 0.0), (-0.25, -0.25, 0.5))
"""Opponent colour axes: light, red against green, blue against yellow."""
CONTRAST = (4.0, 6.0, 6.0)
"""Factors that scale light and colours of photographs to a spread of about one."""


def load(name: str, path: str = "", device: torch.device | None = None) -> "Filters | RandomLayers":  # noqa: ARG001
    """Load the filter bank, or random layers; neither has a weights file, so `path` is ignored."""
    return (Filters() if name == "filters" else RandomLayers()).to(device)


class Filters(nn.Module):
    """Pyramid of filter responses. Frozen, the same on every machine."""

    bank: Tensor
    mix: Tensor
    opponent: Tensor
    blur: Tensor
    lines: Tensor
    finest: Tensor

    def __init__(self, seed: int = 0):
        super().__init__()
        light, colour = _oriented(), _round()
        bank = torch.zeros(len(light) + 2 * len(colour), 3, SIDE, SIDE)
        bank[: len(light), 0] = light
        bank[len(light) : len(light) + len(colour), 1] = colour
        bank[len(light) + len(colour) :, 2] = colour
        self.register_buffer("bank", bank, persistent=False)
        rng = torch.Generator().manual_seed(seed)
        features = 2 * len(bank) + 6
        mix = torch.randn(MIXED, features, 3, 3, generator=rng)
        mix -= mix.mean((1, 2, 3), keepdim=True)
        self.register_buffer("mix", mix / mix.flatten(1).norm(dim=1)[:, None, None, None], persistent=False)
        scale = torch.tensor(CONTRAST)[:, None]
        self.register_buffer("opponent", (torch.tensor(OPPONENT) * scale)[:, :, None, None], persistent=False)
        for kernel, weights in {"blur": (0.125, 0.375, 0.375, 0.125), "finest": (0.25, -0.5, 0.25)}.items():
            line = torch.tensor(weights)
            each = (line[:, None] * line).expand(3, 1, len(line), len(line)).clone()
            self.register_buffer(kernel, each, persistent=False)
        self.register_buffer("lines", _lines()[:, None], persistent=False)

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Maps `(b, c, h_i, w_i)` of `rgb` `(b, 3, h, w)` in 0..1, three or two for each scale, fine to coarse."""
        x = F.conv2d(rgb - 0.5, self.opponent)
        maps = []
        for scale in range(SCALES):
            if scale:
                if min(x.shape[2:]) < 2 * SMALLEST:
                    break
                x = F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), self.blur, stride=2, groups=3)
            seen = F.conv2d(x, self.bank)
            inner = x[:, :, SIDE // 2 : -(SIDE // 2), SIDE // 2 : -(SIDE // 2)]
            both = torch.cat([seen.relu(), (-seen).relu()], 1)
            first = [inner, both]
            if not scale:
                rim = SIDE // 2 - 1
                first.append(F.conv2d(x[:, :, rim:-rim, rim:-rim], self.finest, groups=3))
            signed = torch.cat([inner.relu(), (-inner).relu(), both], 1)
            second = F.conv2d(signed, self.mix).relu()
            maps += [torch.cat(first, 1), second]
            if scale < LINED:
                slopes, ridges = (seen[:, k : 2 * DIRECTIONS : 2] for k in (0, 1))
                energy = (slopes.square() + ridges.square() + 1e-4).sqrt()
                if min(energy.shape[2:]) < LINE - 1 + FEWEST:
                    energy = F.pad(energy, (LINE // 2,) * 4, "replicate")
                maps.append(F.conv2d(energy, self.lines, groups=DIRECTIONS))
        return maps

    def content(self, rgb: Tensor) -> list[Tensor]:
        """Edges and ridges of light in place, at the middle scales, `(b, c, h_i, w_i)`; colours don't matter."""
        count = 2 * (2 * DIRECTIONS + 1)
        light = F.conv2d(rgb - 0.5, self.opponent[:1])
        maps = []
        for _ in range(1, 4):
            if maps and min(light.shape[2:]) < 2 * SMALLEST:
                break
            light = F.conv2d(F.pad(light, (1, 1, 1, 1), "replicate"), self.blur[:1], stride=2)
            maps.append(F.conv2d(light, self.bank[:count, :1]))
        return maps


class RandomLayers(nn.Module):
    """Convolutions drawn once, each layer with twice the reach of the one before. Frozen, the same on every machine."""

    def __init__(self, widths: Sequence[int] = (32, 48, 64), seed: int = 1):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        layers = []
        for width, before in zip(widths, (3, *widths), strict=False):
            w = torch.randn(width, before, 5, 5, generator=rng)
            w -= w.mean((1, 2, 3), keepdim=True)
            layers.append(w / w.flatten(1).norm(dim=1)[:, None, None, None] * 2)
        for k, w in enumerate(layers):
            self.register_buffer(f"layer{k}", w, persistent=False)
        self.count = len(layers)

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Maps `(b, c_i, h_i, w_i)` of `rgb` `(b, 3, h, w)` in 0..1, each half as fine as the one before."""
        x, maps = 4 * (rgb - 0.5), []
        for k in range(self.count):
            if k:
                x = F.avg_pool2d(x, 2)
            x = F.conv2d(F.pad(x, (2, 2, 2, 2), "replicate"), self.get_buffer(f"layer{k}")).relu()
            maps.append(x)
        return maps

    def content(self, rgb: Tensor) -> list[Tensor]:
        """Maps of the last layer."""
        return self.features(rgb)[-1:]


def _grid(side: int = SIDE) -> tuple[Tensor, Tensor]:
    at = torch.arange(side) - side // 2
    rows, columns = torch.meshgrid(at.float(), at.float(), indexing="ij")
    return rows, columns


def _normed(kernels: list[Tensor]) -> Tensor:
    stack = torch.stack(kernels)
    stack = stack - stack.mean((1, 2), keepdim=True)
    return stack / stack.flatten(1).norm(dim=1)[:, None, None]


def _oriented() -> Tensor:
    """Slopes and ridges in every direction, a fine and a broad one each, and spots."""
    rows, columns = _grid()
    kernels = []
    for spread in (0.8, 1.5):
        around = (-(rows**2 + columns**2) / (2 * spread**2)).exp()
        for k in range(DIRECTIONS):
            angle = math.pi * k / DIRECTIONS
            across = math.cos(angle) * columns + math.sin(angle) * rows
            kernels += [across * around, (across**2 / spread**2 - 1) * around]
        kernels.append(around)
    return _normed(kernels)


def _lines() -> Tensor:
    """Blurs along the edges of every direction."""
    rows, columns = _grid(LINE)
    kernels = []
    for k in range(DIRECTIONS):
        angle = math.pi * k / DIRECTIONS
        across = math.cos(angle) * columns + math.sin(angle) * rows
        along = math.cos(angle) * rows - math.sin(angle) * columns
        kernel = (-(along**2) / (2 * LENGTH**2) - across**2 / 2).exp()
        kernels.append(kernel / kernel.sum())
    return torch.stack(kernels)


def _round() -> Tensor:
    """Spot, broad spot, and slopes to the right and downwards."""
    rows, columns = _grid()
    fine, broad = ((-(rows**2 + columns**2) / (2 * s**2)).exp() for s in (0.8, 1.5))
    return _normed([fine, broad, columns * broad, rows * broad])
