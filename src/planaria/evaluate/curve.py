"""Curve: the error of a prediction by the number of frames ahead."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from planaria.core.layout import Layout
from planaria.engine import run
from planaria.engine.context import charge
from planaria.errors import UserError
from planaria.losses.quality import decibels, ssim

NUMBERS = 2**23
"""Largest number of values in the states of one batch."""

Frames = Float[Tensor, "n v h w"]
"""Consecutive frames, in 0..1."""
Shown = Float[Tensor, "b v h w"]
"""Predicted pictures for several starts, in 0..1."""
Guess = Callable[[int, int], Shown]
"""`guess(keep, horizon)`: the pictures that follow the first `keep` starts; horizons come in rising order."""
Progress = Callable[[str, int, int], None]
"""`progress(what, done, of)`: reports how many frames of a part of the work are done."""


@dataclass(frozen=True)
class Curve:
    """Errors by horizon, each a mean over `starts` starts."""

    horizons: tuple[int, ...]
    """Frames from the last one shown to the one predicted."""
    starts: tuple[int, ...]
    """Number of starts that each horizon is a mean of."""
    mse: tuple[float, ...]
    """Mean squared difference of pictures in 0..1."""
    ssim: tuple[float, ...]
    """Structural similarity, 1 for the same picture."""

    @property
    def psnr(self) -> tuple[float, ...]:
        """Peak signal-to-noise ratio of the mean squared error in decibels, at most 100."""
        return tuple(decibels(torch.tensor(self.mse, dtype=torch.double)).tolist())


def as_seen(picture: Float[Tensor, "... h w"]) -> Float[Tensor, "... h w"]:
    """A picture as a viewer shows it: clamped to 0..1, and black where it is not a number."""
    return picture.nan_to_num().clamp(0, 1)


def fitting(horizons: Sequence[int], frames: int, start: int) -> tuple[int, ...]:
    """The horizons, in rising order, that some held-out frame (`start` and later) allows."""
    if any(h < 1 for h in horizons):
        raise UserError(f"a horizon is 1 frame or more, got {min(horizons)}")
    return tuple(h for h in sorted(set(horizons)) if h <= frames - start)


def horizon_curve(
    rule: nn.Module,
    layout: Layout,
    frames: Frames,
    *,
    context: int,
    steps: int,
    start: int,
    horizons: Sequence[int] = (1, 2, 5, 10, 20, 50),
    noise: float = 0.0,
    most: int | None = None,
    seed: int = 0,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Curve:
    """Measure the free roll-out of a video model against the truth, from every held-out start.

    A start is a frame `i` from `start - 1` on: the state is charged with the true frames `i - context + 1` to `i`, runs
    `steps` cell steps a frame, and is compared with the true frame `i + horizon` as a viewer shows it. `noise` is the
    standard deviation of what is added to the frames that charge it; `most` takes so many starts at most, spread
    evenly. Horizons that the frames from `start` on can't hold are left out. Cheap enough for validation with two
    horizons and a few starts. Raises `UserError` where nothing can be measured.
    """
    check(layout, frames, context=context, start=start)
    device = next(rule.parameters(), frames).device
    rng = torch.Generator().manual_seed(seed)
    reached = 0

    @torch.no_grad()
    def begin(at: Tensor) -> Guess:
        clip = frames[at[:, None] + torch.arange(1 - context, 1)]
        if noise:
            clip = clip + noise * torch.randn(clip.shape, generator=rng).to(clip)
        x, now = charge(rule, layout, clip.to(device), steps, seed=seed, engine=engine), 0

        @torch.no_grad()
        def guess(keep: int, horizon: int) -> Shown:
            nonlocal x, now, reached
            x = run(rule, x[:keep], (horizon - now) * steps, t=now * steps, seed=seed, engine=engine)
            reached += keep * (horizon - now)
            now = horizon
            if progress is not None:
                progress("held-out starts", reached, whole)
            return as_seen(layout.picture(x)).to(frames)

        return guess

    kept = fitting(horizons, len(frames), start)
    starts = _starts(len(frames), start, kept, most)
    lengths = [max((h for h in kept if i + h < len(frames)), default=0) for i in starts.tolist()]
    whole = sum(lengths)
    return _measured(frames, kept, starts, begin, layout.channels * context)


def copy_last(frames: Frames, *, start: int, horizons: Sequence[int], most: int | None = None) -> Curve:
    """Errors of repeating the last frame, over the starts of `horizon_curve`."""
    kept = fitting(horizons, len(frames), start)

    def begin(at: Tensor) -> Guess:
        return lambda keep, horizon: frames[at[:keep]]  # noqa: ARG005

    return _measured(frames, kept, _starts(len(frames), start, kept, most), begin, frames.shape[1])


def linear(frames: Frames, *, start: int, horizons: Sequence[int], most: int | None = None) -> Curve:
    """Errors of linear extrapolation of two frames, by cell, within 0..1; over the starts of `horizon_curve`."""
    kept = fitting(horizons, len(frames), start)
    if start < 2:
        raise UserError(f"a line needs two frames before the first held-out one, got {start}")

    def begin(at: Tensor) -> Guess:
        last, change = frames[at], frames[at] - frames[at - 1]
        return lambda keep, horizon: (last[:keep] + horizon * change[:keep]).clamp(0, 1)

    return _measured(frames, kept, _starts(len(frames), start, kept, most), begin, 3 * frames.shape[1])


@torch.no_grad()
def roll_out(
    rule: nn.Module,
    layout: Layout,
    clip: Frames,
    steps: int,
    count: int,
    *,
    seed: int = 0,
    engine: str = "auto",
) -> Iterator[Float[Tensor, "1 v h w"]]:
    """The `count` pictures that a model predicts after the frames `clip`, unclamped, one after the other."""
    device = next(rule.parameters(), clip).device
    x = charge(rule, layout, clip[None].to(device), steps, seed=seed, engine=engine)
    for k in range(count):
        x = run(rule, x, steps, t=k * steps, seed=seed, engine=engine)
        yield layout.picture(x)


def check(layout: Layout, frames: Frames, *, context: int, start: int) -> None:
    """Raise `UserError` unless a model of `layout` can be measured on the frames from `start` on."""
    n, visible = frames.shape[:2]
    names = {1: "grey", 3: "in colour", 4: "RGBA"}
    if visible != layout.visible:
        raise UserError(
            f"the frames are {names.get(visible, f'of {visible} channels')}, the model's {names[layout.visible]}"
        )
    if context < 1:
        raise UserError(f"a context is 1 frame or more, got {context}")
    if not max(context, 2) <= start < n:
        raise UserError(
            f"held-out frames from {start} on, of {n}: {max(context, 2)} frames must come before them, and one be there"
        )


def _starts(count: int, start: int, horizons: Sequence[int], most: int | None) -> Tensor:
    """Indices of the last frame that each start shows, in rising order."""
    every = torch.arange(start - 1, count - min(horizons, default=count - start + 1))
    if most is None or len(every) <= most:
        return every
    return every[torch.linspace(0, len(every) - 1, max(1, most)).round().long()]


def _measured(
    frames: Frames, horizons: tuple[int, ...], starts: Tensor, begin: Callable[[Tensor], Guess], channels: int
) -> Curve:
    """Errors of the predictions of `begin` over all starts, in batches; a start holds `channels` numbers a cell."""
    count, cells = len(frames), frames.shape[2] * frames.shape[3]
    held = dict.fromkeys(horizons, 0)
    errors, similarity = dict.fromkeys(horizons, 0.0), dict.fromkeys(horizons, 0.0)
    for at in starts.split(max(1, NUMBERS // (channels * cells))) if horizons else ():
        guess = begin(at)
        for horizon in horizons:
            keep = int((at + horizon < count).sum())
            if not keep:
                break
            made, truth = guess(keep, horizon), frames[at[:keep] + horizon]
            held[horizon] += keep
            errors[horizon] += float((made - truth).double().square().mean((1, 2, 3)).sum())
            similarity[horizon] += float(ssim(made, truth).double().sum())
    found = [h for h in horizons if held[h]]
    return Curve(
        tuple(found), tuple(held[h] for h in found), tuple(errors[h] / held[h] for h in found),
        tuple(similarity[h] / held[h] for h in found),
    )  # fmt: skip
