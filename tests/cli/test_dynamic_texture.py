"""A film becomes a moving texture on the command line, and its model is judged, filmed and exported."""

import json

import pytest
import torch

import planaria as pl
from planaria.cli import main
from planaria.data.frames import write_frames

QUICK = (
    "size=0", "cells=16", "rule.hidden=8", "rule.channels=4", "train.steps=2", "train.batch=1", "train.pool=2",
    "train.rollout=1,2", "--name=m",
)  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    noise = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(0))
    write_frames([noise.roll(k, 2) for k in range(12)], folder)
    return folder


@pytest.fixture(scope="module")
def run(clip, tmp_path_factory):
    """Run folder of a film that became a texture."""
    runs = tmp_path_factory.mktemp("runs")
    assert main(["train", "film", f"frames={clip}", "--as", "texture", *QUICK, f"--runs={runs}"]) == 0
    return runs / "m"


def test_it_leaves_a_film_a_sheet_a_page_and_what_was_measured(run):
    assert {"film.webp", "strip.png", "sheet.png", "organism.html", "README.md"} <= {p.name for p in run.iterdir()}
    card = pl.load(run).card
    assert card.task == "dynamic_texture"
    assert card.frame_steps == 4
    assert card.metrics["look at step 10000"] > 0
    assert "moves for ever like" in (run / "README.md").read_text()


def test_a_verdict_comes_first(run, tmp_path, capsys):
    assert main(["eval", str(run), "-o", str(tmp_path)]) == 0
    first = capsys.readouterr().out.strip().splitlines()[0]
    assert first.startswith("after 10,000 steps it looks ")
    assert json.loads((tmp_path / "scores.json").read_text())["figures"]["look at step 10000"] > 0


def test_it_is_filmed_in_frames_on_a_grid_of_any_size(run):
    film = pl.load(run).film(frames=3, size=(20, 12))
    assert film.frames.shape == (3, 20, 12, 3)
    assert film.at == (0, 4, 8)


@pytest.mark.parametrize("spelling", [("--as=texture",), ("as=texture",), ("--as", "texture")])
def test_as_stands_anywhere_and_is_spelled_like_a_setting_too(clip, tmp_path, spelling):
    assert main(["train", "video", *spelling, f"frames={clip}", *QUICK, f"--runs={tmp_path}"]) == 0
    assert (tmp_path / "m" / "config.yaml").read_text().startswith("task: dynamic_texture")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "film", "--as", "texure"], "Did you mean 'texture'?"),
        (["train", "film", "--as"], "have: texture"),
        (["train", "grow", "--as", "texture"], "a training of grow becomes no other"),
        (["train", "film", "--as", "texture", "context=3"], "context"),
        (["train", "dynca"], "Did you mean 'dynamic_texture'?"),
    ],
)
def test_mistakes_are_a_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_help_of_a_film_lists_it(capsys):
    assert main(["train", "film", "--help"]) == 0
    assert "--as" in capsys.readouterr().out
    assert main(["train", "grow", "--help"]) == 0
    assert "--as" not in capsys.readouterr().out
