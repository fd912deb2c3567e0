"""Access control of the studio: only this machine's own browser, from the studio's own page, within limits."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_PICTURE = 20_000_000
"""Bytes of an uploaded picture."""
MOST_JSON = 64_000
"""Bytes of any other request."""
PATIENCE = {"PUT": 60.0}
"""Seconds that a whole request body may take, by method."""
USUAL_PATIENCE = 10.0

_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.ASCII)


class Refusal(Exception):
    """Answer that is no success: its status, one line, and the setting at fault where there is one."""

    def __init__(self, status: int, error: str, field: str | None = None):
        super().__init__(error)
        self.status, self.error, self.field = status, error, field


def refused(refusal: Refusal, *, close: bool = False) -> Response:
    """A refusal as the page reads it; `close` ends the connection after it."""
    headers = {"connection": "close"} if close else None
    return JSONResponse({"error": refusal.error, "field": refusal.field}, refusal.status, headers)


class Guard:
    """ASGI layer around the studio: Host, Origin, size and pace of what comes in, headers of what goes out.

    A page elsewhere can't be read as ours: the Host must be a loopback name, which no rebound name of another site is,
    and the Origin, where sent, must be that very Host. What changes something, and every WebSocket, must send it.
    """

    def __init__(self, app: ASGIApp, *, picture_patience: float = PATIENCE["PUT"], patience: float = USUAL_PATIENCE):
        self.app, self.picture_patience, self.patience = app, picture_patience, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        try:
            _admit(scope, headers, host)
            counted = receive if scope["type"] == "websocket" else self._counted(scope, headers, receive)
        except Refusal as refusal:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await refused(refusal, close=True)(scope, receive, _armoured(send, host))
            return
        await self.app(scope, counted, send if scope["type"] == "websocket" else _armoured(send, host))

    def _counted(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Receive:
        """Wrap `receive` to refuse a body that grows too large or takes too long."""
        picture = scope["method"] == "PUT"
        most = MOST_PICTURE if picture else MOST_JSON
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise Refusal(413, f"that is too large: at most {most // 1000:,} kB")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.picture_patience if picture else self.patience)
        got, whole = 0, False

        async def counted() -> Message:
            nonlocal got, whole
            if whole:  # from here on, it only waits for the other end to leave
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Refusal(408, "the request took too long") from None
            got += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if got > most:
                raise Refusal(413, f"that is too large: at most {most // 1000:,} kB")
            return message

        return counted


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object that a request brings; an empty one for an empty body."""
    body = await request.body()
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "the request is not JSON") from None
    if not isinstance(found, dict):
        raise Refusal(400, "the request is no JSON object")
    return found


def _admit(scope: Scope, headers: dict[str, str], host: str) -> None:
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    if hosts != 1 or not _LOOPBACK.fullmatch(host):
        raise Refusal(403, "the studio answers only to this machine: open http://127.0.0.1")
    origin = headers.get("origin")
    silent = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    if origin is None:
        if not silent:
            raise Refusal(403, "only the studio's own page may do that")
    elif urlsplit(origin).scheme not in ("http", "https") or origin.partition("://")[2] != host:
        raise Refusal(403, "another page may not speak with the studio")
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        arrives = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/" and silent
        if not arrives:
            raise Refusal(403, "another page may not speak with the studio")


def _armoured(send: Send, host: str) -> Send:
    """Wrap `send` to add headers that forbid the page anything but its own files, of which one is WebAssembly.

    A page with a policy of its own keeps that.
    """
    policy = (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; "
        f"connect-src 'self' ws://{host if _LOOPBACK.fullmatch(host) else '127.0.0.1'}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    always = {
        b"content-security-policy": policy.encode("latin-1"),
        b"x-content-type-options": b"nosniff",
        b"x-frame-options": b"DENY",
        b"referrer-policy": b"no-referrer",
        b"cross-origin-opener-policy": b"same-origin",
        b"cross-origin-resource-policy": b"same-origin",
    }

    async def armoured(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            usual = [] if b"cache-control" in there else [(b"cache-control", b"no-store")]
            own = {name: value for name, value in always.items() if name not in there}
            message = {**message, "headers": [*message["headers"], *usual, *own.items()]}
        await send(message)

    return armoured
