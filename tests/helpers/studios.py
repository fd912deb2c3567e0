"""A real studio for tests: uvicorn in a thread, spoken to over real sockets."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import uvicorn
from websockets.sync.client import connect

from helpers.tiny import TINY
from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule
from planaria.store import live
from planaria.view.studio import app, wire


class Studio:
    """A running studio and how to speak with it."""

    def __init__(self, folder: Path, port: int, inside: app.Studio, server: uvicorn.Server):
        self.folder, self.port, self.inside, self.server = folder, port, inside, server
        self.host = f"127.0.0.1:{port}"
        self.origin = f"http://{self.host}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON (or bytes) and headers of an answer. `Host` and `Origin` are ours unless given."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            given = {"Host": self.host, **({} if method == "GET" else {"Origin": self.origin}), **headers}
            link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                if value:
                    link.putheader(name.replace("_", "-"), value)
            if body is not None:
                link.putheader("Content-Length", str(len(body)))
            link.endheaders(body)
            answer = link.getresponse()
            data = answer.read()
            found = {k.lower(): v for k, v in answer.getheaders()}
            return answer.status, json.loads(data) if "json" in found.get("content-type", "") else data, found
        finally:
            link.close()

    def post(self, path: str, **what: Any) -> tuple[int, Any]:
        """Status and JSON of a POST."""
        return self.ask("POST", path, json.dumps(what).encode())[:2]

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a GET."""
        return self.ask("GET", path)[:2]

    def listen(self, path: str, **settings: Any) -> Any:
        """A WebSocket, as our page opens it; to be used in a `with`."""
        return connect(f"ws://{self.host}{path}", **{"origin": self.origin, "max_size": None, **settings})

    def upgrade(self, path: str) -> bytes:
        """What a browser sends to open a WebSocket."""
        lines = (
            f"GET {path} HTTP/1.1", f"Host: {self.host}", f"Origin: {self.origin}", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )  # fmt: skip
        return "\r\n".join((*lines, "", "")).encode()

    def begin(self, method: str, path: str, *headers: str) -> bytes:
        """The first lines of a request, its body to follow."""
        lines = (f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Origin: {self.origin}", *headers)
        return "\r\n".join((*lines, "", "")).encode()

    def raw(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextmanager
def studio(folder: Path, **patience: float) -> Iterator[Studio]:
    """A studio of `folder`, ended afterwards; its thread must end too."""
    listening = wire.listen("127.0.0.1", 0)
    inside = app.studio(folder)
    server = wire.server(inside.app(**patience))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started)
        yield Studio(folder, listening.getsockname()[1], inside, server)
    finally:
        server.should_exit = True
        thread.join(15)
        listening.close()
        assert not thread.is_alive(), "the studio did not end"


def until(true: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait for something; what it gave."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def model(path: Path, trained: int = 7, seed: int = 0) -> Rule:
    """A small model file, as a training writes it."""
    rule = Rule(TINY.rule, seed=seed)
    with torch.no_grad():
        rule.weights[-1].normal_(0, 0.1, generator=torch.Generator().manual_seed(seed))
    card = {"task": "grow", "trained": trained, "grid": [12, 12], "config": {"picture": "lizard"}, "figures": {}}
    store.save(path, rule, Layout(hidden=4), card)
    return rule


def training(folder: Path, step: int = 3, steps: int = 90) -> Path:
    """A run folder that looks as if this very process trained in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(f"task: grow\npicture: lizard\ntrain:\n  steps: {steps}\n")
    lines = [{"step": k + 1, "loss": 1 / (k + 1), "lr": 0.1, "rollout": 9, "seconds": 0.1} for k in range(step)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    live.write_status(folder, live.Status("running", step, steps, 0.5))
    return folder


def memory() -> int:
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    """Open files and sockets of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
