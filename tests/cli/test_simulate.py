"""`planaria simulate`: pictures to the bit, films, settings, and mistakes told in a line."""

import numpy as np
import pytest
import torch
from PIL import Image

from planaria.cli import main
from planaria.data import simulate
from planaria.data.frames import open_frames

every_one = pytest.mark.parametrize("name", ["gray-scott", "lenia", "life"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@every_one
def test_the_command_writes_exact_pictures(name, folder):
    words = ["simulate", name, "-o", "frames", "--frames", "5", "--size", "20x28", "--seed", "3", "--skip", "1"]
    assert main([*words, "--every", "2"]) == 0
    paths = sorted((folder / "frames").glob("*.png"))
    assert [p.name for p in paths] == [f"{k:06d}.png" for k in range(5)]
    wanted = simulate.frames(name, 5, size=(20, 28), seed=3, skip=1, every=2)
    for path, frame in zip(paths, wanted, strict=True):
        image = Image.open(path)
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), frame[0].mul(255).round().byte().numpy())
    assert torch.equal(open_frames("frames").stack(0, 5), wanted.mul(255).round() / 255)


def test_the_command_makes_films_and_takes_settings(folder):
    assert main(["simulate", "lenia", "-o", "l.webp", "--frames", "4", "--set", "radius=6", "--set", "size=24"]) == 0
    with Image.open(folder / "l.webp") as film:
        assert film.n_frames == 4
        assert film.size == (288, 288)
        shown = np.asarray(film.convert("RGB"))[::12, ::12, 0]
    assert np.array_equal(shown, simulate.frames("lenia,radius=6,size=24", 1)[0, 0].mul(255).round().byte().numpy())
    assert main(["simulate", "life/B36/S23", "-o", "l.gif", "--frames", "3", "--size", "16", "--scale", "2"]) == 0
    with Image.open(folder / "l.gif") as film:
        assert film.size == (32, 32)
    assert main(["simulate", "gray-scott", "-o", "g.png", "--frames", "3", "--size", "16"]) == 0


def test_the_command_shows_the_last_frame(capsys, colours):
    assert main(["simulate", "life,size=16", "--frames", "3"]) == 0
    assert capsys.readouterr().out.count("▀") >= 16 * 8


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lief"], "Did you mean 'life'?"),
        (["life", "--set", "density"], "'density' is no setting; write key=value"),
        (["life", "--set", "densty=1"], "Did you mean 'density'?"),
        (["life", "--size", "3y"], "--size"),
        (["life", "--frames", "0"], "--frames"),
        (["life", "-o", "x.avi"], "unknown format '.avi'"),
        (["life", "-o", "x.gif", "--frames", "1000000"], "too long"),
        (["life", "-o", "x.gif", "--scale", "0"], "enlarged 0 times"),
    ],
)
def test_the_command_tells_mistakes(words, told, folder, capsys):
    assert main(["simulate", *words]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not list(folder.iterdir())


def test_a_name_may_be_spelled_as_elsewhere(folder):
    assert main(["simulate", "sim:life,size=8", "-o", "a", "--frames", "2"]) == 0
    assert len(list((folder / "a").glob("*.png"))) == 2


def test_the_list(capsys):
    assert main(["list", "simulators"]) == 0
    said = capsys.readouterr().out
    for word in ("life/highlife", "lenia/orbium", "gray-scott/coral"):
        assert word in said
