"""A life that bursts or dies out is told once, at every door that shows one; lives that go well are left in peace."""

import json
import warnings

import numpy as np
import pytest
import torch
from helpers import bursting, films, painters

import planaria
from planaria import living, store
from planaria.cli import main
from planaria.core.layout import Layout
from planaria.export.movie import Film
from planaria.health import Health
from planaria.living import Living, find
from planaria.repaint.files import picture_of
from planaria.store.cards import Card
from planaria.view.play.open import open_play
from planaria.view.play.terminal import message_lines
from planaria.world import World

BURST = "it burst by frame 3 (step 6): numbers beyond those of any working model; "
LONGER = f"{BURST}train it longer, or on longer lives"
STOPPED = f"{BURST}its training stopped at iteration 68 of 1,200: planaria train run --resume"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a video model that bursts, one that doesn't, a run that was stopped early, a body that dies."""
    monkeypatch.chdir(tmp_path)
    films.save(tmp_path / "burst.safetensors", bursting.bursting(3), visible=3)
    films.save(tmp_path / "drift.safetensors", visible=3)
    bursting.save_stopped(tmp_path / "run")
    bursting.save_fading(tmp_path / "fading.safetensors")
    return tmp_path


def world(rule=None, size=9) -> World:
    return World(rule or bursting.fading(), Layout(hidden=2), size)


# ---- what is said, and how often


def test_a_burst_is_said_once_until_somebody_begins_anew():
    film = World(bursting.bursting(), Layout(1, None, 1), 8, start=torch.ones(1, 2, 8, 8))
    health, said = Health(), []
    for _ in range(12):
        film.tick(1)
        said.append(health.look(film))
    assert [t for t, line in enumerate(said, 1) if line] == [6]
    assert (
        said[5] == "it burst by step 6: numbers beyond those of any working model; train it longer, or on longer lives"
    )
    film.reset()
    assert health.look(film) == ""
    film.tick(10_000)
    assert health.look(film).startswith("it burst by step 10,000: ")


def test_a_loop_is_no_new_life():
    film = World(bursting.bursting(), Layout(1, None, 1), 8, start=torch.ones(1, 2, 8, 8))
    health, said = Health(), 0
    for t in range(60):
        if t % 12 == 0:
            film.restart()
        film.tick(1)
        said += bool(health.look(film, loop=True))
    assert said == 1


def test_a_slow_burst_is_said_when_it_passes():
    rule = bursting.bursting()
    with torch.no_grad():
        rule.weights[0].mul_(0.001)
    film = World(rule, Layout(1, None, 1), 4, start=torch.ones(1, 2, 4, 4), engine="reference")
    health = Health()
    film.tick(4000)
    assert health.look(film) == ""
    film.tick(6000)
    assert health.look(film).startswith("it burst by step 10,000")


def test_a_death_is_said_once_and_an_erasure_isn_t():
    body, health, said = world(), Health(), []
    for _ in range(8):
        said.append(health.look(body))
        body.tick(1)
    assert [line for line in said if line] == ["no cell is left alive by step 4"]
    body.reset()
    assert health.look(body) == ""
    body.erase("circle(4,4,9)")
    assert health.look(body) == ""
    body.tick(200)
    assert health.look(body) == ""


def test_what_begins_without_life_has_not_died():
    body, health = world(), Health()
    body.clear()
    body.edited = None
    assert health.look(body) == ""
    body.tick(100)
    assert health.look(body) == ""


def test_a_death_long_after_an_edit_is_no_erasure():
    body, health = world(), Health()
    body.plant(1, 1)
    body.tick(1)
    assert health.look(body) == ""
    body.tick(100)
    assert health.look(body) == "no cell is left alive by step 101"


@pytest.mark.parametrize(("train", "says"), [
    ({"steps": 1200}, "stopped at iteration 68 of 1,200"), ({"steps": 68}, ""), ({"steps": 10}, ""), ({}, ""),
    ({"steps": "x"}, ""), ({"steps": True}, ""), ([], ""), (None, ""),
])  # fmt: skip
def test_a_card_says_whether_its_training_was_stopped(train, says):
    assert living.stopped(Card.parse({"trained": 68, "config": {"train": train}})) == says
    assert living.stopped(Card.parse({"trained": "68", "config": {"train": train}})) == ""
    assert living.stopped(Card.parse({"config": None})) == ""


def test_one_that_trains_is_told_as_that(place):
    from planaria.store import live

    path = place / "run" / "model.safetensors"
    live.write_status(place / "run", live.Status("running", 70, 1200))
    assert living.stopped(store.card(path), path) == "at iteration 68 of 1,200, still training"
    assert Health.of(find("run")).advice() == "it is at iteration 68 of 1,200, still training"


# ---- the doors


def said(capsys) -> list[str]:
    return [line.removeprefix("warning: ") for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize("words", [
    ["run", "MODEL", "-o", "a.gif", "--every", "2"], ["run", "MODEL", "-o", "a.png", "--every", "2"], ["run", "MODEL"],
    ["run", "MODEL", "--frames", "9", "--fps-factor", "3", "-o", "a.webp"],
    ["export", "MODEL", "a.gif"], ["export", "MODEL", "a.png"],
])  # fmt: skip
def test_films_say_once_that_a_life_burst(place, capsys, words):
    def call(model: str) -> list[str]:
        assert main([model if word == "MODEL" else word for word in words]) == 0
        return said(capsys)

    assert call("burst.safetensors") == [LONGER]
    assert call("run") == [STOPPED]
    assert call("drift.safetensors") == []


def test_mp4_too(place, capsys):
    pytest.importorskip("av")
    assert main(["run", "run", "-o", "a.mp4"]) == 0
    assert said(capsys) == [STOPPED]


def test_show_tells_where_a_training_stopped(place, capsys):
    assert main(["show", "run"]) == 0
    assert "stopped at iteration 68 of 1,200" in capsys.readouterr().out
    assert main(["show", "drift.safetensors"]) == 0
    assert "trained  5 iterations" in capsys.readouterr().out


def test_python_warns(place):
    with pytest.warns(UserWarning, match="it burst by frame 3 .* stopped at iteration 68 of 1,200"):
        planaria.load("run").film()
    planaria.load("drift.safetensors").film()


def test_a_death_is_said_of_a_film_and_an_erasure_isn_t(place, capsys):
    assert main(["run", "fading.safetensors", "-o", "a.gif", "--every", "1"]) == 0
    assert said(capsys) == ["no cell is left alive by step 4"]
    assert (
        main(["run", "lizard", "--size", "24", "--steps", "30", "--erase", "circle(12,12,30)@20", "-o", "a.gif"]) == 0
    )
    assert said(capsys) == []


@pytest.fixture
def frames(place):
    """Frames that a video model of three channels can be measured on."""
    (place / "frames").mkdir()
    for k, frame in enumerate(films.film(12, 3)):
        picture_of((frame * 255).round().byte()).save(place / "frames" / f"{k}.png")
    return "frames"


def test_eval_says_that_a_video_model_bursts(frames, place, capsys):
    words = ["--held-out", "0.25", "--long", "1", "--context", "1"]
    assert main(["eval", "run", frames, *words]) == 0
    assert said(capsys) == [STOPPED]
    assert json.loads((place / "run" / "scores.json").read_text())["burst"] == 3
    assert "Left alone, it bursts by frame 3: its cells leave every bound." in (place / "run" / "scores.md").read_text()
    assert main(["eval", "drift.safetensors", frames, *words]) == 0
    assert said(capsys) == []
    assert json.loads((place / "scores.json").read_text())["burst"] is None
    assert "bursts" not in (place / "scores.md").read_text()


def test_paintings_say_that_they_burst(place, capsys):
    picture_of(painters.scene(40, 40)).save("photo.png")
    painters.save(place / "wild.safetensors", painters.follower(pace=-1.0))
    painters.save(place / "calm.safetensors", painters.follower())
    says = "it burst by step 8: numbers beyond those of any working model; train it longer, or on longer lives"
    assert main(["apply", "wild.safetensors", "photo.png", "-o", "out.png"]) == 0
    assert said(capsys) == [says]
    gif = [np.asarray(picture_of(painters.scene(20, 24)))] * 3
    Film(np.stack(gif), (0, 1, 2)).save("in.webp", scale=1)
    assert main(["apply", "wild.safetensors", "in.webp", "-o", "out.webp"]) == 0
    assert len(said(capsys)) == 1
    assert main(["eval", "wild.safetensors", "--photos", "photo.png", "--steps", "20", "--style", "photo.png"]) == 0
    assert said(capsys) == [says.replace("step 8", "step 20")]
    assert main(["apply", "calm.safetensors", "photo.png", "-o", "out.png"]) == 0
    assert main(["eval", "calm.safetensors", "--photos", "photo.png", "--steps", "20", "--style", "photo.png"]) == 0
    assert said(capsys) == []


def test_a_sitting_says_it_once(place):
    play = open_play("run", speed=5)
    assert play.message == "stopped at iteration 68 of 1,200"
    news = []
    for _ in range(400):
        play.say("")
        play.advance(0.1)
        news += [play.message] if play.message else []
    (line,) = news
    assert line.startswith("it burst by frame ")
    assert line.endswith("planaria train run --resume; I begins again")
    assert open_play("drift.safetensors").message == ""


def test_long_words_stand_as_long_as_it_takes_to_read_them(place):
    play = open_play("drift.safetensors")
    play.say("w" * 180)
    play.advance(9.9)
    assert play.message
    play.advance(0.2)
    assert not play.message


@pytest.mark.parametrize("columns", [30, 40, 80])
def test_a_terminal_says_all_of_it_over_the_lowest_cells(columns):
    line = "it burst by frame 37 (step 148): numbers beyond those of any working model; I begins again"
    shown = [text.removeprefix("\x1b[0;7m") for text in message_lines(line, columns)]
    assert {len(text) for text in shown} == {columns}
    assert " ".join(" ".join(shown).split()) == line
    assert message_lines("saved it", columns) == []


# ---- no false alarm


LIVES = [*store.gallery(), "sim:lenia", "sim:lenia/crowd", "sim:gray-scott", "sim:life", "sim:life/seeds"]


@pytest.mark.parametrize("name", LIVES)
def test_what_works_is_left_in_peace(name):
    found = find(name, size=48)
    for start in (found.start, "random"):
        alive = found.world()
        if start == "random":
            alive.randomise()
        health = Health.of(found)
        for t in range(0, 160, 8):
            alive.tick(8)
            if t == 80:
                alive.paint(20, 20, 5, alive.layout.colour((255, 0, 0)))
                alive.erase("noise(0.3)")
            line = health.look(alive)
            assert not line.startswith("it burst"), (t, line)
            assert start == "random" or not line


def test_an_infection_is_left_in_peace():
    sick = living.infected(find("heart", size=40), "fish")
    alive, health = sick.world(), Health.of(sick)
    alive.tick(60)
    alive.infect("middle")
    for _ in range(30):
        alive.tick(5)
        assert health.look(alive) == ""


def test_a_film_of_what_works_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        planaria.load("heart").film(steps=40, size=40)


def test_something_in_memory_has_no_card():
    rule = bursting.bursting()
    found = Living(rule, Layout(1, None, 1), (6, 6), torch.ones(1, 2, 6, 6), None, "x")
    assert Health.of(found).burst(3).startswith("it burst by step 3: ")
