"""`planaria apply`: a photo or a video repainted, or a texture of any size."""

import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planaria import files
from planaria.cli import parse
from planaria.commands import command
from planaria.console import busy, printer
from planaria.errors import UserError, unknown
from planaria.files import unwritable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from planaria.data.sound import Sound
    from planaria.living import Living
    from planaria.repaint.canvas import Canvas

FILMS = (".gif", ".mp4", ".webp")
MOST_BYTES = 1_000_000_000
"""Memory that the frames of a GIF or WebP may take, which are written all at once."""
FILM_SIDE, FILM_FPS, FILM_FRAMES = 720, 20, 150
"""Limits of an animation of how a picture is painted: pixels of the longer side, frames a second, and frames."""
HELD = 1.5
"""Seconds that the last frame of that animation stands."""
TEXTURE = 512
"""Default side of a texture in pixels."""


def apply(
    model: str,
    source: str | None = None,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    steps: int | None = None,
    size: str | None = None,
    film: Path | None = None,
    frame_steps: int | None = None,
    follow: bool = True,
    restart: Annotated[bool, Parameter(negative=())] = False,
    seed: int = 0,
    engine: str = "auto",
    device: str = "cpu",
) -> int:
    """Repaint a photo or a video with a style or text model, at any size; or make a texture with a texture model.

    A video keeps its cells from frame to frame, and they move along with it, so that it doesn't flicker; at a new
    scene they begin anew.

    Parameters
    ----------
    model
        A model file, a run folder, or a model of the gallery.
    source
        A photo (whatever `planaria train` takes as a picture), a video (.mp4, .mov, .mkv, .webm, .avi: extra `video`),
        an animated .gif, .webp or .png, or a folder of frames. None for a texture model.
    output
        Output: .png, .jpg or .webp for a picture; .mp4 (extra `video`), .gif, .webp or a new folder for a video.
    steps
        Cell steps: more are farther from the photo. By default 60, of a texture 300; a video's first frame has them.
    size
        Pixels of the longer side; by default as it is. Of a texture, pixels of both sides, or ROWSxCOLUMNS.
    film
        An animation (.mp4, .gif, .webp) of how a photo or texture is painted, step by step.
    frame_steps
        Cell steps for each frame of a video after the first; by default 8.
    follow
        Let the cells of a video move along with the image, so that strokes stick to things.
    restart
        Begin every frame of a video anew, for comparison with a video that keeps its cells.
    seed
        Random seed of the initial cells and of those that fire: the same seed gives the same picture.
    engine
        Engine to compute with, see `planaria list engines`.
    device
        cpu, cuda, mps, or auto for the fastest there is.
    """
    for name, value, least in (("--steps", steps, 0), ("--frame-steps", frame_steps, 1)):
        if value is not None and not least <= value <= 1_000_000:
            raise UserError(f"{name} {value}: {least} to 1000000")
    grid = parse.size(size)
    if film is not None:
        if film.suffix.lower() not in FILMS:
            raise unknown("video format", film.suffix or film.name, FILMS)
        _check_film(film)
    if source is not None and _same(source, output, film):
        raise UserError(f"{source} is what is to be repainted; name another file to write")

    from planaria import repaint
    from planaria.engine import device_of
    from planaria.living import find

    place = device_of(device)
    console = printer()
    with busy(console, f"loading {Path(model).name}"):
        living = find(model, engine=engine)
        repaint.check(living, model)
        living.rule.to(place)
    if source is not None and _moves(source, output):
        if film is not None:
            raise UserError(f"--film shows how a photo is painted; {source} is a video, which goes to {output}")
        first = repaint.STEPS if steps is None else steps
        later = repaint.FRAME_STEPS if frame_steps is None else frame_steps
        options = {"steps": first, "frame_steps": later, "seed": seed, "restart": restart, "follow": follow}
        return _film(living, source, output, _longest(grid, size), options, console)
    if restart or frame_steps is not None or not follow:
        raise UserError(f"--restart, --frame-steps and --no-follow are for videos; {source or 'a texture'} is none")
    canvas, steps = _canvas(living, source, output, grid, size, steps, seed)
    _paint(canvas, steps, output, film, console)
    repaint.warn_of(canvas, living)
    h, w = canvas.size
    also = f"; {film} shows how" if film is not None else ""
    _say(console, f"{output}: {w}x{h} pixels, {steps} steps{also}")
    return 0


def _canvas(
    living: "Living",
    source: str | None,
    output: Path,
    grid: tuple[int, int] | None,
    size: str | None,
    steps: int | None,
    seed: int,
) -> tuple["Canvas", int]:
    """The canvas to paint on, at step 0, and the number of steps."""
    from planaria.repaint import STEPS, TEXTURE_STEPS, canvas_for
    from planaria.repaint.files import check_picture, check_pixels, open_photo

    planes = living.layout.photo
    check_picture(output)
    if source is None and planes:
        raise UserError(f"{living.name} repaints photos: {command('apply', 'MODEL', 'PHOTO', '-o', output)}")
    if source is not None and not planes:
        raise UserError(f"{living.name} makes a texture from nothing; leave out {source!r}")
    photo = None if source is None else open_photo(source, _longest(grid, size), planes)
    h, w = photo.shape[1:] if photo is not None else grid or (TEXTURE, TEXTURE)
    check_pixels(h, w)
    check_picture(output, (h, w))
    canvas = canvas_for(living, (h, w), seed=seed)
    canvas.begin(photo)
    usual = TEXTURE_STEPS if photo is None else STEPS
    return canvas, usual if steps is None else steps


def _paint(canvas: "Canvas", steps: int, output: Path, film: Path | None, console: Console) -> None:
    """Step the canvas, write the animation of it if one is wanted, and then the picture."""
    from planaria.repaint.files import write_picture

    with _progress(console) as bar:
        walk = bar.track(range(steps), description="painting")
        if film is None:
            for _ in walk:
                canvas.step()
        else:
            last = repeat(None, round(HELD * FILM_FPS) - 1)
            _write_film(_strokes(canvas, walk, last, -(-steps // FILM_FRAMES)), film, FILM_FPS)
        bar.update(bar.task_ids[-1], description="writing", total=None)
        write_picture(output, canvas.picture())


def _strokes(canvas: "Canvas", walk: Iterable[int], last: Iterable[None], every: int) -> Iterator["np.ndarray"]:
    """The canvas before the first step, after each `every`-th and the last one, and again for each of `last`."""
    shown = _small(canvas)
    yield shown
    at = canvas.t
    for _ in walk:
        canvas.step()
        if canvas.t % every == 0:
            shown, at = _small(canvas), canvas.t
            yield shown
    shown = shown if at == canvas.t else _small(canvas)
    yield shown
    for _ in last:
        yield shown


def _small(canvas: "Canvas") -> "np.ndarray":
    """Image of the canvas for an animation or video, `(h, w, 3)` uint8."""
    import numpy as np
    from PIL import Image

    from planaria.repaint.files import picture_of

    image = picture_of(canvas.picture())
    image.thumbnail((FILM_SIDE, FILM_SIDE), Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(image)


def _film(
    living: "Living", source: str, output: Path, longest: int | None, options: dict[str, Any], console: Console
) -> int:
    """Repaint a video, frame by frame."""
    from planaria.data.frames import open_frames
    from planaria.data.sound import left_out
    from planaria.repaint import repaint_film

    planes = living.layout.photo
    if not planes:
        raise UserError(f"{living.name} makes a texture from nothing; leave out {source!r}")
    _check_film(output)
    with busy(console, f"looking at {source}"):
        found = open_frames(source, size=longest or 0, colour="grey" if planes == 1 else "rgb", background=1.0)
    count = 0
    with _progress(console) as bar:
        task = bar.add_task("painting", total=found.expected)

        def painted() -> Iterator["np.ndarray"]:
            nonlocal count
            for seen in repaint_film(living, (_levels(frame, planes) for frame in found.stream()), **options):
                yield seen.permute(1, 2, 0).contiguous().cpu().numpy()
                count += 1
                bar.update(task, completed=count)
            bar.update(task, description="writing", total=None)

        lost = left_out(found.sound, output)
        _write_film(painted(), output, found.fps, None if lost else found.sound)
    h, w = found.size
    kept = (
        f"{options['steps']} steps each" if options["restart"] else f"{options['frame_steps']} steps each, cells kept"
    )
    _say(console, f"{output}: {count} frames of {w}x{h} pixels, {found.fps:g} a second, {kept}")
    if lost:
        _say(console, f"{source}: {lost}")
    return 0


def _levels(frame: "Tensor", planes: int) -> "Tensor":
    """A frame in 0..1 as `(planes, h, w)` uint8; a fourth plane is an alpha of one."""
    import torch

    levels = frame.mul(255).round().byte()
    return levels if planes != 4 else torch.cat([levels, torch.full_like(levels[:1], 255)])


def _check_film(output: Path) -> None:
    """Raise `UserError` unless a video can go to `output`."""
    suffix = output.suffix.lower()
    if suffix and suffix not in FILMS:
        raise unknown("video format", suffix, [*FILMS, "a folder"])
    if suffix and (why := unwritable(output)):
        raise UserError(f"{output} {why}")
    if not suffix and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output} is there already; name a new or empty folder")


def _write_film(pictures: Iterator["np.ndarray"], output: Path, fps: float, sound: "Sound | None" = None) -> None:
    """Write frames `(h, w, 3)` uint8 in the format that `output` names; the file is there whole or not at all."""
    import numpy as np

    from planaria.data.video import write_mp4
    from planaria.export.movie import Film

    suffix = output.suffix.lower()
    if suffix == ".mp4":
        write_mp4(pictures, output, fps, sound)
        return
    if not suffix:
        _write_folder(pictures, output, fps)
        return
    kept: list[np.ndarray] = []
    for picture in pictures:
        kept.append(picture)
        if len(kept) * picture.nbytes > MOST_BYTES:
            why = f"too much for a {suffix}, which is written at once"
            raise UserError(f"{why}: make it an .mp4, or smaller (--size)")
    Film(np.stack(kept), tuple(range(len(kept))), fps=max(1, round(fps))).save(output, scale=1)


def _write_folder(pictures: Iterator["np.ndarray"], output: Path, fps: float) -> None:
    """Write numbered PNGs, with a note of the frames a second."""
    import torch

    from planaria.data.frames import write_frames
    from planaria.data.sources import NOTE
    from planaria.store import write_bytes

    spare = files.spare(output)
    try:
        frames = (torch.from_numpy(picture).permute(2, 0, 1).div(255) for picture in pictures)
        count = write_frames(frames, spare)
        write_bytes(spare / NOTE, (json.dumps({"format": 1, "fps": fps, "frames": count}) + "\n").encode())
        spare.replace(output)
    except OSError as error:
        raise UserError(f"can't write {output}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(spare, ignore_errors=True)


def _moves(source: str, output: Path) -> bool:
    """True if `source` is to be repainted as a video; an animated picture is a photo if `output` is a still."""
    from planaria.data.sources import MOVING, moves
    from planaria.data.video import FILMS as FILES
    from planaria.living import SIMULATED

    path = Path(source)
    try:
        if source.startswith(SIMULATED) or path.is_dir() or (path.suffix.lower() in FILES and "://" not in source):
            return True
        still = output.suffix.lower() in (".png", ".jpg", ".jpeg")
        return not still and path.suffix.lower() in MOVING and path.is_file() and moves(path)
    except (OSError, ValueError) as error:
        raise UserError(f"can't read {source!r}: {error}") from error


def _longest(grid: tuple[int, int] | None, size: str | None) -> int | None:
    """Longer side that was asked for."""
    if grid is not None and "x" in str(size).lower():
        raise UserError(f"--size {size}: a photo or video keeps its shape; say how long its longer side is, as in 1080")
    return None if grid is None else grid[0]


def _same(source: str, *outputs: Path | None) -> bool:
    """True if one of the outputs is the source."""
    try:
        there = Path(source)
        return there.exists() and any(o is not None and o.exists() and there.samefile(o) for o in outputs)
    except (OSError, ValueError) as error:
        raise UserError(f"can't read {source!r}: {error}") from error


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_interactive)
