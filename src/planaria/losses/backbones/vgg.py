"""VGG16 and VGG19, which most style transfer is measured by (Simonyan and Zisserman, 2014; Gatys et al., 2015).

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
"""Channels and convolutions of each block, with a pooling by two behind it."""
TAPS = {"vgg16": (1, 6, 11, 18, 25), "vgg19": (1, 6, 11, 20, 29)}
"""Layers that are looked at: relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""
DEEP = {"vgg16": 20, "vgg19": 22}
"""The layer that tells what a picture shows: relu4_2, as published."""
SMALLEST = 16
"""Cells a side that leave one cell of the coarsest map."""


def load(name: str, path: str, device: torch.device | None = None) -> Tapped:
    """VGG16 or VGG19 with the weights of a file. Raises `UserError` for one that doesn't fit."""
    with torch.device("meta"):
        network = layers(name)
    read(path, network, name)
    return Tapped(name, network.to(device), taps=TAPS[name], deep=DEEP[name], smallest=SMALLEST)


def layers(name: str) -> nn.Sequential:
    """torchvision's `features`, untaught; no layer writes over what another has answered."""
    found: list[nn.Module] = []
    before = 3
    for channels, count in BLOCKS[name]:
        for _ in range(count):
            found += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            before = channels
        found.append(nn.MaxPool2d(2))
    return nn.Sequential(*found)
