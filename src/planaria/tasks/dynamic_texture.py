"""Dynamic texture: cells that agree on an endless pattern that moves as a clip does: fire, water, clouds, a flow.

Pajouheshgar, Xu, Zhang and Süsstrunk, "DyNCA: Real-Time Dynamic Texture Synthesis Using Neural Cellular Automata",
CVPR, 2023: one loss for the look of single frames, one for the motion between them. Here look is compared by a backbone
and by patches, and motion by patches of several frames, so that no network that was trained on motion is needed.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from planaria.commands import command
from planaria.config import TrainConfig
from planaria.core.damage import Damage, discs
from planaria.core.layout import Layout
from planaria.core.rule import RuleConfig
from planaria.data.clips import Clips, open_clips, unpacked
from planaria.engine import run
from planaria.errors import UserError
from planaria.losses.motion import velocity
from planaria.losses.space_time import space_time_distance
from planaria.losses.style import Style
from planaria.ranges import CellsOrNone, Weight
from planaria.store.cards import Card
from planaria.tasks import base, restyle
from planaria.tasks.about import Form, Leaves, Moving, Need, Words
from planaria.tasks.base import Batch
from planaria.types import PerSample, State

FRAMES = ("size", "every", "crop", "count", "colour")
"""Settings by which frames are read."""
LAGS = (0, 1, 2, 4)
"""Frames of a window, counted from its first, whose motion is compared."""
WINDOWS = 6
"""Windows of the clip that an iteration is compared with."""
SMALLEST = 16
"""Fewest cells on a side of a clip."""
STYLED = 8
"""Frames of the clip whose look a backbone keeps."""
DAMAGED = 0.15
"""Share of the samples from the pool into which a hole is cut."""
MOMENTS = (200, 1000, 10_000)
"""Steps after which a model is measured for its card."""
MEASURED, LARGEST = 48, 96
"""Most frames of each half of a clip that are measured, and most cells on their sides."""
SETS, SEEN = 4, 16_384
"""Sets of filters that measure, and answers of a filter that are compared."""
DRIFTS = 0.2
"""Cells a frame from which on a clip moves in one direction."""
HOLE, HEALED = 8, 50
"""Radius of a hole in cells, and frames that it is given to close."""
LEAST = 1e-9
"""Smallest divisor."""


@dataclass(frozen=True)
class OfClip:
    """Settings of the clip, as those of a video."""

    frames: str = "sim:lenia"
    """A folder of frames, a video, a GIF, a folder of several of these, or a simulator: sim:lenia, sim:life."""
    size: CellsOrNone = 64
    """Longest side of a frame in cells; 0 as it is."""
    every: int = 1
    """Each n-th frame is taken."""
    crop: str = "none"
    """none, square (the middle), or x,y,w,h in pixels of the video."""
    count: int = 0
    """Frames of a video at most; 0 all, of a simulator 200."""
    colour: Literal["auto", "rgb", "grey"] = "auto"
    """auto: grey where the video is grey."""
    cells: restyle.Side = 40
    """Cells on a side of a sample in training; the texture moves on a grid of any size."""
    steps: Annotated[int, Ge(1), Le(1000)] = 4
    """Cell steps from frame to frame: the most cells that anything moves between two frames."""


@dataclass(frozen=True)
class OfMotion:
    """Weights of what makes a run look and move like a clip."""

    motion: Weight = 1.0
    """Weight of moving like the clip: the same patches of several frames, equally often."""
    look: Weight = 1.0
    """Weight of looking like the clip: the same patches of single frames, equally often."""
    ot: Weight = 0.0
    """Weight of sliced optimal transport: the same values in the backbone's maps of single frames."""
    overflow: Weight = 10.0
    """Weight of values beyond -1..1 in any channel, or beyond 0..1 in visible ones."""


@dataclass(frozen=True)
class Config(OfMotion, restyle.OfBackbone, OfClip):
    """Learn an endless texture that moves like a clip."""

    rule: RuleConfig = RuleConfig(
        channels=12, filters=("identity", "sobel", "laplacian"), hidden=(64,), fire_rate=0.5, edge="circular",
        life="none",
    )  # fmt: skip
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig(
        steps=800, batch=3, pool=48, rollout=(4, 20), warmup=0, lr=2e-3, lr_drops=(0.5, 0.8), lr_factor=0.3,
        betas=(0.9, 0.99),
    )  # fmt: skip
    """Training parameters; `train.rollout` counts the cell steps before the window of frames that is compared."""

    def __post_init__(self) -> None:
        restyle.check(self)
        if not self.frames:
            raise UserError("frames is empty; give a folder of pictures, a video file, or sim:NAME", "frames")
        if self.rule.frozen:
            raise UserError("a moving texture grows from nothing: rule.frozen=0", "rule.frozen")
        if self.rule.fire_rate == 1:
            raise UserError(
                "a texture begins with cells that are all alike; with rule.fire_rate=1 they stay so", "rule.fire_rate"
            )
        if not self.look and not self.ot:
            raise UserError("look and ot are both 0: nothing would compare the frames", "look")


class Task(restyle.Task):
    """One clip."""

    keeps: ClassVar = {"frames": (torch.uint8, 4), "lengths": (torch.int64, 1), "fps": (torch.float64, 0)}
    also: ClassVar = (
        "moving_texture dynca video_texture motion_texture animated_texture dynamic_textures moving_textures fire "
        "water flow temporal_texture"
    )
    replaces: ClassVar = ("video", "texture")
    takes_over: ClassVar = ("frames", *FRAMES)
    judged: ClassVar = "measure"
    form: ClassVar = Form(
        "frames", "film", "What shall it move like?", "A clip full of one thing that moves: fire, water, smoke, grass.",
        first={"size": "The clip, in cells", "cells": "Size, in cells", "steps": "Cell steps a frame",
               "train.steps": "Iterations"},
        measure="value",
    )  # fmt: skip

    @classmethod
    def needs(cls, config: Any) -> Iterator[Need]:
        """The clip and the backbone."""
        yield Need("frames", "frames", {"frames": config.frames, **{key: getattr(config, key) for key in FRAMES}})
        if config.ot:
            yield from super().needs(config)

    @classmethod
    def words(cls, card: Card) -> Words:
        """Instructions for filming it."""
        run = f"runs/{card.name}"
        return Words(
            f"moves for ever like {card.config.frames}",
            (command("run", run, "-o", Path(f"{card.name}.gif"), "--frames", 100), command("eval", run)),
            (
                f"rule, layout = {base.loading(run)}",
                "x = pl.run(rule, layout.seed(1, (256, 256)), steps=400, seed=7)",
            ),
            "`sheet.png` (frames of the clip, and of its life at several ages)",
            "rub a hole into it",
            "sheet.png",
        )

    def leaves(self) -> Leaves:
        """Film of its life, and its frames beside the clip's."""
        return Moving(self._halves()[0], self.config.steps)

    def __init__(self, config: Config, device: torch.device, tensors: dict[str, Tensor] | None = None):
        super().__init__(config, Layout(), device, tensors)
        self.clips = self._clips()
        visible, (h, w) = self.clips.visible, self.clips.size
        if config.rule.channels < visible:
            raise UserError(f"rule.channels={config.rule.channels}: the clip's colours alone take {visible}")
        self.layout = Layout(visible, alpha=None, hidden=config.rule.channels - visible, offset=0.5)
        self.starts = self.clips.starts(LAGS[-1] + 1)
        if not self.starts or min(h, w) < SMALLEST:
            raise UserError(
                f"{config.frames}: {max(map(len, self.clips.clips))} frames of {w}x{h} are too few or too small for a "
                f"moving texture; it takes {LAGS[-1] + 1} of {SMALLEST}x{SMALLEST}"
            )
        if config.ot:
            picks = torch.linspace(0, len(self.starts) - 1, STYLED).round().long().unique().tolist()
            frames = torch.cat([self.clips.clips[c].stack(i, i + 1) for c, i in (self.starts[k] for k in picks)])
            self.style = Style(self.backbone, _rgb(frames.to(device)))

    def _clips(self) -> Clips:
        """Read the clip: as the checkpoint keeps it, else from its source."""
        config: Config = self.config
        if not self.tensors:
            clips = open_clips(config.frames, **{key: getattr(config, key) for key in FRAMES})
            self.tensors = clips.pack()
            if not self.tensors:
                return clips
        return unpacked(self.tensors, 0.0)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a sample."""
        return self.config.cells, self.config.cells

    def fresh(self, n: int, rng: torch.Generator) -> Batch:
        """Draw `n` grey ones, and windows of the clip to compare them with."""
        picks = torch.randint(len(self.starts), (WINDOWS,), generator=rng).tolist()
        windows = torch.stack([self.window(*self.starts[k]) for k in picks]).to(self.device)
        return Batch(self.layout.seed(n, self.size, device=self.device), target=windows)

    def window(self, clip: int, first: int) -> Tensor:
        """Frames of a window of the clip, `(len(LAGS), v, h, w)`."""
        return self.clips.clips[clip].stack(first, first + LAGS[-1] + 1)[list(LAGS)]

    def draw(self, old: Batch, new: Batch, rng: torch.Generator, progress: float) -> tuple[Batch, Tensor]:
        """Batch of samples from the pool, some of them new or damaged, with windows of the clip."""
        batch, order = super().draw(old, new, rng, progress)
        batch.target = new.target
        return batch, order

    def damage(self, x: State, rng: torch.Generator, progress: float) -> State:  # noqa: ARG002
        """Cut a round hole into some."""
        hole = discs(len(x), self.size, rng)
        hole &= (torch.rand(len(x), generator=rng) < DAMAGED).view(-1, 1, 1, 1)
        return torch.where(hole.to(x.device), 0.0, x)

    def length(self, drawn: int, progress: float) -> int:  # noqa: ARG002
        """Cell steps of an iteration: those drawn, then the window of frames."""
        return drawn + LAGS[-1] * self.config.steps

    def live(
        self,
        rule: nn.Module,
        batch: Batch,
        steps: int,
        *,
        seed: int,
        progress: float,  # noqa: ARG002
    ) -> tuple[State, dict[str, PerSample]]:
        """Run `steps` cell steps, and compare the last frames with the clip's."""
        config: Config = self.config
        assert batch.target is not None
        t = steps - LAGS[-1] * config.steps
        x = run(rule, batch.x, t, seed=seed, engine=config.train.engine)
        seen = [self.seen(x)]
        for early, late in itertools.pairwise(LAGS):
            ahead = (late - early) * config.steps
            x = run(rule, x, ahead, t=t, seed=seed, engine=config.train.engine)
            t += ahead
            seen.append(self.seen(x))
        look, motion = space_time_distance(torch.stack(seen, 1), batch.target, seed)
        terms = {"look": config.look * look, "motion": config.motion * motion}
        terms |= self.look(x, batch, seed)
        if config.overflow:
            terms["overflow"] = config.overflow * self.beyond(x)
        return x, terms

    def card(self) -> dict[str, Any]:
        """Cell steps per frame, and the length of the clip."""
        steps, frames = self.config.steps, max(len(clip) for clip in self.clips.clips)
        return {
            "frame": {"steps": steps, "solver": "euler"}, "length": min(1_000_000, frames * steps),
            "fps": self.clips.fps,
        }  # fmt: skip

    def look(self, x: State, batch: Batch, seed: int) -> dict[str, PerSample]:  # noqa: ARG002
        """Distance of single frames from the clip's, as the backbone sees them."""
        if not self.config.ot:
            return {}
        return {"transport": self.config.ot * self.style.transport(self.style.maps(_rgb(self.seen(x))), seed)}

    @torch.no_grad()
    def measure(self, rule: nn.Module) -> dict[str, float]:
        """Likeness of its life to the clip at several ages, and of what grows in a hole; nothing for a short clip.

        `look` and `motion` are distances from the two halves of the clip, divided by the distance of these from each
        other: at 1 it is as like the clip as the clip is like itself.
        """
        steps, engine = self.config.steps, self.config.train.engine
        halves = self._halves()
        count = len(halves[0])
        if count <= LAGS[-1]:
            return {}
        own, change = velocity(halves[0]), max(_change(halves[0]), LEAST)
        metrics = {"speed of the clip": math.hypot(*own)}
        grid = (halves[0].shape[2], halves[0].shape[3])
        x, t = self.layout.seed(1, grid, device=self.device), 0
        for age in MOMENTS:
            ahead = max(0, age - t)
            x, film = self._filmed(rule, run(rule, x, ahead, t=t, seed=1, engine=engine), t + ahead, count)
            t += ahead + (count - 1) * steps
            metrics |= {f"{name} at step {age}": ratio for name, ratio in ratios(film, halves).items()}
            drift = velocity(film)
            metrics[f"change at step {age}"] = _change(film) / change
            metrics[f"speed at step {age}"] = math.hypot(*drift)
            if math.hypot(*own) >= DRIFTS:
                metrics[f"degrees off at step {age}"] = _degrees(own, drift)
            metrics[f"largest number at step {age}"] = float(x.abs().max())
        hole = Damage("circle", (grid[1] / 2, grid[0] / 2, HOLE)).mask(grid).to(x.device)
        x = run(rule, torch.where(hole, 0.0, x), HEALED * steps, t=t, seed=1, engine=engine)
        x, film = self._filmed(rule, x, t + HEALED * steps, count)
        inside = [film[..., hole].var(2).mean(), torch.cat(halves)[..., hole].var(2).mean()]
        metrics[f"contrast in a hole after {HEALED} frames"] = float(inside[0] / inside[1].clamp(min=LEAST))
        return metrics

    @classmethod
    def verdict(cls, metrics: Mapping[str, float]) -> str:
        """How much it looks and moves like the clip in the end, in a line."""
        age = MOMENTS[-1]
        looks, moves = (metrics.get(f"{name} at step {age}") for name in ("look", "motion"))
        if looks is None or moves is None:
            return ""
        speed, own = metrics.get(f"speed at step {age}", 0.0), metrics.get("speed of the clip", 0.0)
        off = metrics.get(f"degrees off at step {age}")
        drift = "" if off is None else f"; drifts {speed:.2f} cells a frame ({own:.2f}), {off:.0f} degrees off"
        return (
            f"after {age:,} steps it looks {looks:.2g} and moves {moves:.2g} times as far from the clip as the clip's "
            f"halves are from each other{drift}"
        )

    def _halves(self) -> tuple[Tensor, Tensor]:
        """First and last frames of the longest clip, without their rims where they are large: `(n, v, h, w)` each."""
        clip = max(self.clips.clips, key=len)
        n = min(len(clip) // 2, MEASURED)
        (h, w), side = self.clips.size, LARGEST
        rows, columns = (slice((k - min(k, side)) // 2, (k + min(k, side)) // 2) for k in (h, w))
        first, last = clip.stack(0, n), clip.stack(len(clip) - n, len(clip))
        return first[..., rows, columns].to(self.device), last[..., rows, columns].to(self.device)

    def _filmed(self, rule: nn.Module, x: State, t: int, count: int) -> tuple[State, Tensor]:
        """Film `count` frames of a life, from `x` at step `t` on: its last state, and the frames `(count, v, h, w)`."""
        steps, film = self.config.steps, [self.layout.picture(x)]
        for k in range(count - 1):
            x = run(rule, x, steps, t=t + k * steps, seed=1, engine=self.config.train.engine)
            film.append(self.layout.picture(x))
        return x, torch.cat(film).clamp(0, 1)


def _rgb(frames: Tensor) -> Tensor:
    """Colours of grey frames; others as they are."""
    return frames.expand(-1, 3, -1, -1) if frames.shape[1] == 1 else frames


def _apart(mine: Tensor, theirs: Tensor) -> tuple[float, float]:
    """Distance of a film from another in look and in motion, the mean of several sets of filters."""
    ours, clip = _windows(mine), _windows(theirs)
    found = [torch.cat(space_time_distance(ours, clip, seed, pooled=True, most=SEEN)) for seed in range(SETS)]
    look, motion = torch.stack(found).mean(0).tolist()
    return look, motion


def _windows(film: Tensor) -> Tensor:
    """All windows of a film."""
    return torch.stack([film[[k + lag for lag in LAGS]] for k in range(len(film) - LAGS[-1])])


def ratios(film: Tensor, halves: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Distances of a film from both halves of the clip, relative to those of the halves from each other."""
    of_film = [_apart(film, half) for half in halves]
    of_clip = [_apart(halves[1], halves[0]), _apart(*halves)]
    return {
        name: sum(pair[k] for pair in of_film) / max(sum(pair[k] for pair in of_clip), LEAST)
        for k, name in enumerate(("look", "motion"))
    }


def _change(film: Tensor) -> float:
    """Mean squared change from frame to frame."""
    return float((film[1:] - film[:-1]).square().mean())


def _degrees(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Angle between two directions, in degrees."""
    apart = math.degrees(math.atan2(a[1], a[0]) - math.atan2(b[1], b[0]))
    return abs((apart + 180) % 360 - 180)
