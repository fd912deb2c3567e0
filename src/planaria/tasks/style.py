"""Style: cells that read a photo and repaint it in the manner of a picture."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from planaria.config import TrainConfig
from planaria.core.rule import RuleConfig
from planaria.tasks import restyle
from planaria.tasks.about import Form
from planaria.tasks.base import Batch
from planaria.types import PerSample, State


@dataclass(frozen=True)
class Config(
    restyle.OfCells, restyle.OfContent, restyle.OfLikeness, restyle.OfBackbone, restyle.OfPhotos, restyle.OfStyle
):
    """Repaint photos in the style of a picture."""

    rule: RuleConfig = restyle.PAINTER
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig(
        steps=1500, batch=3, pool=64, rollout=(16, 40), warmup=100, lr=1e-3, lr_drops=(0.5, 0.8), lr_factor=0.3,
        betas=(0.9, 0.99),
    )  # fmt: skip
    """Training parameters."""

    def __post_init__(self) -> None:
        restyle.check(self)


class Task(restyle.Photographed):
    """Style transfer with one style."""

    keeps: ClassVar = restyle.STYLE | restyle.PHOTOS
    also: ClassVar = "style_transfer neural_style stylise stylize restyle painting paint"
    form: ClassVar = Form(
        "style", "style", "In whose style shall it paint?",
        "A picture with strokes and colours of its own. Photos are painted so.", "Start painting",
        {"size": "Size, in cells", "photos": "Photos to learn on", "scale": "The picture, in pixels",
         "train.steps": "Iterations"}, measure="value", shares=False,
    )  # fmt: skip

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        super().__init__(config, restyle.painter(config.rule, config.shifts), device, tensors, config.content)
        self.image = restyle.style_image(config.style, config.scale, self.tensors).to(device)
        self.like = restyle.Look(self.backbone, self.image, ot=config.ot, gram=config.gram, colour=config.colour)

    def look(self, x: State, batch: Batch, seed: int) -> dict[str, PerSample]:
        """Distance from the style, and from the photo's content."""
        shown = self.seen(x)
        return self.like.terms(shown, seed) | self.kept(shown, batch)

    def measure(self, rule: nn.Module) -> dict[str, float]:
        """Distance to the style, by two backbones, of photos and of their repaintings."""
        photos = self.photos.crops(8, self.size, torch.Generator().manual_seed(1)).to(self.device)
        return restyle.progress(self, rule, self.image, self.layout.pose(photos))
