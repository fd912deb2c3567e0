"""Connections of the studio: limits on their number and duration, and their end."""

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from planaria.errors import UserError

MOST_CONNECTIONS = 256
"""Connections at once; beyond that, those that have asked for nothing yet make room."""
HEADER_SECONDS = 10.0
"""Seconds that a request's first lines may take."""
STALL_SECONDS = 10.0
"""Seconds that a reader may leave the send buffer full."""
PORTS = 20
"""Number of ports to try, one after another."""


class Impatient(asyncio.Protocol):
    """Base of a uvicorn protocol: ends a connection whose reader has stopped reading."""

    transport: Any
    _stalled: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Start the timer: the send buffer is full."""
        self._recover()
        self._stalled = asyncio.get_running_loop().call_later(STALL_SECONDS, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the timer: the send buffer has room."""
        self._recover()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the connection."""
        self._recover()
        super().connection_lost(exc)

    def _recover(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class Http(Impatient, H11Protocol):
    """HTTP protocol that waits for nobody: requests must begin and go on, and idle connections make room."""

    _hurry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register a new connection."""
        if len(self.connections) >= MOST_CONNECTIONS:
            idle = next((c for c in self.connections if isinstance(c, Http) and c.is_idle), None)
            if idle is None:
                super().connection_made(transport)
                transport.abort()
                return
            self.connections.discard(idle)
            idle.transport.abort()
        super().connection_made(transport)
        self._set_hurry()

    @property
    def is_idle(self) -> bool:
        """True if no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Handle more bytes of a request."""
        super().data_received(data)
        begun = self.is_idle and self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not begun:
            self._unset_hurry()
        elif self._hurry is None:
            self._set_hurry()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Switch from HTTP to a WebSocket."""
        self._unset_hurry()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the connection."""
        self._unset_hurry()
        super().connection_lost(exc)

    def _set_hurry(self) -> None:
        self._hurry = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _unset_hurry(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None


class Socket(Impatient, WebSocketsSansIOProtocol):
    """WebSocket whose reader must read."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket at `port` or the next free one. Raises `UserError` where there is none."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise UserError(
            f"the studio can start programs, so it listens on this machine only, not on {host}; from elsewhere: "
            f"ssh -L {port}:127.0.0.1:{port} THIS-MACHINE, then open http://127.0.0.1:{port}"
        )
    if not 0 <= port <= 65535:
        raise UserError(f"a port is 0 to 65535, not {port}")
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    for tried in range(port, min(port + PORTS, 65536)) if port else (0,):
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host if host != "localhost" else "127.0.0.1", tried))
            listening.listen(128)
        except OSError as e:
            listening.close()
            if e.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise UserError(f"can't listen on {host}:{tried}: {e.strerror or e}") from e
        return listening
    raise UserError(f"ports {port} to {port + PORTS - 1} are all taken; choose another with --port")


def server(app: ASGIApp) -> uvicorn.Server:
    """Build a server for the studio, quiet but for errors, that ends within a second or two."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Server(
        uvicorn.Config(
            app, http=Http, ws=Socket, loop="asyncio", lifespan="on", log_config=None, access_log=False,
            proxy_headers=False, server_header=False, ws_max_size=1024, ws_ping_interval=20, ws_ping_timeout=20,
            ws_per_message_deflate=False, timeout_keep_alive=20, timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=32_768,
        )
    )  # fmt: skip


def run(app: ASGIApp, listening: socket.socket, ready: Callable[[], Any]) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP, then raise `KeyboardInterrupt`; `ready` is called once it answers."""
    serving = server(app)
    ended: list[int] = []

    def end(number: int, _: object) -> None:
        ended.append(number)
        serving.should_exit = True

    politely = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {s: signal.signal(s, end) for s in politely if signal.getsignal(s) is not signal.SIG_IGN}

    async def main() -> None:
        task = asyncio.create_task(serving.serve(sockets=[listening]))
        while not serving.started and not task.done():
            await asyncio.sleep(0.01)
        if serving.started:
            ready()
        await task

    try:
        asyncio.run(main())
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
    if ended:
        raise KeyboardInterrupt
