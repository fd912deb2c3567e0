import json
import socket
import struct
import threading
import time
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from helpers.studios import handles, memory, model, studio, training, until
from websockets.exceptions import ConnectionClosed, InvalidStatus

from planaria import store
from planaria.errors import UserError
from planaria.store import live
from planaria.view.studio import feed, wire


@pytest.fixture
def place(tmp_path):
    with studio(tmp_path / "runs") as s:
        training(s.folder / "a")
        yield s


def hear(ear, kind: str, seconds: float = 10.0):
    """The next message of a kind: `weights` and `pool` are `(step, bytes)`, others JSON."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        message = ear.recv(timeout=seconds)
        if isinstance(message, bytes):
            number, step = struct.unpack("<II", message[:8])
            if {1: "weights", 2: "pool"}[number] == kind:
                return step, message[8:]
        elif json.loads(message)["type"] == kind:
            return json.loads(message)
    raise AssertionError(f"never heard of {kind}")


def say(ear, frame: str | bytes) -> None:
    """Send a frame and listen on until the other end closes."""
    ear.send(frame)
    while True:
        ear.recv(timeout=10)


def add(folder, step: int) -> None:
    with (folder / "metrics.jsonl").open("a") as f:
        f.write(json.dumps({"step": step, "loss": 0.1, "lr": 0.2, "rollout": 3}) + "\n")


def test_a_page_hears_of_a_training_as_it_goes(place):
    folder = place.folder / "a"
    with place.listen("/ws/runs/a") as ear:
        status = hear(ear, "status")
        assert (status["state"], status["step"], status["steps"]) == ("running", 3, 90)
        assert [p["step"] for p in hear(ear, "metrics")["lines"]] == [1, 2, 3]
        until(lambda: live.watched(folder))
        rule = model(folder / "live.safetensors", trained=5)
        step, data = hear(ear, "weights")
        assert step == 5
        flat = torch.cat([p.reshape(-1) for p in (*rule.weights, *rule.biases)])
        assert torch.equal(torch.from_numpy(np.frombuffer(data, "<f4").copy()), flat)
        (folder / "live.png").write_bytes(b"grid")
        assert hear(ear, "pool") == (3, b"grid")
        add(folder, 4)
        assert [p["step"] for p in hear(ear, "metrics")["lines"]] == [4]
        with (folder / "metrics.jsonl").open("a") as f:
            f.write('{"step": 5, "lo')
            f.flush()
            time.sleep(0.6)
            f.write('ss": 0.2}\n')
        assert hear(ear, "metrics")["lines"] == [{"step": 5, "loss": 0.2}]
        (folder / "film.webp").write_bytes(b"film")
        hear(ear, "files")
        ear.send('{"type": "pong"}')
        (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 9}\n{"step": 2, "loss": 8}\n')
        again = hear(ear, "metrics")
        assert again["reset"]
        assert [p["step"] for p in again["lines"]] == [1, 2]
        live.write_status(folder, live.Status("finished", 90, 90, 0.1))
        assert hear(ear, "status")["state"] == "finished"


def test_home_is_told_when_something_changes(place):
    with place.listen("/ws/home") as ear:
        assert [c["step"] for c in hear(ear, "home")["runs"]] == [3]
        training(place.folder / "b")
        assert {c["name"] for c in hear(ear, "home")["runs"]} == {"a", "b"}


def test_nothing_is_read_where_nobody_listens(place):
    with place.listen("/ws/runs/a") as ear:
        hear(ear, "status")
        assert len(place.inside.feed._channels) == 1
    until(lambda: not place.inside.feed._channels)
    assert place.inside.feed.sockets == 0


def test_a_run_that_is_put_away_is_no_end(place):
    with place.listen("/ws/runs/a") as ear:
        hear(ear, "status")
        (place.folder / "a").rename(place.folder / ".a")
        assert "no run 'a'" in hear(ear, "error")["error"]
        (place.folder / ".a").rename(place.folder / "a")
        live.write_status(place.folder / "a", live.Status("running", 9, 90, 0.5))
        assert hear(ear, "status")["step"] == 9


def test_a_folder_that_cannot_be_written_is_watched_all_the_same(place, monkeypatch):
    def refuse(*_: object) -> None:
        raise UserError("can't ask")

    monkeypatch.setattr(live, "watch", refuse)
    with place.listen("/ws/runs/a") as ear:
        assert hear(ear, "status")["state"] == "running"
        assert "error" not in place.inside.feed._channels["a"].newest


def test_damaged_files_are_no_end(place):
    folder = place.folder / "a"
    with place.listen("/ws/runs/a") as ear:
        for name in ("live.safetensors", "live.png", "metrics.jsonl", "status.json", "config.yaml"):
            (folder / name).write_bytes(b"\xff\x00{[" * 50)
        time.sleep(0.6)
        live.write_status(folder, live.Status("running", 8, 90, 0.5))
        model(folder / "live.safetensors", trained=8)
        assert hear(ear, "weights")[0] == 8


@pytest.mark.parametrize(
    "frame",
    [b"binary", "garbage", '{"type": "pong", "more": 1}', "[" * 900, '{"type": "ping"}', "", "null", "x" * 5000,
     b"x" * 3_000_000],
    ids=lambda f: repr(f[:20]),
)  # fmt: skip
def test_garbage_closes_that_socket_only(place, frame):
    with place.listen("/ws/runs/a") as other, place.listen("/ws/runs/a") as ear:
        hear(other, "status")
        with pytest.raises(ConnectionClosed) as closed:
            say(ear, frame)
        assert closed.value.rcvd is None or closed.value.rcvd.code in (1008, 1009)
        add(place.folder / "a", 4)
        while hear(other, "metrics")["lines"][-1]["step"] != 4:
            pass
    until(lambda: place.inside.feed.sockets == 0)


def test_frames_that_are_none_close_that_socket_only(place):
    mask = b"\0\0\0\0"
    for frame in (
        b"\x81\x84" + mask + b"\xff\xfe\xfd\xfc",  # no UTF-8
        b"\x81\x04pong",  # not masked
        b"\xff\xff\xff\xff",  # reserved
        b"\x82\xff" + (2**62).to_bytes(8) + mask + b"x" * 100,  # four exabytes
        b"\x89\xfe\xff\xff" + mask,  # a large ping
        b"\x01\x81" + mask + b"x" + b"\x00\x81" * 3,  # parts without an end
    ):
        with place.raw() as link:
            link.sendall(place.upgrade("/ws/home"))
            assert b" 101 " in link.recv(200)
            link.sendall(frame)
            link.settimeout(1)
            try:
                while link.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            except TimeoutError:
                assert frame[0] == 0x01, frame
    until(lambda: place.inside.feed.sockets == 0)
    assert place.get("/api/home")[0] == 200


def test_sockets_beyond_sixty_four_are_refused_and_nothing_leaks(place):
    with place.listen("/ws/home") as warm:
        hear(warm, "home")
    until(lambda: place.inside.feed.sockets == 0)
    before, threads = handles(), threading.active_count()
    ears, refused = [], 0
    with ExitStack() as all_of_them:
        for _ in range(100):
            try:
                ears.append(all_of_them.enter_context(place.listen("/ws/runs/a")))
            except InvalidStatus as e:
                refused += e.response.status_code == 403
        assert (len(ears), refused) == (64, 36)
        add(place.folder / "a", 4)
        for ear in ears:
            while hear(ear, "metrics")["lines"][-1]["step"] != 4:
                pass
    until(lambda: place.inside.feed.sockets == 0)
    until(lambda: handles() <= before + 2)
    until(lambda: threading.active_count() <= threads + 8)
    with place.listen("/ws/home") as ear:
        hear(ear, "home")


def test_who_stops_reading_is_let_go_and_costs_nothing(place, monkeypatch):
    monkeypatch.setattr(wire, "STALL_SECONDS", 1.0)
    monkeypatch.setattr(feed, "RUN_SECONDS", 0.02)
    folder = place.folder / "a"
    big = np.random.default_rng(0).bytes(2_000_000)
    with place.raw() as deaf, place.raw() as lazy, place.listen("/ws/runs/a") as ear:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(place.upgrade("/ws/runs/a"))
        until(lambda: place.inside.feed.sockets == 2)
        (folder / "model.safetensors").write_bytes(big * 4)
        lazy.sendall(f"GET /files/runs/a/model.safetensors HTTP/1.1\r\nHost: {place.host}\r\n\r\n".encode())
        start, most, heard = memory(), 0, 0
        for k in range(40):
            store.write_bytes(folder / "live.png", big + str(k).encode())
            heard += hear(ear, "pool")[1] == big + str(k).encode()
            most = max(most, memory() - start)
        assert heard >= 38
        assert most < 40_000_000, "only the newest is kept for whoever doesn't read"
        until(lambda: place.inside.feed.sockets == 1)
        until(lambda: len(place.server.server_state.connections) == 1)
        add(folder, 4)
        while hear(ear, "metrics")["lines"][-1]["step"] != 4:
            pass
