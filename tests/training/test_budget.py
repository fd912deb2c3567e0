"""A budget of minutes becomes iterations; the clock is the tests' own."""

import subprocess
import sys

import pytest
import torch
from helpers.tiny import WORDS, tiny

import planaria
from planaria import tasks
from planaria.config import parse, read_yaml, to_dict
from planaria.errors import UserError
from planaria.recipes import find, one_length
from planaria.tasks.grow import Config
from planaria.training import budget
from planaria.training.budget import Cost
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer
from planaria.training.session import Session

ALONE = Ranks(0, 1, torch.device("cpu"))


class Clock:
    """Time that passes only in iterations: a hundredth of a second for each cell step."""

    def __init__(self, monkeypatch, step: float = 0.01):
        self.now, self.iterations, self.areas = 0.0, 0, []
        iterate = Trainer.step

        def timed(trainer: Trainer):
            self.areas.append(float((trainer.pool.x[:, 3] > 0.1).float().mean()))
            report = iterate(trainer)
            self.now += step * report.rollout
            self.iterations += 1
            return report

        monkeypatch.setattr(Trainer, "step", timed)
        monkeypatch.setattr(budget, "perf_counter", lambda: self.now)


def spent(length, seconds, steps, warmup=0, validate=0, validation=0.0):
    """Time of a training, iteration by iteration."""
    total = 0.0
    for k in range(steps):
        grown = 0.25 + 0.75 * min(1, k / warmup) if warmup else 1
        total += seconds(k / steps) * length(k / steps) * grown
        total += validation if validate and (k + 1) % validate == 0 else 0
    return total


@pytest.mark.parametrize("warmup", [0, 400])
@pytest.mark.parametrize(
    ("length", "seconds"),
    [
        (lambda _: 80.0, lambda _: 0.001),
        (lambda p: 4.0 * (1 + int(7 * min(1, p / 0.6))), lambda _: 0.02),
        (lambda _: 12.0, lambda p: 0.01 * (1 + p)),
    ],
)
def test_a_schedule_fits_its_budget(length, seconds, warmup):
    at = tuple(seconds(p) * length(p) for p in budget.PROBES)
    cost = Cost(at, length, warmup, validation=0.5, validate=50, saving=0.1, checkpoint=100)
    steps = cost.fitting(300)
    assert cost.total(steps) <= 300 < cost.total(steps + 1)
    took = spent(length, seconds, steps, warmup, 50, 0.5) + 0.1 * (steps // 100)
    assert took == pytest.approx(300, rel=0.04)


def test_what_is_there_in_every_iteration_is_no_part_of_its_length():
    cost = Cost(tuple(1 + 0.1 * n for n in (1, 2, 4, 8)), lambda p: {0.0: 1, 0.3: 2, 0.6: 4, 1.0: 8}.get(p, 8))
    assert cost.total(100) == pytest.approx(100 * 1.8, rel=1e-6)


def test_minutes_become_iterations_which_are_kept(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    short = {"rollout": (6, 10), "minutes": 0.05}
    session = Session(tmp_path / "a", "grow", tiny(short), ALONE)
    measured = clock.now
    steps = session.config.train.steps
    assert session.budget == f"0.05 minutes here: {steps} iterations"
    assert 0.9 * 3 < measured + steps * 0.01 * 8 < 1.05 * 3
    kept = read_yaml(tmp_path / "a" / "config.yaml")
    assert kept["train"]["steps"] == steps
    assert "minutes" not in kept["train"]
    for k, _ in enumerate(session.run()):
        if k == 6:
            break
    session.close()
    before = clock.iterations
    again = Session(tmp_path / "a", "grow", tiny(short), ALONE, resume=True)
    assert clock.iterations == before, "it isn't measured again"
    assert again.config.train.steps == steps
    assert again.budget == ""
    again.close()


def test_a_run_with_minutes_is_the_one_with_their_iterations(tmp_path, monkeypatch):
    Clock(monkeypatch)
    one = planaria.train("grow", name="one", runs=tmp_path, **_arguments(minutes=0.03))
    steps = read_yaml(one / "config.yaml")["train"]["steps"]
    two = planaria.train("grow", name="two", runs=tmp_path, **_arguments(steps=steps))
    a, b = (planaria.load(folder)[0] for folder in (one, two))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert (one / "config.yaml").read_bytes() == (two / "config.yaml").read_bytes()


def _arguments(**train):
    settings = to_dict(tiny(train))
    if "minutes" in train:
        del settings["train"]["steps"]
    return settings


@pytest.mark.parametrize("regime", ["grow", "regenerate"])
def test_shapes_are_measured_grown(monkeypatch, regime):
    clock = Clock(monkeypatch)
    config = tiny({"minutes": 0.05}, regime=regime)
    budget.fitted("grow", config, ALONE)
    task = tasks.load("grow").Task(config, torch.device("cpu"))
    alive = float((task.target[3] > 0.1).float().mean())
    assert clock.areas[0] == pytest.approx(alive), "not the one cell that a seed is"


def test_too_few_minutes_are_an_error(tmp_path, monkeypatch):
    Clock(monkeypatch, step=1.0)
    with pytest.raises(UserError, match=r"train\.minutes=0\.5: an iteration takes 8 s here, so 0 fit"):
        Session(tmp_path / "a", "grow", tiny({"minutes": 0.5}), ALONE)
    assert not (tmp_path / "a").exists()


def test_a_length_is_given_once():
    recipe = find("quick")
    assert one_length(recipe, recipe.config({"train": {"minutes": 2}})).train.minutes == 2
    assert one_length(recipe, recipe.config({"train": {"steps": 20}})).train.steps == 20
    with pytest.raises(UserError, match=r"train\.minutes=2 and train\.steps=20 both say how long") as e:
        one_length(recipe, recipe.config({"train": {"minutes": 2, "steps": 20}}))
    assert e.value.field == "train.minutes"


def test_minutes_stand_in_settings_only_where_they_are_given():
    assert "minutes" not in to_dict(Config())["train"]
    given = parse(Config, ({"train": {"minutes": "1.5"}}, "a test"))
    assert to_dict(given)["train"]["minutes"] == 1.5
    with pytest.raises(UserError, match="train.minutes"):
        parse(Config, ({"train": {"minutes": -1}}, "a test"))


def test_the_command_line_tells_the_iterations(tmp_path):
    program = (
        "import sys; from planaria.training import budget; import itertools; from planaria.cli import main;"
        "budget.perf_counter = itertools.count().__next__; sys.exit(main(sys.argv[1:]))"
    )
    words = ["train", "grow", *WORDS, "train.minutes=3", "--runs", str(tmp_path), "--name", "a"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = read_yaml(tmp_path / "a" / "config.yaml")["train"]["steps"]
    assert f"3 minutes here: {steps} iterations" in done.stdout
    both = subprocess.run(
        [sys.executable, "-m", "planaria", *words, "--train.steps", "7"], capture_output=True, text=True, check=False
    )
    assert both.returncode == 2
    assert "train.minutes=3 and train.steps=7 both say how long to train" in both.stderr
