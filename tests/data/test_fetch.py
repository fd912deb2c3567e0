"""Downloads from a server of our own on the loopback: kept once, or refused in one line with nothing left behind."""

import gc
import hashlib
import io
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from planaria.data.fetch import cache_folder, cached_name, fetch, matches
from planaria.data.images import picture
from planaria.errors import UserError

BODY = bytes(range(256)) * 4000  # about 1 MB, several chunks
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(BODY).hexdigest()


def red() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Answers by the path asked for; notes what was asked."""

    asked: list[str]
    quiet: threading.Event

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path == "/red.png":
            self.answer(200, red(), {})
        elif path == "/page.png":
            self.answer(200, b"<html>please log in</html>", {})
        elif path == "/unknown-length":
            self.answer(200, BODY, {"Content-Length": None})
        elif path == "/short":
            self.answer(200, BODY[:1000], {"Content-Length": str(len(BODY))})
        elif path == "/silent":
            self.quiet.wait(5)
        elif path.startswith("/to/"):
            target = {"good": "/good.bin", "file": "file:///etc/passwd", "ftp": "ftp://127.0.0.1/a", "loop": "/to/loop"}
            self.answer(302, b"", {"Location": target[path.removeprefix("/to/")]})
        elif path.startswith("/good"):
            self.answer(200, BODY, {})
        else:
            self.answer(404, b"nothing here", {})

    def answer(self, code: int, body: bytes, headers: dict[str, str | None]) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:  # the client had enough, as it should of what is too large
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    Handler.asked, Handler.quiet = [], threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        Handler.quiet.set()
        http.shutdown()
        thread.join()
    gc.collect()  # so that a socket left open is found here


@pytest.fixture
def refused(tmp_path):
    """Check that a download is refused with a message of one line and leaves nothing behind."""

    def check(url: str, message: str, **options: object) -> None:
        with pytest.raises(UserError, match=message) as caught:
            fetch(url, cache=tmp_path / "cache", **options)
        assert "\n" not in str(caught.value)
        assert url.partition("#")[0] in str(caught.value)
        folder = tmp_path / "cache"
        assert not folder.exists() or not list(folder.iterdir())

    return check


@pytest.mark.parametrize("checksum", [None, MD5, SHA256, SHA256.upper()])
def test_once(server, tmp_path, checksum):
    path = fetch(f"{server}/good.bin", cache=tmp_path, checksum=checksum)
    assert path.read_bytes() == BODY
    assert path == tmp_path / cached_name(f"{server}/good.bin")
    assert fetch(f"{server}/good.bin#part", cache=tmp_path, checksum=checksum) == path
    assert Handler.asked == ["/good.bin"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_spoilt_copy_is_downloaded_again(server, tmp_path):
    path = fetch(f"{server}/good.bin", cache=tmp_path)
    path.write_bytes(b"spoilt")
    assert fetch(f"{server}/good.bin", cache=tmp_path) == path
    assert path.read_bytes() == b"spoilt"  # nothing to hold it against
    assert fetch(f"{server}/good.bin", cache=tmp_path, checksum=MD5).read_bytes() == BODY
    assert len(Handler.asked) == 2


def test_eight_digits_of_a_sha256_will_do(server, tmp_path, refused):
    start = SHA256[: len("sha256:") + 8]
    path = fetch(f"{server}/good.bin", cache=tmp_path, checksum=start.upper())
    assert fetch(f"{server}/good.bin", cache=tmp_path, checksum=start) == path
    assert len(Handler.asked) == 1
    assert matches(path, start)
    assert matches(path, SHA256)
    assert not matches(path, "sha256:" + SHA256[-8:])
    path.write_bytes(b"spoilt")
    assert fetch(f"{server}/good.bin", cache=tmp_path, checksum=start).read_bytes() == BODY
    refused(f"{server}/good", r"its sha256 is [0-9a-f]{64}, not 00000000; download", checksum="sha256:00000000")


def test_redirects_and_odd_addresses(server, tmp_path):
    assert fetch(f"{server}/to/good", cache=tmp_path).read_bytes() == BODY
    assert fetch(f"{server}/good cat é.bin?a=1&b=%20", cache=tmp_path).read_bytes() == BODY
    assert Handler.asked[-1] == "/good%20cat%20%C3%A9.bin?a=1&b=%20"


def test_progress(server, tmp_path):
    for name, total in (("good", len(BODY)), ("unknown-length", None)):
        told: list[tuple[int, int | None]] = []
        fetch(f"{server}/{name}", cache=tmp_path, progress=lambda *seen: told.append(seen))  # noqa: B023
        assert len(told) > 2
        assert told[-1] == (len(BODY), total)
        assert [got for got, _ in told] == sorted(got for got, _ in told)


def test_the_limit_is_the_last_byte_allowed(server, tmp_path):
    for name in ("good", "unknown-length"):
        assert fetch(f"{server}/{name}", cache=tmp_path, limit=len(BODY)).stat().st_size == len(BODY)


def test_refused(server, refused):
    refused(f"{server}/none.png", r"answered 404 Not Found: check the address")
    refused(f"{server}/good", r"is 1,024,000 bytes; the limit is 1,023,999", limit=len(BODY) - 1)
    refused(f"{server}/unknown-length", r"goes on past the limit of 1,023,999 bytes", limit=len(BODY) - 1)
    refused(f"{server}/short", r"broke off after 1,000 of 1,024,000 bytes")
    refused(f"{server}/good", r"its md5 is [0-9a-f]{32}, not 0{32}; download it by hand", checksum="md5:" + "0" * 32)
    refused(f"{server}/good", r"its sha256 is [0-9a-f]{64}, not 0{64}", checksum="sha256:" + "0" * 64)
    refused(f"{server}/silent", r"cannot download .*timed out; no network\? download it by hand", timeout=0.2)
    refused(f"{server}/to/file", r"leads to what is not on the web: check the address")
    refused(f"{server}/to/ftp", r"leads to what is not on the web: check the address")
    refused(f"{server}/to/loop", r"leads from one address to another, without end: check the address")


def test_no_one_answers(refused, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused(f"http://127.0.0.1:{taken.getsockname()[1]}/a", r"cannot download .*; no network\?")
    refused("http://no-such-host.invalid/a", r"cannot download .*; no network\? download it by hand and pass its path")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.org/a", "cat.png", "http://", "http:///a", "https://[a", "data:,a"]
)
def test_only_the_web(refused, url):
    refused(url, "downloads are from http:// or https:// addresses")


@pytest.mark.parametrize("url", ["http://a.org:port/a", "http://a..b/" + "a", "http://" + "a" * 70 + ".org/"])
def test_addresses_that_cannot_be(refused, url, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    refused(url, "cannot download")


@pytest.mark.parametrize(
    ("checksum", "message"),
    [
        ("sha1:" + "0" * 40, "unknown checksum 'sha1'; have: md5, sha256"),
        ("md5:12", "has 32 hexadecimal digits"),
        ("md5:12345678", "has 32 hexadecimal digits"),
        ("sha256:1234567", "has 64 or 8 hexadecimal digits"),
        ("sha256:1234567g", "has 64 or 8 hexadecimal digits"),
        ("", "unknown checksum"),
    ],
)
def test_bad_checksums(tmp_path, checksum, message):
    with pytest.raises(UserError, match=message):
        fetch("http://a.org/a", cache=tmp_path, checksum=checksum)


def test_a_cache_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write to the cache .*; set PLANARIA_CACHE"):
        fetch("http://a.org/a", cache=tmp_path / "file" / "cache")


def test_where_the_cache_is(monkeypatch, server, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("PLANARIA_CACHE", raising=False)
    assert cache_folder() == Path("/home/ada/.cache/planaria")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_folder() == Path("/cache/planaria")
    monkeypatch.setenv("PLANARIA_CACHE", str(tmp_path / "mine"))
    assert fetch(f"{server}/good").parent == tmp_path / "mine"


def test_cached_names_are_safe():
    a = cached_name("https://a.org/x/cat.PNG?size=1")
    assert a.endswith(".png")
    assert a != cached_name("https://a.org/x/cat.PNG?size=2")
    for url in (
        "https://a.org/../../etc/passwd",
        "https://a.org/a.b%2Fc",
        "https://a.org/a.",
        "https://a.org/a.toolongasuffix",
    ):
        assert cached_name(url).isalnum()


def test_a_picture_from_the_web(server, tmp_path):
    for _ in range(2):
        assert picture(f"{server}/red.png", 8, cache=tmp_path)[:, 4, 4].tolist() == [1, 0, 0, 1]
    assert Handler.asked == ["/red.png"]


def test_a_page_is_no_picture_and_is_not_kept(server, tmp_path):
    with pytest.raises(UserError, match=rf"'{server}/page.png' is a web page"):
        picture(f"{server}/page.png", cache=tmp_path)
    assert not list(tmp_path.iterdir())
