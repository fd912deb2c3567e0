"""Common base of texture, style and text: cells that all live, a pool, and a perceptual loss."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor, nn

from planaria import ranges
from planaria.commands import command
from planaria.core.layout import Layout
from planaria.core.noise import TrainingStream, derive, uniform
from planaria.core.rule import Rule, RuleConfig
from planaria.data.images import picture
from planaria.data.photos import Photos, open_photos, unpacked
from planaria.engine import run
from planaria.errors import UserError, concerning
from planaria.losses import backbones
from planaria.losses.backbones import Backbone
from planaria.losses.colour import colour_distance, histogram, total_variation
from planaria.losses.style import Style, content_distance, style_distance
from planaria.ranges import Weight
from planaria.store.cards import Card
from planaria.tasks import base
from planaria.tasks.about import Leaves, Need, Repainted, Words
from planaria.tasks.base import Batch
from planaria.types import PerSample, Picture, State

FAR = 10.0
"""Bound of a state; a sample with numbers beyond it is replaced."""
MOST = 48
"""Most photos that are kept."""
BEYOND = 0.1
"""Share of a cell's visible value beyond 0..1 that a loss sees."""
RENEWED = 0.3
"""Share of the iterations in which one sample is replaced: a life in the pool lasts some hundred steps."""
EXCHANGED = 0.25
"""Share of the samples from the pool whose photo is replaced by another one, or by itself shifted."""
MOMENTS = (0, 60, 200, 1000)
"""Steps after which a model is measured for its card."""
FARTHEST = 8
"""Most cells that a photo is shifted by."""

PAINTER = RuleConfig(
    channels=18, filters=("identity", "sobel", "laplacian"), hidden=(90, 90), bias="all", fire_rate=1.0,
    edge="circular", life="none", frozen=3,
)  # fmt: skip
"""The rule of 15,570 weights that reads a photo and repaints it."""

STYLE = {"style": (torch.uint8, 3)}
PHOTOS = {"photos": (torch.uint8, 1), "photo_sizes": (torch.int64, 2), "photo_names": (torch.uint8, 1)}
"""Tensors that checkpoints keep of a style, and of photos: name -> kind and dimensions."""


Side = Annotated[int, Ge(16), Le(2048)]
"""Cells or pixels on a side of an image."""

# Settings that tasks share. A config takes those it has; of its bases, the last one's settings come first.


@dataclass(frozen=True)
class OfStyle:
    """Settings of a style image."""

    style: str = "scene:landscape"
    """Picture whose style is to be learned: a file, a URL, or a name in `planaria list pictures`."""
    scale: Side = 160
    """Pixels that its shorter side is brought to: the smaller, the finer the strokes."""


@dataclass(frozen=True)
class OfPhotos:
    """Settings of the photos that are learned on."""

    photos: str = "built-in"
    """A folder of photos to learn on, or built-in: a few scenes that ship with planaria."""
    size: Side = 80
    """Cells on a side of a crop in training; photos of any size are repainted."""
    shifts: tuple[int, ...] = ()
    """Shift-shuffles of the photo that cells perceive besides, in cells, as in 4,8,16: each takes 2 frozen channels."""


@dataclass(frozen=True)
class OfBackbone:
    """Settings of the network that compares."""

    backbone: str = "filters"
    """Network that compares pictures, as `planaria list backbones` describes it."""
    backbone_path: str = ""
    """A file of its weights; by default they are downloaded once, where it has any."""


@dataclass(frozen=True)
class OfLikeness:
    """Weights of what makes a picture look like a style."""

    ot: Weight = 1.0
    """Weight of sliced optimal transport: the same distribution of values in the backbone's maps."""
    gram: Weight = 0.0
    """Weight of Gram matrices: the same correlations between the backbone's maps."""


@dataclass(frozen=True)
class OfContent:
    """Weights of the content loss, which preserves a photo."""

    content: Weight = 0.1
    """Weight of preserving the photo's content."""


@dataclass(frozen=True)
class OfCells:
    """Weights of the terms for every picture that cells paint."""

    colour: Weight = 0.0
    """Weight of the colour histogram."""
    tv: Weight = 0.0
    """Weight of differences from cell to cell: the larger, the smoother."""
    overflow: Weight = 10.0
    """Weight of values beyond -1..1 in any channel, or beyond 0..1 in visible ones."""


def check(config: Any) -> None:
    """Raise `UserError` for settings that none of the three can work with."""
    ranges.check(config)
    rule: RuleConfig = config.rule
    if rule.life != "none" or rule.cond:
        raise UserError(
            "textures and photos are painted by cells that don't die: rule.life=none and rule.cond=0", "rule.life"
        )
    if config.backbone not in backbones.names():
        with concerning("backbone"):
            backbones.load(config.backbone)
    if isinstance(config, OfPhotos):
        painter(rule, config.shifts)
    if isinstance(config, OfLikeness) and not config.ot and not config.gram:
        raise UserError("ot and gram are both 0: no loss would compare the style", "ot")


def painter(rule: RuleConfig, shifts: tuple[int, ...]) -> Layout:
    """Layout of a rule that repaints photos. Raises `UserError` where its channels don't suffice."""
    hidden = rule.channels - rule.frozen - 3
    if rule.frozen != 3 + 2 * len(shifts):
        raise UserError(
            f"rule.frozen={rule.frozen}: the photo takes 3 channels and each of shifts={list(shifts)} 2 more, so it "
            f"must be {3 + 2 * len(shifts)}",
            "rule.frozen",
        )
    if hidden < 0:
        raise UserError(
            f"rule.channels={rule.channels}: what cells show takes 3 channels, what they read {rule.frozen}",
            "rule.channels",
        )
    return Layout(3, alpha=None, hidden=hidden, frozen=rule.frozen, offset=0.5, shifts=shifts)


class Task(base.Task):
    """Samples that live on in a pool. A subclass defines their target."""

    judged: ClassVar = "painting"

    @classmethod
    def needs(cls, config: Any) -> Iterator[Need]:
        """Files that it opens: the style image, the photos and the backbone, of those that it has."""
        if isinstance(config, OfStyle):
            yield Need("style", "picture", {"source": config.style, "size": config.scale, "padding": 0})
        if isinstance(config, OfPhotos):
            yield Need("photos", "photos", {"source": config.photos})
        if isinstance(config, OfBackbone):
            yield Need("backbone", "backbone", {"name": config.backbone, "path": config.backbone_path})

    def __init__(self, config: Any, layout: Layout, device: torch.device, tensors: dict[str, Tensor] | None):
        super().__init__(config, device, tensors)
        self.layout, self.pool = layout, config.train.pool
        self.backbone: Backbone = backbones.load(config.backbone, path=config.backbone_path, device=device)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a sample."""
        return self.config.size, self.config.size

    def wrap(self, rule: Rule) -> nn.Module:
        """Wrap the rule, a fresh one with random biases: cells that hold nothing would else do nothing for ever."""
        with torch.no_grad():
            if not any(bool(bias.any()) for bias in rule.biases):
                for k, bias in enumerate(list(rule.biases)[: len(rule.config.hidden)]):
                    draws = derive(self.config.train.seed, TrainingStream.BIASES, k)
                    u = uniform(draws, 0, (1, 1, len(bias)), bias.device)[0, 0]
                    bias.copy_((2 * u - 1) / rule.weights[k].shape[1] ** 0.5)
        return rule

    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:
        """Batch of samples from the pool, but for those that have exploded, and now and then the first one."""
        x = old.x.clone()
        begun = ~(old.x.abs().amax((1, 2, 3)) < FAR)
        begun[0] |= bool(torch.rand((), generator=rng) < RENEWED)
        x[begun] = new.x[begun]
        return self.targeted(Batch(self.damage(x, rng, progress))), torch.arange(len(x))

    def damage(self, x: State, rng: torch.Generator, progress: float) -> State:  # noqa: ARG002
        """Disturb samples that live on. Default: nothing."""
        return x

    def targeted(self, batch: Batch) -> Batch:
        """Batch with the target of its loss."""
        return batch

    @abstractmethod
    def look(self, x: State, batch: Batch, seed: int) -> dict[str, PerSample]:
        """Perceptual terms of the loss; `seed` draws the places to look at."""

    def live(
        self,
        rule: nn.Module,
        batch: Batch,
        steps: int,
        *,
        seed: int,
        progress: float,  # noqa: ARG002
    ) -> tuple[State, dict[str, PerSample]]:
        """Run `steps` cell steps, and compute the loss of the final state."""
        y = run(rule, batch.x, steps, seed=seed, engine=self.config.train.engine)
        return y, self.look(y, batch, seed) | self.bounds(y)

    def seen(self, x: State) -> Tensor:
        """Visible channels as a loss sees them: beyond 0..1 a tenth counts, lest one exploded cell drown all else."""
        shown = self.layout.picture(x)
        held = shown.clamp(0, 1)
        return held + BEYOND * (shown - held)

    def bounds(self, x: State) -> dict[str, PerSample]:
        """The terms that keep a picture smooth and cells within bounds."""
        terms = {}
        if self.config.tv:
            terms["variation"] = self.config.tv * total_variation(self.layout.picture(x))
        if self.config.overflow:
            terms["overflow"] = self.config.overflow * self.beyond(x)
        return terms

    def beyond(self, x: State) -> PerSample:
        """Distance of cells from their bounds, `(b,)`: 0..1 for visible channels, -1..1 for hidden ones."""
        shown, hidden = self.layout.picture(x), x[:, self.layout.visible : self.layout.channels - self.layout.frozen]
        return torch.cat([shown - shown.clamp(0, 1), hidden - hidden.clamp(-1, 1)], 1).abs().mean((1, 2, 3))


class Look:
    """The terms of looking like a style image; `weights` are those of `ot`, `gram` and `colour`."""

    def __init__(self, backbone: Backbone, image: Picture, *, ot: float, gram: float, colour: float):
        self.style, self.ot, self.gram, self.colour = Style(backbone, image), ot, gram, colour
        self.histogram = histogram(image[None])

    def terms(self, shown: Tensor, seed: int) -> dict[str, PerSample]:
        """Distance of `shown` `(b, 3, h, w)` from the style."""
        terms = {}
        if self.ot or self.gram:
            maps = self.style.maps(shown)
            if self.ot:
                terms["transport"] = self.ot * self.style.transport(maps, seed)
            if self.gram:
                terms["gram"] = self.gram * self.style.gram(maps)
        if self.colour:
            terms["colour"] = self.colour * colour_distance(histogram(shown.clamp(0, 1)), self.histogram)
        return terms


def style_image(source: str, scale: int, tensors: dict[str, Tensor]) -> Picture:
    """Read a style image, `(3, h, w)` in 0..1 over white, its shorter side `scale` pixels; kept in `tensors`."""
    if "style" not in tensors:
        whole = picture(source, 1024)
        longest = max(1, round(scale * max(whole.shape[1:]) / min(whole.shape[1:])))
        rgba = picture(source, min(longest, 4096))
        rgb = rgba[:3] + 1 - rgba[3:]
        if min(rgb.shape[1:]) < 16:
            raise UserError(f"{source!r} is too narrow for a style: {rgb.shape[2]}x{rgb.shape[1]} pixels")
        tensors["style"] = rgb.clamp(0, 1).mul(255).round().byte()
    if tensors["style"].shape[0] != 3 or min(tensors["style"].shape) < 1:
        raise UserError(f"the checkpoint is damaged: its style has the shape {list(tensors['style'].shape)}")
    return tensors["style"].float().div(255)


@torch.no_grad()
def progress(task: Task, rule: nn.Module, image: Tensor, start: State) -> dict[str, float]:
    """Distance to a style image, as the task's backbone and a second one see it, along a life from `start`."""
    second: Backbone = backbones.load("random", device=task.device)
    looks = {task.config.backbone: task.backbone, "random": second}
    metrics: dict[str, float] = {}
    x, t = start, 0
    for steps in MOMENTS:
        x = run(rule, x, steps - t, t=t, seed=1, engine=task.config.train.engine)
        t = steps
        shown = task.layout.picture(x).clamp(0, 1)
        for name, backbone in looks.items():
            metrics[f"style at step {t} ({name})"] = float(style_distance(backbone, shown, image).mean())
        metrics[f"largest number at step {t}"] = float(x.abs().max())
    return metrics


class Photographed(Task):
    """Samples that are photos to be repainted."""

    @classmethod
    def words(cls, card: Card) -> Words:
        """Instructions for repainting photos with it."""
        source, run = card.config.style, f"runs/{card.name}"
        wanted = " and ".join(f"“{prompt}”" for prompt in card.config.prompts)
        return Words(
            f"repaints photos in the style of {source}" if source else f"repaints photos as {wanted}",
            (
                command("apply", run, "photo.jpg", "-o", "out.png"),
                command("apply", run, "clip.mp4", "-o", "styled.mp4"),
                command("eval", run),
            ),
            (f"model = {base.loading(run)}", 'model.repaint("photo.jpg", steps=60).save("out.png")'),
            "`sheet.png` (photos and what becomes of them)"
            + ("; `style.png` the style as it was trained on" if source else ""),
            "drop a photo onto it",
            "sheet.png",
        )

    def leaves(self) -> Leaves:
        """Sheet of its photos and their repaintings."""
        return Repainted(lambda k: self.photos[k], len(self.photos), getattr(self, "image", None))

    def __init__(
        self, config: Any, layout: Layout, device: torch.device, tensors: dict[str, Tensor] | None, content: float
    ):
        super().__init__(config, layout, device, tensors)
        if any(name.startswith("photo") for name in self.tensors):
            self.photos: Photos = unpacked(self.tensors)
        else:
            self.photos = open_photos(config.photos, size=2 * config.size, most=MOST)
            self.tensors |= self.photos.pack()
        self.content = content
        self.start = self._middle(self.photos[0])

    def _middle(self, photo: Picture) -> Tensor:
        """Crop the middle square of a photo, `(1, 3, size, size)`: the model's default photo."""
        side = min(photo.shape[1:])
        top, left = ((n - side) // 2 for n in photo.shape[1:])
        square = photo[None, :, top : top + side, left : left + side]
        return F.interpolate(square, self.size, mode="area").clamp(0, 1)

    def fresh(self, n: int, rng: torch.Generator) -> Batch:
        """`n` crops of photos."""
        photos = self.photos.crops(n, self.size, rng).to(self.device)
        seed = int(torch.randint(2**31, (), generator=rng))
        return self.targeted(Batch(self.layout.pose(photos, seed=seed)))

    def targeted(self, batch: Batch) -> Batch:
        """Batch with the photos under the cells as the content to preserve."""
        first = self.layout.channels - self.layout.frozen
        batch.target = batch.x[:, first : first + self.layout.photo] + self.layout.offset
        return batch

    def damage(self, x: State, rng: torch.Generator, progress: float) -> State:  # noqa: ARG002
        """Replace the photo under some, or shift it a little to the side: the effect of a video on cells."""
        first = self.layout.channels - self.layout.frozen
        photos = x[:, first : first + self.layout.photo] + self.layout.offset
        for k in range(1, len(x)):
            if float(torch.rand((), generator=rng)) >= EXCHANGED:
                continue
            if float(torch.rand((), generator=rng)) < 0.5:
                photos[k] = self.photos.crops(1, self.size, rng)[0].to(x)
            else:
                by = torch.randint(-FARTHEST, FARTHEST + 1, (2,), generator=rng).tolist()
                photos[k] = photos[k].roll(by, (1, 2))
        return torch.cat([x[:, :first], self.layout.exposed(photos)], 1)

    def kept(self, shown: Tensor, batch: Batch) -> dict[str, PerSample]:
        """Content term: the distance from the photo."""
        if not self.content:
            return {}
        assert batch.target is not None
        with torch.no_grad():
            theirs = self.backbone.content(batch.target)
        return {"content": self.content * content_distance(self.backbone.content(shown), theirs)}
