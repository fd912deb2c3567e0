"""Where weights are looked for, and what a person is told who has none and no network."""

import hashlib
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from planaria.data.fetch import cached_name
from planaria.errors import UserError
from planaria.losses import backbones
from planaria.losses.backbones import published, squeezenet, vgg
from planaria.losses.backbones.published import Published, find

BODY = b"some weights" * 1000
FILE = f"net-{hashlib.sha256(BODY).hexdigest()[:8]}.pth"
NET = Published(FILE, len(BODY))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Torch's home and planaria's cache in folders of their own, and no network."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PLANARIA_CACHE", str(tmp_path / "cache"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(published, "SITE", f"http://127.0.0.1:{taken.getsockname()[1]}/")
        yield


@pytest.fixture
def hub(tmp_path) -> Path:
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that is on the web."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(published, "SITE", f"http://127.0.0.1:{server.server_port}/")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_in_torchs_cache_is_taken(hub):
    (hub / FILE).write_bytes(BODY)
    assert find("net", NET) == hub / FILE


def test_a_spoilt_one_is_not(hub, site, tmp_path):
    (hub / FILE).write_bytes(BODY[:-1])
    with pytest.raises(
        UserError, match=r"answered 404 .* \(.*net-.{8}\.pth is not that file: its hash differs\); put it"
    ):
        find("net", NET)
    (site / FILE).write_bytes(BODY)
    assert find("net", NET) == tmp_path / "cache" / cached_name(NET.url)
    assert (hub / FILE).read_bytes() == BODY[:-1]  # it is torch's own to mend


def test_a_download_is_kept_and_its_progress_told(site, tmp_path):
    (site / FILE).write_bytes(BODY)
    told: list[tuple[int, int | None]] = []
    path = find("net", NET, progress=lambda *seen: told.append(seen))
    assert path.read_bytes() == BODY
    assert told[-1] == (len(BODY), len(BODY))
    (site / FILE).unlink()
    assert find("net", NET) == path
    assert find("net", NET, cache=tmp_path / "cache") == path


def test_a_download_of_something_else_is_refused(site, tmp_path):
    (site / FILE).write_bytes(b"<html>please log in</html>")
    with pytest.raises(UserError, match=rf"is not the file expected: its sha256 is [0-9a-f]{{64}}, not {FILE[4:12]};"):
        find("net", NET)
    assert not list((tmp_path / "cache").iterdir())


def test_offline_the_ways_out_are_named(hub):
    name = "vgg16-397923af.pth"
    with pytest.raises(UserError) as error:
        backbones.load("vgg16")
    said = str(error.value)
    assert len(said.splitlines()) == 1
    for part in (
        f"vgg16 needs {name} (553 MB)",
        published.SITE + name,
        str(hub),
        "backbone_path=FILE",
        "backbone=filters",
    ):
        assert part in said


def test_a_path_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "find", pytest.fail)
    with pytest.raises(UserError, match="no weights file"):
        backbones.load("squeezenet", path=tmp_path / "none.pth")
    with pytest.raises(UserError, match="squeezenet needs a weights file: give backbone_path=FILE, or take"):
        squeezenet.load("squeezenet", "")


def test_what_is_found_is_what_is_read(hub, monkeypatch):
    monkeypatch.setitem(squeezenet.PUBLISHED, "squeezenet", NET)
    (hub / FILE).write_bytes(BODY)
    with pytest.raises(UserError, match=rf"{FILE}: no file that torch.save writes"):
        backbones.load("squeezenet")


@pytest.mark.parametrize("module", [vgg, squeezenet], ids=["vgg", "squeezenet"])
def test_every_published_file_says_its_hash(module):
    assert set(module.PUBLISHED) == set(module.NAMES) == set(module.ABOUT)
    for name, file in module.PUBLISHED.items():
        algorithm, _, digits = file.checksum.partition(":")
        assert algorithm == "sha256"
        assert len(digits) == 8
        assert int(digits, 16)
        assert file.url.endswith(f"-{digits}.pth")
        assert file.bytes <= published.MOST_BYTES
        assert f"{file.bytes / 1e6:.0f} MB" in module.ABOUT[name]
