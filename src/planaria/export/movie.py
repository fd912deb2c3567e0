"""Film: the frames of a run, written as a `.gif`, `.webp`, `.mp4` or a `.png` strip."""

import base64
import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from planaria.core.damage import Damage
from planaria.core.infection_site import InfectionSite
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.core.solve import Solver
from planaria.core.turn import turned
from planaria.data.video import write_mp4
from planaria.engine import door
from planaria.errors import UserError, unknown
from planaria.export import Options, spelled_out
from planaria.export import options as options_of
from planaria.files import unwritable
from planaria.health import Health
from planaria.living import Living, begin, find
from planaria.store import Saved, write_bytes
from planaria.store.cards import USUAL_GRID
from planaria.usual import healing, infection
from planaria.world import World

SUFFIXES = (".gif", ".mp4", ".png", ".webp")
SIDE = 288
"""Smallest longer side of a film in pixels, where no scale is given."""
MOST_BYTES = 2_000_000_000
"""Largest memory for the frames of a film."""
MOST_FRAMES = 1_000_000
FPS, VIDEO_FPS = 30, 20
"""Default frames a second; and those of a model that was trained on a video, as players show it."""
STEPS, SHORT, FRAMES = 300, 200, 100
"""Default steps of an export and of other films, and frames of a film of a video model."""
SHORTEST = {".gif": 20, ".webp": 11}
"""Shortest duration of a picture in milliseconds: viewers show a shorter one for 100."""
INFECT = "infect "
"""Prefix of an event that is an infection, not damage."""


@dataclass(frozen=True)
class Film:
    """Frames of a run. Displays itself in a notebook; `save` writes it."""

    frames: np.ndarray
    """`(n, h, w, 3)` uint8."""
    at: tuple[float, ...]
    """Step of each frame; with a fraction where it lies between two."""
    events: Mapping[int, str] = field(default_factory=dict)
    """Step -> event there: `left`, `infect 20,20`, or both with a semicolon between."""
    fps: int = 30
    """Frames a second."""

    def save(self, path: str | Path, *, scale: int | None = None) -> Path:
        """Write as `.gif`, `.webp` (lossless), `.mp4` (extra `video`) or `.png` (a strip), by the suffix.

        `scale` enlarges every cell to a square of that many pixels; by default films get about 288 pixels.
        A film of more pictures a second than a `.gif` (50) or `.webp` (90) shows keeps all and lasts longer.
        The file is replaced in one step. Raises `UserError` for other suffixes.
        """
        path = Path(path)
        check_suffix(path)
        suffix = path.suffix.lower()
        if suffix == ".png":
            out = io.BytesIO()
            self.strip(scale=scale).save(out, "PNG")
            data = out.getvalue()
        else:
            big = self._enlarged(scale)
            if suffix == ".mp4":
                write_mp4(big, path, self.fps)
                return path
            data = self._pillow(big, suffix)
        write_bytes(path, data)
        return path

    def strip(self, columns: int = 8, *, scale: int | None = None) -> Image.Image:
        """Moments of the film side by side, each with its step; all damage is among them."""
        picks = self.moments(columns)
        _, h, w, _ = self.frames.shape
        scale = _pixels(
            max(1, round(144 / max(h, w))) if scale is None else scale, (h, w), len(self.frames), len(picks)
        )
        gap, label = 8, 24
        sheet = Image.new("RGB", (gap + len(picks) * (w * scale + gap), h * scale + label + 2 * gap), "white")
        ink, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        for i, k in enumerate(picks):
            left = gap + i * (w * scale + gap)
            tile = Image.fromarray(self.frames[k]).resize((w * scale, h * scale), Image.Resampling.NEAREST)
            sheet.paste(tile, (left, gap))
            ink.rectangle((left - 1, gap - 1, left + w * scale, gap + h * scale), outline=(225, 225, 230))
            event = self.events[int(self.at[k])] if self._after_event(k) else None
            step = f"{round(self.at[k], 2)}"
            text = f"{step}: {event}" if event else step
            ink.text((left + 2, gap + h * scale + 5), text, (170, 40, 60) if event else (60, 60, 70), font)
        return sheet

    def _after_event(self, k: int) -> bool:
        """True if frame `k` shows damage just done: the second frame of that step."""
        return self.at[k] in self.events and (k == 0 or self.at[k - 1] == self.at[k])

    def moments(self, columns: int) -> list[int]:
        """Indices of frames for a strip: the first, the last, the damage, and others where the gaps are largest."""
        n = len(self.frames)
        events = [k for k in range(n) if self._after_event(k)]
        chosen = {0, n - 1, *events[: columns - 2]}
        while len(chosen) < min(columns, n):
            ordered = sorted(chosen)
            gap, start = max((b - a, -a) for a, b in pairwise(ordered))
            chosen.add(-start + gap // 2)
        return sorted(chosen)

    def _enlarged(self, scale: int | None) -> Iterator[np.ndarray]:
        n, h, w, _ = self.frames.shape
        return _blown(self.frames, _scale(scale, (h, w), n, n))

    def _pillow(self, frames: Iterable[np.ndarray], suffix: str) -> bytes:
        pictures = (Image.fromarray(f) for f in frames)
        out = io.BytesIO()
        often = {"save_all": True, "duration": max(SHORTEST[suffix], round(1000 / self.fps)), "loop": 0}
        if suffix == ".gif":
            images = [i.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE) for i in pictures]
            images[0].save(out, "GIF", append_images=images[1:], disposal=1, **often)
        else:
            images = list(pictures)
            images[0].save(out, "WEBP", append_images=images[1:], lossless=True, quality=40, method=2, **often)
        return out.getvalue()

    def _repr_mimebundle_(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> dict[str, str]:  # noqa: ARG002
        _, h, w, _ = self.frames.shape
        text = f"Film of {len(self.frames)} frames, {w}x{h} cells, steps {self.at[0]} to {round(self.at[-1], 2)}"
        data = base64.b64encode(self._pillow(self._enlarged(None), ".webp")).decode()
        return {"text/html": f'<img alt="{text}" src="data:image/webp;base64,{data}">', "text/plain": text}


@dataclass(frozen=True)
class Take:
    """A run about to be filmed: its frames come one after the other, so that a long one needs no memory."""

    world: World
    stops: Sequence[int]
    """Times at which frames are taken, in parts of a step; ascending."""
    parts: int = 1
    """Parts of a step."""
    events: Mapping[int, str] = field(default_factory=dict)
    """Step -> event there, as `Film.events`; the frame of that step is followed by one of its effect."""
    fps: int = FPS
    background: float = 1.0
    health: Health = field(default_factory=Health)

    def __len__(self) -> int:
        return len(self.stops) + len(self.events)

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """Steps, with a fraction between two, and frames `(h, w, 3)` uint8; warns at its end if the life went wrong."""
        self.world.restart()
        news = []
        for stop in self.stops:
            step, part = divmod(stop, self.parts)
            self.world.tick(step - self.world.t)
            news.append(self.health.look(self.world))
            image = self.world.image(self.background, fraction=part / self.parts)
            yield step + part / self.parts if part else step, image.numpy()
            if not part and step in self.events:
                for action in self.events[step].split(";"):
                    _do(self.world, action.strip())
                yield step, self.world.image(self.background).numpy()
        if line := next(filter(None, news), ""):
            warnings.warn(line, stacklevel=2)

    def film(self, watch: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> Film:
        """Run it and keep every frame; `watch` may report them as they come. Raises `UserError`."""
        h, w = self.world.size
        if (len(self) + 1) * h * w * 3 > MOST_BYTES:
            raise UserError(
                f"an animation of {len(self)} frames at {self.world.size} needs too much memory; take fewer, or write "
                "an .mp4, which needs none"
            )
        at, frames = zip(*watch(self), strict=True)
        return Film(np.stack(frames), at, self.events, self.fps)

    def save(
        self,
        path: str | Path,
        *,
        scale: int | None = None,
        watch: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ) -> Path:
        """Run it and write it as `Film.save` does; an `.mp4` frame by frame, however long it is."""
        path = Path(path)
        check_suffix(path)
        if path.suffix.lower() != ".mp4":
            return self.film(watch).save(path, scale=scale)
        big = _blown((image for _, image in watch(self)), _scale(scale, self.world.size, len(self), 1))
        write_mp4(big, path, self.fps)
        return path


def check_suffix(path: Path) -> None:
    """Raise `UserError` unless `path` has a suffix that a film can be written with, and can be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise unknown("format", path.suffix or path.name, SUFFIXES)
    if why := unwritable(path):
        raise UserError(f"{path} {why}")


def longer(fps: int, suffix: str) -> float:
    """Factor by which a film of `fps` lasts longer than it should in such a file, at least 1."""
    return max(1.0, SHORTEST.get(suffix.lower(), 0) * fps / 1000)


def _scale(scale: int | None, size: tuple[int, int], count: int, held: int) -> int:
    """Pixels to a cell of a film, by default enough for about `SIDE`."""
    return _pixels(max(1, -(-SIDE // max(size))) if scale is None else scale, size, count, held)


def _pixels(scale: int, size: tuple[int, int], count: int, held: int) -> int:
    """Return `scale`. Raises `UserError` if it is below 1 or `held` of `count` frames at a time don't fit in memory."""
    h, w = size
    if scale < 1 or held * h * w * 3 * scale**2 > MOST_BYTES:
        raise UserError(f"an animation of {count} frames, {w}x{h} cells, can't be enlarged {scale} times")
    return scale


def _blown(frames: Iterable[np.ndarray], scale: int) -> Iterator[np.ndarray]:
    """Enlarge frames, one after the other, every cell a square of `scale` pixels."""
    return (f.repeat(scale, 0).repeat(scale, 1) for f in frames)


@spelled_out(film=True)
def film(rule: nn.Module, layout: Layout, *, health: Health | None = None, **options: Any) -> Film:
    """Film a rule from the seed, or from `start`, on 72x72 cells by default, with a frame every second step.

    The options are those of `planaria.export.Options`. Without `steps` or `frames` it is 200 steps. `erase` maps a step
    to the damage there (`{150: "left"}`), `infect` to where an infection begins (`{100: "20,20"}`); both the moment
    before and after are shown. Frames between frames (`fps_factor`) are fractions of the way, see `World.peek`.
    `health` warns where the life bursts or dies out. Raises `UserError`.
    """
    given = options_of(options, film=True)
    module = rule if given.solver in (None, "euler") else Solver(rule, given.solver)
    size, start = door.grid(given.size or USUAL_GRID), given.start
    if isinstance(start, str | Path):
        start = begin(module, layout, size, start, seed=given.seed, engine=given.engine)
    elif start is not None:
        size = door.state(start, "a start").shape[2], start.shape[3]
    living = Living(module, layout, size, start, None, "", engine=given.engine)
    return take(living, _plain(replace(given, every=given.every or 2)), steps=SHORT, health=health).film()


def film_of(model: Saved, options: Mapping[str, Any]) -> Film:
    """Film a model with the options of `film`, in frames if it was trained on a video."""
    given = options_of(options, film=True)
    return take(_find(model, given), _plain(given), steps=SHORT).film()


def _plain(options: Options) -> Options:
    """Options without the damage and the infection that an export shows by default."""
    return replace(options, erase=options.erase or {}, infect=options.infect or {})


def take(living: Living, options: Options, *, steps: int = STEPS, health: Health | None = None) -> Take:
    """Take of `living`, which was found with the same options; `steps` long by default. Raises `UserError`."""
    every = options.every
    if options.turn:
        living = replace(living, rule=turned(living.rule, options.turn))
    if every is None:
        every = living.frame if living.learned_film or not isinstance(living.rule, Rule | Solver) else 2
    frames = FRAMES if living.learned_film and options.steps is None and options.frames is None else options.frames
    steps = steps if options.steps is None else options.steps
    last = steps if frames is None else (frames - 1) * every
    erase, infect = options.erase, options.infect
    if erase is None:
        erase = {step: damage for step, damage in healing(living.card).items() if step < last}
    if infect is None:
        shown = infection(living.layout, living.card)
        infect = {step if step < last else last // 2: where for step, where in shown.items()}
    size = living.size if living.start is None else (living.start.shape[2], living.start.shape[3])
    events = _events(living.layout, size, erase, infect)
    stops = _stops(steps, frames, every, options.fps_factor, events)
    fps = (VIDEO_FPS if living.learned_film else FPS) * options.fps_factor if options.fps is None else options.fps
    world, health = living.world(seed=options.seed), health or Health.of(living)
    return Take(world, stops, options.fps_factor, events, fps, options.background, health)


def _events(
    layout: Layout, size: tuple[int, int], erase: Mapping[int, str], infect: Mapping[int, str]
) -> dict[int, str]:
    """Damage and infections as the events of each step, in order. Raises `UserError` for an invalid one."""
    for damage in erase.values():
        Damage.parse(damage)
    if infect and layout.strain is None:
        raise UserError("this model holds no infection, so nothing can be infected; --infect VIRUS puts one in")
    events = {step: [damage] for step, damage in erase.items()}
    for step, places in infect.items():
        for place in places.split(";"):
            if InfectionSite.parse(place).misses(size):
                raise UserError(f"{place.strip()} lies outside the grid of {size[1]}x{size[0]} cells (row, column)")
            events.setdefault(step, []).append(f"{INFECT}{place.strip()}")
    return {step: "; ".join(events) for step, events in sorted(events.items())}


def _do(world: World, action: str) -> None:
    if action.startswith(INFECT):
        world.infect(action.removeprefix(INFECT))
    else:
        world.erase(action)


def _stops(steps: int, frames: int | None, every: int, factor: int, events: Mapping[int, str]) -> list[int]:
    """Times of the frames, in `factor`-ths of a step: `frames` of them and what follows each, or up to `steps`."""
    last = steps if frames is None else (frames - 1) * every
    for step, action in events.items():
        if not 0 <= step <= last:
            raise UserError(f"{action!r} at step {step}: the animation has steps 0 to {last}")
    regular = range(0, steps * factor + 1 if frames is None else frames * every * factor, every)
    if len(regular) > MOST_FRAMES:
        raise UserError(f"an animation of {len(regular):,} frames never ends; take at most {MOST_FRAMES:,}")
    return sorted({*regular, *(step * factor for step in events), last * factor})


def shoot(model: str | Path | Saved, options: Options) -> Film:
    """Film what `planaria.living.find` finds: a model, its file or run folder, a model of the gallery, `sim:NAME`."""
    return _found(model, options).film()


def write(model: Saved | str, output: Path, options: Options) -> Path:
    """Film a model, or a simulator by its name, into a `.gif`, `.webp`, `.mp4` or a `.png` strip."""
    check_suffix(output)
    if output.suffix.lower() == ".mp4":
        return _found(model, options).save(output, scale=options.scale)
    return shoot(model, options).save(output, scale=options.scale)


def _found(model: str | Path | Saved, options: Options) -> Take:
    return take(_find(model, options), options)


def _find(model: str | Path | Saved, options: Options) -> Living:
    return find(
        model, size=options.size, start=options.start, seed=options.seed, solver=options.solver, engine=options.engine
    )
