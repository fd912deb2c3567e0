import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from helpers.tiny import WORDS, tiny
from PIL import Image

import planaria
from planaria import store
from planaria.config import read_yaml, write_yaml
from planaria.errors import UserError
from planaria.report.run import loss_plot
from planaria.store.run_folder import RunFolder
from planaria.training.dist import Ranks
from planaria.training.session import Session

ALONE = Ranks(0, 1, torch.device("cpu"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def session(folder, resume=False, **settings) -> Session:
    return Session(folder, "grow", tiny(**settings), ALONE, resume=resume)


def finished(folder, **settings):
    s = session(folder, **settings)
    for _ in s.run():
        pass
    s.finish()
    return folder


def essence(folder) -> dict:
    """What must be the same bytes: all but times."""
    metrics = [{k: v for k, v in m.items() if k != "seconds"} for m in RunFolder(folder).lines()]
    timed = ("metrics.jsonl", "README.md", "loss.png", "status.json")
    names = sorted(p.name for p in folder.iterdir() if p.name not in timed)
    card = store.card(folder)
    return {"metrics": metrics, **{n: (folder / n).read_bytes() for n in names}, "card": {**card, "name": ""}}


def same(a, b) -> None:
    mine, other = essence(a), essence(b)
    for named in ("model.safetensors", "organism.html"):  # the name of the run stands in them
        mine.pop(named), other.pop(named)
    assert mine.keys() == other.keys()
    for key in mine:
        assert mine[key] == other[key], key
    for p, q in zip(planaria.load(a)[0].parameters(), planaria.load(b)[0].parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_run_folder_holds_what_people_need(tmp_path):
    folder = finished(tmp_path / "tiny")
    assert {p.name for p in folder.iterdir()} == {
        "README.md", "checkpoint.safetensors", "config.yaml", "film.webp", "loss.png", "metrics.jsonl",
        "model.safetensors", "organism.html", "status.json", "strip.png", "target.png",
    }  # fmt: skip
    metrics = RunFolder(folder).lines()
    assert [m["step"] for m in metrics] == list(range(1, 13))
    assert all(m["loss"] > 0 and m["lr"] > 0 and 6 <= m["rollout"] <= 10 for m in metrics)
    rule, layout = planaria.load(folder)
    x = planaria.run(rule, layout.seed(1, 12), steps=20, seed=7)
    assert x.shape == (1, 8, 12, 12)
    card = store.card(folder)
    assert card["task"] == "grow"
    assert card["config"]["rule"]["hidden"] == [16]
    assert card["figures"]["mse at step 200"] > 0
    assert "planaria run runs/tiny -o tiny.gif --steps 300" in (folder / "README.md").read_text()
    for name in ("loss.png", "strip.png", "film.webp"):
        with Image.open(folder / name) as image:
            assert np.asarray(image.convert("L")).std() > 1, f"{name} is blank"
    with Image.open(folder / "film.webp") as moving:
        assert moving.n_frames > 20
    with Image.open(folder / "target.png") as image:
        assert image.size == (12, 12)
        assert image.mode == "RGBA"


def test_its_config_is_complete_and_trains_the_same_again(tmp_path):
    a = finished(tmp_path / "a")
    b = planaria.train(a / "config.yaml", name="b", runs=tmp_path)
    same(a, b)


def test_an_existing_run_is_never_overwritten(tmp_path):
    folder = finished(tmp_path / "a")
    before = essence(folder)
    with pytest.raises(UserError, match=r"a holds a run already; go on with it: --resume, or .* --name"):
        session(folder)
    assert essence(folder) == before
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        session(tmp_path / "file")


def test_a_resumed_run_must_be_the_same_run(tmp_path):
    folder = finished(tmp_path / "a")
    with pytest.raises(UserError, match="was trained with train.batch=4, not 3; resume it with its own settings"):
        session(folder, resume=True, train={"batch": 3})
    more = session(folder, resume=True, train={"steps": 15})
    assert [r.step for r in more.run()] == [13, 14, 15]


def test_a_number_in_the_settings_may_stand_for_a_text(tmp_path):
    session(tmp_path / "a", picture="text:5").close()
    settings = tmp_path / "a" / "config.yaml"
    settings.write_text(settings.read_text().replace("life: both", "life: 'both'").replace("size: 8", "size: '8'"))
    session(tmp_path / "a", resume=True, picture="text:5").close()


def test_a_run_with_a_setting_s_former_name_goes_on(tmp_path):
    session(tmp_path / "a", damage_shape="cut").close()
    settings = tmp_path / "a" / "config.yaml"
    settings.write_text(settings.read_text().replace("damage_shape:", "wound:"))
    with pytest.raises(UserError, match="was trained with damage_shape=cut, not hole"):
        session(tmp_path / "a", resume=True, damage_shape="hole")
    session(tmp_path / "a", resume=True, damage_shape="cut").close()
    assert "damage_shape: cut" in settings.read_text()


def test_a_run_from_before_there_was_a_setting_goes_on(tmp_path):
    folder = finished(tmp_path)
    told = read_yaml(folder / "config.yaml")
    del told["train"]["clip"], told["train"]["init"]
    (folder / "config.yaml").write_text(write_yaml(told))
    assert session(folder, resume=True).done
    told["train"]["clip"] = 3.0
    (folder / "config.yaml").write_text(write_yaml(told))
    with pytest.raises(UserError, match="was trained with train.clip=3.0"):
        session(folder, resume=True)


def test_a_stopped_run_resumes_to_the_same_bytes(tmp_path):
    whole = finished(tmp_path / "whole")
    part = session(tmp_path / "part")
    seen = [r.step for r in part.run(stop=lambda: part.step == 5)]
    assert seen == [1, 2, 3, 4, 5]
    again = session(tmp_path / "part", resume=True)
    assert again.step == 5
    assert [r.step for r in again.run()] == list(range(6, 13))
    again.finish()
    same(whole, tmp_path / "part")


def test_its_picture_may_be_gone_when_it_resumes(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 255)).save(tmp_path / "red.png")
    part = session(tmp_path / "a", picture=str(tmp_path / "red.png"))
    list(part.run(stop=lambda: part.step == 3))
    (tmp_path / "red.png").unlink()
    again = session(tmp_path / "a", resume=True, picture=str(tmp_path / "red.png"))
    assert again.task.target[0].max() == 1


def test_symmetric_filters_are_warned_of_once(tmp_path):
    rule = planaria.RuleConfig(channels=8, hidden=(16,), filters=("identity", "mean"))
    with pytest.warns(UserWarning, match="all symmetric") as said:
        session(tmp_path / "a", rule=rule)
    assert len(said) == 1


def test_a_torn_line_of_metrics_is_forgotten(tmp_path):
    folder = finished(tmp_path / "a")
    with (folder / "metrics.jsonl").open("a") as f:
        f.write('{"step": 13, "lo')
    assert RunFolder(folder).lines()[-1]["step"] == 12


def start(runs, *words, steps: int = 60) -> subprocess.Popen:
    command = [sys.executable, "-m", "planaria", "train", "grow", "--runs", str(runs), "--name", "a", "--resume"]
    return subprocess.Popen(
        [*command, *WORDS, f"train.steps={steps}", *words], env=ENVIRONMENT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_metrics(folder, lines: int, process: subprocess.Popen) -> None:
    while process.poll() is None:
        path = folder / "metrics.jsonl"
        if path.exists() and len(path.read_bytes().splitlines()) >= lines:
            return
        time.sleep(0.005)


def test_killed_at_any_moment_it_ends_in_the_same_bytes(tmp_path):
    whole = start(tmp_path / "whole")
    kills = 0
    for lines in (1, 4, 10, 11, 25, 38, 52):
        process = start(tmp_path / "killed")
        wait_for_metrics(tmp_path / "killed" / "a", lines, process)
        kills += process.poll() is None
        process.kill()
        process.communicate()
    assert kills >= 5
    last = start(tmp_path / "killed")
    for process in (last, whole):
        _, said = process.communicate()
        assert process.returncode == 0, said
    same(tmp_path / "whole" / "a", tmp_path / "killed" / "a")
    models = [(tmp_path / runs / "a" / "model.safetensors").read_bytes() for runs in ("whole", "killed")]
    assert models[0] == models[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, number):
    process = start(tmp_path, steps=100_000)
    wait_for_metrics(tmp_path / "a", 5, process)
    process.send_signal(number)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"go on with: planaria train {tmp_path / 'a'} --resume" in said
    done = len(RunFolder(tmp_path / "a").lines())
    assert store.read_header(tmp_path / "a" / "checkpoint.safetensors")["state"]["step"] == done


def test_of_two_that_begin_at_once_one_is_refused(tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    assert f"{tmp_path / 'a'} is being trained by another process" in "".join(said)
    assert [m["step"] for m in RunFolder(tmp_path / "a").lines()] == list(range(1, 61))


def test_a_folder_is_taken_from_set_up_to_the_end(tmp_path):
    first = session(tmp_path / "a")
    for _ in range(2):
        with pytest.raises(UserError, match="a is being trained by another process"):
            session(tmp_path / "a", resume=True)
        list(first.run())
    first.finish()
    assert session(tmp_path / "a", resume=True).done


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="no picture"):
        session(tmp_path / "runs" / "a", picture="nowhere.png")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_moved_while_it_trains_is_not_made_anew(tmp_path):
    s = session(tmp_path / "a")
    reports = s.run()
    for _ in range(4):
        next(reports)
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(UserError, match="a went away while it was being trained"):
        next(reports)
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
    again = session(tmp_path / "b", resume=True)
    assert again.step == 3
    assert [r.step for r in again.run()] == list(range(4, 13))
    (tmp_path / "b").rename(tmp_path / "c")
    with pytest.raises(UserError, match="b went away"):
        again.finish()
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_another_run_in_its_place_is_left_alone(tmp_path):
    s = session(tmp_path / "a")
    reports = s.run()
    next(reports)
    (tmp_path / "a").rename(tmp_path / "b")
    other = session(tmp_path / "a", train={"steps": 5})
    before = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    with pytest.raises(UserError, match="a went away"):
        list(reports)
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == before
    assert [r.step for r in other.run()] == [1, 2, 3, 4, 5]


def test_metrics_that_are_none_are_no_end(tmp_path):
    folder = finished(tmp_path / "a")
    odd = (
        '{"step": "x"}', '{"step": 3, "loss": "x"}', '{"step": 4, "loss": 1e400}', '{"step": 5, "validation": []}', "[",
        '{"step": 6, "loss": -1, "event": {}}', "",
    )  # fmt: skip
    (folder / "metrics.jsonl").write_text("\n".join(odd))
    loss_plot(RunFolder(folder))
    assert session(folder, resume=True).done
    (folder / "metrics.jsonl").unlink()
    os.mkfifo(folder / "metrics.jsonl")
    with pytest.raises(UserError, match="can't cut .*metrics.jsonl at iteration 12: not a regular file"):
        session(folder, resume=True)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, monkeypatch):
    s = session(tmp_path / "a", train={"steps": 9})
    reports = s.run()
    for _ in range(4):
        next(reports)
    before = (tmp_path / "a" / "checkpoint.safetensors").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"can't write .*checkpoint.safetensors: No space left on device; what was"):
        list(reports)
    assert (tmp_path / "a" / "checkpoint.safetensors").read_bytes() == before
    assert not [p for p in (tmp_path / "a").iterdir() if p.suffix == ".part"]
    monkeypatch.undo()
    assert session(tmp_path / "a", resume=True, train={"steps": 9}).step == 3


def test_a_folder_that_cannot_be_written_is_one_line():
    with pytest.raises(UserError, match="can't write /proc/nowhere/a"):
        session(planaria.store.Path("/proc/nowhere/a"))


def test_the_model_file_says_the_same_as_the_metrics(tmp_path):
    folder = finished(tmp_path / "a")
    header = json.loads(json.dumps(store.read_header(folder / "model.safetensors")))
    assert header["card"]["trained"] == 12
    assert header["rule"]["channels"] == 8
