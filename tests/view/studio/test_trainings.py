import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.studios import studio, training, until

from planaria import store
from planaria.store import live
from planaria.view.studio import launch

SMALL = {
    "picture": "lizard", "size": "8", "padding": "2", "rule.channels": "8", "rule.hidden": "16", "train.batch": "4",
    "train.pool": "12", "train.rollout": "6, 10", "train.checkpoint": "1000", "train.steps": "40",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def place(tmp_path):
    with studio(tmp_path / "runs") as s:
        yield s
        for run in s.inside.runs.names():
            status = live.read_status(s.folder / run)
            if status is not None and status.state in ("running", "paused") and status.pid != os.getpid():
                os.kill(status.pid, signal.SIGKILL)
        for child in s.inside.trainings._children.values():
            child.wait()


def start(place, name: str | None = None, **settings: str) -> str:
    status, said = place.post("/api/runs", task="grow", name=name, settings={**SMALL, **settings})
    assert status == 201, said
    return said["name"]


def card(place, name: str) -> dict:
    return place.get(f"/api/runs/{name}")[1]


def state(place, name: str, wanted: str) -> dict:
    return until(lambda: c if (c := card(place, name))["state"] == wanted else None)


@pytest.mark.long
def test_a_training_is_started_watched_paused_damaged_stopped_and_resumed_from_the_page(place):
    name = start(place, **{"train.steps": "100000"})
    assert name == "lizard"
    first = card(place, name)
    assert (first["state"], first["step"], first["steps"]) == ("running", 0, 100_000)
    folder = place.folder / name
    with place.listen(f"/ws/runs/{name}") as ear:
        heard = set()
        while not {1, 2} <= heard:  # weights and pool come
            message = ear.recv(timeout=30)
            if isinstance(message, bytes):
                heard.add(message[0])
        assert place.get(f"/api/runs/{name}/player")[1]["name"] == name
    assert place.post(f"/api/runs/{name}/request", pause=True)[0] == 200
    paused = state(place, name, "paused")
    assert place.ask("DELETE", f"/api/runs/{name}")[0] == 409
    assert place.post(f"/api/runs/{name}/resume")[0] == 409
    time.sleep(0.4)
    assert card(place, name)["step"] == paused["step"]
    assert place.post(f"/api/runs/{name}/request", pause=False, damage="circle(6,6,2)")[0] == 200
    state(place, name, "running")
    until(lambda: "a person damaged" in (folder / "metrics.jsonl").read_text())
    assert place.post(f"/api/runs/{name}/request", stop=True)[0] == 200
    stopped = state(place, name, "stopped")
    assert store.read_header(folder / "checkpoint.safetensors")["state"]["step"] == stopped["step"]
    until(lambda: not place.inside.trainings._children)
    assert place.post(f"/api/runs/{name}/request", stop=True)[0] == 409
    assert place.post(f"/api/runs/{name}/resume", steps=stopped["step"])[1]["field"] == "steps"
    assert place.post(f"/api/runs/{name}/resume", steps=stopped["step"] + 20)[0] == 200
    done = state(place, name, "finished")
    assert done["step"] == done["steps"] == stopped["step"] + 20
    assert done["metrics"]["mse at step 200"] > 0
    assert done["film"].startswith(f"/files/runs/{name}/film.webp")
    assert place.ask("GET", done["film"])[1][8:12] == b"WEBP"
    steps = [p["step"] for p in place.get(f"/api/runs/{name}/metrics")[1]["lines"]]
    assert steps == sorted(set(steps))
    until(lambda: not place.inside.trainings._children)
    assert place.ask("DELETE", f"/api/runs/{name}")[0] == 200
    assert place.get(f"/api/runs/{name}")[0] == 404
    assert [p.name.startswith(f"{name}-") for p in (place.folder / ".bin").iterdir()] == [True]


def test_what_is_wrong_is_said_at_its_field(place):
    for settings, field, why in (
        ({"train.steps": "many"}, "train.steps", "many"),
        ({"train.steps": "0"}, "train.steps", "in 1..1000000000"),
        ({"train.stepz": "5"}, "train.stepz", "Did you mean 'train.steps'"),
        ({"regime": "x"}, "regime", "Choose from"),
        ({"rule.filters": "identity,sobelx"}, "rule.filters", "Did you mean 'sobel'"),
        ({"train.rollout": "5"}, "train.rollout", "2 values"),
        ({"picture": "cat.jpg"}, "picture", "no picture"),
        ({"picture": "/etc/passwd"}, "picture", "no picture in a format"),
        ({"picture": "file:///etc/passwd"}, "picture", "downloads are from http"),
        ({"train.device": "cuda:77"}, "train.device", "can't be used here"),
        ({"train.engine": "fast"}, "train.engine", "unknown"),
        ({"a b": "1"}, "a b", "no setting"),
        ({"picture": {"a": 1}}, "picture", "can't be that"),
        ({"picture": "x" * 3000}, "picture", "can't be that"),
        ({"train": "1"}, "train", "train.NAME"),
    ):
        status, said = place.post("/api/runs", task="grow", settings={**SMALL, **settings})
        assert (status, said["field"]) == (400, field), said
        assert why in said["error"]
    for what in (
        {"task": "shrink"},
        {"recipe": "../x.yaml"},
        {},
        {"task": ["grow"]},
        {"task": "grow", "settings": [1]},
    ):
        assert place.post("/api/runs", **what)[0] == 400
    assert place.post("/api/runs", task="grow", name="***", settings=SMALL)[1]["field"] == "name"
    assert not place.folder.exists()


def test_names_are_plain_and_nobody_elses(place, monkeypatch):
    monkeypatch.setattr(launch, "sys", SimpleNamespace(executable=shutil.which("false")))
    names = [start(place, name) for name in ("My Cat!", "my-cat", "../../x", None, None)]
    assert names == ["my-cat", "my-cat-2", "x", "lizard", "lizard-2"]
    assert {p.name for p in place.folder.iterdir()} == {*names, ".recipes"}


def test_a_training_that_cannot_begin_says_why(place, monkeypatch):
    monkeypatch.setattr(launch, "sys", SimpleNamespace(executable=shutil.which("false")))
    name = start(place)
    assert state(place, name, "failed")["note"] == "it ended with code 1"
    monkeypatch.undo()
    (place.folder / name / "config.yaml").mkdir()
    assert place.post(f"/api/runs/{name}/resume")[0] == 200
    assert "config.yaml" in state(place, name, "failed")["note"]


def test_a_stop_while_it_starts_is_heard_and_a_killed_training_is_told(place):
    name = start(place, **{"train.steps": "100000", "train.checkpoint": "5"})
    assert place.post(f"/api/runs/{name}/request", stop=True)[0] == 200
    assert state(place, name, "stopped")["step"] == 1
    assert place.post(f"/api/runs/{name}/resume")[0] == 200
    until(lambda: card(place, name)["step"] > 5)
    pid = live.read_status(place.folder / name).pid
    os.kill(pid, signal.SIGKILL)
    assert state(place, name, "failed")["step"] > 0
    until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"damage": "explode"}, "damage"), ({"damage": "circle(1,2)"}, "damage"), ({"damage": 3}, None),
     ({"pause": "yes"}, None), ({}, None), ({"stop": True, "more": 1}, None)],
)  # fmt: skip
def test_odd_wishes_are_refused(place, asked, field):
    training(place.folder / "a")
    status, said = place.post("/api/runs/a/request", **asked)
    assert (status, said["field"]) == (400, field)
    assert not (place.folder / "a" / "requests.json").exists()


def command(runs: Path, *words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "planaria", "studio", str(runs), "--no-browser", *words], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_training_outlives_the_studio_and_ctrl_c_is_prompt(tmp_path):
    runs = tmp_path / "runs"
    with studio(runs) as place:
        name = start(place, **{"train.steps": "100000"})
        until(lambda: card(place, name)["step"] > 2)
        (child,) = place.inside.trainings._children.values()
        with contextlib.ExitStack() as ears:
            for _ in range(5):
                ears.enter_context(place.listen(f"/ws/runs/{name}"))
            begun = time.monotonic()
            place.server.should_exit = True
            until(lambda: not place.server.server_state.connections)
            assert time.monotonic() - begun < 5
    before = live.read_status(runs / name).step
    until(lambda: live.read_status(runs / name).step > before)
    with studio(runs) as place:
        assert card(place, name)["state"] == "running"
        place.post(f"/api/runs/{name}/request", stop=True)
        state(place, name, "stopped")
    assert child.wait(30) == 130


def test_the_command_says_its_address_finds_a_port_and_ends(tmp_path):
    first = command(tmp_path / "runs", "--port", "18770")
    said = first.stdout.readline()
    assert "http://127.0.0.1:187" in said
    port = said.split("127.0.0.1:")[1][:5]
    second = command(tmp_path / "runs", "--port", port)
    assert second.stdout.readline() == f"port {port} is taken\n"
    assert f"http://127.0.0.1:{int(port) + 1}" in second.stdout.readline()
    begun = time.monotonic()
    for process in (first, second):
        process.send_signal(signal.SIGINT)
    for process in (first, second):
        said, _ = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, "the studio is closed\n")
    assert time.monotonic() - begun < 10
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [(["--host", "0.0.0.0"], "ssh -L 8770:127.0.0.1:8770"), (["--host", "example.org"], "this machine only"),
     (["--port", "99999"], "a port is")],
)  # fmt: skip
def test_it_listens_on_this_machine_only(tmp_path, words, why, capsys):
    from planaria.cli import main

    assert main(["studio", str(tmp_path), *words]) == 2
    assert why in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["studio", str(tmp_path / "file"), "--port", "0"]) == 2
    assert main(["studio", "--runs", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("the studio needs a folder of runs") == 2
