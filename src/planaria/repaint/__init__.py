"""Repaint: photos and films of any size repainted by a trained rule, and textures of any size."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from planaria.commands import command
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.core.solve import Solver
from planaria.errors import UserError
from planaria.health import Health
from planaria.living import Living
from planaria.repaint.canvas import Canvas
from planaria.repaint.drift import Drift

STEPS, TEXTURE_STEPS, FRAME_STEPS = 60, 300, 8
"""Default numbers of cell steps: for a photo, a texture, and each frame of a film after the first."""
CUT = 0.1
"""Mean difference of two frames, each averaged to a few large cells, above which they may be two scenes."""
SPIKE = 2.5
"""Smallest ratio of a cut's difference to the smaller of the two before it: quick motion is no cut."""
GLANCE = 12
"""Number of rows and columns of the large cells."""

Watch = Callable[[Iterable[Any]], Iterable[Any]]


def check(living: Living, typed: str) -> None:
    """Raise `UserError` unless `living`, found by the name `typed`, repaints photos or makes textures."""
    rule = living.rule.rule if isinstance(living.rule, Solver) else living.rule
    if not isinstance(rule, Rule):
        is_for = "is a simulator"
    elif living.layout.alpha is not None or rule.config.life != "none":
        is_for = "grows from a seed"
    elif not living.layout.photo and living.card.frame is not None:
        is_for = "goes on with a video"
    else:
        return
    raise UserError(
        f"{typed!r} {is_for}; it repaints no photo and makes no texture. To see it live: {command('run', typed)}"
    )


def canvas_for(
    what: Living | tuple[nn.Module, Layout],
    size: tuple[int, int],
    *,
    seed: int = 0,
    engine: str | None = None,
    cells: int | None = None,
) -> Canvas:
    """Make a `Canvas` of `size` rows and columns for something to run, a model, or a rule and its layout."""
    rule, layout = (what.rule, what.layout) if isinstance(what, Living) else what
    engine = engine or (what.engine if isinstance(what, Living) else "auto")
    return Canvas(rule, layout, size, seed=seed, engine=engine, cells=cells)


def repaint(
    what: Living | tuple[nn.Module, Layout],
    photo: Tensor,
    steps: int = STEPS,
    *,
    seed: int = 0,
    engine: str | None = None,
    cells: int | None = None,
    watch: Watch = iter,
) -> Tensor:
    """Repaint `photo` `(layout.photo, h, w)` by a rule in `steps` steps: `(3, h, w)`.

    uint8 gives uint8; values in 0..1 give such. `seed` draws the hidden channels and which cells fire. It is
    stepped about `cells` cells at a time, which changes the memory it takes and no number: see `Canvas`. `watch` can
    report the steps as they are made. Raises `UserError` for a photo or a rule that doesn't fit.
    """
    made = canvas_for(what, (photo.shape[1], photo.shape[2]), seed=seed, engine=engine, cells=cells)
    made.begin(photo)
    for _ in watch(range(steps)):
        made.step()
    shown = _seen(made, photo)
    warn_of(made, what)
    return shown


def repaint_film(
    what: Living | tuple[nn.Module, Layout],
    frames: Iterable[Tensor],
    *,
    steps: int = STEPS,
    frame_steps: int = FRAME_STEPS,
    seed: int = 0,
    restart: bool = False,
    follow: bool = True,
    engine: str | None = None,
    cells: int | None = None,
) -> Iterator[Tensor]:
    """Repaint `frames` by a rule, each as `repaint` takes and gives it, one after the other.

    The state is carried: from a frame to the next the frozen channels get the new frame, and what the cells show and
    hide lives on for `frame_steps` steps; with `follow` it first goes where what it had painted has gone, see `Drift`.
    The first frame, and the first after a cut (see `Cuts`), begins anew and gets `steps`; with `restart` every frame
    does.
    """
    made, cuts, drift, warned = None, Cuts(), Drift(), False
    for frame in frames:
        fresh = cuts.between(frame) or restart
        came = drift.into(frame) if follow and not restart else None
        if made is None:
            made = canvas_for(what, (frame.shape[1], frame.shape[2]), seed=seed, engine=engine, cells=cells)
        if fresh:
            made.begin(frame)
        else:
            if came is not None:
                made.carry(came)
            made.expose(frame)
        made.step(steps if fresh else frame_steps)
        shown = _seen(made, frame)
        warned = warned or warn_of(made, what)
        yield shown


def warn_of(made: Canvas, what: Living | tuple[nn.Module, Layout]) -> bool:
    """Warn if the cells have burst; true if they have."""
    if made.burst is not None:
        health = Health.of(what) if isinstance(what, Living) else Health()
        warnings.warn(health.burst(made.burst), stacklevel=2)
    return made.burst is not None


class Cuts:
    """Detector of the cuts between a film's scenes, by the frames so far.

    Frames are compared after they were averaged to 12 x 12 large cells, so that what moves a little, or noise,
    hardly matters. A cut is a mean difference above 0.1 that is also 2.5 times the smaller one of the two before it: so
    a flash is two cuts, and quick motion is none in most frames.
    """

    def __init__(self) -> None:
        self._last: Tensor | None = None
        self._moved: deque[float] = deque(maxlen=2)

    def between(self, frame: Tensor) -> bool:
        """True if a scene begins with `frame` `(v, h, w)`, uint8 or in 0..1; the first frame begins one."""
        shown = frame.float() / 255 if frame.dtype == torch.uint8 else frame
        glance = F.adaptive_avg_pool2d(shown, (GLANCE, GLANCE))
        if self._last is None or glance.shape != self._last.shape:
            self._last = glance
            return True
        moved = float((glance - self._last).abs().mean())
        cut = moved > max(CUT, SPIKE * min(self._moved, default=0.0))
        self._last = glance
        self._moved.append(moved)
        return cut


def _seen(made: Canvas, photo: Tensor) -> Tensor:
    """Visible picture, in the data type of the photo."""
    return made.picture() if photo.dtype == torch.uint8 else made.rgb()
