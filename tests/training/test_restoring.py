"""Checkpoints of odd content: every number and tensor of one is read once, and what is none of it is one line."""

import copy
import math
import shutil
from pathlib import Path

import pytest
import torch
from helpers.tiny import tiny

from planaria import store
from planaria.cli import main
from planaria.errors import UserError
from planaria.training.dist import ranks
from planaria.training.session import Session
from planaria.training.state import TrainingState

ODD = (None, "x", "\u202e", [], {}, -1, 1e308, 2**70, True, [[[]]], {"a": {"b": [1]}}, 0.5, [None], ["x", 1], "missing")
KEYS = ("step", "recent", "caution", "rescues", "best_loss", "ranks", "stale", "falls", "reused")
CONFIG = tiny({"steps": 50})


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A run that was stopped after four iterations."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with ranks("cpu") as place:
        session = Session(folder, "grow", CONFIG, place)
        for _ in session.run(lambda: session.step >= 4):
            pass
    return folder


@pytest.fixture
def run(stopped, tmp_path) -> Path:
    """A copy of it that a test may break."""
    return shutil.copytree(stopped, tmp_path / "tiny")


def resumed(folder: Path, header: dict, tensors: dict[str, torch.Tensor]) -> str:
    """What is said of a run with this checkpoint; "" where it goes on."""
    store.write_tensors(folder / "checkpoint.safetensors", tensors, header)
    with ranks("cpu") as place:
        try:
            session = Session(folder, "grow", CONFIG, place, resume=True)
            first = session.step
            for _ in session.run(lambda: session.step > first):
                pass
        except UserError as error:
            return str(error)
    return ""


def content(folder: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    path = folder / "checkpoint.safetensors"
    return store.read_header(path), store.read_tensors(path)


def test_numbers_come_back_as_they_were_told(run):
    state = content(run)[0]["state"]
    assert set(state) == set(KEYS)
    assert TrainingState.read(state).as_dict() == state
    assert TrainingState.read({**state, "best_loss": None}).best_loss == math.inf
    old = {key: value for key, value in state.items() if key not in ("stale", "falls", "reused")}
    assert TrainingState.read(old).as_dict() == {**old, "stale": 0, "falls": 0, "reused": []}, "before these were kept"


@pytest.mark.parametrize("key", ["state", *KEYS])
def test_a_number_of_another_kind_is_one_line(run, key):
    header, tensors = content(run)
    fine = []
    for value in ODD:
        changed = copy.deepcopy(header)
        place = changed if key == "state" else changed["state"]
        place[key] = value
        if value == "missing":
            del place[key]
        said = resumed(run, changed, tensors)
        assert len(said.splitlines()) <= 1
        assert not said or "checkpoint.safetensors: damaged: " in said
        fine += [] if said else [value]
    usual = {
        "recent": [[]], "reused": [[], "missing"], "stale": ["missing"], "falls": ["missing"], "caution": [0.5],
        "best_loss": [None, -1, 1e308, 2**70, 0.5],
    }  # fmt: skip
    assert fine == usual.get(key, [])


def odd(t: torch.Tensor) -> dict[str, torch.Tensor]:
    """What may stand in place of a tensor."""
    return {
        "another kind": t.to(torch.int8), "double": t.double(), "deeper": torch.zeros(*t.shape, 2, dtype=t.dtype),
        "empty": torch.zeros(0, dtype=t.dtype), "one": torch.zeros(1, 1, 1, 1, 1, dtype=t.dtype),
        "no numbers": torch.full(t.shape, math.nan).to(t.dtype), "endless": torch.full(t.shape, math.inf).to(t.dtype),
        "large": torch.full(t.shape, 2.0**62).to(t.dtype), "below": torch.full(t.shape, -1.0).to(t.dtype),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["task", "now", "good", "best", "pool"])
def test_a_tensor_of_another_kind_is_one_line_or_goes_on(run, kind):
    header, tensors = content(run)
    for name in [name for name in sorted(tensors) if name.startswith(f"{kind}.")][:6]:
        for what, other in odd(tensors[name]).items():
            said = resumed(run, header, {**tensors, name: other.contiguous()})
            assert len(said.splitlines()) <= 1
            other_shape = other.shape != tensors[name].shape or other.dtype != tensors[name].dtype
            assert not other_shape or "damaged" in said, (name, what)
        without = {n: t for n, t in tensors.items() if n != name}
        optional = name in ("task.target", "pool.0.at")  # drawn anew, and of before ages were told
        assert ("damaged: it has no" in resumed(run, header, without)) != optional
        more = resumed(run, header, {**tensors, f"{name}9": tensors[name].clone()})
        assert ("besides" in more) == (kind in ("now", "good", "best"))


def test_the_command_says_it_in_one_line_and_leaves_the_checkpoint(run, capsys):
    header, tensors = content(run)
    header["state"]["recent"][0] = "\u202e"
    store.write_tensors(run / "checkpoint.safetensors", tensors, header)
    before = (run / "checkpoint.safetensors").read_bytes()
    assert main(["train", str(run), "--resume"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("checkpoint.safetensors: damaged: recent is '\\u202e', not a finite number")
    assert (run / "checkpoint.safetensors").read_bytes() == before
