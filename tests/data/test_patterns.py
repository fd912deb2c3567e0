"""Patterns of Life in files: laid in the middle, lived by their rule, refused before they cost anything."""

import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from planaria.cli import main
from planaria.data.patterns import open_pattern
from planaria.data.simulate import frames, load
from planaria.errors import UserError
from planaria.living import find
from planaria.view.play.open import open_play

GLIDER = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=torch.bool)
RLE = "#N Glider\n#C a comment\nx = 3, y = 3, rule = B3/S23\nbob$2bo$3o!\n"
CELLS = "!Name: Glider\n!\n.O\n..O\nOOO\n"


def write(path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "text",
    [RLE, CELLS, RLE.replace("\n", "\r\n"), "x=3,y=3\nbo$2b\no$\n3 o !what follows", "x = 0, y = 0\n.A$2.A$3A",
     "X = 3, Y = 3, rule = 23/3:T100,100\nbo$bbo$ooo!", "\ufeff" + RLE, ".O.\n..O\nOOO"],
)  # fmt: skip
def test_a_glider_however_it_is_written(tmp_path, text):
    path = write(tmp_path / "a.rle", text)
    assert torch.equal(open_pattern(path).cells, GLIDER)


def test_empty_rows_and_a_box_that_is_wider(tmp_path):
    cells = open_pattern(write(tmp_path / "a.rle", "x = 5, y = 6\no3$2o$!")).cells
    assert cells.shape == (6, 5)
    assert cells.nonzero().tolist() == [[0, 0], [3, 0], [3, 1]]


@pytest.mark.parametrize("ending", [".rle", ".cells", ".RLE", ".Cells"])
def test_every_door_begins_with_it(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / f"a glider{ending}", RLE if "rle" in ending.lower() else CELLS)
    want = torch.zeros(20, 24)
    want[8:11, 10:13] = GLIDER.float()
    assert torch.equal(find("sim:life", size=(20, 24), start=path).start[0, 0], want)
    assert torch.equal(open_play("sim:life", size=(20, 24), start=path).world.x[0, 0], want)
    assert torch.equal(frames(f"life,start={path},size=20x24", 5)[4, 0], want.roll((1, 1), (0, 1)))
    assert main(["simulate", "life", "--from", path, "--size", "20x24", "--frames", "1", "-o", "out"]) == 0
    with Image.open("out/000000.png") as image:
        assert (torch.from_numpy(np.array(image.convert("L"))) > 128).equal(want > 0)
    assert main(["run", "sim:life", "--from", path, "--size", "20x24", "--frames", "2", "-o", "a.gif"]) == 0


def test_its_rule_is_taken_where_no_other_was_asked_for(tmp_path):
    path = write(tmp_path / "a.rle", "x = 1, y = 1, rule = S23/B36\no!")
    assert load("life", start=path).config.rule == "B36/S23"
    assert load("life", start=path).name == "life/B36/S23"
    assert load("life/maze", start=path).config.rule == "B3/S12345"


def test_a_larger_grid_is_taken_where_it_needs_one(tmp_path):
    path = write(tmp_path / "a.rle", "x = 200, y = 3\n200o$o!")
    assert load("life", start=path).size == (96, 200)
    assert find("sim:life", start=path).start.shape == (1, 1, 96, 200)
    with pytest.raises(UserError, match="is a pattern of 200x3 cells; 64x64 are too few for it"):
        find("sim:life", size=64, start=path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 3, y = 3\n999999999o!", "a pattern of 999999999x3 cells; a side has at most 16384"),
        ("x = 3, y = 3\n999999999$o!", "a side has at most 16384"),
        ("x = 3, y = 3\n" + "9" * 5000 + "o!", r"counts 999999999999\.\.\. cells"),
        ("x = 99999999999999, y = 3\no!", r"counts 999999999999\.\.\. cells"),
        ("x = 16384, y = 16384\no!", "a pattern of 16384x16384 cells"),
        ("x = 3, y = 3\n" + "9999b" * 9 + "o!", "a side has at most 16384"),
        ("x = 3, y = 3\nbBo!", "cells of more than two states"),
        ("x = 3, y = 3\nb;o!", "is broken at ';o!'"),
        ("x = 3, y = 3\n12", "is broken at '12'"),
        ("x = 3, y = 3\n!", "holds no live cell"),
        ("...\n...", "holds no live cell"),
        ("x = 3, y = 3, rule = B9/S23\no!", "a cell has at most 8 neighbours"),
        ("x = 3, y = 3, rule = LifeHistory\no!", "rule 'LifeHistory': write B3/S23"),
        ("", "is no pattern of Life .*; it is empty"),
        ("hello", "is no pattern of Life .*; it is plain text"),
        ("<!doctype html>", "is a web page, not the file"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_one_line_and_costs_nothing(tmp_path, text, told):
    path = write(tmp_path / "a.rle", text)
    tracemalloc.start()
    with pytest.raises(UserError, match=told) as caught:
        find("sim:life", start=path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 5_000_000


def test_files_that_are_none(tmp_path):
    for source, told in ((tmp_path / "no.rle", "No such file"), (tmp_path, "not a regular file|[Dd]irectory")):
        with pytest.raises(UserError, match=told):
            open_pattern(source)
    large = tmp_path / "a.rle"
    large.write_bytes(b"x = 1, y = 1\n" + b" " * 4_000_000)
    with pytest.raises(UserError, match="larger than 4,000,000 bytes"):
        open_pattern(large)
    with pytest.raises(UserError, match="is a pattern of Life .RLE.: sim:life begins with it"):
        find("lizard", start=write(tmp_path / "b.rle", RLE))
    with pytest.raises(UserError, match="is a pattern of Life .RLE.: sim:life begins with it"):
        find("sim:gray-scott", start=str(tmp_path / "b.rle"))
