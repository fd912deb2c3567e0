"""A real browser for tests: headless Chromium, and a small server of planaria/web on 127.0.0.1.

A test file asks for it by `pytest_plugins = ("helpers.browser",)` and then has the fixtures `page`, `open_page`,
`open_plain`, `site`, `complaints` and `allowed`. They skip where no Chromium or playwright is installed. The browser
lives as long as one test file: playwright holds the thread's event loop, which tests of other files may need.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import planaria

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WEB = Path(planaria.__file__).parent / "web"
KINDS = {
    "js": "text/javascript",
    "css": "text/css",
    "html": "text/html",
    "json": "application/json",
    "wasm": "application/wasm",
}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
]
PLAIN = """const whole = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind === "webgl2" ? null : whole.call(this, kind, ...more);
};"""


class Site:
    """Serves the files of planaria/web, and whatever text a test puts beside them."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = site.read(self.path.partition("?")[0].lstrip("/"))
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", KINDS.get(self.path.rpartition(".")[2], "text/plain"))
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def put(self, name: str, text: str) -> str:
        """Serve `text` under `name` and return its address."""
        self.texts[name] = text
        return self.url + name

    def read(self, name: str) -> bytes | None:
        if name in self.texts:
            return self.texts[name].encode()
        if name == "favicon.ico":
            return b""
        path = (WEB / name).resolve()
        return path.read_bytes() if path.is_file() and path.is_relative_to(WEB) else None

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.close()


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium in the path")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def blank(chromium: "Browser", site: Site) -> "Iterator[Page]":
    """One empty page for a whole file, beside the player's modules."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(site.put("blank.html", "<!doctype html><title>blank</title>"))
    yield page
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors that pages threw or printed. The test fails at its end if any is there that it didn't allow."""
    return []


@pytest.fixture
def allowed() -> list[str]:
    """Parts of complaints that the test brings about on purpose: the console may tell of them late."""
    return []


@pytest.fixture
def open_page(chromium: "Browser", complaints: list[str], allowed: list[str]) -> "Iterator[Callable[..., Page]]":
    """Opens a page in a fresh context; the options are those of playwright's `new_context`."""
    contexts = []

    def opened(**options: Any) -> "Page":
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 700}, **options})
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}") if m.type == "error" else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [c for c in complaints if not any(part in c for part in allowed)] == []


@pytest.fixture
def open_plain(open_page: "Callable[..., Page]") -> "Callable[..., Page]":
    """Opens a page without WebGL2: its imitation takes a processor from what else runs, WebAssembly takes less."""

    def opened(**options: Any) -> "Page":
        page = open_page(**options)
        page.context.add_init_script(PLAIN)
        return page

    return opened


@pytest.fixture
def page(open_page: "Callable[..., Page]") -> "Page":
    return open_page()
