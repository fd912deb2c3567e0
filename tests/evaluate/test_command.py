import json
import shutil

import pytest
from helpers.moving import SHIFT, shift, shifting
from PIL import Image

from planaria import evaluate, store
from planaria.cli import main

FILES = ["rollout.png", "rollout.webp", "scores.json", "scores.md", "scores.png"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a film of 20 frames, and a run that knows how it goes on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "frames").mkdir()
    for k, frame in enumerate(shifting(20, h=16, w=24)):
        Image.fromarray((frame[0] * 255).byte().numpy()).save(tmp_path / "frames" / f"{k}.png")
    config = {"frames": "frames", "size": 0, "every": 1, "count": 0, "crop": "none", "context": 1, "held_out": 0.25}
    card = {"task": "video", "name": "mover", "grid": [16, 24], "frame": {"steps": 1, "solver": "euler"}}
    store.save(tmp_path / "run" / "model.safetensors", shift(), SHIFT, {**card, "config": config}, shifting(1, 16, 24))
    return tmp_path


def names(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_run_is_measured_on_its_own_film(place, capsys):
    assert main(["eval", "run", "--long", "1"]) == 0
    assert names(place / "run") == sorted([*FILES, "model.safetensors"])
    told = json.loads((place / "run" / "scores.json").read_text())
    assert (told["name"], told["frames"], told["start"], told["context"], told["steps"]) == ("mover", 20, 15, 1, 1)
    assert told["model"]["horizons"] == [1, 2, 5]
    assert told["model"]["psnr"] == [100, 100, 100]
    assert told["left_out"] == [10, 20, 50]
    assert told["verdict"]["course"] == {"follows": 19, "of": 19, "alike": 1000, "run": 1000}
    out = capsys.readouterr().out
    assert out.startswith(
        "follows the film for 19 of 19 frames; stays alike for 1,000 of 1,000\nfrom 8 places in the film: "
    )
    said = " ".join(out.split())
    assert "horizons 10, 20, 50 are left out: the held-out part has 5 frames" in said
    assert "run: scores.json, scores.md, scores.png, rollout.png, rollout.webp" in said


def test_other_frames_and_settings(place):
    shutil.copy(place / "run" / "model.safetensors", place / "mover.safetensors")
    words = ["--held-out", "1", "--context", "2", "--horizons", "1,3", "--long", "0", "--every", "2", "--count", "9"]
    assert main(["eval", "mover.safetensors", "frames", *words, "-o", "new/scores"]) == 0
    assert names(place / "new" / "scores") == FILES
    told = json.loads((place / "new" / "scores" / "scores.json").read_text())
    assert (told["frames"], told["start"], told["context"], told["long"]) == (9, 2, 2, [])
    assert told["model"]["starts"] == [7, 5]
    assert told["model"]["mse"] == pytest.approx([1 / 12, 1 / 12])  # two cells a frame are one too many
    assert main(["eval", "mover.safetensors", "--long", "0"]) == 0
    assert set(FILES) <= set(names(place))


def test_a_simulator_is_cut_as_it_is_made(place):
    model = place / "run" / "model.safetensors"
    rule, layout = store.load(model)
    card = {**store.card(model), "config": {"frames": "frames", "crop": "square"}}
    store.save(model, rule, layout, card, shifting(1, 16, 24))
    assert main(["eval", "run", "sim:life,size=16", "--count", "8", "--long", "0", "--held-out", "0.5"]) == 0
    assert json.loads((place / "run" / "scores.json").read_text())["size"] == [16, 16]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["lizard", "--context", "3"], "lizard is no video model; leave out --context"),
        (["sim:life"], "sim:life is no video model, and says of no other task"),
        (["nothing"], "no model 'nothing'"),
        (["run", "nowhere"], "nowhere"),
        (["run", "--horizons", "1,x"], "--horizons '1,x': write frames ahead with commas between, as in 1,2,5"),
        (["run", "--horizons", "0"], "--horizons '0'"),
        (["run", "--held-out", "1.5"], "--held-out 1.5: a share of the frames, above 0 and at most 1"),
        (["run", "--long", "-1"], "--long -1: 0 or more"),
        (["run", "--context", "20"], "20 frames must come before them"),
        (["run", "--every", "0"], "every is at least 1, not 0"),
        (["run", "--context", "0"], "a context is 1 frame or more, got 0"),
    ],
)
def test_mistakes(place, capsys, words, line):
    before = sorted(place.rglob("*"))
    assert main(["eval", *words]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.startswith("planaria: ")
    assert said.count("\n") == 1
    assert sorted(place.rglob("*")) == before


def test_a_model_that_does_not_say_its_film(place, capsys):
    card = {"task": "video", "grid": [16, 24], "frame": {"steps": 1}}
    store.save(place / "bare.safetensors", shift(), SHIFT, card)
    assert main(["eval", "bare.safetensors"]) == 2
    assert "name the frames: planaria eval bare.safetensors FRAMES" in capsys.readouterr().err
    assert main(["eval", "bare.safetensors", "frames", "--long", "0"]) == 0


def test_an_interruption_leaves_nothing(place, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "evaluate", stop)
    assert main(["eval", "run"]) == 130
    assert names(place / "run") == ["model.safetensors"]
