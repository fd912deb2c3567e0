import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from helpers.tiny import WORDS

import planaria
from planaria import store
from planaria.store.run_folder import RunFolder

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}


def torchrun(*words: object) -> subprocess.CompletedProcess:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    return subprocess.run(
        [*command, *map(str, words)], env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
    )


def test_two_processes_train_one_model(tmp_path):
    done = torchrun(TESTS / "helpers" / "two_ranks.py", tmp_path)
    assert done.returncode == 0, done.stderr
    a, b = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(p, q) for p, q in zip(a["weights"], b["weights"], strict=True))
    assert all(torch.equal(p, q) for p, q in zip(a["adam"], b["adam"], strict=True))
    assert not torch.equal(a["pool"], b["pool"])
    metrics = RunFolder(tmp_path / "run").lines()
    assert [m["step"] for m in metrics] == list(range(1, 9))
    alone = planaria.train(tmp_path / "run" / "config.yaml", name="alone", runs=tmp_path)
    one, two = planaria.load(alone)[0], planaria.load(tmp_path / "run")[0]
    assert not torch.equal(one.weights[0], two.weights[0])


def test_the_first_process_decides_what_a_budget_allows(tmp_path):
    done = torchrun(TESTS / "helpers" / "two_budgets.py", tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (int((tmp_path / f"{rank}.txt").read_text()) for rank in (0, 1))
    assert first == second == RunFolder(tmp_path / "run").settings()["train"]["steps"] > 60, "the slower clock has 60"


def test_the_command_line_trains_resumes_and_refuses_under_torchrun(tmp_path):
    words = ["-m", "planaria", "train", "grow", *WORDS, "--runs", tmp_path, "--name", "a"]
    done = torchrun(*words, "train.steps=6")
    assert done.returncode == 0, done.stderr
    more = torchrun(*words, "train.steps=9", "--resume")
    assert more.returncode == 0, more.stderr
    assert store.card(tmp_path / "a")["trained"] == 9
    again = torchrun(*words)
    assert again.returncode != 0
    assert "holds a run already" in again.stderr
