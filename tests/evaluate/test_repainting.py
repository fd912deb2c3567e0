"""What paints, measured."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from helpers import tiny_clip
from PIL import Image

from planaria import store
from planaria.cli import main
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.evaluate.repainting import Painted, by_content, by_style, painted
from planaria.evaluate.stops import fitted, life
from planaria.losses import backbones
from planaria.report.sheets import image, sheet
from planaria.report.tables import repainted
from planaria.tasks.restyle import PAINTER

LAYOUT = Layout(3, alpha=None, hidden=2, frozen=3, offset=0.5)
CONFIG = RuleConfig(
    channels=8, filters=("identity",), hidden=(), bias="all", fire_rate=1.0, edge="circular", life="none", frozen=3
)
FILES = ["moments.png", "scores.json", "scores.md"]


def redder(by: float = 0.01, layout: Layout = LAYOUT, config: RuleConfig = CONFIG) -> Rule:
    """Every step adds so much to red."""
    rule = Rule(config)
    with torch.no_grad():
        for p in rule.parameters():
            p.zero_()
        rule.biases[0][0] = by
    return rule


def photo(value: float = 0.2, h: int = 20, w: int = 24) -> torch.Tensor:
    return torch.full((3, h, w), value) + 0.1 * torch.rand(3, h, w, generator=torch.Generator().manual_seed(1))


def red(shown: torch.Tensor, given: torch.Tensor) -> float:
    return float(1 - shown[:, 0].mean())


def changed(shown: torch.Tensor, given: torch.Tensor) -> float:
    return float((shown - given).abs().mean())


def test_a_life_is_judged_at_every_moment():
    found = painted(
        redder(), LAYOUT, {"a": photo(0.2), "b": photo(0.3, 22, 20)}, {"red": red}, {"kept": changed}, steps=(40, 10)
    )
    assert found.steps == (0, 10, 40)
    assert found.photos == ("a", "b")
    assert found.sizes == ((20, 24), (22, 20))
    first = found.distances["red"][0]
    assert first == pytest.approx(0.7, abs=0.01)
    assert found.distances["red"] == pytest.approx((first, first - 0.1, first - 0.4), abs=1e-4)
    assert found.distances["kept"] == pytest.approx((0, 0.1 / 3, 0.4 / 3), abs=1e-5)
    assert found.nearer("red") == pytest.approx((1, first / (first - 0.1), first / (first - 0.4)), abs=1e-3)
    assert found.wished == ("red",)
    assert found.bounded
    assert [len(row) for row in found.pictures] == [3, 3]
    assert torch.allclose(found.pictures[0][0], photo(0.2))


def test_cells_that_burst_are_told():
    found = painted(redder(1.0), LAYOUT, {"a": photo()}, {"red": red}, steps=(5, 30))
    assert found.largest[1] == pytest.approx(4.8, abs=0.1)
    assert found.largest[2] == pytest.approx(29.8, abs=0.1)
    assert not found.bounded
    assert found.burst == 20
    assert "cells burst by step 20" in repainted(found).note
    endless = painted(redder(math.inf), LAYOUT, {"a": photo()}, {"red": red}, steps=(1,))
    assert not endless.bounded
    assert endless.to_dict()["largest"][1] is None
    json.dumps(endless.to_dict(), allow_nan=False)


def test_a_texture_begins_with_nothing():
    layout = Layout(3, alpha=None, hidden=2, offset=0.5)
    rule = redder(0.01, layout, dataclasses.replace(CONFIG, channels=5, frozen=0))
    found = painted(rule, layout, {}, {"red": red}, steps=(20,), size=(12, 16))
    assert found.photos == ()
    assert found.sizes == ((12, 16),)
    assert found.distances["red"] == pytest.approx((0.5, 0.3))
    with pytest.raises(UserError, match="repaints no photos"):
        painted(rule, layout, {"a": photo()}, {"red": red})
    with pytest.raises(UserError, match="repaints photos: give some"):
        painted(redder(), LAYOUT, {}, {"red": red})
    for steps in ((), (0, 5)):
        with pytest.raises(UserError, match="1 step or more"):
            painted(rule, layout, {}, {"red": red}, steps=steps)


def test_chunks_of_progress_change_nothing():
    told: list[tuple[str, int, int]] = []
    config = dataclasses.replace(CONFIG, fire_rate=0.5)
    args = redder(0.01, config=config), LAYOUT, {"a": photo(), "b": photo()}, {"red": red}
    chunked = painted(*args, steps=(70,), progress=lambda *what: told.append(what))
    (_, once), (_, x) = life(args[0], LAYOUT.pose(photo()[None]), (0, 70), seed=0)
    assert torch.equal(chunked.pictures[0][1], LAYOUT.rgb(x)[0])
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1] == ("b", 140, 140)
    assert once.shape == x.shape


def test_judges_are_the_losses():
    eye, style = backbones.load("random"), photo(0.5, 32, 32)
    same = photo(0.5, 32, 32)[None]
    assert by_style(eye, style)(same, same) < 1e-3 < by_style(eye, style)(photo(0.1)[None], same)
    assert by_content(eye)(same, same) == 0 < by_content(eye)(same.flip(3), same)


def test_a_sheet_has_its_pictures_where_they_belong():
    small, large = Image.new("RGB", (10, 8), "red"), Image.new("RGB", (14, 20), "blue")
    made = sheet([[small, large], [large]], ["one", "another one"])
    pixels = np.asarray(made)
    assert (pixels == (255, 0, 0)).all(2).sum() == 80
    assert (pixels == (0, 0, 255)).all(2).sum() == 2 * 280
    assert image(photo(), 3).size == (72, 60)
    assert fitted(photo(), 12).shape == (3, 10, 12)
    assert fitted(photo(), 100).shape == (3, 20, 24)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A style model and a texture model in run folders, a style image and photos."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    (tmp_path / "photos").mkdir()
    for k in range(2):
        image(photo(0.2 + 0.3 * k, 36, 48)).save(tmp_path / "photos" / f"{k}.png")
    image(photo(0.6, 24, 24)).save(tmp_path / "gogh.png")
    config = {"style": "gogh.png", "scale": 24, "backbone": "random", "photos": "built-in"}
    card = {"task": "style", "name": "gogh", "grid": [24, 24], "config": config}
    store.save(tmp_path / "gogh" / "model.safetensors", redder(), LAYOUT, card, photo()[None])
    layout = Layout(3, alpha=None, hidden=2, offset=0.5)
    rule = redder(0.01, layout, dataclasses.replace(CONFIG, channels=5, frozen=0))
    store.save(tmp_path / "weave" / "model.safetensors", rule, layout, {**card, "task": "texture", "name": "weave"})
    return tmp_path


def names(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_style_is_measured_on_photos(place, capsys):
    assert main(["eval", "gogh", "--photos", "photos", "--steps", "5,2"]) == 0
    assert names(place / "gogh") == sorted([*FILES, "model.safetensors"])
    told = json.loads((place / "gogh" / "scores.json").read_text())
    assert (told["name"], told["photos"], told["steps"]) == ("gogh", ["0.png", "1.png"], [0, 2, 5])
    assert set(told["distances"]) == {"style (random)", "style (filters)", "photo (random)", "photo (filters)"}
    assert told["wished"] == ["style (random)", "style (filters)"]
    assert told["distances"]["photo (random)"][0] == 0
    assert told["bounded"] is True
    said = " ".join(capsys.readouterr().out.split())
    assert "mean of 2 photos" in said
    assert "gogh: scores.json, scores.md, moments.png" in said
    page = (place / "gogh" / "scores.md").read_text()
    assert "Measured on 0.png, 1.png, on 48x36 cells." in page
    assert page.count("| ") > 20
    with Image.open(place / "gogh" / "moments.png") as made:
        assert made.width > 3 * 48
        assert made.height > 2 * 36


def test_a_texture_is_measured_from_nothing(place, capsys):
    words = ["eval", "weave", "--steps", "2", "--size", "32", "--backbones", "random", "-o", "new"]
    assert main(words) == 0
    assert names(place / "new") == FILES
    told = json.loads((place / "new" / "scores.json").read_text())
    assert (told["photos"], told["sizes"]) == ([], [[32, 32]])
    assert list(told["distances"]) == ["style (random)"]
    assert "Grown from nothing, on 32x32 cells." in (place / "new" / "scores.md").read_text()
    assert "one life" in capsys.readouterr().out


def test_the_style_that_the_training_left_is_the_one(place):
    (place / "gogh.png").rename(place / "gogh" / "style.png")
    assert main(["eval", "gogh", "--photos", "photos", "--steps", "2"]) == 0


def test_photos_where_none_are_named(place):
    assert main(["eval", "gogh", "--steps", "2", "--size", "48", "--count", "2"]) == 0
    told = json.loads((place / "gogh" / "scores.json").read_text())
    assert told["photos"] == ["scene:face/3", "scene:landscape/3"], "none of those that were learned"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["gogh", "photos"], "gogh is no video model; leave out FRAMES"),
        (["gogh", "--crop", "square"], "leave out --crop"),
        (["gogh", "--steps", "0"], "write cell steps with commas between"),
        (["gogh", "--backbones", "vgg61"], "unknown backbone 'vgg61'"),
        (["gogh", "--style", "gone.png"], "no picture 'gone.png'"),
        (["gogh", "--photos", "gone"], "no picture 'gone'"),
        (["gogh", "--size", "8"], "32 to 4096 cells"),
        (["gogh", "--count", "0"], "one photo at least"),
        (["gogh", "--size", "40", "--photos", "photos"], "0.png has 40x30 cells; it takes 32 on the shorter side"),
        (["weave", "--photos", "photos"], "grows a texture from nothing; leave out --photos"),
        (["lizard", "--photos", "photos"], "no texture, style or text model; leave out --photos"),
    ],
)
def test_mistakes_are_told_in_a_line(place, capsys, words, what):
    assert main(["eval", *words]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert said.count("\n") == 1


def test_a_style_image_that_has_gone(place, capsys):
    (place / "gogh.png").unlink()
    assert main(["eval", "gogh", "--photos", "photos", "--steps", "2"]) == 2
    assert "--style PICTURE" in capsys.readouterr().err


def test_what_was_measured_in_words():
    values = {"style (a)": (1.0, 0.1, 0.0), "photo (a)": (0.0, 0.5, 0.25)}
    table = repainted(Painted((0, 60, 200), ("x",), ((4, 4),), values, ("style (a)",), (0.5, 0.6, 2.0), []))
    assert table.head == ("step", "style (a)", "photo (a)", "largest")
    assert table.rows[0] == ("0", "1", "0", "0.5")
    assert table.rows[1] == ("60", "0.1 (10x)", "0.5", "0.6")
    assert table.rows[2] == ("200", "0 (infx)", "0.25", "2")
    assert "one photo" in table.note
    assert "within bounds" in table.note


@pytest.mark.long
def test_a_text_model_is_held_against_its_prompts(place, tmp_path_factory):
    with tiny_clip.offline():
        clip = tiny_clip.trained(tmp_path_factory.getbasetemp())
        rule = redder(0.02, LAYOUT)
        config = {"prompts": ["red", "blue:-1"], "clip": str(clip), "photos": "photos", "backbone": "filters"}
        card = {"task": "text", "name": "red", "grid": [32, 32], "config": config}
        store.save(place / "red" / "model.safetensors", rule, LAYOUT, card, photo()[None])
        assert main(["eval", "red", "--photos", "photos", "--steps", "30"]) == 0
    told = json.loads((place / "red" / "scores.json").read_text())
    assert told["wished"] == ["red"]
    assert {"red", "blue", "photo (filters)", "photo (random)"} == set(told["distances"])
    assert told["distances"]["red"][1] < told["distances"]["red"][0], "red photos are nearer to red"
    assert PAINTER.frozen == LAYOUT.frozen
