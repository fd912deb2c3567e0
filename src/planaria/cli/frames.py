"""`planaria frames`: a video as a folder of pictures, and pictures as a video."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planaria.console import busy, printer
from planaria.errors import UserError, unknown
from planaria.files import unwritable

if TYPE_CHECKING:
    import numpy as np

    from planaria.data.frames import Frames
    from planaria.data.sound import Sound
    from planaria.types import Picture

FILMS = (".gif", ".mp4", ".webp")
OTHERS = (
    ".png", ".jpg", ".jpeg", ".bmp", ".apng", ".tif", ".tiff", ".avif", ".mov", ".m4v", ".mkv", ".webm", ".avi",
)  # fmt: skip
"""File suffixes that are not taken for the name of a folder."""
MOST_BYTES = 1_000_000_000
"""Memory that the frames of a GIF or WebP may take, which are written all at once."""


def frames(
    source: str,
    output: Path,
    /,
    *,
    every: int = 1,
    size: int = 0,
    crop: str = "none",
    count: int = 0,
    start: int = 0,
    colour: Literal["auto", "rgb", "grey"] = "auto",
    background: float = 0.0,
    fps: float | None = None,
) -> int:
    """Take a video apart into numbered pictures, or put pictures together as a video.

    Interrupted on its way to a folder, the same command goes on after the frames that are there.

    Parameters
    ----------
    source
        A video (.mp4, .mov, .mkv, .webm, .avi: extra `video`), an animated .gif, .webp or .png, a folder of pictures,
        or sim:NAME (planaria list simulators).
    output
        A folder for PNGs; or a video: .mp4 (extra `video`), .gif or .webp.
    every
        Keep each such frame: 2 is every other one.
    size
        Cells on the longer side, averaged over area; 0 leaves it as it is.
    crop
        none, square (the middle), auto (without bars at the sides), or X,Y,WIDTH,HEIGHT in pixels of the source.
    count
        Frames at most; 0 takes all, of a simulator 200.
    start
        First frame to take, counted from 0.
    colour
        auto is grey where the source is grey.
    background
        Background behind transparency: 0 black to 1 white.
    fps
        Frames a second; by default those of the source, fewer by --every.
    """
    from planaria.data.frames import open_frames
    from planaria.data.sound import left_out

    suffix = output.suffix.lower()
    if suffix in OTHERS:
        raise unknown("format", suffix, [*FILMS, "a folder"])
    if why := unwritable(output) if suffix in FILMS else "":
        raise UserError(f"{output} {why}")
    if fps is not None and not 0.01 <= fps <= 1000:
        raise UserError(f"--fps {fps}: 0.01 to 1000")
    if _same(source, output):
        raise UserError(f"{output} is the source itself; name something else")
    console = printer()
    settings: dict[str, Any] = {
        "every": every, "size": size, "crop": crop, "count": count, "start": start, "colour": colour,
        "background": background,
    }  # fmt: skip
    with busy(console, f"looking at {source}"):
        found = open_frames(source, **settings)
    rate = fps or found.fps
    lost = left_out(found.sound, output, paced=rate == found.fps)
    if suffix in FILMS:
        n = _film(found, output, suffix, rate, console, None if lost else found.sound)
        _say(console, f"{output}: {n} frames, {rate:g} a second")
    if lost:
        _say(console, f"{source}: {lost}")
    if suffix in FILMS:
        return 0
    name = source if source.startswith("sim:") else Path(source).name
    return _folder(found, output, {"source": name, "bytes": _bytes(Path(source)), **settings}, rate, console)


def _folder(found: "Frames", output: Path, made: dict[str, Any], rate: float, console: Console) -> int:
    """Write PNGs, after those that are there already; a note in the folder says how they were `made`."""
    from planaria.data.frames import whole_frames, write_frames
    from planaria.data.sources import NOTE
    from planaria.store import write_bytes

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def note(written: int | None) -> None:
        data = {"format": 1, **made, "fps": rate, "frames": written}
        write_bytes(output / NOTE, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())

    before = _noted(output, output / NOTE)
    for key, now in made.items() if before else ():
        if before.get(key) != now:
            raise UserError(
                f"{output} holds frames made with {key}={before.get(key)}, not {now}; name another folder, or remove it"
            )
    first = whole_frames(output)
    if before and before.get("frames") == first:
        note(first)
        say(f"{output}: {first} frames, finished before")
        return 0
    note(None)
    if first:
        say(f"{output}: going on after {first} frames")
    try:
        with _progress(console) as progress:
            n = first + write_frames(_watched(found, first, progress), output, first=first, depth=found.depth)
    except KeyboardInterrupt:
        say(f"stopped after {whole_frames(output)} frames; the same command goes on from there")
        return 130
    note(n)
    say(f"{output}: {n} frames, {found.size[1]}x{found.size[0]}, {'grey' if found.visible == 1 else 'RGB'}")
    return 0


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _film(found: "Frames", output: Path, suffix: str, rate: float, console: Console, sound: "Sound | None") -> int:
    """Write a video: an .mp4 frame by frame, others at once."""
    import numpy as np

    from planaria.data.video import write_mp4
    from planaria.export.movie import Film

    with _progress(console) as progress:
        pictures = _pictures(_watched(found, 0, progress))
        if suffix == ".mp4":
            return write_mp4(pictures, output, rate, sound)
        kept: list[np.ndarray] = []
        for picture in pictures:
            kept.append(picture)
            if len(kept) * picture.nbytes > MOST_BYTES:
                why = f"too much for a {suffix}, which is written at once"
                raise UserError(f"{why}: make it an .mp4, or say --size, --every or --count")
    with busy(console, f"writing {output}"):
        Film(np.stack(kept), tuple(range(len(kept))), fps=max(1, round(rate))).save(output, scale=1)
    return len(kept)


def _pictures(shown: Iterator["Picture"]) -> Iterator["np.ndarray"]:
    """Frames as `(h, w, 3)` uint8."""
    for frame in shown:
        yield frame.mul(255).round().byte().expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def _watched(found: "Frames", first: int, progress: Progress) -> Iterator["Picture"]:
    """Frames from `first` on, counted by the progress bar."""
    bar = progress.add_task("frames", total=found.expected, completed=first)
    for frame in found.stream(first):
        yield frame
        progress.advance(bar)


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_interactive)


def _noted(output: Path, path: Path) -> dict[str, Any]:
    """Note in the folder about its frames; empty where the folder is empty or not there yet."""
    from planaria.data.sources import STILLS

    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; name a folder, or a video ending in {', '.join(FILMS)}")
    if path.is_file():
        try:
            note = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError):
            note = None
        if not (isinstance(note, dict) and note):
            raise UserError(f"{path} can't be read; remove {output}, or name another folder")
        return note
    if output.is_dir() and any(there.suffix.lower() in STILLS for there in output.iterdir()):
        raise UserError(f"{output} holds other pictures; name an empty or new folder")
    return {}


def _same(source: str, output: Path) -> bool:
    """True if both paths exist and are the same. Raises `UserError` for an invalid path."""
    try:
        return output.exists() and Path(source).exists() and output.samefile(source)
    except (OSError, ValueError) as error:
        raise UserError(f"can't turn {source!r} into {str(output)!r}: {error}") from error


def _bytes(source: Path) -> int:
    """Size of a source in bytes, to recognize it later; of a folder, of all pictures in it."""
    from planaria.data.sources import STILLS

    there = [p for p in source.iterdir() if p.suffix.lower() in STILLS] if source.is_dir() else [source]
    return sum(path.stat().st_size for path in there if path.is_file())
