"""Predict video: the rule learns to predict the next frames of a video, and continues it.

Cells show the video and keep a memory of it in their hidden channels. They are shown a few frames (the context), then
left alone: their picture after each `steps` cell steps is compared with the frame that came. Trained on one frame at
first and on more and more of its own, as in scheduled roll-outs (Bengio et al., 2015; Sanchez-Gonzalez et al., 2020).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn

from planaria import ranges
from planaria.commands import command
from planaria.config import TrainConfig
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.data.clips import Clips, open_clips, scenes, unpacked
from planaria.data.survey import FEWEST
from planaria.data.survey.choices import AUTOMATIC, choose
from planaria.engine import run
from planaria.engine.context import charge, predictions, shown
from planaria.errors import UserError
from planaria.losses.pixel import pixel_loss
from planaria.losses.texture_distance import texture_distance
from planaria.ranges import CellsOrNone, Share, Weight
from planaria.store.cards import Card
from planaria.synonyms import Also
from planaria.tasks import base
from planaria.tasks.about import Forecast, Form, Leaves, Need, Words
from planaria.tasks.base import Batch
from planaria.types import PerSample, State

LIFELESS = RuleConfig(
    channels=16, filters=("identity", "sobel", "laplacian"), hidden=(128,), bias="all", fire_rate=1.0, life="none"
)
"""Rule whose cells all act in every step, and never die: most videos show no body on an empty background."""
LOOKS = 12
"""Most places in the held-out frames that a validation starts from."""
HORIZONS = (1, 2, 5, 10, 20, 50)
"""Frames ahead for which a model's card gives the error."""
FAR = 10.0
"""Bound of a state; a life with numbers beyond it is ended."""
CONTEXT = 1.0
"""Weight of the cells' frames during the context, beside those they predict alone."""


Count = Annotated[int, Ge(1), Le(1000)]
Frames = Annotated[int, Ge(1), Le(10_000)]


@dataclass(frozen=True)
class Config:
    """Learn to predict a video, and continue it."""

    frames: str = "sim:lenia"
    """A folder of frames, a video, a GIF, a folder of several of these, or a simulator: sim:lenia, sim:life."""
    size: CellsOrNone = 0
    """Longest side of a frame in cells; 0 as it is, or as `largest` bounds it."""
    largest: CellsOrNone = 0
    """Longest side in cells where size is 0: a video larger by more than a third is reduced to it; 0: no limit."""
    every: int = 1
    """Each n-th frame is taken."""
    crop: str = "none"
    """none, square (the middle), auto (without bars at the sides), or x,y,w,h in pixels of the video."""
    count: int = 0
    """Frames of a video at most; 0 all, of a simulator 200."""
    clips: Frames = 1
    """Films that a simulator makes, each from another start."""
    cuts: str = "split"
    """split: scenes between cuts are films of their own; keep: cuts are learned too; or the scenes: 0:40,52:120."""
    colour: Literal["auto", "rgb", "grey"] = "auto"
    """auto: grey where the video is grey."""
    steps: Annotated[int, Ge(0), Le(1000)] = 0
    """Cell steps from frame to frame: the cells that a signal travels in one; 0: as many as what moves in it needs."""
    context: Annotated[Count, Also("history past lookback n_context context_frames")] = 3
    """Frames that cells are shown before they continue alone, so that they can perceive motion."""
    horizon: Annotated[tuple[Frames, Frames], Also("future horizon_frames forecast predict_frames")] = (1, 8)
    """Frames that cells continue alone, at the start of the training and at its end."""
    curriculum: Share = 0.6
    """Share of the training over which the horizon grows."""
    held_out: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Last share of the frames (of several videos: of the videos) that is not trained on but validates."""
    symmetry: Literal["none", "mirror", "turn"] = "none"
    """Symmetry of the video's law: mirror, left and right are alike; turn, up and sideways are alike too."""
    noise: Annotated[float, Ge(0), Le(10)] = 0.0
    """Standard deviation of the noise on the frames that cells are shown, so that they learn to correct errors."""
    smooth: Weight = 0.0
    """Weight of a straight way from frame to frame, for interpolation between frames."""
    overflow: Weight = 0.1
    """Weight of values beyond -1..1 in any channel, or 0..1 in visible ones: it keeps a long life within bounds."""
    likeness: Annotated[Weight, Also("texture_distance wasserstein sliced_wasserstein texture_loss")] = 1.0
    """Weight of looking like the video, for lives in the pool: too old to be compared with it frame by frame."""
    life: Annotated[int, Ge(1), Le(10**6)] = 500
    """Most frames that a life in the pool continues alone."""
    loss: Literal["l1", "l2"] = "l2"
    """Loss that compares frames."""
    solver: Literal["euler", "midpoint", "rk4", "dopri5"] = "euler"
    """Solver of a cell step: euler is the rule's own; the others follow its flow more exactly (extra ode)."""
    gradient: Literal["plain", "checkpoint", "adjoint"] = "plain"
    """Method for a solver's gradient: plain is fast, the others need less memory."""
    time: Share = 0.0
    """Share of the training over which the time from frame to frame grows from a quarter to steps * rule.dt."""
    rule: RuleConfig = LIFELESS
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig(
        steps=1500, batch=4, pool=16, rollout=(1, 1), lr_drops=(0.5, 0.7, 0.85, 0.95), lr_factor=0.4,
        betas=(0.9, 0.99), normalise=False, clip=1.0, validate=50,
    )  # fmt: skip
    """Training parameters; `train.pool` is how many lives go on alone for long, a quarter of each batch of 2 or more;
    with 0, only the next few frames are learned."""

    def __post_init__(self) -> None:
        ranges.check(self)
        if self.rule.life != "none" or self.rule.frozen or self.rule.cond:
            raise UserError(
                "video is learned by a rule with rule.life=none, rule.frozen=0 and rule.cond=0", "rule.life"
            )
        scenes(self.cuts)
        if not self.frames.strip():
            raise UserError("frames is empty; give a folder of pictures, a video file, or sim:NAME", "frames")
        if self.horizon[0] > self.horizon[1]:
            first, last = self.horizon
            raise UserError(f"horizon must be two numbers, least first, got {first}, {last}", "horizon")


class Task(base.Task):
    """Prediction of one video or several, learned by one rule."""

    keeps: ClassVar = {"frames": (torch.uint8, 4), "lengths": (torch.int64, 1), "fps": (torch.float64, 0)}
    judged: ClassVar = "prediction"
    also: ClassVar = (
        "video_prediction prediction predict forecast forecasting dynamics film motion next_frame frames movie"
    )
    form: ClassVar = Form(
        "frames", "film", "What shall it watch?",
        "A video whose next moment follows from what lies nearby, everywhere by the same law.", "Start learning",
        {"size": "Size, in cells", "steps": "Cell steps a frame", "context": "Frames it is shown",
         "train.steps": "Iterations"}, samples="Where it got to alone", shares=False,
    )  # fmt: skip

    @classmethod
    def needs(cls, config: Any) -> Iterator[Need]:
        """The video."""
        keys = ("size", "every", "crop", "count", "colour")
        yield Need("frames", "frames", {"frames": config.frames, **{key: getattr(config, key) for key in keys}})

    @classmethod
    def chosen(cls, config: Any, before: Mapping[str, Any] | None) -> tuple[Any, list[str]]:
        """Config with its size, crop, scenes and cell steps chosen from the video, and lines about that."""
        open_ = {key: value for key, value in AUTOMATIC.items() if getattr(config, key) == value}
        if before is not None:
            return replace(config, **{key: before[key] for key in open_ if key in before}), []
        settings, lines = choose(**cls.surveyed(config))
        return replace(config, **settings), lines

    @classmethod
    def surveyed(cls, config: Any) -> dict[str, Any]:
        """Arguments with which `choose` looks at the video."""
        keys = ("frames", "size", "largest", "every", "crop", "count", "colour", "steps", "cuts", "held_out")
        return {**{key: getattr(config, key) for key in keys}, "least": config.context + config.horizon[1]}

    @classmethod
    def words(cls, card: Card) -> Words:
        """Instructions for filming it, and its scores."""
        run = f"runs/{card.name}"
        return Words(
            f"goes on with {card.config.frames}",
            (command("run", run, "-o", Path(f"{card.name}.gif"), "--frames", 200), command("eval", run)),
            (f"model = {base.loading(run)}", 'model.film(frames=200).save("future.gif")'),
            "`scores.*`, `rollout.*`",
            "draw into it",
            more=("", "More in [scores.md](scores.md).", "", "![scores](scores.png)", "", "![roll-out](rollout.png)"),
        )

    def leaves(self) -> Leaves:
        """Film of its prediction."""
        return Forecast(self.clips, self.config.context)

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        super().__init__(config, device, tensors)
        self.clips = self._clips()
        visible = self.clips.visible
        if config.rule.channels < visible:
            raise UserError(f"rule.channels={config.rule.channels}: the video's colours alone take {visible}")
        self.layout = Layout(visible, alpha=None, hidden=config.rule.channels - visible)
        self.pool = config.train.pool
        if self.pool and min(self.size) < 3:
            raise UserError(
                f"{config.frames}: lives in the pool are compared in blocks of 3x3 cells; take train.pool=0"
            )
        self._loss = pixel_loss(config.loss)
        shortest = min((n for _, n in self.clips.trained), default=0)
        self.longest = min(config.horizon[1], shortest - config.context)
        if self.longest < 1:
            raise UserError(
                f"{config.frames}: its {shortest} frames to learn from are too few for context={config.context} and "
                f"one frame more"
            )
        self.first = min(config.horizon[0], self.longest)
        self.windows = self.clips.starts(config.context + self.longest)
        self.start = self.clips.clips[0].stack(0, config.context)

    def _clips(self) -> Clips:
        """Read the videos: as the checkpoint keeps them, else from their source."""
        if not self.config.steps:
            self.config = replace(self.config, steps=FEWEST) if self.tensors else self.chosen(self.config, None)[0]
        config: Config = self.config
        if self.tensors:
            return unpacked(self.tensors, config.held_out)
        clips = open_clips(
            config.frames, clips=config.clips, count=config.count, held_out=config.held_out, size=config.size,
            every=config.every, crop=config.crop, colour=config.colour, cuts=config.cuts,
        )  # fmt: skip
        self.tensors = clips.pack()
        return unpacked(self.tensors, config.held_out) if self.tensors else clips  # what a resumed run will see

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return self.clips.size

    def wrap(self, rule: Rule) -> nn.Module:
        """Wrap the rule, its steps taken by the solver."""
        config: Config = self.config
        if config.solver == "euler" and config.gradient == "plain":
            return rule
        return Solver(rule, config.solver, gradient=config.gradient)

    def fresh(self, n: int, rng: torch.Generator) -> Batch:
        """Draw `n` windows of the videos, each context and what follows; `at` counts the frames each has been alone."""
        config: Config = self.config
        length = config.context + self.longest
        places = [self.windows[k] for k in torch.randint(len(self.windows), (n,), generator=rng).tolist()]
        film = torch.stack([self.clips.clips[clip].stack(i, i + length) for clip, i in places])
        if config.symmetry != "none":
            for k, (over, across) in enumerate((torch.rand(n, 2, generator=rng) < 0.5).tolist()):
                film[k] = film[k].flip([axis for axis, flip in ((-2, over), (-1, across)) if flip])
        if config.symmetry == "turn" and self._turns(rng):
            film = film.transpose(-1, -2).contiguous()
        if config.noise:
            film[:, : config.context] += config.noise * torch.randn(film[:, : config.context].shape, generator=rng)
        film = film.to(self.device)
        return Batch(shown(self.layout, film[:, config.context - 1]), target=film, at=torch.zeros(n, dtype=torch.int64))

    def _turns(self, rng: torch.Generator) -> bool:
        """True if this batch is turned on its side; lives that go on are as upright as the video."""
        h, w = self.size
        return bool(torch.rand((), generator=rng) < 0.5) and (h == w or not self.pool)

    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:  # noqa: ARG002
        """New samples, but for a quarter: lives from the pool that go on alone until they are old or out of bounds."""
        (_, ages), (_, then) = _parts(new), _parts(old)
        count = len(new.x)
        first = max(1, count - -(-count // 4))
        for k in range(first, count):
            if 0 < then[k] < self.config.life and old.x[k].abs().max() < FAR:
                new.x[k], ages[k] = old.x[k], then[k]
        order = torch.arange(count)
        return new, torch.where(order < first, -1, order)

    def length(self, drawn: int, progress: float) -> int:  # noqa: ARG002
        """Cell steps alone: the frames of the current horizon."""
        grown = min(1.0, progress / self.config.curriculum) if self.config.curriculum else 1.0
        return self.config.steps * (self.first + math.floor((self.longest - self.first) * grown + 1e-9))

    def live(
        self, rule: nn.Module, batch: Batch, steps: int, *, seed: int, progress: float
    ) -> tuple[State, dict[str, PerSample]]:
        """Show the context, then run freely; a term for each frame. Old lives should look like the video.

        Updates `batch.at`.
        """
        config: Config = self.config
        (film, at), alone = _parts(batch), steps // config.steps
        scale = 0.25 + 0.75 * min(1.0, progress / config.time) if config.time else 1.0
        options: dict[str, Any] = {"seed": seed, "dt": config.rule.dt * scale, "engine": config.train.engine}
        old = (at > 0).to(film.device)
        x, terms = self._charged(rule, batch, old, options)
        bent, over, before = [], [], x
        for k in range(alone):
            before = x
            x, bending = self._frame(rule, x, k * config.steps, options)
            bent.append(bending)
            over.append(self._overflow(x))
            wrong = self._loss(self.layout.picture(x), film[:, config.context + k])
            terms[f"frame {k + 1}"] = torch.where(old, 0.0, wrong) / alone
        if self.pool:
            pair = film[:, config.context + alone - 2 : config.context + alone]
            unlike = texture_distance(self.layout.picture(x), self.layout.picture(before), pair, seed)
            terms["likeness"] = torch.where(old, config.likeness * unlike, 0.0)
        if config.overflow:
            terms["overflow"] = config.overflow * torch.stack(over).mean(0)
        if config.smooth:
            terms["smooth"] = config.smooth * torch.stack(bent).mean(0)
        batch.at = at + alone
        return x, terms

    def _charged(
        self, rule: nn.Module, batch: Batch, old: Tensor, options: dict[str, Any]
    ) -> tuple[State, dict[str, PerSample]]:
        """State of each sample when it is left alone: of new ones after their context, of old ones as they are."""
        (film, _), count = _parts(batch), self.config.context
        if count == 1:
            return batch.x, {}
        x, made = predictions(rule, self.layout, film[:, :count], self.config.steps, **options)
        wrong = torch.stack([self._loss(p, film[:, k + 1]) for k, p in enumerate(made)]).mean(0)
        x = torch.where(old[:, None, None, None], batch.x, x)
        return x, {"context": CONTEXT * torch.where(old, 0.0, wrong)}

    def _frame(self, rule: nn.Module, x: State, t: int, options: dict[str, Any]) -> tuple[State, PerSample]:
        """State a frame later, and the curvature of the visible channels on the way."""
        config: Config = self.config
        if not config.smooth:
            return run(rule, x, config.steps, t=t, **options), x.new_zeros(len(x))
        way = [self.layout.picture(x)]
        for k in range(config.steps):
            x = run(rule, x, 1, t=t + k, **options)
            way.append(self.layout.picture(x))
        path = torch.stack(way)
        return x, (path[2:] - 2 * path[1:-1] + path[:-2]).square().sum(0).mean((1, 2, 3)) * config.steps

    def _overflow(self, x: State) -> PerSample:
        """Distance of cells from their bounds, `(b,)`, as in the textures of Niklasson et al. (2021)."""
        v = self.layout.visible
        shown, hidden = self.layout.picture(x), x[:, v:]
        beyond = torch.cat([shown - shown.clamp(0, 1), hidden - hidden.clamp(-1, 1)], 1)
        return beyond.abs().mean((1, 2, 3))

    def validate(self, rule: nn.Module) -> float | None:
        """Mean squared error of free roll-outs on the held-out frames, all horizons in training weighted equally."""
        wrong, _ = self.errors(rule, self.longest)
        return sum(wrong) / len(wrong) if wrong else None

    @torch.no_grad()
    def errors(self, rule: nn.Module, horizon: int) -> tuple[list[float], list[float]]:
        """Mean squared error on held-out frames 1, 2, ... ahead, of the rule and of copying the last frame."""
        config: Config = self.config
        places = [(c, i) for c, first in self.clips.held for i in range(first - 1, len(self.clips.clips[c]) - 1)]
        places = [(c, i) for c, i in places if i >= config.context - 1][:: -(-len(places) // LOOKS) or 1]
        if not places:
            return [], []
        context = torch.stack([self.clips.clips[c].stack(i + 1 - config.context, i + 1) for c, i in places])
        context = context.to(self.device)
        options: dict[str, Any] = {"seed": 1, "engine": config.train.engine}
        x = charge(rule, self.layout, context, config.steps, **options)
        model, copy = [], []
        for h in range(1, horizon + 1):
            still = [k for k, (c, i) in enumerate(places) if i + h < len(self.clips.clips[c])]
            if not still:
                break
            x = run(rule, x, config.steps, t=(h - 1) * config.steps, **options)
            truth = [self.clips.clips[c].stack(i + h, i + h + 1)[0] for c, i in (places[k] for k in still)]
            wanted = torch.stack(truth).to(self.device)
            model.append((self.layout.picture(x)[still] - wanted).square().mean().item())
            copy.append((context[still, -1] - wanted).square().mean().item())
        return model, copy

    def card(self) -> dict[str, Any]:
        """Cell steps per frame, the solver, and the length of the video."""
        config: Config = self.config
        frames = max(len(clip) for clip in self.clips.clips)
        return {
            "frame": {"steps": config.steps, "solver": config.solver},
            "length": min(1_000_000, frames * config.steps),
            "fps": self.clips.fps,
        }

    def measure(self, rule: nn.Module) -> dict[str, float]:
        """Squared error on held-out frames by horizon, beside that of copying the last frame."""
        model, copy = self.errors(self.wrap(rule) if isinstance(rule, Rule) else rule, max(HORIZONS))
        metrics = {}
        for h in HORIZONS:
            if h <= len(model):
                metrics |= {f"mse {h} ahead": model[h - 1], f"mse of copying {h} ahead": copy[h - 1]}
        return metrics


def _parts(batch: Batch) -> tuple[Tensor, Tensor]:
    """Film of a batch, `(b, n, v, h, w)`, and the number of frames its samples have been alone, `(b,)`."""
    assert batch.target is not None
    assert batch.at is not None
    return batch.target, batch.at
