"""Exports: the suffix says what is written, and the command line and Python write the same."""

import sys

import numpy as np
import pytest
from PIL import Image

import planaria as pl
from planaria import export, store
from planaria.cli import main
from planaria.errors import UserError
from planaria.export import Options, movie, suffixes, write, writer
from planaria.export.movie import shoot
from planaria.store.cards import Card
from planaria.usual import healing

FILM = {"steps": 12, "size": (20, 24), "every": 4, "scale": 1}
WORDS = ["--steps", "12", "--size", "20x24", "--every", "4", "--scale", "1"]


@pytest.fixture
def refused(tmp_path, capsys):
    def call(*words: object) -> str:
        capsys.readouterr()
        assert main(["export", *map(str, words)]) == 2
        assert list(tmp_path.iterdir()) == []
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return call


def frames(path) -> np.ndarray:
    with Image.open(path) as image:
        shown = []
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            shown.append(np.asarray(image.convert("RGB")))
    return np.stack(shown)


def test_the_folder_is_the_list():
    assert suffixes() == [".gif", ".html", ".mp4", ".onnx", ".png", ".webp"]
    for suffix in suffixes():
        assert suffix in writer("some/where/a" + suffix).SUFFIXES


def test_where_it_goes_is_said_either_way(tmp_path):
    first, second, third = (tmp_path / f"{k}.html" for k in range(3))
    assert main(["export", "lizard", str(first), "-o", str(second), "--output", str(third)]) == 0
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


@pytest.mark.parametrize("name", ["a.gfi", "a.G1F", ".gif", "gif", "a"])
def test_unknown_formats(tmp_path, name):
    with pytest.raises(UserError, match="unknown format .*have: .gif, .html, .mp4, .onnx, .png, .webp"):
        write("lizard", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_near_miss_is_told_the_suffix(tmp_path):
    with pytest.raises(UserError, match=r"Did you mean '.html'\?"):
        write("lizard", tmp_path / "a.htm")


def test_a_film_is_that_of_the_options(tmp_path):
    path = write("lizard", str(tmp_path / "new" / "a.webp"), Options(**FILM, seed=3, erase={8: "top"}, background=0.5))
    rule, layout = store.load("lizard")
    options = {k: v for k, v in FILM.items() if k != "scale"}
    want = pl.film(rule, layout, **options, seed=3, erase={8: "top"}, background=0.5)
    assert np.array_equal(frames(path), want.frames)
    assert [p.name for p in path.parent.iterdir()] == ["a.webp"]


def test_a_model_that_heals_shows_it():
    path = store.model_path("lizard")
    card = store.card(path)
    assert healing(card) == {160: "left"}
    small = {"size": 20, "every": 100}
    assert shoot(path, Options(**small)).events == {160: "left"}
    assert shoot(path, Options(**small, erase={})).events == {}
    assert shoot(path, Options(**small, erase={5: "top"})).events == {5: "top"}
    assert shoot(path, Options(**small, steps=160)).events == {}  # no time to heal


@pytest.mark.parametrize("card", [{}, {"config": 7}, {"config": {}}, {"config": {"regime": ["regenerate"]}}])
def test_other_models_show_no_damage(card):
    assert healing(Card.parse(card)) == {}


def test_it_has_the_size_it_was_trained_at(tmp_path):
    pl.save(tmp_path / "m.safetensors", *store.load("lizard"), {"grid": [18, 30]})
    assert shoot(tmp_path / "m.safetensors", Options(steps=4)).frames.shape[1:3] == (18, 30)


def test_the_command_writes_what_python_writes(tmp_path, capsys):
    a, b = tmp_path / "a.webp", tmp_path / "new" / "b.png"
    assert (
        main(["export", "lizard", str(a), str(b), *WORDS, "--seed", "3", "--erase", "left@4", "--erase", "top@8"]) == 0
    )
    said = capsys.readouterr().out.splitlines()
    assert said == [f"{a}: {a.stat().st_size / 1000:,.0f} KB", f"{b}: {b.stat().st_size / 1000:,.0f} KB"]
    options = Options(**FILM, seed=3, erase={4: "left", 8: "top"})
    for path in (a, b):
        assert write("lizard", tmp_path / f"c{path.suffix}", options).read_bytes() == path.read_bytes()


def test_the_command_films_healing_unless_asked_not_to(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(movie, "shoot", lambda model, options: asked.append(options) or film)
    film = shoot(store.model_path("lizard"), Options(**{k: v for k, v in FILM.items() if k != "scale"}))
    out = str(tmp_path / "a.gif")
    assert main(["export", "lizard", out]) == 0
    assert main(["export", "lizard", out, "--intact"]) == 0
    assert main(["export", "lizard", out, "--erase", "left@3", "--name", "Liz", "--title", "The lizard"]) == 0
    assert asked[:2] == [Options(), Options(erase={}, infect={})]
    assert asked[2] == Options(erase={3: "left"}, name="Liz", title="The lizard")


def test_refusals_are_one_line_before_any_work(refused, tmp_path, monkeypatch):
    gif = tmp_path / "a.gif"
    assert "no model 'lizrad'; the gallery has 'lizard'" in refused("lizrad", gif)
    assert "write DAMAGE@STEP" in refused("lizard", gif, "--erase", "left")
    assert "write 72 or ROWSxCOLUMNS" in refused("lizard", gif, "--size", "big")
    assert "contradict" in refused("lizard", gif, "--erase", "left@3", "--intact")
    monkeypatch.setattr(export.movie, "shoot", lambda *a: pytest.fail("filmed"))
    assert "Did you mean '.gif'" in refused("lizard", gif, tmp_path / "b.gfi")
    assert "planaria export lizard FILE, where FILE ends in .gif, .html," in refused("lizard")


def test_a_page_needs_nothing_but_the_model(tmp_path, monkeypatch):
    for name in ("onnx", "av", "anywidget"):
        monkeypatch.setitem(sys.modules, name, None)
    path = write("lizard", tmp_path / "a.html", Options(name="Liz", title="The <lizard>"))
    text = path.read_text()
    assert "<title>The &lt;lizard&gt;</title>" in text
    assert '"name":"Liz"' in text
