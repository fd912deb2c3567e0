import io
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from helpers.tiny import tiny
from PIL import Image

import planaria
from planaria import store
from planaria.core.damage import Damage
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.store import live
from planaria.store.run_folder import RunFolder
from planaria.training import broadcast
from planaria.training.dist import Ranks
from planaria.training.session import Session

ALONE = Ranks(0, 1, torch.device("cpu"))


def session(folder, resume=False, **settings) -> Session:
    return Session(folder, "grow", tiny(**settings), ALONE, resume=resume)


@pytest.fixture
def eager(monkeypatch):
    """A stage that writes after every iteration."""
    monkeypatch.setattr(broadcast, "EVERY", 0.0)
    monkeypatch.setattr(broadcast, "SHARE", 1e9)


def test_it_tells_how_it_is_doing_from_start_to_end(tmp_path, eager):
    s = session(tmp_path / "a")
    seen = []
    for report in s.run():
        status = live.read_status(s.folder)
        seen.append((status.state, status.step, status.steps, status.pid))
        assert status.loss == report.loss
    assert seen == [("running", k, 12, os.getpid()) for k in range(1, 13)]
    s.finish()
    status = live.read_status(s.folder)
    assert (status.state, status.step, status.note) == ("finished", 12, "")


def test_unwatched_it_writes_no_live_files(tmp_path, eager):
    s = session(tmp_path / "a")
    list(s.run())
    assert not {"live.safetensors", "live.png", "requests.json", "watched"} & {p.name for p in s.folder.iterdir()}


def test_watched_it_shows_the_newest_weights_and_the_pool(tmp_path, eager):
    s = session(tmp_path / "a")
    reports = s.run()
    live.watch(s.folder)
    for _ in range(5):
        next(reports)
    rule, layout = planaria.load(s.folder / live.WEIGHTS)
    for shown, learned in zip(rule.parameters(), s.trainer.rule.parameters(), strict=True):
        assert torch.equal(shown, learned)
    card = store.card(s.folder / live.WEIGHTS)
    assert (card["trained"], card["grid"], layout) == (5, [12, 12], s.task.layout)
    with Image.open(s.folder / live.POOL) as image:
        assert image.size[0] in range(384, 641)
        assert np.asarray(image.convert("L")).std() > 0
    reports.close()
    assert live.read_status(s.folder).state == "stopped"


def test_who_watches_changes_nothing(tmp_path, eager):
    for name in ("a", "b"):
        s = session(tmp_path / name)
        for _ in s.run():
            if name == "b":
                live.watch(s.folder)
        s.finish()
    a, b = (planaria.load(tmp_path / name)[0] for name in "ab")
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    checkpoints = [(tmp_path / name / "checkpoint.safetensors").read_bytes() for name in "ab"]
    assert checkpoints[0] == checkpoints[1]


def test_it_writes_seldom(tmp_path, monkeypatch):
    times = []
    monkeypatch.setattr(live, "write_status", lambda *_: times.append(time.monotonic()))
    monkeypatch.setattr(broadcast, "EVERY", 3600.0)
    list(session(tmp_path / "a").run())
    assert len(times) == 2, "the start and the first iteration"


def test_what_takes_long_to_write_is_written_less(tmp_path, monkeypatch):
    s = session(tmp_path / "a")
    monkeypatch.setattr(broadcast, "EVERY", 0.0)
    monkeypatch.setattr(live, "write_status", lambda *_: time.sleep(0.02))
    before = time.monotonic()
    s.broadcast.show(s.trainer)
    assert s.broadcast._next - before >= 0.02 / broadcast.SHARE


@pytest.mark.parametrize("wish", [{"stop": True}, {"pause": True, "stop": True}])
def test_a_wish_to_stop_ends_it_as_ctrl_c_does(tmp_path, wish):
    s = session(tmp_path / "a")
    for report in s.run():
        if report.step == 4:
            live.request(s.folder, **wish)
    assert s.step == 4
    assert store.read_header(s.folder / "checkpoint.safetensors")["state"]["step"] == 4
    assert live.read_status(s.folder).state == "stopped"
    assert live.read_requests(s.folder) == live.Requests(), "it was obeyed"
    again = session(tmp_path / "a", resume=True)
    assert [r.step for r in again.run()] == list(range(5, 13))


def test_a_pause_is_sat_out_and_can_be_stopped(tmp_path, eager, monkeypatch):
    s = session(tmp_path / "a")
    states = []

    def sleep(seconds: float) -> None:
        states.append(live.read_status(s.folder).state)
        if len(states) == 3:
            live.request(s.folder, pause=False)
        if len(states) == 5:
            stopped.append(1)

    stopped: list[int] = []
    monkeypatch.setattr(broadcast.time, "sleep", sleep)
    for report in s.run(lambda: bool(stopped)):
        if report.step in (2, 6):
            live.request(s.folder, pause=True)
        if report.step == 3:
            assert live.read_status(s.folder).state == "running"
    assert states == ["paused"] * 5
    assert s.step == 6, "Ctrl-C is heard in a pause"
    assert live.read_status(s.folder).state == "stopped"
    assert not live.read_requests(s.folder).pause


def test_old_wishes_are_forgotten_and_fresh_ones_heard(tmp_path):
    s = session(tmp_path / "a")
    live.request(s.folder, stop=True, damage="left")
    os.utime(s.folder / live.REQUESTS, (1e9, 1e9))
    reports = s.run()
    assert not next(reports).event
    assert next(reports).step == 2
    reports.close()
    live.request(s.folder, stop=True)
    assert [r.step for r in s.run()] == [3], "asked for while this process was there"


def test_damage_is_done_once_and_written_down(tmp_path):
    s = session(tmp_path / "a")
    events = {}
    for report in s.run():
        if report.step == 8:
            live.request(s.folder, damage="noise(0.01)")
            live.request(s.folder, damage=" speckle(0.01)")
        events[report.step] = report.event
    assert {k: e for k, e in events.items() if e} == {
        9: "a person damaged 3 samples: noise(0.01); a person damaged 3 samples: speckle(0.01)"
    }
    told = {m["step"]: m["event"] for m in RunFolder(s.folder).lines() if "event" in m}
    assert told == {9: events[9]}


def test_damage_that_cannot_be_read_is_nothing(tmp_path):
    s = session(tmp_path / "a")
    reports = s.run()
    next(reports)
    (s.folder / live.REQUESTS).write_text('{"damage": [[1, "explode"], [2], "x", [3, 4], [true, "left"]]}')
    assert [r.event for r in reports if "explode" in r.event] == []
    assert s.done


def test_damage_hurts_a_quarter_and_kills_nobody(tmp_path):
    s = session(tmp_path / "a", train={"pool": 16})
    trainer, layout = s.trainer, s.task.layout
    row, column = s.task.size[0] // 2, s.task.size[1] // 2
    trainer.pool.x[:, : layout.channels, :, column:] = 0.5
    before = trainer.pool.x.clone()
    assert trainer.damage(Damage.parse("bottom"), 1) == 4
    changed = (trainer.pool.x != before).flatten(1).any(1)
    assert int(changed.sum()) == 4
    assert trainer.pool.x[changed][:, :, row:].abs().max() == 0
    assert torch.equal(trainer.pool.x[changed][:, :, :row], before[changed][:, :, :row])
    kept = trainer.pool.x.clone()
    assert trainer.damage(Damage.parse("speckle(1)"), 2) == 0
    assert torch.equal(trainer.pool.x, kept)
    assert session(tmp_path / "b", regime="grow").trainer.damage(Damage.parse("left"), 1) == 0


def test_an_error_is_told_in_one_line(tmp_path, monkeypatch):
    s = session(tmp_path / "a")
    for error, note in (
        (UserError("no such thing"), "no such thing"),
        (ZeroDivisionError("a\n b"), "ZeroDivisionError: a b"),
    ):

        def fail(error=error):
            raise error

        monkeypatch.setattr(s.trainer, "step", fail)
        with pytest.raises(type(error)):
            list(s.run())
        status = live.read_status(s.folder)
        assert (status.state, status.note) == ("failed", note)


def test_two_processes_never_train_in_one_folder(tmp_path):
    s = session(tmp_path / "a")
    next(s.run())
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        live.write_status(s.folder, live.Status("running", 1, 12), other.pid)
        with pytest.raises(UserError, match=rf"is being trained by process {other.pid} .*--name NAME"):
            session(tmp_path / "a", resume=True)
        live.write_status(s.folder, live.Status("stopped", 1, 12), other.pid)
        assert session(tmp_path / "a", resume=True)
        live.write_status(s.folder, live.Status("paused", 1, 12), other.pid)
    finally:
        other.communicate(b"\n")
    assert session(tmp_path / "a", resume=True), "a dead one is no hindrance"


def test_a_folder_where_nothing_can_be_told_still_trains(tmp_path, eager, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    s = session(tmp_path / "a")
    reports = s.run()
    live.watch(s.folder)
    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(live, "_replace", full)
    assert [next(reports).step for _ in range(2)] == [1, 2]
    assert not (s.folder / live.WEIGHTS).exists()
    reports.close()


def test_other_ranks_are_silent(tmp_path, eager):
    s = session(tmp_path / "a")
    silent = broadcast.Broadcast(tmp_path / "b", 12, Ranks(1, 2, torch.device("cpu")), dict)
    report = s.trainer.step()
    silent.begin(s.trainer)
    assert silent.after(s.trainer, report) is report
    silent.show(s.trainer) if silent.ranks.writes else None
    silent.note("x")
    silent.end("failed")
    assert silent.requested() == broadcast.NOTHING
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("layout", "shape"),
    [(Layout(), (40, 16, 30, 50)), (Layout(visible=1, alpha=None, hidden=2), (3, 3, 9, 9)),
     (Layout(visible=3, alpha=None, hidden=9, offset=0.5), (2, 12, 700, 1300)), (Layout(), (1, 16, 1, 1))],
)  # fmt: skip
def test_the_picture_of_a_pool_is_about_512_wide(layout, shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    x[0, 0, 0, 0] = float("nan")
    with Image.open(io.BytesIO(broadcast.picture_grid(x, layout))) as image:
        assert image.width in range(256, 800)
        assert image.height <= 1600
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert np.asarray(image).std() > 1


def test_the_metrics_say_what_the_screen_says(tmp_path):
    s = session(tmp_path / "a")
    list(s.run())
    assert not any("event" in json.loads(line) for line in (s.folder / "metrics.jsonl").read_text().splitlines())


def test_on_a_full_disk_the_first_error_is_what_is_told(tmp_path, monkeypatch):
    s = session(tmp_path / "a")
    live.request(s.folder, pause=True)
    s.broadcast.requested()

    def full(*_: object, **__: object) -> None:
        raise UserError("can't write requests.json: No space left on device")

    monkeypatch.setattr(live, "request", full)
    s.broadcast.end("failed", "the loss has gone")
    assert live.read_status(s.folder).note == "the loss has gone"


def test_a_wish_that_comes_too_late_is_forgotten(tmp_path):
    s = session(tmp_path / "a")
    list(s.run())
    live.request(s.folder, stop=True)
    s.finish()
    assert live.read_requests(s.folder) == live.Requests()


def test_a_launcher_in_between_is_no_stranger(tmp_path):
    (tmp_path / "a").mkdir()
    live.write_status(tmp_path / "a", live.Status("running", 0, 12), os.getppid())
    assert live.read_status(tmp_path / "a").state == "running"
    assert session(tmp_path / "a").step == 0
