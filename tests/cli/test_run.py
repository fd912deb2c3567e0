"""`planaria run`: what is typed is what is filmed."""

import sys

import numpy as np
import pytest
from helpers import films
from helpers.rules import rule
from PIL import Image

from planaria import store
from planaria.cli import main
from planaria.commands import install
from planaria.core.layout import Layout


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a video model of 2 steps a frame, which moves the picture one cell to the right in each."""
    monkeypatch.chdir(tmp_path)
    films.save(tmp_path / "drift.safetensors", visible=3)
    return tmp_path


@pytest.fixture
def refused(place, capsys):
    def call(*words: object) -> str:
        before = sorted(place.iterdir())
        capsys.readouterr()
        assert main(["run", *map(str, words)]) == 2
        assert sorted(place.iterdir()) == before
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


def run(*words: object) -> None:
    assert main(["run", *map(str, words)]) == 0


def test_frames_of_a_video_model(place, capsys):
    run("drift.safetensors", "--frames", 4, "-o", "a.webp", "--scale", 1)
    assert capsys.readouterr().out == "a.webp: 4 frames, 20 a second\n"
    found, film = frames("a.webp"), films.film(6, 3)
    for k in range(4):
        want = (film[2 + k] * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.abs(found[k].astype(int) - want).max() <= 1
    run("drift.safetensors", "--steps", 6, "-o", "b.webp", "--scale", 1)
    assert np.array_equal(frames("b.webp"), found)


def test_frames_between_frames(place, capsys):
    run("drift.safetensors", "--frames", 3, "-o", "a.webp", "--scale", 1)
    run("drift.safetensors", "--frames", 3, "-o", "b.webp", "--scale", 1, "--fps-factor", 4)
    assert np.array_equal(frames("b.webp")[::4], frames("a.webp"))
    assert len(frames("b.webp")) == 12
    assert capsys.readouterr().out.splitlines()[1] == "b.webp: 12 frames, 80 a second"
    run("drift.safetensors", "--frames", 3, "-o", "c.gif", "--fps-factor", 4)
    assert capsys.readouterr().out == (
        "c.gif: 12 frames, 80 a second; .gif shows no more a second, so it lasts 1.6 times as long\n"
    )
    run("drift.safetensors", "--frames", 3, "-o", "d.gif", "--fps-factor", 4, "--fps", 25)
    assert capsys.readouterr().out == "d.gif: 12 frames, 25 a second\n"


def test_where_it_begins(place):
    Image.fromarray(np.arange(420, dtype=np.uint8).reshape(10, 14, 3)).save("p.png")
    run("drift.safetensors", "--from", "p.png", "--frames", 2, "-o", "a.webp", "--scale", 1)
    want = frames("p.png")[0]
    assert np.abs(frames("a.webp")[0].astype(int) - want).max() <= 1
    assert np.abs(frames("a.webp")[1].astype(int) - np.roll(want, 2, 1)).max() <= 1
    run("drift.safetensors", "--from", "seed", "--frames", 1, "-o", "b.png")
    run("drift.safetensors", "--from", "random", "--frames", 1, "--seed", 1, "-o", "c.webp", "--scale", 1)
    run("drift.safetensors", "--from", "random", "--frames", 1, "--seed", 2, "-o", "d.webp", "--scale", 1)
    assert not np.array_equal(frames("c.webp"), frames("d.webp"))


def test_other_sizes_solvers_and_simulators(place, capsys):
    run("drift.safetensors", "--size", "20x24", "--frames", 2, "-o", "a.webp", "--scale", 1)
    assert frames("a.webp").shape == (2, 20, 24, 3)
    made = {}
    for solver in ("euler", "midpoint", "rk4", "dopri5"):
        run("drift.safetensors", "--solver", solver, "--frames", 2, "-o", "b.webp", "--scale", 1)
        made[solver] = frames("b.webp")[1].astype(int)
    assert np.abs(made["rk4"] - made["dopri5"]).max() <= 12
    assert np.abs(made["rk4"] - made["euler"]).max() > 20
    run("sim:life", "--frames", 5, "--size", 16, "-o", "c.webp", "--scale", 1)
    assert frames("c.webp").shape == (5, 16, 16, 3)


def test_a_growing_model_counts_steps(place, capsys):
    run("lizard", "--frames", 3, "--size", 24, "-o", "a.webp", "--scale", 1)
    run("lizard", "--steps", 4, "--size", 24, "-o", "b.webp", "--scale", 1)
    assert np.array_equal(frames("a.webp"), frames("b.webp"))
    run("lizard", "--size", 24, "-o", "c.gif", "--every", 50)
    assert "c.gif: 5 frames, 30 a second" in capsys.readouterr().out
    run("lizard", "--size", 24, "--every", 2, "--steps", 8, "--fps-factor", 2, "--erase", "left@4", "-o", "d.webp")
    assert "d.webp: 10 frames, 60 a second" in capsys.readouterr().out


def test_without_an_output_the_last_frame_is_shown(place, capsys, colours):
    run("drift.safetensors", "--frames", 3)
    assert capsys.readouterr().out.count("▀") == 5 * 14


def test_a_film_is_written_as_it_runs(place, capsys):
    av = pytest.importorskip("av")
    run("drift.safetensors", "--frames", 70, "-o", "new/a.mp4", "--scale", 2, "--fps-factor", 3)
    assert capsys.readouterr().out == "new/a.mp4: 210 frames, 60 a second\n"
    with av.open("new/a.mp4") as box:
        assert box.streams.video[0].frames == 210
        assert box.streams.video[0].average_rate == 60


def test_mistakes_are_one_line(refused, place):
    drift = "drift.safetensors"
    assert "frames and steps both say" in refused(drift, "--frames", 3, "--steps", 4, "-o", "a.gif")
    assert "Did you mean 'rk4'" in refused(drift, "--solver", "rk5", "-o", "a.gif")
    assert "Did you mean '.mp4'" in refused(drift, "-o", "a.mp5")
    assert "--frames must be at least 1, got 0" in refused(drift, "--frames", 0, "-o", "a.gif")
    assert "--fps-factor must be in 1..100, got 101" in refused(drift, "--fps-factor", 101, "-o", "a.gif")
    assert "--fps-factor must be in 1..100, got 0" in refused(drift, "--fps-factor", 0, "-o", "a.gif")
    assert "nowhere.png" in refused(drift, "--from", "nowhere.png", "-o", "a.gif")
    assert "needs rule.fire_rate=1 and rule.life=none" in refused("lizard", "--solver", "rk4", "-o", "a.gif")
    assert "no model 'nowhere'" in refused("nowhere", "-o", "a.gif")


def test_a_solver_without_its_extra(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    assert install("ode") in refused("drift.safetensors", "--solver", "rk4", "--frames", 2, "-o", "a.gif")


def test_the_solver_of_the_training_is_kept(place):
    films.save(place / "rk.safetensors", rule(0.2, channels=4, activation="tanh", life="none", fire_rate=1.0).float(),
               visible=3, solver="rk4")  # fmt: skip
    run("rk.safetensors", "--frames", 2, "-o", "a.webp", "--scale", 1)
    for solver, same in (("rk4", True), ("euler", False)):
        run("rk.safetensors", "--frames", 2, "-o", "b.webp", "--scale", 1, "--solver", solver)
        assert np.array_equal(frames("a.webp"), frames("b.webp")) is same


def test_the_direction_is_turned(place):
    """A life from a seed in the middle of a square grid, in which every cell fires."""
    made = rule(spread=0.4, life="none", fire_rate=1.0).float()
    store.save(place / "m.safetensors", made, Layout(4, 3, hidden=2), {"name": "m", "grid": [9, 9]})
    run("m.safetensors", "--steps", 6, "-o", "a.webp", "--scale", 1)
    run("m.safetensors", "--steps", 6, "--turn", 90, "-o", "b.webp", "--scale", 1)
    want = np.rot90(frames("a.webp"), 1, (1, 2)).astype(int)
    assert np.abs(want - frames("b.webp")).max() <= 1
    assert np.abs(want - frames("a.webp")).max() > 9


def test_what_cannot_be_turned_is_said_in_a_line(refused):
    assert "a simulator can't be turned" in refused("sim:life", "--turn", 90, "-o", "a.gif")
    assert "learned reads single cells" in refused("drift.safetensors", "--turn", 90, "-o", "a.gif")
    assert "--turn must be a finite number" in refused("drift.safetensors", "--turn", "inf", "-o", "a.gif")
