"""The infecting task: what a batch starts from, that only the virus learns, and what is measured."""

import math

import pytest
import torch
from helpers import infected

from planaria import store
from planaria.cli import main
from planaria.config import TrainConfig
from planaria.core.infection import parts
from planaria.errors import UserError
from planaria.tasks.infect import Config, Task
from planaria.training.session import train

CPU = torch.device("cpu")
TRAIN = {"steps": 6, "batch": 3, "pool": 6, "rollout": (4, 6), "checkpoint": 2, "lr_drops": ()}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    infected.save(tmp_path)
    return tmp_path


def config(**settings) -> Config:
    told = {"host": "host.safetensors", "picture": "heart", "ages": (4, 30), "size": 8, **settings}
    return Config(**{"train": TrainConfig(**TRAIN), **told})


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_batch_is_hosts_of_many_ages_infected_in_many_ways(place):
    task = Task(config(), CPU)
    x = task.fresh(60, rng()).x
    assert x.shape == (60, 9, 12, 12)
    bodies = (x[:, 3] > 0.1).flatten(1).sum(1)
    sick = (x[:, 8] > 0).flatten(1).sum(1)
    assert bodies.min() == 1, "seeds"
    assert int(bodies.unique().numel()) > 4
    assert sick.min() >= 1
    living = task.host.alive(x[:, :8])[:, 0]
    assert not (x[:, 8].bool() & ~living & ~(torch.nn.functional.max_pool2d(living.float(), 7, 1, 3) > 0)).any()
    whole = [torch.equal(x[k, 8] > 0, living[k]) for k in range(60)]
    assert 5 < sum(whole) < 55
    only = Task(config(starts=("all",)), CPU).fresh(8, rng()).x
    assert all(torch.equal(s[8] > 0, task.host.alive(s[None, :8])[0, 0]) for s in only)
    assert torch.equal(task.fresh(5, rng(3)).x, Task(config(), CPU).fresh(5, rng(3)).x)


def test_the_host_is_what_it_was_to_the_bit_and_the_virus_learns(place):
    folder = train("infect", name="a", **told(config()))
    rule, layout = store.load(folder)
    found = parts(rule, layout)
    x = torch.rand(1, 8, 12, 12, generator=rng())
    assert torch.equal(found.host(x), infected.host()(x))
    assert not torch.equal(found.virus(x), infected.host()(x))
    card = store.card(folder)
    assert (card["task"], card["host"], card["infection"]) == (
        "infect", "host", {"contact": True, "delay": 1, "recovery": 0, "chance": 1.0}
    )  # fmt: skip
    for name in ("film.webp", "strip.png", "target.png", "organism.html", "README.md", "loss.png"):
        assert (folder / name).is_file()
    assert "click to infect it" in (folder / "README.md").read_text()
    assert {
        "steps to take over, grown", "mse 1000 steps later, grown", "mse 1000 steps later, half-grown",
        "mse to the host, its own rule again", "cells left alive by it",
    } <= set(card["figures"])  # fmt: skip


def told(config: Config) -> dict:
    return {k: v if k != "train" else v.__dict__ for k, v in config.__dict__.items()}


def test_a_stopped_training_goes_on_to_the_bit_without_its_host(place):
    whole = train("infect", name="whole", **told(config()))
    train("infect", name="half", **told(config(train=TrainConfig(**{**TRAIN, "steps": 3}))))
    (place / "host.safetensors").unlink()
    half = train("infect", name="half", resume=True, **told(config()))
    for a, b in zip(store.load(whole)[0].parameters(), store.load(half)[0].parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_the_virus_begins_as(place):
    begun = {
        virus: parts(Task(config(virus=virus), CPU).init(5), Task(config(), CPU).layout).virus
        for virus in ("host", "fresh", "virus.safetensors", "ill.safetensors")
    }
    x = torch.rand(1, 8, 12, 12, generator=rng())
    for name, was in (("host", infected.host()), ("virus.safetensors", infected.virus())):
        assert torch.equal(begun[name](x), was(x))
    torch.testing.assert_close(begun["ill.safetensors"](x), infected.virus()(x), atol=1e-5, rtol=0)
    assert begun["fresh"].weights[0].std() > 0.05
    assert not begun["fresh"].weights[1].any()


def test_a_share_of_cells_is_infected_for_good(place):
    task = Task(config(spread="still", share=0.25), CPU)
    x = task.fresh(20, rng()).x
    assert (task.layout.frozen, task.layout.photo) == (1, 0)
    assert abs(float(x[:, 8].mean()) - 0.25) < 0.04
    assert not torch.equal(x[0, 8], x[1, 8])
    folder = train("infect", name="still", **told(config(spread="still", share=0.25)))
    assert "steps to take over, grown" not in store.card(folder)["figures"]
    told_of = (folder / "README.md").read_text()
    assert "planaria run host.safetensors --infect runs/still --at 25%@100 -o battle.gif" in told_of
    assert 'infect={100: "25%"}' in told_of
    assert main(["run", "host.safetensors", "--infect", "still", "--at", "25%@4", "--steps", "8", "-o", "a.png"]) == 0


def test_the_slowest_spread_is_one(place):
    assert config(speed=0.03).spreading.delay == 32


def test_a_virus_that_grows_without_end_is_finished_all_the_same(place, monkeypatch):
    metrics = {"mse 100 steps later, grown": 0.5, "mse 1000 steps later, grown": math.inf, "other": math.nan}
    monkeypatch.setattr(Task, "measure", lambda task, rule: metrics)
    with pytest.warns(UserWarning, match="no number: .*1000 steps later, grown"):
        folder = train("infect", name="wild", **told(config()))
    assert store.card(folder)["figures"] == {"mse 100 steps later, grown": 0.5}
    assert "| mse 100 steps later, grown | 0.500000 | -0.30 |" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"speed": 0.0}, "speed must be in 0.03..1, got 0.0"),
        ({"share": 0.0}, "share must be in 0.0001..1, got 0.0"),
        ({"share": 1e-7}, "share must be in 0.0001..1"),
        ({"spread": "still", "speed": 0.5}, "spread=still is one that doesn't"),
        ({"spread": "still", "recovery": 9}, "spread=still is one that doesn't"),
        ({"ages": (9, 4)}, "ages are two numbers"),
        ({"starts": ("pint",)}, "starts are some of point, all and seed, got pint"),
        ({"starts": ()}, "starts are some of point, all and seed, got none"),
        ({"size": -1}, "size must be in 0"),
        ({"recovery": -2}, "recovery must be in 0..5000, got -2"),
        ({"damage": 3}, "damage=3 must leave one sample"),
        ({"damage_from": 2.0}, "damage_from must be"),
        ({"train": TrainConfig(pool=0)}, "bodies that live on"),
        ({"train": TrainConfig(init="lizard")}, "say virus=MODEL"),
    ],
)
def test_settings_that_cannot_be(place, settings, says):
    with pytest.raises(UserError, match=says):
        Task(config(**settings), CPU)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": 13}, "a picture of 13x13 cells is larger than the host's grid, 12x12: size=13"),
        ({"virus": "lizard"}, "the host has channels=8, the virus channels=16"),
        ({"host": "nothing"}, "no model 'nothing'"),
    ],
)
def test_what_does_not_fit_the_host(place, settings, says):
    with pytest.raises(UserError, match=says):
        Task(config(**settings), CPU)


def test_a_host_that_does_not_grow_is_refused(place, capsys):
    store.save(place / "grey.safetensors", *life(), {"grid": [8, 8]})
    assert main(["train", "infect", "host=grey.safetensors", "picture=heart"]) == 2
    assert "is trained on a body that grows" in capsys.readouterr().err
    assert not (place / "runs").exists()


def life():
    from planaria.core.layout import Layout
    from planaria.core.rule import Rule, RuleConfig

    return Rule(RuleConfig(channels=4, life="none")), Layout(1, None, hidden=3)


def test_a_run_is_called_after_what_it_makes(place, capsys):
    words = ["host=host.safetensors", "picture=heart", "size=8", "ages=4,9", "train.steps=1", "train.batch=2"]
    assert main(["train", "infect", *words, "train.pool=2", "train.rollout=2,2"]) == 0
    assert (place / "runs" / "heart-virus" / "model.safetensors").is_file()
    assert main(["run", "heart-virus", "--steps", "4", "-o", "a.png"]) == 0
