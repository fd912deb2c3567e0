"""Evaluation: the accuracy of a video model, measured on a film. Numbers, not judgements."""

from collections.abc import Sequence

import torch
from torch import nn

from planaria.core.layout import Layout
from planaria.evaluate.curve import (
    Curve,
    Frames,
    Progress,
    check,
    copy_last,
    fitting,
    horizon_curve,
    linear,
)
from planaria.evaluate.films import held_out
from planaria.evaluate.judging import judge
from planaria.evaluate.life import Life
from planaria.evaluate.scores import Scores, Whole
from planaria.evaluate.starts import SIZES, UNSEEN, Change
from planaria.evaluate.statistics import Likeness, Stats, compare, measure
from planaria.evaluate.verdict import Course

__all__ = ["Curve", "Frames", "Likeness", "Scores", "Stats", "Whole", "evaluate", "held_out", "horizon_curve"]

HORIZONS = (1, 2, 5, 10, 20, 50)
"""Frames ahead."""
NOISE = (0.05, 0.1, 0.2)
"""Standard deviations of the noise added to the frames that charge the state."""
TIMES = 10
"""Length of the long run, in lengths of the film."""
LIFE = 100
"""Frames of a run from an unseen start at most; no more than the film has."""


@torch.no_grad()
def evaluate(
    rule: nn.Module,
    layout: Layout,
    frames: Frames,
    *,
    context: int,
    steps: int,
    start: int,
    horizons: Sequence[int] = HORIZONS,
    times: int = TIMES,
    seed: int = 0,
    engine: str = "auto",
    progress: Progress | None = None,
    course: Course | None = None,
) -> Scores:
    """Measure a video model on a film `(n, visible, h, w)` in 0..1, whose frames from `start` on it was not trained on.

    The model is shown `context` frames and then runs freely, `steps` cell steps a frame. `times` is how many times
    longer than the film the long runs are (that of the verdict has 1,000 frames at least); 0 leaves them out. `seed`
    draws noise, unseen starts, and cells that fire. Raises `UserError` where the film doesn't fit the model or holds
    too few frames. `course` is that of the verdict, where it was measured before.
    """
    check(layout, frames, context=context, start=start)
    kept = fitting(horizons, len(frames), start)
    asked = {"start": start, "horizons": kept, "seed": seed, "engine": engine, "progress": progress, "steps": steps}
    model = horizon_curve(rule, layout, frames, context=context, **asked)
    noise = {f"{s:g}": horizon_curve(rule, layout, frames, context=context, noise=s, **asked) for s in NOISE}
    if context > 1:
        noise["alone"] = horizon_curve(rule, layout, frames, context=1, **asked)
    life = Life(rule, layout, steps, seed, engine, progress)
    verdict = judge(life, frames, context, times, course)
    whole, film = life.whole(frames, context)
    alone = life.whole(frames, 1)[0] if context > 1 else whole
    data = measure(frame[None] for frame in frames)
    long = life.long(frames[:context], times, len(frames))
    count = min(LIFE, len(frames))

    def lives(changes: dict[str, Change]) -> dict[str, Likeness]:
        clip = frames[start - context : start]
        return {name: compare(life.later(change(clip, seed), count, name), data) for name, change in changes.items()}

    return Scores(
        frames=len(frames), size=(frames.shape[2], frames.shape[3]), start=start, context=context, steps=steps,
        left_out=tuple(sorted(set(horizons) - set(kept))), model=model,
        still=copy_last(frames, start=start, horizons=kept), line=linear(frames, start=start, horizons=kept),
        noise=noise, whole=whole, alone=alone, data=data,
        long=tuple(compare(window, data) for window in long), late=long[-1] if long else None,
        unseen=lives(UNSEEN), sizes=lives(SIZES), verdict=verdict, film=film,
        burst=min((life.bursts[run] for run in ("whole video", "long run") if run in life.bursts), default=None),
    )  # fmt: skip
