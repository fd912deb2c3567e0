"""Pictures uploaded to the page: received, checked, written anew."""

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Any

from planaria import store
from planaria.data import emoji
from planaria.data.builtin import PICTURES
from planaria.data.images import name_of
from planaria.data.scenes import SCENES
from planaria.files import read
from planaria.view.studio.forms import FILMS
from planaria.view.studio.guard import MOST_PICTURE, Refusal
from planaria.view.studio.making import Cache, Maker

MOST_AT_ONCE = 4
DRAWN = (*PICTURES, *(f"sim:{name}" for name in FILMS), *(f"scene:{name}" for name in SCENES))
"""Sources with thumbnails, because they are drawn here."""


class Pictures:
    """The folder `.pictures` among the runs."""

    def __init__(self, runs: Path, maker: Maker):
        self.folder, self.maker = runs / ".pictures", maker
        self.thumbs = Cache(runs / ".cache", maker)
        self._taking = asyncio.Semaphore(MOST_AT_ONCE)

    async def take(self, name: str, chunks: AsyncIterable[bytes]) -> dict[str, Any]:
        """Receive an upload called `name`; returns its description for a page. Raises `Refusal` if it is no picture."""
        shown = re.sub(r"[^\w.() -]+", "", name)[:80] or "the picture"
        async with self._taking:
            spare = self.folder / f".{os.urandom(8).hex()}.part"
            try:
                await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
                await receive(spare, chunks, "picture")
                whole = self.folder / f".{os.urandom(8).hex()}.png"
                about = await self.maker.do("upload", source=str(spare), output=str(whole), shown=shown)
                kept = await asyncio.to_thread(settle, whole, name_of(shown), ".png")
            except OSError as e:
                raise Refusal(507, f"can't keep the picture: {e.strerror or e}") from None
            finally:
                spare.unlink(missing_ok=True)
        shown = {key: about[key] for key in ("width", "height", "remark")}
        return {"picture": str(kept), "thumb": f"/pictures/{kept.name}", **shown}

    def path(self, file: str) -> Path:
        """Path of an uploaded picture."""
        path = self.folder / file
        if not re.fullmatch(r"[a-z0-9-]{1,80}\.png", file) or path.is_symlink() or not path.is_file():
            raise Refusal(404, f"no picture {file[:80]!r}")
        return path

    async def thumb(self, source: str, background: str = "none", trim: bool = False) -> Path:
        """Thumbnail of a source drawn here, an emoji, words, or an uploaded picture; of nothing else here.

        It is shown as a training sees it, with these settings.
        """
        look = {"background": background, "trim": trim} if trim or background != "none" else {}
        taken = Path(source)
        if taken.parent == self.folder:
            path = self.path(taken.name)
            if not look:
                return path
            key = hashlib.sha256(f"look {background} {trim} {source}".encode()).hexdigest()[:32]
            return await self.thumbs.get("thumb", key, ".png", source=str(path), **look)
        known = source in DRAWN or emoji.is_emoji(source)
        if not known and not re.fullmatch(r"text:.{1,40}", source):
            raise Refusal(404, "no thumbnail of that")
        key = hashlib.sha256(f"thumb {source}".encode()).hexdigest()[:32]
        return await self.thumbs.get("thumb", key, ".png", source=source)


async def receive(spare: Path, chunks: AsyncIterable[bytes], what: str) -> None:
    """Write an upload to disk as it comes, so that memory holds little of it; `what` names its kind."""
    got = 0
    with spare.open("xb") as f:
        async for chunk in chunks:
            got += len(chunk)
            if got > MOST_PICTURE:
                raise Refusal(413, f"a {what} has at most {MOST_PICTURE // 10**6} MB")
            await asyncio.to_thread(f.write, chunk)
    if not got:
        raise Refusal(400, f"the {what} is empty", what)


def settle(whole: Path, wanted: str, suffix: str) -> Path:
    """Give a checked upload its name beside it, or find it among those already there."""
    data = whole.read_bytes()
    whole.unlink()
    for number in range(1, 10_000):
        path = whole.parent / (f"{wanted}{suffix}" if number == 1 else f"{wanted}-{number}{suffix}")
        if not path.exists():
            store.write_bytes(path, data)
            return path
        with contextlib.suppress(OSError):
            if read(path, len(data)) == data:
                return path
    raise Refusal(409, f"too many files are called {wanted!r}")
