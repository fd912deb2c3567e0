"""After an import a hundred steps are lived: what bursts or dies out is told in one line, and written all the same."""

import pytest
import torch
from helpers.published import drawn

from planaria import store
from planaria.cli import main

SHAPES = {"fc0.weight": (20, 48), "fc0.bias": (20,), "fc1.weight": (16, 20), "fc1.bias": (16,)}
EDITING = {
    "w1.weight": (90, 72, 1, 1), "w1.bias": (90,), "w2.weight": (90, 90, 1, 1), "w2.bias": (90,),
    "w3.weight": (9, 90, 1, 1), "w3.bias": (9,),
}  # fmt: skip
TEXTURE = {"w1.weight": (96, 48, 1, 1), "w1.bias": (96,), "w2.weight": (12, 96, 1, 1)}


def still(shapes: dict[str, tuple[int, ...]], **said: float) -> dict[str, torch.Tensor]:
    """Weights that change nothing, but for those that are said: a number for all of them."""
    return {name: torch.full(shape, said.get(name.replace(".", "_"), 0.0)) for name, shape in shapes.items()}


def imported(tmp_path, monkeypatch, capsys, tensors, *words: str) -> tuple[str, list[str]]:
    monkeypatch.chdir(tmp_path)
    torch.save(tensors, "theirs.pth")
    assert main(["import", "theirs.pth", *words]) == 0
    told = capsys.readouterr()
    assert store.load("theirs.safetensors")[1].channels in (12, 16, 18)
    return told.out, told.err.splitlines()


@pytest.mark.parametrize(
    ("tensors", "words", "says"),
    [
        (still(SHAPES, fc1_bias=50.0), [], "theirs.safetensors bursts within 10 steps"),
        (still(SHAPES, fc0_bias=1.0, fc1_weight=0.1), [], "theirs.safetensors bursts within 90 steps"),
        (still(SHAPES, fc1_bias=-0.5), [], "theirs.safetensors dies out within 10 steps"),
        (still(SHAPES, fc1_bias=-0.02), [], "theirs.safetensors dies out within"),
        (still(EDITING, w3_bias=30.0), ["--from", "image-manipulation"], "theirs.safetensors bursts within 10 steps"),
        (drawn(TEXTURE, 2.0), ["--from", "google-texture"], "theirs.safetensors bursts within"),
    ],
    ids=["at once", "late", "dies", "dies late", "photo", "texture"],
)
def test_what_goes_wrong_is_one_line_more(tmp_path, monkeypatch, capsys, tensors, words, says):
    out, err = imported(tmp_path, monkeypatch, capsys, tensors, *words)
    assert len(out.splitlines()) == 3
    (line,) = err
    assert line.startswith(f"warning: {says}")


@pytest.mark.parametrize(
    ("shapes", "words"),
    [(SHAPES, []), (EDITING, []), (TEXTURE, ["--from", "monash-texture"])],
    ids=["growing", "photo", "texture"],
)
def test_what_lives_says_nothing(tmp_path, monkeypatch, capsys, shapes, words):
    assert imported(tmp_path, monkeypatch, capsys, still(shapes), *words)[1] == []
