"""The models that come with planaria do what their cards say."""

from pathlib import Path

import pytest
import torch

import planaria as pl
from planaria import store, tasks
from planaria.cli import main
from planaria.data.builtin import PICTURES
from planaria.errors import UserError
from planaria.recipes import find

NAMES = list(store.gallery())
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "targets"


def target(config: dict) -> torch.Tensor:
    name = config["picture"]
    if name not in PICTURES:
        if not (SHARED / name).exists():
            pytest.skip(f"{name} is in no shared folder here")
        config = config | {"picture": str(SHARED / name)}
    full = find("grow").config({k: v for k, v in config.items() if k in ("picture", "size", "padding")})
    return tasks.load("grow").Task(full, torch.device("cpu")).target


def test_there_are_ten():
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_the_gallery_grows_its_picture(name):
    rule, layout = pl.load(name)
    card = store.card(name)
    assert card["name"] == name
    assert "/" not in card["config"]["picture"]
    want = target(card["config"])
    assert tuple(want.shape[1:]) == store.trained_size(name)
    with torch.no_grad():
        x = pl.run(rule, layout.seed(2, store.trained_size(name)), 200, seed=1)
    error = (layout.picture(x) - want).square().mean().item()
    assert error < 1.5 * card["figures"]["mse at step 200"] + 1e-4
    assert error < 0.25 * want.square().mean().item()


def test_a_file_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store.model_path(NAMES[0]) == store.gallery()[NAMES[0]]
    pl.save(NAMES[0], *pl.load(NAMES[1]))
    assert store.model_path(NAMES[0]) == Path(NAMES[0])


def test_a_near_miss_is_shown_the_name():
    with pytest.raises(UserError, match=f"no model '{NAMES[0]}x'; the gallery has '{NAMES[0]}'"):
        pl.load(NAMES[0] + "x")


def test_it_runs_by_name(tmp_path, capsys):
    assert main(["run", NAMES[0], "--steps", "20", "-o", str(tmp_path / "a.gif")]) == 0
    assert main(["list", "gallery"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in NAMES)
