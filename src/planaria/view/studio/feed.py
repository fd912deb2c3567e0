"""Messages of a socket: the newest of each thing, never a queue, so that a slow reader costs nobody anything."""

import asyncio
import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from planaria import store
from planaria.errors import UserError
from planaria.files import is_inside, open_regular, read
from planaria.store import live
from planaria.store.run_folder import RunFolder
from planaria.view.studio.runs import FILES, MOST_POINTS, Runs, read_point, tail

RUN_SECONDS, HOME_SECONDS = 0.25, 1.0
"""Seconds between two looks at the files while a page is open."""
RESTS = 2.0
"""Pause after a look at the files, in durations of that look."""
WATCH_EVERY = 5.0
SEND_SECONDS = 10.0
"""Seconds for one message after which a slow reader is dropped."""
MOST_SOCKETS = 64
WEIGHTS, POOL = 1, 2
"""Kinds of binary messages."""
MOST_LIVE_BYTES = 64_000_000

News = str | bytes
Messages = dict[str, News | None]


@runtime_checkable
class Source(Protocol):
    """A source that is polled; `look` may read files."""

    def look(self) -> Messages:
        """Changes by kind; None is news that each socket gets in its own words."""
        ...

    def since(self, step: int) -> tuple[str, int]:
        """The curve beyond `step`, and its new end."""
        ...


class RunSource:
    """One run folder."""

    def __init__(self, runs: Runs, name: str):
        self.runs, self.name, self.folder = runs, name, RunFolder(runs.run(name))
        self.points: deque[dict[str, Any]] = deque(maxlen=MOST_POINTS)
        self.cut = False
        self._seen: dict[str, object] = {}
        self._read = 0
        self._watched = -WATCH_EVERY

    def look(self) -> Messages:
        """Changes in the folder since the last look."""
        news: Messages = {}
        status = self.runs.status(self.runs.run(self.name))
        busy = status.busy
        if busy and time.monotonic() - self._watched >= WATCH_EVERY:
            self._watched = time.monotonic()
            with contextlib.suppress(UserError):  # a folder of somebody else's: its curve can be seen all the same
                live.watch(self.folder.path)
        if self._changed("status", status):
            news["status"] = json.dumps({"type": "status", **asdict(status)})
        if self._changed("metrics", _signature(self.folder.metrics)) and self._follow():
            news["metrics"] = None
        if self._changed("files", [f for f in FILES if (self.folder / f).exists()]):
            news["files"] = json.dumps({"type": "files"})
        if busy and self._changed("weights", _signature(self.folder.weights)):
            self._tell(news, live.WEIGHTS, "weights", WEIGHTS, weights)
        if self._changed("pool", _signature(self.folder.pool)):
            self._tell(news, live.POOL, "pool", POOL, lambda path: (status.step, read(path, MOST_LIVE_BYTES)))
        return news

    def since(self, step: int) -> tuple[str, int]:
        """The newest lines beyond `step`, at most 2000."""
        lines = [p for p in list(self.points) if p["step"] > step]
        message: dict[str, Any] = {"type": "metrics", "lines": lines}
        if step >= 0 and self.points and self.points[-1]["step"] < step:  # the run was resumed from before that
            lines = list(self.points)
            message |= {"lines": lines, "reset": True}
        return json.dumps(message), lines[-1]["step"] if lines else step

    def _changed(self, what: str, now: object) -> bool:
        changed = self._seen.get(what) != now
        self._seen[what] = now
        return changed

    def _follow(self) -> bool:
        """Read the lines added to the metrics; all of the end if the file was written anew."""
        path = self.folder.metrics
        try:
            with open_regular(path, inside=self.runs.folder) as f:
                size = f.seek(0, os.SEEK_END)
                if self._read and self._read <= size and size - self._read < 1_000_000:
                    f.seek(self._read - 1)  # a line that was read before must still end here
                    grown = f.read()
                    if grown[:1] == b"\n":
                        lines = grown[1:].split(b"\n")[:-1]
                        self._read += sum(len(line) + 1 for line in lines)
                        return self._add(lines)
            lines = tail(path, 400_000, inside=self.runs.folder)
            self._read = size
        except OSError:
            return False
        self.points.clear()
        return self._add(lines)

    def _add(self, lines: list[bytes]) -> bool:
        for point in map(read_point, lines):
            if point is not None:
                while self.points and self.points[-1]["step"] >= point["step"]:
                    self.points.pop()
                self.points.append(point)
        return bool(lines)

    def _tell(self, news: Messages, file: str, what: str, kind: int, read: Callable[[Path], tuple[int, bytes]]) -> None:
        """Add a binary message, unless its file has just gone, lies elsewhere or is none."""
        path = self.folder / file
        if not is_inside(path, self.runs.folder):
            return
        try:
            step, data = read(path)
        except (OSError, UserError):
            return
        if len(data) <= MOST_LIVE_BYTES:
            news[what] = np.array([kind, step], "<u4").tobytes() + data


class HomeSource:
    """The whole folder of runs."""

    def __init__(self, home: Callable[[], dict[str, Any]]):
        self._home = home
        self._before = ""

    def look(self) -> Messages:
        """All cards, where one has changed."""
        now = json.dumps({"type": "home", **self._home()})
        if now == self._before:
            return {}
        self._before = now
        return {"home": now}

    def since(self, step: int) -> tuple[str, int]:
        """An empty curve: the whole folder has none."""
        return json.dumps({"type": "metrics", "lines": []}), step


class Mailbox:
    """The newest message of each kind that a socket hasn't been sent yet."""

    def __init__(self, newest: Messages):
        self.news: Messages = dict(newest)
        self.step = -1
        self._filled = asyncio.Event()
        self._filled.set()

    def put(self, news: Messages) -> None:
        """Replace waiting messages by newer ones."""
        self.news |= news
        self._filled.set()

    async def take(self) -> tuple[str, News | None]:
        """The next message, once there is one."""
        while not self.news:
            self._filled.clear()
            await self._filled.wait()
        what = next(iter(self.news))
        return what, self.news.pop(what)


class Channel:
    """One source and the sockets that listen to it; looks only while there are any."""

    def __init__(self, source: Source, seconds: float):
        self.source, self.seconds = source, seconds
        self.boxes: set[Mailbox] = set()
        self.newest: Messages = {}
        self._task: asyncio.Task[None] | None = None

    def join(self) -> Mailbox:
        """A mailbox that begins with the newest of everything."""
        box = Mailbox(self.newest)
        self.boxes.add(box)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        return box

    def leave(self, box: Mailbox) -> None:
        """Stop sending to this mailbox."""
        self.boxes.discard(box)
        if not self.boxes and self._task is not None:
            self._task.cancel()

    async def _poll(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                news = await asyncio.to_thread(self.source.look)
            except Exception as e:  # a run put away while it is looked at, a folder gone: say so and look again
                error = json.dumps({"type": "error", "error": str(e)[:300]})
                news: Messages = {} if self.newest.get("error") == error else {"error": error}
            if news:
                self.newest |= news
                for box in self.boxes:
                    box.put(news)
            await asyncio.sleep(max(self.seconds, RESTS * (time.monotonic() - begun)))


class Feed:
    """All sockets."""

    def __init__(self, runs: Runs, home: Callable[[], dict[str, Any]]):
        self.runs, self._home = runs, home
        self.sockets = 0
        self._channels: dict[str | None, Channel] = {}

    async def serve(self, socket: WebSocket, name: str | None) -> None:
        """Serve a socket with the run `name`, or with all where None, until it leaves."""
        if self.sockets >= MOST_SOCKETS:
            await socket.close(1013)
            return
        self.sockets += 1  # before the first await, so that a thousand at once are counted
        try:
            channel = self._channels.get(name)
            if channel is None:
                source = RunSource(self.runs, name) if name is not None else HomeSource(self._home)
                channel = Channel(source, RUN_SECONDS if name is not None else HOME_SECONDS)
                self._channels[name] = channel
            await socket.accept()
            await self._talk(socket, channel)
        finally:
            self.sockets -= 1
            channel = self._channels.get(name)
            if channel is not None and not channel.boxes:
                del self._channels[name]

    async def _talk(self, socket: WebSocket, channel: Channel) -> None:
        box = channel.join()
        both = [asyncio.create_task(_speak(socket, channel, box)), asyncio.create_task(_listen(socket))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            channel.leave(box)
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        refused = both[1].done() and not both[1].cancelled() and both[1].exception() is None and both[1].result()
        if refused:
            async with asyncio.timeout(SEND_SECONDS):
                await socket.close(1008)


async def _speak(socket: WebSocket, channel: Channel, box: Mailbox) -> None:
    """Send the newest messages, for as long as they are read."""
    while True:
        what, news = await box.take()
        if what == "metrics":
            news, box.step = channel.source.since(box.step)
        async with asyncio.timeout(SEND_SECONDS):
            if isinstance(news, str):
                await socket.send_text(news)
            elif news is not None:
                await socket.send_bytes(news)


async def _listen(socket: WebSocket) -> bool:
    """Read from a page, which should send nothing but pong; true if it sends anything else."""
    while True:
        try:
            text = await socket.receive_text()
        except WebSocketDisconnect:
            return False
        except KeyError:  # binary
            return True
        try:
            fine = json.loads(text) == {"type": "pong"}
        except (ValueError, RecursionError):
            fine = False
        if not fine:
            return True


def weights(path: Path) -> tuple[int, bytes]:
    """Iteration of a run's live weights, and the weights as the player takes them: all weights, then all biases."""
    if path.stat().st_size > MOST_LIVE_BYTES:
        raise UserError(f"{path} is too large to show")
    tensors = store.read_tensors(path)
    tensors.pop(store.START, None)
    step = store.card(path).trained or 0
    order = sorted(tensors, key=lambda name: (name.startswith("biases"), int(name.rpartition(".")[2])))
    flat = [tensors[name].float().reshape(-1).numpy() for name in order]
    return step, np.concatenate(flat).astype("<f4").tobytes()


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino
