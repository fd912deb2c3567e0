import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from planaria import machine
from planaria.errors import UserError
from planaria.store import live


def test_status_comes_back_as_written(tmp_path):
    assert live.read_status(tmp_path) is None
    live.write_status(tmp_path, live.Status("running", 3, 9, 0.5, note="hm"))
    status = live.read_status(tmp_path)
    assert (status.state, status.step, status.steps, status.loss, status.note) == ("running", 3, 9, 0.5, "hm")
    assert status.pid == os.getpid()
    assert abs(status.time - time.time()) < 5
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        "[" * 100_000,
        "\xff",
        '{"state": 3}',
        "null",
        '{"state":"running","step":"1"}',
        '{"state":"\\u001b[2J","step":1,"steps":2,"loss":null,"pid":1,"time":0.0,"note":"","host":""}',
        '{"state":"failed","step":1,"steps":2,"loss":NaN,"pid":1,"time":0.0,"note":"","host":""}',
        '{"state":"failed","step":1,"steps":2,"loss":null,"pid":1,"time":0.0,"note":"\\ud800","host":""}',
    ],
)
def test_what_is_no_status_is_none(tmp_path, text):
    (tmp_path / live.STATUS).write_text(text, encoding="latin-1")
    (tmp_path / live.REQUESTS).write_text(text, encoding="latin-1")
    assert live.read_status(tmp_path) is None
    assert live.read_requests(tmp_path) == live.Requests()


@pytest.mark.parametrize(
    ("name", "value"),
    [("step", True), ("step", -1), ("step", 10**400), ("step", 1.0), ("steps", None), ("loss", "0.5"), ("loss", 1e400),
     ("loss", 10**400), ("loss", False), ("pid", 2**70), ("pid", "1"), ("time", "now"), ("time", True), ("note", 5),
     ("host", None), ("state", ["running"]), ("state", {})],
)  # fmt: skip
def test_a_status_of_the_wrong_kind_is_none(tmp_path, name, value):
    live.write_status(tmp_path, live.Status("stopped", 3, 9, 0.5))
    edit(tmp_path, **{name: value})
    assert live.read_status(tmp_path) is None


def test_damage_of_the_wrong_type_is_none(tmp_path):
    odd = [[True, "left"], [1.0, "left"], [10**400, "left"], [-1, "left"], ["1", "left"], [1], 5, {}, [2, "right"]]
    (tmp_path / live.REQUESTS).write_text(json.dumps({"pause": 1, "stop": "yes", "damage": odd}))
    assert live.read_requests(tmp_path) == live.Requests(damage=((2, "right"),))
    assert live.request(tmp_path, damage="top").damage == ((2, "right"), (3, "top"))
    (tmp_path / live.REQUESTS).write_text('{"wounds": [[4, "left"]]}')  # as they were named before
    assert live.read_requests(tmp_path) == live.Requests(damage=((4, "left"),))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_and_links_elsewhere_are_not_read(tmp_path):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    for folder in (run, elsewhere):
        folder.mkdir()
    for name in (live.STATUS, live.REQUESTS):
        os.mkfifo(run / name)
    assert (live.read_status(run), live.read_requests(run)) == (None, live.Requests())
    live.write_status(elsewhere, live.Status("running", 3, 9))
    live.request(elsewhere, stop=True)
    for name in (live.STATUS, live.REQUESTS):
        (run / name).unlink()
        (run / name).symlink_to(elsewhere / name)
    assert (live.read_status(run), live.read_requests(run)) == (None, live.Requests())
    (run / live.WATCHED).symlink_to(elsewhere / "watched")
    live.watch(run)
    assert live.watched(run)
    assert not (elsewhere / "watched").exists()


def test_a_huge_file_is_not_read(tmp_path):
    (tmp_path / live.STATUS).write_bytes(b" " * 2_000_000)
    assert live.read_status(tmp_path) is None


def sleeper() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def test_a_training_that_died_without_a_word_is_interrupted(tmp_path):
    process = sleeper()
    live.write_status(tmp_path, live.Status("running", 3, 9), process.pid)
    assert live.read_status(tmp_path).state == "running"
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but nobody has asked after it yet
    assert live.read_status(tmp_path).state == "interrupted"
    process.communicate()
    assert live.read_status(tmp_path).state == "interrupted"


def edit(folder, **what) -> None:
    path = folder / live.STATUS
    path.write_text(json.dumps({**json.loads(path.read_text()), **what}))


def test_a_later_process_with_the_same_number_is_not_it(tmp_path):
    process = sleeper()
    try:
        live.write_status(tmp_path, live.Status("paused", 3, 9), process.pid)
        edit(tmp_path, time=time.time() - 60)
        assert live.read_status(tmp_path).state == "interrupted", "it began after that was written"
        assert abs(machine.began(process.pid) - time.time()) < 10
    finally:
        process.communicate(b"\n")
    assert machine.began(2**22 + 5) is None
    live.write_status(tmp_path, live.Status("running", 3, 9))
    edit(tmp_path, time=time.time() + 5000)
    assert live.read_status(tmp_path).state == "running", "a long iteration is no death"


def test_of_another_machine_only_silence_tells(tmp_path):
    live.write_status(tmp_path, live.Status("running", 3, 9), 2**22 - 7)
    edit(tmp_path, host="another")
    assert live.read_status(tmp_path).state == "running"
    edit(tmp_path, time=time.time() - live.SILENCE_SECONDS - 1)
    assert live.read_status(tmp_path).state == "interrupted"


def test_wishes_add_up(tmp_path):
    assert live.asked_at(tmp_path) == 0
    live.request(tmp_path, pause=True)
    live.request(tmp_path, damage="left")
    live.request(tmp_path, stop=True, damage="right")
    before = live.stamp(tmp_path)
    wishes = live.request(tmp_path, pause=False)
    assert live.stamp(tmp_path) != before
    assert wishes == live.read_requests(tmp_path) == live.Requests(False, True, ((1, "left"), (2, "right")))
    for _ in range(100):
        wishes = live.request(tmp_path, damage="top")
    assert len(wishes.damage) == 64
    assert wishes.damage[-1][0] == 102
    with pytest.raises(UserError, match="can't write"):
        live.request(tmp_path / "nowhere", stop=True)


def test_readers_never_see_half_a_file(tmp_path):
    live.write_status(tmp_path, live.Status("running", 0, 9))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            live.write_status(tmp_path, live.Status("running", 1, 9, note="x" * 20_000))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(live.read_status(tmp_path) is not None for _ in range(500))
    finally:
        stop.set()
        writer.join()


def test_watching_fades(tmp_path):
    assert not live.watched(tmp_path)
    live.watch(tmp_path)
    assert live.watched(tmp_path)
    past = time.time() - live.WATCH_SECONDS - 1
    os.utime(tmp_path / live.WATCHED, (past, past))
    assert not live.watched(tmp_path)
