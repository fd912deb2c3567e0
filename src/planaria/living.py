"""Living: something to run, found by its name, and its initial state."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from planaria import store
from planaria.core.infection import combine, infectable, strains
from planaria.core.layout import Layout, tiled
from planaria.core.rule import Rule
from planaria.core.solve import Solver
from planaria.data import images
from planaria.data.patterns import is_pattern
from planaria.data.video import FILMS
from planaria.engine import door
from planaria.engine.context import charge
from planaria.errors import UserError
from planaria.store import Saved
from planaria.store.cards import Card, Settings
from planaria.store.run_folder import RunFolder
from planaria.types import Picture, State
from planaria.world import World

SIMULATED = "sim:"
"""Prefix of the name of a known automaton, which needs no model."""
LEAST = 8
"""Fewest cells on a side of a grid in the shape of a photo."""


@dataclass(frozen=True)
class Living:
    """Something to run, on a grid, from an initial state."""

    rule: nn.Module
    """Module with Rule's call signature."""
    layout: Layout
    size: tuple[int, int]
    """Rows and columns."""
    start: State | None
    """Initial state, `(1, c, h, w)`; the seed cell if None."""
    model: Saved | None
    """Model that it was made from; None for a simulator."""
    name: str
    frame: int = 1
    """Cell steps from frame to frame; 1 if it has no frames."""
    engine: str = "auto"

    @property
    def card(self) -> Card:
        """Card of the model; empty if there is no model."""
        return self.model.card if self.model is not None else Card()

    @property
    def path(self) -> Path | None:
        """Path of the model file, if there is one."""
        return self.model.path if self.model is not None else None

    @property
    def learned_film(self) -> bool:
        """True if it learned a film, so that its time is counted in frames."""
        return self.frame > 1 or self.card.frame is not None

    def world(self, *, seed: int = 0) -> World:
        """Make a live run of it with a brush."""
        return World(self.rule, self.layout, self.size, seed=seed, start=self.start, engine=self.engine)


def find(
    what: str | Path | Saved,
    *,
    size: int | tuple[int, int] | None = None,
    start: str | Path | State | None = None,
    seed: int = 0,
    solver: str | None = None,
    engine: str = "auto",
) -> Living:
    """Find what `what` names: a model, a model file, a run folder, a model of the gallery, or `sim:NAME`.

    `start` is None (as the model says, else the seed cell), `seed`, `random`, any picture of `data.images`, a folder
    of frames or a film, whose first frames are the context of a video model, `first` for those of the film that it
    learned, or, of `sim:life`, a pattern (.rle, .cells), or a state `(1, c, h, w)`. `size` is that of its training if
    None, and of a state its own; for a photo that is to be repainted, as many cells in the photo's shape. `solver`
    takes the rule's steps (`core.solve`), as it was trained if None. Raises `UserError`.
    """
    grid = (size, size) if isinstance(size, int) else size
    if not isinstance(start, str | Path | None):
        grid = door.state(start, "a start").shape[2], start.shape[3]
    if not isinstance(what, Saved) and str(what).startswith(SIMULATED):
        return _simulated(str(what), grid, start, seed, solver, engine)
    model = what if isinstance(what, Saved) else store.read(what)
    if grid is None:
        posed = model.layout.photo and start not in (None, "seed", "random")
        grid = shape_of(str(start), model.size[0] * model.size[1]) if posed else model.size
    if start is None:
        return prepare(model, grid, seed=seed, solver=solver, engine=engine)
    living = prepare(replace(model, start=None), grid, seed=seed, solver=solver, engine=engine)
    if isinstance(start, Tensor):
        return replace(living, start=start, model=model)
    if start == "first":
        charged = charge(living.rule, model.layout, _first(model, grid)[None], living.frame, engine=engine)
        return replace(living, start=charged, model=model)
    shown = {"context": model.card.config, "frame": living.frame}
    begun = begin(living.rule, model.layout, grid, start, seed=seed, engine=engine, **shown)
    return replace(living, start=begun, model=model)


def prepare(
    model: Saved,
    size: tuple[int, int] | None = None,
    *,
    seed: int = 0,
    solver: str | None = None,
    engine: str = "auto",
) -> Living:
    """Make something to run from a model, on the grid that it was trained on if `size` is None.

    If it begins with a photo to be repainted, `seed` is that of the hidden channels.
    """
    frame, solver, size = model.card.frame_steps, solver or model.card.solver, size or model.size
    module = model.rule if solver == "euler" else Solver(model.rule, solver)
    with torch.no_grad():
        x, frames, layout = None, model.start, model.layout
        if frames is not None and layout.photo:
            x = layout.pose(tiled(frames[-1:], size), seed=seed)
        elif frames is not None:
            x = charge(module, layout, tiled(frames, size)[None], frame, engine=engine)
    return Living(module, layout, size, x, model, model.name, frame, engine)


def infected(
    living: Living,
    virus: str | Path,
    *,
    delay: int | None = None,
    recovery: int | None = None,
    chance: float | None = None,
) -> Living:
    """Combine `living` with the rule of `virus`, which runs in the infected cells (`World.infect`) and in no others.

    `virus` is a model as for `find`: of one that was trained to infect, its virus. It spreads as that was trained to,
    else by contact; `delay`, `recovery` and `chance` are those of `core.infection.Spread`. Raises `UserError` where
    the two don't fit.
    """
    model = living.model
    if model is None or not isinstance(living.rule, Rule):
        raise UserError(f"{living.name} is no plain rule, and only one can be infected")
    host, layout, _, _ = strains(living.rule, living.layout, model.spread)
    theirs = store.read(virus)
    _, _, guest, spread = strains(theirs.rule, theirs.layout, theirs.spread)
    changed = {"delay": delay, "recovery": recovery, "chance": chance}
    spread = replace(spread, **{key: n for key, n in changed.items() if n is not None})
    laid, start = infectable(layout, spread), living.start
    if start is not None:
        start = F.pad(start[:, : layout.channels], (0, 0, 0, 0, 0, laid.channels - layout.channels))
    model = replace(model, card=replace(model.card, share=theirs.card.config.share), spread=spread)
    return replace(living, rule=combine(host, guest, spread), layout=laid, start=start, model=model)


def begin(
    rule: nn.Module,
    layout: Layout,
    size: tuple[int, int],
    start: str | Path,
    *,
    seed: int = 0,
    context: Settings | None = None,
    frame: int = 1,
    engine: str = "auto",
) -> State | None:
    """Initial state of a run: `seed` (None), `random`, a picture, or frames that charge the hidden channels.

    `context` are settings of the training, which say how frames are opened and how many are shown.
    """
    if start == "seed":
        return None
    if start == "random":
        world = World(rule, layout, size, seed=seed)
        world.randomise()
        return world.x
    if layout.palette:
        return layout.embed(layout.labelled(fitted(str(start), size, 4, layout.alpha is not None)))
    if layout.visible != 4 and not layout.photo and _many(start):
        return charge(rule, layout, _frames(start, layout, size, context or Settings())[None], frame, engine=engine)
    if layout.photo:
        return layout.pose(exposed(layout, size, str(start))[None], seed=seed)
    return layout.embed(fitted(str(start), size, layout.visible, layout.alpha is not None))


def exposed(layout: Layout, size: tuple[int, int], source: str) -> Picture:
    """Picture for the frozen channels of `layout`, `(photo, h, w)`: it covers the grid."""
    if layout.photo not in (1, 3, 4):
        raise UserError(f"this model has {layout.photo} frozen channels; a picture fills 1, 3 or 4")
    return fitted(source, size, layout.photo, False)


def shape_of(source: str, cells: int) -> tuple[int, int]:
    """Rows and columns of a grid in the shape of a picture, about `cells` in all, no side of fewer than 8."""
    wide, high = images.open_image(source).size
    longest = math.sqrt(cells * max(wide, high) / min(wide, high))
    sides = (max(LEAST, round(longest * side / max(wide, high))) for side in (high, wide))
    rows, columns = (min(side, images.LARGEST) for side in sides)
    return rows, columns


def fitted(source: str, size: tuple[int, int], channels: int, within: bool) -> Picture:
    """Fit a picture to the grid, `(channels, h, w)`: whole and centred if `within`; else covering all, cropped."""
    h, w = size
    there = images.open_image(source).size
    ratios = w / there[0], h / there[1]
    side = max(there) * (min(ratios) if within else max(ratios))
    longest = max(1, math.floor(side + 1e-6) if within else math.ceil(side - 1e-6))
    if longest > images.LARGEST:
        raise UserError(f"{source!r} is too narrow for {h}x{w} cells; crop it first")
    rgba = images.picture(source, longest)
    have_h, have_w = rgba.shape[1:]
    top, left = (h - have_h) // 2, (w - have_w) // 2
    full = torch.zeros(4, h, w)
    cut = rgba[:, max(0, -top) : max(0, -top) + h, max(0, -left) : max(0, -left) + w]
    full[:, max(0, top) : max(0, top) + cut.shape[1], max(0, left) : max(0, left) + cut.shape[2]] = cut
    if channels == 4:
        return full
    rgb = full[:3] + 1 - full[3]
    return rgb if channels == 3 else (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0, keepdim=True)


def _simulated(
    what: str,
    size: tuple[int, int] | None,
    start: str | Path | State | None,
    seed: int,
    solver: str | None,
    engine: str,
) -> Living:
    from planaria.data import simulate

    if solver is not None:
        raise UserError(f"{what} has a way of its own to take steps; leave out the solver")
    laid = isinstance(start, str | Path) and is_pattern(str(start)) and bool(re.match(rf"{SIMULATED}life\b", what))
    rule = simulate.load(what.removeprefix(SIMULATED), **({"start": str(start)} if laid else {}))
    grid = size or rule.size
    if isinstance(start, Tensor):
        x = start
    elif start is None or start == "seed" or laid:
        x = rule.start(1, grid, seed)
    else:
        x = begin(rule, rule.layout, grid, start, seed=seed, engine=engine)
    return Living(rule, rule.layout, grid, x, None, what, rule.frame, engine)


def _many(start: str | Path) -> bool:
    many = (*FILMS, ".gif")
    return Path(start).is_dir() or str(start).lower().endswith(many) or str(start).startswith(SIMULATED)


def _frames(source: str | Path, layout: Layout, size: tuple[int, int], context: Settings) -> Tensor:
    """Read the first frames of `source`, fitted to the grid, `(n, visible, h, w)`."""
    from planaria.data.frames import open_frames

    film = open_frames(
        str(source), size=max(size) if context.size is None else context.size, every=context.every, crop=context.crop,
        count=context.context, colour="grey" if layout.visible == 1 else "rgb",
    )  # fmt: skip
    return tiled(film.stack(0, len(film)), size)


def _first(model: Saved, size: tuple[int, int]) -> Tensor:
    """Read the first frames of the film that `model` learned, fitted to the grid, `(n, visible, h, w)`."""
    from planaria.data.clips import open_clips

    config = model.card.config
    if not config.frames:
        raise UserError(f"{model.name} doesn't say which video it learned; name a picture or frames to begin from")
    made = config.frames.startswith(SIMULATED)  # to measure, and grey
    clips = open_clips(
        config.frames, count=config.count, size=config.size or 0, every=config.every,
        crop="none" if made else config.crop, colour="auto" if made else "grey" if model.layout.visible == 1 else "rgb",
    )  # fmt: skip
    if clips.visible != model.layout.visible:
        raise UserError(f"{config.frames} has {clips.visible} channels, {model.name} {model.layout.visible}")
    return tiled(clips.clips[0].stack(0, max(1, min(config.context, len(clips.clips[0])))), size)


def stopped(card: Card, path: Path | None = None) -> str:
    """Note `stopped at iteration 68 of 1,200`, if a card is of a training that hasn't finished; else nothing.

    One that goes on, in the folder of the model file `path`, is reported as `at iteration 68 of 1,200, still training`.
    """
    done, whole = card.trained, card.config.train.steps
    if done is None or whole is None or not 0 <= done < whole:
        return ""
    at = f"at iteration {done:,} of {whole:,}"
    return f"{at}, still training" if path is not None and RunFolder(path.parent).trains else f"stopped {at}"
