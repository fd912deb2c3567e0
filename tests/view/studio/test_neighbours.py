"""Runs whose files are wrong, endless, or no files: each is one card that says so, and none takes away another."""

import json
import os

import pytest
from helpers.studios import model, studio, training

from planaria.config import write_yaml
from planaria.store import live, lock
from planaria.view.studio import launch, runs
from planaria.view.studio.cards import Memory
from planaria.view.studio.guard import Refusal
from planaria.view.studio.launch import Trainings
from planaria.view.studio.runs import Runs


def shown(folder) -> dict:
    return {card["name"]: card for card in json.loads(json.dumps(Runs(folder).home(), ensure_ascii=False))["runs"]}


@pytest.mark.parametrize(
    ("config", "says"),
    [("lr: " + ":".join(["1", *["59"] * 9000]), "a number of 27001 digits"), ("[" * 40_000, "too deeply nested"),
     ("- a\n- list", "expected settings"), ("lr: .nan", "numbers without end"), ("a: !!int ''", "!!tag"),
     ("\0", "not YAML")],
    ids=lambda text: text[:9],
)  # fmt: skip
def test_settings_that_cannot_be_read_are_told_on_their_card(tmp_path, config, says):
    training(tmp_path / "good")
    training(tmp_path / "bad")
    (tmp_path / "bad" / "config.yaml").write_text(config)
    cards = shown(tmp_path)
    assert says in cards["bad"]["trouble"]
    assert (cards["bad"]["state"], cards["good"]["trouble"]) == ("running", "")


def test_a_damaged_model_and_endless_figures_are_told(tmp_path):
    training(tmp_path / "a")
    (tmp_path / "a" / "model.safetensors").write_bytes(b"PK nothing")
    assert "pickle" in shown(tmp_path)["a"]["trouble"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_are_not_waited_for(tmp_path):
    for name in ("status.json", "config.yaml", "model.safetensors", "train.log", "metrics.jsonl"):
        run = training(tmp_path / name.replace(".", "-"))
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)
        assert f"{name}: not a regular file" in shown(tmp_path)[run.name]["trouble"]
    with studio(tmp_path) as place:
        assert len(place.get("/api/home")[1]["runs"]) == 5
        for run in place.inside.runs.names():
            assert place.get(f"/api/runs/{run}")[0] == 200
            assert place.get(f"/api/runs/{run}/metrics")[0] == 200
            with place.listen(f"/ws/runs/{run}") as ear:
                assert json.loads(ear.recv(timeout=10))["type"] == "status"
        status, said = place.post("/api/runs/train-log/resume")
        assert (status, "is training already" in said["error"]) == (409, True)
        live.write_status(tmp_path / "train-log", live.Status("stopped", 3, 90))
        status, said = place.post("/api/runs/train-log/resume")
        assert (status, "can't start a training" in said["error"]) == (400, True)


def test_links_out_of_the_runs_are_not_read(tmp_path):
    elsewhere = training(tmp_path / "elsewhere", step=7)
    model(elsewhere / "model.safetensors")
    run = training(tmp_path / "runs" / "a", step=3)
    for name in ("status.json", "model.safetensors", "metrics.jsonl", "live.safetensors", "live.png", "config.yaml"):
        (elsewhere / name).touch()
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(elsewhere / name)
    (run / "train.log").touch()
    with studio(tmp_path / "runs") as place:
        (card,) = place.get("/api/home")[1]["runs"]
        assert (card["step"], card["model"], card["task"]) == (0, False, "")
        assert place.get("/api/runs/a/metrics")[1]["lines"] == []
        with place.listen("/ws/runs/a") as ear:
            assert json.loads(ear.recv(timeout=10))["state"] == "failed"
            assert place.inside.feed._channels["a"].newest.keys() <= {"status", "metrics", "files"}


@pytest.mark.parametrize("file", ["status.json", "model.safetensors", "metrics.jsonl", "train.log"])
@pytest.mark.parametrize("target", ["/etc/hosts", "gone", "itself"])
def test_a_link_that_is_not_followed_is_told(tmp_path, file, target):
    run = training(tmp_path / "runs" / "a")
    (run / file).unlink(missing_ok=True)
    (run / file).symlink_to(file if target == "itself" else target)
    assert shown(tmp_path / "runs")["a"]["trouble"].startswith(f"{run / file}: a link that leads nowhere, or out of ")


@pytest.mark.parametrize("text", ["", "[1]", '{"state": "running", "step": "x"}', "[" * 9000])
def test_a_status_that_cannot_be_read_is_told(tmp_path, text):
    run = training(tmp_path / "a")
    assert shown(tmp_path)["a"]["trouble"] == ""
    (run / "status.json").write_text(text)
    assert "status.json: damaged; its other files say how far it is" in shown(tmp_path)["a"]["trouble"]


def test_a_name_that_is_no_text_is_no_end(tmp_path):
    training(tmp_path / "good")
    training(tmp_path / os.fsdecode(b"bad\xff"))
    cards = shown(tmp_path)
    assert cards.keys() == {"good", "bad?"}
    assert "rename the folder" in cards["bad?"]["trouble"]


def test_a_fault_of_ours_is_one_card(tmp_path, monkeypatch, caplog):
    training(tmp_path / "good")
    training(tmp_path / "bad")
    of_settings = runs.cards.of_settings

    def fault(path):
        if path.parent.name == "bad":
            raise ZeroDivisionError("a\nb")
        return of_settings(path)

    monkeypatch.setattr(runs.cards, "of_settings", fault)
    cards = shown(tmp_path)
    assert cards["bad"]["trouble"] == "its files can't be read: ZeroDivisionError: a b"
    assert cards["good"]["task"] == "grow"
    assert "the card of bad" in caplog.text


def test_memory_forgets_the_oldest_only(tmp_path):
    files = [tmp_path / str(k) for k in range(5)]
    read: list[str] = []
    memory = Memory(3)

    def look(path) -> str:
        read.append(path.name)
        return path.name

    def ask(*numbers: int) -> None:
        for k in numbers:
            assert memory.get(files[k], files[k].stat(), look) == str(k)

    for file in files:
        file.touch()
    ask(0, 1, 2, 0, 3, 0, 2)
    assert read == ["0", "1", "2", "3"]
    ask(1)
    assert read[-1] == "1"
    files[1].write_text("new")
    ask(1, 1)
    assert read.count("1") == 3


def test_nothing_is_read_twice_however_many_runs_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "LEAST_REMEMBERED", 10)
    for k in range(60):
        (tmp_path / f"r{k}").mkdir()
        (tmp_path / f"r{k}" / "config.yaml").write_text(write_yaml({"task": "grow"}))
    place = Runs(tmp_path)
    place.home()
    monkeypatch.setattr(runs.cards, "read_yaml", None)
    assert [card["task"] for card in place.home()["runs"]] == ["grow"] * 60


def test_what_trains_is_counted_whoever_started_it(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "MOST_TRAININGS", 2)
    trainings = Trainings(Runs(tmp_path))
    training(tmp_path / "a")
    hold = lock.take(tmp_path / "b")
    (tmp_path / "b" / "config.yaml").touch()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.yaml").touch()
    with pytest.raises(Refusal, match="2 trainings are running"):
        trainings.resume("c")
    with pytest.raises(Refusal, match="'b' is training already"):
        trainings.resume("b")
    hold.release()
    with pytest.raises(Refusal, match="'a' is training already"):
        trainings.resume("a")


def test_a_run_that_is_set_up_is_busy(tmp_path):
    live_before = training(tmp_path / "a")
    live.write_status(live_before, live.Status("finished", 90, 90))
    place = Runs(tmp_path)
    assert place.card("runs", "a")["state"] == "finished"
    hold = lock.take(tmp_path / "a")
    card = place.card("runs", "a")
    assert (card["state"], card["step"], card["note"]) == ("running", 90, "setting up")
    with pytest.raises(Refusal, match="is training; stop it first"):
        Trainings(place).put_away("a")
    hold.release()
    Trainings(place).put_away("a")
    (there,) = (tmp_path / ".bin").iterdir()
    assert lock.NAME not in {file.name for file in there.iterdir()}
