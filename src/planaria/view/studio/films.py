"""Films uploaded to the page: received, opened once by the process beside the server, kept as they are."""

import asyncio
import os
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Any

from planaria.data.images import name_of
from planaria.data.sources import MOVING
from planaria.data.video import FILMS
from planaria.view.studio.guard import Refusal
from planaria.view.studio.making import Maker
from planaria.view.studio.pictures import MOST_AT_ONCE, receive, settle

SUFFIXES = (*FILMS, *MOVING)


class Films:
    """The folder `.films` among the runs."""

    def __init__(self, runs: Path, maker: Maker):
        self.folder, self.maker = runs / ".films", maker
        self._taking = asyncio.Semaphore(MOST_AT_ONCE)

    async def take(self, name: str, chunks: AsyncIterable[bytes]) -> dict[str, Any]:
        """Receive an upload called `name`; returns its path. Raises `Refusal` if it is no film."""
        suffix = Path(name).suffix.lower()
        if suffix not in SUFFIXES:
            raise Refusal(400, f"{name[:80]!r} is no video: have {', '.join(sorted(set(SUFFIXES)))}", "frames")
        async with self._taking:
            spare = self.folder / f".{os.urandom(8).hex()}{suffix}"
            try:
                await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
                await receive(spare, chunks, "film")
                await self.maker.do("moves", source=str(spare), shown=name[:80])
                kept = await asyncio.to_thread(settle, spare, name_of(name[:80]), suffix)
            except OSError as e:
                raise Refusal(507, f"can't keep the film: {e.strerror or e}") from None
            finally:
                spare.unlink(missing_ok=True)
        return {"film": str(kept)}
