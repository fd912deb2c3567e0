"""Text: cells that read a photo and repaint it to match a prompt, by CLIP."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from planaria.config import TrainConfig
from planaria.core.rule import RuleConfig
from planaria.data.images import name_of, picture
from planaria.engine import run
from planaria.errors import UserError, concerning
from planaria.losses.clip import Clip, load_clip
from planaria.losses.clip_loss import ClipLoss, Head, load_head
from planaria.losses.colour import colour_distance, histogram
from planaria.losses.prompts import Prompt, parse_all
from planaria.losses.prompts import parse as prompt
from planaria.ranges import Weight
from planaria.synonyms import Also
from planaria.tasks import restyle
from planaria.tasks.about import Form
from planaria.tasks.base import Batch
from planaria.types import PerSample, State

LOOKED_AT = 16
"""Photos whose mean is taken from a picture among the prompts."""


@dataclass(frozen=True)
class OfPrompts:
    """Settings of the prompts, and of the CLIP model."""

    prompts: Annotated[tuple[str, ...], Also("prompt words caption description")] = ("a pencil sketch",)
    """Prompts that describe the repainted photos, each with a weight if need be: mosaic:2; or a picture: image:PATH."""
    clip: str = "openai/clip-vit-base-patch16"
    """CLIP model: a folder saved by transformers, or a name on the Hugging Face hub, downloaded once."""


@dataclass(frozen=True)
class OfJudgement:
    """Settings of the CLIP loss."""

    text: Weight = 1.0
    """Weight of the prompts."""
    cutouts: Annotated[int, Ge(1), Le(1024)] = 2
    """Cutouts of each sample for CLIP in an iteration: they take most of the time."""
    augment: Annotated[float, Ge(0), Le(3)] = 1.0
    """Strength of augmentation: mirroring, bending, recolouring and noise of the cutouts; 0: not at all."""
    directional: bool = True
    """Compare the direction from photo to picture, not the picture alone: from `origin` to the prompt."""
    origin: str = "a photo"
    """Prompt that describes the photos, for `directional`."""
    aesthetic: str = ""
    """A file with a linear aesthetic head for this CLIP (safetensors or JSON: weight, bias); none by default."""
    aesthetic_weight: Weight = 0.05
    """Weight of the distance of the head's score below the goal."""
    aesthetic_goal: Annotated[float, Ge(-1e6), Le(1e6)] = 10.0
    """Score to reach."""


@dataclass(frozen=True)
class Config(restyle.OfCells, restyle.OfContent, restyle.OfBackbone, OfJudgement, restyle.OfPhotos, OfPrompts):
    """Repaint photos to match a prompt."""

    backbone: str = "filters"
    """Network that compares a picture with its photo, as `planaria list backbones` describes it."""
    content: Weight = 0.25
    """Weight of preserving the photo's content."""
    colour: Weight = 0.0
    """Weight of keeping the photo's colours."""
    rule: RuleConfig = restyle.PAINTER
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig(
        steps=1000, batch=3, pool=64, rollout=(16, 40), warmup=100, lr=1e-3, lr_drops=(0.5, 0.8), lr_factor=0.3,
        betas=(0.9, 0.99),
    )  # fmt: skip
    """Training parameters."""

    def __post_init__(self) -> None:
        restyle.check(self)
        with concerning("prompts"):
            parse_all(self.prompts)
        if not self.text:
            raise UserError("text is 0: nothing would be learned from the prompts", "text")
        if not self.clip.strip():
            raise UserError("clip is empty; give a folder, or a name on the hub", "clip")


class Task(restyle.Photographed):
    """Repainting by one set of prompts."""

    keeps: ClassVar = restyle.PHOTOS | dict.fromkeys(("aims", "origins", "head"), (torch.float32, 2))
    config: Config
    also: ClassVar = "clip text_guided prompt prompts text_to_image words"
    form: ClassVar = Form(
        "prompts", "words", "What shall photos look like?", "In words, one prompt a line; mosaic:2 weighs twice.",
        "Start painting",
        {"size": "Size, in cells", "photos": "Photos to learn on", "train.steps": "Iterations"}, measure="value",
        shares=False,
    )  # fmt: skip

    @classmethod
    def named(cls, config: Any) -> str:
        """Name after its first prompt."""
        first = prompt(config.prompts[0])
        return name_of(first.picture or f"text:{first.text}")

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        super().__init__(config, restyle.painter(config.rule, config.shifts), device, tensors, config.content)
        clip = load_clip(config.clip, device)
        prompts = parse_all(config.prompts)
        aims, origins = (v.to(device) for v in self._places(clip, prompts))
        head = self._head(clip)

        def clip_loss(strength: float) -> ClipLoss:
            return ClipLoss(
                clip, aims, [prompt.weight for prompt in prompts], origins=origins if config.directional else None,
                count=config.cutouts, strength=strength, head=head, goal=config.aesthetic_goal,
            )  # fmt: skip

        self.clip_loss, self.judge = clip_loss(config.augment), clip_loss(0.0)

    def _places(self, clip: Clip, prompts: list[Prompt]) -> tuple[Tensor, Tensor]:
        """Embeddings of the prompts and of the origin of each, `(p, d)`; kept in `tensors`."""
        if "aims" not in self.tensors:
            photos = torch.cat([self._middle(self.photos[i]) for i in range(min(LOOKED_AT, len(self.photos)))])
            called, seen = clip.text([self.config.origin])[0], clip.image(photos.to(clip.device)).mean(0)
            aims = [clip.text([p.text])[0] if p.text else clip.image(_opaque(p.picture, clip.size))[0] for p in prompts]
            origins = [called if p.text else F.normalize(seen, dim=0) for p in prompts]
            self.tensors |= {"aims": torch.stack(aims).cpu(), "origins": torch.stack(origins).cpu()}
        aims, origins = self.tensors["aims"], self.tensors.get("origins", torch.zeros(0))
        if not aims.shape == origins.shape == (len(prompts), clip.width):
            raise UserError(f"clip={self.config.clip!r} has {clip.width} numbers an embedding: not the one of this run")
        return aims, origins

    def _head(self, clip: Clip) -> Head | None:
        """Read the aesthetic head, kept in `tensors`."""
        if not self.config.aesthetic:
            return None
        if "head" not in self.tensors:
            head = load_head(Path(self.config.aesthetic).expanduser(), clip.width, torch.device("cpu"))
            self.tensors["head"] = torch.cat([head.weight, head.bias[None]], 1)
        kept = self.tensors["head"].to(self.device)
        return Head(kept[:, :-1], kept[0, -1:])

    def look(self, x: State, batch: Batch, seed: int) -> dict[str, PerSample]:
        """Distance from the prompts, and from the photo's content."""
        assert batch.target is not None
        shown, config = self.seen(x), self.config
        terms = self.clip_loss(shown, batch.target, seed)
        terms["text"] = config.text * terms["text"]
        if "aesthetic" in terms:
            terms["aesthetic"] = config.aesthetic_weight * terms["aesthetic"]
        if config.colour:
            colours = histogram(shown.clamp(0, 1)), histogram(batch.target)
            terms["colour"] = config.colour * colour_distance(*colours)
        return terms | self.kept(shown, batch)

    @torch.no_grad()
    def measure(self, rule: nn.Module) -> dict[str, float]:
        """Distance to the prompts, of photos and of their repaintings."""
        photos = self.photos.crops(8, self.size, torch.Generator().manual_seed(1)).to(self.device)
        x, t = self.layout.pose(photos), 0
        metrics: dict[str, float] = {}
        for steps in restyle.MOMENTS:
            x, t = run(rule, x, steps - t, t=t, seed=1, engine=self.config.train.engine), steps
            shown = self.layout.picture(x).clamp(0, 1)
            for term, far in self.judge(shown, photos, 1).items():
                name = "distance to the prompts" if term == "text" else "score below the goal"
                metrics[f"{name} at step {steps}"] = float(far.mean())
            metrics[f"largest number at step {steps}"] = float(x.abs().max())
        return metrics


def _opaque(source: str, size: int) -> Tensor:
    """Blend a picture over white, `(1, 3, h, w)` in 0..1, at least twice as large as CLIP's input."""
    rgba = picture(source, min(4096, 4 * size))
    return (rgba[:3] + 1 - rgba[3:])[None].clamp(0, 1)
