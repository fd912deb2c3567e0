"""A process beside the server that films, exports and opens pictures: slow jobs, and files that can't be trusted.

Run as a module it does jobs, one line of JSON each way. It can be killed in the middle of any.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from planaria.errors import UserError
from planaria.view.studio.guard import Refusal

MOST_WAITING = 32
"""Jobs that wait at most."""
IDLE_SECONDS = 60.0
"""Seconds without a job after which the process is ended."""
MOST_KEPT = 300
"""Files that the cache keeps."""
MOST_REPLY = 1_000_000
MOST_FRAMES = 100
"""Frames of a film of a video model."""


class Maker:
    """One worker process and its queue. Jobs run one at a time, each for at most `seconds`."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._waiting = 0
        self._turn, self._killing = asyncio.Lock(), asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._birth: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._over = False

    async def do(self, job: str, **arguments: str | float) -> dict[str, Any]:
        """Result of a job. Raises `Refusal` with its error, when it takes too long, or after `end`."""
        if self._waiting >= MOST_WAITING:
            raise Refusal(503, "too much is being made at once; try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask({"job": job, **arguments})
        finally:
            self._waiting -= 1

    async def warm(self) -> None:
        """Start the process and let it load what pictures need, if it isn't there."""
        if not self._turn.locked() and (self._process is None or self._process.returncode is not None):
            with contextlib.suppress(Refusal):
                await self.do("warm")

    async def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        if self._idle is not None:
            self._idle.cancel()
        process = await self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            async with asyncio.timeout(self.seconds):
                await process.stdin.drain()
                line = await process.stdout.readline()
            reply = json.loads(line)
        except TimeoutError:
            await self._kill()
            raise Refusal(504, f"{job['job']} took longer than {self.seconds:.0f} s and was stopped") from None
        except (OSError, ValueError):
            await self._kill()
            raise Refusal(500, f"{job['job']} failed: its process ended, maybe for want of memory") from None
        except asyncio.CancelledError:  # a reply that nobody read would answer the next job
            await self._kill()
            raise
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._let_go)
        if "error" in reply:
            raise Refusal(400, reply["error"])
        return reply

    async def _alive(self) -> asyncio.subprocess.Process:
        if self._process is not None and (self._process.returncode is not None or _closing(self._process)):
            await self._kill()
        if self._process is None:
            if self._over:
                raise Refusal(503, "the studio is ending")
            self._birth = asyncio.create_task(self._spawn())
            await asyncio.shield(self._birth)
        assert self._process is not None
        return self._process

    async def _spawn(self) -> None:
        """Start the process; not to be cancelled half-way, or nothing would keep track of it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "planaria.view.studio.making", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True, env={"OMP_NUM_THREADS": "1", **os.environ},
            limit=MOST_REPLY,
        )  # fmt: skip

    def _let_go(self) -> None:
        """Close its input, at which it ends by itself."""
        if self._process is not None and self._process.stdin is not None and not self._turn.locked():
            self._process.stdin.close()

    async def end(self) -> None:
        """Kill the process and refuse waiting jobs: one that is cancelled at its start keeps asyncio for ever."""
        self._over = True
        await self._kill()

    async def _kill(self) -> None:
        """Kill the process in any state, and wait until it is gone; the next job has a new one."""
        if self._idle is not None:
            self._idle.cancel()
        if self._birth is not None:
            await asyncio.gather(self._birth, return_exceptions=True)
        async with self._killing:  # twice would take its exit status away from asyncio
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
                self._process = None


def _closing(process: asyncio.subprocess.Process) -> bool:
    return process.stdin is None or process.stdin.is_closing()


class Cache:
    """Files made on demand, in a folder that forgets the oldest."""

    def __init__(self, folder: Path, maker: Maker):
        self.folder, self.maker = folder, maker
        self._making: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def get(self, job: str, key: str, suffix: str, **arguments: str | int) -> Path:
        """The file that a job makes, made once for each `key`, however many ask."""
        path = self.folder / f"{key}{suffix}"
        if not path.is_file():
            task = self._making.get(path.name)
            if task is None:
                task = asyncio.create_task(self.maker.do(job, **arguments, output=str(path)))
                self._making[path.name] = task
                task.add_done_callback(lambda done, name=path.name: self._made(done, name))
            await asyncio.shield(task)
            await asyncio.to_thread(self._forget)
        with contextlib.suppress(OSError):
            os.utime(path)
        return path

    def _made(self, done: asyncio.Task[dict[str, Any]], name: str) -> None:
        self._making.pop(name, None)
        if not done.cancelled():
            done.exception()  # seen, though whoever asked may have left

    def _forget(self) -> None:
        with contextlib.suppress(OSError):  # a file that is just being written has gone under its first name
            kept = sorted(self.folder.iterdir(), key=lambda f: f.stat().st_mtime)
            for path in kept[:-MOST_KEPT]:
                path.unlink(missing_ok=True)


def film(model: str, output: str) -> dict[str, Any]:
    """Film a model, or make a strip for `.png`: it grows and heals, or goes on with the film or photo it was shown."""
    from planaria.export import Options, movie
    from planaria.living import find

    living = find(model)
    options = Options(steps=260, every=4, fps=24, seed=1, infect={})
    if living.start is not None:
        steps = min(living.card.loop_steps, MOST_FRAMES * living.frame)
        options = Options(steps=steps, every=living.frame, fps=movie.VIDEO_FPS, seed=1, erase={}, infect={})
    movie.take(living, options).film().save(output)
    return {}


def start(model: str, output: str) -> dict[str, Any]:
    """Write the initial frame of a model."""
    from PIL import Image

    from planaria import store

    frames = store.start(model)
    if frames is None:
        raise UserError("it begins with no frame")
    bytes_ = frames[-1].mul(255).round().byte().permute(1, 2, 0).squeeze(-1).numpy()
    return _written(Image.fromarray(bytes_), output, 512)


def export(model: str, output: str) -> dict[str, Any]:
    """Export a model as `planaria export` does."""
    from planaria.export import write

    write(Path(model), Path(output))
    return {}


def upload(source: str, output: str, shown: str) -> dict[str, Any]:
    """Check an uploaded raster picture and write it anew as PNG, at most 1024 pixels a side."""
    from planaria.data import keying
    from planaria.data.raster import FORMATS, decode
    from planaria.files import HEAD, what_it_really_is

    with Path(source).open("rb") as file:
        if what_it_really_is(file.read(HEAD)) == "an SVG drawing":
            raise UserError(f"{shown!r} is an SVG drawing, no picture in a format known here: {', '.join(FORMATS)}")
        file.seek(0)
        image = decode(file, shown)
    remark = keying.remark(image, "none", False, shown)
    return {**_written(image, output, 1024), "remark": remark and {"text": remark.text, "settings": remark.settings}}


def thumb(source: str, output: str, background: str = "none", trim: bool = False) -> dict[str, Any]:
    """Make a thumbnail of a picture field's source, or of a simulator after some steps."""
    from PIL import Image

    from planaria.data import keying
    from planaria.data.images import open_image

    if source.startswith("sim:"):
        from planaria.data import simulate

        frame = simulate.frames(source.removeprefix("sim:"), 1, skip=80)[0]
        picture = frame.clamp(0, 1).mul(255).byte().permute(1, 2, 0).squeeze(-1).numpy()
        return _written(Image.fromarray(picture).resize((192, 192), Image.Resampling.NEAREST), output, 192)
    return _written(keying.prepared(open_image(source, 192), background, trim), output, 192)


def check(source: str, size: int, padding: int, background: str = "none", trim: bool = False) -> dict[str, Any]:
    """Open the picture that a training is to grow, as the training will."""
    from planaria.data.images import picture

    picture(source, size, padding, background=background, trim=trim)
    return {}


def look(frames: str, size: int, every: int, crop: str, count: int, colour: str) -> dict[str, Any]:
    """Open the film that a training is to learn, as the training will."""
    from planaria.data import simulate
    from planaria.data.clips import open_clips

    if frames.startswith("sim:"):
        simulate.load(frames.removeprefix("sim:"))
    else:
        open_clips(frames, size=size, every=every, crop=crop, count=count, colour=colour)
    return {}


def moves(source: str, shown: str) -> dict[str, Any]:
    """Open an uploaded film, called `shown`, and read a frame and the next one."""
    from planaria.data.frames import open_frames

    try:
        frames = open_frames(source, size=64)
        frames.stack(0, 2)
    except IndexError:
        raise UserError(f"{shown!r} is a single picture, no film") from None
    except UserError as e:
        raise UserError(str(e).replace(source, shown)) from None
    return {}


def survey(frames: str, **given: Any) -> dict[str, Any]:
    """Lines on the film that a training is to learn, and on what it will choose from that."""
    from planaria.data.survey.choices import choose

    return {"lines": choose(frames, **given)[1]}


def photos(source: str) -> dict[str, Any]:
    """Open some of the photos that a training is to learn on."""
    from planaria.data.photos import open_photos

    open_photos(source, size=64, most=4)
    return {}


def _written(image: Any, output: str, side: int) -> dict[str, Any]:
    import io

    from PIL import Image

    from planaria.store import write_bytes

    if image.mode == "F":
        image = image.point(lambda v: v * 255).convert("L")
    image = image.convert("RGBA")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if not image.getchannel("A").getbbox():
        raise UserError("nothing to grow: every pixel is transparent")
    out = io.BytesIO()
    image.save(out, "PNG")
    write_bytes(output, out.getvalue())
    return {"width": image.width, "height": image.height}


def warm() -> dict[str, Any]:
    """Import the libraries that take long to load."""
    import planaria.data.images  # noqa: F401

    return {}


JOBS = {
    "warm": warm, "film": film, "start": start, "export": export, "upload": upload, "thumb": thumb, "check": check,
    "look": look, "photos": photos, "moves": moves, "survey": survey,
}  # fmt: skip


def work() -> None:
    """Do jobs from standard input until it ends. Other output of a job is discarded."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if hasattr(os, "nice"):
        os.nice(5)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            reply = JOBS[asked.pop("job")](**asked)
        except UserError as e:
            reply = {"error": str(e)}
        except Exception as e:  # the server must hear of whatever went wrong
            reply = {"error": f"{type(e).__name__}: {' '.join(str(e).split())[:300]}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    work()
