"""Where playing begins: models by name, pictures, photos, states, and runs that train."""

import os
from pathlib import Path

import pytest
import torch
from helpers.rules import rule
from PIL import Image

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.store import live
from planaria.view.play.follow import Training
from planaria.view.play.open import open_play

LAYOUT = Layout(4, 3, hidden=2)


def test_a_gallery_model_opens_as_it_was_trained(tmp_path):
    p = open_play("lizard", seed=5, folder=tmp_path)
    assert (p.name, p.world.size, p.world.seed, p.length, p.training) == ("lizard", (72, 72), 5, 96, None)
    assert open_play("heart", size=(9, 20)).world.size == (9, 20)


def model(folder: Path, name: str = "model.safetensors", seed: int = 0, card: dict | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    r = rule().float()
    with torch.no_grad():
        r.weights[0].add_(seed)
    store.save(folder / name, r, LAYOUT, {"grid": [12, 10]} if card is None else card)
    return folder


@pytest.mark.parametrize(
    ("card", "length"),
    [
        ({}, 200), ({"length": 33}, 33), ({"length": "x", "config": {"train": {"rollout": [4, 50]}}}, 50),
        ({"config": {"train": {"rollout": []}}}, 200), ({"config": 3}, 200),
        ({"length": True}, 200), ({"length": -1}, 200),
    ],
)  # fmt: skip
def test_the_length_of_a_loop(tmp_path, card, length):
    assert open_play(model(tmp_path / "cat", card=card)).length == length


def test_names(tmp_path, monkeypatch):
    folder = model(tmp_path / "cat")
    assert open_play(folder).name == "cat"
    assert open_play(folder / "model.safetensors").name == "cat"
    monkeypatch.chdir(folder)
    assert open_play(Path()).name == "cat"
    model(folder, "dog.safetensors")
    assert open_play("dog.safetensors").name == "dog"


def test_a_picture_fits_into_a_living_grid(tmp_path):
    Image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "a.png")
    p = open_play(model(tmp_path / "cat"), start=str(tmp_path / "a.png"))
    alpha = p.world.x[0, 3]
    assert p.world.size == (12, 10)
    assert (alpha[3:8] == 1).all()
    assert alpha.sum() == 50
    p.world.tick(2)
    p.key("i")
    assert torch.equal(p.world.x[0, 3], alpha)
    Image.new("RGB", (20, 400), (255, 0, 0)).save(tmp_path / "b.png")
    assert open_play(tmp_path / "cat", start=str(tmp_path / "b.png")).world.x[0, 3].sum() == 12


@pytest.mark.parametrize("frozen", [1, 3, 4])
def test_a_photo_covers_the_frozen_channels(tmp_path, frozen):
    layout = Layout(3, None, hidden=2, frozen=frozen, offset=0.5)
    store.save(tmp_path / "m.safetensors", rule(channels=5 + frozen, frozen=frozen, life="none").float(), layout)
    photo = Image.new("RGB", (60, 20), (0, 255, 0))
    photo.paste((255, 0, 0), (20, 0, 40, 20))
    photo.save(tmp_path / "a.png")
    p = open_play(tmp_path / "m.safetensors", size=(20, 20), start=str(tmp_path / "a.png"))
    seen = p.world.x[0, -frozen:] + 0.5
    want = {1: [0.299], 3: [1, 0, 0], 4: [1, 0, 0, 1]}[frozen]
    assert seen[:, 10, 10].tolist() == pytest.approx(want, abs=1e-5)
    assert seen[0, :, 2:18].std() < 0.01  # the middle third fills the grid
    p.world.tick(2)
    p.key("i")
    assert torch.equal(p.world.x[0, -frozen:] + 0.5, seen)


def test_a_saved_state_opens(tmp_path):
    p = open_play(model(tmp_path / "cat"), size=(8, 9), seed=7, folder=tmp_path)
    p.world.tick(4)
    path = p.save()
    again = open_play(tmp_path / "cat", start=str(path))
    assert torch.equal(again.world.x, p.world.x)
    assert (again.world.t, again.world.seed) == (4, 7)
    assert open_play(tmp_path / "cat", start=str(path), seed=1).world.seed == 1
    with pytest.raises(UserError, match="is 8x9 cells; leave out --size"):
        open_play(tmp_path / "cat", start=str(path), size=(9, 9))


def test_a_rule_that_listens_is_told_nothing(tmp_path):
    store.save(tmp_path / "m.safetensors", rule(cond=3).float(), LAYOUT)
    p = open_play(tmp_path / "m.safetensors", size=(5, 5))
    p.world.tick(2)
    assert p.world.cond.tolist() == [[0, 0, 0]]


# ---- while it trains


def say(folder: Path, state: str, step: int = 3) -> None:
    live.write_status(folder, live.Status(state, step, 10, 0.25))


def test_a_training_is_followed(tmp_path):
    folder = model(tmp_path / "cat")
    say(folder, "running")
    model(folder, live.WEIGHTS, seed=1)
    p = open_play(folder)
    assert live.watched(folder)
    assert torch.equal(p.world.rule.weights[0], store.load(folder / live.WEIGHTS)[0].weights[0])
    assert p.training.progress == "running, iteration 3 of 10, loss 0.25000"
    model(folder, live.WEIGHTS, seed=2)
    say(folder, "running", 5)
    p.advance(0.01)
    assert torch.equal(p.world.rule.weights[0], store.load(folder / live.WEIGHTS)[0].weights[0])
    assert "iteration 5" in p.training.progress
    p.key("space")
    assert live.read_requests(folder).pause
    p.key("space")
    assert not live.read_requests(folder).pause
    p.key("space")
    p.close()
    assert not live.read_requests(folder).pause


def test_a_training_goes_on_though_the_film_cannot_be_kept(tmp_path):
    folder = model(tmp_path / "cat")
    say(folder, "running")
    model(folder, live.WEIGHTS, seed=1)
    p = open_play(folder, record=tmp_path / "file" / "cat.webp")
    (tmp_path / "file").write_text("no folder")
    p.key("r")
    p.key("space")
    with pytest.raises(UserError, match="can't be written"):
        p.close()
    assert not live.read_requests(folder).pause


def test_a_folder_that_cannot_be_written_is_seen_all_the_same(tmp_path, monkeypatch):
    folder = model(tmp_path / "cat")
    say(folder, "running")
    model(folder, live.WEIGHTS, seed=1)
    p = open_play(folder)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    p.advance(0.01)
    assert p.message == f"can't ask {folder} for live weights: Permission denied"
    with pytest.raises(UserError, match="can't ask .* for live weights: Permission denied"):
        open_play(folder)


def test_live_weights_are_asked_for_again_and_again(tmp_path):
    folder = model(tmp_path / "cat")
    say(folder, "running")
    training = Training(folder)
    training.follow(0.0)
    assert live.watched(folder)
    os.utime(folder / live.WATCHED, (1, 1))
    training.follow(3.0)
    assert not live.watched(folder)
    training.follow(5.0)
    assert live.watched(folder)


def test_a_finished_training_shows_what_it_left(tmp_path):
    folder = model(tmp_path / "cat")
    say(folder, "running")
    model(folder, live.WEIGHTS, seed=1)
    p = open_play(folder)
    say(folder, "finished", 10)
    p.advance(0.01)
    assert p.message == "the training is finished"
    assert torch.equal(p.world.rule.weights[0], store.load(folder)[0].weights[0])
    p.key("space")
    assert not live.read_requests(folder).pause


def test_live_weights_that_do_not_fit_are_said(tmp_path):
    folder = model(tmp_path / "cat")
    say(folder, "running")
    model(folder, live.WEIGHTS)
    p = open_play(folder)
    training = p.training
    (folder / live.WEIGHTS).write_bytes(b"nonsense")
    assert training.follow(1e9) == (None, f"{folder / live.WEIGHTS}: not a .safetensors file; it is plain text")
    store.save(folder / live.WEIGHTS, Rule(RuleConfig()), Layout())
    assert training.follow(2e9) == (None, "cat has other channels now; open it again")


def test_a_folder_that_does_not_train_is_left_alone(tmp_path):
    folder = model(tmp_path / "cat")
    assert open_play(folder).training is None
    say(folder, "finished")
    p = open_play(folder)
    p.advance(0.1)
    p.key("space")
    p.close()
    assert not (folder / live.WATCHED).exists()
    assert not (folder / live.REQUESTS).exists()


def test_a_training_that_has_shown_nothing_yet(tmp_path, monkeypatch):
    folder = tmp_path / "cat"
    folder.mkdir()
    say(folder, "running")
    monkeypatch.setattr("planaria.view.play.open.WAIT_SECONDS", 0.2)
    with pytest.raises(UserError, match="has written no weights to show yet"):
        open_play(folder)


def test_a_damaged_lizard_heals(tmp_path):
    p = open_play("lizard", folder=tmp_path, seed=1)
    p._live(250)
    target = p.world.layout.picture(p.world.x)

    def error() -> float:
        return (p.world.layout.picture(p.world.x) - target).square().mean().item()

    p.press(30, 26, "erase")
    p.drag(40, 44)
    p.lift()
    damaged = error()
    p._live(200)
    assert damaged > 0.005
    assert error() < damaged / 10
