"""Quality: perceptual similarity of two pictures, and the spread of a picture's detail over its scales."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from planaria.types import PerSample

MOST_DECIBELS = 100.0
"""Value of `psnr` for pictures that are the same; a smaller difference than 1e-10 is rounding."""
WINDOW, SIGMA = 11, 1.5
"""Gaussian window of `ssim`: cells on a side, and its width."""
K1, K2 = 0.01, 0.03
RINGS = 16
"""Number of rings of frequencies in `spectrum`."""
FAINTEST = 1 / 255**2 / 12
"""Power that counts as none: that which rounding to 8 bits adds to every frequency."""

Pictures = Float[Tensor, "b v h w"]
"""Visible channels of the cells, in 0..1."""


def psnr(x: Pictures, y: Pictures) -> PerSample:
    """Peak signal-to-noise ratio in decibels, at most 100: `10 * log10(1 / mean squared difference)`."""
    return decibels((x - y).square().mean((1, 2, 3)))


def decibels(mse: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of mean squared differences, in decibels, at most 100."""
    return -10 * mse.clamp(min=10 ** (-MOST_DECIBELS / 10)).log10()


def ssim(x: Pictures, y: Pictures) -> PerSample:
    """Structural similarity, 1 for the same picture: the mean over windows that lie within it, and over channels.

    The window is a gaussian of 11x11 cells, 1.5 wide; on a side with fewer cells the largest odd number that fits.
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    IEEE Transactions on Image Processing, 2004.
    """

    def blurred(z: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(z, rows), columns)

    b, v, h, w = x.shape
    rows = _gaussian(h).to(x).view(1, 1, -1, 1)
    columns = _gaussian(w).to(x).view(1, 1, 1, -1)
    x, y = x.reshape(b * v, 1, h, w), y.reshape(b * v, 1, h, w)
    mx, my = blurred(x), blurred(y)
    vx, vy, vxy = blurred(x * x) - mx * mx, blurred(y * y) - my * my, blurred(x * y) - mx * my
    c1, c2 = K1**2, K2**2
    alike = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return alike.reshape(b, -1).mean(1)


def _gaussian(side: int) -> Tensor:
    """Window along a side of so many cells; its sum is 1."""
    reach = (min(WINDOW, side) - 1) // 2
    at = torch.arange(-reach, reach + 1, dtype=torch.double)
    window = (-at.square() / (2 * SIGMA**2)).exp()
    return window / window.sum()


def spectrum(x: Pictures, rings: int = RINGS) -> Float[Tensor, "b r"]:
    """log10 of the power at each frequency: `(b, rings)`, from coarse to fine, averaged over directions and channels.

    Ring `k` holds the frequencies above `k` and up to `k + 1`, in units of `0.5 / rings` cycles a cell; the mean of the
    picture is in none, nor are the frequencies that only the diagonals reach. Power is by cell, so pictures of
    different sizes compare. A ring that a small grid has no frequency in takes the value of the nearest one that has
    one; a picture of one cell has no power at all. Power below the rounding to 8 bits, about 1e-6, counts as none.
    """
    b, _, h, w = x.shape
    power = torch.fft.fft2(x).abs().square().mean(1).flatten(1) / (h * w)
    fy, fx = torch.fft.fftfreq(h, dtype=torch.double), torch.fft.fftfreq(w, dtype=torch.double)
    radius = (fy[:, None].square() + fx.square()).sqrt().flatten()
    ring = (radius * 2 * rings - 1e-9).floor().clamp(min=0).long()  # exactly 0.5 belongs to the last ring
    counted = (radius > 0) & (ring < rings)
    held = torch.bincount(ring[counted], minlength=rings)
    filled = held.nonzero().flatten()
    if not len(filled):
        return x.new_full((b, rings), FAINTEST).log10()
    counted, ring, held = counted.to(x.device), ring.to(x.device), held.to(x)
    sums = x.new_zeros(b, rings).index_add(1, ring[counted], power[:, counted])
    nearest = filled[(torch.arange(rings)[:, None] - filled).abs().argmin(1)].to(x.device)
    return (sums / held.clamp(min=1))[:, nearest].clamp(min=FAINTEST).log10()
