"""Predict video: the rule learns to predict the next frames of a video, and continues it.

Cells show the video and keep a memory of it in their hidden channels. They are shown a few frames (the context), then
left alone: their picture after each `steps` cell steps is compared with the frame that came. They learn from states of
their own making: a pool of lives goes on against the true frames, each from wherever it got to, until it has lost the
video. So the rule sees its own errors, and learns to undo them, as in DAgger (Ross et al., 2011), scheduled sampling
(Bengio et al., 2015) and the pool of Mordvintsev et al. (2020); noise as by Sanchez-Gonzalez et al. (2020).
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from planaria import ranges
from planaria.commands import command
from planaria.config import TrainConfig
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.data.clips import Clips, open_clips, scenes, unpacked
from planaria.data.survey import UNSEEN
from planaria.data.survey.choices import AUTOMATIC, choose
from planaria.engine import run
from planaria.engine.context import shown
from planaria.errors import UserError
from planaria.losses.pixel import pixel_loss
from planaria.losses.texture_distance import texture_distance
from planaria.ranges import CellsOrNone, Share, Weight
from planaria.store.cards import Card
from planaria.synonyms import Also
from planaria.tasks import base
from planaria.tasks.about import Forecast, Form, Leaves, Need, View, Words
from planaria.tasks.base import Batch
from planaria.tasks.lives import MOST_FRAMES, Lives, mirror, roughened
from planaria.tasks.roll_outs import RollOuts, moments
from planaria.types import PerSample, State

LIFELESS = RuleConfig(
    channels=16, filters=("identity", "sobel", "laplacian"), hidden=(128,), bias="all", fire_rate=1.0, life="none"
)
"""Rule whose cells all act in every step, and never die: most videos show no body on an empty background."""
PAIRS = 256
"""Random windows that say how different two moments of a video are."""
LOUDNESS = (0.0, 0.2, 0.5, 1.0)
"""Noise on the frames that a new sample is shown, as shares of `noise`, equally often; without a pool always all."""
MOST_WEIGHT = 10.0
"""Largest weight of a change beside that of a colour, in what lives are compared by."""
SCALES = 3
"""Scales at which lives are compared by their looks, each half the one before."""
LEAST = 1e-6
"""Least difference of two random frames: that of a still video."""
CONTINUES = 2**52
"""Bit that marks a life of the pool within a batch; new samples are shown their frames first."""
SMALLEST_LOOK = 12
"""Cells on the shorter side that a scale has at least."""
HORIZONS = (1, 2, 5, 10, 20, 50)
"""Frames ahead for which a model's card gives the error."""
STRIDE = 24
"""Most frames that a life beyond its video's end goes on, without a gradient, before it is compared by its looks."""
FAR = 10.0
"""Bound of a state; a life with numbers beyond it is ended."""

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
    """Most frames that cells are shown before they continue alone; half of the samples see fewer."""
    horizon: Annotated[tuple[Frames, Frames], Also("future horizon_frames forecast predict_frames")] = (8, 8)
    """Frames that cells continue alone in one iteration, at the start of the training and at its end."""
    curriculum: Share = 0.4
    """Share of the training over which the horizon grows, and after which lives go on beyond the video's end."""
    held_out: Annotated[float, Ge(0), Lt(1)] = 0.1
    """Last share of the frames (of several videos: of the videos) that is not trained on but validates."""
    symmetry: Literal["none", "mirror", "turn"] = "none"
    """Symmetry of the video's law: mirror, left and right are alike; turn, up and sideways are alike too."""
    noise: Annotated[float, Ge(0), Le(10)] = 0.1
    """Standard deviation of the noise on frames that cells are shown, at most; lives of the pool get a fifth of it."""
    damage: Share = 0.1
    """Share of the lives of the pool out of which a disc is cut, so that they learn to mend what is painted over."""
    lost: Annotated[float, Gt(0), Le(10)] = 0.25
    """Error at which a life has lost the video: a share of that of a picture left as it was for the whole horizon."""
    smooth: Weight = 0.0
    """Weight of a straight way from frame to frame, for interpolation between frames."""
    overflow: Weight = 0.1
    """Weight of values beyond -1..1 in any channel, or 0..1 in visible ones: it keeps a long life within bounds."""
    likeness: Annotated[Weight, Also("texture_distance wasserstein sliced_wasserstein texture_loss")] = 1.0
    """Weight of looking like the video, for lives that have gone on beyond its end."""
    life: Annotated[int, Ge(1), Le(10**6)] = 500
    """Most frames that a life in the pool goes on."""
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
        steps=4000, batch=4, pool=48, rollout=(1, 1), lr=1.5e-3, lr_drops=(0.5, 0.7, 0.85, 0.95), lr_factor=0.4,
        betas=(0.9, 0.99), clip=1.0, validate=100,
    )  # fmt: skip
    """Training parameters; `train.pool` is how many lives go on from iteration to iteration, at most three quarters of
    each batch; with 0, only the next few frames are learned."""

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

    keeps: ClassVar = {
        "frames": (torch.uint8, 4), "values": (torch.float32, 4), "lengths": (torch.int64, 1), "fps": (torch.float64, 0)
    }  # fmt: skip
    judged: ClassVar = "prediction"
    directed: ClassVar = False
    also: ClassVar = (
        "video_prediction prediction predict forecast forecasting dynamics film motion next_frame frames movie"
    )
    form: ClassVar = Form(
        "frames", "film", "What shall it watch?",
        "A video whose next moment follows from what lies nearby, everywhere by the same law.", "Start learning",
        {"size": "Size, in cells", "steps": "Cell steps a frame", "context": "Frames it is shown",
         "train.steps": "Iterations"}, samples="Where it got to alone",
        sampled="the video above, what it makes of it alone below,", shares=False,
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
        last = self.clips.clips[-1]
        self.start = last.stack(max(0, len(last) - config.context), len(last))
        counts = [len(clip) for clip in self.clips.clips]
        self.offsets = [0, *accumulate(counts)]
        self.ends = dict(enumerate(counts)) | dict(self.clips.trained)
        if self.offsets[-1] > MOST_FRAMES:
            raise UserError(f"{config.frames}: {self.offsets[-1]} frames are more than {MOST_FRAMES}; take every=2")
        self.apart, self.moments = self._range()
        self.weight = min(MOST_WEIGHT, max(1.0, float((self.moments[0] / self.moments[1]).sqrt())))

    def _range(self) -> tuple[float, Tensor]:
        """Mean squared difference of frames as far apart as the horizon, and the moments of the video, `(2, 1)`."""
        rng = torch.Generator().manual_seed(0)
        picked = [self.windows[k] for k in torch.randint(len(self.windows), (PAIRS,), generator=rng).tolist()]
        first = self.config.context - 1
        films = [self.clips.clips[clip].stack(i + first, i + first + self.longest + 1) for clip, i in picked]
        apart = torch.stack([(film[-1] - film[0]).square().mean() for film in films]).mean().item()
        return max(apart, LEAST), moments(torch.stack([film[:2] for film in films], 1)).mean(1, keepdim=True)

    def _clips(self) -> Clips:
        """Read the videos: as the checkpoint keeps them, else from their source."""
        if not self.config.steps:
            self.config = replace(self.config, steps=UNSEEN) if self.tensors else self.chosen(self.config, None)[0]
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
        """Draw `n` windows of the videos, each context and what follows; frames before those shown hold no numbers."""
        config: Config = self.config
        count, length = config.context, config.context + self.longest
        places = [self.windows[k] for k in torch.randint(len(self.windows), (n,), generator=rng).tolist()]
        film = torch.stack([self.clips.clips[clip].stack(i, i + length) for clip, i in places])
        bits = torch.zeros(n, dtype=torch.int64)
        if config.symmetry != "none":
            bits = torch.randint(4, (n,), generator=rng)
            film = torch.stack([mirror(each, k) for each, k in zip(film, bits.tolist(), strict=True)])
        if config.symmetry == "turn" and self._turns(rng):
            film, bits = film.transpose(-1, -2).contiguous(), bits + 4
        fewer = torch.randint(2 * count, (n,), generator=rng)
        first = torch.where(fewer < count, fewer, 0) if self.pool else torch.zeros_like(fewer)
        if config.noise:
            levels = torch.tensor(LOUDNESS if self.pool else (1.0,))
            loud = config.noise * levels[torch.randint(len(levels), (n,), generator=rng)]
            film[:, :count] += loud.view(n, 1, 1, 1, 1) * torch.randn(film[:, :count].shape, generator=rng)
        film[:, :count][torch.arange(count) < first[:, None]] = torch.nan
        film = film.to(self.device)
        stands = torch.tensor([self.offsets[clip] + i + count - 1 for clip, i in places])
        return Batch(shown(self.layout, film[:, count - 1]), target=film, at=Lives.begun(stands, bits).packed())

    def _turns(self, rng: torch.Generator) -> bool:
        """True if this batch is turned on its side; lives that go on are as upright as the video."""
        h, w = self.size
        return bool(torch.rand((), generator=rng) < 0.5) and (h == w or not self.pool)

    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:
        """A quarter or more of new samples; the others are lives from the pool, noisy and damaged, that go on.

        New ones take the places of lives that have ended: lost, out of bounds, or of age `life`; of those beyond the
        end of their video before the curriculum is over, or beyond a quarter of the batch.
        """
        config: Config = self.config
        (film, at), then = _parts(new), old.at
        assert then is not None
        count, (lives, begun) = len(new.x), (Lives.read(then.clone()), Lives.read(at))
        beyond = lives.free & (lives.free.cumsum(0) > (count // 4 if progress >= config.curriculum else 0))
        bounds = old.x.flatten(1).abs().amax(1).cpu()
        lives.end((lives.age >= config.life) | beyond | ~(bounds < FAR))
        order = (~lives.vacant).int().argsort(stable=True)
        fresh = max(1, count // 4, int(lives.vacant.sum()))
        for k, j in enumerate(order.tolist()):
            if k < fresh:
                continue
            new.x[k] = roughened(old.x[j].clone(), self.layout.visible, config.noise, config.damage, rng)
            begun.age[k], begun.place[k], begun.mirrored[k] = lives.age[j], lives.place[j], lives.mirrored[j]
            if lives.place[j] >= 0:
                film[k, config.context :] = self._following(int(lives.place[j]), int(lives.mirrored[j]))
        new.at = begun.packed() | (torch.arange(count) >= fresh).long() * CONTINUES
        return new, torch.where((torch.arange(count) < fresh) & ~lives.vacant[order], -1, order)

    def _following(self, place: int, mirrored: int) -> Tensor:
        """Frames after `place`, `(n, v, h, w)`; the last one again and again where the clip ends."""
        clip, i = self._at(place)
        count = self.ends[clip] - i - 1
        film = self.clips.clips[clip].stack(i + min(1, count), i + 1 + min(max(count, 0), self.longest))
        return mirror(torch.cat([film, film[-1:].expand(self.longest - len(film), -1, -1, -1)]), mirrored)

    def _at(self, place: int) -> tuple[int, int]:
        """Clip, and frame in it, of a frame's number among those of all clips."""
        clip = bisect_right(self.offsets, place) - 1
        return clip, place - self.offsets[clip]

    def _left(self, lives: Lives) -> Tensor:
        """Frames that are left of the clip that each life follows, `(b,)`."""
        left = [self.ends[clip] - i - 1 for clip, i in map(self._at, lives.place.clamp(min=0).tolist())]
        return torch.where(lives.place < 0, 0, torch.tensor(left))

    def length(self, drawn: int, progress: float) -> int:  # noqa: ARG002
        """Cell steps alone: the frames of the current horizon."""
        grown = min(1.0, progress / self.config.curriculum) if self.config.curriculum else 1.0
        return self.config.steps * (self.first + math.floor((self.longest - self.first) * grown + 1e-9))

    def live(
        self, rule: nn.Module, batch: Batch, steps: int, *, seed: int, progress: float
    ) -> tuple[State, dict[str, PerSample]]:
        """Show new samples their frames, then run freely: a term for each frame, one for looks beyond the video's end.

        Updates `batch.at`.
        """
        config: Config = self.config
        (film, at), alone = _parts(batch), steps // config.steps
        scale = 0.25 + 0.75 * min(1.0, progress / config.time) if config.time else 1.0
        options: dict[str, Any] = {"seed": seed, "dt": config.rule.dt * scale, "engine": config.train.engine}
        continues = at >= CONTINUES
        lives = Lives.read(at - continues.long() * CONTINUES)
        x = self._charged(rule, batch.x, film, ~continues, options)
        lives.age, x = self._hastened(rule, x, lives, seed, options)
        left = self._left(lives)
        terms, bent, over, before, wrong = {}, [], [], x, x.new_zeros(len(x))
        for k in range(alone):
            before = x
            x, bending = self._frame(rule, x, k * config.steps, options)
            bent.append(bending)
            over.append(self._overflow(x))
            follows = (k < left).to(film.device)
            made, truth = self.layout.picture(x), film[:, config.context + k]
            terms[f"frame {k + 1}"] = torch.where(follows, self._loss(made, truth), 0.0) / alone
            wrong = torch.where(follows, (made.detach() - truth).square().mean((1, 2, 3)), wrong)
        if self.pool:
            terms["likeness"] = self._unlike(x, before, film, lives.free, alone, seed)
        if config.overflow:
            terms["overflow"] = config.overflow * torch.stack(over).mean(0)
        if config.smooth:
            terms["smooth"] = config.smooth * torch.stack(bent).mean(0)
        lost = ~(wrong.cpu() <= config.lost * self.apart)
        ended = (lives.place >= 0) & (left <= alone)
        lives.age += alone
        lives.place = torch.where(ended | (lives.place < 0), -1, lives.place + alone)
        if progress < config.curriculum:
            lives.end(lost)
        lives.place[lost] = -1
        batch.at = lives.packed()
        return x, terms

    def _charged(self, rule: nn.Module, x: State, film: Tensor, begins: Tensor, options: dict[str, Any]) -> State:
        """State of each sample when it is left alone: those that `begin` after their frames, the others as they are."""
        count, which = self.config.context, begins.nonzero()[:, 0].to(film.device)
        if count == 1 or not len(which):
            return x
        frames = film[which, :count]
        y, steps = shown(self.layout, frames[:, 0].nan_to_num()), self.config.steps
        for k in range(1, count):
            y = run(rule, y, steps, t=(k + 1 - count) * steps - steps, **options)
            sees = ~frames[:, k - 1, :1, :1, :1].isnan()
            y = shown(self.layout, frames[:, k].nan_to_num(), torch.where(sees, y, 0.0))
        return x.index_copy(0, which, y)

    def _hastened(
        self, rule: nn.Module, x: State, lives: Lives, seed: int, options: dict[str, Any]
    ) -> tuple[Tensor, State]:
        """Ages and states of the lives, those that are free up to `STRIDE` frames older: so many grow old in time."""
        which = lives.free.nonzero()[:, 0]
        count = int(torch.randint(STRIDE + 1, (), generator=torch.Generator().manual_seed(seed)))
        if not len(which) or not count:
            return lives.age, x
        with torch.no_grad():
            steps = count * self.config.steps
            older = run(rule, x[which.to(x.device)], steps, t=-steps, **options)
        keeps = (older.flatten(1).abs().amax(1) < FAR).cpu()
        which, older = which[keeps], older[keeps.to(x.device)]
        return lives.age.index_add(0, which, torch.full_like(which, count)), x.index_copy(0, which.to(x.device), older)

    def _unlike(self, x: State, before: State, film: Tensor, free: Tensor, alone: int, seed: int) -> PerSample:
        """Texture distance of free lives from two frames of the video at several scales, `(b,)`; 0 for the others."""
        config: Config = self.config
        total = x.new_zeros(len(x))
        if not bool(free.any()):
            return total
        which = free.nonzero()[:, 0].to(x.device)
        after, pair = config.context + alone, film[which]
        pair = pair[:, after - 2 : after] if after > config.context + 1 else pair[:, -2:]
        now, then = self.layout.picture(x[which]), self.layout.picture(before[which])
        for scale in range(SCALES):
            if scale:
                if min(now.shape[2:]) < 2 * SMALLEST_LOOK:
                    break
                now, then = F.avg_pool2d(now, 2), F.avg_pool2d(then, 2)
                pair = F.avg_pool2d(pair.flatten(0, 1), 2).unflatten(0, (-1, 2))
            unlike = texture_distance(now, then, pair, seed + scale, self.weight)
            total = total.index_add(0, which, config.likeness * unlike)
        return total

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
        """Share of the frames that free roll-outs don't follow, and how unlike the video they are afterwards."""
        if not self.clips.held:
            return None
        return self._roll_outs(rule).missed(self.apart, self.moments)

    def errors(self, rule: nn.Module, horizon: int) -> tuple[list[float], list[float]]:
        """Mean squared error on held-out frames 1, 2, ... ahead, of the rule and of copying the last frame."""
        return self._roll_outs(rule).errors(horizon)

    def view(self, rule: nn.Module) -> View | None:
        """A free roll-out from the first frames of the first video, below the true frames."""
        return self._roll_outs(rule).view()

    def _roll_outs(self, rule: nn.Module) -> RollOuts:
        config: Config = self.config
        return RollOuts(rule, self.layout, self.clips, config.context, config.steps, config.train.engine, self.device)

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
    """Film of a batch, `(b, n, v, h, w)`, and where its samples stand, packed, `(b,)`."""
    assert batch.target is not None
    assert batch.at is not None
    return batch.target, batch.at
