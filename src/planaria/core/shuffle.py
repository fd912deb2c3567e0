"""Shift-shuffle: a photo's surroundings, folded into two channels, so that a cell perceives beyond its neighbours.

As in the Image-Manipulation project: eight half-size copies of the luminance, each shifted another way, are shuffled
into the pixels of two channels (Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
Sub-Pixel Convolutional Neural Network", 2016).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

LUMINANCE = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in the luminance."""


def shuffled(photo: Tensor, shift: int) -> Tensor:
    """Shift-shuffle `(b, 2, h, w)` of `photo` `(b, 1 | 3 | 4, h, w)`, shifted by `shift` cells of the half-size copies.

    The grid is a torus; where a side is odd, its last row or column is repeated.
    """
    _, c, h, w = photo.shape
    weights = torch.tensor(LUMINANCE if c > 1 else (1.0,)).to(photo)
    grey = torch.einsum("bchw,c->bhw", photo[:, : len(weights)], weights)[:, None]
    even = F.pad(grey, (0, w % 2, 0, h % 2), "replicate")
    half = F.interpolate(even, scale_factor=0.5, mode="bilinear", align_corners=False)
    s = shift
    ways = ((-s, 0), (0, -s), (s, 0), (0, s), (s, s), (-s, s), (-s, -s), (s, -s))
    copies = torch.cat([half.roll(way, (2, 3)) for way in ways], 1)
    return F.pixel_shuffle(copies, 2)[:, :, :h, :w]
