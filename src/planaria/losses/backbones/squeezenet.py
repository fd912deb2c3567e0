"""SqueezeNet 1.1, a small network (Iandola et al., "SqueezeNet: AlexNet-level accuracy", 2016).

Layers, names and shapes are torchvision's, so that its weights fit; only the convolutions before the classifier are
kept.
"""

import torch
from torch import Tensor, nn

from planaria.losses.backbones.published import Published, Tapped, read

NAMES = ("squeezenet",)
ABOUT = {
    "squeezenet": "SqueezeNet 1.1, small, of ImageNet: a download of 5 MB (torchvision's weights, BSD-3-Clause)",
}
PUBLISHED = {"squeezenet": Published("squeezenet1_1-b8a52dc0.pth", 5_000_000)}
TAPS = (1, 4, 7, 10, 12)
"""Layers of the features: the first ReLU, and the last fires of each scale; the coarsest scale twice."""
DEEP = 7
"""Layer of the content, at an eighth of the picture's resolution, as VGG's relu4_2 is."""
SMALLEST = 17
"""Fewest cells on a side, as torchvision requires."""


def load(name: str, path: str, device: torch.device | None = None) -> Tapped:
    """Load SqueezeNet with the weights of a file. Raises `UserError` for one that doesn't fit."""
    with torch.device("meta"):
        network = layers()
    read(path, network, name)
    return Tapped(name, network.to(device), taps=TAPS, deep=DEEP, smallest=SMALLEST)


def layers() -> nn.Sequential:
    """Build torchvision's `features`, untrained; no layer works in place."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), _pool(),
        _Fire(64, 16, 64), _Fire(128, 16, 64), _pool(),
        _Fire(128, 32, 128), _Fire(256, 32, 128), _pool(),
        _Fire(256, 48, 192), _Fire(384, 48, 192), _Fire(384, 64, 256), _Fire(512, 64, 256),
    )  # fmt: skip


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class _Fire(nn.Module):
    """Fire module: few channels, then 1x1 and 3x3 convolutions of them, concatenated."""

    def __init__(self, before: int, few: int, each: int):
        super().__init__()
        self.squeeze = nn.Conv2d(before, few, 1)
        self.expand1x1 = nn.Conv2d(few, each, 1)
        self.expand3x3 = nn.Conv2d(few, each, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(b, before, h, w)` to `(b, 2 * each, h, w)`."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)
