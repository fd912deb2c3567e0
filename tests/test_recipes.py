"""Recipes, and what runs of them are called."""

import re

import pytest
from PIL import Image

from planaria.cli import main
from planaria.config import to_dict, write_yaml
from planaria.errors import UserError
from planaria.recipes import find, inputs_of, name_for, taken
from planaria.training.session import folder_of

SMALL = ["train.batch=2", "train.pool=4", "train.rollout=2,3", "rule.hidden=4", "damage=1"]


@pytest.mark.parametrize(
    ("what", "given", "name"),
    [
        ("quick", {}, "quick"),
        ("quick", {"picture": "b.png"}, "b"),
        ("demo", {"picture": "heart"}, "demo"),
        ("demo", {"picture": "lizard"}, "lizard"),
        ("demo", {"size": 20}, "demo"),
        ("grow", {}, "planarian"),
        ("healer", {"picture": "Old Cat.png"}, "old-cat"),
        ("film", {"frames": "sim:life/highlife"}, "life-highlife"),
        ("style", {"style": "gogh.jpg"}, "gogh"),
        ("text", {"prompts": ["a pencil sketch:2"]}, "a-pencil-sketch"),
    ],
)
def test_a_run_is_called_after_what_is_given_to_it(what, given, name, tmp_path):
    recipe = find(what)
    config = recipe.config(given)
    assert name_for(recipe, config) == name
    assert folder_of(recipe, config, None, tmp_path) == tmp_path / name
    assert folder_of(recipe, config, "mine", tmp_path) == tmp_path / "mine"


@pytest.mark.parametrize(
    ("settings", "given", "name"),
    [
        ({"task": "grow", "picture": "cat.png"}, {}, "mine"),
        ({"task": "grow", "picture": "cat.png"}, {"picture": "cat.png"}, "mine"),
        ({"task": "grow", "picture": "cat.png"}, {"picture": "dog.png"}, "dog"),
        ({"task": "texture", "style": "bark.jpg"}, {"style": "wool.jpg"}, "wool"),
        ({"task": "text", "prompts": ["a", "b:2"]}, {"prompts": ["a", "b:2"]}, "mine"),
        ({"task": "text", "prompts": ["a", "b:2"]}, {"prompts": ["c"]}, "c"),
        ({"task": "infect", "picture": "fish"}, {"picture": "snail"}, "snail-virus"),
    ],
)
def test_a_run_of_a_recipe_file(settings, given, name, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(write_yaml(settings))
    recipe = find(str(path))
    assert name_for(recipe, recipe.config(given)) == name


def test_the_command_line_calls_runs_so_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (6, 6), "red").save("b.png")
    assert main(["train", "quick", "picture=b.png", "size=6", "padding=2", "train.steps=2", *SMALL]) == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["b"]


def test_a_drawing_on_white_is_told_in_one_line_and_cured_by_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = Image.new("RGB", (24, 24), "white")
    image.paste("red", (6, 9, 18, 15))
    image.save("egg.png")
    words = ["train", "grow", "picture=egg.png", "size=12", "padding=2", *SMALL, "train.steps=1"]
    assert main(words) == 0
    told, progress = capsys.readouterr().err.splitlines()
    assert progress.startswith("1/1  loss")
    assert told == (
        "warning: egg.png lies on a plain white background and its empty margins, which are learned too; "
        "add background=auto trim=true to leave that out"
    )
    assert main([*words, "background=auto", "trim=true", "--name", "cut"]) == 0
    assert "warning" not in capsys.readouterr().err
    with Image.open("runs/cut/target.png") as target, Image.open("runs/egg/target.png") as whole:
        assert target.size == (16, 10)
        assert whole.size == (16, 16)
    assert main([*words, "train.steps=2", "--resume"]) == 0
    assert "warning" not in capsys.readouterr().err, "it was told when the training began"
    assert main([*words, "background=blakc"]) == 2
    assert "Did you mean 'black'?" in capsys.readouterr().err


def test_two_pictures_of_one_name_are_told_apart(tmp_path):
    recipe = find("grow")
    first, second = (recipe.config({"picture": f"{place}/cat.png"}) for place in "ab")
    folder = tmp_path / "cat"
    folder.mkdir()
    (folder / "config.yaml").write_text(write_yaml({"task": "grow", **to_dict(first)}))
    assert str(taken(folder, first)) == (
        f"{folder} holds a run already; go on with it: --resume, or choose another: --name NAME"
    )
    assert str(taken(folder, second)) == (
        f"{folder} holds a run already, of a/cat.png; call this one otherwise: --name=cat-2"
    )
    (tmp_path / "cat-2").mkdir()
    assert str(taken(folder, second)).endswith("--name=cat-3")
    (folder / "config.yaml").write_text("[")
    assert isinstance(taken(folder, second), UserError)
    assert re.search("--name NAME$", str(taken(folder, second)))


def test_what_a_run_learns():
    assert inputs_of({"picture": "a.png"}) == ("a.png",)
    assert inputs_of({"prompts": ("a", "b"), "style": "c"}) == ("a", "b")
    assert inputs_of({"size": 3}) == ()
    assert inputs_of({"prompts": 5}) == ("5",), "a file may say anything"


@pytest.mark.parametrize("what", ["runs/nope", "nope/", "a.pth/b", "/dev/null", "."])
def test_a_path_that_is_no_run_is_told_what_a_run_is(what):
    with pytest.raises(UserError, match="no run or recipe .*: a run is a folder with a config.yaml, a recipe a file"):
        find(what)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_names_that_no_file_can_have_are_one_line(tmp_path, capsys, name):
    assert main(["train", "grow", "--runs", str(tmp_path), "--name", name]) == 2
    assert main(["train", name]) == 2
    assert main(["train", f"{name}/b"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    assert list(tmp_path.iterdir()) == []
