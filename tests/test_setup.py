"""Setting up on a machine that nobody here has seen: which torch, which system packages, which versions."""

import importlib.util
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SYSTEM = ROOT / "scripts" / "system.sh"
spec = importlib.util.spec_from_file_location("cpu_torch", ROOT / "scripts" / "cpu_torch.py")
assert spec is not None
assert spec.loader is not None
cpu_torch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cpu_torch)


@pytest.fixture
def linux(monkeypatch):
    """A Linux machine without an NVIDIA card."""
    monkeypatch.setattr(cpu_torch, "card", lambda: False)
    monkeypatch.setattr("platform.system", lambda: "Linux")


@pytest.fixture
def index():
    """A package index that serves torch, and one that is busy for ever at /busy."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/busy"):
                done.wait(20)
            self.send_response(200 if self.path in ("/cpu/torch/", "/busy/torch/") else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    done.set()
    server.shutdown()
    server.server_close()


def test_where_its_index_answers_torch_is_the_small_one(linux, index, monkeypatch):
    monkeypatch.setenv("PLANARIA_TORCH_INDEX", f"{index}/cpu/")
    assert cpu_torch.options() == f"--extra-index-url {index}/cpu"


@pytest.mark.parametrize("path", ["/nothing", "/busy"])
def test_where_its_index_does_not_answer_pip_chooses(linux, index, monkeypatch, path):
    monkeypatch.setenv("PLANARIA_TORCH_INDEX", f"{index}{path}")
    assert cpu_torch.options(0.3) == ""


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:1", "no address"])
def test_without_an_index_pip_chooses(linux, monkeypatch, address):
    monkeypatch.setenv("PLANARIA_TORCH_INDEX", address)
    assert cpu_torch.options() == ""


def test_with_a_card_or_elsewhere_pip_chooses(linux, index, monkeypatch):
    monkeypatch.setenv("PLANARIA_TORCH_INDEX", f"{index}/cpu")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert cpu_torch.options() == ""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr(cpu_torch, "card", lambda: True)
    assert cpu_torch.options() == ""


@pytest.fixture
def machine(tmp_path):
    """Run `scripts/system.sh` on a machine that has only the programs named; gives what it said and what it called."""
    if sys.platform == "win32":
        pytest.skip("a shell script")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "grep", "cat"):
        found = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
        (folder / name).symlink_to(found.stdout.strip())

    def run(what: str, user: int, **programs: str) -> tuple[str, str]:
        log = tmp_path / "calls"
        log.write_text("")
        shells = {"id": f"echo {user}", "python": "exit 0", **programs}
        for name, text in shells.items():
            (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\n{text}\n')
            (folder / name).chmod(0o755)
        words, alone = [folder / "sh", SYSTEM, what], {"PATH": str(folder), "PYTHON": "python"}
        done = subprocess.run(words, env=alone, capture_output=True, text=True, check=True)
        called = [line for line in log.read_text().splitlines() if line.startswith(("apt-get", "sudo"))]
        return done.stdout, "\n".join(called)

    return run


DEBIAN = "ID=debian" in Path("/etc/os-release").read_text().splitlines() if Path("/etc/os-release").exists() else False
NEEDED = (
    "g++",
    "chromium",
    *(("firefox-esr",) if DEBIAN else ()),
    "nodejs",
    "xvfb",
    "xdotool",
    "tmux",
    "fontconfig",
    "fonts-dejavu-core",
    "fonts-noto-color-emoji",
)


def test_root_installs_what_the_tests_need(machine):
    said, called = machine("test", 0, **{"apt-get": "exit 0"})
    assert re.search(r"apt-get .*update\n", called)
    assert all(f" {name}" in called for name in NEEDED)
    assert "sudo" not in said + called


def test_without_root_one_line_says_what_to_type(machine):
    said, called = machine("test", 1000, **{"apt-get": "exit 0", "sudo": "exit 1"})
    (line,) = said.splitlines()
    assert re.search(r"to have them: sudo apt-get install -y .* " + " ".join(map(re.escape, NEEDED)), line)
    assert "apt-get" not in called


def test_sudo_without_a_password_installs_too(machine):
    _, called = machine("test", 1000, **{"apt-get": "exit 0", "sudo": "exit 0"})
    assert "sudo apt-get install -y" in called


def test_where_packages_can_not_be_had_it_goes_on(machine):
    said, _ = machine("demo", 0, **{"apt-get": "exit 100"})
    assert "could not install them; try: sudo apt-get install" in said
    assert "chromium" not in said  # a demo needs no browser


def test_on_other_systems_the_names_are_said(machine):
    said, called = machine("test", 0)
    assert said.startswith("missing here: g++ ")
    assert called == ""


def test_nothing_is_said_where_nothing_is_missing(machine):
    there = dict.fromkeys(("c++", "chromium", "firefox", "node", "Xvfb", "xdotool", "tmux"), "exit 0")
    said, called = machine("test", 0, **there, **{"fc-list": "echo DejaVu; echo Noto Color Emoji", "apt-get": "exit 0"})
    assert (said, called) == ("", "")


def needed(extras: set[str]) -> set[str]:
    """Every distribution that is installed here because planaria with `extras` asks for it."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [("planaria", frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        try:
            asked = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for text in asked:
            part = Requirement(text)
            holds = any(part.marker is None or part.marker.evaluate({"extra": e}) for e in (wanted or {""}) | {""})
            key = re.sub(r"[-_.]+", "-", part.name).lower()
            if holds and key not in found:
                found.add(key)
                waiting.append((part.name, frozenset(part.extras)))
            elif holds and key == "planaria":
                waiting.append((part.name, frozenset(part.extras)))
    return found - {"planaria"}


def test_the_tested_set_names_a_version_of_everything_that_is_installed():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name, _, _ in (line.partition("==") for line in lines)}
    cuda = {name for name in needed({"dev"}) if name.startswith(("nvidia-", "cuda-"))}  # torch names those exactly
    assert needed({"dev"}) - cuda - pinned == set()
