"""Texture: cells that agree on an endless pattern (Niklasson et al., "Self-Organising Textures", Distill, 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from planaria.commands import command
from planaria.config import TrainConfig
from planaria.core.layout import Layout
from planaria.core.rule import RuleConfig
from planaria.errors import UserError
from planaria.store.cards import Card
from planaria.tasks import base, restyle
from planaria.tasks.about import Form, Grown, Leaves, Words
from planaria.tasks.base import Batch
from planaria.types import PerSample, State


@dataclass(frozen=True)
class OfTexture(restyle.OfStyle):
    """Settings of a texture, beside the shared ones."""

    style: str = "scene:landscape"
    """Picture whose texture is to be grown: a file, a URL, or a name in `planaria list pictures`."""
    scale: restyle.Side = 160
    """Pixels that its shorter side is brought to: the smaller, the finer the texture."""
    size: restyle.Side = 96
    """Cells on a side of a sample in training; the texture grows on a grid of any size."""


@dataclass(frozen=True)
class Config(restyle.OfCells, restyle.OfLikeness, restyle.OfBackbone, OfTexture):
    """Grow an endless texture from nothing."""

    rule: RuleConfig = RuleConfig(
        channels=12, filters=("identity", "sobel", "laplacian"), hidden=(96,), fire_rate=0.5, edge="circular",
        life="none",
    )  # fmt: skip
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig(
        steps=2500, batch=3, pool=64, rollout=(24, 56), warmup=100, lr=1.5e-3, lr_drops=(0.5, 0.8), lr_factor=0.3,
        betas=(0.9, 0.99),
    )  # fmt: skip
    """Training parameters."""

    def __post_init__(self) -> None:
        restyle.check(self)
        if self.rule.frozen or self.rule.channels < 3:
            raise UserError("a texture is painted with rule.frozen=0 and at least 3 rule.channels", "rule.channels")
        if self.rule.fire_rate == 1:
            raise UserError(
                "a texture begins with cells that are all alike; with rule.fire_rate=1 they stay so", "rule.fire_rate"
            )


class Task(restyle.Task):
    """One texture."""

    keeps: ClassVar = restyle.STYLE
    also: ClassVar = "texture_synthesis textures self_organising_textures self_organizing_textures synthesis pattern"
    form: ClassVar = Form(
        "style", "style", "Which texture shall grow?", "A picture full of one thing: bark, knitting, pasta.",
        first={"size": "Size, in cells", "scale": "The picture, in pixels", "train.steps": "Iterations"},
        measure="value",
    )  # fmt: skip

    @classmethod
    def words(cls, card: Card) -> Words:
        """Instructions for growing more of it."""
        run = f"runs/{card.name}"
        return Words(
            f"grows an endless texture like that of {card.config.style}",
            (command("apply", run, "-o", "texture.png", "--size", 1080), command("eval", run)),
            (
                f"rule, layout = {base.loading(run)}",
                "x = pl.run(rule, layout.seed(1, (256, 256)), steps=300, seed=7)",
            ),
            "`tiles.png` (the style beside what has grown, at one scale); `style.png` the style as it was trained on",
            "rub a hole into the texture",
            "tiles.png",
        )

    def leaves(self) -> Leaves:
        """The texture beside its style."""
        return Grown(self.image)

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        layout = Layout(3, alpha=None, hidden=config.rule.channels - 3, offset=0.5)
        super().__init__(config, layout, device, tensors)
        self.image = restyle.style_image(config.style, config.scale, self.tensors).to(device)
        self.like = restyle.Look(self.backbone, self.image, ot=config.ot, gram=config.gram, colour=config.colour)

    def fresh(self, n: int, rng: torch.Generator) -> Batch:  # noqa: ARG002
        """Draw `n` grey ones."""
        return Batch(self.layout.seed(n, self.size, device=self.device))

    def look(self, x: State, batch: Batch, seed: int) -> dict[str, PerSample]:  # noqa: ARG002
        """Distance from the style."""
        return self.like.terms(self.seen(x), seed)

    def measure(self, rule: nn.Module) -> dict[str, float]:
        """Distance to the style, by two backbones, of the start and of the grown texture."""
        return restyle.progress(self, rule, self.image, self.layout.seed(1, self.size, device=self.device))
