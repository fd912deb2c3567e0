import dataclasses
import io
import json
import math
from pathlib import Path

import pytest
import torch
from rich.console import Console

import planaria
from planaria import bench
from planaria.bench import tables
from planaria.bench.rivals import Eager, Rival
from planaria.bench.works import known, make
from planaria.cli import main
from planaria.core.rule import Rule, RuleConfig
from planaria.engine import ENGINES, run
from planaria.errors import UserError

CPU = torch.device("cpu")
TINY = ["--scale", "0.12", "--repeats", "2", "--threads", "1", "--device", "cpu"]
MODULES = """
import torch
from torch import nn

print("this must not stand between the answers")


class Good(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(channels, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, x):
        return x + 0.01 * self.net(x)


class Whole(Good):
    def forward(self, x, steps=1):
        for _ in range(steps):
            x = super().forward(x)
        return x


class Picky(nn.Module):
    def __init__(self, size):
        super().__init__()


class Shrinks(Good):
    def forward(self, x):
        return super().forward(x)[..., 1:]


class Still(nn.Module):
    def forward(self, x):
        return x


class Breaks(Still):
    def forward(self, x):
        raise KeyError("nothing here")
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MODULES)
    return path


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What the command wrote, and what it said."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "mine.py").write_text(MODULES)
    words = ["bench", *TINY, "--works", "classic", "--engines", "sparse"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*words, "--against", "mine.py:Whole", "--json", "deep/bench.json"]) == 0
    return json.loads((folder / "deep" / "bench.json").read_text())


def test_the_json_says_all(measured):
    assert set(measured) == {"machine", "works", "results"}
    machine = measured["machine"]
    assert machine["threads"] == 1
    assert machine["gemm_gflops"] > 0
    assert machine["auto"] in ENGINES
    assert machine["torch"] == torch.__version__
    assert set(measured["works"]) == {"classic"}
    assert measured["works"]["classic"]["size"] == [9, 9]
    pairs = [(r["work"], r["engine"]) for r in measured["results"]]
    assert pairs == [("classic", engine) for engine in ("eager", "sparse", "mine.py:Whole")]
    for result in measured["results"]:
        assert "declined" not in result
        assert len(result["roll_outs"]) == 2
        assert result["per"] == "training step"
        assert 0 < result["alive"] < 1
        for key in ("seconds", "first", "cells_per_second", "gflops", "share_of_gemm", "faster", "memory_ratio"):
            assert result[key] > 0, key
        assert result["megabytes"] is None or 0 <= result["megabytes"] < 2000
        assert (result["faster"] == 1) >= (result["engine"] == "eager")


def test_the_table_has_a_row_for_every_result_and_hides_none(measured):
    screen = Console(width=tables.WIDTH, record=True, file=io.StringIO())
    screen.print(tables.table(measured["results"]))
    said = screen.export_text()
    assert "…" not in said
    for result in measured["results"]:
        assert result["engine"] in said
    assert said.count("classic") == 1
    refused = [measured["results"][0] | {"engine": "abacus", "declined": "too few beads"}]
    assert tables.table(refused).row_count == 0
    assert tables.declined(refused) == ["not here: abacus: too few beads"]
    other = [
        refused[0] | {"engine": "fingers"},
        refused[0] | {"engine": "head", "declined": "engine head can't run this: no"},
    ]
    mixed = [*refused, *other, other[1] | {"work": "tick"}]
    assert tables.declined(mixed) == ["not for classic: abacus, fingers: too few beads", "not here: head: no"]
    assert measured["machine"]["cpu"] in tables.facts(measured["machine"])[0]


def test_a_model_is_timed_at_its_own_size(tmp_path, capsys):
    rule = Rule(RuleConfig(channels=6, hidden=(8, 5), filters=("identity", "scharr"), activation="tanh", bias="all"))
    path = tmp_path / "m.safetensors"
    planaria.save(path, rule, planaria.Layout(hidden=2), {"grid": [40, 60]})
    assert known(path)["training"].size == (40, 60)
    out = tmp_path / "b.json"
    assert main(["bench", str(path), *TINY, "--works", "inference", "--engines", "sparse", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    wrote = json.loads(out.read_text())
    assert {result["per"] for result in wrote["results"]} == {"cell step"}
    assert wrote["works"]["inference"]["config"]["channels"] == 6
    assert "inference: engine=auto takes" in said
    assert "eager" in said


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"edge": "circular", "filters": ("identity", "sobel", "laplacian")}, {"life": "none"}, {"life": "before"},
        {"life": "after", "edge": "circular"}, {"hidden": (7, 5), "bias": "all", "activation": "gelu", "dt": 0.3},
        {"frozen": 2, "bias": "none", "cond": 3}, {"hidden": ()},
        {"filters": ("identity", "sobel", "sobel@2", "learned@3", "laplacian")}, {"filters": ("sobel@2",)},
        {"filters": ("identity", "laplacian@4", "learned"), "edge": "circular"}, {"edge": "replicate"},
        {"filters": ("identity", "laplacian@4", "learned"), "edge": "replicate", "life": "none"},
    ],
    ids=str,
)  # fmt: skip
def test_eager_is_the_same_automaton(settings):
    """Where every cell fires, nothing is random, and the two must agree."""
    rng = torch.Generator().manual_seed(1)
    rule = Rule(RuleConfig(**{"channels": 6, "hidden": (8,), "fire_rate": 1.0, **settings})).double()
    with torch.no_grad():
        for p in rule.parameters():
            p.copy_(torch.randn(p.shape, generator=rng, dtype=torch.double) * 0.2)
    x = torch.rand(2, 6, 9, 7, generator=rng, dtype=torch.double)
    x[..., 5:, 4:] *= 0.1
    x[..., :3, :3] *= 0.1
    with torch.no_grad():
        eager = Eager(rule)
        torch.testing.assert_close(eager(eager(x)), rule(rule(x, 0), 1), rtol=1e-10, atol=1e-10)


def test_eager_fires_at_the_rate_of_the_rule():
    rule = Rule(RuleConfig(life="none", fire_rate=0.3))
    torch.nn.init.normal_(rule.weights[-1])
    x = torch.rand(1, 16, 60, 60)
    torch.manual_seed(0)
    changed = (Eager(rule)(x) != x).any(1).float().mean().item()
    assert abs(changed - 0.3) < 0.03


def test_life_spreads_from_a_seed_as_in_a_trained_model():
    rule, x = make(dataclasses.replace(known()["seed"], batch=1), CPU)
    shares = [rule.alive(x).float().mean().item()]
    with torch.no_grad():
        for t in range(0, 64, 16):
            x = run(rule, x, 16, t=t)
            shares.append(rule.alive(x).float().mean().item())
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(9 / 72**2)
    assert 0.20 < shares[-1] < 0.32
    across = rule.alive(x)[0, 0].any(0).sum().item()
    assert 36 <= across <= 48
    assert x.abs().max() < 5


def test_a_grown_disc_stays_what_it_was():
    rule, x = make(dataclasses.replace(known()["classic"], batch=1), CPU)
    with torch.no_grad():
        shares = [rule.alive(y).float().mean().item() for y in (x, run(rule, x, 64))]
    assert shares[0] == pytest.approx(0.27, abs=0.01)
    assert shares[1] == pytest.approx(shares[0], abs=0.02)


def test_operations_are_counted_by_hand():
    work = known()["classic"]
    assert work.cells == 8 * 72 * 72 * 64
    assert work.flops == 3 * work.cells * 2 * (9 * 48 + 48 * 128 + 128 * 16)
    assert known()["inference"].flops == 256 * 256 * 64 * 2 * (9 * 48 + 48 * 128 + 128 * 16)


def test_every_engine_but_the_reference_is_measured_by_default():
    whole = bench.plan()
    assert whole.engines == ("eager", *(name for name in ENGINES if name != "reference"))
    assert set(whole.works) == {"classic", "seed", "inference", "texture", "tick"}
    assert bench.plan(engines=["reference"]).engines == ("eager", "reference")


def test_a_worker_that_dies_or_declines_is_a_line_and_not_an_end(file):
    plan = bench.plan(names=["tick"], engines=["sparse"], scale=0.12, threads=1)
    plan = dataclasses.replace(plan, engines=("eager", "abacus"))
    heard = []
    results = bench.measure(plan, {"gemm_gflops": 1.0}, heard.append)
    assert len(heard) == plan.turns
    assert "declined" not in results[0]
    assert "abacus" in results[1]["declined"]


@pytest.mark.parametrize("name", ["Good", "Whole"])
def test_a_rival_steps_once_or_as_often_as_it_is_told(file, name):
    torch.manual_seed(0)
    rival = Rival(f"{file}:{name}", RuleConfig(channels=5, hidden=(7,)), CPU)
    x = torch.rand(1, 5, 6, 6)
    assert rival.module.net[0].weight.shape == (7, 5, 3, 3)
    torch.testing.assert_close(rival(x, 3), rival(rival(x, 2), 1))
    rival.check(x, True)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Goood", r"unknown nn.Module in .*'Goood'.*Did you mean 'Good'"),
        ("Picky", "can't be made with no more than channels and hidden: TypeError.*size"),
        ("Shrinks", r"makes \(1, 16, 9, 8\) of a state \(1, 16, 9, 9\)"),
        ("Still", "nothing in it can be trained; try --works inference,tick"),
        ("Breaks", r"fails on a state \(1, 16, 9, 9\): KeyError: 'nothing here'"),
    ],
)
def test_a_rival_that_cant_is_refused(file, name, complaint):
    with pytest.raises(UserError, match=complaint):
        Rival(f"{file}:{name}", RuleConfig(), CPU).check(torch.rand(1, 16, 9, 9), True)


def test_a_rival_is_refused_in_one_line_before_anything_is_measured(file, tmp_path, capsys):
    assert main(["bench", *TINY, "--against", f"{file}:Shrinks", "--json", str(tmp_path / "b.json")]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "a step keeps the shape" in said.err
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--engines", "spares"], "Did you mean 'sparse'"),
        (["--works", "classic,tik"], "Did you mean 'tick'"),
        (["--against", "mine.py"], "write FILE.py:Class"),
        (["--against", "nowhere.py:Good"], "no file 'nowhere.py'"),
        (["--repeats", "0"], "at least 1"),
        (["--scale", "2"], "at most 1"),
        (["--json", "."], "a folder"),
        (["nowhere"], "no model 'nowhere'"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(words, complaint, capsys):
    assert main(["bench", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert complaint in said


def test_a_broken_file_is_told_by_its_error(tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0\n")
    (tmp_path / "words.txt").write_text("class Good: pass\n")
    with pytest.raises(UserError, match="bad.py fails: ZeroDivisionError"):
        Rival(f"{tmp_path / 'bad.py'}:Good", RuleConfig(), CPU)
    with pytest.raises(UserError, match="no Python file"):
        Rival(f"{tmp_path / 'words.txt'}:Good", RuleConfig(), CPU)


def test_figures_are_medians_of_turns_and_ratios():
    work = known()["tick"]
    mine = [{"seconds": s, "megabytes": 10.0} for s in (9.0, 1.0, 2.0, 3.0)]
    base = [{"seconds": s, "megabytes": 40.0} for s in (9.0, 4.0, 6.0, 30.0)]
    found = bench._medians(work, mine, base, 100.0)
    assert found["seconds"] == pytest.approx(2 / 64)
    assert found["first"] == 9
    assert found["faster"] == 4
    assert found["memory_ratio"] == 0.25
    assert found["share_of_gemm"] == pytest.approx(found["gflops"] / 100)
    assert all(math.isfinite(found[key]) for key in ("cells_per_second", "gflops"))
    alone = bench._medians(work, [m | {"megabytes": None} for m in mine], None, 100.0)
    assert alone["faster"] is alone["memory_ratio"] is alone["megabytes"] is None
    row = {"work": "tick", "engine": "x", "alive": None, "auto": False, **alone}
    assert tables.table([row]).row_count == 1


def test_help_says_that_the_file_is_run(capsys):
    assert main(["bench", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "The file is run" in said
    assert "--scale" not in said
