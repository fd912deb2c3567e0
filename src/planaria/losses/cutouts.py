"""Cutouts: parts of a picture, mirrored, distorted and recoloured a little, so that all of it has to look right."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LEAST = 0.4
"""Side of the smallest cutout, as a share of the picture's shorter side."""
BEND = 0.12
"""Largest shift of a cutout's corners in or out, as a fraction of half its side, at strength 1."""
SHADE = 0.1
"""Spread of its brightness, contrast and saturation, at strength 1."""
BORDER = 0.2
"""Fraction of the random places that are at a border, which few would reach otherwise."""
GRAIN = 0.05
"""Largest spread of its noise, at strength 1."""


def cutouts(
    rgb: Float[Tensor, "b 3 h w"], count: int, size: int, seed: int, strength: float = 1.0
) -> Float[Tensor, "b n 3 s s"]:
    """`count` square parts of each picture in 0..1, each `size` pixels wide; differentiable.

    The first is as large as the picture allows, in its middle; the others have random sizes and places, the same in
    every sample. At a `strength` above 0 all are mirrored, bent in perspective, recoloured and grained at random by
    `seed`, each in its own way, so that CLIP favours a picture rather than a pattern of pixels. After Crowson
    et al., "VQGAN-CLIP", 2022.
    """
    rng = torch.Generator().manual_seed(seed)
    b, _, h, w = rgb.shape
    side = min(h, w)
    parts = []
    for k in range(count):
        share, *place = torch.rand(3, generator=rng).tolist() if k else (1.0, 0.5, 0.5)
        m = max(1, round(side * (LEAST + (1 - LEAST) * share)))
        down, right = (min(max((p - BORDER / 2) / (1 - BORDER), 0.0), 1.0) for p in place)
        top, left = round(down * (h - m)), round(right * (w - m))
        part = rgb[:, :, top : top + m, left : left + m]
        parts.append(F.interpolate(part, (size, size), mode="bicubic", antialias=True))
    cut = torch.stack(parts, 1)
    return augmented(cut.flatten(0, 1), rng, strength).unflatten(0, (b, count)) if strength else cut


def augmented(rgb: Float[Tensor, "n 3 s s"], rng: torch.Generator, strength: float) -> Float[Tensor, "n 3 s s"]:
    """Augment each picture at random by `rng`: mirror, distort, recolour and add grain; differentiable."""
    n = len(rgb)

    def random(*shape: int) -> Tensor:
        return torch.rand(n, *shape, generator=rng).to(rgb)

    corners = torch.tensor([[-1, -1], [1, -1], [-1, 1], [1, 1]], device=rgb.device, dtype=rgb.dtype)
    corners = corners * (1 + BEND * strength * (2 * random(4, 2) - 1))
    mirror = torch.where(random(1, 1) < 0.5, -1.0, 1.0).to(rgb)
    corners = corners * torch.cat([mirror, torch.ones_like(mirror)], 2)
    bent = F.grid_sample(rgb, _between(corners, rgb.shape[-1]), padding_mode="reflection", align_corners=False)
    bright, contrast, saturation = (1 + SHADE * strength * (2 * random(3, 1, 1, 1) - 1)).unbind(1)
    bent = bent * bright
    middle = bent.mean((1, 2, 3), keepdim=True)
    bent = middle + (bent - middle) * contrast
    grey = bent.mean(1, keepdim=True)
    bent = grey + (bent - grey) * saturation
    grain = torch.randn(bent.shape, generator=rng).to(rgb)
    return bent + GRAIN * strength * random(1, 1, 1) * grain


def _between(corners: Float[Tensor, "n 4 2"], size: int) -> Float[Tensor, "n s s 2"]:
    """Sampling grid of a square of `size` pixels in perspective between four `corners` (x, y) in -1..1.

    The homography that takes the unit square to four points (Heckbert, "Fundamentals of Texture Mapping", 1989).
    """
    p00, p10, p01, p11 = corners.unbind(1)
    one, two, gap = p10 - p11, p01 - p11, p00 - p10 - p01 + p11
    cross = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    g = ((gap[:, 0] * two[:, 1] - gap[:, 1] * two[:, 0]) / cross)[:, None]
    k = ((one[:, 0] * gap[:, 1] - one[:, 1] * gap[:, 0]) / cross)[:, None]
    along, down = p10 - p00 + g * p10, p01 - p00 + k * p01
    place = (torch.arange(size, device=corners.device, dtype=corners.dtype) + 0.5) / size
    u, v = place[None, None, :, None], place[None, :, None, None]
    flat = along[:, None, None] * u + down[:, None, None] * v + p00[:, None, None]
    return flat / (g[:, None, None] * u + k[:, None, None] * v + 1)
