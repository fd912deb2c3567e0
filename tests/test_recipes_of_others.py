"""Settings files of others: told by their keys, read whole, and trained and filmed by."""

from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from planaria.cli import main
from planaria.errors import UserError
from planaria.recipes import find, others

TRAIN = {
    "target_path": "../data/chest.png", "model_path": "../models/chest_sobel.pt", "ani_path": "../films/chest.gif",
    "device": "cpu", "iterations": 2, "learning_rate": "2e-3", "img_size": 8, "padding": 1, "n_channels": 8,
    "batch_size": 2, "pool_size": 4, "filter": "Laplacian", "loss": "L1", "damage": True,
}  # fmt: skip
FILM = {
    "target_path": "../data/chest.png", "model_path": "../models/chest.pt", "ani_path": "../films/chest.gif",
    "iterations": 6, "img_size": 8, "padding": 1, "n_channels": 8, "filter": "sobel", "loss": "L2", "damage": True,
}  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("src", "data", "models", "films"):
        (tmp_path / name).mkdir()
    Image.new("RGBA", (8, 8), (200, 60, 30, 255)).save(tmp_path / "data" / "chest.png")
    torch.manual_seed(0)
    weights = {
        "update_module.0.weight": torch.randn(16, 24, 1, 1) / 10,
        "update_module.0.bias": torch.zeros(16),
        "update_module.2.weight": torch.randn(8, 16, 1, 1) / 100,
    }
    torch.save(weights, tmp_path / "models" / "chest.pt")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "src"


def written(place, name: str, settings: dict) -> str:
    (place / name).write_text(yaml.safe_dump(settings, sort_keys=False))
    return f"src/{name}"


def test_every_key_of_a_training_becomes_one_of_ours(place):
    recipe = find(written(place, "train_config.yaml", TRAIN))
    assert (recipe.task, recipe.name) == ("grow", "chest_sobel")
    config = recipe.config({})
    assert config.picture == str(Path("src") / "../data/chest.png")
    assert (config.size, config.padding, config.loss, config.regime, config.damage) == (8, 1, "l1", "regenerate", None)
    assert (config.rule.channels, config.rule.filters) == (8, ("identity", "laplacian5"))
    train = config.train
    assert (train.steps, train.lr, train.batch, train.pool, train.device) == (2, 0.002, 2, 4, "cpu")
    assert {line.partition(":")[0] for line in recipe.notes} >= TRAIN.keys()
    assert "n_channels: rule.channels=8" in recipe.notes
    assert "filter: rule.filters=identity,laplacian5" in recipe.notes


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ({"damage": False}, "regime", "persist"),
        ({"damage": None}, "regime", "persist"),
        ({"damage": 1}, "damage", 1),
        ({"loss": "Manhattan"}, "loss", "manhattan"),
        ({"padding": 0}, "padding", 0),
    ],
)
def test_other_values(place, change, key, value):
    recipe = find(written(place, "a.yaml", {**TRAIN, **change}))
    assert getattr(recipe.config({}), key) == value
    assert recipe.config({key: value, "size": 9}).size == 9, "what is typed wins"


def test_the_oldest_form_and_a_device_of_none(place):
    old = {k: v for k, v in TRAIN.items() if k not in ("ani_path", "filter", "loss", "damage")}
    config = find(written(place, "config.yaml", {**old, "device": None})).config({})
    assert (config.regime, config.train.device, config.rule.filters) == ("persist", "auto", ("identity", "sobel"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"iterations": "many"}, "iterations is a whole number of at least 1, got 'many'"),
        ({"iterations": 1.5}, "iterations is a whole number"),
        ({"iterations": True}, "iterations is a whole number"),
        ({"batch_size": [1]}, "batch_size is a whole number"),
        ({"learning_rate": 0}, "learning_rate is a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is a number above 0"),
        ({"padding": -1}, "padding is a whole number of at least 0"),
        ({"filter": "sobell"}, "Did you mean 'sobel'?"),
        ({"loss": "mse"}, "Did you mean 'l2'?"),
        ({"target_path": {"a": 1}}, "target_path is a name"),
        ({"target_path": ""}, "target_path is a name"),
        ({"pool_sise": 4}, "Did you mean 'pool_size'?"),
        ({"pool_size": 1}, "train.pool=1 is smaller than train.batch"),
        ({"damage": "lots"}, "damage is a whole number"),
        ({"device": "gpu9"}, "gpu9"),
        ({"target_path": "../data/gone.png"}, "gone.png"),
        ({"n_channels": 3}, "rule.channels=3"),
    ],
)
def test_what_a_training_may_not_say_is_one_line(place, change, says, capsys):
    assert main(["train", written(place, "train_config.yaml", {**TRAIN, **change})]) == 2
    *_, said = capsys.readouterr().err.splitlines()  # a filter without a direction is warned about before
    assert said.startswith("planaria: ")
    assert says in said


def test_it_trains_and_films(place, capsys):
    assert main(["train", written(place, "train_config.yaml", TRAIN), "train.rollout=2,3", "rule.hidden=4"]) == 0
    told = capsys.readouterr().out
    assert "iterations: train.steps=2\n" in told
    assert "planaria run runs/chest_sobel -o src/../films/chest.gif" in told
    film = {**FILM, "model_path": "../models/chest_sobel.pt"}
    assert main(["run", written(place, "visualize_config.yaml", film)]) == 0
    told = capsys.readouterr().out
    assert "model_path: runs/chest_sobel" in told, "what was trained by the one file is filmed by the other"
    assert (place.parent / "films" / "chest.gif").exists()


def test_a_published_model_is_filmed_as_its_file_says(place, capsys):
    assert main(["run", written(place, "visualize_config.yaml", FILM)]) == 0
    told = capsys.readouterr().out
    assert {line.partition(":")[0] for line in told.splitlines()} >= (FILM.keys() - {"img_size", "padding"})
    assert "img_size, padding: --size 10" in told
    assert "damage: --erase left@3" in told
    with Image.open(place.parent / "films" / "chest.gif") as film:
        assert film.n_frames > 5
        assert film.info["duration"] == 50
    assert main(["run", "src/visualize_config.yaml", "--steps", "3", "-o", "mine.gif", "--erase", "left@2"]) == 0
    assert (place.parent / "mine.gif").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", {**FILM, "n_channels": 9}], "has 8 channels, not n_channels: 9"),
        (["run", {**FILM, "filter": "prewit"}], "filter in src/a.yaml"),
        (["run", {**FILM, "iterations": 0}], "iterations is a whole number of at least 1"),
        (["run", {**FILM, "model_path": "gone.pt"}], "gone.pt"),
        (["run", {**FILM, "anii_path": "x"}], "Did you mean 'ani_path'?"),
        (["run", {k: v for k, v in TRAIN.items() if k != "ani_path"}], "planaria train src/a.yaml"),
        (["train", FILM], "planaria run src/a.yaml"),
        (["run", {"task": "grow"}], "holds settings, no model"),
    ],
)
def test_what_a_film_may_not_say_is_one_line(place, words, says, capsys):
    assert main([words[0], written(place, "a.yaml", words[1])]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1


def test_files_of_ours_are_none_of_theirs():
    assert not others.is_theirs({"task": "grow", "target_path": "a", "model_path": "b"})
    assert not others.is_theirs({"picture": "a.png", "padding": 2, "loss": "l1", "damage": 2})
    assert others.is_theirs({"target_path": "a", "iterations": 3})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"target_path": "https://x.example/a.png"}, {"picture": "https://x.example/a.png"}),
        ({"target_path": "\U0001f98e"}, {"picture": "\U0001f98e"}),
        ({"target_path": r"..\data\chest.png"}, {"picture": str(Path("src") / "../data/chest.png")}),
        ({"iterations": None, "filter": None, "loss": None, "padding": None}, {"loss": "l2", "padding": 16}),
        ({"damage": "no"}, {"regime": "persist"}),
        ({"damage": "True"}, {"regime": "regenerate", "damage": None}),
    ],
)
def test_values_as_people_write_them(place, changes, expected):
    recipe = find(written(place, "train_config.yaml", TRAIN | changes))
    config = recipe.config({})
    assert {key: getattr(config, key) for key in expected} == expected
    assert {line.partition(":")[0] for line in recipe.notes} >= TRAIN.keys()


def test_a_name_of_windows_and_a_card_by_its_number(place):
    settings = TRAIN | {"model_path": r"C:\runs\my model.pt", "device": 0}
    recipe = find(written(place, "train_config.yaml", settings))
    assert recipe.name == "my model"
    assert recipe.settings["train"]["device"] == "cuda:0"


def test_a_file_that_names_no_picture_or_model_is_sent_in_no_circle(place):
    source = written(place, "train_config.yaml", {key: TRAIN[key] for key in TRAIN if key[-5:] != "_path"})
    with pytest.raises(UserError, match="says no target_path"):
        find(source)
    path = Path(written(place, "visualize_config.yaml", {"ani_path": "a.gif", "iterations": 6}))
    with pytest.raises(UserError, match="says no model_path"):
        others.filming(yaml.safe_load(path.read_text()), path)
