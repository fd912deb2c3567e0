"""What a player keeps: states to the bit, pictures, films in bounded memory."""

import json
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.playing import LAYOUT, play, ticks
from helpers.rules import rule
from PIL import Image

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.export.movie import Film
from planaria.view.play.recorder import Recorder, free
from planaria.view.play.state import read_state, save_state
from planaria.world import World


def test_what_is_saved_lives_on_exactly(tmp_path):
    p = play(tmp_path)
    p.world.tick(9)
    p.world.erase("left")
    p.key("s")
    path = tmp_path / "worm-t9.safetensors"
    assert p.message == "saved worm-t9.safetensors"
    again = read_state(path, p.world.rule, LAYOUT)
    assert (again.t, again.seed, again.size) == (9, 3, (14, 18))
    assert torch.equal(again.x, p.world.x)
    for w in (again, p.world):
        w.tick(5)
        w.randomise()
        w.tick(2)
    assert torch.equal(again.x, p.world.x)
    again.reset()
    assert torch.equal(again.x, LAYOUT.seed(1, (14, 18)))
    p.world.t = 9
    p.key("s")
    assert (tmp_path / "worm-t9-2.safetensors").exists()


def test_where_it_began_is_saved_too(tmp_path):
    start = torch.rand(1, 6, 5, 6)
    world = World(rule().float(), LAYOUT, (5, 6), start=start)
    world.tick(2)
    again = read_state(save_state(tmp_path / "a.safetensors", world, "worm"), world.rule, LAYOUT)
    again.reset()
    assert torch.equal(again.x, start)


def test_a_photo_stays_under_a_state_that_is_opened_again(tmp_path):
    layout = Layout(3, None, hidden=2, frozen=1, offset=0.5)
    world = World(rule(life="none", frozen=1).float(), layout, 5)
    world.expose(torch.rand(1, 5, 5))
    photo = world.x[0, 5]
    again = read_state(save_state(tmp_path / "a.safetensors", world, "worm"), world.rule, layout)
    again.reset()
    assert torch.equal(again.x[0, 5], photo)


def damaged(path: Path, **changes: object) -> None:
    """Change what a state says of itself."""
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    ours = json.loads(header["__metadata__"]["planaria"])
    ours["state"] |= changes
    header["__metadata__"]["planaria"] = json.dumps(ours)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + n :])


@pytest.mark.parametrize(
    "changes",
    [
        {"size": [16384, 16384]}, {"size": [1, 1]}, {"size": [14]}, {"size": "14x18"}, {"size": [0, 18]}, {"t": -1},
        {"t": 1.5}, {"t": None}, {"seed": True}, {"seed": 10**30}, {"size": [10**9, 10**9]}, {"size": [18, 14]},
    ],
)  # fmt: skip
def test_damaged_states_are_refused(tmp_path, changes):
    world = World(rule().float(), LAYOUT, (14, 18))
    path = save_state(tmp_path / "a.safetensors", world, "worm")
    damaged(path, **changes)
    with pytest.raises(UserError, match=r"a.safetensors: (damaged|doesn't fit this model)"):
        read_state(path, world.rule, LAYOUT)


def test_other_files_are_no_states(tmp_path):
    world = World(rule().float(), LAYOUT, (14, 18))
    with pytest.raises(UserError, match="No such file"):
        read_state(tmp_path / "none.safetensors", world.rule, LAYOUT)
    with pytest.raises(UserError, match="holds no living state; is it a model"):
        read_state(store.gallery()["lizard"], world.rule, LAYOUT)
    path = save_state(tmp_path / "a.safetensors", world, "worm")
    with pytest.raises(UserError, match="doesn't fit this model: 16 channels"):
        read_state(path, Rule(RuleConfig()), Layout())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="truncated"):
        read_state(path, world.rule, LAYOUT)


def test_a_screenshot_shows_the_cells(tmp_path):
    p = play(tmp_path)
    p.world.tick(3)
    p.key("x")
    picture = np.asarray(Image.open(tmp_path / "worm-t3.png"))
    scale = picture.shape[0] // 14
    assert picture.shape == (14 * scale, 18 * scale, 3)
    assert max(picture.shape) >= 512
    assert np.array_equal(picture[::scale, ::scale], p.image())


def test_a_film_of_what_was_seen(tmp_path):
    p = play(tmp_path, record=tmp_path / "film.gif")
    p.key("r")
    ticks(p, 1)
    p.key("1")
    ticks(p, 0.5)
    assert p.recorder.seconds == pytest.approx(1.5, abs=0.15)
    p.key("r")
    assert not p.recorder.on
    p.close()
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames > 30
        film.seek(film.n_frames - 1)
        shown = np.asarray(film.convert("RGB").resize((18, 14), Image.Resampling.NEAREST)).astype(int)
    assert np.abs(shown - p.image()).mean() < 12  # GIF has 256 colours
    p.key("r")
    p.close()
    assert (tmp_path / "film-2.gif").exists()


def test_a_film_is_bounded(tmp_path, monkeypatch):
    p = play(tmp_path)
    p.recorder.most = 5
    p.key("r")
    ticks(p, 1)
    assert not p.recorder.on
    p.close()
    with Image.open(tmp_path / "worm.webp") as film:
        assert film.n_frames == 5
    for size in ((16384, 16384), (72, 72), (1, 1)):
        assert 2 <= Recorder(tmp_path / "a.gif", size).most <= 1800
    assert Recorder(tmp_path / "a.gif", (256, 256)).most * 512 * 512 * 3 <= 500e6


def test_a_film_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    def fail(self: Film, path: Path) -> Path:
        raise UserError("the disk is full")

    monkeypatch.setattr(Film, "save", fail)
    p = play(tmp_path)
    p.key("r")
    p.key("r")
    deadline = time.monotonic() + 20
    while p.message != "the disk is full":
        p.advance(0.001)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    p.key("r")
    with pytest.raises(UserError, match="disk is full"):
        p.close()


def test_a_film_begun_while_another_is_written_replaces_nothing(tmp_path, monkeypatch):
    wait, save = threading.Event(), Film.save
    monkeypatch.setattr(Film, "save", lambda film, path: wait.wait(20) and save(film, path))
    p = play(tmp_path)
    for _ in range(2):
        p.key("r")
        ticks(p, 0.2)
        p.key("r")
    wait.set()
    p.close()
    assert sorted(f.name for f in tmp_path.iterdir()) == ["worm-2.webp", "worm.webp"]


def test_nothing_moves_nothing_is_filmed(tmp_path):
    p = play(tmp_path)
    p.key("r")
    p.key("space")
    ticks(p, 1)
    assert len(p.recorder._frames) == 1
    p.recorder.on = False


def test_messages_go_away(tmp_path):
    p = play(tmp_path)
    p.key("z")
    assert p.message == "nothing to take back"
    ticks(p, 4)
    assert p.message == ""


def test_a_full_disk_is_a_message_not_an_end(tmp_path):
    p = play(tmp_path / "worm.txt")
    (tmp_path / "worm.txt").write_text("no folder")
    p.key("s")
    assert p.message.startswith("can't write")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"speed": 0}, "speed is in steps"), ({"speed": float("nan")}, "speed is in steps"),
        ({"length": 0}, "a loop has"),
        ({"background": 1.5}, "background is 0"), ({"record": Path("a.txt")}, "unknown format '.txt'"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(tmp_path, settings, says):
    with pytest.raises(UserError, match=says):
        play(tmp_path, **settings)


def test_free_names(tmp_path):
    assert free(tmp_path / "a.png").name == "a.png"
    for name in ("a.png", "a-2.png"):
        (tmp_path / name).touch()
    assert free(tmp_path / "a.png").name == "a-3.png"
