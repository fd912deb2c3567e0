"""Living: what a name stands for when it is to be run, and the state that its life begins with."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from planaria.engine.context import charge
from planaria.errors import UserError
from planaria.store import live
from planaria.types import Picture, State
from planaria.world import World

SIMULATED = "sim:"
"""What the name of a known automaton begins with, which needs no model."""
LEAST = 8
"""Cells that a side of a grid in the shape of a photo has at least."""


@dataclass(frozen=True)
class Living:
    """Something to run, on a grid, from a start."""

    rule: nn.Module
    """Anything with Rule's call signature."""
    layout: Layout
    size: tuple[int, int]
    """Rows and columns."""
    start: State | None
    """Where a life begins, `(1, c, h, w)`; the seed cell where None."""
    card: Mapping[str, Any]
    """What the model file says of itself; empty where there is none."""
    name: str
    frame: int = 1
    """Cell steps from frame to frame; 1 where it has none."""
    engine: str = "auto"
    path: Path | None = None
    """Its model file, where it has one."""

    def world(self, *, seed: int = 0) -> World:
        """A live run of it with a brush."""
        return World(self.rule, self.layout, self.size, seed=seed, start=self.start, engine=self.engine)


def find(
    what: str | Path,
    *,
    size: int | tuple[int, int] | None = None,
    start: str | Path | None = None,
    seed: int = 0,
    solver: str | None = None,
    engine: str = "auto",
) -> Living:
    """What `what` stands for: a model file, a run folder, a model of the gallery, or `sim:NAME`.

    `start` is None (as the model says, else the seed cell), `seed`, `random`, any picture of `data.images`, a folder
    of frames or a film, whose first frames are the context of a video model, or, of `sim:life`, a pattern (.rle,
    .cells). `size` is that of its training where None; for a photo that is to be repainted, as many cells in the
    photo's shape. `solver` takes the rule's steps (`core.solve`), as it was trained where None. Raises `UserError`.
    """
    grid = (size, size) if isinstance(size, int) else size
    if str(what).startswith(SIMULATED):
        return _simulated(str(what), grid, start, seed, solver, engine)
    path = store.model_path(what)
    rule, layout = store.load(path)
    told = store.card(path)
    if grid is None:
        trained = store.trained_size(path)
        posed = layout.photo and start not in (None, "seed", "random")
        grid = shape_of(str(start), trained[0] * trained[1]) if posed else trained
    name = str(told.get("name") or (path.resolve().parent.name if path.name == "model.safetensors" else path.stem))
    frames = store.start(path) if start is None else None
    living = wake(rule, layout, told, frames, grid, name=name, seed=seed, solver=solver, engine=engine)
    living = replace(living, path=path)
    if start is None:
        return living
    shown = {"context": _context(told), "frame": living.frame}
    return replace(living, start=begin(living.rule, layout, grid, start, seed=seed, engine=engine, **shown))


def wake(
    rule: Rule,
    layout: Layout,
    card: Mapping[str, Any],
    frames: Tensor | None,
    size: tuple[int, int],
    *,
    name: str = "",
    seed: int = 0,
    solver: str | None = None,
    engine: str = "auto",
) -> Living:
    """A model in memory as something to run; `frames` `(n, visible, h, w)` are what its life begins with, if any.

    Where they are a photo to be repainted, `seed` is that of the hidden channels.
    """
    frame, solver = frame_steps(card), solver or solver_of(card)
    module = rule if solver == "euler" else Solver(rule, solver)
    with torch.no_grad():
        x = None
        if frames is not None and layout.photo:
            x = layout.pose(tiled(frames[-1:], size), seed=seed)
        elif frames is not None:
            x = charge(module, layout, tiled(frames, size)[None], frame, engine=engine)
    return Living(module, layout, size, x, card, name, frame, engine)


def infected(
    living: Living,
    virus: str | Path,
    *,
    delay: int | None = None,
    recovery: int | None = None,
    chance: float | None = None,
) -> Living:
    """`living` with the rule of `virus` in the cells that are infected (`World.infect`), and in no others.

    `virus` is a model as for `find`: of one that was taught to infect, its virus. It spreads as that was taught to,
    else by contact; `delay`, `recovery` and `chance` are those of `core.infection.Spread`. Raises `UserError` where
    the two don't fit.
    """
    if not isinstance(living.rule, Rule):
        raise UserError(f"{living.name} is no plain rule, and only one can be infected")
    host, layout, _, _ = strains(living.rule, living.layout)
    path = store.model_path(virus)
    _, _, guest, spread = strains(*store.load(path))
    changed = {"delay": delay, "recovery": recovery, "chance": chance}
    spread = replace(spread, **{key: n for key, n in changed.items() if n is not None})
    laid, start = infectable(layout, spread), living.start
    if start is not None:
        start = F.pad(start[:, : layout.channels], (0, 0, 0, 0, 0, laid.channels - layout.channels))
    config = store.card(path).get("config")
    card = {**living.card, "share": config.get("share") if isinstance(config, dict) else None}
    return replace(living, rule=combine(host, guest, spread), layout=laid, start=start, card=card)


def begin(
    rule: nn.Module,
    layout: Layout,
    size: tuple[int, int],
    start: str | Path,
    *,
    seed: int = 0,
    context: Mapping[str, Any] | None = None,
    frame: int = 1,
    engine: str = "auto",
) -> State | None:
    """The state that a life begins with: `seed` (None), `random`, a picture, or frames that charge the hidden channels.

    `context` are settings of `data.frames.open_frames` and how many `frames` to show at most.
    """
    if start == "seed":
        return None
    if start == "random":
        world = World(rule, layout, size, seed=seed)
        world.randomise()
        return world.x
    if layout.visible != 4 and not layout.photo and _many(start):
        return charge(rule, layout, _frames(start, layout, size, context or {})[None], frame, engine=engine)
    if layout.photo:
        return layout.pose(exposed(layout, size, str(start))[None], seed=seed)
    return layout.embed(fitted(str(start), size, layout.visible, layout.alpha is not None))


def exposed(layout: Layout, size: tuple[int, int], source: str) -> Picture:
    """The picture that the frozen channels of `layout` should read, `(photo, h, w)`: it covers the grid."""
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
    """A picture on the grid, `(channels, h, w)`: whole, in the middle, if `within`; else covering all, its rims cut."""
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
    what: str, size: tuple[int, int] | None, start: str | Path | None, seed: int, solver: str | None, engine: str
) -> Living:
    from planaria.data import simulate

    if solver is not None:
        raise UserError(f"{what} has a way of its own to take steps; leave out the solver")
    laid = is_pattern(str(start)) and re.match(rf"{SIMULATED}life\b", what) is not None
    rule = simulate.load(what.removeprefix(SIMULATED), **({"start": str(start)} if laid else {}))
    grid = size or rule.size
    if start is None or start == "seed" or laid:
        x = rule.start(1, grid, seed)
    else:
        x = begin(rule, rule.layout, grid, start, seed=seed, engine=engine)
    return Living(rule, rule.layout, grid, x, {}, what, rule.frame, engine)


def _many(start: str | Path) -> bool:
    many = (*FILMS, ".gif")
    return Path(start).is_dir() or str(start).lower().endswith(many) or str(start).startswith(SIMULATED)


def _frames(source: str | Path, layout: Layout, size: tuple[int, int], context: Mapping[str, Any]) -> Tensor:
    """The first frames of `source` on the grid, `(n, visible, h, w)`."""
    from planaria.data.frames import open_frames

    film = open_frames(
        str(source), size=context.get("size", max(size)), every=context.get("every", 1),
        crop=context.get("crop", "none"), count=context.get("frames", 1),
        colour="grey" if layout.visible == 1 else "rgb",
    )  # fmt: skip
    return tiled(film.stack(0, len(film)), size)


def _context(card: Mapping[str, Any]) -> dict[str, Any]:
    """How a video model was shown its frames."""
    config = card.get("config")
    if not isinstance(config, Mapping):
        return {}
    given = {key: config[key] for key, kind in (("size", int), ("every", int), ("crop", str)) if _is(config, key, kind)}
    return {**given, "frames": config["context"]} if _is(config, "context", int) else given


def _is(config: Mapping[str, Any], key: str, kind: type) -> bool:
    return type(config.get(key)) is kind


def frame_steps(card: Mapping[str, Any]) -> int:
    """Cell steps from frame to frame that a card tells, 1 where a model has no frames."""
    told = card.get("frame")
    steps = told.get("steps") if isinstance(told, Mapping) else None
    return steps if type(steps) is int and 1 <= steps <= 10_000 else 1


def loop_steps(card: Mapping[str, Any]) -> int:
    """Cell steps of a loop: as many as the data has, else the longest training roll-out, else 200."""
    config = card.get("config")
    train = config.get("train") if isinstance(config, Mapping) else None
    rollout = train.get("rollout") if isinstance(train, Mapping) else None
    for length in (card.get("length"), rollout[-1] if isinstance(rollout, list) and rollout else None):
        if type(length) is int and 1 <= length <= 1_000_000:
            return length
    return 200


def stopped(card: Mapping[str, Any], path: Path | None = None) -> str:
    """`stopped at iteration 68 of 1,200`, where a card tells of a training that hasn't come to its end; else nothing.

    One that goes on, in the folder of the model file `path`, is told as `at iteration 68 of 1,200, still training`.
    """
    config = card.get("config")
    train = config.get("train") if isinstance(config, Mapping) else None
    done, whole = card.get("trained"), train.get("steps") if isinstance(train, Mapping) else None
    if type(done) is not int or type(whole) is not int or not 0 <= done < whole:
        return ""
    status = live.read_status(path.parent) if path is not None else None
    at = f"at iteration {done:,} of {whole:,}"
    going = status is not None and status.state in ("running", "paused")
    return f"{at}, still training" if going else f"stopped {at}"


def solver_of(card: Mapping[str, Any]) -> str:
    """How a card says that a step is taken: `euler` where it doesn't."""
    told = card.get("frame")
    solver = told.get("solver") if isinstance(told, Mapping) else None
    return solver if isinstance(solver, str) else "euler"
