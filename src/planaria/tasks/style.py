"""Style: cells that read a photo and repaint it in the manner of a picture."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from planaria.config import TrainConfig
from planaria.core.rule import RuleConfig
from planaria.errors import UserError
from planaria.tasks import restyle
from planaria.tasks.base import Batch
from planaria.types import PerSample, State


@dataclass(frozen=True)
class Config:
    """Repaint photos in the style of a picture."""

    style: str = "scene:landscape"
    """The picture whose style is to be had: a file, a URL, or what `planaria list pictures` names."""
    scale: int = 160
    """Pixels that its shorter side is brought to: the smaller, the finer the strokes."""
    photos: str = "built-in"
    """A folder of photos to learn on, or built-in: a few scenes drawn by code."""
    size: int = 80
    """Cells on a side of a crop in training; photos of any size are repainted."""
    shifts: tuple[int, ...] = ()
    """Shift-shuffles of the photo that cells feel besides, in cells, as in 4,8,16: each takes 2 frozen channels."""
    backbone: str = "filters"
    """What compares pictures; `planaria list backbones` tells."""
    backbone_path: str = ""
    """A file of its weights; by default they are downloaded once, where it has any."""
    ot: float = 1.0
    """Weight of sliced optimal transport: the same values of the backbone's maps as often."""
    gram: float = 0.0
    """Weight of Gram matrices: the same values together as often."""
    content: float = 0.1
    """Weight of still showing what the photo shows."""
    colour: float = 0.0
    """Weight of the colour histogram."""
    tv: float = 0.0
    """Weight of differences from cell to cell: the larger, the smoother."""
    overflow: float = 10.0
    """Weight of what cells hold beyond -1..1, or show beyond 0..1."""
    rule: RuleConfig = restyle.PAINTER
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig(
        steps=1500, batch=3, pool=64, rollout=(16, 40), warmup=100, lr=1e-3, lr_drops=(0.5, 0.8), lr_factor=0.3,
        betas=(0.9, 0.99),
    )  # fmt: skip
    """How it learns."""

    def __post_init__(self) -> None:
        restyle.check(self, ot=self.ot, gram=self.gram, colour=self.colour, content=self.content)
        restyle.painter(self.rule, self.shifts)
        if not self.ot and not self.gram:
            raise UserError("ot and gram are both 0: nothing would teach the style")
        if not 16 <= self.scale <= 2048:
            raise UserError(f"scale must be in 16..2048, got {self.scale}")


class Task(restyle.Photographed):
    """One style."""

    keeps: ClassVar = restyle.STYLE | restyle.PHOTOS

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        super().__init__(config, restyle.painter(config.rule, config.shifts), device, tensors, config.content)
        self.image = restyle.style_image(config.style, config.scale, self.tensors).to(device)
        self.like = restyle.Look(self.backbone, self.image, ot=config.ot, gram=config.gram, colour=config.colour)

    def look(self, x: State, batch: Batch, seed: int) -> dict[str, PerSample]:
        """How far it is from looking like the style, and from showing what the photo shows."""
        shown = self.seen(x)
        return self.like.terms(shown, seed) | self.kept(shown, batch)

    def measure(self, rule: nn.Module) -> dict[str, float]:
        """The distance to the style, as two backbones see it, of photos and of what becomes of them."""
        photos = self.photos.crops(8, self.size, torch.Generator().manual_seed(1)).to(self.device)
        return restyle.progress(self, rule, self.image, self.layout.pose(photos))
