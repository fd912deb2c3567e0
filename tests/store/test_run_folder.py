"""Run folders: what lies in one is found by its name and read as what it is."""

from pathlib import Path

import pytest
import torch

from planaria import store
from planaria.config import write_yaml
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.store import live
from planaria.store.run_folder import Checkpoint, RunFolder, inside


@pytest.fixture
def run(tmp_path) -> RunFolder:
    folder = RunFolder(tmp_path / "a")
    store.save(folder.model, Rule(RuleConfig(channels=8, hidden=(4,))), Layout(hidden=4), {"trained": 3})
    return folder


def test_what_lies_there_is_read(run):
    assert (run.name, run.began, run.trains, run.status()) == ("a", False, False, None)
    run.config.write_text(write_yaml({"task": "grow", "size": 9}))
    run.metrics.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n{"step": 3')
    live.write_status(run.path, live.Status("running", 2, 5))
    assert (run.began, run.trains, run.card().trained) == (True, True, 3)
    assert run.settings() == {"task": "grow", "size": 9}
    assert [line["step"] for line in run.lines()] == [m.step for m in run.curve(10)] == [1, 2]
    status = run.status()
    assert status is not None
    assert (status.busy, status.step) == (True, 2)
    names = {file.name for file in run.path.iterdir()}
    assert names == {"model.safetensors", "config.yaml", "metrics.jsonl", "status.json"}


def test_a_checkpoint_is_read_whole(run):
    header = {"format": store.FORMAT, "state": {"step": 3}, "task": "grow"}
    store.write_tensors(run.checkpoint, {"task.target": torch.ones(2), "weights.0": torch.zeros(1)}, header)
    found = Checkpoint.read(run.checkpoint)
    assert (found.path, found.state, set(found.tensors)) == (run.checkpoint, {"step": 3}, {"task.target", "weights.0"})
    assert torch.equal(found.task["target"], torch.ones(2))
    assert len(found.task) == 1


def test_what_is_not_there_is_one_line(tmp_path):
    for read in (RunFolder(tmp_path).lines, RunFolder(tmp_path).card, RunFolder(tmp_path).settings):
        with pytest.raises(UserError):
            read()


def test_a_folder_is_named_by_what_lies_in_it(run):
    assert inside(run.path) == inside(run.model) == inside(run.weights) == run
    assert inside(run.config) is None
    assert inside(Path("nowhere")) is None
    assert run / "x" == run.path / "x"
