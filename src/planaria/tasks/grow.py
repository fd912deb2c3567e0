"""Grow, persist, regenerate: one cell becomes a picture (Mordvintsev et al., Distill, 2020)."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from planaria import ranges
from planaria.config import TrainConfig
from planaria.core.damage import DRAWN, LEFT, Damage, cuts, discs, fragment, holes, strokes
from planaria.core.layout import Layout
from planaria.core.rule import RuleConfig
from planaria.data import keying
from planaria.data.images import picture, remarks
from planaria.engine import run
from planaria.errors import UserError, concerning, unknown
from planaria.losses.pixel import pixel_loss
from planaria.ranges import Cells, CellsOrNone, Share
from planaria.synonyms import Also
from planaria.tasks import base
from planaria.tasks.about import Body, Form, Need
from planaria.tasks.base import Batch
from planaria.types import Mask, PerSample, Picture, State

REGIMES: dict[str, tuple[bool, int]] = {"grow": (False, 0), "persist": (True, 0), "regenerate": (True, 3)}
"""Regime -> True if samples live on in a pool, and the number of damaged samples in a batch."""

CUTTERS: dict[str, tuple[Callable[[int, tuple[int, int], torch.Generator], Mask], ...]] = {
    "disc": (discs,),
    "cut": (cuts,),
    "hole": (holes,),
    "mixed": (discs, cuts),
    "any": (discs, cuts, holes),
}
"""Kind of training damage -> functions that make it, drawn with equal probability. Strokes follow the body instead."""
MIXED: dict[str, str] = {
    "speckle": "a random quarter of all cells is erased",
    "noise": "normal noise of strength 0.2 is added to every living cell",
    "hidden": "strokes that erase the hidden channels alone",
    "again": "strokes on the next best sample, which has often not healed yet",
    "cut": "everything on one side of a line near the middle of the grid is erased",
    "fragment": "all is erased but a twentieth to a fifth of the body, around a random cell",
}
"""Kind of training damage that can be mixed in -> its effect."""
FEWEST = 200
"""Fewest iterations after which the health of a trained model is examined."""
SPECKLED, NOISY = 0.25, 0.2
"""Share of the cells that speckle erases in training, and strength of its noise."""
SMALLEST, LARGEST = 0.05, 0.2
"""Shares of the body that the training damage `fragment` leaves."""


@dataclass(frozen=True)
class Config:
    """Grow a picture from one cell, keep it, and heal it."""

    picture: str = "planarian"
    """A file, a URL, an emoji, text:WORD, medmnist:FLAG/INDEX (or FILE.npz/INDEX), or built in."""
    size: Cells = 40
    """Longest side of the picture, in cells."""
    padding: Annotated[CellsOrNone, Also("pad target_padding margin margins border_size pad_size")] = 16
    """Empty cells around the picture, on every side."""
    background: str = "none"
    """Background to remove from an opaque picture: none, auto (a plain background), a colour by name or #rrggbb."""
    trim: bool = False
    """Cut off the picture's empty margins before it is measured."""
    regime: Annotated[
        Literal["grow", "persist", "regenerate"],
        Also("mode experiment experiment_type training_type stage"),
    ] = "regenerate"
    """grow: roll-outs start from the seed. persist: from a pool of grown ones too. regenerate: damaged as well."""
    loss: Literal["l1", "l2", "rms", "manhattan", "hinge"] = "l2"
    """Loss that compares the picture; `planaria list losses` describes the effect of each on training."""
    damage: Annotated[int, Ge(0)] | None = None
    """Samples of a batch that are damaged, the best ones; the regime's own number (3 or 0) if none."""
    damage_from: Share = 0.0
    """Share of the training after which damage begins, once cells have learned to grow."""
    damage_shape: Literal["disc", "cut", "hole", "mixed", "any", "strokes"] = "disc"
    """Damage: a disc as published, one side of a line, a rectangle; mixed: the first two; strokes: of a brush."""
    damage_mix: tuple[str, ...] = ()
    """Shares of the damaged samples that get another damage: speckle:0.15, noise:0.1, cut:0.1, ..."""
    certificate: bool = True
    """Examine the health of the trained model, in about 20 seconds; not after fewer than 200 iterations."""
    rule: RuleConfig = RuleConfig()
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig()
    """Training parameters."""

    def __post_init__(self) -> None:
        ranges.check(self)
        if self.rule.channels - self.rule.frozen < 4:
            raise UserError(
                f"rule.channels={self.rule.channels}: a picture needs 4 channels (red, green, blue, alpha) "
                "and works best with 16",
                "rule.channels",
            )
        leaves_one_whole(self.damage or 0, self.train)
        with concerning("background"):
            keying.parse(self.background)
        with concerning("damage_mix"):
            shares(self.damage_mix)


def shares(mix: Sequence[str]) -> dict[str, float]:
    """Parse `speckle:0.15`, ... as shares of the damaged samples. Raises `UserError`."""
    found: dict[str, float] = {}
    for text in mix:
        kind, _, share = text.partition(":")
        if kind not in MIXED:
            raise unknown("kind in damage_mix", kind, MIXED)
        try:
            found[kind] = float(share)
        except ValueError:
            found[kind] = math.nan
        if not 0 <= found[kind] <= 1:
            raise UserError(f"damage_mix: {text!r} is no KIND:SHARE with a share in 0..1, as in {kind}:0.1")
    if sum(found.values()) > 1 + 1e-9:
        raise UserError(f"damage_mix={', '.join(mix)}: the shares add up to {sum(found.values()):g}, at most 1")
    return found


def leaves_one_whole(damage: int, train: TrainConfig) -> None:
    """Raise `UserError` unless `damage` samples leave one of a batch undamaged."""
    if damage >= train.batch:
        raise UserError(f"damage={damage} must leave one sample of train.batch={train.batch} whole", "damage")


def target(tensors: Mapping[str, Tensor]) -> Picture:
    """Read the picture `(4, h, w)` that a checkpoint keeps. Raises `UserError` for an invalid one."""
    kept = tensors["target"]
    if kept.shape[0] != 4 or min(kept.shape) < 1:
        raise UserError(f"the checkpoint is damaged: its picture has the shape {list(kept.shape)}")
    return kept


def centred(target: Picture, reach: int) -> Picture:
    """`target` `(4, h, w)`, shifted at most `reach` cells so that the seed in the grid's middle lies on the picture.

    A seed on an empty spot is trained to die before anything can grow from it.
    """
    _, h, w = target.shape
    solid = F.max_pool2d(-target[None, 3:], 3, 1, 1)[0, 0] < -0.5  # the whole 3x3 block is opaque
    if not bool(solid.any()):
        solid = target[3] >= target[3].max()
    row, col = solid.nonzero().unbind(1)
    away = torch.maximum((row - h // 2).abs(), (col - w // 2).abs())
    nearest = int(((row - h // 2) ** 2 + (col - w // 2) ** 2 + (away > reach) * 4 * (h + w) ** 2).argmin())
    down, right = (int(d.clamp(-reach, reach)) for d in (h // 2 - row[nearest], w // 2 - col[nearest]))
    return target.roll((down, right), (1, 2))


class Task(base.Goal):
    """One picture, learned by one rule."""

    keeps: ClassVar = {"target": (torch.float32, 3)}
    also: ClassVar = (
        "growing morphogenesis growth image_growing regenerate persist regeneration gnca growing_nca emoji "
        "picture image target"
    )
    form: ClassVar = Form(
        "picture", "picture", "What shall grow?", "Something with a clear shape on a plain background grows best.",
        first={"size": "Size, in cells", "background": "Background to leave out", "trim": "Cut empty margins",
               "regime": "What it learns", "train.steps": "Iterations"},
    )  # fmt: skip

    @classmethod
    def needs(cls, config: Any) -> Iterator[Need]:
        """The picture."""
        yield Need("picture", "picture", {"source": config.picture, "size": config.size, "padding": config.padding,
                                          "background": config.background, "trim": config.trim})  # fmt: skip

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        super().__init__(config, device, tensors)
        if "target" not in self.tensors:
            look = {"background": config.background, "trim": config.trim}
            shown = picture(config.picture, config.size, config.padding, **look)
            self.tensors = {"target": centred(shown, config.padding)}
            self.remarks = [remark.text for remark in remarks(config.picture, **look)]
        self.target = target(self.tensors).to(device)
        rule = config.rule
        self.layout = Layout(
            visible=4,
            alpha=rule.life_channel if rule.life != "none" else 3,
            hidden=rule.channels - rule.frozen - 4,
            frozen=rule.frozen,
        )
        pooled, damaged = REGIMES[config.regime]
        self.pool = config.train.pool if pooled else 0
        self.damaged = min(damaged, config.train.batch - 1) if config.damage is None else config.damage
        self.harder = config.damage_from if self.damaged else 0.0
        self.threshold = rule.life_threshold
        self.mix = shares(config.damage_mix)
        self._loss = pixel_loss(config.loss)

    def examined(self) -> Body | None:
        """The picture as it grows."""
        return Body(self.target.cpu(), self.config.certificate and self.config.train.steps >= FEWEST)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.target.shape[1], self.target.shape[2]

    def fresh(self, n: int, rng: torch.Generator) -> Batch:  # noqa: ARG002
        """`n` seeds."""
        return Batch(self.layout.seed(n, self.size, device=self.device))

    def loss(self, x: State, batch: Batch) -> dict[str, PerSample]:  # noqa: ARG002
        """Distance of the visible channels from the picture."""
        return {"picture": self._loss(self.layout.picture(x), self.target)}

    def damage(self, x: State, rng: torch.Generator, progress: float) -> State:
        """Damage the last, best samples, once it is time."""
        if not self.damaged or progress < self.config.damage_from:
            return x
        n = min(self.damaged, len(x))
        kinds = self._kinds(n, rng)
        spare = len(x) - n - kinds.count("again")
        places = [max(0, spare + kinds[:k].count("again")) if kind == "again" else len(x) - n + k
                  for k, kind in enumerate(kinds)]  # fmt: skip
        best, own = x[places], x.shape[1] - self.layout.frozen
        alpha = self.layout.alpha or 0
        gone = self._masks(best[:, alpha] > self.threshold, kinds, rng).to(x.device)
        left = (torch.where(gone, 0.0, best[:, alpha, None]) > self.threshold).flatten(1).sum(1)
        hidden = torch.tensor([kind == "hidden" for kind in kinds], device=x.device)
        least = LEFT if self.config.damage_shape == "strokes" or kinds.count("") < n else 1
        gone = gone & ((left >= least) | hidden)[:, None, None, None]  # nothing is learned from damage that kills
        spared = hidden[:, None] & (torch.arange(own, device=x.device) < self.layout.visible)
        best[:, :own] = torch.where(gone & ~spared[..., None, None], 0.0, best[:, :own])
        for k, kind in enumerate(kinds):
            if kind == "noise":
                best[k] = self._noisy(best[k : k + 1], rng)[0]
        damaged = x.clone()
        damaged[places] = best
        return damaged

    def _kinds(self, n: int, rng: torch.Generator) -> list[str]:
        """Kind of damage of each of `n` samples; empty for the usual one."""
        if not self.mix:
            return [""] * n
        bounds = torch.tensor(list(self.mix.values())).cumsum(0)
        names = [*self.mix, ""]
        return [names[int((bounds <= u).sum())] for u in torch.rand(n, generator=rng)]

    def _masks(self, alive: Tensor, kinds: Sequence[str], rng: torch.Generator) -> Mask:
        """Masks of what is erased from bodies `alive` `(n, h, w)`."""
        n = len(alive)
        if self.config.damage_shape == "strokes":
            gone = strokes(alive.cpu(), torch.rand(n, DRAWN, generator=rng))
        else:
            made = torch.stack([make(n, self.size, rng) for make in CUTTERS[self.config.damage_shape]])
            pick = torch.rand(n, generator=rng) * len(made)
            gone = made[pick.long(), torch.arange(n)]
        for k, kind in enumerate(kinds):
            if kind == "noise":
                gone[k] = False
            elif kind == "speckle":
                gone[k, 0] = torch.rand(self.size, generator=rng) < SPECKLED
            elif kind == "cut":
                gone[k : k + 1] = cuts(1, self.size, rng)
            elif kind == "fragment":
                u, v = torch.rand(2, generator=rng).tolist()
                gone[k, 0] = ~fragment(alive[k].cpu(), SMALLEST + u * (LARGEST - SMALLEST), v)
            elif kind:
                gone[k : k + 1] = strokes(alive[k : k + 1].cpu(), torch.rand(1, DRAWN, generator=rng))
        return gone

    def _noisy(self, x: State, rng: torch.Generator) -> State:
        """A sample with noise on its living cells."""
        seed = int(torch.randint(2**31, (), generator=rng))
        alive = x[:, self.layout.alpha or 0, None] > self.threshold
        return Damage("noise", (NOISY,)).apply(x, seed=seed, frozen=self.layout.frozen, alive=alive)

    def measure(self, rule: nn.Module) -> dict[str, float]:
        """Squared error (mean over 4 runs) as it grows, and 200 steps after each standard cut at step 200."""
        metrics = {}
        with torch.no_grad():
            young = run(rule, self.fresh(4, torch.Generator()).x, 100, seed=1, engine=self.config.train.engine)
            grown = run(rule, young, 100, t=100, seed=1, engine=self.config.train.engine)
            old = run(rule, grown, 200, t=200, seed=1, engine=self.config.train.engine)
            for step, x in ((100, young), (200, grown), (400, old)):
                metrics[f"mse at step {step}"] = self._mse(x)
            for cut in ("left", "right", "top", "bottom", "centre"):
                damaged = Damage.parse(cut).apply(grown, frozen=self.layout.frozen)
                healed = run(rule, damaged, 200, t=200, seed=1, engine=self.config.train.engine)
                metrics[f"mse healed {cut}"] = self._mse(healed)
        return metrics

    def _mse(self, x: State) -> float:
        return (self.layout.picture(x) - self.target).square().mean().item()
