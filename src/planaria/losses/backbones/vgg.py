"""VGG16 and VGG19, the usual networks of style transfer (Simonyan and Zisserman, 2014; Gatys et al., 2015).

Layers, names and shapes are torchvision's, so that its weights fit, with zeros beyond the picture's edge; only the
convolutions are kept.
"""

import torch
from torch import nn

from planaria.losses.backbones.published import Published, Tapped, read

NAMES = ("vgg16", "vgg19")
ABOUT = {
    "vgg16": "VGG16, 13 convolutions trained on ImageNet: a download of 553 MB (torchvision's weights, BSD-3-Clause)",
    "vgg19": "VGG19, 16 convolutions trained on ImageNet: a download of 575 MB (torchvision's weights, BSD-3-Clause)",
}
PUBLISHED = {
    "vgg16": Published("vgg16-397923af.pth", 553_000_000),
    "vgg19": Published("vgg19-dcbb9e9d.pth", 575_000_000),
}
BLOCKS = {
    "vgg16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    "vgg19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
}
"""Channels and convolutions of each block, which is followed by a pooling by two."""
TAPS = {"vgg16": (1, 6, 11, 18, 25), "vgg19": (1, 6, 11, 20, 29)}
"""Layers of the features: relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""
DEEP = {"vgg16": 20, "vgg19": 22}
"""Layer of the content: relu4_2, as published."""
SMALLEST = 16
"""Fewest cells on a side, which leave one cell of the coarsest map."""


def load(name: str, path: str, device: torch.device | None = None) -> Tapped:
    """Load VGG16 or VGG19 with the weights of a file. Raises `UserError` for one that doesn't fit."""
    with torch.device("meta"):
        network = layers(name)
    read(path, network, name)
    return Tapped(name, network.to(device), taps=TAPS[name], deep=DEEP[name], smallest=SMALLEST)


def layers(name: str) -> nn.Sequential:
    """Build torchvision's `features`, untrained; no layer works in place."""
    found: list[nn.Module] = []
    before = 3
    for channels, count in BLOCKS[name]:
        for _ in range(count):
            found += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            before = channels
        found.append(nn.MaxPool2d(2))
    return nn.Sequential(*found)
