"""Colour losses: similarity of the colours of two pictures, regardless of place, and smoothness of a picture."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.types import PerSample

BINS = 64
"""Number of bins of a histogram, on each of its two axes."""
BORDER = 3.0
"""Range of the bins, evenly in -3..3: logarithms of the ratio of two colours."""
FALL_OFF = 0.1
"""Distance from a bin, in those logarithms, at which a pixel counts half: about that of two bins. The paper has 0.02,
which leaves most pixels between the bins; a picture that was trained by gradient then hardly changed its colours."""
LARGEST = 64
"""Most cells on a side for a histogram; larger pictures are reduced to it, by area."""
SHADE = 1 / 255
"""Constant added to every colour before their ratio is taken, as that of two dark ones means little. The paper adds
1e-6; then the gradient in black is thousands of times that in noise."""

Histogram = Float[Tensor, "b 3 n n"]
"""Frequencies of the ratios of red, green and blue to the two others; the sum of a sample is 1."""


def histogram(rgb: Float[Tensor, "b 3 h w"], bins: int = BINS) -> Histogram:
    """RGB-uv histogram of `rgb` in 0..1, as `(b, 3, bins, bins)`.

    A pixel is weighted by its brightness, softly in the bins around it, so that it is differentiable. Its colours
    alone decide where: of red, the logarithms of red to green and of red to blue, and so on. Memory depends on the
    samples and bins only. Afifi et al., "HistoGAN: Controlling Colors of GAN-Generated and Real Images via Color
    Histograms", 2021.
    """
    size = min(rgb.shape[2], LARGEST), min(rgb.shape[3], LARGEST)
    pixels = F.interpolate(rgb, size, mode="area").clamp(0, 1).flatten(2)
    bright = (pixels.square().sum(1, keepdim=True) + 1e-6).sqrt()
    logs = (pixels + SHADE).log()
    centres = torch.linspace(-BORDER, BORDER, bins, device=rgb.device, dtype=rgb.dtype)
    planes = []
    for one, second, third in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        u, v = (_membership(logs[:, one] - logs[:, other], centres) for other in (second, third))
        planes.append((u * bright) @ v.transpose(1, 2))
    counts = torch.stack(planes, 1)
    return counts / counts.sum((1, 2, 3), keepdim=True)


def _membership(at: Tensor, centres: Tensor) -> Tensor:
    """Weight of each value of `(b, pixels)` in each bin, `(b, bins, pixels)`: an inverse quadratic."""
    return 1 / (1 + ((at[:, None] - centres[:, None]) / FALL_OFF).square())


def colour_distance(a: Float[Tensor, "#b 3 n n"], b: Float[Tensor, "#b 3 n n"]) -> PerSample:
    """Hellinger distance of two histograms, `(b,)`: 0 for the same colours, 1 for none in common.

    One of them may hold a single sample, which all of the other are compared with.
    """
    return (a.sqrt() - b.sqrt()).flatten(1).norm(dim=1) / math.sqrt(2)


def total_variation(rgb: Float[Tensor, "b v h w"]) -> PerSample:
    """Mean absolute difference of horizontal neighbours, plus that of vertical neighbours, `(b,)`.

    Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", 1992.
    """
    across, down = (rgb.diff(dim=axis).abs().flatten(1) for axis in (3, 2))
    return sum((part.sum(1) / max(1, part.shape[1]) for part in (across, down)), rgb.new_zeros(len(rgb)))
