import contextlib
import gc
import json
import socket
import time

import pytest
from helpers.studios import memory, studio, until
from websockets.exceptions import InvalidStatus

from planaria.view.studio import wire


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("guard") / "runs", patience=1.0, picture_patience=3.0) as s:
        yield s


def read_all(link: socket.socket) -> bytes:
    data = b""
    try:
        while more := link.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8770", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "localhost.", "0.0.0.0",
     "127.0.0.1:8770:1", "[::1", "[::2]:80", "localhost:99999999", "", "127.0.0.1 evil", "2130706433"],
)  # fmt: skip
def test_a_rebound_name_is_no_host_of_ours(place, host):
    status, said, _ = place.ask("GET", "/api/home", Host=host or "\t")
    assert status == 403, said
    assert "only to this machine" in said["error"]


def test_two_hosts_or_none_are_refused(place):
    for hosts in (f"Host: {place.host}\r\nHost: evil.example\r\n", ""):
        with place.raw() as link:
            link.sendall(f"GET /api/home HTTP/1.1\r\n{hosts}\r\n".encode())
            assert read_all(link).split()[1] in (b"400", b"403")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "localhost:9000"])
def test_loopback_names_are_ours_whatever_the_tunnel(place, host):
    assert place.ask("GET", "/api/home", Host=host)[0] == 200
    assert place.ask("POST", "/api/runs/x/request", b"{}", Host=host, Origin=f"http://{host}")[0] == 404


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost:3000", "null", "http://127.0.0.1", "file://", "http://127.0.0.1:1@evil",
     "ftp://HOST", "HOST", "http://HOST.evil.example", "http://HOST/"],
)  # fmt: skip
def test_a_foreign_origin_may_nothing(place, origin):
    origin = origin.replace("HOST", place.host)
    assert place.ask("GET", "/api/home", Origin=origin)[0] == 403
    for method, path in (("POST", "/api/runs"), ("PUT", "/api/pictures?name=a.png"), ("DELETE", "/api/runs/a")):
        assert place.ask(method, path, b"{}", Origin=origin)[0] == 403
    with pytest.raises(InvalidStatus, match="403"):
        place.listen("/ws/home", origin=origin)


def test_what_changes_something_needs_an_origin(place):
    for method, path in (("POST", "/api/runs"), ("PUT", "/api/pictures?name=a.png"), ("DELETE", "/api/runs/a")):
        status, said, _ = place.ask(method, path, b"{}", Origin="")
        assert (status, "own page" in said["error"]) == (403, True)
    with pytest.raises(InvalidStatus, match="403"):
        place.listen("/ws/home", origin=None)
    assert not place.folder.exists()


def test_another_site_can_neither_embed_nor_fetch(place):
    for site in ("cross-site", "same-site"):
        assert place.ask("GET", "/export/gallery/heart/heart.html", Sec_Fetch_Site=site)[0] == 403
        assert place.ask("GET", "/", Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors")[0] == 403
        assert place.ask("GET", "/", Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")[0] == 200
    assert place.ask("GET", "/api/home", Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize("path", ["/", "/api/home", "/api/nothing", "/web/studio/main.js", "/web/../cli/__init__.py"])
def test_every_answer_is_armoured(place, path):
    _, _, headers = place.ask("GET", path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")
    assert f"ws://{place.host};" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers
    if path.startswith("/api"):
        assert headers["cache-control"] == "no-store"


def test_a_gigabyte_is_refused_before_it_comes(place):
    for method, path in (("PUT", "/api/pictures?name=a.png"), ("POST", "/api/runs")):
        with place.raw() as link:
            link.sendall(place.begin(method, path, "Content-Length: 1000000000"))
            answer = read_all(link)
        assert answer.split()[1] == b"413"
        assert b"too large" in answer


@pytest.mark.parametrize(
    ("method", "path", "most"), [("PUT", "/api/pictures?name=a.png", 60), ("POST", "/api/runs", 20)]
)
def test_an_endless_body_is_cut_off_and_takes_no_memory(place, method, path, most):
    gc.collect()
    before = memory()
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    sent = 0
    with place.raw() as link:
        link.sendall(place.begin(method, path, "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            while sent < 1_000_000_000:
                link.sendall(chunk)
                sent += 0x100000
    assert sent < most * 1_000_000
    assert memory() - before < 30_000_000
    assert not list(place.folder.glob(".pictures/*")), "nothing of it is left"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[" * 30_000, 400), (b"[]", 400), (b"{", 400), (b"\xff\xfe{}", 400), (b'"a"', 400), (b"{}" + b" " * 64_000, 413),
     (b'{"a":' * 9000 + b"1" + b"}" * 9000, 400), (b"1" * 60_000, 400), (b"NaN", 400)],
)  # fmt: skip
def test_odd_json_is_an_answer(place, body, status):
    found, said, _ = place.ask("POST", "/api/runs", body)
    assert (found, set(said)) == (status, {"error", "field"})


def test_slow_headers_and_bodies_are_not_waited_for(place, monkeypatch):
    monkeypatch.setattr(wire, "HEADER_SECONDS", 1.0)
    start = time.monotonic()
    with place.raw() as silent, place.raw() as dripping, place.raw() as slow, place.raw() as again:
        again.sendall(f"GET /web/studio/main.js HTTP/1.1\r\nHost: {place.host}\r\n\r\n".encode())
        assert again.recv(100)
        slow.sendall(place.begin("POST", "/api/runs", "Content-Length: 90") + b"{")
        for k in range(12):
            for link in (dripping, again):
                try:
                    link.sendall(b"GET / HTTP/1.1\r\n"[k : k + 1])
                except OSError:
                    break
            time.sleep(0.1)
        assert b" 408 " in read_all(slow)[:20]
        for link in (silent, dripping, again):
            read_all(link)
    assert time.monotonic() - start < 15
    assert place.get("/api/home")[0] == 200


@pytest.mark.parametrize(
    "garbage",
    [b"\x00" * 1000, b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 9000, b"GET /" + b"a" * 70_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_ended(place, garbage, monkeypatch):
    monkeypatch.setattr(wire, "HEADER_SECONDS", 1.0)
    with place.raw() as link:
        try:
            link.sendall(garbage)
        except OSError:
            return
        answer = read_all(link)
        assert not answer or answer.split()[1] in (b"400", b"403", b"431")


def test_a_thousand_sockets_leave_room_for_a_page(place):
    links = []
    try:
        for _ in range(1000):
            links.append(place.raw())
        assert len(place.server.server_state.connections) <= wire.MOST_CONNECTIONS
        assert place.get("/api/home")[0] == 200
        with place.listen("/ws/home") as ear:
            assert json.loads(ear.recv(timeout=10))["type"] == "home"
    finally:
        for link in links:
            link.close()
    until(lambda: place.get("/api/home")[0] == 200)
