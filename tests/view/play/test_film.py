"""Playing with a video model: it begins with its frames, is counted in frames, and is drawn into."""

from pathlib import Path

import pytest
import torch
from helpers import films

from planaria.core.layout import tiled
from planaria.errors import UserError
from planaria.store import live
from planaria.view.play.open import open_play
from planaria.view.play.player import Player
from planaria.view.play.terminal import help_lines, status


def opened(folder: Path, visible: int = 3, start: str | None = None, **settings) -> tuple[Player, torch.Tensor]:
    frames = films.save(folder / "drift.safetensors", visible=visible)
    return open_play(folder / "drift.safetensors", start=start, folder=folder, **settings), frames


def seen(p: Player) -> torch.Tensor:
    return p.world.layout.picture(p.world.x)[0]


def test_it_begins_with_its_frames(tmp_path):
    p, frames = opened(tmp_path)
    assert torch.allclose(seen(p), frames[-1])
    assert p.world.x[0, 3].abs().sum() > 0
    p._live(7)
    assert torch.allclose(seen(p), frames[-1].roll(7, -1), atol=1e-6)
    p.key("i")
    assert torch.allclose(seen(p), frames[-1])
    p.key("z")
    assert torch.allclose(seen(p), frames[-1].roll(7, -1), atol=1e-6)
    wide, _ = opened(tmp_path, size=(16, 9))
    assert torch.allclose(seen(wide), tiled(frames[-1], (16, 9)))


def test_it_is_counted_in_frames(tmp_path, monkeypatch):
    monkeypatch.setattr("planaria.view.play.player.BUDGET", 1e9)
    p, _ = opened(tmp_path)
    assert (p.speed, p.stride, p.unit, p.moment) == (20, 2, "frame", "frame 0")
    for _ in range(120):
        p.advance(1 / 60)
    assert abs(p.world.t - 80) <= 2
    assert p.pace == pytest.approx(20, rel=0.2)
    p.world.t = 7
    p.key(".")
    assert (p.world.t, p.moment) == (8, "frame 4")
    p.key(".")
    assert p.world.t == 10
    p.key("+")
    assert p.speed == 30
    said = status(p, 120)
    assert "frame 5" in said
    assert "30 frames/s" in said
    with pytest.raises(UserError, match="frames a second"):
        opened(tmp_path, speed=-1)


def test_a_loop_is_as_long_as_the_film(tmp_path):
    p, frames = opened(tmp_path)
    p.key("l")
    assert p.message == "begins again every 10 frames"
    p._live(20 + 6)
    assert (p.world.t, p.round) == (6, "3/10")
    assert torch.allclose(seen(p), frames[-1].roll(6, -1), atol=1e-6)
    assert "loop 3/10" in status(p, 120)


@pytest.mark.parametrize("visible", [1, 3])
def test_it_is_drawn_into(tmp_path, visible):
    p, frames = opened(tmp_path, visible)
    p.pick(4, 5)
    colour = [round(255 * v) for v in frames[-1, :, 4, 5].tolist()]
    assert list(p.colour) == (colour if visible == 3 else colour * 3)
    p.press(1, 2)
    p.lift()
    assert torch.allclose(seen(p)[:, 1, 2], frames[-1, :, 4, 5], atol=0.005)
    p.press(7, 7, "erase")
    p.lift()
    ground = p.world.layout.background(p.world.start)
    assert p.world.x[0, :, 7, 7].tolist() == pytest.approx(list(ground.values()))
    p.key("c")
    assert p.world.x.abs().max() == 0


def test_a_film_has_no_seeds(tmp_path):
    p, _ = opened(tmp_path)
    p.key("p")
    assert p.brush == "paint"
    assert p.message == "nothing grows from a seed here; paint"
    assert p.brushes == ("paint", "erase")
    told = "".join(help_lines(200, 50, p.brushes))
    assert "plant" not in told
    assert "seeds" not in told
    assert "erase, or paint again" in told
    other, _ = opened(tmp_path, start="seed")
    other.key("p")
    assert other.brush == "plant"


def test_it_begins_otherwise_where_that_is_asked(tmp_path):
    p, _ = opened(tmp_path, start="seed")
    assert p.world.start is None
    assert p.world.x.abs().max() == 0
    p, _ = opened(tmp_path, start="random", seed=4)
    first = p.world.x
    assert 0.4 < seen(p).mean() < 0.6
    p._live(3)
    p.key("i")
    assert torch.equal(p.world.x, first)
    assert not torch.equal(opened(tmp_path, start="random", seed=5)[0].world.x, first)
    p, _ = opened(tmp_path, start="lizard")
    assert torch.equal(p.world.x[:, 3:], torch.zeros_like(p.world.x[:, 3:]))
    assert p.world.start is not None


def test_a_saved_moment_goes_on(tmp_path):
    p, _ = opened(tmp_path)
    p._live(5)
    again = open_play(tmp_path / "drift.safetensors", start=str(p.save()))
    assert torch.equal(again.world.x, p.world.x)
    assert again.world.start is not None
    again.key("i")
    assert torch.equal(again.world.x, p.world.start)


def test_newer_weights_of_a_training_charge_anew(tmp_path):
    folder = tmp_path / "run"
    films.save(folder / "model.safetensors", visible=1)
    live.write_status(folder, live.Status("running", 3, 10, 0.25))
    films.save(folder / live.WEIGHTS, visible=1)
    p = open_play(folder, size=(12, 20))
    before = p.world.start
    rule = films.drift(1)
    with torch.no_grad():
        rule.weights[0].mul_(0.5)
    films.save(folder / live.WEIGHTS, rule)
    live.write_status(folder, live.Status("running", 4, 10, 0.25))
    p.advance(0.01)
    assert p.world.start is not None
    assert p.world.start.shape == before.shape
    assert not torch.equal(p.world.start, before)
    p.close()


@pytest.mark.parametrize(("name", "files"), [("sim:life", "life"), ("sim:life/B36/S23", "life-B36-S23")])
def test_a_known_automaton_is_played(tmp_path, name, files):
    pytest.importorskip("planaria.data.simulate")
    p = open_play(name, size=(20, 24), seed=2, folder=tmp_path)
    assert p.world.size == (20, 24)
    first = p.world.x
    p.advance(0.1)
    assert p.world.t > 0
    assert not torch.equal(p.world.x, first)
    p.press(3, 3)
    p.lift()
    assert p.world.x[0, 0, 3, 3] == 1
    p.damage(4)
    p.key("i")
    assert torch.equal(p.world.x, first)
    assert p.screenshot().name == f"{files}-t0.png"
