"""Headless Firefox for tests, spoken to by WebDriver BiDi: https://w3c.github.io/webdriver-bidi/."""

import base64
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SECONDS = 60.0


class Firefox:
    """One tab of a running Firefox, and what its page has said."""

    def __init__(self, socket: Any):
        self._socket, self._ids = socket, itertools.count(1)
        self.logged: list[str] = []
        self.requested: list[str] = []
        self._ask("session.new", capabilities={})
        self._tab = self._ask("browsingContext.getTree")["contexts"][0]["context"]
        self._ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])

    def goto(self, url: str) -> None:
        """Open a page and wait until it has loaded."""
        self._ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """JSON value of an expression in the page; a promise is awaited."""
        given = {"context": self._tab}
        wrapped = f"(async () => JSON.stringify((await ({expression})) ?? null))()"
        found = self._ask("script.evaluate", expression=wrapped, target=given, awaitPromise=True)
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    def wait_for(self, expression: str) -> Any:
        """Value of an expression in the page, once it is true."""
        wait = f"const found = await ({expression}); if (found) return found;"
        pause = "await new Promise((resolve) => setTimeout(resolve, 50));"
        patience = f"Date.now() - begun < {1000 * SECONDS}"
        body = f"const begun = Date.now(); while ({patience}) {{ {wait} {pause} }} throw new Error('waited in vain');"
        return self.evaluate(f"(async () => {{ {body} }})()")

    def press(self, key: str) -> None:
        """Press and release a key."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._ask("input.performActions", context=self._tab, actions=[{"type": "key", "id": "keys", "actions": keys}])

    def drag(self, *points: tuple[int, int]) -> None:
        """Draw with the mouse from point to point, (x, y) in pixels."""
        moves = [{"type": "pointerMove", "x": x, "y": y, "duration": 100} for x, y in points]
        held = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        self._ask("input.performActions", context=self._tab, actions=[{"type": "pointer", "id": "m", "actions": held}])

    def screenshot(self) -> bytes:
        """A picture of the page, as PNG."""
        return base64.b64decode(self._ask("browsingContext.captureScreenshot", context=self._tab)["data"])

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(SECONDS + 30))
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.logged.append(message["params"]["text"])
            if message.get("method") == "network.beforeRequestSent":
                self.requested.append(message["params"]["request"]["url"])
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]


@contextmanager
def firefox(profile: Path, **preferences: bool | int | str) -> Iterator[Firefox]:
    """Firefox with a new profile in the folder `profile`; it is ended afterwards."""
    sync = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no firefox in the path")
    profile.mkdir(parents=True)
    lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in preferences.items()]
    (profile / "user.js").write_text("\n".join(lines))
    words = [path, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                    break
            else:
                raise AssertionError("".join(said))
            with sync.connect(f"{found[1]}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            process.kill()
